"""Blends sorted splats into pixels, eight at a time. Compiled by numba.

Owns the inner loop of the rasteriser. Must not know cameras, files or threads: any range of tiles
can be drawn on its own, so that whoever calls may share them out.
"""

from __future__ import annotations

import numpy as np

from .kernels import inlined, kernel
from .lanes import LANES, add, load, multiply, repeat, steps, store, subtract, where_above
from .projection import (
    ACROSS,
    COLUMNS,
    DOWN,
    LOG_OPACITY,
    REACH_X,
    REACH_Y,
    SHEAR,
    X,
    Y,
)
from .tiles import TILE_HEIGHT, TILE_WIDTH

PLANE = TILE_WIDTH * TILE_HEIGHT
# Splats drawn before asking whether every pixel of the tile is finished.
_PATIENCE = 32

ONE = np.float32(1.0)
HALF = np.float32(0.5)
ZERO = np.float32(0.0)
ALPHA_LIMIT = np.float32(0.999)
FINISHED = np.float32(1e-4)
# ln(255) / 8: an alpha below 1/255 is not drawn.
_LIMIT = np.float32(0.6926579)
# exp(-x) on 0..ln(255) / 8 to a relative 8e-8, fitted by Lawson's iteration; its eighth power is
# exp(-8 x). Plain arithmetic keeps the lanes free of calls.
_E0, _E1, _E2 = np.float32(0.999999983064364), np.float32(-0.99999448386), np.float32(0.49989917375)
_E3, _E4, _E5 = np.float32(-0.16603143927), np.float32(0.03985945991), np.float32(-0.00589445948)


@inlined
def falloff(x):  # type: ignore[no-untyped-def]
    """exp(-8 x), for x from 0 to where it is below 1/255 and 0 beyond."""
    # Estrin's scheme: the same terms as Horner's, in a chain half as long.
    square = multiply(x, x)
    low = add(repeat(_E0), multiply(repeat(_E1), x))
    middle = add(repeat(_E2), multiply(repeat(_E3), x))
    high = add(repeat(_E4), multiply(repeat(_E5), x))
    e = add(low, multiply(square, add(middle, multiply(square, high))))
    e = multiply(e, e)
    e = multiply(e, e)
    e = multiply(e, e)
    return where_above(x, repeat(_LIMIT), repeat(ZERO), e)


@inlined
def limited(alpha):  # type: ignore[no-untyped-def]
    """At most 0.999, so that light is left to divide by."""
    limit = repeat(ALPHA_LIMIT)
    return where_above(alpha, limit, limit, alpha)


@inlined
def weigh(state, offset, alpha):  # type: ignore[no-untyped-def]
    """The splat's share of eight pixels, whose transmittances are brought up to date.

    A finished pixel's transmittance is stored negative: it then takes nothing more.
    """
    through = load(state, offset)
    share = multiply(alpha, through)
    left = subtract(through, share)
    finished = repeat(FINISHED)
    zero = repeat(ZERO)
    minus = subtract(zero, through)
    stopped = where_above(through, minus, minus, through)
    store(state, offset, where_above(left, finished, left, stopped))
    return where_above(left, finished, share, zero)


@inlined
def covered(splat, x, y, rows):  # type: ignore[no-untyped-def]
    """First and last row of a tile that a splat reaches, first column, and vectors in a row.

    The same columns in every row: finding each row's own costs more than the lanes it saves.
    """
    reach_x, reach_y = splat[REACH_X], splat[REACH_Y]
    top = max(0, int(np.ceil(y - reach_y - HALF)))
    bottom = min(rows - 1, int(np.floor(y + reach_y - HALF)))
    first = max(0, int(np.ceil(x - reach_x - HALF)))
    last = min(TILE_WIDTH - 1, int(np.floor(x + reach_x - HALF)))
    vectors = (last - first + LANES) // LANES
    return top, bottom, min(first, TILE_WIDTH - vectors * LANES), vectors


