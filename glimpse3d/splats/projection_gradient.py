"""From the gradient of splats on the screen to that of splats in the world. Compiled by numba.

Owns the derivative of ``projection``, computed in float64. Must not know colours or pixels. Any
range of splats can be taken on its own; what all splats give to the camera is summed for each
block of ``BLOCK`` splats, so that the sum does not depend on who took which.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .kernels import inlined, kernel
from .projection import axes, dot, limits, row, screen_covariance, toward, unit

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
def _pull_quaternion(q, inverse, first, second, third):  # type: ignore[no-untyped-def]
    """Gradient of a quaternion of any length, from those of its three axes.

    Args:
        q: the quaternion at length 1.
        inverse: 1 over its length.
        first: gradient of the first axis, a triple.
        second: of the second.
        third: of the third.
    """
    w, x, y, z = q
    gw = 2 * (z * (first[1] - second[0]) + y * (third[0] - first[2]) + x * (second[2] - third[1]))
    gx = y * (second[0] + first[1]) + z * (third[0] + first[2]) + w * (second[2] - third[1])
    gx = 2 * gx - 4 * x * (second[1] + third[2])
    gy = x * (second[0] + first[1]) + z * (third[1] + second[2]) + w * (third[0] - first[2])
    gy = 2 * gy - 4 * y * (first[0] + third[2])
    gz = x * (third[0] + first[2]) + y * (third[1] + second[2]) + w * (first[1] - second[0])
    gz = 2 * gz - 4 * z * (first[0] + second[1])
    along = w * gw + x * gx + y * gy + z * gz
    return (
        (gw - w * along) * inverse,
        (gx - x * along) * inverse,
        (gy - y * along) * inverse,
        (gz - z * along) * inverse,
    )


@inlined
def _mix(a, s, b, t):  # type: ignore[no-untyped-def]
    """s a + t b, triples."""
    return a[0] * s + b[0] * t, a[1] * s + b[1] * t, a[2] * s + b[2] * t


@inlined
def _pull_axis(axis, s, across, along, g):  # type: ignore[no-untyped-def]
    """Gradients of a splat's axis, its scale, and of ``across`` and ``along`` over the axis.

    Args:
        axis: unit triple.
        s: its scale.
        across: what a metre of the world gives to the screen's x, a triple in pixels.
        along: the same of y.
        g: gradients of the covariance (xx, xy, yy).
    """
    gxx, gxy, gyy = g
    p, q = dot(across, axis), dot(along, axis)
    gp, gq = s * s * (2.0 * gxx * p + gxy * q), s * s * (2.0 * gyy * q + gxy * p)
    gs = 2.0 * s * (gxx * p * p + gxy * p * q + gyy * q * q)
    return _mix(across, gp, along, gq), gs, gp, gq


@inlined
def _pull_shape(turn, scale, across, along, g):  # type: ignore[no-untyped-def]
    """Gradients of a splat's axes, of its scale, and of ``across`` and ``along``."""
    first, s0, p0, q0 = _pull_axis(turn[0], scale[0], across, along, g)
    second, s1, p1, q1 = _pull_axis(turn[1], scale[1], across, along, g)
    third, s2, p2, q2 = _pull_axis(turn[2], scale[2], across, along, g)
    g_across = _mix(_mix(turn[0], p0, turn[1], p1), 1.0, turn[2], p2)
    g_along = _mix(_mix(turn[0], q0, turn[1], q1), 1.0, turn[2], q2)
    return (first, second, third), (s0, s1, s2), g_across, g_along


@inlined
def _pull_ellipse(moments, xx, xy, yy):  # type: ignore[no-untyped-def]
    """Gradients of the centre (x, y) and of the blurred covariance (xx, xy, yy)."""
    inverse, down = 1.0 / (xx * yy - xy * xy), 1.0 / yy
    across, shear = yy * inverse, -xy * down
    gx = across * moments[1]
    gy = across * shear * moments[1] + down * moments[3]
    g_across, g_shear, g_down = -0.5 * moments[2], -across * moments[4], -0.5 * moments[5]
    gxx = -across * across * g_across
    gxy = 2.0 * across * xy * inverse * g_across - g_shear * down
    gyy = -xy * xy * inverse * inverse * g_across + (xy * g_shear - g_down) * down * down
    return gx, gy, (gxx, gxy, gyy)


