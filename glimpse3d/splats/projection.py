"""Where splats land on the screen, in which order, and which tiles they touch. Compiled by numba.

Owns EWA projection (Zwicker et al. 2001, "EWA Volume Splatting"), the depth sort and the tile
lists. Must not know colours or pixels' values.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .kernels import kernel

ALPHA_THRESHOLD = 1.0 / 255.0
_LOG_THRESHOLD = np.log(ALPHA_THRESHOLD)
# The Jacobian is taken at most this far outside the picture, in half fields of view.
MARGIN = 0.3
TILE = 16
_TILE_BITS = 4
# Pixels: what is larger or farther than this comes of values without sense, and fits no integer.
_FARTHEST = 1e9

# Columns of ``Screen.ellipses``. With u = x - X + SHEAR * (y - Y) the falloff is
# exp(-8 * (ACROSS * u^2 + DOWN * (y - Y)^2) + LOG_OPACITY * 8): one square less than the usual
# form, never negative, and each row's extent is known in closed form.
X, Y, SHEAR, ACROSS, DOWN, LOG_OPACITY, REACH_X, REACH_Y = range(8)
COLUMNS = 8


class Geometry(NamedTuple):
    """Splats as they are stored; float32, contiguous.

    Attributes:
        means: (N, 3) metres.
        quaternions: (N, 4) wxyz, of any length.
        scales: (N, 3) metres.
        opacities: (N,).
    """

    means: np.ndarray
    quaternions: np.ndarray
    scales: np.ndarray
    opacities: np.ndarray


class Screen(NamedTuple):
    """Every splat as one camera sees it.

    Attributes:
        ellipses: (N, 8) float32, see the columns above; pixels.
        depths: (N,) float32 along the camera's axis; 0 for a splat that is not seen.
        opacities: (N,) float32, 0..1, lowered in antialiased mode.
        visible: (M,) int32, indices of the splats that are seen, ascending.
    """

    ellipses: np.ndarray
    depths: np.ndarray
    opacities: np.ndarray
    visible: np.ndarray


class Tiles(NamedTuple):
    """What each tile draws, tiles row by row.

    Attributes:
        order: (M,) int32, indices of splats, front to back.
        packed: (M, 8 + D) float32, in that order: a splat's columns, then its colour.
        starts: (T + 1,) int64, where each tile's list begins in ``members``.
        members: int32, rows of ``packed``, ascending in each tile.
        firsts: (M + 1,) int64, where each splat's tiles begin in ``hits``.
        hits: int32, where in ``members`` each splat stands, tile by tile.
    """

    order: np.ndarray
    packed: np.ndarray
    starts: np.ndarray
    members: np.ndarray
    firsts: np.ndarray
    hits: np.ndarray


class Lens(NamedTuple):
    """The scalars of a projection: float64 pixels, metres; ``antialiased`` is a bool."""

    width: int
    height: int
    near: float
    far: float
    blur: float
    radius_clip: float
    antialiased: bool


@kernel
def _screen_covariance(quaternion, scale, local, view, K, lens):  # type: ignore[no-untyped-def]
    """(xx, xy, yy) in square pixels, before blur."""
    w, x, y, z = quaternion[0], quaternion[1], quaternion[2], quaternion[3]
    n = 2.0 / (w * w + x * x + y * y + z * z)
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    inverse = 1.0 / local[2]
    margin_x, margin_y = MARGIN * 0.5 * lens.width / fx, MARGIN * 0.5 * lens.height / fy
    tx = min((lens.width - cx) / fx + margin_x, max(-cx / fx - margin_x, local[0] * inverse))
    ty = min((lens.height - cy) / fy + margin_y, max(-cy / fy - margin_y, local[1] * inverse))
    jx, jy = fx * inverse, fy * inverse
    xx, xy, yy = 0.0, 0.0, 0.0
    for axis in range(3):
        # One column of the splat's rotation, so one of its axes in the world.
        if axis == 0:
            a, b, c = 1.0 - n * (y * y + z * z), n * (x * y + w * z), n * (x * z - w * y)
        elif axis == 1:
            a, b, c = n * (x * y - w * z), 1.0 - n * (x * x + z * z), n * (y * z + w * x)
        else:
            a, b, c = n * (x * z + w * y), n * (y * z - w * x), 1.0 - n * (x * x + y * y)
        s = scale[axis]
        deep = view[2, 0] * a + view[2, 1] * b + view[2, 2] * c
        right = s * jx * (view[0, 0] * a + view[0, 1] * b + view[0, 2] * c - tx * deep)
        down = s * jy * (view[1, 0] * a + view[1, 1] * b + view[1, 2] * c - ty * deep)
        xx += right * right
        xy += right * down
        yy += down * down
    return xx, xy, yy


@kernel
def _fill_screen(means, quaternions, scales, given, view, K, lens, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (a ``Screen``) and return how many splats are seen.

    Comparisons are written so that NaN, wherever it comes from, means not seen.
    """
    ellipses, depths, opacities, visible = out
    count = 0
    local = np.empty(3)
    quaternion = np.empty(4)
    scale = np.empty(3)
    for i in range(means.shape[0]):
        depths[i] = 0.0
        opacities[i] = 0.0
        for k in range(COLUMNS):
            ellipses[i, k] = 0.0
        for k in range(3):
            local[k] = view[k, 3]
            scale[k] = scales[i, k]
            for j in range(3):
                local[k] += view[k, j] * means[i, j]
        for k in range(4):
            quaternion[k] = quaternions[i, k]
        if not (lens.near <= local[2] <= lens.far):
            continue
        xx, xy, yy = _screen_covariance(quaternion, scale, local, view, K, lens)
        sharp = xx * yy - xy * xy
        xx += lens.blur
        yy += lens.blur
        area = xx * yy - xy * xy
        if not area > 0.0:
            continue
        opacity = np.float64(given[i])
        if lens.antialiased:
            opacity *= np.sqrt(max(0.0, sharp / area))
        if not opacity >= ALPHA_THRESHOLD:
            continue
        reach = 2.0 * np.log(opacity / ALPHA_THRESHOLD)
        reach_x, reach_y = np.sqrt(reach * xx), np.sqrt(reach * yy)
        centre_x = K[0, 0] * local[0] / local[2] + K[0, 2]
        centre_y = K[1, 1] * local[1] / local[2] + K[1, 2]
        if not max(reach_x, reach_y, abs(centre_x), abs(centre_y)) < _FARTHEST:
            continue
        radius_x, radius_y = np.ceil(reach_x), np.ceil(reach_y)
        if radius_x <= lens.radius_clip and radius_y <= lens.radius_clip:
            continue
        if not (centre_x + radius_x > 0.0 and centre_x - radius_x < lens.width):
            continue
        if not (centre_y + radius_y > 0.0 and centre_y - radius_y < lens.height):
            continue
        depths[i] = local[2]
        opacities[i] = opacity
        row = ellipses[i]
        row[X], row[Y] = centre_x, centre_y
        row[SHEAR] = -xy / yy
        row[ACROSS] = yy / area / 16.0
        row[DOWN] = 1.0 / yy / 16.0
        row[LOG_OPACITY] = (0.5 * reach + _LOG_THRESHOLD) / 8.0
        row[REACH_X], row[REACH_Y] = reach_x, reach_y
        visible[count] = i
        count += 1
    return count


