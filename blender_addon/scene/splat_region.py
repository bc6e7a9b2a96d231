"""Which splats lie inside: of a box, of a ball, of the boxes of a collection.

Owns those questions. Must not know what becomes of the answer. A box is an object's own: its
bounding box, turned and scaled with it; an empty's is what it shows, as a cube of its size. A ball
is the ellipsoid within that box.
"""

from __future__ import annotations

from collections.abc import Iterable

import bpy
import numpy as np

SHAPES = ("BOX", "SPHERE", "COLLECTION")


def inside(
    means: np.ndarray, pose: np.ndarray, shape: str, bounds: Iterable[bpy.types.Object]
) -> np.ndarray:
    """(N,) bool, whether each mean lies in any of the objects' boxes, or balls.

    Args:
        means: (N, 3), in the space of the splats' object.
        pose: (4, 4) world from that space.
        shape: one of ``SHAPES``.
        bounds: the objects.
    """
    world = means @ pose[:3, :3].T + pose[:3, 3]
    result = np.zeros(len(means), bool)
    for thing in bounds:
        low, high = _box(thing)
        own = np.linalg.pinv(np.array(thing.matrix_world))
        local = world @ own[:3, :3].T + own[:3, 3]
        half = np.maximum((high - low) / 2, 1e-12)
        apart = (local - (low + high) / 2) / half  # -1 to 1 within
        if shape == "SPHERE":
            result |= np.einsum("nc,nc->n", apart, apart) <= 1
        else:
            result |= (np.abs(apart) <= 1).all(axis=1)
    return result


def _box(thing: bpy.types.Object) -> tuple[np.ndarray, np.ndarray]:
    """(3,) and (3,), the lowest and the highest corner in the object's own space."""
    if thing.type == "EMPTY":
        size = np.full(3, thing.empty_display_size)
        return -size, size
    corners = np.array([corner[:] for corner in thing.bound_box])
    return corners.min(axis=0), corners.max(axis=0)
