"""The cut-out by the small network inside the package.

Owns its settings and the exactness of what the user painted. Must not know other cut-outs. Light;
what computes is in ``embedded_cut``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..settings import check, option
from ..types import Image, Prompt

if TYPE_CHECKING:
    from ..progress import Progress
    from .embedded_where import Where


@dataclass(frozen=True, slots=True)
class EmbeddedSettings:
    """How carefully to cut; the names differ from those of the reconstructor ``embedded``."""

    cut_resolution: int = option(
        256, "longest side in pixels at which colours are told apart", low=64, high=1024
    )
    cut_rounds: int = option(4, "times the colour models are improved", low=1, high=30)
    smallest_part: float = option(
        0.1, "smaller parts go; share of the largest part's area", low=0, high=1
    )

    def __post_init__(self) -> None:
        check(self)


class Embedded:
    """Asks a small network where the subject is, and colour models where it ends."""

    Settings = EmbeddedSettings
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    TITLE = "Embedded network"
    WHEN = "photographs, where no larger network's weights are at hand; needs no download"

    def __init__(self) -> None:
        self._where: Where | None = None

    def load(self, settings: EmbeddedSettings, progress: Progress) -> None:
        """Read the network that came with the package.

        Raises:
            BackendUnavailable: onnxruntime is not installed, or refuses the file.
            WeightsMissing, BadFile: the file is not there, or not the one that belongs there.
        """
        if self._where is None:
            progress(0.0, "loading the network")
            from .embedded_where import Where

            self._where = Where.shipped()
        progress(1.0)

    def unload(self) -> None:
        """Give the network's memory back."""
        self._where = None

    def why_not(self, image: Image, settings: EmbeddedSettings) -> str:
        """It can always try."""
        return ""

    def __call__(
        self, image: Image, prompt: Prompt, settings: EmbeddedSettings, progress: Progress
    ) -> Image:
        """The picture with its background's alpha at 0.

        Transparent pixels stay so. Where a painted mask is sure, alpha is exactly 255 or 0. Colours
        are kept, but for pixels that are partly background: they get the subject's own.

        Raises:
            NoForeground: nothing stands out from the background.
        """
        from ..cutting.foreground import decontaminated
        from .embedded_cut import alpha_of

        self.load(settings, progress)
        assert self._where is not None
        rgba = np.array(image.rgba)
        if prompt.mask is not None and not (prompt.mask == 128).any():
            alpha = prompt.mask
        else:
            alpha = alpha_of(rgba, prompt, settings, self._where, progress)
        if prompt.mask is not None:
            alpha = np.where(prompt.mask == 128, alpha, prompt.mask)
        rgba[..., :3] = decontaminated(np.ascontiguousarray(rgba[..., :3]), alpha)
        sure = prompt.mask == 255 if prompt.mask is not None else np.zeros(alpha.shape, bool)
        faded = np.rint(alpha * (rgba[..., 3] / 255.0)).astype(np.uint8)
        rgba[..., 3] = np.where(sure, np.uint8(255), faded)
        progress(1.0)
        return Image(rgba)
