"""Builds the mesh of a result: welded, upright, with its texture on a Principled surface.

Owns the mesh object, its material and its packed texture. Must not know how the file is laid out,
nor where the object comes to stand. Blender keeps texture coordinates in the corners of faces, so
the vertices that a GLB repeats along seams are welded again and the surface is closed.
"""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from .._vendor.glimpse3d.errors import BadFile
from .._vendor.glimpse3d.formats import picture_header
from . import glb

UV_LAYER, COLOR_LAYER = "UVMap", "Color"


def add_mesh(path: Path, collection: bpy.types.Collection, name: str) -> bpy.types.Object:
    """The mesh of a ``mesh.glb``, in the house frame, which is Blender's: front to -Y, metres.

    Raises:
        BadFile: the file is malformed; datablocks made so far are the caller's to remove.
    """
    surface = glb.read(path)
    data = bpy.data.meshes.new(name)
    _fill(data, surface)
    data.materials.append(_material(surface, name))
    thing = bpy.data.objects.new(name, data)
    collection.objects.link(thing)
    return thing


def weld(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Equal positions become one vertex; triangles that collapse are left out.

    Returns:
        (W, 3) vertices in order of first use, (F', 3) faces, and (F',) which faces were kept.
    """
    places = np.ascontiguousarray(vertices + np.float32(0))  # -0 and 0 are one place
    keys = places.view(np.dtype((np.void, places.dtype.itemsize * 3))).reshape(-1)
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    welded = rank[inverse.reshape(-1)][faces]
    a, b, c = welded.T
    kept = np.flatnonzero((a != b) & (b != c) & (c != a))
    return vertices[first[order]], welded[kept], kept


def _fill(data: bpy.types.Mesh, surface: glb.Surface) -> None:
    vertices, faces, kept = weld(surface.vertices, surface.faces)
    if not len(faces):
        raise BadFile("the mesh has no triangle with an area", "make the result again")
    data.vertices.add(len(vertices))
    data.attributes["position"].data.foreach_set("vector", vertices.reshape(-1))
    data.loops.add(faces.size)
    data.loops.foreach_set("vertex_index", faces.reshape(-1).astype(np.int32))
    data.polygons.add(len(faces))
    data.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
    data.polygons.foreach_set("use_smooth", np.ones(len(faces), bool))
    corners = surface.faces[kept].reshape(-1)
    if surface.uvs is not None:
        layer = data.uv_layers.new(name=UV_LAYER, do_init=False)
        layer.data.foreach_set("uv", surface.uvs[corners].reshape(-1))
    if surface.colors is not None:
        colors = data.color_attributes.new(COLOR_LAYER, "FLOAT_COLOR", "CORNER")
        colors.data.foreach_set("color", surface.colors[corners].reshape(-1))
    data.update(calc_edges=True)
    data.validate()


def _material(surface: glb.Surface, name: str) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    if material.node_tree is None:  # before Blender 5.0 a material begins without
        material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    output.location = 300, 0
    principled = tree.nodes.new("ShaderNodeBsdfPrincipled")
    principled.inputs["Roughness"].default_value = surface.roughness
    principled.inputs["Metallic"].default_value = surface.metallic
    tree.links.new(principled.outputs["BSDF"], output.inputs["Surface"])
    source = _color_source(tree, surface, name)
    if source is not None:
        source.location = -320, 0
        tree.links.new(source.outputs["Color"], principled.inputs["Base Color"])
    return material


def _color_source(
    tree: bpy.types.NodeTree, surface: glb.Surface, name: str
) -> bpy.types.Node | None:
    """The node that the base colour comes from; Principled's own colour if there is none."""
    if surface.png is not None:
        texture = tree.nodes.new("ShaderNodeTexImage")
        texture.extension = "EXTEND"
        texture.image = _packed(surface.png, name)
        return texture
    if surface.colors is not None:
        attribute = tree.nodes.new("ShaderNodeVertexColor")
        attribute.layer_name = COLOR_LAYER
        return attribute
    return None


def _packed(png: bytes, name: str) -> bpy.types.Image:
    """An image datablock that carries the file inside the .blend."""
    picture_header.check(png, "the texture in the GLB")
    image = bpy.data.images.new(name, 1, 1)
    image.pack(data=png, data_len=len(png))
    image.source = "FILE"
    if 0 in image.size:
        raise BadFile("the texture in the GLB is not a picture", "make the result again")
    return image
