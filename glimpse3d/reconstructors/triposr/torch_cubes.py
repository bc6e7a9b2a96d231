"""Marching cubes of the package torchmcubes, which the published implementation uses, by name only.

Owns the dense grid that it wants and the mending of what it returns. Its package comes as source
code alone and has to be built, so nothing else depends on it. Must not know networks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ...coarse_to_fine import Extraction, Field, Grid
from ...errors import BackendUnavailable, NoForeground
from ...progress import Progress
from . import TORCHMCUBES_HINT

# Voxels: it finds a vertex once for each cell around an edge, and now and then not quite alike.
_SAME = 1e-4


def load() -> Callable[..., Any]:
    """Its function.

    Raises:
        BackendUnavailable: it is not installed, or does not load.
    """
    try:
        from torchmcubes import marching_cubes
    except ImportError as error:
        raise BackendUnavailable(
            f"the package torchmcubes cannot be used: {error}", TORCHMCUBES_HINT
        ) from error
    return marching_cubes


def extract(
    field: Field, grid: Grid, how: Extraction, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """(V, 3) vertices in the box's unit and (F, 3) faces, outward, from every point of the grid.

    It is open where the inside reaches the box.

    Raises:
        NoForeground: nothing is inside.
        BackendUnavailable: see ``load``.
    """
    marching_cubes = load()
    volume = _volume(field, grid.resolution, progress) - np.float32(how.level)
    if how.interpolation == "density":
        # Linear in the density; the scale of it moves no vertex.
        volume = np.expm1(np.minimum(volume, 80.0))
    if not (volume > 0).any():
        raise NoForeground("nothing solid was found", "choose a larger or clearer subject")
    found, faces = marching_cubes(torch.from_numpy(volume), 0.0)
    places = found.cpu().numpy().astype(np.float64)[:, ::-1]  # it counts the last axis first
    vertices, faces = _welded(places, faces.cpu().numpy().astype(np.int64))
    return grid.positions(vertices), faces


def _volume(field: Field, resolution: int, progress: Progress) -> np.ndarray:
    volume = np.empty((resolution,) * 3, np.float32)
    y, z = (axis.reshape(-1) for axis in np.indices((resolution,) * 2))
    for x in progress.track(range(resolution), "asking the field"):
        indices = np.stack([np.full_like(y, x), y, z], axis=1)
        volume[x] = field(indices).reshape(resolution, resolution)
    return volume


def _welded(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One vertex where there are several in one place; faces that lose a side by that are gone."""
    keys = np.rint(vertices / _SAME).astype(np.int64)
    _, first, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    joined = which.reshape(-1)[faces]
    whole = (joined != np.roll(joined, 1, axis=1)).all(axis=1)
    return vertices[first], joined[whole]
