"""In which order splats are drawn, and which tiles of the picture they touch. Compiled by numba.

Owns the depth sort, the tiles' size and their lists. Must not know how splats got where they are,
nor pixels' values.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .kernels import kernel
from .projection import COLUMNS, REACH_X, REACH_Y, Screen, X, Y

# Wider than high: a row's eight pixels at a time hang over a tile's sides, not over its top.
_WIDTH_BITS, _HEIGHT_BITS = 5, 4
TILE_WIDTH, TILE_HEIGHT = 1 << _WIDTH_BITS, 1 << _HEIGHT_BITS


class Tiles(NamedTuple):
    """What each tile draws, tiles row by row.

    Attributes:
        order: (M,) int32, indices of splats, front to back.
        packed: (M, 8 + D) float32, in that order: a splat's columns, then its colour.
        starts: (T + 1,) int64, where each tile's list begins in ``members``.
        members: int32, rows of ``packed``, ascending in each tile.
        firsts: (M + 1,) int64, where each row's tiles begin in ``hits``.
        hits: int32, where in ``members`` each row stands, tile by tile.
    """

    order: np.ndarray
    packed: np.ndarray
    starts: np.ndarray
    members: np.ndarray
    firsts: np.ndarray
    hits: np.ndarray


@kernel
def _sorted_by_depth(indices, keys):  # type: ignore[no-untyped-def]
    """``indices`` by ascending key, equal keys in their old order: radix sort, 11 bits a pass.

    The bits of positive floats sort as the floats do.
    """
    count = indices.shape[0]
    current = indices.copy()
    other = np.empty_like(current)
    buckets = np.empty(2048, np.int64)
    for shift in (0, 11, 22):
        buckets[:] = 0
        for i in range(count):
            buckets[(keys[current[i]] >> shift) & 2047] += 1
        total = 0
        for bucket in range(2048):
            size = buckets[bucket]
            buckets[bucket] = total
            total += size
        for i in range(count):
            bucket = (keys[current[i]] >> shift) & 2047
            other[buckets[bucket]] = current[i]
            buckets[bucket] += 1
        current, other = other, current
    return current


@kernel
def _tile_range(ellipse, x, reach, size, bits):  # type: ignore[no-untyped-def]
    """First and last tile along one axis whose pixel centres are reached; last < first: none."""
    first = max(0, int(np.ceil(ellipse[x] - ellipse[reach] - 0.5)))
    last = min(size - 1, int(np.floor(ellipse[x] + ellipse[reach] - 0.5)))
    if last < first:
        return 1, 0
    return first >> bits, last >> bits


@kernel
def _pack(ellipses, colors, order):  # type: ignore[no-untyped-def]
    """(M, 8 + D) float32: what the inner loop reads, in the order in which it reads.

    At least three channels are kept, the missing ones 0.
    """
    channels = colors.shape[1]
    packed = np.zeros((order.shape[0], COLUMNS + max(3, channels)), np.float32)
    for k in range(order.shape[0]):
        index = order[k]
        for column in range(COLUMNS):
            packed[k, column] = ellipses[index, column]
        for channel in range(channels):
            packed[k, COLUMNS + channel] = colors[index, channel]
    return packed


@kernel
def _list_tiles(packed, width, height):  # type: ignore[no-untyped-def]
    """Counting sort: each tile's list comes out in the order of ``packed``."""
    columns = (width + TILE_WIDTH - 1) // TILE_WIDTH
    rows = (height + TILE_HEIGHT - 1) // TILE_HEIGHT
    starts = np.zeros(columns * rows + 1, np.int64)
    for k in range(packed.shape[0]):
        left, right = _tile_range(packed[k], X, REACH_X, width, _WIDTH_BITS)
        top, bottom = _tile_range(packed[k], Y, REACH_Y, height, _HEIGHT_BITS)
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                starts[row * columns + column + 1] += 1
    for index in range(columns * rows):
        starts[index + 1] += starts[index]
    members, hits = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.int32)
    firsts = np.zeros(packed.shape[0] + 1, np.int64)
    cursor = starts[:-1].copy()
    count = 0
    for k in range(packed.shape[0]):
        left, right = _tile_range(packed[k], X, REACH_X, width, _WIDTH_BITS)
        top, bottom = _tile_range(packed[k], Y, REACH_Y, height, _HEIGHT_BITS)
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                index = row * columns + column
                members[cursor[index]] = k
                hits[count] = cursor[index]
                cursor[index] += 1
                count += 1
        firsts[k + 1] = count
    return starts, members, firsts, hits


def sort_into_tiles(screen: Screen, colors: np.ndarray, width: int, height: int) -> Tiles:
    """Order the visible splats front to back and list them for each tile.

    Args:
        screen: from ``project``.
        colors: (N, D) float32.
        width: pixels.
        height: pixels.
    """
    order = _sorted_by_depth(screen.visible, screen.depths.view(np.int32))
    packed = _pack(screen.ellipses, colors, order)
    return Tiles(order, packed, *_list_tiles(packed, width, height))