@inlined
def _pull_antialiasing(g_log, xx, xy, yy, blur, g):  # type: ignore[no-untyped-def]
    """Gradients of the covariance, with what lowering the opacity gives added."""
    sharp, area = xx * yy - xy * xy, (xx + blur) * (yy + blur) - xy * xy
    if not sharp > 0.0:
        return g
    g_sharp, g_area = 0.5 * g_log / sharp, -0.5 * g_log / area
    gxx = g[0] + g_sharp * yy + g_area * (yy + blur)
    gyy = g[2] + g_sharp * xx + g_area * (xx + blur)
    return gxx, g[1] - 2.0 * xy * (g_sharp + g_area), gyy


@kernel
def pull_screen(geometry, view, K, lens, visible, sums, depth_column, rows, out):  # type: ignore[no-untyped-def]
    """Add to ``out`` what the splats ``visible[rows[0]:rows[1]]``, which are a block, give.

    Args:
        geometry: a ``projection.Geometry``.
        view: (4, 4) float64, camera from world.
        K: (3, 3) float64, pixels.
        lens: a ``projection.Lens``.
        visible: (M,) int32, indices of splats, ascending so that memory is read forwards.
        sums: (M, 6 + D) float32, moments and channels of each.
        depth_column: of ``sums``, that of the splat's depth; negative if depth is not drawn.
        rows: two integers.
        out: a ``Gradients``.
    """
    means, quaternions, scales, opacities = geometry
    right, down, deep = row(view, 0), row(view, 1), row(view, 2)
    least_x, most_x, least_y, most_y = limits(K, lens)
    g_right, g_down, g_deep = (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
    g_translation = (0.0, 0.0, 0.0)
    for k in range(rows[0], rows[1]):
        i = visible[k]
        moments = sums[k]
        mean = row(means, i)
        q, shrink = unit(quaternions, i)
        inverse = 1.0 / (dot(deep, mean) + view[2, 3])
        x_slope = (dot(right, mean) + view[0, 3]) * inverse
        y_slope = (dot(down, mean) + view[1, 3]) * inverse
        tx, ty = min(most_x, max(least_x, x_slope)), min(most_y, max(least_y, y_slope))
        jx, jy = K[0, 0] * inverse, K[1, 1] * inverse
        zero = (0.0, 0.0, 0.0)
        to_x, to_y = toward(right, deep, tx), toward(down, deep, ty)
        across, along = _mix(to_x, jx, zero, 0.0), _mix(to_y, jy, zero, 0.0)
        turn, scale = axes(q), row(scales, i)
        xx, xy, yy = screen_covariance(turn, scale, across, along)
        gx, gy, g = _pull_ellipse(moments, xx + lens.blur, xy, yy + lens.blur)
        # The first moment is the gradient of the logarithm of opacity, as drawn.
        out.opacities[i] += moments[0] / opacities[i]
        if lens.antialiased:
            g = _pull_antialiasing(moments[0], xx, xy, yy, lens.blur, g)
        g_turn, g_scale, g_across, g_along = _pull_shape(turn, scale, across, along, g)
        pull = _pull_quaternion(q, shrink, g_turn[0], g_turn[1], g_turn[2])
        for axis in range(4):
            out.quaternions[i, axis] += pull[axis]
        # The slopes' gradients: of the centre always, of the Jacobian only inside its limits.
        g_slope_x, g_slope_y = gx * K[0, 0], gy * K[1, 1]
        if tx == x_slope:
            g_slope_x -= jx * dot(g_across, deep)
        if ty == y_slope:
            g_slope_y -= jy * dot(g_along, deep)
        g_z = g_slope_x * x_slope + g_slope_y * y_slope
        g_z = -inverse * (g_z + jx * dot(g_across, to_x) + jy * dot(g_along, to_y))
        if depth_column >= 0:
            g_z += moments[depth_column]
        g_x, g_y = g_slope_x * inverse, g_slope_y * inverse
        g_mean = _mix(_mix(right, g_x, down, g_y), 1.0, deep, g_z)
        for axis in range(3):
            out.means[i, axis] += g_mean[axis]
            out.scales[i, axis] += g_scale[axis]
        g_translation = (g_translation[0] + g_x, g_translation[1] + g_y, g_translation[2] + g_z)
        g_right = _mix(g_right, 1.0, _mix(g_across, jx, mean, g_x), 1.0)
        g_down = _mix(g_down, 1.0, _mix(g_along, jy, mean, g_y), 1.0)
        g_deep = _mix(g_deep, 1.0, mean, g_z)
        g_deep = _mix(g_deep, 1.0, _mix(g_across, jx * tx, g_along, jy * ty), -1.0)
    block = out.views[rows[0] // BLOCK]
    for axis in range(3):
        block[0, axis], block[1, axis] = g_right[axis], g_down[axis]
        block[2, axis], block[axis, 3] = g_deep[axis], g_translation[axis]
