"""The colour of each splat as geometry nodes: harmonics towards the camera, then linear light.

Owns that calculation. Must not know how splats are shaped. The formula of the harmonics is the
file formats' own, applied to nodes in place of arrays. Coefficients are in the object's axes, so
that an object that is turned shows the colours of its other sides, as it should.
"""

from __future__ import annotations

from functools import partial

from .._vendor.glimpse3d.formats import sh
from .splat_data import BASE, HIGHER
from .splat_nodes import Nodes, Number, Socket, part


def seen_color(nodes: Nodes, degree: int, towards: Socket, raw: Socket) -> Socket:
    """A colour with the opacity as alpha.

    Args:
        nodes: of a geometry node tree.
        degree: of the harmonics, 0 to 3.
        towards: a vector from the splat to the camera, in the object's axes, not normalised.
        raw: whether the colour is given as 3DGS blends it, sRGB, instead of as linear light.
    """
    base = nodes.attribute(BASE, "FLOAT_COLOR")
    parts = nodes.add("FunctionNodeSeparateColor", {"Color": base})
    combined = nodes.add("FunctionNodeCombineColor", {"Alpha": parts.outputs["Alpha"]})
    coefficient = nodes.add(
        "ShaderNodeCombineXYZ",
        dict(enumerate(parts.outputs[name] for name in ("Red", "Green", "Blue"))),
    ).outputs["Vector"]
    color = nodes.vector("MULTIPLY_ADD", coefficient, (sh.C0,) * 3, (0.5,) * 3)
    if degree:
        color = _with_harmonics(nodes, degree, towards, color)
    channels = nodes.add("ShaderNodeSeparateXYZ", {0: nodes.vector("MAXIMUM", color, (0.0,) * 3)})
    linear = part(
        "Glimpse3D sRGB to linear", {"Value": "NodeSocketFloat"}, "NodeSocketFloat", _linear
    )
    for name, value in zip(("Red", "Green", "Blue"), channels.outputs, strict=True):
        switch = nodes.add(
            "GeometryNodeSwitch",
            {"Switch": raw, "False": nodes.part(linear, {"Value": value}), "True": value},
            input_type="FLOAT",
        )
        nodes.tree.links.new(switch.outputs[0], combined.inputs[name])
    return combined.outputs["Color"]


def _with_harmonics(nodes: Nodes, degree: int, towards: Socket, color: Socket) -> Socket:
    """``color`` and what the higher bands add to it as seen from the camera."""
    away = nodes.vector("NORMALIZE", nodes.vector("MULTIPLY", towards, (-1.0,) * 3))
    given = {"Direction": "NodeSocketVector", "Colour": "NodeSocketVector"}
    for band in range(1, degree + 1):
        name = f"Glimpse3D harmonics, band {band}"
        tree = part(name, given, "NodeSocketVector", partial(_add_band, band))
        color = nodes.part(tree, {"Direction": away, "Colour": color})
    return color


def _add_band(band: int, nodes: Nodes, given: list[Socket]) -> Socket:
    direction, color = given
    outputs = nodes.add("ShaderNodeSeparateXYZ", {0: direction}).outputs
    x, y, z = (Number(nodes, each) for each in outputs)
    values = sh.band_polynomials(x, y, z, band)
    for index, value in enumerate(values, start=band * band - 1):
        coefficient = nodes.attribute(HIGHER.format(index), "FLOAT_VECTOR")
        color = nodes.vector("MULTIPLY_ADD", coefficient, value.socket, color)
    return color


def _linear(nodes: Nodes, given: list[Socket]) -> Socket:
    """One channel out of sRGB (IEC 61966-2-1)."""
    (value,) = given
    dark = nodes.math("DIVIDE", value, 12.92)
    shifted = nodes.math("DIVIDE", nodes.math("ADD", value, 0.055), 1.055)
    bright = nodes.math("POWER", shifted, 2.4)
    is_bright = nodes.math("GREATER_THAN", value, 0.04045)
    # dark + is_bright * (bright - dark)
    return nodes.math("MULTIPLY_ADD", is_bright, nodes.math("SUBTRACT", bright, dark), dark)
