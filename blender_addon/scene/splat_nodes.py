"""A node tree while it grows, for shaders and geometry alike.

Owns how nodes are made, linked and placed in every Blender from 4.2 on. Must not know what the
nodes are for.
"""

from __future__ import annotations

from typing import Any

import bpy

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

    def attribute(self, name: str, kind: str) -> Socket:
        """A named attribute of the splats."""
        node = self.add("GeometryNodeInputNamedAttribute", {"Name": name}, data_type=kind)
        return next(socket for socket in node.outputs if socket.enabled)


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
