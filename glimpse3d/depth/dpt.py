"""``dpt``: relative depth of anything, by DPT and MiDaS 3 (arXiv 2103.13413, 1907.01341).

Owns its settings, the size that a picture is brought to, and holds the network while it is
loaded. What comes out is a disparity: its scale and its shift are unknown. Must not know other
estimators. Light: torch and transformers are imported by ``load``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from .. import models, pixel_values, reader_weights
from ..errors import BadFile, InvalidData
from ..pixel_values import Normalisation
from ..settings import check, option
from ..types import Depth, DepthKind
from . import conversion

if TYPE_CHECKING:
    from ..progress import Progress
    from ..types import Image

# The first fusion has nothing to fuse with; Intel's files have no tensors for it.
_UNUSED = "neck.fusion_stage.layers.0.residual_layer1."


@dataclass(frozen=True, slots=True)
class DPTSettings:
    """What may be asked of ``dpt``."""

    weights: str = option(
        "Intel/dpt-large", "folder with the weights, or owner/name, such as Intel/dpt-hybrid-midas"
    )
    revision: str = option("", "of owner/name; empty is the one that is pinned")
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
        size: (height, width) that it was trained on.
        multiple: both sides are whole multiples of it.
        keep_aspect_ratio: fit the side that needs the least change, and the other follows.
    """

    size: tuple[int, int]
    multiple: int
    keep_aspect_ratio: bool
    normalisation: Normalisation


class DPT:
    """Asks a dense prediction transformer what is nearer."""

    Settings = DPTSettings
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    MODEL = models.DPT_LARGE
    TITLE = "DPT (MiDaS 3)"
    WHEN = "depth order of any picture; no metres. 1.4 GB of weights, or 0.5 GB for the hybrid"

    def __init__(self) -> None:
        self._network: Any = None
        self._rules: Rules | None = None
        self._loaded: tuple[str, ...] = ()

    @property
    def loaded(self) -> bool:
        """Whether a network is held."""
        return self._network is not None

    @staticmethod
    def check_ready(settings: DPTSettings) -> None:
        """See ``stages.WithWeights``."""
        reader_weights.found("DPT", settings)

    def load(self, settings: DPTSettings, progress: Progress) -> None:
        """Read the weights.

        Raises:
            BackendUnavailable: a package or the GPU that was asked for is missing.
            WeightsMissing: they are not on this machine; nothing is fetched from here.
            BadFile: they are damaged, or another model's.
            OutOfMemory: they do not fit.
        """
        folder = reader_weights.found("DPT", settings)
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
        network = pretrained.read("DPTForDepthEstimation", folder, device, dtype, _UNUSED)
        _check_fits(folder, rules, network.config)
        self._network, self._rules, self._loaded = network, rules, wanted
        progress(1.0)

    def unload(self) -> None:
        """Forget the network, and give its memory back to the system."""
        if self._network is None:
            return
        from .. import device as devices

        device, self._network, self._rules, self._loaded = self._network.device, None, None, ()
        devices.give_back(device)

    def __call__(self, image: Image, settings: DPTSettings, progress: Progress) -> Depth:
        """A disparity of the picture's size; see ``stages.DepthEstimator``.

        Raises:
            InvalidData: the picture comes out smaller than a patch, or the outcome is the same
                everywhere.
            OutOfMemory: the machine or the GPU ran out of memory.
        """
        import torch

        from .. import device as devices
        from ..progress import Progress

        self.load(settings, Progress())  # has happened, unless somebody calls without it
        assert self._rules is not None
        size = input_size((image.height, image.width), self._rules)
        _check_size(size, _patch(self._network.config))
        given = pixel_values.normalised(pixel_values.colors(image), size, self._rules.normalisation)
        progress(0.1, "estimating depth")
        with torch.inference_mode(), devices.memory_errors("choose device=cpu"):
            network = self._network
            asked = torch.from_numpy(given).to(network.device, network.dtype)
            found = network(pixel_values=asked).predicted_depth[None].float()
            whole = torch.nn.functional.interpolate(
                found, (image.height, image.width), mode="bicubic", align_corners=False
            )
        depth = Depth(whole[0, 0].cpu().numpy(), DepthKind.DISPARITY)
        conversion.check_varies(depth)
        progress(1.0)
        return depth


def read_rules(folder: Path) -> Rules:
    """From the file beside the weights; what it leaves out is the library's default.

    Raises:
        BadFile: it asks for what is not done here.
    """
    told = pixel_values.read_preprocessor(folder)
    if told.values.get("do_pad", False):
        raise told.refusal("its pictures are padded")
    return Rules(
        told.sides((384, 384)),
        told.count("ensure_multiple_of", 1),
        bool(told.values.get("keep_aspect_ratio", False)),
        told.normalisation(
            pixel_values.BICUBIC, pixel_values.IMAGENET_MEAN, pixel_values.IMAGENET_STD
        ),
    )


def input_size(picture: tuple[int, int], rules: Rules) -> tuple[int, int]:
    """(height, width) that a picture of (height, width) is brought to.

    Halves are rounded to even, as Python does, and so do the models' own processors.
    """
    down, across = (want / have for want, have in zip(rules.size, picture, strict=True))
    if rules.keep_aspect_ratio:
        down = across = across if abs(1 - across) < abs(1 - down) else down
    height, width = (_multiple(scale * side, rules.multiple)
                     for scale, side in zip((down, across), picture, strict=True))  # fmt: skip
    return height, width


def _multiple(length: float, step: int) -> int:
    near = round(length / step) * step
    return near if near >= 0 else math.ceil(length / step) * step


def _patch(config: Any) -> int:
    """Pixels along a side of a patch: of the backbone, where that has some."""
    return int(getattr(config.backbone_config, "patch_size", None) or config.patch_size)


def _check_fits(folder: Path, rules: Rules, config: Any) -> None:
    """A plain vision transformer takes squares alone; those with a backbone take what they get.

    Raises:
        BadFile: it would be given something else.
    """
    square = rules.size[0] == rules.size[1] and not rules.keep_aspect_ratio
    if config.backbone_config is None and not square:
        raise BadFile(
            f"{folder}: its network takes squares, and its processor makes none",
            "name a folder of the right model",
        )


def _check_size(size: tuple[int, int], patch: int) -> None:
    if min(size) < patch:
        raise InvalidData(
            f"the picture comes out as {size[1]} x {size[0]} pixels, less than a patch of {patch}",
            "it is too narrow for this model; crop it to its subject",
        )
