"""The silhouette as a coarse grid can hold it.

Owns how fine a grid it gets, and what becomes of parts thinner than a cell: they are widened to one
instead of being lost.
Must not know fields or meshes.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from .distance import distance_inside
from .framing import FOREGROUND_RATIO, Frame, frame, subject_box
from .types import Image

# Parts of fewer grid cells across than this would break up in the grid.
_THINNEST = 1.3
# Grid cells for slim subjects, at most this many times those of a square one.
_MOST_FINER = 3


def cells_along(cutout: Image, asked: int) -> int:
    """More grid cells for slim subjects: they fill less of the grid, and need more across.

    Raises:
        NoForeground: the cut-out is empty.
    """
    left, top, right, bottom = subject_box(cutout)
    sides = sorted((right - left, bottom - top))
    return round(asked * min(np.sqrt(sides[1] / sides[0]), _MOST_FINER))


def crop(cutout: Image, resolution: int) -> Frame:
    """As ``framing.frame``, but parts too thin for the crop's pixels are widened first.

    Raises:
        NoForeground: the cut-out is empty.
    """
    left, top, right, bottom = subject_box(cutout)
    cell = max(right - left, bottom - top) / FOREGROUND_RATIO / resolution
    half = _THINNEST * cell / 2
    if half <= 0.5:
        return frame(cutout, resolution)
    pad = int(np.ceil(half)) + 2
    part = np.pad(cutout.rgba[top:bottom, left:right], ((pad, pad), (pad, pad), (0, 0)))
    part[..., 3] = _widen(part[..., 3], thin_parts(part[..., 3] >= 128, half), half)
    found = frame(Image(part), resolution)
    return replace(
        found,
        left=found.left + left - pad,
        top=found.top + top - pad,
        width=cutout.width,
        height=cutout.height,
    )


def thin_parts(solid: np.ndarray, half: float) -> np.ndarray:
    """(H, W) bool: what a disk of radius ``half`` does not reach from inside, corners left out.

    A corner's tip, too, is out of the disk's reach, but it stays near to where the disk comes; a
    thin part leads away.
    """
    reach = half + 0.5  # distances go from a pixel's middle to that of the nearest one outside
    core = distance_inside(solid) > reach
    opened = distance_inside(~core) <= reach
    rest = solid & ~opened
    count, labels = cv2.connectedComponents(rest.astype(np.uint8), connectivity=8)
    far = np.zeros(count, bool)
    far[np.unique(labels[rest & (distance_inside(~opened) > reach + 1)])] = True
    far[0] = False
    return far[labels]


def _widen(alpha: np.ndarray, thin: np.ndarray, half: float) -> np.ndarray:
    """Alpha 255 within ``half`` of the middle of thin parts."""
    if not thin.any():
        return alpha
    middle = thin & (
        distance_inside(thin) >= cv2.dilate(distance_inside(thin), np.ones((3, 3))) - 0.01
    )
    return np.where(distance_inside(~middle) < half + 0.5, np.uint8(255), alpha)
