"""``glpn``: depth in metres, by GLPN (arXiv 2201.07436), the estimator that DIF3D uses.

Owns its settings, the size that a picture is brought to, and holds the network while it is
loaded. Must not know other estimators. Light: torch and transformers are imported by ``load``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .. import models, pixel_values, reader_weights
from ..errors import InvalidData
from ..pixel_values import Normalisation
from ..settings import check, option
from ..types import Depth, DepthKind
from . import conversion

if TYPE_CHECKING:
    from ..progress import Progress
    from ..types import Image

_NEAREST = 1e-3  # metres; resizing may swing below 0, and nothing is that near


@dataclass(frozen=True, slots=True)
class GLPNSettings:
    """What may be asked of ``glpn``."""

    weights: str = option(
        "vinvino02/glpn-nyu",
        "folder with the weights, or owner/name; vinvino02/glpn-kitti is for streets",
    )
    revision: str = option("", "of owner/name; empty is the one that is pinned")
    longest: int = option(
        640, "pixels of the longer side that the network sees; 0 is the picture's own", low=0
    )
    farthest: float = option(
        0.0, "metres that its scale ends at; 0 is what its configuration says", low=0, high=1000
    )
    device: str = option("auto", "where it runs", choices=("auto", "cpu", "cuda"))
    precision: str = option(
        "float32", "of the network; half precision leaves steps in the depth",
        choices=("auto", "float32", "bfloat16", "float16"),
    )  # fmt: skip

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True)
class Rules:
    """How a model's pictures are prepared.

    Attributes:
        divisor: both sides are cut down to whole multiples of it.
    """

    divisor: int
    normalisation: Normalisation


class GLPN:
    """Asks a global-local path network how far away everything is."""

    Settings = GLPNSettings
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    MODEL = models.GLPN_NYU
    TITLE = "GLPN"
    WHEN = "metres, in rooms (glpn-nyu) and streets (glpn-kitti); 245 MB of weights"

    def __init__(self) -> None:
        self._network: Any = None
        self._rules: Rules | None = None
        self._loaded: tuple[str, ...] = ()

    @property
    def loaded(self) -> bool:
        """Whether a network is held."""
        return self._network is not None

    @staticmethod
    def check_ready(settings: GLPNSettings) -> None:
        """See ``stages.WithWeights``."""
        reader_weights.found("GLPN", settings)

    def load(self, settings: GLPNSettings, progress: Progress) -> None:
        """Read the weights.

        Raises:
            BackendUnavailable: a package or the GPU that was asked for is missing.
            WeightsMissing: they are not on this machine; nothing is fetched from here.
            BadFile: they are damaged, or another model's.
            OutOfMemory: they do not fit.
        """
        folder = reader_weights.found("GLPN", settings)
        progress(0.0, "importing PyTorch")
        from .. import device as devices
        from .. import pretrained

        device = devices.choose(settings.device)
        dtype = devices.precision(settings.precision, device)
        wanted = (settings.weights, settings.revision, str(device), str(dtype))
        if wanted == self._loaded:
            return
        self.unload()
        progress(0.3, "reading the weights")
        rules = read_rules(folder)
        self._network = pretrained.read("GLPNForDepthEstimation", folder, device, dtype)
        self._rules, self._loaded = rules, wanted
        progress(1.0)

    def unload(self) -> None:
        """Forget the network, and give its memory back to the system."""
        if self._network is None:
            return
        from .. import device as devices

        device, self._network, self._rules, self._loaded = self._network.device, None, None, ()
        devices.give_back(device)

    def __call__(self, image: Image, settings: GLPNSettings, progress: Progress) -> Depth:
        """METRIC depth of the picture's size; see ``stages.DepthEstimator``.

        Raises:
            InvalidData: the picture comes out smaller than the network's step, or the outcome is
                the same everywhere.
            OutOfMemory: the machine or the GPU ran out of memory.
        """
        import torch

        from .. import device as devices
        from ..progress import Progress

        self.load(settings, Progress())  # has happened, unless somebody calls without it
        assert self._rules is not None
        size = input_size((image.height, image.width), settings.longest, self._rules.divisor)
        given = pixel_values.normalised(pixel_values.colors(image), size, self._rules.normalisation)
        progress(0.1, "estimating depth")
        with torch.inference_mode(), devices.memory_errors("choose a smaller `longest`"):
            network = self._network
            asked = torch.from_numpy(given).to(network.device, network.dtype)
            found = network(pixel_values=asked).predicted_depth[None].float()
            whole = torch.nn.functional.interpolate(
                found, (image.height, image.width), mode="bicubic", align_corners=False
            )
        own = float(network.config.max_depth)
        scale = settings.farthest / own if settings.farthest else 1.0
        metres = np.maximum(whole[0, 0].cpu().numpy() * scale, _NEAREST)
        depth = Depth(metres, DepthKind.METRIC)
        conversion.check_varies(depth)
        progress(1.0)
        return depth


def read_rules(folder: Path) -> Rules:
    """From the file beside the weights; what it leaves out is the library's default.

    Raises:
        BadFile: it asks for what is not done here.
    """
    told = pixel_values.read_preprocessor(folder)
    how = told.normalisation(
        pixel_values.BILINEAR, pixel_values.IMAGENET_MEAN, pixel_values.IMAGENET_STD, False
    )
    return Rules(told.count("size_divisor", 32), how)


def input_size(picture: tuple[int, int], longest: int, divisor: int) -> tuple[int, int]:
    """(height, width) that a picture of (height, width) is brought to: never larger than it.

    Raises:
        InvalidData: a side would be nothing.
    """
    most = max(picture)
    wanted = min(longest, most) if longest else most
    height, width = (side * wanted // most // divisor * divisor for side in picture)
    if min(height, width) < divisor:
        raise InvalidData(
            f"of {picture[1]} x {picture[0]} pixels GLPN would see {width} x {height}",
            f"it needs {divisor} each way: take a larger picture, or one that is less narrow",
        )
    return height, width
