"""Thins a crowd of points on a surface to blue noise. Compiled by numba.

Owns weighted sample elimination (Yuksel 2015, "Sample Elimination for Generating Poisson Disk
Sample Sets"): always the point with the closest company goes, until as many are left as are
wanted. Must not know meshes or splats. numba's disk cache does not see changes in imported
modules, so every constant that a kernel here uses stands in this file.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from ..progress import Progress

# Points whose normals differ more than this lie on two sides of a thin wall: not company.
_FACING = -0.5
# Points closer than a share of the radius weigh the same; the paper's beta and gamma.
_BETA, _GAMMA = 0.65, 1.5
# Cells along a side at most, so that a cell's number fits 63 bits.
_CELLS = 1 << 20
# Points removed between two reports.
_STRIDE = 100_000


class Thinned(NamedTuple):
    """Which points are left, and every point's company.

    Attributes:
        kept: (count,) int64, indices of points, ascending.
        starts: (M + 1,) int64, where each point's neighbours begin.
        neighbors: int32, indices of points within ``radius`` of it, kept or not.
        distances: float32, metres, of each of ``neighbors``.
    """

    kept: np.ndarray
    starts: np.ndarray
    neighbors: np.ndarray
    distances: np.ndarray


@numba.njit(cache=True, nogil=True)
def _visit(points, normals, keys, offsets, radius, starts, neighbors, distances):  # type: ignore[no-untyped-def]
    """Find each point's neighbours: counted if ``neighbors`` is empty, else written.

    Points are in the order of their cells' keys. The cells left and right of a cell follow each
    other in that order, so the 27 cells around are 9 runs, and the runs only move forward.
    """
    count = points.shape[0]
    low = np.zeros(9, np.int64)
    high = np.zeros(9, np.int64)
    writing = neighbors.shape[0] > 0
    limit = radius * radius
    for i in range(count):
        found = starts[i] if writing else 0
        for run in range(9):
            first, last = keys[i] + offsets[run] - 1, keys[i] + offsets[run] + 1
            while low[run] < count and keys[low[run]] < first:
                low[run] += 1
            while high[run] < count and keys[high[run]] <= last:
                high[run] += 1
            for j in range(low[run], high[run]):
                square, facing = 0.0, 0.0
                for axis in range(3):
                    gap = points[i, axis] - points[j, axis]
                    square += gap * gap
                    facing += normals[i, axis] * normals[j, axis]
                if square < limit and facing > _FACING and i != j:
                    if writing:
                        neighbors[found] = j
                        distances[found] = np.sqrt(square)
                    found += 1
        if not writing:
            starts[i + 1] = found


@numba.njit(cache=True, nogil=True)
def _weight(distance, radius, least):  # type: ignore[no-untyped-def]
    return (1.0 - max(distance, least) / radius) ** 8


@numba.njit(cache=True, nogil=True)
def _sink(heap, places, weights, size, place):  # type: ignore[no-untyped-def]
    """Move one entry of the max-heap down to where it belongs."""
    item = heap[place]
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and weights[heap[child + 1]] > weights[heap[child]]:
            child += 1
        if weights[heap[child]] <= weights[item]:
            break
        heap[place] = heap[child]
        places[heap[place]] = place
        place = child
    heap[place] = item
    places[item] = place


@numba.njit(cache=True, nogil=True)
def _crowd(starts, distances, radius, least, heap, places, weights):  # type: ignore[no-untyped-def]
    """Weigh every point by its company and order them as a heap."""
    count = weights.shape[0]
    for i in range(count):
        weights[i] = 0.0
        for k in range(starts[i], starts[i + 1]):
            weights[i] += _weight(distances[k], radius, least)
        heap[i] = i
        places[i] = i
    for place in range(count // 2 - 1, -1, -1):
        _sink(heap, places, weights, count, place)


@numba.njit(cache=True, nogil=True)
def _remove(graph, radius, least, heap, places, weights, size, steps):  # type: ignore[no-untyped-def]
    """Take the most crowded point away, ``steps`` times; ``heap[:size - steps]`` are left."""
    starts, neighbors, distances = graph
    for _ in range(steps):
        gone = heap[0]
        size -= 1
        heap[0] = heap[size]
        places[heap[0]] = 0
        places[gone] = -1
        if size > 0:
            _sink(heap, places, weights, size, 0)
        for k in range(starts[gone], starts[gone + 1]):
            other = neighbors[k]
            if places[other] >= 0:
                weights[other] -= _weight(distances[k], radius, least)
                _sink(heap, places, weights, size, places[other])


def cell_keys(points: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray]:
    """(M,) int64, the number of each point's cubic cell, and the (9,) offsets of its rows around.

    A margin of one cell keeps a row's neighbour from being the end of the row before.
    """
    corner = points.min(axis=0)
    extent = float((points.max(axis=0) - corner).max())
    size = max(size, extent / (_CELLS - 3), 1e-300)
    cells = ((points - corner) / size).astype(np.int64) + 1
    across, down = (cells.max(axis=0) + 2)[:2]
    keys = (cells[:, 2] * down + cells[:, 1]) * across + cells[:, 0]
    around = np.arange(-1, 2)
    offsets = ((around[:, None] * down + around) * across).ravel()
    return keys, np.sort(offsets)


def thin(
    points: np.ndarray, normals: np.ndarray, count: int, area: float, progress: Progress
) -> Thinned:
    """Leave ``count`` of the points, as evenly spread as they can be.

    Args:
        points: (M, 3) float64, metres, M >= count, spread at random over a surface and in the
            order of ``cell_keys`` for cells of ``radius(count, area)``.
        normals: (M, 3) float64, unit.
        count: how many are wanted.
        area: of the surface, square metres.
        progress: reports and cancels.
    """
    reach = radius(count, area)
    keys, offsets = cell_keys(points, reach)
    starts = np.zeros(len(points) + 1, np.int64)
    nothing = np.empty(0, np.int32), np.empty(0, np.float32)
    _visit(points, normals, keys, offsets, reach, starts, *nothing)
    starts = np.cumsum(starts)
    neighbors, distances = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.float32)
    if starts[-1]:
        _visit(points, normals, keys, offsets, reach, starts, neighbors, distances)
    least = 0.5 * reach * (1 - (count / len(points)) ** _GAMMA) * _BETA
    heap, places = np.empty(len(points), np.int32), np.empty(len(points), np.int32)
    weights = np.empty(len(points))
    _crowd(starts, distances, reach, least, heap, places, weights)
    sizes = range(len(points), count, -_STRIDE)
    for size in progress.track(sizes, "spread the splats evenly"):
        steps = min(_STRIDE, size - count)
        graph = starts, neighbors, distances
        _remove(graph, reach, least, heap, places, weights, size, steps)
    return Thinned(np.sort(heap[:count]).astype(np.int64), starts, neighbors, distances)


def radius(count: int, area: float) -> float:
    """How far a point's company reaches: twice the radius of the densest packing of discs."""
    return 2 * float(np.sqrt(area / (2 * np.sqrt(3) * count)))


@numba.njit(cache=True, nogil=True)
def _average(kept, starts, neighbors, distances, values, spread):  # type: ignore[no-untyped-def]
    result = np.empty((kept.shape[0], values.shape[1]))
    for row in range(kept.shape[0]):
        i = kept[row]
        total = 1.0
        result[row] = values[i]
        for k in range(starts[i], starts[i + 1]):
            weight = np.exp(-0.5 * (distances[k] / spread) ** 2)
            total += weight
            for channel in range(values.shape[1]):
                result[row, channel] += weight * values[neighbors[k], channel]
        result[row] /= total
    return result


def average(thinned: Thinned, values: np.ndarray, spread: float) -> np.ndarray:
    """(count, D) float64, a Gaussian mean around each kept point over all points.

    Args:
        thinned: from ``thin``.
        values: (M, D), of all points.
        spread: standard deviation of the weight, metres; counted as far as neighbours reach.
    """
    result: np.ndarray = _average(*thinned, values, spread)
    return result
