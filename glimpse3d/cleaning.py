"""From a raw surface to one worth having: no floaters, smooth, as many faces as asked for.

Owns the order of those steps and the smoothing. A closed manifold stays one. Must not know
colours, textures or who made the surface.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from . import isosurface
from .progress import Progress
from .simplify import simplify

# Taubin's pair of steps (1995): in, then out by a little more; it smooths without shrinking.
_INWARD = 0.5
_OUTWARD = -0.53


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What to do with a surface.

    Attributes:
        floaters: pieces smaller than this part of the largest one's volume go; 0 keeps all.
        largest_only: all pieces but the largest go.
        smoothing: passes; 0 leaves the surface as it is.
        faces: at most; 0 keeps all.
    """

    floaters: float = 0.0
    largest_only: bool = False
    smoothing: int = 0
    faces: int = 0


def clean(
    vertices: np.ndarray, faces: np.ndarray, wanted: Cleaning, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """Drop floaters, smooth, simplify.

    Args:
        vertices: (V, 3), any unit.
        faces: (F, 3), a closed manifold.
        wanted: what to do.
        progress: told of each step.

    Returns:
        (V', 3) float64 and (F', 3) int64, no face without area.
    """
    progress(0.0, "dropping floaters")
    most = 1 if wanted.largest_only else len(faces)
    vertices, faces = isosurface.drop_debris(
        np.asarray(vertices, np.float64), np.asarray(faces, np.int64), wanted.floaters, most
    )
    progress(0.2, "smoothing")
    vertices = smooth(vertices, faces, wanted.smoothing)
    progress(0.4, "simplifying")
    vertices, faces = simplify(vertices, faces, wanted.faces)
    progress(1.0)
    return vertices, faces


def smooth(vertices: np.ndarray, faces: np.ndarray, passes: int) -> np.ndarray:
    """(V, 3) float64: each vertex moved towards its neighbours and back out, ``passes`` times.

    Steps of marching cubes go; volume stays to a few thousandths.
    """
    count = len(vertices)
    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    links = scipy.sparse.coo_matrix((np.ones(len(start)), (start, end)), (count, count)).tocsr()
    links = ((links + links.T) > 0).astype(np.float64)
    weights = scipy.sparse.diags(1 / np.maximum(links.sum(axis=1).A1, 1)) @ links
    points = np.asarray(vertices, np.float64)
    for _ in range(passes):
        for step in (_INWARD, _OUTWARD):
            points = points + step * (weights @ points - points)
    return points
