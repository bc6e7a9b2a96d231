"""The subject's depth on the grid of its crop, and the lines of sight of that grid.

Owns the choice that a disparity leaves open, and which camera is believed. Must not know points,
surfaces, or who estimated the depth.
"""

from __future__ import annotations

import numpy as np

from ..coords import Lens
from ..depth import conversion
from ..depth.subject import on_crop
from ..framing import Frame
from ..types import Depth, DepthKind, Image
from .relief import ReliefSettings

# Quantiles beyond which a disparity is cut off before its range is stretched: one wild pixel would
# flatten all others.
_CUT = 0.01
# Half a disparity's range, in units of the distance, at most: nothing comes near the eye.
_MOST_RANGE = 0.8


def intrinsics(depth: Depth, settings: ReliefSettings) -> np.ndarray:
    """(3, 3) float64 on the depth's own grid: of its camera, else of the field of view."""
    if depth.camera is not None:
        return depth.camera.K
    return Lens.from_field_of_view(settings.field_of_view, depth.width, depth.height).K


def sight(pixels: np.ndarray, K: np.ndarray) -> np.ndarray:
    """(N, 3) points of depth 1 behind (N, 2) pixels, whose centres are at .5."""
    homogeneous = np.column_stack([pixels, np.ones(len(pixels))])
    found: np.ndarray = homogeneous @ np.linalg.inv(K).T
    return found


def upright_away(elevation: float) -> np.ndarray:
    """(3,) unit, the horizontal direction away from a camera that looks down by ``elevation``."""
    angle = np.radians(elevation)
    return np.array([0.0, -np.sin(angle), np.cos(angle)])


def subject_width(solid: np.ndarray, K: np.ndarray) -> float:
    """The width at depth 1 of what is solid (H, W): the shorter side of the box around it."""
    columns, rows = (np.ptp(np.flatnonzero(solid.any(axis=axis))) + 1 for axis in (0, 1))
    return float(min(columns / K[0, 0], rows / K[1, 1]))


def subject_depth(depth: Depth, cutout: Image, crop: Frame, settings: ReliefSettings) -> Depth:
    """The subject's depth on the crop's grid; a disparity becomes RELATIVE depth.

    Args:
        depth: on the picture's grid, of any kind.
        cutout: the same picture, its background's alpha 0.
        crop: of the cut-out.
        settings: how deep the range of a disparity is taken to be.

    Returns:
        METRIC or RELATIVE, known where the subject is.

    Raises:
        InvalidData: of another size than the picture, equal all over the subject, or unknown there.
    """
    found = on_crop(depth, cutout, crop)
    conversion.check_varies(found)
    if found.kind is not DepthKind.DISPARITY:
        return found
    low, high = np.quantile(found.values[found.valid], [_CUT, 1 - _CUT])
    if low < high:
        found = Depth(np.clip(found.values, low, high), found.kind, found.camera, found.valid)
    width = subject_width(found.valid, intrinsics(found, settings))
    half = min(settings.depth_range * width / 2, _MOST_RANGE)
    return conversion.depth_between(found, 1 - half, 1 + half)
