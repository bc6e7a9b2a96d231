"""From the gradient of splats on the screen to that of splats in the world. Compiled by numba.

Owns the derivative of ``projection``, computed in float64. Must not know colours or pixels. Any
range of splats can be taken on its own; what all splats give to the camera is summed for each
block of ``BLOCK`` splats, so that the sum does not depend on who took which.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .kernels import inlined, kernel
from .projection import MARGIN

# Splats whose gradients of the camera are summed together.
BLOCK = 4096


class Gradients(NamedTuple):
    """Of everything that ``projection`` takes, added up over cameras.

    Attributes:
        means, quaternions, scales, opacities: as in ``projection.Geometry``.
        views: (B, 3, 4) float64, each block's gradient of one camera's view; overwritten.
    """

    means: np.ndarray
    quaternions: np.ndarray
    scales: np.ndarray
    opacities: np.ndarray
    views: np.ndarray


@inlined
def _rotation(q, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (3, 3) from a unit quaternion wxyz."""
    w, x, y, z = q[0], q[1], q[2], q[3]
    out[0, 0], out[0, 1], out[0, 2] = (
        1 - 2 * (y * y + z * z),
        2 * (x * y - w * z),
        2 * (x * z + w * y),
    )
    out[1, 0], out[1, 1], out[1, 2] = (
        2 * (x * y + w * z),
        1 - 2 * (x * x + z * z),
        2 * (y * z - w * x),
    )
    out[2, 0], out[2, 1], out[2, 2] = (
        2 * (x * z - w * y),
        2 * (y * z + w * x),
        1 - 2 * (x * x + y * y),
    )


@inlined
def _pull_quaternion(q, length, g, out):  # type: ignore[no-untyped-def]
    """Add the gradient of a quaternion of any length, from that of its rotation ``g`` (3, 3)."""
    w, x, y, z = q[0], q[1], q[2], q[3]
    gw = 2 * (z * (g[1, 0] - g[0, 1]) + y * (g[0, 2] - g[2, 0]) + x * (g[2, 1] - g[1, 2]))
    gx = 2 * (
        y * (g[0, 1] + g[1, 0]) + z * (g[0, 2] + g[2, 0]) + w * (g[2, 1] - g[1, 2])
        - 2 * x * (g[1, 1] + g[2, 2])
    )  # fmt: skip
    gy = 2 * (
        x * (g[0, 1] + g[1, 0]) + z * (g[1, 2] + g[2, 1]) + w * (g[0, 2] - g[2, 0])
        - 2 * y * (g[0, 0] + g[2, 2])
    )  # fmt: skip
    gz = 2 * (
        x * (g[0, 2] + g[2, 0]) + y * (g[1, 2] + g[2, 1]) + w * (g[1, 0] - g[0, 1])
        - 2 * z * (g[0, 0] + g[1, 1])
    )  # fmt: skip
    along = w * gw + x * gx + y * gy + z * gz
    out[0] += (gw - w * along) / length
    out[1] += (gx - x * along) / length
    out[2] += (gy - y * along) / length
    out[3] += (gz - z * along) / length


@inlined
def _pull_covariance(moments, xx, xy, yy):  # type: ignore[no-untyped-def]
    """Gradients of the centre (x, y) and of the blurred covariance (xx, xy, yy)."""
    area = xx * yy - xy * xy
    across, shear, down = yy / area, -xy / yy, 1.0 / yy
    gx = across * moments[1]
    gy = across * shear * moments[1] + down * moments[3]
    g_across, g_shear, g_down = -0.5 * moments[2], -across * moments[4], -0.5 * moments[5]
    gxx = -across * across * g_across
    gxy = 2.0 * across * xy / area * g_across - g_shear / yy
    gyy = -xy * xy / (area * area) * g_across + (xy * g_shear - g_down) / (yy * yy)
    return gx, gy, gxx, gxy, gyy


