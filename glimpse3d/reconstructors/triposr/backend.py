"""``triposr``: a network that knows what things look like from behind.

Owns its settings and holds the network while it is loaded. The work is done in the files beside
it, imported when it runs: this one is light. Must not know other reconstructors.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ... import models, weights
from ...errors import BackendUnavailable
from ...settings import check, option
from . import CONFIG, CUBES, TORCHMCUBES_HINT, WEIGHTS

if TYPE_CHECKING:
    from ...progress import Progress
    from ...stages import Detail
    from ...types import Image, Reconstruction
    from .network import TripoSR

_PACKAGES = ("torch", "safetensors", "yaml", "xatlas")
_GIGABYTE = 10**9


@dataclass(frozen=True, slots=True)
class TripoSRSettings:
    """What may be asked of ``triposr``."""

    weights: str = option("stabilityai/TripoSR", "folder with the weights, or owner/name")
    revision: str = option("", "of owner/name; empty is the one that was tested")
    resolution: int = option(256, "samples of the density along a side", low=16, high=1024)
    threshold: float = option(
        25.0, "density of the surface; lower is fuller and catches thin parts", low=0.1, high=1000
    )
    interpolation: str = option(
        "log",
        "between samples: log is smooth, density is terraced as in the published implementation",
        choices=("log", "density"),
    )
    cubes: str = option(
        "own",
        "marching cubes: own asks few points and closes the surface; torchmcubes asks all, as was "
        "published, and is a package to install",
        choices=CUBES,
    )
    smoothing: int = option(
        0, "passes that take steps off the surface and keep its volume", low=0, high=100
    )
    floaters: float = option(
        0.001, "pieces below this part of the largest one's volume are left out", low=0, high=1
    )
    largest_only: bool = option(False, "keep the largest piece alone")
    texture: bool = option(True, "bake a texture; else colours stand at the vertices")
    texture_faces: int = option(
        40_000,
        "triangles at most under a texture, as unwrapping many takes long; 0 is no such bound",
        low=0, high=5_000_000,
    )  # fmt: skip
    device: str = option("auto", "where it runs", choices=("auto", "cpu", "cuda"))
    precision: str = option(
        "auto",
        "of matrix products; auto is half on a GPU and float32 elsewhere",
        choices=("auto", "float32", "bfloat16", "float16"),
    )
    memory_limit: float = option(
        0.0, "gigabytes that it may take; 0 is what a GPU has free", low=0, high=1000
    )

    def __post_init__(self) -> None:
        check(self)


class TripoSRReconstructor:
    """Asks TripoSR for a field of density and colour, and takes its surface."""

    Settings = TripoSRSettings
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "draft": {"resolution": 160, "texture": False},
        "standard": {"resolution": 256},
        "high": {"resolution": 384},
    }
    MODEL = models.TRIPOSR
    TITLE = "TripoSR"
    WHEN = "photographs and renderings of single things; 1.7 GB of weights, a minute without a GPU"

    def __init__(self) -> None:
        self._network: TripoSR | None = None
        self._loaded: tuple[str, ...] = ()

    @property
    def loaded(self) -> bool:
        """Whether a network is held."""
        return self._network is not None

    @staticmethod
    def check_ready(settings: TripoSRSettings) -> None:
        """See ``stages.WithWeights``."""
        _check_installed(settings)
        weights.folder(settings.weights, settings.revision, (CONFIG,), WEIGHTS)

    def load(self, settings: TripoSRSettings, progress: Progress) -> None:
        """Read the weights, and decide how much is done at once.

        Raises:
            BackendUnavailable: a package or the GPU that was asked for is missing.
            WeightsMissing: they are not on this machine; nothing is fetched from here.
            BadFile: they are damaged, or another model's.
            OutOfMemory: they do not fit.
        """
        _check_installed(settings)
        progress(0.0, "importing PyTorch")
        from ... import device as devices
        from .network import TripoSR

        device = devices.choose(settings.device)
        dtype = devices.precision(settings.precision, device)
        limit = int(settings.memory_limit * _GIGABYTE) or None
        wanted = (settings.weights, settings.revision, str(device), str(dtype))
        if wanted != self._loaded:
            self.unload()
            progress(0.3, "reading the weights")
            with devices.memory_errors("choose device=cpu, or close other programs"):
                self._network = TripoSR.from_pretrained(
                    settings.weights, settings.revision, device=device, dtype=dtype,
                    memory_limit=limit,
                )  # fmt: skip
            self._loaded = wanted
        assert self._network is not None
        self._network.fit(device, dtype, limit, settings.resolution)
        progress(1.0)

    def unload(self) -> None:
        """Forget the network, and give its memory back to the system."""
        if self._network is None:
            return
        from ... import device as devices

        device, self._network, self._loaded = self._network.device, None, ()
        devices.give_back(device)

    def __call__(
        self, cutout: Image, settings: TripoSRSettings, detail: Detail, progress: Progress
    ) -> Reconstruction:
        """See ``stages.Reconstructor``.

        Raises:
            NoForeground: the cut-out is empty, or the network sees nothing solid in it.
            OutOfMemory: the machine or the GPU ran out of memory.
        """
        from ... import device as devices
        from ...progress import Progress
        from . import reconstruction

        self.load(settings, Progress())  # has happened, unless somebody calls without it

        assert self._network is not None
        with devices.memory_errors("choose a lower resolution, or set memory_limit"):
            return reconstruction.reconstruct(self._network, cutout, settings, detail, progress)


def _check_installed(settings: TripoSRSettings) -> None:
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise BackendUnavailable(
            f"TripoSR needs {', '.join(missing)}", 'pip install "glimpse3d[triposr]"'
        )
    if settings.cubes == "torchmcubes" and importlib.util.find_spec("torchmcubes") is None:
        raise BackendUnavailable("the package torchmcubes is not installed", TORCHMCUBES_HINT)
