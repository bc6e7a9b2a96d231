"""Inflation: the union of the balls that fit into a silhouette, centred on the upright plane.

Owns the medial field. Must not know pictures or meshes.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numba
import numpy as np

from ..distance import distance_inside
from .frustum import Block

# Standard deviation in pixels of the blur that evens out the creases between neighbouring balls.
_BLUR = 1.0
# Likewise for the depth of their middles.
_MIDDLE_BLUR = 3.0
# Pixels of the silhouette, at its outline, that the balls need not reach. Farther away, in a corner
# or a tip, there would be nothing without a sheet of the least thickness.
_NEAR = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Balls:
    """What every ray meets of the ball that is thickest there; all (H, W) float64, pixels.

    Depths are those over the upright plane's, so that a pixel is the same everywhere.

    Attributes:
        middle: depth of the middle of the ray's way through the ball, beyond the upright plane.
        square: squared half length of that way before the balls are flattened. Beyond the
            silhouette it goes on, for it to be cut out of the balls.
        radius: of the ball.
        thickness: depth over width that the balls are given.
    """

    middle: np.ndarray
    square: np.ndarray
    radius: np.ndarray
    thickness: float

    @property
    def reach(self) -> tuple[float, float]:
        """The least and the greatest depth."""
        half = np.sqrt(np.maximum(self.square, 0)) * self.thickness
        return float((self.middle - half).min()), float((self.middle + half).max())


@numba.njit(cache=True, nogil=True)
def _reach_rows(squares, best, source):  # type: ignore[no-untyped-def]
    """best[y, x] = max over x' of squares[y, x'] - (x - x')^2, and which x' that was."""
    height, width = squares.shape
    for y in range(height):
        for other in range(width):
            square = squares[y, other]
            if square <= 0.0:
                continue
            for x in range(width):
                value = square - (x - other) * (x - other)
                if value > best[y, x]:
                    best[y, x] = value
                    source[y, x] = other


def thickest(distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the balls of radius ``distance`` around every pixel, the one that is thickest at each.

    Args:
        distance: (H, W) float, pixels, to the outside; 0 and less is outside.

    Returns:
        (H, W) int64 rows and (H, W) int64 columns of its middle. The maximum over a paraboloid is
        separable.
    """
    squares = np.where(distance > 0, distance.astype(np.float64) ** 2, 0.0)
    far = -(float(sum(distance.shape)) ** 2)
    along, column = np.full(squares.shape, far), np.zeros(squares.shape, np.int64)
    _reach_rows(squares, along, column)
    # The second pass has to reach from negative values as well: shift them up.
    both, row = np.full(squares.shape[::-1], far), np.zeros(squares.shape[::-1], np.int64)
    _reach_rows(np.ascontiguousarray(along.T) - far, both, row)
    return row.T, column[row.T, np.arange(squares.shape[1])[None]]


def half_thickness(solid: np.ndarray) -> np.ndarray:
    """(H, W) float32 pixels: half of what each ray meets of the thickest ball in ``solid``.

    Args:
        solid: (H, W) bool; rays are parallel, balls lie in the picture's plane.
    """
    distance = distance_inside(solid)
    row, column = thickest(distance)
    y, x = np.indices(solid.shape)
    square = distance[row, column].astype(np.float64) ** 2 - (y - row) ** 2 - (x - column) ** 2
    return np.sqrt(np.maximum(square, 0) * solid).astype(np.float32)


def balls(block: Block, thickness: float, least: float) -> Balls:
    """The balls whose outlines fit into the silhouette.

    Args:
        block: its silhouette and its rays.
        thickness: depth over width: flattened along the ground, balls stay near the plane.
        least: half length that every way has at least before that, pixels.
    """
    inside = block.alpha >= 0.5
    distance = distance_inside(inside) - 0.5
    row, column = thickest(distance)
    frustum, x, y = block.frustum, block.x[0], block.y[0]
    plane = frustum.plane_depths(y)
    middle_x, middle_y = x[0, column], y[row, 0]
    depth = frustum.plane_depths(middle_y)
    # Of a ball, the outline is that of the cone around it.
    sine = np.sin(np.arctan(distance[row, column] * frustum.pixel))
    radius = depth * sine
    length = x**2 + y**2 + 1
    foot = depth * (middle_x * x + middle_y * y + 1) / length
    from_ray = depth**2 * (middle_x**2 + middle_y**2 + 1) - foot**2 * length
    pixel = frustum.pixel * plane
    square = (radius**2 - from_ray) / length / pixel**2
    middle = (foot / plane - 1) / frustum.pixel * _leaning(frustum.elevation, thickness)
    # At the outline many balls are all but equally thick: which one it is jumps from pixel to
    # pixel, and their depths with it. Farther inside it is plain.
    weight = np.maximum(square, 0) * inside + 1e-9
    middle = _blurred(middle, weight, _MIDDLE_BLUR)
    # Blurred across the outline, beyond which it falls below 0: the surface closes there. Of a
    # limb's circular section that takes the variance away.
    square = cv2.GaussianBlur(square, (0, 0), _BLUR) + _BLUR**2
    lost = inside & (distance_inside(square <= 0) > _NEAR)
    square = np.where(lost | (square > least**2), np.maximum(square, least**2), square)
    radius = np.maximum(radius / pixel, np.sqrt(np.maximum(square, 0)))
    return Balls(middle, square, radius, thickness)


def _leaning(elevation: float, thickness: float) -> float:
    """How far the middles of a flattened ball's sections leave the upright plane; a ball's 1."""
    up, away = np.sin(np.radians(elevation)), np.cos(np.radians(elevation))
    return float(1 / (up**2 + (away / thickness) ** 2))


def _blurred(values: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    sums = (cv2.GaussianBlur(part, (0, 0), sigma) for part in (values * weight, weight))
    mean: np.ndarray = np.divide(*sums)
    return mean


def field(block: Block, found: Balls) -> np.ndarray:
    """(D, H, W) float32 distance to the balls before they are flattened, pixels; negative inside.

    So that it is as steep at a badge's outline as at a ball's, and is cut there as well.
    """
    offset = (block.factors - 1) / block.frustum.pixel
    offset = ((offset - found.middle) / found.thickness).astype(np.float32)
    rest = (found.radius**2 - found.square).astype(np.float32)
    return np.sqrt(offset**2 + rest) - found.radius.astype(np.float32)
