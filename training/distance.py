"""Compiled loops over a signed-distance program: its distance, its cells, what rays meet.

Owns the layout of instruction rows and everything that is asked of a solid point by point. It all
stands in one file, as the compiler's disk cache does not see changes elsewhere. Must not know
families, light, colour or files. Lengths are object units, directions the object's (Z up).

Distance formulas follow the well-known closed forms for signed-distance primitives (I. Quilez,
"distance functions"); the ellipsoid's is a first-order one. Marching is sphere tracing (J. Hart,
1996), begun from cones over tiles of pixels.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np

ELLIPSOID, BOX, CAPSULE, FRUSTUM, TORUS, LATHE, EXTRUSION = range(7)
UNION, SUBTRACT, INTERSECT = range(3)

# Columns of an instruction row.
KIND, OPERATION, BLEND, MATERIAL, CENTRE, MATRIX, REACH = 0, 1, 2, 3, 4, 7, 16
HOLLOW, CLIP, CLIP_OFFSET, CLIPPED, BUMP, BUMP_FREQUENCY = 17, 18, 21, 22, 23, 24
SIZE, FIRST_CORNER, CORNERS = 25, 33, 34
INSTRUCTION = 35
# Entries of a deformation: x += BEND z^2 + WAVE sin(...), a twist about Z, and its stretch bound.
BEND_X, BEND_Y, WAVE, WAVE_FREQUENCY, WAVE_PHASE, TWIST, STRETCH = range(7)
DEFORMATION = 7
# Entries of a hit: how far, where, the unit normal, the material.
FAR_OFF, AT, NORMAL, WHICH = 0, 1, 4, 7
HIT = 8
NOTHING = 1e9
AREA = 32  # cells a side of the coarse distance grid
TILE = 8  # pixels a side of what one cone starts for


class Solid(NamedTuple):
    """A signed-distance program, as the loops read it.

    Attributes:
        rows: (N, INSTRUCTION) float64, carried out in order.
        corners: (M, 2) float64, of all polygons.
        deformation: (DEFORMATION,) float64.
    """

    rows: np.ndarray
    corners: np.ndarray
    deformation: np.ndarray


class Pinhole(NamedTuple):
    """A camera in the object's frame.

    Attributes:
        eye: (3,) float64, where it stands.
        turn: (3, 3) float64, its axes (x right, y down, z forward) as columns; their common length
            is one unit of depth.
        tangent: half the picture's side over the depth.
    """

    eye: np.ndarray
    turn: np.ndarray
    tangent: float


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _polygon(corners, first, count, x, y):  # type: ignore[no-untyped-def]
    """Signed distance to a simple polygon, negative inside."""
    best = NOTHING
    inside = False
    last = first + count - 1
    for index in range(first, first + count):
        ax, ay, bx, by = corners[index, 0], corners[index, 1], corners[last, 0], corners[last, 1]
        ex, ey, wx, wy = bx - ax, by - ay, x - ax, y - ay
        along = (wx * ex + wy * ey) / (ex * ex + ey * ey + 1e-18)
        along = min(1.0, max(0.0, along))
        qx, qy = wx - ex * along, wy - ey * along
        best = min(best, qx * qx + qy * qy)
        if (ay > y) != (by > y) and x < ex * (y - ay) / ey + ax:
            inside = not inside
        last = index
    return -math.sqrt(best) if inside else math.sqrt(best)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _primitive(row, corners, x, y, z):  # type: ignore[no-untyped-def]
    """Signed distance to one primitive in its own axes; SIZE holds what each branch reads."""
    kind = int(row[KIND])
    a, b, c = row[SIZE], row[SIZE + 1], row[SIZE + 2]
    if kind == ELLIPSOID:  # radii a, b, c
        k0 = math.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2)
        if k0 < 1e-6:
            return -min(a, min(b, c))
        k1 = math.sqrt((x / (a * a)) ** 2 + (y / (b * b)) ** 2 + (z / (c * c)) ** 2)
        distance = k0 * (k0 - 1.0) / k1
        return max(distance, -min(a, min(b, c)))
    if kind == BOX:  # half sizes a, b, c; rounding; taper of x and y towards +z
        rounding = row[SIZE + 3]
        h = min(1.0, max(-1.0, z / c))
        sx, sy = 1.0 + row[SIZE + 4] * h, 1.0 + row[SIZE + 5] * h
        qx = abs(x) - a * sx + rounding
        qy = abs(y) - b * sy + rounding
        qz = abs(z) - c + rounding
        ox, oy, oz = max(qx, 0.0), max(qy, 0.0), max(qz, 0.0)
        out = math.sqrt(ox * ox + oy * oy + oz * oz) + min(max(qx, max(qy, qz)), 0.0) - rounding
        steep = max(abs(row[SIZE + 4]) * a, abs(row[SIZE + 5]) * b) / c
        return out / math.sqrt(1.0 + steep * steep)
    if kind == CAPSULE:  # radius a at -c/2, b at c/2; y flattened by the fourth size
        flat, z = row[SIZE + 3], z + 0.5 * c
        y = y / flat
        q = math.sqrt(x * x + y * y)
        slope = (a - b) / c
        if slope >= 1.0 or slope <= -1.0:  # one ball holds the other
            if a > b:
                return (math.sqrt(q * q + z * z) - a) * min(1.0, flat)
            return (math.sqrt(q * q + (z - c) ** 2) - b) * min(1.0, flat)
        lean = math.sqrt(1.0 - slope * slope)
        side = lean * z - slope * q
        if side < 0.0:
            distance = math.sqrt(q * q + z * z) - a
        elif side > lean * c:
            distance = math.sqrt(q * q + (z - c) ** 2) - b
        else:
            distance = q * lean + z * slope - a
        return distance * min(1.0, flat)
    if kind == FRUSTUM:  # radius a at -c, b at +c; rounding; y flattened
        rounding, flat = row[SIZE + 3], row[SIZE + 4]
        y = y / flat
        a, b, c = a - rounding, b - rounding, c - rounding
        q = math.sqrt(x * x + y * y)
        cap_x = q - min(q, a if z < 0.0 else b)
        cap_z = abs(z) - c
        ex, ez = b - a, 2.0 * c
        along = ((b - q) * ex + (c - z) * ez) / (ex * ex + ez * ez)
        along = min(1.0, max(0.0, along))
        side_x, side_z = q - b + ex * along, z - c + ez * along
        sign = -1.0 if side_x < 0.0 and cap_z < 0.0 else 1.0
        best = min(cap_x * cap_x + cap_z * cap_z, side_x * side_x + side_z * side_z)
        return (sign * math.sqrt(best) - rounding) * min(1.0, flat)
    if kind == TORUS:  # ring radius a, tube radius b, tube flattened along z by c
        q = math.sqrt(x * x + y * y) - a
        return (math.sqrt(q * q + (z / c) ** 2) - b) * min(1.0, c)
    first, count = int(row[FIRST_CORNER]), int(row[CORNERS])
    if kind == LATHE:  # polygon of (radius, z), rounding a, x flattened by b
        x = x / b
        q = math.sqrt(x * x + y * y)
        return (_polygon(corners, first, count, q, z) - a) * min(1.0, b)
    flat = _polygon(corners, first, count, x, z)  # EXTRUSION along y: half thickness a, rounding b
    qx, qy = flat + b, abs(y) - a + b
    ox, oy = max(qx, 0.0), max(qy, 0.0)
    return math.sqrt(ox * ox + oy * oy) + min(max(qx, qy), 0.0) - b


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _deform(deformation, x, y, z):  # type: ignore[no-untyped-def]
    """Where a point of the deformed object lies in the straight one."""
    shift = deformation[WAVE] * math.sin(deformation[WAVE_FREQUENCY] * z + deformation[WAVE_PHASE])
    x = x + deformation[BEND_X] * z * z + shift
    y = y + deformation[BEND_Y] * z * z
    if deformation[TWIST] != 0.0:
        cosine, sine = math.cos(deformation[TWIST] * z), math.sin(deformation[TWIST] * z)
        x, y = cosine * x - sine * y, sine * x + cosine * y
    return x, y, z


@numba.njit(cache=True, nogil=True, error_model="numpy")
def evaluate(solid, active, count, x, y, z):  # type: ignore[no-untyped-def]
    """Distance bound and material at a point, of the ``count`` rows that ``active`` names."""
    rows, corners, stretch = solid.rows, solid.corners, solid.deformation[STRETCH]
    if stretch > 1.0:
        x, y, z = _deform(solid.deformation, x, y, z)
    distance, material = NOTHING, 0
    for position in range(count):
        row = rows[active[position]]
        dx, dy, dz = x - row[CENTRE], y - row[CENTRE + 1], z - row[CENTRE + 2]
        operation, blend = int(row[OPERATION]), row[BLEND]
        if operation != INTERSECT:
            bound = math.sqrt(dx * dx + dy * dy + dz * dz) - row[REACH]
            if operation == UNION and bound > distance + blend:
                continue
            if operation == SUBTRACT and -bound < distance - blend:
                continue
        lx = row[MATRIX] * dx + row[MATRIX + 1] * dy + row[MATRIX + 2] * dz
        ly = row[MATRIX + 3] * dx + row[MATRIX + 4] * dy + row[MATRIX + 5] * dz
        lz = row[MATRIX + 6] * dx + row[MATRIX + 7] * dy + row[MATRIX + 8] * dz
        part = _primitive(row, corners, lx, ly, lz)
        if row[HOLLOW] > 0.0:
            part = abs(part) - row[HOLLOW]
        if row[CLIPPED] > 0.0:
            plane = lx * row[CLIP] + ly * row[CLIP + 1] + lz * row[CLIP + 2] - row[CLIP_OFFSET]
            part = max(part, plane)
        if row[BUMP] > 0.0:
            f = row[BUMP_FREQUENCY]
            wave = math.sin(f * lx) * math.sin(f * ly + 1.0) * math.sin(f * lz + 2.0)
            part = (part + row[BUMP] * wave) / (1.0 + row[BUMP] * f)
        if operation == UNION:
            if part < distance:
                material = int(row[MATERIAL])
            near = max(blend - abs(part - distance), 0.0)
            distance = min(part, distance)
            if near > 0.0:
                distance -= near * near / (4.0 * blend)
        elif operation == SUBTRACT:
            near = max(blend - abs(distance + part), 0.0)
            if -part > distance and row[MATERIAL] >= 0.0:
                material = int(row[MATERIAL])
            distance = max(distance, -part)
            if near > 0.0:
                distance += near * near / (4.0 * blend)
        else:
            distance = max(distance, part)
    return distance / stretch, material


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _within(solid, active, radius, x, y, z):  # type: ignore[no-untyped-def]
    """Fill ``active`` with the rows that matter inside a ball; returns how many."""
    rows, stretch = solid.rows, solid.deformation[STRETCH]
    if stretch > 1.0:
        x, y, z = _deform(solid.deformation, x, y, z)
    count = 0
    for index in range(rows.shape[0]):
        row = rows[index]
        dx, dy, dz = x - row[CENTRE], y - row[CENTRE + 1], z - row[CENTRE + 2]
        gap = math.sqrt(dx * dx + dy * dy + dz * dz) - row[REACH] - 2.0 * row[BLEND]
        if row[OPERATION] == INTERSECT or gap <= radius * stretch:
            active[count] = index
            count += 1
    return count


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _along(solid, active, origin, ray, spread):  # type: ignore[no-untyped-def]
    """Fill ``active`` with the rows that a cone of rays may meet; returns how many."""
    rows, stretch = solid.rows, solid.deformation[STRETCH]
    count = 0
    for index in range(rows.shape[0]):
        row = rows[index]
        dx, dy, dz = (
            row[CENTRE] - origin[0],
            row[CENTRE + 1] - origin[1],
            row[CENTRE + 2] - origin[2],
        )
        t = dx * ray[0] + dy * ray[1] + dz * ray[2]
        off = math.sqrt(max(dx * dx + dy * dy + dz * dz - t * t, 0.0))
        gap = off - spread * abs(t) * 1.05 - (row[REACH] + 2.0 * row[BLEND]) * (1.0 + spread)
        if stretch > 1.0 or row[OPERATION] == INTERSECT or gap <= 0.0:
            active[count] = index
            count += 1
    return count


@numba.njit(cache=True, nogil=True, error_model="numpy")
def coarse_distance(solid, half):  # type: ignore[no-untyped-def]
    """(AREA, AREA, AREA) float32 distances on the cube of half side ``half``, axes x, y, z."""
    grid = np.empty((AREA, AREA, AREA), np.float32)
    active = np.arange(solid.rows.shape[0])
    step = 2.0 * half / AREA
    for i in range(AREA):
        for j in range(AREA):
            for k in range(AREA):
                x, y, z = (
                    -half + (i + 0.5) * step,
                    -half + (j + 0.5) * step,
                    -half + (k + 0.5) * step,
                )
                grid[i, j, k] = evaluate(solid, active, active.shape[0], x, y, z)[0]
    return grid


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _normal(solid, active, count, x, y, z, size):  # type: ignore[no-untyped-def]
    """Unit gradient from four corners of a tetrahedron of edge ``size``."""
    nx, ny, nz = 0.0, 0.0, 0.0
    for corner in range(4):
        sx = 1.0 if corner in (0, 3) else -1.0
        sy = 1.0 if corner in (1, 3) else -1.0
        sz = 1.0 if corner in (2, 3) else -1.0
        d = evaluate(solid, active, count, x + sx * size, y + sy * size, z + sz * size)[0]
        nx, ny, nz = nx + sx * d, ny + sy * d, nz + sz * d
    length = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-12
    return nx / length, ny / length, nz / length


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _march(solid, active, count, origin, ray, t, end, eps):  # type: ignore[no-untyped-def]
    """How far along a ray the surface is; -1 if it never meets it."""
    for _ in range(80):
        d = evaluate(
            solid, active, count,
            origin[0] + ray[0] * t, origin[1] + ray[1] * t, origin[2] + ray[2] * t,
        )[0]  # fmt: skip
        if d < eps:
            return t
        t += d
        if t > end:
            break
    return -1.0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _hit(solid, active, count, origin, ray, begin, end, pixel, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (HIT,) with what a ray meets; ``pixel`` is a pixel's width there."""
    t = _march(solid, active, count, origin, ray, begin, end, 0.15 * pixel)
    if t < 0.0:
        return
    x, y, z = origin[0] + ray[0] * t, origin[1] + ray[1] * t, origin[2] + ray[2] * t
    out[FAR_OFF], out[AT], out[AT + 1], out[AT + 2] = t, x, y, z
    normal = _normal(solid, active, count, x, y, z, 0.4 * pixel)
    out[NORMAL], out[NORMAL + 1], out[NORMAL + 2] = normal
    out[WHICH] = evaluate(solid, active, count, x, y, z)[1]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _cone_start(solid, active, count, origin, ray, spread, start, end):  # type: ignore[no-untyped-def]
    """How far a whole cone of rays may go before one of them can meet the surface; -1: past it."""
    t = start
    for _ in range(64):
        d = evaluate(
            solid, active, count,
            origin[0] + ray[0] * t, origin[1] + ray[1] * t, origin[2] + ray[2] * t,
        )[0]  # fmt: skip
        gap = d - spread * t
        if gap < 1e-4:
            return t
        t += gap / (1.0 + spread)
        if t > end:
            return -1.0
    return t


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _ray(camera, u, v, ray):  # type: ignore[no-untyped-def]
    """Unit direction, in the object's axes, through picture coordinates u, v in 0..1."""
    turn = camera.turn
    x, y = (2.0 * u - 1.0) * camera.tangent, (2.0 * v - 1.0) * camera.tangent
    for axis in range(3):
        ray[axis] = turn[axis, 0] * x + turn[axis, 1] * y + turn[axis, 2]
    ray /= math.sqrt(ray[0] ** 2 + ray[1] ** 2 + ray[2] ** 2)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _tile(solid, camera, half, active, left, top, size, ray):  # type: ignore[no-untyped-def]
    """Which rows a tile of pixels may meet and how far off: (count, distance or -1)."""
    reach = half * 1.7321
    middle = math.sqrt(camera.eye[0] ** 2 + camera.eye[1] ** 2 + camera.eye[2] ** 2)
    spread = camera.tangent * TILE / size * 1.45
    _ray(camera, (left + TILE / 2) / size, (top + TILE / 2) / size, ray)
    count = _along(solid, active, camera.eye, ray, spread)
    if count == 0:
        return 0, -1.0
    start = max(1e-3, middle - reach)
    begin = _cone_start(solid, active, count, camera.eye, ray, spread, start, middle + reach)
    return count, begin


