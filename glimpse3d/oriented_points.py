"""Points of a surface: which way it faces there, and how much of it each of them stands for.

Owns the statistics of nearest neighbours. Must not know where points came from, nor what is built
on them. Positions are in any unit; answers are in the same.
"""

from __future__ import annotations

import numpy as np
import scipy.spatial

from .errors import InvalidData

# Neighbours that a plane is fitted to, the point itself among them.
NEIGHBOURS = 20
# Neighbours, the point itself among them, whose disc tells how densely a surface is covered.
_FOR_AREA = 10


def normals(points: np.ndarray, toward: np.ndarray, neighbours: int = NEIGHBOURS) -> np.ndarray:
    """(N, 3) float64 unit normals of the planes that fit the points' neighbours best.

    Args:
        points: (N, 3).
        toward: (3,), or (N, 3) for one a point: normals face it, as a surface faces the eye that
            sees it.
        neighbours: how many points a plane is fitted to.

    Raises:
        InvalidData: too few points.
    """
    _, index = _nearest(points, neighbours)
    around = points[index] - points[index].mean(axis=1, keepdims=True)
    # The eigenvector of the smallest eigenvalue of the covariance (Hoppe et al. 1992).
    _, axes = np.linalg.eigh(np.einsum("nki,nkj->nij", around, around))
    found = axes[:, :, 0]
    away = np.einsum("ni,ni->n", found, np.asarray(toward, np.float64) - points) < 0
    found[away] *= -1
    return found


def areas(points: np.ndarray) -> np.ndarray:
    """(N,) float64: the part of the surface that each point stands for.

    Dense and sparse places of a cloud weigh alike that way: the disc up to the farthest of a few
    neighbours is shared by them.

    Raises:
        InvalidData: too few points.
    """
    distances, index = _nearest(points, _FOR_AREA)
    shares = np.pi * distances[:, -1] ** 2 / (_FOR_AREA - 1)
    # Alone, a point's share jumps from one neighbour's ring to the next: visible as ripples.
    found: np.ndarray = shares[index].mean(axis=1)
    return found


def _nearest(points: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, count) distances and indices, each point's own first.

    Raises:
        InvalidData: too few points, or some that are not finite.
    """
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        raise InvalidData(f"points of shape {points.shape}, expected (N, 3) finite numbers")
    if len(points) <= count:
        raise InvalidData(
            f"{len(points)} points are too few to be a surface",
            "choose a larger or clearer subject",
        )
    distances, index = scipy.spatial.cKDTree(points).query(points, count)
    return distances, index
