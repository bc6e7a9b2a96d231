"""Covers a mesh in the scene with splats: flat discs on its surface, in its colours.

Owns what of a Blender mesh that needs and where the discs go. numpy only, as Blender has no more:
points of a grid's cells stand in for the blue noise that the server spreads. Must not know servers.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from .._vendor.glimpse3d import cloud_edits
from .._vendor.glimpse3d.errors import InvalidData, InvalidSettings
from .._vendor.glimpse3d.formats import sh
from .._vendor.glimpse3d.types import GaussianCloud

# Standard deviation along the surface in units of the mean spacing sqrt(area / count).
SPREAD = 0.6
# Standard deviation along the normal, as a share of that along the surface.
THICKNESS = 0.02
OPACITY = 0.99
# Points looked at for each splat: their mean colour is its colour.
_CROWD = 8
_GREY = (0.5, 0.5, 0.5)  # sRGB, of a mesh without any colour


def cover(
    thing: bpy.types.Object, depsgraph: bpy.types.Depsgraph, count: int, seed: int = 0
) -> GaussianCloud:
    """At most ``count`` splats on the mesh as its modifiers leave it, in world space.

    Each material's base colour is taken: its picture, its colour attribute or its plain colour,
    without light. A mesh without material shows its active colour attribute.

    Raises:
        InvalidData: there is no surface.
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
    triangles = len(mesh.loop_triangles)
    places = _floats(mesh.vertices, "co", 3) @ pose[:3, :3].T + pose[:3, 3]
    corners = places[_whole(mesh.loop_triangles, "vertices", 3)].reshape(triangles, 3, 3)
    crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    if np.linalg.det(pose[:3, :3]) < 0:  # a mirrored object's triangles run the other way round
        crosses = -crosses
    areas = np.linalg.norm(crosses, axis=1) / 2
    area = float(areas.sum())
    if not area > 0:
        raise InvalidData(
            "the mesh has no surface", "splats cover faces; edges and points have none"
        )
    faces, weights = _scatter(areas, count * _CROWD, np.random.default_rng(seed))
    points = np.einsum("nk,nkc->nc", weights, corners[faces])
    normals = crosses[faces] / (2 * areas[faces])[:, None]
    kinds = _sides(normals)
    cells = cloud_edits.grid_cells(points, count, kinds)
    order = np.argsort(cells, kind="stable")
    starts = np.flatnonzero(np.diff(cells[order], prepend=-1))
    faces, weights, points, normals = (a[order] for a in (faces, weights, points, normals))
    kept = _central(points, starts)
    sizes = np.diff(starts, append=len(points))[:, None]
    seen = np.add.reduceat(_colors(mesh, faces, weights), starts, axis=0) / sizes
    spread = SPREAD * float(np.sqrt(area / len(starts)))
    return GaussianCloud(
        means=points[kept],
        scales=np.tile([spread, spread, THICKNESS * spread], (len(starts), 1)),
        rotations=_facing(normals[kept]),
        opacities=np.full(len(starts), OPACITY),
        sh=sh.from_color(seen)[:, None, :],
    )


def _floats(blocks: Any, name: str, columns: int) -> np.ndarray:
    values = np.empty(len(blocks) * columns, np.float32)
    blocks.foreach_get(name, values)
    return values.reshape(-1, columns).astype(np.float64)


def _whole(blocks: Any, name: str, columns: int = 1) -> np.ndarray:
    values = np.empty(len(blocks) * columns, np.int32)
    blocks.foreach_get(name, values)
    return values


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


def _colors(mesh: bpy.types.Mesh, faces: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(N, 3) sRGB 0..1 at points of the surface."""
    slots = np.array([triangle.material_index for triangle in mesh.loop_triangles])[faces]
    colors = np.empty((len(faces), 3))
    for slot in np.unique(slots):
        own = slots == slot
        material = mesh.materials[slot] if slot < len(mesh.materials) else None
        colors[own] = _colors_of(mesh, material, faces[own], weights[own])
    return colors


def _colors_of(
    mesh: bpy.types.Mesh, material: Any, faces: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Where one material is."""
    source = _base_color(material)
    if source is None:
        attribute = mesh.color_attributes.active_color
        return _attribute(mesh, attribute, faces, weights)
    if isinstance(source, bpy.types.Image):
        return _texels(mesh, source, faces, weights)
    if isinstance(source, str):
        attribute = mesh.color_attributes.get(source) or mesh.color_attributes.active_color
        return _attribute(mesh, attribute, faces, weights)
    return np.tile(_encoded(np.array(source[:3])), (len(faces), 1))


def _base_color(material: Any) -> Any:
    """A picture, the name of a colour attribute, a linear colour, or None for no material."""
    if material is None:
        return None
    if material.node_tree is None:
        return tuple(material.diffuse_color)
    kinds = ("Base Color", "Color")
    shaders = (each for each in material.node_tree.nodes if each.bl_idname.startswith("ShaderNode"))
    for node in sorted(shaders, key=lambda each: each.type != "BSDF_PRINCIPLED"):
        socket = next((node.inputs[name] for name in kinds if name in node.inputs), None)
        if socket is None or not ("BSDF" in node.type or node.type == "EMISSION"):
            continue
        return _upstream(socket)
    return tuple(material.diffuse_color)


def _upstream(socket: Any) -> Any:
    """What colours a socket: the first picture or attribute that leads to it, else its value."""
    waiting, seen = [socket], set()
    while waiting:
        current = waiting.pop(0)
        for link in current.links:
            node = link.from_node
            if node.type == "TEX_IMAGE" and node.image is not None:
                return node.image
            if node.type == "VERTEX_COLOR":
                return node.layer_name
            if node.type == "ATTRIBUTE":
                return node.attribute_name
            if node.name not in seen:
                seen.add(node.name)
                waiting.extend(node.inputs)
    return tuple(socket.default_value)


def _encoded(linear: np.ndarray) -> np.ndarray:
    """sRGB of linear light (IEC 61966-2-1)."""
    light = np.clip(linear, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _attribute(
    mesh: bpy.types.Mesh, attribute: Any, faces: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    if attribute is None:
        return np.tile(_GREY, (len(faces), 1))
    values = _encoded(_floats(attribute.data, "color", 4)[:, :3])  # linear in either kind
    member = "loops" if attribute.domain == "CORNER" else "vertices"
    corners = _whole(mesh.loop_triangles, member, 3).reshape(-1, 3)[faces]
    return np.einsum("nk,nkc->nc", weights, values[corners])


def _texels(
    mesh: bpy.types.Mesh, image: bpy.types.Image, faces: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """The picture where its coordinates say, repeated beyond its edges."""
    width, height = image.size
    layer = mesh.uv_layers.active
    if layer is None or not width * height:
        return np.tile(_GREY, (len(faces), 1))
    flat = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(flat)
    pixels = flat.reshape(height, width, image.channels)[..., :3]
    if pixels.shape[2] < 3:
        pixels = np.repeat(pixels[..., :1], 3, axis=2)
    loops = _whole(mesh.loop_triangles, "loops", 3).reshape(-1, 3)[faces]
    places = np.einsum("nk,nkc->nc", weights, _floats(layer.uv, "vector", 2)[loops])
    column = np.floor(places[:, 0] * width).astype(int) % width
    row = np.floor(places[:, 1] * height).astype(int) % height
    colors = pixels[row, column].astype(np.float64)
    return _encoded(colors) if image.is_float else colors
