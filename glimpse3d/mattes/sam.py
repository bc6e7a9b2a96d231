"""``sam``: Segment Anything (arXiv 2304.02643), asked by box, by points, or left to itself.

Owns its settings, the way from a picture to the network and from its masks back, and holds the
network while it is loaded. Which of many masks is the subject is for ``sam_choice.py``. Must not
know other cut-outs. Light: torch and transformers are imported by ``load``.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .. import pixel_values, weights
from ..errors import BackendUnavailable, InvalidData, InvalidSettings, NoForeground
from ..pixel_values import Normalisation
from ..settings import check, option
from ..types import Image
from . import sam_choice
from .sam_choice import Points

if TYPE_CHECKING:
    from ..progress import Progress
    from ..types import Prompt

_PACKAGES = ("torch", "safetensors", "transformers")
_AT_ONCE = 64  # points asked in one pass; each gives three masks


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


@dataclass(frozen=True, slots=True)
class Rules:
    """How a model's pictures are prepared.

    Attributes:
        longest: pixels of the longer side.
        padded: (height, width) after filling up below and to the right.
    """

    longest: int
    padded: tuple[int, int]
    normalisation: Normalisation


class Sam:
    """Asks Segment Anything for the pixels of one thing."""

    Settings = SamSettings
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    TITLE = "Segment Anything"
    WHEN = (
        "pictures of several things, by a box or points; alone it takes the largest in the middle"
    )

    def __init__(self) -> None:
        self._network: Any = None
        self._rules: Rules | None = None
        self._loaded: tuple[str, ...] = ()

    @property
    def loaded(self) -> bool:
        """Whether a network is held."""
        return self._network is not None

    def why_not(self, image: Image, settings: SamSettings) -> str:
        """It is chosen by name only: alone it may take another thing than the user means."""
        return "it is chosen by name only"

    def load(self, settings: SamSettings, progress: Progress) -> None:
        """Read the weights.

        Raises:
            BackendUnavailable: a package or the GPU that was asked for is missing.
            WeightsMissing: they are not on this machine; nothing is fetched from here.
            BadFile: they are damaged, or another model's.
            OutOfMemory: they do not fit.
        """
        missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
        if missing:
            raise BackendUnavailable(
                f"SAM needs {', '.join(missing)}", 'pip install "glimpse3d[readers]"'
            )
        progress(0.0, "importing PyTorch")
        from .. import device as devices
        from .. import pretrained

        device = devices.choose(settings.device)
        dtype = devices.precision(settings.precision, device)
        wanted = (settings.weights, settings.revision, str(device), str(dtype))
        if wanted == self._loaded:
            return
        self.unload()
        files = (pretrained.CONFIG, pretrained.PREPROCESSOR)
        folder = weights.folder(settings.weights, settings.revision, files, pretrained.WEIGHTS)
        progress(0.3, "reading the weights")
        rules = read_rules(folder)
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

        self.load(settings, Progress())  # has happened, unless somebody calls without it
        points = _checked(sam_choice.joined(points_from(settings.points), prompt), image)
        with torch.inference_mode(), devices.memory_errors("choose device=cpu"):
            progress(0.0, "looking at the picture")
            asked = _Question(self._network, self._rules, image)
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


class _Question:
    """One picture, encoded once and asked about as often as one likes."""

    def __init__(self, network: Any, rules: Rules | None, image: Image) -> None:
        import torch

        assert rules is not None
        self._network, self._rules = network, rules
        self._size = image.height, image.width
        self._seen = input_size(self._size, rules.longest)
        self._torch = torch
        given = prepared(image, rules)
        encoder = network.vision_encoder
        pixels = torch.from_numpy(given).to(encoder.device, encoder.dtype)
        self._embedding = network.get_image_embeddings(pixels).float()

    def by_prompt(self, points: Points, box: tuple[float, ...] | None) -> np.ndarray:
        """(h, w) logits of the one mask that fits box and points best."""
        told: dict[str, Any] = {}
        if len(points.labels):
            told["input_points"] = self._places(points.places)[None, None]
            told["input_labels"] = self._torch.as_tensor(points.labels)[None, None]
        if box is not None:
            told["input_boxes"] = self._places(np.reshape(box, (2, 2))).reshape(1, 1, 4)
        # A single point may mean a part or the whole: three masks are offered for one to choose.
        several = box is None and len(points.labels) == 1
        logits, promised = self._ask(told, several)
        best: np.ndarray = logits[0, int(promised[0].argmax())]
        return best

    def by_itself(self, grid: int, progress: Progress) -> np.ndarray:
        """(h, w) logits of the largest central thing.

        Raises:
            NoForeground: no mask is stable.
        """
        places = sam_choice.grid(grid, self._size)
        best, score = None, 0.0
        for start in progress.track(range(0, len(places), _AT_ONCE), "asking for things"):
            batch = self._places(places[start : start + _AT_ONCE])[None, :, None]
            logits, _ = self._ask({"input_points": batch}, several=True)
            masks = self._in_picture(logits.reshape(-1, *logits.shape[-2:]))
            scores = sam_choice.scores(masks)
            if scores.max() > score:
                score = float(scores.max())
                best = logits.reshape(-1, *logits.shape[-2:])[int(scores.argmax())]
        if best is None:
            raise NoForeground(
                "SAM sees nothing in the middle that it could tell from its surroundings",
                "give a box around the subject, or points on it",
            )
        return best

    def enlarged(self, logits: np.ndarray) -> np.ndarray:
        """(H, W) float32 logits at the picture's pixels: the padding is cut off in between."""
        resize = self._torch.nn.functional.interpolate
        whole = self._torch.from_numpy(logits)[None, None]
        padded = resize(whole, self._rules.padded, mode="bilinear", align_corners=False)
        height, width = self._seen
        cut = padded[..., :height, :width]
        found = resize(cut, self._size, mode="bilinear", align_corners=False)[0, 0]
        values: np.ndarray = found.numpy()
        return values

    def _ask(self, told: dict[str, Any], several: bool) -> tuple[np.ndarray, np.ndarray]:
        """(P, M, h, w) logits and (P, M) promised overlap; M is three, or one."""
        placed = {name: value.to(self._network.device) for name, value in told.items()}
        found = self._network(image_embeddings=self._embedding, multimask_output=several, **placed)
        return found.pred_masks[0].float().cpu().numpy(), found.iou_scores[0].float().cpu().numpy()

    def _places(self, places: np.ndarray) -> Any:
        """Pixels of the picture as pixels of what the network sees."""
        (height, width), (seen_height, seen_width) = self._size, self._seen
        scale = np.array([seen_width / width, seen_height / height])
        return self._torch.from_numpy((np.asarray(places, np.float64) * scale).astype(np.float32))

    def _in_picture(self, logits: np.ndarray) -> np.ndarray:
        """The part of small masks that is not padding."""
        height, width = (
            max(1, round(side * have / padded))
            for side, have, padded in zip(
                self._seen, logits.shape[-2:], self._rules.padded, strict=True
            )
        )
        return logits[:, :height, :width]


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


