"""From the gradient of pixels to that of the splats on the screen. Compiled by numba.

Owns the derivative of ``blend``. It too goes front to back: what a splat hides is the pixel's sum
less what has come so far, so that no list of a pixel's splats is kept. Must not know cameras,
files or threads: any range of tiles can be taken on its own, as each writes to its own entries.
"""

from __future__ import annotations

import numpy as np

from .blend import ALPHA_LIMIT, HALF, ONE, PLANE, ZERO, covered, falloff, limited, weigh
from .kernels import inlined, kernel
from .lanes import (
    LANES,
    add,
    divide,
    load,
    multiply,
    repeat,
    steps,
    store,
    subtract,
    total,
    where_above,
)
from .projection import ACROSS, COLUMNS, DOWN, LOG_OPACITY, SHEAR, X, Y
from .tiles import TILE_HEIGHT, TILE_WIDTH

# Columns of an entry: sums over a tile's pixels of v, v u, v u^2, v dy, v u dy and v dy^2, where v
# is the gradient of the logarithm of alpha; then the gradient of each channel.
MOMENTS = 6
_V, _VU, _VUU, _VY, _VUY, _VYY = range(MOMENTS)
# Planes of a tile's state before the gradients of the channels.
_THROUGH, _BEHIND, _ALPHA = 0, PLANE, 2 * PLANE
_CHANNELS = 3 * PLANE


@inlined
def _pull(state, offset, raw, gain):  # type: ignore[no-untyped-def]
    """(shares, gradients of the logarithm of alpha) of eight pixels, whose state is moved on.

    Args:
        state: see the planes above; ``_BEHIND`` is what this splat and those behind it give.
        offset: of the first pixel.
        raw: alphas before they are limited.
        gain: the gradient of each pixel times the splat's colour and 1.
    """
    alpha = limited(raw)
    share = weigh(state, offset, alpha)
    zero = repeat(ZERO)
    given = multiply(share, gain)
    behind = subtract(load(state, offset + _BEHIND), given)
    store(state, offset + _BEHIND, behind)
    hidden = multiply(behind, divide(alpha, subtract(repeat(ONE), alpha)))
    pull = where_above(share, zero, subtract(given, hidden), zero)
    return share, where_above(raw, repeat(ALPHA_LIMIT), zero, pull)


