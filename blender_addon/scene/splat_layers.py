"""How many splats of a cloud a viewport can draw in reasonable time: nearly always all of them.

Owns that estimate, made on a sample. numpy only; must not know Blender. Where a program stored
metres as if they were logarithms, every splat of a small object fills the viewport: minutes a
frame, or a driver that gives up and takes Blender along. Behind a thousand layers nothing is seen,
so the farthest splats are left out then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._vendor.glimpse3d.types import GaussianCloud

MOST_LAYERS = 1000
_SAMPLE = 4096
# Where an opaque splat has faded below what eight bits can tell, in standard deviations.
_REACH = 3.33
_NEAREST = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Some splats of a cloud, evenly out of its order.

    Attributes:
        means: (m, 3).
        reaches: (m, 2), how far the ellipse reaches from its middle at most: along, across.
        count: splats of the cloud.
    """

    means: np.ndarray
    reaches: np.ndarray
    count: int


def sample(cloud: GaussianCloud, count: int) -> Sample:
    """Of the first ``count`` splats."""
    rows = slice(0, count, max(1, count // _SAMPLE))
    spread = np.sort(cloud.scales[rows], axis=1).astype(np.float64)
    return Sample(cloud.means[rows].astype(np.float64), _REACH * spread[:, :0:-1], count)


def nearest(
    chosen: Sample, camera_from_object: np.ndarray, clip_from_camera: np.ndarray, size: np.ndarray
) -> int:
    """How many splats, counted from the nearest, fill a picture of ``size`` pixels so many times.

    Args:
        chosen: of the cloud.
        camera_from_object: (4, 4), as it multiplies columns.
        clip_from_camera: (4, 4).
        size: (2,) width and height of the picture, pixels.
    """
    if not len(chosen.means):
        return chosen.count
    linear = camera_from_object[:3, :3]
    x, y, z = linear @ chosen.means.T + camera_from_object[:3, 3:]
    perspective = clip_from_camera[3, 3] == 0
    away = np.maximum(-z, _NEAREST) if perspective else np.ones_like(z)
    focal = size / 2 * (clip_from_camera[0, 0], clip_from_camera[1, 1])
    stretch = np.cbrt(abs(np.linalg.det(linear))) * focal.max() / away
    along, across = chosen.reaches.T * stretch
    left, up = np.abs([x, y] * focal[:, None] / away)
    seen = (left < size[0] / 2 + along) & (up < size[1] / 2 + along)
    seen &= np.abs(clip_from_camera[2, 2] * z + clip_from_camera[2, 3]) <= away
    side = float(np.hypot(*size))
    filled = np.minimum(2 * along, side) * np.minimum(2 * across, side)
    layers = np.minimum(filled / (size[0] * size[1]), 1) * seen * (chosen.count / len(z))
    total = np.cumsum(layers[np.argsort(-z)])
    if total[-1] <= MOST_LAYERS:
        return chosen.count
    share = np.searchsorted(total, MOST_LAYERS) / len(z)
    return max(1, int(share * chosen.count))
