"""Covers a mesh in the scene with splats: flat discs on its surface, in its colours.

Owns what of a Blender mesh that needs and where the discs go. numpy only, as Blender has no more:
points of a grid's cells stand in for the blue noise that the server spreads. Must not know servers,
nor materials: ``surface_colors`` does.
"""

from __future__ import annotations

import bpy
import numpy as np

from .._vendor.glimpse3d import cloud_edits
from .._vendor.glimpse3d.errors import InvalidData, InvalidSettings
from .._vendor.glimpse3d.formats import sh
from .._vendor.glimpse3d.types import GaussianCloud
from . import surface_colors

# Standard deviation along the surface in units of the mean spacing sqrt(area / count).
SPREAD = 0.6
# Standard deviation along the normal, as a share of that along the surface.
THICKNESS = 0.02
OPACITY = 0.99
# Points looked at for each splat: their mean colour is its colour.
_CROWD = 8
_LEAST_ALPHA = 0.02  # a material's; less is not seen


def cover(
    thing: bpy.types.Object, depsgraph: bpy.types.Depsgraph, count: int, seed: int = 0
) -> GaussianCloud:
    """At most ``count`` splats on the mesh as its modifiers leave it, in world space.

    Each material's base colour and alpha are taken, without light: pictures, colour attributes,
    plain colours. A mesh without material shows its active colour attribute.

    Raises:
        InvalidData: there is no surface, or none that is seen.
        InvalidSettings: ``count`` is not positive.
    """
    if count < 1:
        raise InvalidSettings("count", f"{count} splats cannot show anything", "1 or more")
    evaluated = thing.evaluated_get(depsgraph)
    mesh = evaluated.to_mesh()
    try:
        return _covered(mesh, np.array(thing.matrix_world), count, seed)
    finally:
        evaluated.to_mesh_clear()


def _covered(mesh: bpy.types.Mesh, pose: np.ndarray, count: int, seed: int) -> GaussianCloud:
    corners, crosses = _triangles(mesh, pose)
    areas = np.linalg.norm(crosses, axis=1) / 2
    area = float(areas.sum())
    if not 0 < area < np.inf:
        raise InvalidData(
            "the mesh has no surface", "splats cover faces; edges and points have none"
        )
    faces, weights = _scatter(areas, count * _CROWD, np.random.default_rng(seed))
    colors, alphas = surface_colors.seen(surface_colors.Points(mesh, faces, weights))
    seen = alphas >= _LEAST_ALPHA
    if not seen.any():
        raise InvalidData("the mesh is transparent everywhere", "raise its material's alpha")
    faces, weights, colors, alphas = (each[seen] for each in (faces, weights, colors, alphas))
    points = np.einsum("nk,nkc->nc", weights, corners[faces])
    normals = crosses[faces] / (2 * areas[faces])[:, None]
    cells = cloud_edits.grid_cells(points, count, _sides(normals))
    order = np.argsort(cells, kind="stable")
    starts = np.flatnonzero(np.diff(cells[order], prepend=-1))
    kept = order[_central(points[order], starts)]
    sizes = np.diff(starts, append=len(points))
    shown = np.column_stack([colors * alphas[:, None], alphas])[order]
    sums = np.add.reduceat(shown, starts, axis=0)
    spread = SPREAD * float(np.sqrt(area * seen.mean() / len(starts)))
    return GaussianCloud(
        means=points[kept],
        scales=np.tile([spread, spread, THICKNESS * spread], (len(starts), 1)),
        rotations=_facing(normals[kept]),
        opacities=OPACITY * sums[:, 3] / sizes,
        sh=sh.from_color(sums[:, :3] / sums[:, 3:])[:, None, :],
    )


def _triangles(mesh: bpy.types.Mesh, pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(F, 3, 3) corners in the world, and (F, 3) normals as long as twice the area."""
    places = surface_colors.floats(mesh.vertices, "co", 3) @ pose[:3, :3].T + pose[:3, 3]
    corners = places[surface_colors.whole(mesh.loop_triangles, "vertices", 3)].reshape(-1, 3, 3)
    crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    # A mirrored object's triangles run the other way round.
    return corners, crosses if np.linalg.det(pose[:3, :3]) > 0 else -crosses


def _scatter(
    areas: np.ndarray, count: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(count,) triangles and (count, 3) weights of their corners, one in each share of the area."""
    ends = np.cumsum(areas)
    where = (np.arange(count) + random.random(count)) / count * ends[-1]
    faces = np.minimum(np.searchsorted(ends, where, side="right"), np.flatnonzero(areas)[-1])
    root, along = np.sqrt(random.random(count)), random.random(count)
    return faces, np.stack([1 - root, root * (1 - along), root * along], axis=1)


def _sides(normals: np.ndarray) -> np.ndarray:
    """(N,) 0 to 5: which way a point faces, so that thin walls do not mix their sides."""
    axis = np.abs(normals).argmax(axis=1)
    return 2 * axis + (normals[np.arange(len(normals)), axis] < 0)


def _central(points: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The row that is nearest to the mean of its run, for each run of rows."""
    sizes = np.diff(starts, append=len(points))
    owner = np.repeat(np.arange(len(starts)), sizes)
    means = np.add.reduceat(points, starts, axis=0) / sizes[:, None]
    away = np.linalg.norm(points - means[owner], axis=1)
    order = np.lexsort((away, owner))
    return np.asarray(order[starts])


def _facing(normals: np.ndarray) -> np.ndarray:
    """(N, 4) unit quaternions wxyz that take z to each normal by the shortest way."""
    x, y, z = normals.T
    turned = np.stack([1 + z, -y, x, np.zeros_like(z)], axis=1)
    turned[z < -1 + 1e-9] = [0, 1, 0, 0]
    return turned / np.linalg.norm(turned, axis=1, keepdims=True)
