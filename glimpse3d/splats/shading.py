"""Colours that depend on where they are seen from, and their gradient. Compiled by numba.

Owns spherical harmonics for the splats that a camera sees; the basis is that of ``formats.sh``,
which a test compares. Must not know the screen.
"""

from __future__ import annotations

import numpy as np

from ..formats import sh
from .kernels import inlined, kernel

_C0 = sh.C0
_C1, _C2, _C3 = sh.C1, sh.C2, sh.C3


@inlined
def _basis(degree, x, y, z, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` with the (degree + 1)^2 values for a unit direction."""
    out[0] = _C0
    if degree >= 1:
        out[1], out[2], out[3] = -_C1 * y, _C1 * z, -_C1 * x
    if degree >= 2:
        xx, yy, zz = x * x, y * y, z * z
        out[4], out[5], out[6] = _C2[0] * x * y, _C2[1] * y * z, _C2[2] * (2 * zz - xx - yy)
        out[7], out[8] = _C2[3] * x * z, _C2[4] * (xx - yy)
        if degree >= 3:
            out[9] = _C3[0] * y * (3 * xx - yy)
            out[10] = _C3[1] * x * y * z
            out[11] = _C3[2] * y * (4 * zz - xx - yy)
            out[12] = _C3[3] * z * (2 * zz - 3 * xx - 3 * yy)
            out[13] = _C3[4] * x * (4 * zz - xx - yy)
            out[14] = _C3[5] * z * (xx - yy)
            out[15] = _C3[6] * x * (xx - 3 * yy)


@inlined
def _pull_basis(degree, x, y, z, g):  # type: ignore[no-untyped-def]
    """Gradient of the direction from those of the basis' values ``g``."""
    gx, gy, gz = 0.0, 0.0, 0.0
    if degree >= 1:
        gx, gy, gz = -_C1 * g[3], -_C1 * g[1], _C1 * g[2]
    if degree >= 2:
        gx += _C2[0] * y * g[4] - 2 * _C2[2] * x * g[6] + _C2[3] * z * g[7] + 2 * _C2[4] * x * g[8]
        gy += _C2[0] * x * g[4] + _C2[1] * z * g[5] - 2 * _C2[2] * y * g[6] - 2 * _C2[4] * y * g[8]
        gz += _C2[1] * y * g[5] + 4 * _C2[2] * z * g[6] + _C2[3] * x * g[7]
    if degree >= 3:
        xx, yy, zz = x * x, y * y, z * z
        a, b, c, d = _C3[0] * g[9], _C3[1] * g[10], _C3[2] * g[11], _C3[3] * g[12]
        e, f, h = _C3[4] * g[13], _C3[5] * g[14], _C3[6] * g[15]
        gx += 6 * x * y * a + y * z * b - 2 * x * y * c - 6 * x * z * d
        gx += (4 * zz - 3 * xx - yy) * e + 2 * x * z * f + 3 * (xx - yy) * h
        gy += 3 * (xx - yy) * a + x * z * b + (4 * zz - xx - 3 * yy) * c - 6 * y * z * d
        gy += -2 * x * y * e - 2 * y * z * f - 6 * x * y * h
        gz += x * y * b + 8 * y * z * c + (6 * zz - 3 * xx - 3 * yy) * d
        gz += 8 * x * z * e + (xx - yy) * f
    return gx, gy, gz


@inlined
def _toward(mean, position):  # type: ignore[no-untyped-def]
    """Unit direction from the camera to a splat, and the distance."""
    x, y, z = mean[0] - position[0], mean[1] - position[1], mean[2] - position[2]
    distance = max(np.sqrt(x * x + y * y + z * z), 1e-12)
    return x / distance, y / distance, z / distance, distance


@kernel
def shade(means, coefficients, position, degree, chosen, colors):  # type: ignore[no-untyped-def]
    """Fill the ``chosen`` rows of ``colors``, not below 0.

    Args:
        means: (N, 3) float32.
        coefficients: (N, K, 3) float32.
        position: (3,) float64, of the camera in the world.
        degree: 0 to 3.
        chosen: int32, indices of splats.
        colors: (N, 3) float32 or wider, written.
    """
    basis = np.empty(16)
    count = (degree + 1) ** 2
    for i in chosen:
        x, y, z, _ = _toward(means[i], position)
        _basis(degree, x, y, z, basis)
        for channel in range(3):
            value = 0.5
            for k in range(count):
                value += basis[k] * coefficients[i, k, channel]
            colors[i, channel] = max(value, 0.0)


@kernel
def pull_shade(means, coefficients, position, degree, chosen, colors, pulls, rows, out):  # type: ignore[no-untyped-def]
    """Add to ``out`` what the colours of splats ``chosen[rows[0]:rows[1]]`` give.

    Args:
        means: as shaded.
        coefficients: as shaded.
        position: as shaded.
        degree: as shaded.
        chosen: as shaded.
        colors: as filled; where they are 0 there is no slope.
        pulls: (M, 3) float32 or wider, gradients of the chosen ones' colours.
        rows: two integers.
        out: gradients of ``coefficients`` and of ``means``, added to; and of the direction from
            the camera, (M, 3) float64, written.
    """
    of_coefficients, of_means, of_directions = out
    basis, pulled = np.empty(16), np.empty(16)
    count = (degree + 1) ** 2
    for k in range(rows[0], rows[1]):
        i = chosen[k]
        if degree == 0:
            for channel in range(3):
                if colors[i, channel] > 0.0:
                    of_coefficients[i, 0, channel] += _C0 * pulls[k, channel]
                of_directions[k, channel] = 0.0
            continue
        x, y, z, distance = _toward(means[i], position)
        _basis(degree, x, y, z, basis)
        for j in range(count):
            pulled[j] = 0.0
        for channel in range(3):
            if colors[i, channel] > 0.0:
                g = np.float64(pulls[k, channel])
                for j in range(count):
                    of_coefficients[i, j, channel] += g * basis[j]
                    pulled[j] += g * coefficients[i, j, channel]
        gx, gy, gz = _pull_basis(degree, x, y, z, pulled)
        along = gx * x + gy * y + gz * z
        of_directions[k, 0] = (gx - x * along) / distance
        of_directions[k, 1] = (gy - y * along) / distance
        of_directions[k, 2] = (gz - z * along) / distance
        for axis in range(3):
            of_means[i, axis] += of_directions[k, axis]
