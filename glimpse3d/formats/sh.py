"""Spherical harmonics as 3DGS trains them: basis, colour of degree 0, rotation.

Owns the basis' signs and order. Must not know clouds or files. numpy only.

The basis is real with the Condon-Shortley sign, degree 1 being (-y, z, -x) times a constant, as in
Kerbl et al. 2023, "3D Gaussian Splatting for Real-Time Radiance Field Rendering".
"""

from __future__ import annotations

from typing import Any

import numpy as np

C0 = 0.28209479177387814
C1 = 0.4886025119029199
C2 = (
    1.0925484305920792,
    -1.0925484305920792,
    0.31539156525252005,
    -1.0925484305920792,
    0.5462742152960396,
)
C3 = (
    -0.5900435899266435,
    2.890611442640554,
    -0.4570457994644658,
    0.3731763325901154,
    -0.4570457994644658,
    1.445305721320277,
    -0.5900435899266435,
)


def from_color(color: np.ndarray) -> np.ndarray:
    """sRGB 0..1 to the coefficient of degree 0, any shape."""
    return (color - 0.5) / C0


def to_color(coefficient: np.ndarray) -> np.ndarray:
    """The inverse of ``from_color``; not clipped."""
    return coefficient * C0 + 0.5


def basis(directions: np.ndarray, degree: int) -> np.ndarray:
    """(N, (degree + 1)^2) values for unit ``directions`` (N, 3), degree 0 to 3."""
    x, y, z = directions.T
    return np.stack(polynomials(x, y, z, degree), axis=1)


def polynomials(x: Any, y: Any, z: Any, degree: int) -> list[Any]:
    """The columns of ``basis``, by arithmetic alone: arrays or anything else that multiplies."""
    return [column for band in range(degree + 1) for column in band_polynomials(x, y, z, band)]


def band_polynomials(x: Any, y: Any, z: Any, band: int) -> list[Any]:
    """The 2 ``band`` + 1 columns of one band, 0 to 3."""
    if band == 0:
        return [x * 0 + C0]
    if band == 1:
        return [-C1 * y, C1 * z, -C1 * x]
    xx, yy, zz = x * x, y * y, z * z
    if band == 2:
        return [
            C2[0] * x * y,
            C2[1] * y * z,
            C2[2] * (2 * zz - xx - yy),
            C2[3] * x * z,
            C2[4] * (xx - yy),
        ]
    return [
        C3[0] * y * (3 * xx - yy),
        C3[1] * x * y * z,
        C3[2] * y * (4 * zz - xx - yy),
        C3[3] * z * (2 * zz - 3 * xx - 3 * yy),
        C3[4] * x * (4 * zz - xx - yy),
        C3[5] * z * (xx - yy),
        C3[6] * x * (xx - 3 * yy),
    ]


def band_rotations(rotation: np.ndarray, degree: int) -> list[np.ndarray]:
    """One (2l + 1, 2l + 1) float64 matrix M for each band l = 1..degree.

    If the object turns by ``rotation``, its coefficients become ``M @ c``, so that
    ``basis(rotation @ d) @ M c == basis(d) @ c``. Solved from directions enough to determine it.
    """
    rotation = np.asarray(rotation, np.float64)
    directions = np.random.default_rng(0).normal(size=(64, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    turned = basis(directions, degree)
    original = basis(directions @ rotation, degree)
    bands = [slice(band * band, (band + 1) ** 2) for band in range(1, degree + 1)]
    solved = [np.linalg.lstsq(turned[:, b], original[:, b], rcond=None)[0] for b in bands]
    # Without the solver's last bits, turns that only swap and mirror axes are exact.
    return [np.round(matrix, 14) for matrix in solved]


def rotate(coefficients: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """(N, K, 3) coefficients of an object turned by ``rotation`` (3, 3); degree 0 is unchanged."""
    count, known = coefficients.shape[:2]
    result = np.array(coefficients)
    if known > 1:
        # All bands and channels in one product: a library multiplies matrices fastest.
        turn = np.zeros((known - 1, known - 1))
        for band, matrix in enumerate(band_rotations(rotation, round(known**0.5) - 1), 1):
            rows = slice(band * band - 1, (band + 1) ** 2 - 1)
            turn[rows, rows] = matrix
        wide = np.kron(turn, np.eye(3)).astype(result.dtype)
        higher = np.ascontiguousarray(coefficients[:, 1:]).reshape(count, 3 * (known - 1))
        result[:, 1:] = (higher @ wide.T).reshape(count, known - 1, 3)
    return result
