"""What materials show at points of a mesh, without any light: their base colour and their alpha.

Owns the walk through the nodes that importers and people usually make: a picture with its own
coordinates, moved or not, a colour attribute, a plain colour, and these multiplied; an alpha that
is a picture's, cut or not. Must not know splats. What lies behind other nodes is taken as the first
picture or attribute that leads to them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Euler

_GREY = (0.5, 0.5, 0.5)  # sRGB, of a mesh without any colour
_SOURCES = ("TEX_IMAGE", "VERTEX_COLOR", "ATTRIBUTE")
_MOST_STEPS = 12  # nodes behind each other
_MATHS: dict[str, Callable[[Any, Any], Any]] = {
    "ADD": np.add,
    "SUBTRACT": np.subtract,
    "MULTIPLY": np.multiply,
    "LESS_THAN": np.less,
    "GREATER_THAN": np.greater,
    "ROUND": lambda value, _: np.floor(value + 0.5),
}


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Places on a mesh.

    Attributes:
        mesh: evaluated, with loop triangles.
        faces: (N,) loop triangles.
        weights: (N, 3) of their corners.
    """

    mesh: bpy.types.Mesh
    faces: np.ndarray
    weights: np.ndarray

    def pick(self, rows: np.ndarray) -> Points:
        """Those of ``rows``, (N,) bool."""
        return Points(self.mesh, self.faces[rows], self.weights[rows])

    def blend(self, values: np.ndarray, member: str) -> np.ndarray:
        """(N, C) between the corners, of values for each of ``loops`` or ``vertices``."""
        corners = whole(self.mesh.loop_triangles, member, 3).reshape(-1, 3)[self.faces]
        return np.einsum("nk,nkc->nc", self.weights, values[corners])


