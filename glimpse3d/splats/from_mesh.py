"""Covers a mesh with splats: flat discs on its surface, in its colours.

Owns where the splats go, their shape and their colour. Must not know files, cameras or how the
mesh was made. The discs are spread as blue noise: at the same count random ones leave holes and
lumps that are visible at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import InvalidData, InvalidSettings
from ..formats import sh
from ..mesh_raster import surface_colors
from ..progress import Progress
from ..types import GaussianCloud, Mesh
from . import blue_noise

# Standard deviation along the surface in units of the mean spacing sqrt(area / count): at 0.55 the
# far side still glints through between the discs, beyond 0.6 hard edges of a texture wash out.
SPREAD = 0.6
# Standard deviation along the normal, as a share of that along the surface.
THICKNESS = 0.02
OPACITY = 0.99
# A splat's colour is the mean over this share of its spread: a texture finer than the splats are
# then does not turn into noise.
_FOOTPRINT = 0.6
# Points drawn for each splat that is kept; more spread more evenly and take longer.
_CROWD = 3


def gaussians_from_mesh(mesh: Mesh, count: int, seed: int, progress: Progress) -> GaussianCloud:
    """Exactly ``count`` flat splats on the surface; see ``gaussians_from_meshes``."""
    return gaussians_from_meshes((mesh,), count, seed, progress)


def gaussians_from_meshes(
    meshes: Sequence[Mesh], count: int, seed: int, progress: Progress
) -> GaussianCloud:
    """Exactly ``count`` flat splats on the surface of all meshes together, evenly spread.

    Args:
        meshes: house frame; the texture, else the vertex colours of each give its colour.
        count: of splats.
        seed: the same seed gives the same cloud.
        progress: reports and cancels.

    Returns:
        discs whose own z axis is the surface's normal, with colour of degree 0.

    Raises:
        InvalidData: the meshes have no surface.
        InvalidSettings: ``count`` is not positive.
    """
    if count < 1:
        raise InvalidSettings("count", f"{count} splats cannot show anything", "1 or more")
    corners = np.concatenate([mesh.vertices.astype(np.float64)[mesh.faces] for mesh in meshes])
    crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(crosses, axis=1) / 2
    area = float(areas.sum())
    if not area > 0:
        raise InvalidData("the mesh has no surface", "a mesh needs triangles that have an area")
    progress(0.0, "scatter points")
    random = np.random.default_rng(seed)
    faces, weights = _scatter(areas, count * _CROWD, random)
    normals = crosses[faces] / (2 * areas[faces])[:, None]
    points = np.einsum("nk,nkc->nc", weights, corners[faces])
    keys, _ = blue_noise.cell_keys(points, blue_noise.radius(count, area))
    order = np.argsort(keys, kind="stable")
    faces, weights, normals, points = faces[order], weights[order], normals[order], points[order]
    with progress.stage("spread", share=0.8) as part:
        thinned = blue_noise.thin(points, normals, count, area, part)
    spread = SPREAD * float(np.sqrt(area / count))
    colors = _colors(meshes, faces, weights) / 255
    seen = blue_noise.average(thinned, colors, _FOOTPRINT * spread)
    return GaussianCloud(
        means=points[thinned.kept],
        scales=np.tile([spread, spread, THICKNESS * spread], (count, 1)),
        rotations=_facing(normals[thinned.kept]),
        opacities=np.full(count, OPACITY),
        sh=sh.from_color(seen)[:, None, :],
    )


def _scatter(
    areas: np.ndarray, count: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(count,) faces and (count, 3) weights of their corners, uniform over the surface.

    One point falls into each of ``count`` equal shares of the area.
    """
    ends = np.cumsum(areas)
    where = (np.arange(count) + random.random(count)) / count * ends[-1]
    faces = np.minimum(np.searchsorted(ends, where, side="right"), np.flatnonzero(areas)[-1])
    root, along = np.sqrt(random.random(count)), random.random(count)
    return faces, np.stack([1 - root, root * (1 - along), root * along], axis=1)


def _colors(meshes: Sequence[Mesh], faces: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(N, 3) 0..255 at points of the surface, faces counted through all meshes."""
    colors = np.empty((len(faces), 3), np.float32)
    first = 0
    for mesh in meshes:
        own = (faces >= first) & (faces < first + len(mesh.faces))
        colors[own] = surface_colors(mesh, faces[own] - first, weights[own])
        first += len(mesh.faces)
    return colors


def _facing(normals: np.ndarray) -> np.ndarray:
    """(N, 4) unit quaternions wxyz that take z to each normal by the shortest way."""
    x, y, z = normals.T
    quaternions = np.stack([1 + z, -y, x, np.zeros_like(z)], axis=1)
    quaternions[z < -1 + 1e-9] = [0, 1, 0, 0]
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    return quaternions