def read_rules(folder: Path) -> Rules:
    """From the file beside the weights; what it leaves out is the library's default.

    Raises:
        BadFile: it asks for what is not done here.
    """
    told = pixel_values.read_preprocessor(folder)
    size = told.values.get("size", {"longest_edge": 1024})
    longest = size.get("longest_edge") if isinstance(size, Mapping) else None
    if type(longest) is not int or longest < 1:
        raise told.refusal(f"size is {size!r}")
    padded = told.sides((1024, 1024), "pad_size")
    if max(padded) < longest or not told.values.get("do_pad", True):
        raise told.refusal("its pictures are not padded to a square")
    how = told.normalisation(
        pixel_values.BILINEAR, pixel_values.IMAGENET_MEAN, pixel_values.IMAGENET_STD
    )
    return Rules(longest, padded, how)


def input_size(picture: tuple[int, int], longest: int) -> tuple[int, int]:
    """(height, width) that a picture of (height, width) is brought to; halves are rounded up."""
    scale = longest / max(picture)
    return max(1, int(picture[0] * scale + 0.5)), max(1, int(picture[1] * scale + 0.5))


def prepared(image: Image, rules: Rules) -> np.ndarray:
    """(1, 3, h, w) float32: resized, normalised, and filled up with zeros."""
    size = input_size((image.height, image.width), rules.longest)
    values = pixel_values.normalised(pixel_values.colors(image), size, rules.normalisation)
    whole = np.zeros((1, 3, *rules.padded), np.float32)
    whole[..., : size[0], : size[1]] = values
    return whole
