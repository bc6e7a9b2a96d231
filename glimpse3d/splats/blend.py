"""Blends sorted splats into pixels, eight at a time. Compiled by numba.

Owns the SIMD layer and the inner loop of the rasteriser. Must not know cameras, files or threads:
any range of tiles can be drawn on its own, so that whoever calls may share them out. The vectors
are LLVM's ``<8 x float>``, which it splits where a machine's are shorter. numba's disk cache does
not see changes in imported modules, so every constant that a kernel here uses stands in this file.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir
import numba
import numpy as np
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

TILE = 16
LANES = 8
_PLANE = TILE * TILE
# Splats drawn before asking whether every pixel of the tile is finished.
_PATIENCE = 32
# Columns of ``packed`` before the colours; the same as in projection.py, which a test compares.
_X, _Y, _SHEAR, _ACROSS, _DOWN, _LOG_OPACITY, _REACH_X, _REACH_Y = range(8)
_COLUMNS = 8

_ONE = np.float32(1.0)
_HALF = np.float32(0.5)
_ZERO = np.float32(0.0)
_ALPHA_LIMIT = np.float32(0.999)
_FINISHED = np.float32(1e-4)
# ln(255) / 8: an alpha below 1/255 is not drawn.
_LIMIT = np.float32(0.6926579)
# exp(-x) on 0..ln(255) / 8 to a relative 8e-8, fitted by Lawson's iteration; its eighth power is
# exp(-8 x). Plain arithmetic keeps the lanes free of calls.
_E0, _E1, _E2 = np.float32(0.999999983064364), np.float32(-0.99999448386), np.float32(0.49989917375)
_E3, _E4, _E5 = np.float32(-0.16603143927), np.float32(0.03985945991), np.float32(-0.00589445948)

_VECTOR = llvmlite.ir.VectorType(llvmlite.ir.FloatType(), LANES)


class _Lanes(numba.types.Type):
    """numba's type of eight float32."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


_lanes = _Lanes()


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, kind):  # type: ignore[no-untyped-def]
        super().__init__(manager, kind, _VECTOR)


def _arithmetic(instruction: str) -> Any:
    """A function of two vectors that is one instruction of LLVM."""

    @intrinsic
    def operation(typing, left, right):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
            return getattr(builder, instruction)(*values)

        return _lanes(_lanes, _lanes), generate

    return operation


_add = _arithmetic("fadd")
_subtract = _arithmetic("fsub")
_multiply = _arithmetic("fmul")


@intrinsic
def _where_above(typing, left, right, yes, no):  # type: ignore[no-untyped-def]
    """``yes`` where left > right, else ``no``."""

    def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
        above = builder.fcmp_ordered(">", values[0], values[1])
        return builder.select(above, values[2], values[3])

    return _lanes(_lanes, _lanes, _lanes, _lanes), generate


@intrinsic
def _repeat(typing, scalar):  # type: ignore[no-untyped-def]
    """Eight times the same float32."""

    def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
        index = llvmlite.ir.IntType(32)
        first = builder.insert_element(
            llvmlite.ir.Constant(_VECTOR, llvmlite.ir.Undefined), values[0], index(0)
        )
        zeros = llvmlite.ir.Constant(llvmlite.ir.VectorType(index, LANES), [0] * LANES)
        return builder.shuffle_vector(first, first, zeros)

    return _lanes(numba.types.float32), generate


@intrinsic
def _steps(typing):  # type: ignore[no-untyped-def]
    """0, 1, ... 7."""

    def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
        return llvmlite.ir.Constant(_VECTOR, [float(lane) for lane in range(LANES)])

    return _lanes(), generate


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), _VECTOR.as_pointer())


@intrinsic
def _load(typing, array, offset):  # type: ignore[no-untyped-def]
    """Eight neighbours of a flat float32 array, from ``offset``; not checked."""

    def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
        return builder.load(_pointer(context, builder, array, *values), align=4)

    return _lanes(array, numba.types.intp), generate


@intrinsic
def _store(typing, array, offset, lanes):  # type: ignore[no-untyped-def]
    """The inverse of ``_load``."""

    def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
        pointer = _pointer(context, builder, array, values[0], values[1])
        builder.store(values[2], pointer, align=4)
        return cgutils.get_null_value(llvmlite.ir.IntType(8).as_pointer())

    return numba.types.none(array, numba.types.intp, _lanes), generate


@numba.njit(cache=True, nogil=True, inline="always")
def _alpha(x):  # type: ignore[no-untyped-def]
    """min(0.999, exp(-8 x)), and 0 where that is below 1/255."""
    # Estrin's scheme: the same terms as Horner's, in a chain half as long.
    square = _multiply(x, x)
    low = _add(_repeat(_E0), _multiply(_repeat(_E1), x))
    middle = _add(_repeat(_E2), _multiply(_repeat(_E3), x))
    high = _add(_repeat(_E4), _multiply(_repeat(_E5), x))
    e = _add(low, _multiply(square, _add(middle, _multiply(square, high))))
    e = _multiply(e, e)
    e = _multiply(e, e)
    e = _multiply(e, e)
    limit = _repeat(_ALPHA_LIMIT)
    e = _where_above(e, limit, limit, e)
    return _where_above(x, _repeat(_LIMIT), _repeat(_ZERO), e)


