"""Cells of a grid to triangles: one vertex on each grid edge that the surface crosses.

Owns the table of cases and where on its edge a vertex lies. Vertices are keyed by their edge, so
that neighbouring cells share them and the surface is closed by construction. Must not know how
the cells were found or what the field means.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import skimage.measure

# The corner ``c = 4 x + 2 y + z`` of a cell; an edge is its lower corner and an axis.
CORNERS = np.array(list(np.ndindex(2, 2, 2)))
_EDGES = [(c, axis) for axis in range(3) for c in range(8) if CORNERS[c, axis] == 0]
_LOWER = np.array([corner for corner, _ in _EDGES])
_AXIS = np.array([axis for _, axis in _EDGES])
_UPPER = _LOWER + np.array([4, 2, 1])[_AXIS]
# Vertices keep that far from grid points, in voxels: two on edges that meet never coincide.
_CLEARANCE = 8e-5
# Beyond this the exponential of a value leaves the range of float64.
_MOST_EXPONENT = 700.0


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Unit cells of a grid.

    Attributes:
        origins: (N, 3) int64, index of the lowest corner.
        values: (N, 8) float32, the field at the corners ``CORNERS``; positive inside.
    """

    origins: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Triangles of the 256 cases; bit ``c`` of a case says that corner ``c`` is inside.

    Attributes:
        first, count: (256,) which rows of ``edges`` belong to a case.
        edges: (T, 3) the edges a triangle's vertices lie on, outward counter-clockwise.
    """

    first: np.ndarray
    count: np.ndarray
    edges: np.ndarray


@cache
def _table() -> _Table:
    """The classic cases (Lorensen and Cline 1987), read off scikit-image one cell at a time."""
    numbers = {(corner, axis): number for number, (corner, axis) in enumerate(_EDGES)}
    rows, count = [], np.zeros(256, np.int64)
    for case in range(1, 255):
        cell = np.where(case >> np.arange(8) & 1, 1.0, -1.0).reshape(2, 2, 2)
        vertices, faces, _, _ = skimage.measure.marching_cubes(cell, 0.0, method="lorensen")
        doubled = np.rint(2 * vertices).astype(int)
        edges = [numbers[_edge_at(place)] for place in doubled.tolist()]
        rows += [[edges[vertex] for vertex in face] for face in faces.tolist()]
        count[case] = len(faces)
    triangles = np.array(rows)
    # Case 1 has its lowest corner alone inside: its triangle must look away from there.
    a, b, c = (0.5 * np.eye(3)[_AXIS[triangles[0]]] + CORNERS[_LOWER[triangles[0]]]).tolist()
    if np.cross(np.subtract(b, a), np.subtract(c, a)).sum() < 0:
        triangles = triangles[:, ::-1]
    return _Table(np.cumsum(count) - count, count, triangles)


def _edge_at(doubled: list[int]) -> tuple[int, int]:
    """The edge whose middle is at half of ``doubled``."""
    axis = next(axis for axis in range(3) if doubled[axis] == 1)
    x, y, z = (each // 2 for each in doubled)
    return 4 * x + 2 * y + z, axis


def triangles(cells: Cells, interpolation: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The surface where the field is 0.

    Args:
        cells: all that the surface crosses, each once; others may be among them.
        interpolation: ``log`` takes the field for linear along an edge, ``density`` its
            exponential.
        size: grid points along the longest axis; samples whose index is 0 or ``size - 1`` on
            an axis stand for the outside, and vertices next to them lie half way.

    Returns:
        (V, 3) float64 in voxels, grid points at integers; (F, 3) int64, counter-clockwise seen
        from outside. The order does not depend on that of the cells.
    """
    order = np.lexsort(cells.origins.T[::-1])
    origins, values = cells.origins[order], cells.values[order]
    table = _table()
    case = ((values > 0) << np.arange(8)).sum(axis=1)
    count = table.count[case]
    cell = np.repeat(np.arange(len(case)), count)
    within = np.arange(len(cell)) - np.repeat(np.cumsum(count) - count, count)
    edges = table.edges[table.first[case[cell]] + within].reshape(-1)
    cell = np.repeat(cell, 3)
    lower = origins[cell] + CORNERS[_LOWER[edges]]
    key = ((lower[:, 0] * size + lower[:, 1]) * size + lower[:, 2]) * 3 + _AXIS[edges]
    _, some, faces = np.unique(key, return_index=True, return_inverse=True)
    cell, edges, positions = cell[some], edges[some], lower[some].astype(np.float64)
    fraction = _fraction(values[cell, _LOWER[edges]], values[cell, _UPPER[edges]], interpolation)
    along = positions[np.arange(len(edges)), _AXIS[edges]]
    fraction[(along == 0) | (along == size - 2)] = 0.5
    positions[np.arange(len(edges)), _AXIS[edges]] += fraction
    return positions, faces.reshape(-1, 3).astype(np.int64)


def _fraction(start: np.ndarray, end: np.ndarray, interpolation: str) -> np.ndarray:
    """(N,) how far along its edge the value passes 0, float64."""
    first, last = start.astype(np.float64), end.astype(np.float64)
    if interpolation == "density":
        first, last = (np.expm1(np.minimum(each, _MOST_EXPONENT)) for each in (first, last))
    found: np.ndarray = np.clip(first / (first - last), _CLEARANCE, 1 - _CLEARANCE)
    return found
