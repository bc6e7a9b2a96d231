"""Where splats land on the screen. Compiled by numba.

Owns EWA projection (Zwicker et al. 2001, "EWA Volume Splatting"). Must not know tiles or colours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .kernels import inlined, kernel

ALPHA_THRESHOLD = 1.0 / 255.0
_LOG_THRESHOLD = np.log(ALPHA_THRESHOLD)
# The Jacobian is taken at most this far outside the picture, in half fields of view.
MARGIN = 0.3
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


class Lens(NamedTuple):
    """The scalars of a projection: float64 pixels, metres; ``antialiased`` is a bool."""

    width: int
    height: int
    near: float
    far: float
    blur: float
    radius_clip: float
    antialiased: bool


@inlined
def dot(a, b):  # type: ignore[no-untyped-def]
    """Of two triples."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@inlined
def row(matrix, index):  # type: ignore[no-untyped-def]
    """The first three numbers of a row, as float64."""
    return (
        np.float64(matrix[index, 0]),
        np.float64(matrix[index, 1]),
        np.float64(matrix[index, 2]),
    )


@inlined
def axes(quaternion):  # type: ignore[no-untyped-def]
    """A splat's three axes in the world, from a unit quaternion."""
    w, x, y, z = quaternion
    return (
        (1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)),
        (2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)),
        (2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)),
    )


@inlined
def unit(quaternions, i):  # type: ignore[no-untyped-def]
    """A quaternion of length 1, and one over the length that it had."""
    w, x = np.float64(quaternions[i, 0]), np.float64(quaternions[i, 1])
    y, z = np.float64(quaternions[i, 2]), np.float64(quaternions[i, 3])
    inverse = 1.0 / np.sqrt(w * w + x * x + y * y + z * z)
    return (w * inverse, x * inverse, y * inverse, z * inverse), inverse


@inlined
def limits(K, lens):  # type: ignore[no-untyped-def]
    """(left, right, top, bottom) slopes between which the Jacobian is taken."""
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    margin_x, margin_y = MARGIN * 0.5 * lens.width / fx, MARGIN * 0.5 * lens.height / fy
    left, right = -cx / fx - margin_x, (lens.width - cx) / fx + margin_x
    return left, right, -cy / fy - margin_y, (lens.height - cy) / fy + margin_y


@inlined
def toward(axis, deep, slope):  # type: ignore[no-untyped-def]
    """The direction in the world along which a screen's axis grows, but for the focal length."""
    return axis[0] - slope * deep[0], axis[1] - slope * deep[1], axis[2] - slope * deep[2]


@inlined
def screen_covariance(turn, scale, across, along):  # type: ignore[no-untyped-def]
    """(xx, xy, yy) in square pixels, before blur.

    Args:
        turn: the splat's ``axes``.
        scale: a triple.
        across: what a metre of the world gives to x, a triple in pixels.
        along: the same of y.
    """
    a, d = scale[0] * dot(across, turn[0]), scale[0] * dot(along, turn[0])
    b, e = scale[1] * dot(across, turn[1]), scale[1] * dot(along, turn[1])
    c, f = scale[2] * dot(across, turn[2]), scale[2] * dot(along, turn[2])
    return a * a + b * b + c * c, a * d + b * e + c * f, d * d + e * e + f * f


@kernel
def _fill_screen(means, quaternions, scales, given, view, K, lens, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (a ``Screen``) and return how many splats are seen.

    Comparisons are written so that NaN, wherever it comes from, means not seen.
    """
    ellipses, depths, opacities, visible = out
    count = 0
    right, down, deep = row(view, 0), row(view, 1), row(view, 2)
    least_x, most_x, least_y, most_y = limits(K, lens)
    for i in range(means.shape[0]):
        depths[i] = 0.0
        opacities[i] = 0.0
        for k in range(COLUMNS):
            ellipses[i, k] = 0.0
        mean = row(means, i)
        z = dot(deep, mean) + view[2, 3]
        if not (lens.near <= z <= lens.far):
            continue
        x_slope, y_slope = (dot(right, mean) + view[0, 3]) / z, (dot(down, mean) + view[1, 3]) / z
        jx, jy = K[0, 0] / z, K[1, 1] / z
        across = toward(right, deep, min(most_x, max(least_x, x_slope)))
        along = toward(down, deep, min(most_y, max(least_y, y_slope)))
        turn = axes(unit(quaternions, i)[0])
        xx, xy, yy = screen_covariance(turn, row(scales, i), across, along)
        xx, xy, yy = xx * jx * jx, xy * jx * jy, yy * jy * jy
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
        centre_x, centre_y = K[0, 0] * x_slope + K[0, 2], K[1, 1] * y_slope + K[1, 2]
        if not max(reach_x, reach_y, abs(centre_x), abs(centre_y)) < _FARTHEST:
            continue
        radius_x, radius_y = np.ceil(reach_x), np.ceil(reach_y)
        if radius_x <= lens.radius_clip and radius_y <= lens.radius_clip:
            continue
        if not (centre_x + radius_x > 0.0 and centre_x - radius_x < lens.width):
            continue
        if not (centre_y + radius_y > 0.0 and centre_y - radius_y < lens.height):
            continue
        depths[i] = z
        opacities[i] = opacity
        ellipse = ellipses[i]
        ellipse[X], ellipse[Y] = centre_x, centre_y
        ellipse[SHEAR] = -xy / yy
        ellipse[ACROSS] = yy / area / 16.0
        ellipse[DOWN] = 1.0 / yy / 16.0
        ellipse[LOG_OPACITY] = (0.5 * reach + _LOG_THRESHOLD) / 8.0
        ellipse[REACH_X], ellipse[REACH_Y] = reach_x, reach_y
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
        ellipse = ellipses[i]
        means2d[i, 0], means2d[i, 1] = ellipse[X], ellipse[Y]
        across = ellipse[ACROSS] * 16
        conics[i, 0] = across
        conics[i, 1] = across * ellipse[SHEAR]
        conics[i, 2] = ellipse[DOWN] * 16 + across * ellipse[SHEAR] * ellipse[SHEAR]
        radii[i, 0], radii[i, 1] = np.ceil(ellipse[REACH_X]), np.ceil(ellipse[REACH_Y])
