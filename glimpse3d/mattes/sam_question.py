"""One picture as Segment Anything sees it, and the masks it answers with.

Owns how a picture is prepared, where its pixels are for the network, and the way of a mask back
to them. Must not know settings or prompts of the project. Heavy: imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .. import pixel_values
from ..errors import NoForeground
from ..pixel_values import Normalisation
from ..types import Image
from . import sam_choice
from .sam_choice import Points

if TYPE_CHECKING:
    from ..progress import Progress

_AT_ONCE = 64  # points asked in one pass; each gives three masks


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


class Question:
    """One picture, encoded once and asked about as often as one likes."""

    def __init__(self, network: Any, rules: Rules, image: Image) -> None:
        self._network, self._rules = network, rules
        self._size = image.height, image.width
        self._seen = input_size(self._size, rules.longest)
        given = prepared(image, rules)
        encoder = network.vision_encoder
        pixels = torch.from_numpy(given).to(encoder.device, encoder.dtype)
        self._embedding = network.get_image_embeddings(pixels).float()

    def by_prompt(self, points: Points, box: tuple[float, ...] | None) -> np.ndarray:
        """(h, w) logits of the one mask that fits box and points best."""
        told: dict[str, Any] = {}
        if len(points.labels):
            told["input_points"] = self._places(points.places)[None, None]
            told["input_labels"] = torch.as_tensor(points.labels)[None, None]
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
        resize = torch.nn.functional.interpolate
        whole = torch.from_numpy(logits)[None, None]
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
        return torch.from_numpy((np.asarray(places, np.float64) * scale).astype(np.float32))

    def _in_picture(self, logits: np.ndarray) -> np.ndarray:
        """The part of small masks that is not padding."""
        height, width = (
            max(1, round(side * have / padded))
            for side, have, padded in zip(
                self._seen, logits.shape[-2:], self._rules.padded, strict=True
            )
        )
        return logits[:, :height, :width]


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
