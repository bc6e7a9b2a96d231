"""A node tree while it grows, for shaders and geometry alike.

Owns how nodes are made, linked and placed in every Blender from 4.2 on. Must not know what the
nodes are for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import bpy

# Raised whenever the nodes change, so that a newer release does not take up an older one's.
REVISION = 3
_PART = "glimpse3d_part"
Socket = Any


def _title(identifier: str) -> str:
    return identifier.replace("_", " ").title()


class Nodes:
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

    def math(self, operation: str, *inputs: Socket | float) -> Socket:
        """A number."""
        node = self.add("ShaderNodeMath", dict(enumerate(inputs)), operation=operation)
        return node.outputs[0]

    def vector(self, operation: str, *inputs: Any) -> Socket:
        """A vector."""
        node = self.add("ShaderNodeVectorMath", dict(enumerate(inputs)), operation=operation)
        return node.outputs[0]

    def part(self, tree: bpy.types.NodeTree, inputs: dict[Any, Any]) -> Socket:
        """The first output of a part."""
        return self.add("GeometryNodeGroup", inputs, node_tree=tree).outputs[0]

    def attribute(self, name: str, kind: str) -> Socket:
        """A named attribute of the splats."""
        node = self.add("GeometryNodeInputNamedAttribute", {"Name": name}, data_type=kind)
        return next(socket for socket in node.outputs if socket.enabled)


def part(
    name: str, given: Mapping[str, str], kind: str, fill: Callable[[Nodes, list[Socket]], Socket]
) -> bpy.types.NodeTree:
    """A node group for others to use, made once a file.

    Blender looks at a whole tree again whenever a node is added, so that one of 160 nodes takes
    four times as long to grow as four of 40; and parts with names can be read.

    Args:
        name: what it does; also its name in Blender.
        given: the inputs' types by their names, such as ``{"Value": "NodeSocketFloat"}``.
        kind: the type of the only output, ``"Result"``.
        fill: makes the nodes out of the inputs' sockets and returns the result's.
    """
    mark = f"{name} {REVISION}"
    tree = next((each for each in bpy.data.node_groups if each.get(_PART) == mark), None)
    if tree is None:
        tree = bpy.data.node_groups.new(name, "GeometryNodeTree")
        tree[_PART] = mark
        tree.interface.new_socket("Result", in_out="OUTPUT", socket_type=kind)
        for title, given_kind in given.items():
            tree.interface.new_socket(title, in_out="INPUT", socket_type=given_kind)
        nodes = Nodes(tree)
        sockets = list(nodes.add("NodeGroupInput", {}).outputs)[: len(given)]
        nodes.add("NodeGroupOutput", {"Result": fill(nodes, sockets)})
    return tree


class Number:
    """A socket that calculates, so that one formula serves arrays and nodes."""

    def __init__(self, nodes: Nodes, socket: Socket) -> None:
        self.nodes, self.socket = nodes, socket

    def _with(self, operation: str, first: Any, second: Any) -> Number:
        plain = [each.socket if isinstance(each, Number) else each for each in (first, second)]
        return Number(self.nodes, self.nodes.math(operation, *plain))

    def __add__(self, other: Number | float) -> Number:
        return self._with("ADD", self, other)

    def __sub__(self, other: Number | float) -> Number:
        return self._with("SUBTRACT", self, other)

    def __mul__(self, other: Number | float) -> Number:
        return self._with("MULTIPLY", self, other)

    def __rmul__(self, other: float) -> Number:
        return self._with("MULTIPLY", other, self)
