"""Fewer triangles for the same shape, without ever tearing or pinching the surface.

Owns edge collapses by quadric error (Garland and Heckbert 1997) under the link condition (Dey et
al. 1999): a closed manifold stays one, with the same pieces and the same holes. Common decimation
libraries leave the link condition out, and now and then leave an edge with four faces behind.
Must not know textures: simplify first, texture afterwards.
"""

from __future__ import annotations

import numba
import numpy as np

from .isosurface import compact

# A collapse may turn no face by more than this: cosine of the angle between its normals.
_LEAST_COSINE = 0.2
# A face becomes no flatter than this: its height over its longest side.
_LEAST_HEIGHT = 1e-3
# Pull towards the middle of an edge, as a part of the quadric's own weight; it settles where on a
# flat or straight part the new vertex goes.
_CENTRING = 1e-3
_QUARTER = 0.25


@numba.njit(cache=True, nogil=True)
def _link_corners(faces, first, last, following):  # type: ignore[no-untyped-def]
    """Chain the corners (3 * face + k) that touch each vertex."""
    first[:] = -1
    for corner in range(faces.size):
        vertex = faces[corner // 3, corner % 3]
        following[corner] = -1
        if first[vertex] < 0:
            first[vertex] = corner
        else:
            following[last[vertex]] = corner
        last[vertex] = corner


@numba.njit(cache=True, nogil=True)
def _normal(vertices, a, b, x, y, z):  # type: ignore[no-untyped-def]
    """The cross product of edge (a, b) with the way from a to (x, y, z): twice the area long."""
    ux, uy, uz = (
        vertices[b, 0] - vertices[a, 0],
        vertices[b, 1] - vertices[a, 1],
        vertices[b, 2] - vertices[a, 2],
    )
    vx, vy, vz = x - vertices[a, 0], y - vertices[a, 1], z - vertices[a, 2]
    return uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx


@numba.njit(cache=True, nogil=True)
def _face_quadrics(vertices, faces, quadrics):  # type: ignore[no-untyped-def]
    """Add each face's plane, weighted by its area, to its corners: xx xy xz yy yz zz x y z 1."""
    for index in range(faces.shape[0]):
        a, b, c = faces[index, 0], faces[index, 1], faces[index, 2]
        x, y, z = _normal(vertices, a, b, vertices[c, 0], vertices[c, 1], vertices[c, 2])
        length = np.sqrt(x * x + y * y + z * z)
        if length == 0.0:
            continue
        x, y, z = x / length, y / length, z / length
        offset = -(x * vertices[a, 0] + y * vertices[a, 1] + z * vertices[a, 2])
        for corner in range(3):
            vertex = faces[index, corner]
            quadrics[vertex, 0] += length * x * x
            quadrics[vertex, 1] += length * x * y
            quadrics[vertex, 2] += length * x * z
            quadrics[vertex, 3] += length * y * y
            quadrics[vertex, 4] += length * y * z
            quadrics[vertex, 5] += length * z * z
            quadrics[vertex, 6] += length * x * offset
            quadrics[vertex, 7] += length * y * offset
            quadrics[vertex, 8] += length * z * offset
            quadrics[vertex, 9] += length * offset * offset


@numba.njit(cache=True, nogil=True)
def _best_position(vertices, quadrics, a, b, place):  # type: ignore[no-untyped-def]
    """Write the position that edge (a, b) should shrink to; return its error."""
    qa, qb = quadrics[a], quadrics[b]
    sxx, sxy, sxz = qa[0] + qb[0], qa[1] + qb[1], qa[2] + qb[2]
    syy, syz, szz = qa[3] + qb[3], qa[4] + qb[4], qa[5] + qb[5]
    sx, sy, sz = qa[6] + qb[6], qa[7] + qb[7], qa[8] + qb[8]
    mx = 0.5 * (vertices[a, 0] + vertices[b, 0])
    my = 0.5 * (vertices[a, 1] + vertices[b, 1])
    mz = 0.5 * (vertices[a, 2] + vertices[b, 2])
    pull = _CENTRING * (sxx + syy + szz) + 1e-300
    xx, yy, zz = sxx + pull, syy + pull, szz + pull
    rx, ry, rz = pull * mx - sx, pull * my - sy, pull * mz - sz
    cxx, cxy, cxz = yy * zz - syz * syz, sxz * syz - sxy * zz, sxy * syz - sxz * yy
    cyy, cyz, czz = xx * zz - sxz * sxz, sxy * sxz - xx * syz, xx * yy - sxy * sxy
    determinant = xx * cxx + sxy * cxy + sxz * cxz
    if determinant <= 0.0:
        x, y, z = mx, my, mz
    else:
        x = (cxx * rx + cxy * ry + cxz * rz) / determinant
        y = (cxy * rx + cyy * ry + cyz * rz) / determinant
        z = (cxz * rx + cyz * ry + czz * rz) / determinant
    place[0], place[1], place[2] = x, y, z
    error = sxx * x * x + syy * y * y + szz * z * z + qa[9] + qb[9]
    error += 2.0 * (sxy * x * y + sxz * x * z + syz * y * z + sx * x + sy * y + sz * z)
    away = (x - mx) ** 2 + (y - my) ** 2 + (z - mz) ** 2
    return max(error, 0.0) + pull * away


@numba.njit(cache=True, nogil=True)
def _ring(faces, alive, first, following, vertex, mark, stamp):  # type: ignore[no-untyped-def]
    """Mark the neighbours of a vertex with ``stamp``; return how many faces meet there."""
    valence = 0
    corner = first[vertex]
    while corner >= 0:
        index = corner // 3
        if alive[index]:
            valence += 1
            mark[faces[index, (corner + 1) % 3]] = stamp
            mark[faces[index, (corner + 2) % 3]] = stamp
        corner = following[corner]
    return valence


@numba.njit(cache=True, nogil=True)
def _keeps_topology(faces, alive, first, following, a, b, mark, stamp):  # type: ignore[no-untyped-def]
    """The link condition: a and b have exactly the two neighbours in common that they must."""
    valence_a = _ring(faces, alive, first, following, a, mark, stamp)
    valence_b, common = 0, 0
    corner = first[b]
    while corner >= 0:
        index = corner // 3
        if alive[index]:
            valence_b += 1
            # Around b every neighbour follows exactly once in its fan.
            if mark[faces[index, (corner + 1) % 3]] == stamp:
                common += 1
        corner = following[corner]
    return common == 2 and valence_a + valence_b >= 7


@numba.njit(cache=True, nogil=True)
def _keeps_shape(vertices, faces, alive, first, following, a, b, place):  # type: ignore[no-untyped-def]
    """No face around ``a`` but those of edge (a, b) turns over or shrinks to a line."""
    corner = first[a]
    while corner >= 0:
        index, k = corner // 3, corner % 3
        corner = following[corner]
        if not alive[index]:
            continue
        second, third = faces[index, (k + 1) % 3], faces[index, (k + 2) % 3]
        if second == b or third == b:
            continue
        nx, ny, nz = _normal(
            vertices, second, third, vertices[a, 0], vertices[a, 1], vertices[a, 2]
        )
        mx, my, mz = _normal(vertices, second, third, place[0], place[1], place[2])
        size = np.sqrt(mx * mx + my * my + mz * mz)
        before = np.sqrt(nx * nx + ny * ny + nz * nz)
        if nx * mx + ny * my + nz * mz <= _LEAST_COSINE * before * size:
            return False
        reach, base = 0.0, 0.0
        for axis in range(3):
            reach += (place[axis] - vertices[second, axis]) ** 2
            base += (vertices[third, axis] - vertices[second, axis]) ** 2
        if size < _LEAST_HEIGHT * max(reach, base):
            return False
    return True


@numba.njit(cache=True, nogil=True)
def _merge(faces, alive, first, last, following, a, b):  # type: ignore[no-untyped-def]
    """Let ``a`` take the place of ``b`` in every face; the two faces between them end."""
    corner = first[b]
    while corner >= 0:
        index, k = corner // 3, corner % 3
        if alive[index]:
            if faces[index, (k + 1) % 3] == a or faces[index, (k + 2) % 3] == a:
                alive[index] = False
            else:
                faces[index, k] = a
        corner = following[corner]
    following[last[a]] = first[b]
    last[a] = last[b]


@numba.njit(cache=True, nogil=True)
def _edge_errors(vertices, faces, quadrics):  # type: ignore[no-untyped-def]
    """(F,) error of the edge from each face's first to its second corner: a sample of all."""
    errors = np.zeros(faces.shape[0])
    place = np.zeros(3)
    for index in range(faces.shape[0]):
        errors[index] = _best_position(vertices, quadrics, faces[index, 0], faces[index, 1], place)
    return errors


@numba.njit(cache=True, nogil=True)
def _collapse_pass(vertices, faces, quadrics, limit, target):  # type: ignore[no-untyped-def]
    """Collapse edges whose error is at most ``limit`` until ``target`` faces are left.

    Changes its arrays; returns which faces are alive.
    """
    count = faces.shape[0]
    alive = np.ones(count, np.bool_)
    first, last = np.zeros(len(vertices), np.int64), np.zeros(len(vertices), np.int64)
    following, mark = np.zeros(3 * count, np.int64), np.zeros(len(vertices), np.int64)
    touched = np.zeros(len(vertices), np.bool_)
    _link_corners(faces, first, last, following)
    place, left, stamp = np.zeros(3), count, 0
    for corner in range(3 * count):
        index, k = corner // 3, corner % 3
        if left <= target:
            break
        a, b = faces[index, k], faces[index, (k + 1) % 3]
        # Each vertex moves once a pass, so that the cheapest edges spread over the surface.
        if not alive[index] or touched[a] or touched[b]:
            continue
        if _best_position(vertices, quadrics, a, b, place) > limit:
            continue
        stamp += 1
        if not _keeps_topology(faces, alive, first, following, a, b, mark, stamp):
            continue
        if not _keeps_shape(vertices, faces, alive, first, following, a, b, place):
            continue
        if not _keeps_shape(vertices, faces, alive, first, following, b, a, place):
            continue
        _merge(faces, alive, first, last, following, a, b)
        for axis in range(3):
            vertices[a, axis] = place[axis]
        for entry in range(10):
            quadrics[a, entry] += quadrics[b, entry]
        touched[a] = True
        left -= 2
    return alive


def simplify(vertices: np.ndarray, faces: np.ndarray, target: int) -> tuple[np.ndarray, np.ndarray]:
    """At most ``target`` faces, as near to the surface as that allows.

    Args:
        vertices: (V, 3), any unit.
        faces: (F, 3), a closed manifold.
        target: 0 keeps all. A surface of many pieces or holes stops where its topology ends, and
            one of sharp folds where every collapse would turn a face over.

    Returns:
        (V', 3) float64 and (F', 3) int64; the same arrays every time.
    """
    # Positions about their middle, scaled to 1, keep the quadrics well conditioned.
    middle, size = vertices.mean(axis=0), max(float(np.ptp(vertices, axis=0).max()), 1e-300)
    points = np.ascontiguousarray((vertices - middle) / size, np.float64)
    triangles = np.array(faces, np.int64, order="C")
    quadrics = np.zeros((len(points), 10))
    _face_quadrics(points, triangles, quadrics)
    share = _QUARTER
    while target and len(triangles) > target:
        errors = _edge_errors(points, triangles, quadrics)
        limit = np.quantile(errors, share) if share < 1 else np.inf
        alive = _collapse_pass(points, triangles, quadrics, limit, target)
        if alive.all() and share >= 1:
            break
        # A pass that found little to do goes on with dearer edges.
        share = min(2 * share, 1.0) if alive.mean() > 0.98 else share
        triangles = triangles[alive]
    points, triangles = compact(points, triangles)
    return points * size + middle, triangles
