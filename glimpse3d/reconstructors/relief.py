"""``relief``: what depth alone can tell, closed at the back.

Owns its settings. The work is done in the files beside it, imported when it runs. Must not know who
estimated a depth, nor other reconstructors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ..settings import check, option

if TYPE_CHECKING:
    from ..progress import Progress
    from ..stages import Detail
    from ..types import Depth, Image, Reconstruction


@dataclass(frozen=True, slots=True)
class ReliefSettings:
    """What may be asked of ``relief``."""

    field_of_view: float = option(
        40.0,
        "degrees that the subject and its margin take, vertical; unused if the depth has a camera",
        low=5,
        high=75,
    )
    elevation: float = option(
        17.0, "degrees the picture was taken from above; 0 for flat art", low=-30, high=45
    )
    back: str = option(
        "mirror",
        "what closes it: the front mirrored, or a flat wall",
        choices=("mirror", "flat"),
    )
    thickness: float = option(
        0.25, "depth of its sides where the outline is, over the subject's width", low=0.02, high=3
    )
    depth_range: float = option(
        0.5,
        "depth of what is seen over the subject's width, where the estimate leaves that open",
        low=0.02,
        high=3,
    )
    outliers: float = option(
        3.0, "standard deviations from its neighbours at which a point is stray", low=0.5, high=100
    )
    resolution: int = option(160, "grid cells of the surface, a side", low=32, high=384)
    smoothing: float = option(
        1.5, "grid cells that the surface is smoothed over; more for noisy depth", low=0.5, high=8
    )

    def __post_init__(self) -> None:
        check(self)


class Relief:
    """Lifts the picture by its depth, and closes what the picture does not show."""

    Settings = ReliefSettings
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "draft": {"resolution": 128},
        "standard": {"resolution": 160},
        "high": {"resolution": 256},
    }
    TITLE = "Relief"
    WHEN = "faces, reliefs, fronts of things, where the side that is seen matters; needs depth"

    def load(self, settings: ReliefSettings, progress: Progress) -> None:
        """Import what it runs on."""
        progress(0.0, "importing")
        from . import relief_mesh  # noqa: F401

        progress(1.0)

    def unload(self) -> None:
        """Nothing is held."""

    def from_depth(
        self,
        cutout: Image,
        depth: Depth,
        settings: ReliefSettings,
        detail: Detail,
        progress: Progress,
    ) -> Reconstruction:
        """See ``stages.DepthReconstructor``."""
        from . import relief_mesh

        return relief_mesh.reconstruct(cutout, depth, settings, detail, progress)
