"""The grid that the network predicts on: the input camera's own frustum, cut into cells.

Owns its sizes and the mapping between cells, rays and depths; the product reads the same numbers
from the exported file. Must not know shapes, pictures or the network.

Depth is measured along the camera's axis in units of the object's centroid depth, which is 1.
Cells keep their proportions at every field of view: the grid is as deep as 1.65 frames are wide.
"""

from __future__ import annotations

import math

import numpy as np

IMAGE = 128  # pixels of the square input picture
GRID = 64  # rays a side of the predicted grid, and pixels of the back's colour
BINS = 80  # cells along a ray
FIELD_OF_VIEW = 40.0  # degrees, vertical, where nothing better is known
DEPTH_PER_TANGENT = 1.65  # half of the grid's depth over the tangent of half the field of view
FILL = 0.85  # longest side of the subject's box over the picture's side


def half_tangent(field_of_view: float) -> float:
    """Half the frame's width at depth 1, for a square picture; degrees in."""
    return math.tan(math.radians(field_of_view) / 2)


def depth_range(field_of_view: float) -> tuple[float, float]:
    """The nearest and the farthest depth of the grid."""
    half = DEPTH_PER_TANGENT * half_tangent(field_of_view)
    return 1 - half, 1 + half


def bin_depths(field_of_view: float) -> np.ndarray:
    """(BINS,) float64, depths of the cells' centres, near to far."""
    near, far = depth_range(field_of_view)
    return near + (np.arange(BINS) + 0.5) * (far - near) / BINS


def ray_slopes(size: int, field_of_view: float) -> np.ndarray:
    """(size,) float64, x / depth of a row's pixel centres, left to right; y alike, downwards."""
    return ((np.arange(size) + 0.5) / size * 2 - 1) * half_tangent(field_of_view)
