"""Draws splats with what every Blender from 4.2 on has: geometry nodes and a material.

Owns the node group and the material, which all splat objects share. Must not know files. Each splat
becomes a quad that faces the scene's camera in the space in which the splat is a ball, so that it
carries exactly the splat's outline as the camera sees it (Kerbl et al. 2023 draw the same ellipse,
to first order in the splat's size). Without a camera the quads face the object's origin. From
elsewhere than the camera they look foreshortened.
"""

from __future__ import annotations

from typing import Any

import bpy

from .._vendor.glimpse3d.formats.sh import C0

NAME = "Glimpse3D splats"
# Raised whenever the nodes change, so that a newer release does not take up an older one's.
REVISION = 1
_REVISION = "glimpse3d_revision"
# How far a quad reaches, in standard deviations; beyond it a splat has faded to 1 percent.
REACH = 3.0
_CORNER, _COLOR = "splat_corner", "splat_color"
_LEAST_SCALE = 1e-7  # metres

_Socket = Any


def add_display(thing: bpy.types.Object) -> None:
    """Let ``thing``, whose vertices carry splat attributes, be drawn as splats."""
    modifier = thing.modifiers.new(NAME, "NODES")
    modifier.node_group = _shared(bpy.data.node_groups) or _node_group()


def _shared(blocks: Any) -> Any:
    return next((each for each in blocks if each.get(_REVISION) == REVISION), None)


def _title(identifier: str) -> str:
    return identifier.replace("_", " ").title()


