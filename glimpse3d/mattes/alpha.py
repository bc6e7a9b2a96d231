"""The cut-out that came with the picture.

Owns when an alpha channel is a cut-out. Must not know other cut-outs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import NoForeground

if TYPE_CHECKING:
    from ..progress import Progress
    from ..types import Image, Prompt

CLEAR, SOLID = 8, 247  # alpha: at most this is transparent, at least this is opaque
LEAST_CLEAR = 0.02  # of the picture; rounded corners alone stay below
LEAST_SOLID = 0.005  # of the picture; a watermark alone stays below


@dataclass(frozen=True, slots=True)
class AlphaSettings:
    """There is nothing to choose."""


class Alpha:
    """Takes the picture's own alpha, unchanged."""

    Settings = AlphaSettings
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    TITLE = "The picture's own alpha"
    WHEN = "pictures whose background is transparent already"

    def load(self, settings: AlphaSettings, progress: Progress) -> None:
        """Nothing is needed."""

    def unload(self) -> None:
        """Nothing is held."""

    def why_not(self, image: Image, settings: AlphaSettings) -> str:
        """Why the alpha is not a cut-out; empty if it is one.

        A cut-out has a transparent background, an opaque subject, and between them less than
        either.
        """
        alpha = image.rgba[..., 3]
        clear, solid = float((alpha <= CLEAR).mean()), float((alpha >= SOLID).mean())
        if solid == 1:
            return "the picture has no transparency"
        if clear < LEAST_CLEAR:
            return f"only {clear:.1%} of the picture is transparent"
        if solid < LEAST_SOLID:
            return f"only {solid:.1%} of the picture is opaque"
        if 1 - clear - solid > max(clear, solid):
            return "most of the picture is half transparent"
        return ""

    def __call__(
        self, image: Image, prompt: Prompt, settings: AlphaSettings, progress: Progress
    ) -> Image:
        """The picture as it is.

        Raises:
            NoForeground: it is opaque everywhere, or nowhere.
        """
        solid = image.rgba[..., 3] >= 128
        if solid.all():
            raise NoForeground(
                "the picture has no transparency to cut by", "choose another cut-out, or auto"
            )
        if not solid.any():
            raise NoForeground("the picture is transparent everywhere", "choose another picture")
        progress(1.0)
        return image