@inlined
def _accumulate(state, offset, weight, color):  # type: ignore[no-untyped-def]
    store(state, offset, add(load(state, offset), multiply(weight, color)))


@kernel
def _all_finished(state, rows, columns):  # type: ignore[no-untyped-def]
    for row in range(rows):
        for column in range(columns):
            if state[row * TILE_WIDTH + column] > ZERO:
                return False
    return True


@kernel
def _draw_splat(state, splat, x, y, rows, channels):  # type: ignore[no-untyped-def]
    """One splat over one tile whose state it changes; (x, y) is its centre in the tile."""
    top, bottom, first, vectors = covered(splat, x, y, rows)
    across = repeat(splat[ACROSS])
    red = repeat(splat[COLUMNS])
    green = repeat(splat[COLUMNS + 1])
    blue = repeat(splat[COLUMNS + 2])
    left = add(steps(), repeat(np.float32(first) + HALF - x))
    for row in range(top, bottom + 1):
        dy = np.float32(row) + HALF - y
        base = repeat(dy * dy * splat[DOWN] - splat[LOG_OPACITY])
        u = add(left, repeat(splat[SHEAR] * dy))
        offset = row * TILE_WIDTH + first
        for _ in range(vectors):
            alpha = limited(falloff(add(multiply(multiply(u, u), across), base)))
            weight = weigh(state, offset, alpha)
            _accumulate(state, offset + PLANE, weight, red)
            _accumulate(state, offset + 2 * PLANE, weight, green)
            _accumulate(state, offset + 3 * PLANE, weight, blue)
            for channel in range(3, channels):
                plane = offset + (channel + 1) * PLANE
                _accumulate(state, plane, weight, repeat(splat[COLUMNS + channel]))
            u = add(u, repeat(np.float32(LANES)))
            offset += LANES


@kernel
def draw_tiles(packed, starts, members, background, tiles, target):  # type: ignore[no-untyped-def]
    """Draw the tiles ``tiles[0]`` to ``tiles[1] - 1`` front to back; no two tiles share a pixel.

    Args:
        packed: (M, 8 + D) float32, at least three channels, front to back.
        starts: (T + 1,) int64, where each tile's list begins in ``members``.
        members: int32, rows of ``packed``.
        background: (D,) float32, seen through what is left of the transmittance.
        tiles: two integers.
        target: written: (H, W, D) float32 colours; (H, W) float32 alphas; (H, W) float32, the
            light that is left, which an alpha near 1 tells badly; and (T,) int64, where each
            tile's list was left, for then every pixel was finished.
    """
    colors, alphas, lights, ends = target
    height, width, channels = colors.shape
    planes = packed.shape[1] - COLUMNS
    planar = np.empty((1 + planes, PLANE), np.float32)
    state = planar.reshape(-1)
    across = (width + TILE_WIDTH - 1) // TILE_WIDTH
    for tile in range(tiles[0], tiles[1]):
        left, top = tile % across * TILE_WIDTH, tile // across * TILE_HEIGHT
        rows, columns = min(TILE_HEIGHT, height - top), min(TILE_WIDTH, width - left)
        planar[0] = ONE
        planar[1:] = ZERO
        ends[tile] = starts[tile + 1]
        for k in range(starts[tile], starts[tile + 1]):
            splat = packed[members[k]]
            x, y = splat[X] - np.float32(left), splat[Y] - np.float32(top)
            _draw_splat(state, splat, x, y, rows, planes)
            drawn = k + 1 - starts[tile]
            if drawn % _PATIENCE == 0 and _all_finished(state, rows, columns):
                ends[tile] = k + 1
                break
        for row in range(rows):
            for column in range(columns):
                pixel = row * TILE_WIDTH + column
                through = abs(planar[0, pixel])
                alphas[top + row, left + column] = ONE - through
                lights[top + row, left + column] = through
                for channel in range(channels):
                    seen = planar[1 + channel, pixel] + through * background[channel]
                    colors[top + row, left + column, channel] = seen