@numba.njit(cache=True, nogil=True, error_model="numpy")
def first_hits(solid, camera, half, wanted, offsets):  # type: ignore[no-untyped-def]
    """What rays through some pixels meet first.

    ``half`` is half the side of the cube about the origin that holds the solid, ``wanted`` (S, S)
    bool are the pixels to look through, ``offsets`` (R, 2) the rays inside a pixel, in 0..1.

    Returns:
        (S, S, R, HIT) float32; FAR_OFF is -1 where a ray meets nothing or was not wanted.
    """
    size, rays = wanted.shape[0], offsets.shape[0]
    out = np.zeros((size, size, rays, HIT), np.float32)
    out[..., FAR_OFF] = -1.0
    active = np.empty(solid.rows.shape[0], np.int64)
    ray = np.empty(3)
    end = math.sqrt((camera.eye**2).sum()) + half * 1.7321
    for top in range(0, size, TILE):
        for left in range(0, size, TILE):
            count, begin = _tile(solid, camera, half, active, left, top, size, ray)
            if begin < 0.0:
                continue
            pixel = 2.0 * camera.tangent / size * begin
            for row in range(top, top + TILE):
                for column in range(left, left + TILE):
                    for index in range(rays if wanted[row, column] else 0):
                        u = (column + offsets[index, 0]) / size
                        v = (row + offsets[index, 1]) / size
                        _ray(camera, u, v, ray)
                        _hit(
                            solid, active, count, camera.eye, ray, begin, end,
                            pixel, out[row, column, index],
                        )  # fmt: skip
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def last_hits(solid, camera, half, size):  # type: ignore[no-untyped-def]
    """What the ray through each pixel's centre leaves last: (size, size, 1, HIT) float32."""
    out = np.zeros((size, size, 1, HIT), np.float32)
    out[..., FAR_OFF] = -1.0
    reach = half * 1.7321
    end = math.sqrt((camera.eye**2).sum()) + reach
    active = np.empty(solid.rows.shape[0], np.int64)
    ray, far = np.empty(3), np.empty(3)
    pixel = camera.tangent / size * (end - reach)
    for row in range(size):
        for column in range(size):
            _ray(camera, (column + 0.5) / size, (row + 0.5) / size, ray)
            count = _along(solid, active, camera.eye, ray, camera.tangent / size)
            if count == 0:
                continue
            for axis in range(3):
                far[axis] = camera.eye[axis] + ray[axis] * end
                ray[axis] = -ray[axis]
            _hit(solid, active, count, far, ray, 0.0, 2.0 * reach, 2.0 * pixel, out[row, column, 0])
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def fill_frustum(solid, camera, slopes, depths, cell):  # type: ignore[no-untyped-def]
    """Soft occupancy of frustum cells: (row, column, bin) uint8, 255 inside, 128 at the surface.

    ``slopes`` (S,) and ``depths`` (B,) are the cells' centres, multiples of eight many; ``cell``
    is the length over which occupancy goes from full to empty.
    """
    size, bins, block = slopes.shape[0], depths.shape[0], 8
    out = np.zeros((size, size, bins), np.uint8)
    everything = np.arange(solid.rows.shape[0])
    active = np.empty(solid.rows.shape[0], np.int64)
    pitch, thick = slopes[1] - slopes[0], depths[1] - depths[0]
    for top in range(0, size, block):
        for left in range(0, size, block):
            x, y = 0.5 * (slopes[left] + slopes[left + 7]), 0.5 * (slopes[top] + slopes[top + 7])
            for near in range(0, bins, block):
                depth = 0.5 * (depths[near] + depths[near + 7])
                across = 0.5 * block * pitch * depths[near + 7] * 1.4143
                slant = math.sqrt(1.0 + x * x + y * y)
                radius = math.sqrt(across**2 + (0.5 * block * thick * slant) ** 2) * 1.05
                px, py, pz = _place(camera, x, y, depth)
                d = evaluate(solid, everything, everything.shape[0], px, py, pz)[0]
                if d > radius + cell:
                    continue
                if d < -radius - cell:
                    out[top : top + block, left : left + block, near : near + block] = 255
                    continue
                count = _within(solid, active, radius + cell, px, py, pz)
                for row in range(top, top + block):
                    for column in range(left, left + block):
                        for index in range(near, near + block):
                            px, py, pz = _place(camera, slopes[column], slopes[row], depths[index])
                            d = evaluate(solid, active, count, px, py, pz)[0]
                            share = min(1.0, max(0.0, 0.5 - d / cell))
                            out[row, column, index] = int(255.0 * share + 0.5)
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _place(camera, x, y, depth):  # type: ignore[no-untyped-def]
    """A point of the frustum in the object's axes."""
    x, y, eye, turn = x * depth, y * depth, camera.eye, camera.turn
    return (
        eye[0] + turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] * depth,
        eye[1] + turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] * depth,
        eye[2] + turn[2, 0] * x + turn[2, 1] * y + turn[2, 2] * depth,
    )
