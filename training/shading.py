"""Compiled loops over hits: what colour a lit surface has.

Owns materials and light. Must not know programs, cameras or files: it is given where rays met the
surface, and a coarse grid of distances to cast shadows through. Colours are linear.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np

SOLID, STRIPES, CHECKS, SPOTS, RINGS, GRADIENT, MARBLE, TWO_TONE = range(8)

# Columns of a material row.
PATTERN, COLOUR_A, COLOUR_B, DIRECTION, FREQUENCY, PHASE, AMOUNT, GLOSS, GRAIN, SHININESS = (
    0, 1, 4, 7, 10, 11, 12, 13, 14, 15,
)  # fmt: skip
MATERIAL_ROW = 16
# Entries of a light: key direction, key strength, sky, ground, exposure, sharpness of shadows.
KEY, KEY_STRENGTH, SKY, GROUND, EXPOSURE, SHARPNESS = 0, 3, 4, 7, 10, 11
LIGHT = 12
# Entries of a hit, as the solid's loops give them.
FAR_OFF, AT, NORMAL, WHICH = 0, 1, 4, 7


class Surroundings(NamedTuple):
    """What decides a surface's colour besides where it is.

    Attributes:
        materials: (M, MATERIAL_ROW) float64.
        light: (LIGHT,) float64.
        grid: (A, A, A) float32, distances on the cube of half side ``half``, axes x, y, z.
        half: object units.
    """

    materials: np.ndarray
    light: np.ndarray
    grid: np.ndarray
    half: float


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _noise(x, y, z):  # type: ignore[no-untyped-def]
    """Smooth noise in 0..1 with one feature per unit, from hashed lattice corners."""
    fx, fy, fz = math.floor(x), math.floor(y), math.floor(z)
    u, v, w = x - fx, y - fy, z - fz
    u, v, w = u * u * (3 - 2 * u), v * v * (3 - 2 * v), w * w * (3 - 2 * w)
    total = 0.0
    for corner in range(8):
        i, j, k = corner & 1, (corner >> 1) & 1, corner >> 2
        h = math.sin((fx + i) * 12.9898 + (fy + j) * 78.233 + (fz + k) * 37.719) * 43758.5453
        h -= math.floor(h)
        total += h * (u if i else 1.0 - u) * (v if j else 1.0 - v) * (w if k else 1.0 - w)
    return total


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _mix(material, x, y, z):  # type: ignore[no-untyped-def]
    """How much of colour B a point shows, 0..1."""
    pattern, f, phase = int(material[PATTERN]), material[FREQUENCY], material[PHASE]
    amount = material[AMOUNT]
    along = x * material[DIRECTION] + y * material[DIRECTION + 1] + z * material[DIRECTION + 2]
    if pattern == STRIPES:
        return 1.0 if math.sin(f * along + phase) > amount else 0.0
    if pattern == CHECKS:
        cell = math.floor(f * x + phase) + math.floor(f * y + 0.37) + math.floor(f * z + 0.61)
        return 1.0 if int(cell) % 2 == 0 else 0.0
    if pattern == SPOTS:
        return 1.0 if _noise(f * x + phase, f * y, f * z) > 0.55 + 0.25 * amount else 0.0
    if pattern == RINGS:
        return 0.5 + 0.5 * math.sin(f * math.sqrt(x * x + y * y) + phase)
    if pattern == GRADIENT:
        return min(1.0, max(0.0, 0.5 + along * f * 0.25 + amount * 0.3))
    if pattern == MARBLE:
        swirl = _noise(f * x, f * y, f * z) + 0.5 * _noise(2.1 * f * x, 2.1 * f * y, 2.1 * f * z)
        return 0.5 + 0.5 * math.sin(f * along + 6.0 * swirl + phase)
    if pattern == TWO_TONE:
        return 1.0 if along > amount else 0.0
    return 0.0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _distance_at(grid, half, x, y, z):  # type: ignore[no-untyped-def]
    """The coarse grid's distance, trilinear; its border's value outside."""
    size = grid.shape[0]
    scale = size / (2.0 * half)
    u = min(size - 1.001, max(0.0, (x + half) * scale - 0.5))
    v = min(size - 1.001, max(0.0, (y + half) * scale - 0.5))
    w = min(size - 1.001, max(0.0, (z + half) * scale - 0.5))
    i, j, k = int(u), int(v), int(w)
    u, v, w = u - i, v - j, w - k
    low = (grid[i, j, k] * (1 - u) + grid[i + 1, j, k] * u) * (1 - v) + (
        grid[i, j + 1, k] * (1 - u) + grid[i + 1, j + 1, k] * u
    ) * v
    high = (grid[i, j, k + 1] * (1 - u) + grid[i + 1, j, k + 1] * u) * (1 - v) + (
        grid[i, j + 1, k + 1] * (1 - u) + grid[i + 1, j + 1, k + 1] * u
    ) * v
    return low * (1 - w) + high * w


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _open_sky(around, x, y, z, nx, ny, nz):  # type: ignore[no-untyped-def]
    """How much of the sky and of the key light reaches a point: (occlusion, shadow), 0..1."""
    light, cell = around.light, 2.0 * around.half / around.grid.shape[0]
    closed = 0.0
    for step in range(1, 5):
        h = cell * 1.3 * step
        d = _distance_at(around.grid, around.half, x + nx * h, y + ny * h, z + nz * h)
        closed += max(0.0, h - d) / h * 0.5**step
    lit = 1.0
    t = cell * 1.5
    kx, ky, kz = light[KEY], light[KEY + 1], light[KEY + 2]
    x, y, z = x + nx * cell * 0.8, y + ny * cell * 0.8, z + nz * cell * 0.8
    for _ in range(24):
        px, py, pz = x + kx * t, y + ky * t, z + kz * t
        if max(abs(px), max(abs(py), abs(pz))) > around.half or lit < 0.02:
            break
        d = _distance_at(around.grid, around.half, px, py, pz)
        lit = min(lit, max(0.0, 0.5 + light[SHARPNESS] * d / t))
        t += max(d, cell * 0.5)
    return max(0.0, 1.0 - 0.9 * closed), lit


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _colour(material, light, x, y, z, n, view, sky, shadow, out):  # type: ignore[no-untyped-def]
    """Add a point's lit linear colour to ``out``; ``n`` is its normal, ``view`` the ray."""
    share = _mix(material, x, y, z)
    grain = 1.0 + material[GRAIN] * (_noise(23.0 * x, 23.0 * y, 23.0 * z) - 0.5)
    lambert = max(0.0, n[0] * light[KEY] + n[1] * light[KEY + 1] + n[2] * light[KEY + 2]) * shadow
    hx, hy, hz = light[KEY] - view[0], light[KEY + 1] - view[1], light[KEY + 2] - view[2]
    length = math.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9
    spark = max(0.0, (n[0] * hx + n[1] * hy + n[2] * hz) / length) ** material[SHININESS]
    up = 0.5 + 0.5 * n[2]
    facing = max(0.0, -(n[0] * view[0] + n[1] * view[1] + n[2] * view[2]))
    mirror = material[GLOSS] * (
        spark * light[KEY_STRENGTH] * shadow + 0.25 * (1 - facing) ** 4 * sky
    )
    for channel in range(3):
        albedo = material[COLOUR_A + channel] * (1 - share) + material[COLOUR_B + channel] * share
        ambient = (light[GROUND + channel] * (1 - up) + light[SKY + channel] * up) * sky
        diffuse = albedo * grain * (ambient + light[KEY_STRENGTH] * lambert)
        out[channel] += (diffuse + mirror) * light[EXPOSURE]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def shade(around, hits, eye, behind):  # type: ignore[no-untyped-def]
    """Linear premultiplied colour of rays' hits, averaged over the rays of each pixel.

    ``hits`` is (S, S, R, HIT) float32, ``eye`` (3,) the camera; ``behind`` says that the surface is
    looked at from the far side.

    Returns:
        (S, S, 4) float32; alpha is the share of rays that met something.
    """
    height, width, rays = hits.shape[:3]
    out = np.zeros((height, width, 4), np.float32)
    lit, view = np.empty(3), np.empty(3)
    for row in range(height):
        for column in range(width):
            met, sky, shadow = 0, 1.0, 1.0
            lit[:] = 0.0
            for index in range(rays):
                hit = hits[row, column, index]
                if hit[FAR_OFF] < 0.0:
                    continue
                x, y, z = hit[AT], hit[AT + 1], hit[AT + 2]
                normal = hit[NORMAL : NORMAL + 3]
                for axis in range(3):
                    view[axis] = hit[AT + axis] - eye[axis]
                view /= math.sqrt((view**2).sum()) * (-1.0 if behind else 1.0)
                if met == 0:
                    sky, shadow = _open_sky(around, x, y, z, normal[0], normal[1], normal[2])
                material = around.materials[int(hit[WHICH])]
                _colour(material, around.light, x, y, z, normal, view, sky, shadow, lit)
                met += 1
            for channel in range(3):
                out[row, column, channel] = lit[channel] / rays
            out[row, column, 3] = met / rays
    return out
