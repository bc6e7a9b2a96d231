"""``inflate``: the classical reconstructor, exact to the silhouette, without weights.

Owns its settings. The work is done in the files beside it, imported when it runs. Must not know
other reconstructors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ..settings import check, option

if TYPE_CHECKING:
    from ..progress import Progress
    from ..stages import Detail
    from ..types import Image, Reconstruction


@dataclass(frozen=True, slots=True)
class InflateSettings:
    """What may be asked of ``inflate``."""

    elevation: float = option(
        17.0, "degrees the picture was taken from above; 0 for flat art", low=-30, high=45
    )
    field_of_view: float = option(
        40.0, "degrees that the subject and its margin take, vertical", low=5, high=75
    )
    resolution: int = option(
        160, "grid cells along a square subject; a slim one gets more", low=32, high=384
    )
    thickness: float = option(
        1.0, "depth over width of what is inflated; below 1 for badges and coins", low=0.05, high=3
    )
    revolution: str = option(
        "auto",
        "solid of revolution: where the outline, seen from above, fits one; never; always",
        choices=("auto", "never", "always"),
    )

    def __post_init__(self) -> None:
        check(self)


class Inflate:
    """Blows the silhouette up, or turns it about its axis where it looks like a turned thing."""

    Settings = InflateSettings
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "draft": {"resolution": 128},
        "standard": {"resolution": 160},
        "high": {"resolution": 256},
    }
    TITLE = "Inflate"
    WHEN = "logos, drawings, bottles, vases and other round things; needs no weights"

    def load(self, settings: InflateSettings, progress: Progress) -> None:
        """Import what it runs on."""
        progress(0.0, "importing")
        from . import inflation  # noqa: F401

        progress(1.0)

    def unload(self) -> None:
        """Nothing is held."""

    def __call__(
        self, cutout: Image, settings: InflateSettings, detail: Detail, progress: Progress
    ) -> Reconstruction:
        """See ``stages.Reconstructor``."""
        from . import inflation

        return inflation.reconstruct(cutout, settings, detail, progress)
