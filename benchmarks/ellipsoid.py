"""The plainest guess at a solid: the ellipsoid that a cut-out's moments belong to.

Owns the fit, for the scorer that ``quality.py`` drives: whoever learns shapes must not do worse.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

ROWS, COLUMNS = 64, 128  # of the ellipsoid's faces, from pole to pole and around


def ellipsoid(rgba: np.ndarray, field_of_view: float) -> dict[str, Any]:
    """What the scorer takes, in the frame of the picture's camera (OpenGL), at distance 1.

    The outline's ellipse has the mask's centre and second moments; half the depth is the geometric
    mean of its half axes. The picture's colours go through to the back.

    Args:
        rgba: (H, W, 4) uint8, straight alpha.
        field_of_view: vertical, degrees.
    """
    height, width = rgba.shape[:2]
    tangent = 2 * math.tan(math.radians(field_of_view) / 2) / height  # of a pixel
    row, column = np.nonzero(rgba[..., 3] > 127)
    x, y = (column + 0.5 - width / 2) * tangent, (height / 2 - row - 0.5) * tangent
    variances, axes = np.linalg.eigh(np.cov(x, y))
    half = 2 * np.sqrt(variances)  # an ellipse's variance along an axis is a quarter of its square
    points, faces = sphere()
    sides = points[:, :2] * half @ axes.T + (x.mean(), y.mean())
    depth = 1 - points[:, 2] * math.sqrt(half[0] * half[1])
    places = np.round(sides / tangent * (1, -1) + (width / 2 - 0.5, height / 2 - 0.5)).astype(int)
    places = places.clip(0, (width - 1, height - 1))
    filled = np.where(rgba[..., 3:] > 127, rgba[..., :3], rgba[row, column, :3].mean(axis=0))
    return {
        "vertices": np.column_stack((sides * depth[:, None], -depth)),
        "faces": faces,
        "colors": filled[places[:, 1], places[:, 0]] / 255,
        "frame": "camera",
    }


def sphere() -> tuple[np.ndarray, np.ndarray]:
    """(V, 3) float64 points at distance 1 and (F, 3) int64 faces seen counter-clockwise."""
    down = (np.arange(ROWS + 1) / ROWS * math.pi)[:, None]
    around = (np.arange(COLUMNS) / COLUMNS * 2 * math.pi)[None]
    points = np.stack(
        (np.sin(down) * np.cos(around), np.sin(down) * np.sin(around), np.cos(down) + 0 * around),
        axis=-1,
    )
    number = np.arange((ROWS + 1) * COLUMNS).reshape(ROWS + 1, COLUMNS)
    a, b = number[:-1], number[1:]
    c, d = np.roll(b, -1, axis=1), np.roll(a, -1, axis=1)
    upper, lower = np.stack((a, b, c), axis=-1), np.stack((a, c, d), axis=-1)
    return points.reshape(-1, 3), np.concatenate(
        (upper[:-1].reshape(-1, 3), lower[1:].reshape(-1, 3))
    )
