"""A closed surface through points that know which way it faces.

Owns the spectral Poisson solver: the gradient of a solid's indicator is its inward normals,
concentrated on the surface, so the indicator solves a Poisson equation, which is a division in
Fourier space (Kazhdan et al. 2006; spectral and smoothed by a Gaussian as in Peng et al. 2021,
"Shape As Points"). Must not know where points and normals came from.

A hole in the points is closed by the smoothest surface; what half of a ball becomes is a dome with
a bulging floor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft

from . import oriented_points
from .errors import InvalidData
from .isosurface import drop_debris, extract

# Of the cube's side that the points' longest side takes: the rest keeps the solid's copies away,
# which a Fourier series implies on all sides.
_FILL = 0.7
# Pieces of less than this part of the largest one's volume are noise.
_DEBRIS = 1e-3


@dataclass(frozen=True, slots=True)
class PoissonSettings:
    """How fine a surface is made.

    Attributes:
        resolution: voxels along the cube's side.
        smoothing: standard deviation of the Gaussian that the indicator is blurred with, voxels;
            more levels noise, and rounds edges.
        pieces: separate pieces to keep, at most; the largest first.
    """

    resolution: int = 128
    smoothing: float = 1.5
    pieces: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A cube of voxels: ``point = corner + voxel * index``.

    Attributes:
        corner: (3,) float64, where grid point (0, 0, 0) lies.
        voxel: its side.
        resolution: grid points along a side.
    """

    corner: np.ndarray
    voxel: float
    resolution: int

    @classmethod
    def around(cls, points: np.ndarray, resolution: int) -> Grid:
        """The cube whose middle holds the points.

        Raises:
            InvalidData: they all lie in one place.
        """
        low, high = points.min(axis=0), points.max(axis=0)
        longest = float((high - low).max())
        if not longest > 0:
            raise InvalidData("all points lie in one place", "choose a larger or clearer subject")
        voxel = longest / (_FILL * resolution)
        return cls((low + high) / 2 - voxel * (resolution - 1) / 2, voxel, resolution)

    def points(self, indices: np.ndarray) -> np.ndarray:
        """(N, 3) float64 from (N, 3) positions on the grid."""
        found: np.ndarray = self.corner + indices * self.voxel
        return found

    def indices(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) float64 positions on the grid."""
        found: np.ndarray = (points - self.corner) / self.voxel
        return found


def surface(
    points: np.ndarray, normals: np.ndarray, settings: PoissonSettings | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The closed surface through oriented points.

    Args:
        points: (N, 3), in any unit and of any density.
        normals: (N, 3) unit, outward.
        settings: how fine.

    Returns:
        (V, 3) float64 vertices in the points' unit; (F, 3) int64 faces, counter-clockwise seen from
        outside. Each edge has two faces.

    Raises:
        InvalidData: arrays that do not fit each other, or points that are no surface.
        NoForeground: the normals enclose nothing.
    """
    chosen = settings or PoissonSettings()
    _check(points, normals)
    grid = Grid.around(points, chosen.resolution)
    field = distance(points, normals, grid, chosen.smoothing)
    vertices, faces = drop_debris(*extract(field), _DEBRIS, chosen.pieces)
    return grid.points(vertices), faces


def distance(points: np.ndarray, normals: np.ndarray, grid: Grid, smoothing: float) -> np.ndarray:
    """(R, R, R) float32 voxels to the surface, negative inside; level off away from it.

    Args:
        points: (N, 3).
        normals: (N, 3) unit, outward.
        grid: which the points lie well inside of.
        smoothing: voxels.

    Raises:
        InvalidData: arrays that do not fit each other, or too few points.
    """
    _check(points, normals)
    weights = oriented_points.areas(points)
    indices = grid.indices(points)
    inward = -normals * (weights / grid.voxel**2)[:, None]
    gradient = np.stack([_splat(indices, part, grid.resolution) for part in inward.T])
    indicator = _solve(gradient, smoothing)
    # A step blurred by a Gaussian rises by 1 over sqrt(2 pi) deviations: so scaled, it is voxels.
    steepness = smoothing * np.sqrt(2 * np.pi)
    found = (_middle(_sample(indicator, indices), weights) - indicator) * steepness
    return found.astype(np.float32)


def _middle(values: np.ndarray, weights: np.ndarray) -> float:
    """The weighted median: a few stray points do not move it."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(total, total[-1] / 2)]])


def _solve(gradient: np.ndarray, smoothing: float) -> np.ndarray:
    """(R, R, R) float32 whose gradient, blurred, is nearest to (3, R, R, R) ``gradient``."""
    resolution = gradient.shape[1]
    along = 2 * np.pi * scipy.fft.fftfreq(resolution).astype(np.float32)
    last = 2 * np.pi * scipy.fft.rfftfreq(resolution).astype(np.float32)
    frequencies = (along[:, None, None], along[None, :, None], last[None, None, :])
    square = sum(each**2 for each in frequencies)
    divergence = np.zeros(square.shape, np.complex64)
    for frequency, part in zip(frequencies, gradient, strict=True):
        divergence += 1j * frequency * scipy.fft.rfftn(part)
    square[0, 0, 0] = 1.0  # a constant has no gradient: the mean is free
    spectrum = -divergence / square * np.exp(-0.5 * smoothing**2 * square)
    spectrum[0, 0, 0] = 0
    found: np.ndarray = scipy.fft.irfftn(spectrum, gradient.shape[1:])
    return found


def _corners(indices: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The eight grid points around each position, (N, 3) int, and their trilinear weights, (N,)."""
    lower = np.floor(indices).astype(np.int64)
    part = indices - lower
    found = []
    for corner in np.ndindex(2, 2, 2):
        share = np.where(corner, part, 1 - part).prod(axis=1)
        found.append((lower + corner, share))
    return found


def _splat(indices: np.ndarray, values: np.ndarray, resolution: int) -> np.ndarray:
    """(R, R, R) float32: values (N,) spread over the grid points around their positions."""
    total = np.zeros(resolution**3)
    shape = (resolution,) * 3
    for at, share in _corners(indices):
        flat = np.ravel_multi_index(tuple(at.T), shape)
        total += np.bincount(flat, share * values, resolution**3)
    return total.reshape(shape).astype(np.float32)


def _sample(field: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """(N,) the field between its grid points."""
    found: np.ndarray = sum(field[tuple(at.T)] * share for at, share in _corners(indices))
    return found


def _check(points: np.ndarray, normals: np.ndarray) -> None:
    if points.ndim != 2 or points.shape[1] != 3 or points.shape != normals.shape:
        raise InvalidData(
            f"points of shape {points.shape} with normals of shape {normals.shape}",
            "both are (N, 3)",
        )
    if not (np.isfinite(points).all() and np.isfinite(normals).all()):
        raise InvalidData("points or normals are not finite")
