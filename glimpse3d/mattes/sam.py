"""``sam``: Segment Anything (arXiv 2304.02643), asked by box, by points, or left to itself.

Owns its settings, what is asked for them, and holds the network while it is loaded. How it sees a
picture is in ``sam_question.py``, which of many masks is the subject in ``sam_choice.py``. Must not
know other cut-outs. Light: torch and transformers are imported by ``load``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .. import models, reader_weights
from ..errors import InvalidData, InvalidSettings, NoForeground
from ..settings import check, option
from ..types import Image
from . import sam_choice
from .sam_choice import Points

if TYPE_CHECKING:
    from ..progress import Progress
    from ..types import Prompt


@dataclass(frozen=True, slots=True)
class SamSettings:
    """What may be asked of ``sam``."""

    weights: str = option("facebook/sam-vit-base", "folder with the weights, or owner/name")
    revision: str = option("", "of owner/name; empty is the one that is pinned")
    points: str = option(
        "", "pixels of the subject, as in '120,80 300,200'; 20,30,0 is one of the background"
    )
    grid: int = option(
        12, "points along a side where it looks for the subject by itself", low=2, high=64
    )
    device: str = option("auto", "where it runs", choices=("auto", "cpu", "cuda"))
    precision: str = option(
        "auto", "of the picture's encoder; auto is half on a GPU and float32 elsewhere",
        choices=("auto", "float32", "bfloat16", "float16"),
    )  # fmt: skip

    def __post_init__(self) -> None:
        check(self)
        points_from(self.points)


class Sam:
    """Asks Segment Anything for the pixels of one thing."""

    Settings = SamSettings
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    MODEL = models.SAM
    TITLE = "Segment Anything"
    WHEN = (
        "pictures of several things, by a box or points; alone it takes the largest in the middle"
    )

    def __init__(self) -> None:
        self._network: Any = None
        self._rules: Any = None
        self._loaded: tuple[str, ...] = ()

    @property
    def loaded(self) -> bool:
        """Whether a network is held."""
        return self._network is not None

    def why_not(self, image: Image, settings: SamSettings) -> str:
        """It is chosen by name only: alone it may take another thing than the user means."""
        return "it is chosen by name only"

    @staticmethod
    def check_ready(settings: SamSettings) -> None:
        """See ``stages.WithWeights``."""
        reader_weights.found("SAM", settings)

    def load(self, settings: SamSettings, progress: Progress) -> None:
        """Read the weights.

        Raises:
            BackendUnavailable: a package or the GPU that was asked for is missing.
            WeightsMissing: they are not on this machine; nothing is fetched from here.
            BadFile: they are damaged, or another model's.
            OutOfMemory: they do not fit.
        """
        folder = reader_weights.found("SAM", settings)
        progress(0.0, "importing PyTorch")
        from .. import device as devices
        from .. import pretrained
        from . import sam_question

        device = devices.choose(settings.device)
        dtype = devices.precision(settings.precision, device)
        wanted = (settings.weights, settings.revision, str(device), str(dtype))
        if wanted == self._loaded:
            return
        self.unload()
        progress(0.3, "reading the weights")
        rules = sam_question.read_rules(folder)
        # Places are told to it as sines of large numbers, which half precision cannot hold.
        network = pretrained.read("SamModel", folder, device, devices.precision("float32", device))
        network.vision_encoder.to(dtype)
        self._network = network
        self._rules, self._loaded = rules, wanted
        progress(1.0)

    def unload(self) -> None:
        """Forget the network, and give its memory back to the system."""
        if self._network is None:
            return
        from .. import device as devices

        device, self._network, self._rules, self._loaded = self._network.device, None, None, ()
        devices.give_back(device)

    def __call__(
        self, image: Image, prompt: Prompt, settings: SamSettings, progress: Progress
    ) -> Image:
        """The picture with the mask as alpha, times the alpha that it had; colours kept.

        A box, points and the strokes of a painted mask are asked together. Without any, a grid of
        points is, and the largest thing in the middle is taken.

        Raises:
            NoForeground: no mask is stable, or what was asked for is empty.
            InvalidData: a point lies outside the picture.
            OutOfMemory: the machine or the GPU ran out of memory.
        """
        import torch

        from .. import device as devices
        from ..progress import Progress
        from . import sam_question

        self.load(settings, Progress())  # has happened, unless somebody calls without it
        points = _checked(sam_choice.joined(points_from(settings.points), prompt), image)
        with torch.inference_mode(), devices.memory_errors("choose device=cpu"):
            progress(0.0, "looking at the picture")
            asked = sam_question.Question(self._network, self._rules, image)
            if len(points.labels) or prompt.box is not None:
                logits = asked.by_prompt(points, prompt.box)
            else:
                logits = asked.by_itself(settings.grid, progress)
            mask = asked.enlarged(logits) > 0
        rgba = np.array(image.rgba)
        rgba[..., 3] *= mask
        if not (rgba[..., 3] >= 128).any():
            raise NoForeground(
                "SAM finds nothing where it was asked",
                "move the points, or give a box around the subject",
            )
        progress(1.0)
        return Image(rgba)


def points_from(text: str) -> Points:
    """Points of ``x,y`` for the subject and ``x,y,0`` for the background, apart by spaces.

    Raises:
        InvalidSettings: not of that form.
    """
    places, labels = [], []
    for word in text.split():
        try:
            x, y, *label = (float(part) for part in word.split(","))
            if label not in ([], [0.0], [1.0]):
                raise ValueError
        except ValueError:
            hint = "write x,y for the subject and x,y,0 for the background, apart by spaces"
            raise InvalidSettings("points", f"{word!r} is no point", hint) from None
        places.append((x, y))
        labels.append(int(label[0]) if label else 1)
    return Points(np.reshape(places, (-1, 2)), np.array(labels, np.int64))


def _checked(points: Points, image: Image) -> Points:
    inside = (points.places >= 0).all(axis=1)
    inside &= (points.places <= [image.width, image.height]).all(axis=1)
    if not inside.all():
        x, y = points.places[~inside][0]
        raise InvalidData(
            f"the point {x:g},{y:g} lies outside the picture",
            f"the picture has {image.width} x {image.height} pixels",
        )
    if len(points.labels) and not points.labels.any():
        raise InvalidData("all points are of the background", "give one on the subject")
    return points
