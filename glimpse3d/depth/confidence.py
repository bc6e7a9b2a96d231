"""How far an estimator can be believed, pixel by pixel.

Owns the comparison of an estimate with those of the mirrored and the shifted picture: an
estimator that sees the shape gives the same depth for both. Must not know any estimator.
numpy only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import InvalidData
from ..types import Depth, Image
from . import alignment, conversion

Estimator = Callable[[Image], Depth]


@dataclass(frozen=True, slots=True)
class Consistency:
    """How an estimator is put to the test.

    Attributes:
        mirrored: whether the mirrored picture is among the tests.
        shift: pixels by which the picture is moved left, right, up and down; 0 is not at all.
        tolerance: deviation, as a part of the spread of the depth, that halves the confidence.
    """

    mirrored: bool = True
    shift: int = 16
    tolerance: float = 0.02


_DEFAULT = Consistency()


@dataclass(frozen=True, slots=True, eq=False)
class Confidence:
    """An estimate, and how far it can be believed.

    Attributes:
        depth: the estimate of the picture as it is.
        values: (H, W) float32, 0..1; 0 where the depth is not known.
        deviation: (H, W) float32, of the tests from the estimate, as a part of its spread.
    """

    depth: Depth
    values: np.ndarray
    deviation: np.ndarray


def confidence(estimate: Estimator, image: Image, how: Consistency = _DEFAULT) -> Confidence:
    """Estimate a picture, and again mirrored and shifted, and compare.

    Scale and shift may differ from one estimate to the next, as those of a disparity do: each is
    fitted to the first before it is compared.

    Raises:
        InvalidData: no test is asked for, the shift is more than a quarter of the picture, the
            estimate is of another size than the picture, or equal everywhere.
    """
    if not how.mirrored and not how.shift:
        raise InvalidData("no test is left to compare with", "allow mirroring or a shift")
    if how.shift > min(image.width, image.height) // 4:
        raise InvalidData(f"a shift of {how.shift} pixels is too much for this picture")
    first = _checked(estimate(image), image)
    spread = _spread(first)
    squares, count = np.zeros(first.values.shape), np.zeros(first.values.shape)
    for values, known in _tests(estimate, image, how):
        known = known & first.valid
        fitted = _fitted(values, first.values, known)
        squares += np.where(known, ((fitted - first.values) / spread) ** 2, 0)
        count += known
    deviation = np.sqrt(squares / np.maximum(count, 1))
    believed = 0.5 ** (deviation / how.tolerance) * first.valid * (count > 0)
    return Confidence(first, believed.astype(np.float32), deviation.astype(np.float32))


def _checked(depth: Depth, image: Image) -> Depth:
    conversion.check_fits(depth, image)
    conversion.check_varies(depth)
    return depth


def _spread(depth: Depth) -> float:
    low, high = np.quantile(depth.values[depth.valid], [0.02, 0.98])
    return float(high - low) or float(np.ptp(depth.values[depth.valid]))


def _tests(
    estimate: Estimator, image: Image, how: Consistency
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(values, known) of every test, each pixel back in its place."""
    found = []
    if how.mirrored:
        mirrored = _checked(estimate(Image(image.rgba[:, ::-1])), image)
        found.append((mirrored.values[:, ::-1], mirrored.valid[:, ::-1]))
    if how.shift:
        for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            found.append(_shifted(estimate, image, down * how.shift, right * how.shift))
    return found


def _shifted(
    estimate: Estimator, image: Image, down: int, right: int
) -> tuple[np.ndarray, np.ndarray]:
    """The estimate of the picture moved by whole pixels, its edge repeated, moved back."""
    rows = np.clip(np.arange(image.height) - down, 0, image.height - 1)
    columns = np.clip(np.arange(image.width) - right, 0, image.width - 1)
    moved = _checked(estimate(Image(image.rgba[rows][:, columns])), image)
    back_rows, back_columns = np.arange(image.height) + down, np.arange(image.width) + right
    inside = ((back_rows >= 0) & (back_rows < image.height))[:, None] & (
        (back_columns >= 0) & (back_columns < image.width)
    )[None, :]
    rows = np.clip(back_rows, 0, image.height - 1)
    columns = np.clip(back_columns, 0, image.width - 1)
    return moved.values[rows][:, columns], moved.valid[rows][:, columns] & inside


def _fitted(values: np.ndarray, onto: np.ndarray, known: np.ndarray) -> np.ndarray:
    """``values`` with scale and shift carried onto ``onto``, both of one kind."""
    scale, shift = alignment.robust_line(
        values[known].astype(np.float64), onto[known].astype(np.float64)
    )[:2]
    return scale * values.astype(np.float64) + shift