@kernel
def _pull_splat(state, splat, x, y, rows, extra, entry):  # type: ignore[no-untyped-def]
    """One splat over one tile: writes ``entry``; ``extra`` (channels beyond 3, 8) is scratch."""
    top, bottom, first, vectors = covered(splat, x, y, rows)
    across = repeat(splat[ACROSS])
    red = repeat(splat[COLUMNS])
    green = repeat(splat[COLUMNS + 1])
    blue = repeat(splat[COLUMNS + 2])
    left = add(steps(), repeat(np.float32(first) + HALF - x))
    zero = repeat(ZERO)
    v, vu, vuu, vy, vuy, vyy = zero, zero, zero, zero, zero, zero
    reds, greens, blues = zero, zero, zero
    extra[:] = ZERO
    for row in range(top, bottom + 1):
        dy = np.float32(row) + HALF - y
        base = repeat(dy * dy * splat[DOWN] - splat[LOG_OPACITY])
        u = add(left, repeat(splat[SHEAR] * dy))
        offset = row * TILE_WIDTH + first
        row_v, row_vu = zero, zero
        for _ in range(vectors):
            raw = falloff(add(multiply(multiply(u, u), across), base))
            pixel = offset + _CHANNELS
            g_red, g_green = load(state, pixel), load(state, pixel + PLANE)
            g_blue = load(state, pixel + 2 * PLANE)
            gain = add(load(state, offset + _ALPHA), multiply(g_red, red))
            gain = add(gain, add(multiply(g_green, green), multiply(g_blue, blue)))
            for channel in range(len(extra) // LANES):
                g = load(state, pixel + (channel + 3) * PLANE)
                gain = add(gain, multiply(g, repeat(splat[COLUMNS + 3 + channel])))
            share, pull = _pull(state, offset, raw, gain)
            reds = add(reds, multiply(share, g_red))
            greens = add(greens, multiply(share, g_green))
            blues = add(blues, multiply(share, g_blue))
            for channel in range(len(extra) // LANES):
                g = load(state, pixel + (channel + 3) * PLANE)
                so_far = load(extra, channel * LANES)
                store(extra, channel * LANES, add(so_far, multiply(share, g)))
            pull_u = multiply(pull, u)
            row_v, row_vu = add(row_v, pull), add(row_vu, pull_u)
            vuu = add(vuu, multiply(pull_u, u))
            u = add(u, repeat(np.float32(LANES)))
            offset += LANES
        height = repeat(dy)
        row_vy = multiply(row_v, height)
        v, vu = add(v, row_v), add(vu, row_vu)
        vy, vuy = add(vy, row_vy), add(vuy, multiply(row_vu, height))
        vyy = add(vyy, multiply(row_vy, height))
    entry[_V], entry[_VU], entry[_VUU] = total(v), total(vu), total(vuu)
    entry[_VY], entry[_VUY], entry[_VYY] = total(vy), total(vuy), total(vyy)
    entry[MOMENTS], entry[MOMENTS + 1] = total(reds), total(greens)
    entry[MOMENTS + 2] = total(blues)
    for channel in range(len(extra) // LANES):
        entry[MOMENTS + 3 + channel] = total(load(extra, channel * LANES))


@kernel
def pull_tiles(lists, background, tiles, drawn, gradients, entries):  # type: ignore[no-untyped-def]
    """Take the tiles ``tiles[0]`` to ``tiles[1] - 1`` as ``blend.draw_tiles`` drew them.

    Args:
        lists: ``packed``, ``starts`` and ``members`` as drawn.
        background: as drawn.
        tiles: two integers.
        drawn: what came out: colours, alphas, lights, ends.
        gradients: (H, W, D) and (H, W) float32, of colours and alphas.
        entries: (len(members), 6 + channels of ``packed``) float32, written.
    """
    packed, starts, members = lists
    colors, alphas, lights, ends = drawn
    color_gradients, alpha_gradients = gradients
    height, width, channels = colors.shape
    planes = packed.shape[1] - COLUMNS
    planar = np.empty((3 + planes, PLANE), np.float32)
    state = planar.reshape(-1)
    extra = np.empty((planes - 3) * LANES, np.float32)
    across = (width + TILE_WIDTH - 1) // TILE_WIDTH
    for tile in range(tiles[0], tiles[1]):
        left, top = tile % across * TILE_WIDTH, tile // across * TILE_HEIGHT
        rows, columns = min(TILE_HEIGHT, height - top), min(TILE_WIDTH, width - left)
        planar[0] = ONE
        planar[1:] = ZERO
        for row in range(rows):
            for column in range(columns):
                pixel = row * TILE_WIDTH + column
                light = lights[top + row, left + column]
                gain = alpha_gradients[top + row, left + column]
                behind = ZERO
                for channel in range(channels):
                    g = color_gradients[top + row, left + column, channel]
                    planar[3 + channel, pixel] = g
                    gain -= g * background[channel]
                    seen = colors[top + row, left + column, channel]
                    behind += g * (seen - light * background[channel])
                planar[2, pixel] = gain
                planar[1, pixel] = behind + gain * alphas[top + row, left + column]
        for k in range(starts[tile], ends[tile]):
            splat = packed[members[k]]
            x, y = splat[X] - np.float32(left), splat[Y] - np.float32(top)
            _pull_splat(state, splat, x, y, rows, extra, entries[k])
        entries[ends[tile] : starts[tile + 1]] = ZERO


@kernel
def gather(firsts, hits, entries, rows, sums):  # type: ignore[no-untyped-def]
    """Add up each splat's entries, tile by tile.

    Args:
        firsts: (M + 1,) where each splat's hits begin, from ``projection``.
        hits: where its entries lie, tile by tile.
        entries: from ``pull_tiles``.
        rows: two integers, of ``sums``.
        sums: (M, 6 + D) float32, written.
    """
    width = entries.shape[1]
    for k in range(rows[0], rows[1]):
        for column in range(width):
            value = 0.0
            for hit in range(firsts[k], firsts[k + 1]):
                value += entries[hits[hit], column]
            sums[k, column] = value