@numba.njit(cache=True, nogil=True, inline="always")
def _weight(state, offset, alpha):  # type: ignore[no-untyped-def]
    """The splat's share of eight pixels; their transmittance is brought up to date.

    A finished pixel's transmittance is stored negative: it then takes nothing more.
    """
    through = _load(state, offset)
    share = _multiply(alpha, through)
    left = _subtract(through, share)
    finished = _repeat(_FINISHED)
    zero = _repeat(_ZERO)
    minus = _subtract(zero, through)
    stopped = _where_above(through, minus, minus, through)
    _store(state, offset, _where_above(left, finished, left, stopped))
    return _where_above(left, finished, share, zero)


@numba.njit(cache=True, nogil=True, inline="always")
def _accumulate(state, offset, weight, color):  # type: ignore[no-untyped-def]
    _store(state, offset, _add(_load(state, offset), _multiply(weight, color)))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _all_finished(state, rows, columns):  # type: ignore[no-untyped-def]
    for row in range(rows):
        for column in range(columns):
            if state[row * TILE + column] > _ZERO:
                return False
    return True


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _draw_splat(state, splat, x, y, rows, channels):  # type: ignore[no-untyped-def]
    """One splat over one tile whose state it changes; (x, y) is its centre in the tile."""
    reach_x, reach_y = splat[_REACH_X], splat[_REACH_Y]
    top = max(0, int(np.ceil(y - reach_y - _HALF)))
    bottom = min(rows - 1, int(np.floor(y + reach_y - _HALF)))
    first = max(0, int(np.ceil(x - reach_x - _HALF)))
    last = min(TILE - 1, int(np.floor(x + reach_x - _HALF)))
    # The same columns in every row: finding each row's own costs more than the lanes it saves.
    vectors = 1 if last - first < LANES else TILE // LANES
    first = min(first, TILE - vectors * LANES)
    across = _repeat(splat[_ACROSS])
    red = _repeat(splat[_COLUMNS])
    green = _repeat(splat[_COLUMNS + 1])
    blue = _repeat(splat[_COLUMNS + 2])
    left = _add(_steps(), _repeat(np.float32(first) + _HALF - x))
    for row in range(top, bottom + 1):
        dy = np.float32(row) + _HALF - y
        base = _repeat(dy * dy * splat[_DOWN] - splat[_LOG_OPACITY])
        u = _add(left, _repeat(splat[_SHEAR] * dy))
        offset = row * TILE + first
        for _ in range(vectors):
            alpha = _alpha(_add(_multiply(_multiply(u, u), across), base))
            weight = _weight(state, offset, alpha)
            _accumulate(state, offset + _PLANE, weight, red)
            _accumulate(state, offset + 2 * _PLANE, weight, green)
            _accumulate(state, offset + 3 * _PLANE, weight, blue)
            for channel in range(3, channels):
                plane = offset + (channel + 1) * _PLANE
                _accumulate(state, plane, weight, _repeat(splat[_COLUMNS + channel]))
            u = _add(u, _repeat(np.float32(LANES)))
            offset += LANES


@numba.njit(cache=True, nogil=True, error_model="numpy")
def draw_tiles(packed, starts, members, background, tiles, colors, alphas):  # type: ignore[no-untyped-def]
    """Draw the tiles ``tiles[0]`` to ``tiles[1] - 1`` front to back; no two tiles share a pixel.

    Args:
        packed: (M, 8 + D) float32, at least three channels, front to back.
        starts: (T + 1,) int64, where each tile's list begins in ``members``.
        members: int32, rows of ``packed``.
        background: (D,) float32, seen through what is left of the transmittance.
        tiles: two integers.
        colors: (H, W, D) float32, written.
        alphas: (H, W) float32, written.
    """
    height, width, channels = colors.shape
    planes = packed.shape[1] - _COLUMNS
    planar = np.empty((1 + planes, _PLANE), np.float32)
    state = planar.reshape(-1)
    across = (width + TILE - 1) // TILE
    for tile in range(tiles[0], tiles[1]):
        left, top = tile % across * TILE, tile // across * TILE
        rows, columns = min(TILE, height - top), min(TILE, width - left)
        planar[0] = _ONE
        planar[1:] = _ZERO
        for k in range(starts[tile], starts[tile + 1]):
            splat = packed[members[k]]
            x, y = splat[_X] - np.float32(left), splat[_Y] - np.float32(top)
            _draw_splat(state, splat, x, y, rows, planes)
            drawn = k + 1 - starts[tile]
            if drawn % _PATIENCE == 0 and _all_finished(state, rows, columns):
                break
        for row in range(rows):
            for column in range(columns):
                pixel = row * TILE + column
                through = abs(planar[0, pixel])
                alphas[top + row, left + column] = _ONE - through
                for channel in range(channels):
                    seen = planar[1 + channel, pixel] + through * background[channel]
                    colors[top + row, left + column, channel] = seen
