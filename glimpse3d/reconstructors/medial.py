"""Inflation: the union of the balls that fit into a silhouette, centred on the upright plane.

Owns the medial field. Must not know pictures or meshes.
"""

from __future__ import annotations

import cv2
import numba
import numpy as np

from ..distance import distance_inside
from .frustum import Block

# Standard deviation in pixels of the blur that evens out the creases between neighbouring balls.
_BLUR = 1.0


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


def ball_heights(distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The union of the balls of radius ``distance`` around every pixel.

    Args:
        distance: (H, W) float, pixels, to the outside; 0 and less is outside.

    Returns:
        (H, W) float64 squared half thickness, negative beyond the balls, and (H, W) float64 radius
        of the ball that is thickest there. The maximum over a paraboloid is separable.
    """
    squares = np.where(distance > 0, distance.astype(np.float64) ** 2, 0.0)
    far = -(float(sum(distance.shape)) ** 2)
    along, column = np.full(squares.shape, far), np.zeros(squares.shape, np.int64)
    _reach_rows(squares, along, column)
    # The second pass has to reach from negative values as well: shift them up, and back.
    both, row = np.full(squares.shape[::-1], far), np.zeros(squares.shape[::-1], np.int64)
    _reach_rows(np.ascontiguousarray(along.T) - far, both, row)
    x = np.arange(squares.shape[1])[None]
    radius = distance[row.T, column[row.T, x]]
    return both.T + far, np.maximum(radius, 0.0)


def half_thickness(alpha: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """How far a silhouette's balls reach, anywhere at least ``least``.

    Returns:
        (H, W) float64 squared half thickness, pixels, and (H, W) float64 radius of the ball that
        reaches farthest there. Beyond the silhouette they go on, for it to be cut out of them.
    """
    inside = (alpha >= 0.5).astype(np.uint8)
    distance = distance_inside(inside > 0)
    square, radius = ball_heights(distance - 0.5)
    weight = cv2.GaussianBlur(inside.astype(np.float64), (0, 0), _BLUR)
    blurred = cv2.GaussianBlur(np.maximum(square, 0) * inside, (0, 0), _BLUR)
    square = np.divide(blurred, weight, out=np.zeros_like(square), where=weight > 1e-3)
    square = np.maximum(square, least**2)
    return square, np.maximum(radius, np.sqrt(square))


def field(block: Block, square: np.ndarray, radius: np.ndarray, thickness: float) -> np.ndarray:
    """(D, H, W) float32 distance to the balls in pixels, negative inside."""
    offset = ((block.factors - 1) / (thickness * block.frustum.pixel)).astype(np.float32)
    rest = (radius**2 - square).astype(np.float32)
    return np.sqrt(offset**2 + rest) - radius.astype(np.float32)