def seen(points: Points) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) sRGB 0..1 and (N,) alpha 0..1."""
    mesh = points.mesh
    slots = whole(mesh.loop_triangles, "material_index")[points.faces]
    colors, alphas = np.empty((len(slots), 3)), np.ones(len(slots))
    for slot in np.unique(slots):
        own = slots == slot
        material = mesh.materials[slot] if slot < len(mesh.materials) else None
        colors[own], alphas[own] = _of_material(material, points.pick(own))
    return colors, alphas


def _of_material(material: Any, points: Points) -> tuple[np.ndarray, Any]:
    if material is None:
        attribute = points.mesh.color_attributes.active_color
        return _encoded(_attribute(attribute, points)[:, :3]), 1.0
    shader = _shader(material)
    if shader is None:
        return _encoded(_tiled(material.diffuse_color, points)[:, :3]), 1.0
    socket = next(shader.inputs[name] for name in ("Base Color", "Color") if name in shader.inputs)
    colors = _encoded(_value(socket, points)[:, :3])
    if "Alpha" not in shader.inputs or not shader.inputs["Alpha"].links:
        return colors, 1.0
    return colors, np.clip(_value(shader.inputs["Alpha"], points)[:, 0], 0, 1)


def _shader(material: Any) -> Any:
    """The node whose colour it is, a Principled one before all others; None without any."""
    if material.node_tree is None:
        return None
    shaders = (each for each in material.node_tree.nodes if each.bl_idname.startswith("ShaderNode"))
    for node in sorted(shaders, key=lambda each: each.type != "BSDF_PRINCIPLED"):
        is_shader = "BSDF" in node.type or node.type == "EMISSION"
        if is_shader and ("Base Color" in node.inputs or "Color" in node.inputs):
            return node
    return None


def _value(socket: Any, points: Points, steps: int = _MOST_STEPS) -> np.ndarray:
    """(N, 4) linear light and alpha, or one number four times, as it arrives at a socket."""
    link = next(iter(socket.links), None)
    if link is None or not steps:
        return _tiled(socket.default_value, points)
    node = link.from_node
    if node.type == "TEX_IMAGE" and node.image is not None:
        texels = _texels(node, points)
        return texels[:, [3] * 4] if link.from_socket.name == "Alpha" else texels
    if node.type in _SOURCES:
        name = node.layer_name if node.type == "VERTEX_COLOR" else node.attribute_name
        known = points.mesh.color_attributes
        return _attribute(known.get(name) or known.active_color, points)
    if node.type in ("RGB", "VALUE"):
        return _tiled(link.from_socket.default_value, points)
    if node.type in ("MIX", "MIX_RGB") and node.blend_type == "MULTIPLY":
        return _multiplied(node, points, steps - 1)
    if node.type == "MATH" and node.operation in _MATHS:
        first, second = (_value(each, points, steps - 1) for each in node.inputs[:2])
        return np.asarray(_MATHS[node.operation](first, second), np.float64)
    source = _upstream(node)
    return _tiled(socket.default_value, points) if source is None else _value(source, points, 1)


def _multiplied(node: Any, points: Points, steps: int) -> np.ndarray:
    """A colour tinted by another, as glTF does."""
    names = (
        ("Factor_Float", "A_Color", "B_Color")
        if node.type == "MIX"
        else ("Fac", "Color1", "Color2")
    )
    sockets = {each.identifier: each for each in node.inputs}
    factor, first, second = (_value(sockets[name], points, steps) for name in names)
    result = first * (1 - factor + factor * second)
    result[:, 3] = first[:, 3]
    return np.asarray(result)


def _upstream(node: Any) -> Any:
    """The socket into which the first picture or attribute leads, somewhere behind a node."""
    waiting, known = list(node.inputs), {node.name}
    while waiting:
        socket = waiting.pop(0)
        for link in socket.links:
            before = link.from_node
            if before.type in _SOURCES and getattr(before, "image", True) is not None:
                return socket
            if before.name not in known:
                known.add(before.name)
                waiting.extend(before.inputs)
    return None


def _tiled(value: Any, points: Points) -> np.ndarray:
    """One colour, or one number, everywhere."""
    four = np.ones(4)
    parts = np.ravel(value) if np.ndim(value) else np.repeat(float(value), 4)
    four[: len(parts)] = parts
    return np.tile(four, (len(points.faces), 1))


def _attribute(attribute: Any, points: Points) -> np.ndarray:
    if attribute is None:
        return _tiled(_decoded(np.array(_GREY)), points)
    values = floats(attribute.data, "color", 4)  # linear in either kind
    return points.blend(values, "loops" if attribute.domain == "CORNER" else "vertices")


def _texels(node: Any, points: Points) -> np.ndarray:
    """The picture where its coordinates say, repeated beyond its edges or not."""
    image = node.image
    width, height = image.size
    places = _coordinates(node, points)
    if places is None or not width * height:
        return _tiled(_decoded(np.array(_GREY)), points)
    flat = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(flat)
    pixels = flat.reshape(height, width, image.channels)
    spots = np.floor(np.nan_to_num(places) * (width, height)).astype(np.int64)
    if node.extension == "REPEAT":
        column, row = (spots % (width, height)).T
    else:
        column, row = np.clip(spots, 0, (width - 1, height - 1)).T
    found = pixels[row, column].astype(np.float64)
    texels = np.ones((len(found), 4))
    texels[:, :3] = found[:, :3] if image.channels > 2 else found[:, :1]
    if image.channels in (2, 4) and image.alpha_mode != "NONE":
        texels[:, 3] = found[:, -1]
    if not image.is_float:
        texels[:, :3] = _decoded(texels[:, :3])
    return texels


def _coordinates(node: Any, points: Points) -> np.ndarray | None:
    """(N, 2), v up; None if the mesh has none."""
    layers = points.mesh.uv_layers
    moves: list[Any] = []
    link = next(iter(node.inputs["Vector"].links), None)
    while link is not None and link.from_node.type == "MAPPING" and len(moves) < _MOST_STEPS:
        moves.append(link.from_node)
        link = next(iter(link.from_node.inputs["Vector"].links), None)
    name = getattr(link.from_node, "uv_map", "") if link is not None else ""
    usual = next((each for each in layers if each.active_render), layers.active)
    layer = layers.get(name) or usual
    if layer is None:
        return None
    places = points.blend(floats(layer.uv, "vector", 2), "loops")
    for move in reversed(moves):
        places = _moved(move, places)
    return places


def _moved(node: Any, places: np.ndarray) -> np.ndarray:
    """What a Mapping node makes of points; of its other kinds nothing is made."""
    if node.vector_type not in ("POINT", "TEXTURE"):
        return places
    shift, turn, scale = (
        np.array(node.inputs[name].default_value) for name in ("Location", "Rotation", "Scale")
    )
    rotation = np.array(Euler(turn).to_matrix())
    solid = np.pad(places, ((0, 0), (0, 1)))
    if node.vector_type == "POINT":
        moved = solid * scale @ rotation.T + shift
    else:
        moved = (solid - shift) @ rotation / np.where(scale == 0, 1, scale)
    return np.asarray(moved[:, :2])


def _encoded(linear: np.ndarray) -> np.ndarray:
    """sRGB of linear light (IEC 61966-2-1)."""
    light = np.clip(linear, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _decoded(display: np.ndarray) -> np.ndarray:
    """Linear light of sRGB."""
    return np.where(display <= 0.04045, display / 12.92, ((display + 0.055) / 1.055) ** 2.4)


def floats(blocks: Any, name: str, columns: int) -> np.ndarray:
    """(n, columns) float64 of a collection's member."""
    values = np.empty(len(blocks) * columns, np.float32)
    blocks.foreach_get(name, values)
    return values.reshape(-1, columns).astype(np.float64)


def whole(blocks: Any, name: str, columns: int = 1) -> np.ndarray:
    """(n * columns,) int32 of a collection's member."""
    values = np.empty(len(blocks) * columns, np.int32)
    blocks.foreach_get(name, values)
    return values
