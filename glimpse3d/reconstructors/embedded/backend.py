"""``embedded``: the default reconstructor, a small network inside the package.

Owns its settings. The work is done in the files beside it, imported when it runs. Must not know
other reconstructors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ...settings import check, option

if TYPE_CHECKING:
    from ...progress import Progress
    from ...stages import Detail
    from ...types import Image, Reconstruction
    from .network import Network


@dataclass(frozen=True, slots=True)
class EmbeddedSettings:
    """What may be asked of ``embedded``."""

    field_of_view: float = option(
        0.0,
        "degrees that the subject and its margin take, vertical; 0 takes them from the"
        " photograph's focal length if it is known, else 40",
        low=0,
        high=75,
    )
    tilt: float = option(
        0.0, "degrees to tip the object towards the camera where it leans", low=-45, high=45
    )
    resolution: int = option(160, "grid cells along the subject", low=32, high=384)
    passes: int = option(
        2, "looks at the picture, mirrored and shifted, that are averaged", low=1, high=10
    )
    revolution: str = option(
        "auto",
        "solid of revolution: where outline and network agree on one; never; always",
        choices=("auto", "never", "always"),
    )

    def __post_init__(self) -> None:
        check(self)


class Embedded:
    """Looks at the cut-out once or more and says what is solid along every ray."""

    Settings = EmbeddedSettings
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "draft": {"resolution": 112, "passes": 2},
        "standard": {"resolution": 160, "passes": 4},
        "high": {"resolution": 256, "passes": 10},
    }
    TITLE = "Embedded network"
    WHEN = "photographs of things, animals, vehicles, furniture; the default, needs no download"

    def __init__(self) -> None:
        self._network: Network | None = None

    def load(self, settings: EmbeddedSettings, progress: Progress) -> None:
        """Read the network that came with the package.

        Raises:
            BackendUnavailable: onnxruntime is not installed, or refuses the file.
        """
        if self._network is None:
            progress(0.0, "loading the network")
            from .network import Network

            self._network = Network.shipped()
        progress(1.0)

    def unload(self) -> None:
        """Give the network's memory back."""
        self._network = None

    def __call__(
        self, cutout: Image, settings: EmbeddedSettings, detail: Detail, progress: Progress
    ) -> Reconstruction:
        """See ``stages.Reconstructor``."""
        from .reconstruction import reconstruct

        self.load(settings, progress)
        assert self._network is not None
        return reconstruct(self._network, cutout, settings, detail, progress)
