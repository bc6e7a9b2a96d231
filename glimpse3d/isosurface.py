"""From a sampled field to a closed surface, and the surface's separate pieces.

Owns marching cubes and what makes its result safe: closed, manifold, facing outward, no two
vertices in one place. Must not know where a field came from or in which frame it lives: positions
are in voxels.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse
import skimage.measure

from .errors import InvalidData, NoForeground

# Values nearer to 0 than this are moved away from it. Marching cubes puts one vertex on each grid
# edge, so two of them meet only at a grid point whose value is (nearly) 0.
_CLEARANCE = 1e-3


def extract(field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The surface where ``field`` is 0, closed also where the inside reaches the border.

    The classic table (Lorensen and Cline 1987, with face ambiguities decided alike on both sides)
    is used because its result is always manifold; the topology-correcting one of scikit-image
    now and then is not.

    Args:
        field: (A, B, C) float32, negative inside, roughly a distance in voxels.

    Returns:
        (V, 3) float64 positions along the axes of ``field``, in voxels, grid points at integers;
        (F, 3) int64, counter-clockwise seen from outside.

    Raises:
        InvalidData: not a volume of finite numbers.
        NoForeground: nothing is inside.
    """
    field = np.asarray(field, np.float32)
    if field.ndim != 3 or not np.isfinite(field).all():
        raise InvalidData("a field is a (A, B, C) array of finite numbers")
    if not (field < 0).any():
        raise NoForeground("nothing solid was found", "choose a larger or clearer subject")
    away = np.where(field < 0, np.float32(-_CLEARANCE), np.float32(_CLEARANCE))
    clear = np.where(np.abs(field) < _CLEARANCE, away, field)
    closed = np.pad(clear, 1, constant_values=max(1.0, float(np.abs(clear).max())))
    vertices, faces, _, _ = skimage.measure.marching_cubes(closed, 0.0, method="lorensen")
    faces = faces.astype(np.int64)
    positions = vertices.astype(np.float64) - 1.0
    return positions, faces if signed_volume(positions, faces) > 0 else faces[:, ::-1].copy()


def signed_volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """The enclosed volume, positive where faces look outward."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def pieces(faces: np.ndarray, count: int) -> np.ndarray:
    """(F,) int, which connected piece each face belongs to; ``count`` is the number of vertices."""
    first, second = faces[:, [0, 1]].ravel(), faces[:, [1, 2]].ravel()
    links = scipy.sparse.coo_matrix((np.ones(len(first)), (first, second)), (count, count))
    _, labels = scipy.sparse.csgraph.connected_components(links, directed=False)
    found: np.ndarray = np.unique(labels[faces[:, 0]], return_inverse=True)[1].reshape(-1)
    return found


def drop_debris(
    vertices: np.ndarray, faces: np.ndarray, share: float, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Keep the pieces whose volume is at least ``share`` of the largest one's, ``most`` at most.

    A hollow's inner wall counts by the volume it encloses, and stays or goes by the same rule.
    """
    labels = pieces(faces, len(vertices))
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    volumes = np.abs(np.bincount(labels, np.einsum("ij,ij->i", a, np.cross(b, c))))
    order = np.argsort(-volumes, kind="stable")[:most]
    kept = np.isin(labels, order[volumes[order] >= share * volumes.max()])
    return compact(vertices, faces[kept])


def compact(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leave out vertices that no face names."""
    used = np.zeros(len(vertices), bool)
    used[faces.ravel()] = True
    index = np.cumsum(used) - 1
    return vertices[used], index[faces]