class _Nodes:
    """A node tree while it grows."""

    def __init__(self, tree: bpy.types.NodeTree) -> None:
        self.tree = tree

    def add(self, kind: str, inputs: dict[Any, Any], **settings: Any) -> bpy.types.Node:
        """A node; an input is a socket to link or a value to set, by its name or its index."""
        node = self.tree.nodes.new(kind)
        for name, value in settings.items():
            if hasattr(node, name):
                setattr(node, name, value)
            else:  # newer versions turn such choices into inputs that hold their titles
                node.inputs[_title(name)].default_value = _title(value)
        for name, value in inputs.items():
            if isinstance(value, bpy.types.NodeSocket):
                self.tree.links.new(value, node.inputs[name])
            else:
                node.inputs[name].default_value = value
        # In rows by age: enough to be read, and every link runs to the right.
        count = len(self.tree.nodes)
        node.location = 200 * (count // 5), -180 * (count % 5)
        return node

    def math(self, operation: str, *inputs: _Socket | float) -> _Socket:
        """A number."""
        node = self.add("ShaderNodeMath", dict(enumerate(inputs)), operation=operation)
        return node.outputs[0]

    def vector(self, operation: str, *inputs: Any) -> _Socket:
        """A vector."""
        node = self.add("ShaderNodeVectorMath", dict(enumerate(inputs)), operation=operation)
        return node.outputs[0]

    def attribute(self, name: str, kind: str) -> _Socket:
        """A named attribute of the splats."""
        node = self.add("GeometryNodeInputNamedAttribute", {"Name": name}, data_type=kind)
        return next(socket for socket in node.outputs if socket.enabled)


def _node_group() -> bpy.types.NodeTree:
    tree = bpy.data.node_groups.new(NAME, "GeometryNodeTree")
    tree[_REVISION] = REVISION
    tree.is_modifier = True
    for way in ("INPUT", "OUTPUT"):
        tree.interface.new_socket("Geometry", in_out=way, socket_type="NodeSocketGeometry")
    nodes = _Nodes(tree)
    splats = nodes.add("NodeGroupInput", {}).outputs["Geometry"]
    base = nodes.attribute("radiance:base", "FLOAT_COLOR")
    instances = nodes.add(
        "GeometryNodeInstanceOnPoints", {"Points": splats, "Instance": _quad(nodes)}
    ).outputs["Instances"]
    instances = nodes.add(
        "GeometryNodeStoreNamedAttribute",
        {"Geometry": instances, "Name": _COLOR, "Value": _seen_color(nodes, base)},
        data_type="FLOAT_COLOR",
        domain="INSTANCE",
    ).outputs["Geometry"]
    instances = nodes.add(
        "GeometryNodeSetInstanceTransform",
        {"Instances": instances, "Transform": _facing_camera(nodes)},
    ).outputs["Instances"]
    # What the quads' corners do not need must not be copied to each of them.
    for name in ("radiance:*", "scale", "rotation"):
        instances = nodes.add(
            "GeometryNodeRemoveAttribute",
            {"Geometry": instances, "Name": name},
            pattern_mode="WILDCARD",
        ).outputs["Geometry"]
    drawn = nodes.add("GeometryNodeRealizeInstances", {"Geometry": instances}).outputs["Geometry"]
    nodes.add("NodeGroupOutput", {"Geometry": drawn})
    return tree


def _quad(nodes: _Nodes) -> _Socket:
    """A square from -1 to 1 with the material, whose corners remember their places."""
    grid = nodes.add(
        "GeometryNodeMeshGrid", {"Size X": 2.0, "Size Y": 2.0, "Vertices X": 2, "Vertices Y": 2}
    )
    place = nodes.add("GeometryNodeInputPosition", {}).outputs["Position"]
    marked = nodes.add(
        "GeometryNodeStoreNamedAttribute",
        {"Geometry": grid.outputs["Mesh"], "Name": _CORNER, "Value": place},
        data_type="FLOAT_VECTOR",
        domain="POINT",
    )
    material = _shared(bpy.data.materials) or _material()
    painted = nodes.add(
        "GeometryNodeSetMaterial", {"Geometry": marked.outputs["Geometry"], "Material": material}
    )
    return painted.outputs["Geometry"]


def _seen_color(nodes: _Nodes, base: _Socket) -> _Socket:
    """Linear colour with the opacity as alpha, from the raw coefficient (sRGB, as 3DGS trains)."""
    parts = nodes.add("FunctionNodeSeparateColor", {"Color": base})
    combined = nodes.add("FunctionNodeCombineColor", {"Alpha": parts.outputs["Alpha"]})
    for channel in ("Red", "Green", "Blue"):
        scaled = nodes.math("MULTIPLY_ADD", parts.outputs[channel], C0, 0.5)
        linear = _linear(nodes, nodes.math("MAXIMUM", scaled, 0.0))
        nodes.tree.links.new(linear, combined.inputs[channel])
    return combined.outputs["Color"]


def _linear(nodes: _Nodes, value: _Socket) -> _Socket:
    """One channel out of sRGB (IEC 61966-2-1)."""
    dark = nodes.math("DIVIDE", value, 12.92)
    shifted = nodes.math("DIVIDE", nodes.math("ADD", value, 0.055), 1.055)
    bright = nodes.math("POWER", shifted, 2.4)
    is_bright = nodes.math("GREATER_THAN", value, 0.04045)
    # dark + is_bright * (bright - dark)
    return nodes.math("MULTIPLY_ADD", is_bright, nodes.math("SUBTRACT", bright, dark), dark)


def _facing_camera(nodes: _Nodes) -> _Socket:
    """(4, 4) object from quad: the splat's own axes and spread, turned to the camera as a ball."""
    place = nodes.add("GeometryNodeInputPosition", {}).outputs["Position"]
    rotation = nodes.attribute("rotation", "QUATERNION")
    raw_scale = nodes.attribute("scale", "FLOAT_VECTOR")
    scale = nodes.vector("MAXIMUM", raw_scale, (_LEAST_SCALE,) * 3)
    camera = nodes.add("GeometryNodeInputActiveCamera", {}).outputs["Active Camera"]
    info = nodes.add("GeometryNodeObjectInfo", {"Object": camera}, transform_space="RELATIVE")
    towards = nodes.vector("SUBTRACT", info.outputs["Location"], place)
    inverse = nodes.add("FunctionNodeInvertRotation", {"Rotation": rotation}).outputs["Rotation"]
    local = nodes.add("FunctionNodeRotateVector", {"Vector": towards, "Rotation": inverse})
    as_ball = nodes.vector("DIVIDE", local.outputs["Vector"], scale)
    turn = nodes.add("FunctionNodeAlignRotationToVector", {"Vector": as_ball}, axis="Z")
    reach = nodes.add(
        "ShaderNodeVectorMath", {"Vector": scale, "Scale": REACH}, operation="SCALE"
    ).outputs["Vector"]
    object_from_ball = nodes.add(
        "FunctionNodeCombineTransform",
        {"Translation": place, "Rotation": rotation, "Scale": reach},
    )
    ball_from_quad = nodes.add(
        "FunctionNodeCombineTransform", {"Rotation": turn.outputs["Rotation"]}
    )
    product = nodes.add(
        "FunctionNodeMatrixMultiply",
        {0: object_from_ball.outputs["Transform"], 1: ball_from_quad.outputs["Transform"]},
    )
    return product.outputs["Matrix"]


def _material() -> bpy.types.Material:
    """Emission that fades from the middle of the quad as a Gaussian does, over transparency."""
    material = bpy.data.materials.new(NAME)
    material[_REVISION] = REVISION
    if material.node_tree is None:  # before Blender 5.0 a material begins without
        material.use_nodes = True
    # EEVEE would otherwise draw the quads in the order in which they are stored.
    material.surface_render_method = "DITHERED"
    cycles = getattr(material, "cycles", None)
    if cycles is not None:  # a light tree over all quads costs more than it finds
        cycles.emission_sampling = "NONE"
    nodes = _Nodes(material.node_tree)
    nodes.tree.nodes.clear()
    corner = nodes.add("ShaderNodeAttribute", {}, attribute_name=_CORNER).outputs["Vector"]
    color = nodes.add("ShaderNodeAttribute", {}, attribute_name=_COLOR)
    dot = nodes.add("ShaderNodeVectorMath", {0: corner, 1: corner}, operation="DOT_PRODUCT")
    square = dot.outputs["Value"]
    fade = nodes.math("EXPONENT", nodes.math("MULTIPLY", square, -0.5 * REACH * REACH))
    inside = nodes.math("LESS_THAN", square, 1.0)
    alpha = nodes.math("MULTIPLY", nodes.math("MULTIPLY", fade, inside), color.outputs["Alpha"])
    emission = nodes.add("ShaderNodeEmission", {"Color": color.outputs["Color"]})
    clear = nodes.add("ShaderNodeBsdfTransparent", {})
    mix = nodes.add(
        "ShaderNodeMixShader",
        {0: alpha, 1: clear.outputs["BSDF"], 2: emission.outputs["Emission"]},
    )
    nodes.add("ShaderNodeOutputMaterial", {"Surface": mix.outputs["Shader"]})
    return material