def project(geometry: Geometry, view: np.ndarray, K: np.ndarray, lens: Lens) -> Screen:
    """Project every splat and drop those that are not seen.

    Args:
        geometry: in any world.
        view: (4, 4) float64, camera from world.
        K: (3, 3) float64, pixels.
        lens: the picture's size and the limits.
    """
    count = len(geometry.means)
    screen = Screen(
        np.empty((count, COLUMNS), np.float32),
        np.empty(count, np.float32),
        np.empty(count, np.float32),
        np.empty(count, np.int32),
    )
    seen = _fill_screen(*geometry, view, K, lens, screen)
    return screen._replace(visible=screen.visible[:seen])


@kernel
def describe(ellipses, means2d, conics, radii):  # type: ignore[no-untyped-def]
    """Fill in gsplat's terms: centres (N, 2), inverse covariances (N, 3), radii (N, 2) int32."""
    for i in range(ellipses.shape[0]):
        row = ellipses[i]
        means2d[i, 0], means2d[i, 1] = row[X], row[Y]
        across = row[ACROSS] * 16
        conics[i, 0] = across
        conics[i, 1] = across * row[SHEAR]
        conics[i, 2] = row[DOWN] * 16 + across * row[SHEAR] * row[SHEAR]
        radii[i, 0], radii[i, 1] = np.ceil(row[REACH_X]), np.ceil(row[REACH_Y])


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
def _tile_range(ellipse, x, reach, size):  # type: ignore[no-untyped-def]
    """First and last tile along one axis whose pixel centres are reached; last < first: none."""
    first = max(0, int(np.ceil(ellipse[x] - ellipse[reach] - 0.5)))
    last = min(size - 1, int(np.floor(ellipse[x] + ellipse[reach] - 0.5)))
    if last < first:
        return 1, 0
    return first >> _TILE_BITS, last >> _TILE_BITS


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
    columns, rows = (width + TILE - 1) // TILE, (height + TILE - 1) // TILE
    starts = np.zeros(columns * rows + 1, np.int64)
    for k in range(packed.shape[0]):
        left, right = _tile_range(packed[k], X, REACH_X, width)
        top, bottom = _tile_range(packed[k], Y, REACH_Y, height)
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
        left, right = _tile_range(packed[k], X, REACH_X, width)
        top, bottom = _tile_range(packed[k], Y, REACH_Y, height)
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
