"""Pictures as networks take them: resized, scaled, normalised.

Owns the arithmetic that the processors of the transformers library do before a network, and the
reading of their files. Must not know any network. Light: numpy and pillow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from .errors import BadFile
from .types import Image

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
BILINEAR, BICUBIC = int(PIL.Image.Resampling.BILINEAR), int(PIL.Image.Resampling.BICUBIC)


@dataclass(frozen=True, slots=True)
class Normalisation:
    """What is done with a picture's 8-bit values.

    Attributes:
        resample: pillow's number of the filter for resizing.
        mean, std: of each channel, after division by 255.
    """

    resample: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Preprocessor:
    """A model's ``preprocessor_config.json``."""

    path: Path
    values: Mapping[str, Any]

    def normalisation(
        self, resample: int, mean: Sequence[float], std: Sequence[float], normalised: bool = True
    ) -> Normalisation:
        """As the file says; the arguments are its model's, where it says nothing.

        Raises:
            BadFile: an entry is of no use.
        """
        if not self.values.get("do_normalize", normalised):
            mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        else:
            mean = self._three("image_mean", mean)
            std = self._three("image_std", std)
        if min(std) <= 0:
            raise self.refusal(f"image_std is {std}")
        factor = self.values.get("rescale_factor", 1 / 255)
        if not self.values.get("do_rescale", True) or abs(factor * 255 - 1) > 1e-6:
            raise self.refusal("its pictures are not scaled to 0..1")
        if not self.values.get("do_resize", True):
            raise self.refusal("its pictures are not resized")
        return Normalisation(self.count("resample", resample, low=0), tuple(mean), tuple(std))

    def sides(self, default: tuple[int, int], name: str = "size") -> tuple[int, int]:
        """(height, width) from a number, or from ``{"height": .., "width": ..}``.

        Raises:
            BadFile: neither of both.
        """
        found = self.values.get(name, {"height": default[0], "width": default[1]})
        if type(found) is int and found > 0:
            return found, found
        if isinstance(found, Mapping):
            height, width = found.get("height"), found.get("width")
            if type(height) is int and type(width) is int and min(height, width) > 0:
                return height, width
        raise self.refusal(f"{name} is {found!r}")

    def count(self, name: str, default: int, low: int = 1) -> int:
        """A whole number.

        Raises:
            BadFile: it is none, or too small.
        """
        found = self.values.get(name, default)
        if type(found) is not int or found < low:
            raise self.refusal(f"{name} is {found!r}")
        return found

    def _three(self, name: str, default: Sequence[float]) -> tuple[float, ...]:
        found = self.values.get(name, default)
        if not isinstance(found, Sequence) or len(found) != 3:
            raise self.refusal(f"{name} is {found!r}")
        if not all(isinstance(each, int | float) for each in found):
            raise self.refusal(f"{name} is {found!r}")
        return tuple(float(each) for each in found)

    def refusal(self, why: str) -> BadFile:
        """What to raise where the file asks for something that is not done here."""
        return BadFile(f"{self.path}: {why}", "name a folder of the right model")


def read_preprocessor(folder: Path) -> Preprocessor:
    """What lies beside a model's weights.

    Raises:
        BadFile: it is not there, or no JSON.
    """
    path = folder / "preprocessor_config.json"
    return Preprocessor(path, read_json(path))


def read_json(path: Path) -> dict[str, Any]:
    """An object from a file.

    Raises:
        BadFile: missing, damaged, or something else.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadFile(f"{path} cannot be read: {error}", "fetch the weights again") from error
    if not isinstance(found, dict):
        raise BadFile(f"{path} holds no object", "fetch the weights again")
    return found


def normalised(rgb: np.ndarray, size: tuple[int, int], how: Normalisation) -> np.ndarray:
    """(1, 3, h, w) float32 from (H, W, 3) uint8; ``size`` is (h, w)."""
    height, width = size
    picture = PIL.Image.fromarray(np.ascontiguousarray(rgb))
    if picture.size != (width, height):
        picture = picture.resize((width, height), PIL.Image.Resampling(how.resample))
    scaled = np.asarray(picture, np.float32) * np.float32(1 / 255)
    values = (scaled - np.asarray(how.mean, np.float32)) / np.asarray(how.std, np.float32)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def colors(image: Image) -> np.ndarray:
    """(H, W, 3) uint8: the colours as they are stored, also under transparent pixels."""
    return image.rgba[..., :3]


def over_white(image: Image) -> np.ndarray:
    """(H, W, 3) uint8: as the picture looks on a white page."""
    alpha = image.rgba[..., 3:].astype(np.float32) / 255
    return np.rint(image.rgba[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
