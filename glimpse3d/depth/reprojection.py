"""What one view sees, as other views see it.

Owns carrying a view's pixels into another camera and reading the other's depth there. Must not
know what the comparison is for. numpy only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..coords import project
from ..types import Camera


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Values of another view at given pixels.

    Attributes:
        values: (N,) float64, 0 where not ``known``.
        known: (N,) bool: inside the picture, and all four pixels around are valid.
    """

    values: np.ndarray
    known: np.ndarray


def rays(camera: Camera, pixels: np.ndarray) -> np.ndarray:
    """(N, 3) float64 world directions of (N, 2) pixels; a step of 1 is 1 along the camera's z."""
    ahead = np.concatenate([pixels, np.ones((len(pixels), 1))], axis=1)
    return ahead @ np.linalg.inv(camera.K).T @ camera.camera_from_world[:3, :3]


def seen_by(camera: Camera, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) pixels and (N,) z of world points; behind the camera the pixels are NaN."""
    pixels, z = project(camera, points)
    return np.where((z > 0)[:, None], pixels, np.nan), z


def without_rims(values: np.ndarray, valid: np.ndarray, step: np.ndarray | float) -> np.ndarray:
    """(H, W) bool: ``valid``, less both pixels of any two neighbours that differ by ``step``.

    Two surfaces meet there, and between them nothing can be read.
    """
    kept = np.array(valid)
    limit = np.broadcast_to(step, values.shape)
    for one, other in (
        ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
        ((slice(1, None), slice(None)), (slice(None, -1), slice(None))),
    ):
        smaller = np.minimum(limit[one], limit[other])
        torn = valid[one] & valid[other] & (np.abs(values[one] - values[other]) > smaller)
        kept[one] &= ~torn
        kept[other] &= ~torn
    return kept


def sample(values: np.ndarray, valid: np.ndarray, pixels: np.ndarray) -> Samples:
    """Bilinear values of an (H, W) map at (N, 2) pixels; the outer half pixel is clamped."""
    height, width = values.shape
    x, y = pixels[:, 0], pixels[:, 1]
    inside = (x >= 0) & (x <= width) & (y >= 0) & (y <= height)  # NaN is not
    at = np.where(inside[:, None], pixels, 0.5) - 0.5
    x, y = np.clip(at[:, 0], 0, width - 1), np.clip(at[:, 1], 0, height - 1)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    u, v = x - left, y - top
    corners = (
        (top, left, (1 - u) * (1 - v)),
        (top, right, u * (1 - v)),
        (bottom, left, (1 - u) * v),
        (bottom, right, u * v),
    )
    around = np.stack([valid[row, column] for row, column, _ in corners])
    told = np.stack([values[row, column].astype(np.float64) for row, column, _ in corners])
    known = inside & around.all(axis=0)
    found = (told * np.stack([part for _, _, part in corners])).sum(axis=0)
    return Samples(np.where(known, found, 0.0), known)
