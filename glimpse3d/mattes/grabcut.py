"""The cut-out without weights: colour models of subject and background.

Owns its settings and the exactness of what the user painted. Must not know other cut-outs. Light;
what computes is in ``grabcut_cut``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..progress import Progress
from ..settings import check, option
from ..types import Image, Prompt


@dataclass(frozen=True, slots=True)
class GrabCutSettings:
    """How carefully to cut."""

    resolution: int = option(
        256, "longest side in pixels at which colours are told apart", low=64, high=1024
    )
    rounds: int = option(6, "times the colour models are improved", low=1, high=30)
    smallest_part: float = option(
        0.1, "smaller parts go; share of the largest part's area", low=0, high=1
    )

    def __post_init__(self) -> None:
        check(self)


class GrabCut:
    """Tells the subject by its colours and by standing apart from the picture's border."""

    Settings = GrabCutSettings
    TITLE = "GrabCut"
    WHEN = "no weights needed; good on plain and calm backgrounds, or with a box or a painted mask"

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def load(self, settings: GrabCutSettings, progress: Progress) -> None:
        """Import what computes."""
        from . import grabcut_cut  # noqa: F401

        progress(1.0)

    def unload(self) -> None:
        """Nothing is held."""

    def why_not(self, image: Image, settings: GrabCutSettings) -> str:
        """It can always try."""
        return ""

    def __call__(
        self, image: Image, prompt: Prompt, settings: GrabCutSettings, progress: Progress
    ) -> Image:
        """The picture with its background's alpha at 0; colours kept.

        Transparent pixels stay so. Where a painted mask is sure, alpha is exactly 255 or 0.

        Raises:
            NoForeground: nothing stands out from the background.
        """
        from .grabcut_cut import alpha_of

        rgba = np.array(image.rgba)
        if prompt.mask is not None and not (prompt.mask == 128).any():
            alpha = prompt.mask
        else:
            alpha = alpha_of(rgba, prompt, settings, progress)
        rgba[..., 3] = np.rint(alpha * (rgba[..., 3] / 255.0)).astype(np.uint8)
        if prompt.mask is not None:
            rgba[prompt.mask == 255, 3] = 255
            rgba[prompt.mask == 0, 3] = 0
        progress(1.0)
        return Image(rgba)
