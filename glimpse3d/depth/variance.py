"""How far views disagree about where a surface lies.

Owns the variance between what several views say of one pixel, by reprojection with real cameras.
Must not know who estimated the depths. numpy only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InvalidData
from ..types import Depth, DepthKind
from . import conversion
from .reprojection import rays, sample, seen_by, without_rims


@dataclass(frozen=True, slots=True, eq=False)
class DepthVariance:
    """What the views say of one view's pixels.

    Attributes:
        variance: (H, W) float64, squared metres along the view's axis; 0 with one opinion.
        opinions: (H, W) int, views that say something of the pixel, its own included; 0 where
            the view itself knows nothing.
    """

    variance: np.ndarray
    opinions: np.ndarray

    @property
    def mean(self) -> float:
        """Over all pixels with two opinions or more, squared metres; NaN if there are none."""
        shared = self.opinions >= 2
        return float(self.variance[shared].mean()) if shared.any() else float("nan")


def depth_variance(depths: Sequence[Depth], hidden: float = 0.05) -> list[DepthVariance]:
    """For every view, the variance of the distances that all views give its pixels.

    A pixel is put into space by its own depth and looked up in each other view. The surface that
    the other sees there, carried back, is its opinion. Where the point lies behind that surface
    by more than ``hidden`` it is covered and the other says nothing; where it lies in front, the
    other looks through it, and that counts in full.

    Args:
        depths: METRIC, or RELATIVE in one common unit, each with its camera.
        hidden: part of the distance from the other view; steps beyond it between neighbouring
            pixels are rims, and nothing is read between those either.

    Raises:
        InvalidData: fewer than two views, a disparity, mixed kinds, or a view without a camera.
    """
    if len(depths) < 2:
        raise InvalidData(f"{len(depths)} view cannot disagree with others", "give two or more")
    for each in depths:
        conversion.check_kind(each, DepthKind.METRIC, DepthKind.RELATIVE)
        if each.kind != depths[0].kind:
            raise InvalidData("some depths are metric and others relative", "align them first")
        if each.camera is None:
            raise InvalidData("a view has no camera", "reprojection needs the camera of each")
    return [
        _variance(one, [other for other in depths if other is not one], hidden) for one in depths
    ]


def _variance(one: Depth, others: Sequence[Depth], hidden: float) -> DepthVariance:
    rows, columns = np.nonzero(one.valid)
    pixels = np.stack([columns, rows], axis=1) + 0.5
    own = one.z[one.valid].astype(np.float64)
    count, total, squares = np.ones(len(own)), np.zeros(len(own)), np.zeros(len(own))
    for other in others:
        told, said = _opinion(one, other, pixels, own, hidden)
        apart = np.where(said, told - own, 0.0)  # from the own value: small numbers stay exact
        count += said
        total += apart
        squares += apart**2
    variance = np.maximum(squares / count - (total / count) ** 2, 0)
    found, opinions = np.zeros(one.valid.shape), np.zeros(one.valid.shape, int)
    found[one.valid], opinions[one.valid] = variance, count
    return DepthVariance(found, opinions)


def _opinion(
    one: Depth, other: Depth, pixels: np.ndarray, own: np.ndarray, hidden: float
) -> tuple[np.ndarray, np.ndarray]:
    """(N,) the distances along ``one``'s axis that ``other`` gives, and (N,) whether it does."""
    assert one.camera is not None and other.camera is not None
    points = one.camera.position + rays(one.camera, pixels) * own[:, None]
    at, z = seen_by(other.camera, points)
    seen = sample(other.z, without_rims(other.z, other.valid, hidden * other.z), at)
    said = seen.known & (z > 0) & (z <= seen.values * (1 + hidden))
    there = np.where(said[:, None], at, 0.0)
    surface = other.camera.position + rays(other.camera, there) * seen.values[:, None]
    return seen_by(one.camera, surface)[1], said
