"""Draws splats in renders with what every Blender from 4.2 on has: geometry nodes and a material.

Owns the node groups, one for each degree of harmonics, and the material, which all splat objects
share. Must not know files. Each splat becomes a quad that faces the scene's camera in the space in
which the splat is a ball, so that it carries exactly the splat's outline as the camera sees it
(Kerbl et al. 2023 draw the same ellipse, to first order in the splat's size). Without a camera the
quads face the object's origin. From elsewhere than the camera they look foreshortened: therefore
viewports do not show them, ``splat_overlay`` draws there.
"""

from __future__ import annotations

from typing import Any

import bpy

from . import splat_data
from .splat_color import seen_color
from .splat_nodes import REVISION, Nodes, Socket

NAME = "Glimpse3D splats"
_REVISION, _DEGREE = "glimpse3d_revision", "glimpse3d_degree"
# What the user may choose in the modifier.
RAW = "Raw Colours"
# How far a quad reaches, in standard deviations; beyond it a splat has faded to 1 percent.
REACH = 3.0
_CORNER, _COLOR = "splat_corner", "splat_color"
_LEAST_SCALE = 1e-7  # metres


def add_display(thing: bpy.types.Object) -> None:
    """Let ``thing`` be drawn as splats; replaces the display of an older release.

    Native splats need none: what an older file brought is taken away.
    """
    former = display_of(thing)
    if splat_data.is_native(thing):
        if former is not None:
            thing.modifiers.remove(former)
        return
    modifier = former or thing.modifiers.new(NAME, "NODES")
    degree = splat_data.degree(thing.data)
    modifier.node_group = _shared(bpy.data.node_groups, degree) or _node_group(degree)
    modifier.show_viewport = False
    thing.display_type = "BOUNDS"  # else a viewport marks every vertex with a black dot


def display_of(thing: bpy.types.Object) -> bpy.types.Modifier | None:
    """The modifier that draws the splats, of whatever release."""
    groups = (each for each in thing.modifiers if each.type == "NODES" and each.node_group)
    return next((each for each in groups if _REVISION in each.node_group), None)


def is_current(thing: bpy.types.Object) -> bool:
    """Whether this release, or Blender itself, draws the splats."""
    modifier = display_of(thing)
    if splat_data.has_native():
        return splat_data.is_native(thing) and modifier is None
    return modifier is not None and _fits(modifier.node_group, splat_data.degree(thing.data))


def set_raw(thing: bpy.types.Object, raw: bool) -> None:
    """Let renders blend the very colours that 3DGS blends; meant for the view transform Raw."""
    modifier = display_of(thing)
    if modifier is None:
        return
    items = modifier.node_group.interface.items_tree
    identifier = next(each.identifier for each in items if each.name == RAW)
    if hasattr(modifier, "properties"):
        getattr(modifier.properties.inputs, identifier).value = raw
    else:
        modifier[identifier] = raw
    thing.update_tag()


def _fits(block: Any, degree: int) -> bool:
    return block.get(_REVISION) == REVISION and block.get(_DEGREE) == degree


def _shared(blocks: Any, degree: int) -> Any:
    return next((each for each in blocks if _fits(each, degree)), None)


def _node_group(degree: int) -> bpy.types.NodeTree:
    tree = bpy.data.node_groups.new(NAME, "GeometryNodeTree")
    tree[_REVISION], tree[_DEGREE] = REVISION, degree
    tree.is_modifier = True
    for way in ("INPUT", "OUTPUT"):
        tree.interface.new_socket("Geometry", in_out=way, socket_type="NodeSocketGeometry")
    tree.interface.new_socket(RAW, in_out="INPUT", socket_type="NodeSocketBool")
    nodes = Nodes(tree)
    given = nodes.add("NodeGroupInput", {})
    towards = _towards_camera(nodes)
    color = seen_color(nodes, degree, _unscaled(nodes, towards), given.outputs[RAW])
    splats = nodes.add(
        "GeometryNodeStoreNamedAttribute",
        {"Geometry": given.outputs["Geometry"], "Name": _COLOR, "Value": color},
        data_type="FLOAT_COLOR",
        domain="POINT",
    ).outputs["Geometry"]
    instances = nodes.add(
        "GeometryNodeInstanceOnPoints",
        {"Points": _without(nodes, splats, "radiance:*"), "Instance": _quad(nodes)},
    ).outputs["Instances"]
    instances = nodes.add(
        "GeometryNodeSetInstanceTransform",
        {"Instances": instances, "Transform": _facing_camera(nodes, towards)},
    ).outputs["Instances"]
    for name in ("scale", "rotation"):
        instances = _without(nodes, instances, name)
    drawn = nodes.add("GeometryNodeRealizeInstances", {"Geometry": instances}).outputs["Geometry"]
    nodes.add("NodeGroupOutput", {"Geometry": drawn})
    return tree


def _without(nodes: Nodes, geometry: Socket, names: str) -> Socket:
    """What the quads' corners do not need must not be copied to each of them."""
    node = nodes.add(
        "GeometryNodeRemoveAttribute",
        {"Geometry": geometry, "Name": names},
        pattern_mode="WILDCARD",
    )
    return node.outputs["Geometry"]


def _quad(nodes: Nodes) -> Socket:
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
    material = _shared(bpy.data.materials, 0) or _material()
    painted = nodes.add(
        "GeometryNodeSetMaterial", {"Geometry": marked.outputs["Geometry"], "Material": material}
    )
    return painted.outputs["Geometry"]


def _towards_camera(nodes: Nodes) -> Socket:
    """From the splat to the camera, in the object's space."""
    place = nodes.add("GeometryNodeInputPosition", {}).outputs["Position"]
    camera = nodes.add("GeometryNodeInputActiveCamera", {}).outputs["Active Camera"]
    info = nodes.add("GeometryNodeObjectInfo", {"Object": camera}, transform_space="RELATIVE")
    return nodes.vector("SUBTRACT", info.outputs["Location"], place)


def _unscaled(nodes: Nodes, vector: Socket) -> Socket:
    """A vector of the object's space in its axes alone: as the world has it, but not turned."""
    thing = nodes.add("GeometryNodeSelfObject", {}).outputs[0]
    info = nodes.add("GeometryNodeObjectInfo", {"Object": thing}, transform_space="ORIGINAL")
    return nodes.vector("MULTIPLY", vector, info.outputs["Scale"])


def _facing_camera(nodes: Nodes, towards: Socket) -> Socket:
    """(4, 4) object from quad: the splat's own axes and spread, turned to the camera as a ball."""
    place = nodes.add("GeometryNodeInputPosition", {}).outputs["Position"]
    rotation = nodes.attribute("rotation", "QUATERNION")
    raw_scale = nodes.attribute("scale", "FLOAT_VECTOR")
    scale = nodes.vector("MAXIMUM", raw_scale, (_LEAST_SCALE,) * 3)
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
    material[_REVISION], material[_DEGREE] = REVISION, 0
    if material.node_tree is None:  # before Blender 5.0 a material begins without
        material.use_nodes = True
    # EEVEE would otherwise draw the quads in the order in which they are stored.
    material.surface_render_method = "DITHERED"
    cycles = getattr(material, "cycles", None)
    if cycles is not None:  # a light tree over all quads costs more than it finds
        cycles.emission_sampling = "NONE"
    nodes = Nodes(material.node_tree)
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