@kernel
def pull_screen(geometry, view, K, lens, order, sums, depth_column, rows, out):  # type: ignore[no-untyped-def]
    """Add to ``out`` what the splats ``order[rows[0]:rows[1]]`` give; ``rows[0]`` begins a block.

    Args:
        geometry: a ``projection.Geometry``.
        view: (4, 4) float64, camera from world.
        K: (3, 3) float64, pixels.
        lens: a ``projection.Lens``.
        order: (M,) int32, indices of splats.
        sums: (M, 6 + D) float64, moments and channels of each, from ``blend_gradient.gather``.
        depth_column: of ``sums``, that of the splat's depth; negative if depth is not drawn.
        rows: two integers.
        out: a ``Gradients``.
    """
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    margin_x, margin_y = MARGIN * 0.5 * lens.width / fx, MARGIN * 0.5 * lens.height / fy
    left, right = -cx / fx - margin_x, (lens.width - cx) / fx + margin_x
    upper, lower = -cy / fy - margin_y, (lens.height - cy) / fy + margin_y
    local, g_local, q = np.empty(3), np.empty(3), np.empty(4)
    turn, g_turn = np.empty((3, 3)), np.empty((3, 3))
    flat, g_flat = np.empty((2, 3)), np.empty((2, 3))
    sides, g_sides = np.empty((2, 3)), np.empty((2, 3))
    for k in range(rows[0], rows[1]):
        if k % BLOCK == 0:
            out.views[k // BLOCK] = 0.0
        i = order[k]
        length = 0.0
        for axis in range(4):
            length += np.float64(geometry.quaternions[i, axis]) ** 2
        length = np.sqrt(length)
        for axis in range(4):
            q[axis] = geometry.quaternions[i, axis] / length
        for axis in range(3):
            local[axis] = view[axis, 3]
            for j in range(3):
                local[axis] += view[axis, j] * geometry.means[i, j]
        _rotation(q, turn)
        # ``flat`` (2, 3) takes a direction of the world to the screen; ``sides`` (2, 3) are the
        # splat's axes there, so that the covariance is sides @ sides.T.
        inverse = 1.0 / local[2]
        slope_x, slope_y = local[0] * inverse, local[1] * inverse
        tx, ty = min(right, max(left, slope_x)), min(lower, max(upper, slope_y))
        jx, jy = fx * inverse, fy * inverse
        for j in range(3):
            flat[0, j] = jx * (view[0, j] - tx * view[2, j])
            flat[1, j] = jy * (view[1, j] - ty * view[2, j])
        xx, xy, yy = 0.0, 0.0, 0.0
        for axis in range(3):
            s = np.float64(geometry.scales[i, axis])
            for side in range(2):
                sides[side, axis] = (
                    flat[side, 0] * turn[0, axis]
                    + flat[side, 1] * turn[1, axis]
                    + flat[side, 2] * turn[2, axis]
                )
            xx += s * s * sides[0, axis] * sides[0, axis]
            xy += s * s * sides[0, axis] * sides[1, axis]
            yy += s * s * sides[1, axis] * sides[1, axis]
        gx, gy, gxx, gxy, gyy = _pull_covariance(sums[k], xx + lens.blur, xy, yy + lens.blur)
        # The first moment is the gradient of the logarithm of opacity, as drawn.
        out.opacities[i] += sums[k, 0] / geometry.opacities[i]
        if lens.antialiased:
            sharp, area = xx * yy - xy * xy, (xx + lens.blur) * (yy + lens.blur) - xy * xy
            if sharp > 0.0:
                g_sharp, g_area = 0.5 * sums[k, 0] / sharp, -0.5 * sums[k, 0] / area
                gxx += g_sharp * yy + g_area * (yy + lens.blur)
                gyy += g_sharp * xx + g_area * (xx + lens.blur)
                gxy -= 2.0 * xy * (g_sharp + g_area)
        for j in range(3):
            g_flat[0, j], g_flat[1, j] = 0.0, 0.0
        for axis in range(3):
            s = np.float64(geometry.scales[i, axis])
            a, b = sides[0, axis], sides[1, axis]
            g_sides[0, axis] = s * s * (2.0 * gxx * a + gxy * b)
            g_sides[1, axis] = s * s * (2.0 * gyy * b + gxy * a)
            out.scales[i, axis] += 2.0 * s * (gxx * a * a + gxy * a * b + gyy * b * b)
            for j in range(3):
                g_turn[j, axis] = flat[0, j] * g_sides[0, axis] + flat[1, j] * g_sides[1, axis]
                g_flat[0, j] += g_sides[0, axis] * turn[j, axis]
                g_flat[1, j] += g_sides[1, axis] * turn[j, axis]
        _pull_quaternion(q, length, g_turn, out.quaternions[i])
        g_jx, g_jy, g_tx, g_ty = 0.0, 0.0, 0.0, 0.0
        views = out.views[k // BLOCK]
        for j in range(3):
            g_jx += g_flat[0, j] * flat[0, j] / jx
            g_jy += g_flat[1, j] * flat[1, j] / jy
            g_tx -= g_flat[0, j] * jx * view[2, j]
            g_ty -= g_flat[1, j] * jy * view[2, j]
            views[0, j] += g_flat[0, j] * jx
            views[1, j] += g_flat[1, j] * jy
            views[2, j] -= g_flat[0, j] * jx * tx + g_flat[1, j] * jy * ty
        g_local[0], g_local[1] = gx * jx, gy * jy
        g_local[2] = -inverse * (gx * jx * local[0] + gy * jy * local[1] + g_jx * jx + g_jy * jy)
        if tx == slope_x:
            g_local[0] += g_tx * inverse
            g_local[2] -= g_tx * slope_x * inverse
        if ty == slope_y:
            g_local[1] += g_ty * inverse
            g_local[2] -= g_ty * slope_y * inverse
        if depth_column >= 0:
            g_local[2] += sums[k, depth_column]
        for axis in range(3):
            views[axis, 3] += g_local[axis]
            for j in range(3):
                views[axis, j] += g_local[axis] * geometry.means[i, j]
                out.means[i, j] += view[axis, j] * g_local[axis]
