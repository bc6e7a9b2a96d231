"""Builds the splats of a result as an object, with the attributes of Blender's native splats.

Owns the attributes and their names, and what Cycles must be told before it draws splats. Must not
know how they are displayed beyond asking for it, nor where the object comes to stand.

The object is a mesh of vertices alone, which every version from 4.2 on can make, keep and edit
(point clouds cannot be filled before 5.1). The names are those of native splats from 5.3 on:
``scale`` (metres), ``rotation`` (wxyz), ``radiance:base`` (the raw coefficient of degree 0, and
the opacity 0..1 as alpha), ``radiance:sh_0`` and on (the higher coefficients, red, green, blue).
"""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from .._vendor.glimpse3d.errors import BadFile
from .._vendor.glimpse3d.formats import splat_ply
from .._vendor.glimpse3d.types import GaussianCloud
from . import splat_display

SCALE, ROTATION, BASE, HIGHER = "scale", "rotation", "radiance:base", "radiance:sh_{}"
# With fewer bounces Cycles turns the splats behind the first few black, or into noise.
BOUNCES = 256


def add_splats(path: Path, collection: bpy.types.Collection, name: str) -> bpy.types.Object:
    """The splats of a ``splats.ply``, in the house frame, with a display that renders.

    They emit the colours that they were made with, whatever the light in the scene. The display
    shows degree 0; the higher coefficients are kept in the attributes.

    Raises:
        BadFile: the file is malformed; datablocks made so far are the caller's to remove.
    """
    cloud = _read(path)
    data = bpy.data.meshes.new(name)
    _fill(data, cloud)
    thing = bpy.data.objects.new(name, data)
    collection.objects.link(thing)
    splat_display.add_display(thing)
    return thing


def _read(path: Path) -> GaussianCloud:
    try:
        return splat_ply.read(path)
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}", "check the path") from error


def _fill(data: bpy.types.Mesh, cloud: GaussianCloud) -> None:
    data.vertices.add(len(cloud))
    data.attributes["position"].data.foreach_set("vector", cloud.means.reshape(-1))
    base = np.concatenate([cloud.sh[:, 0], cloud.opacities[:, None]], axis=1)
    _add_attribute(data, SCALE, "FLOAT_VECTOR", cloud.scales)
    _add_attribute(data, ROTATION, "QUATERNION", cloud.rotations)
    _add_attribute(data, BASE, _four_floats(), base)
    for index in range(1, cloud.sh.shape[1]):
        _add_attribute(data, HIGHER.format(index - 1), "FLOAT_VECTOR", cloud.sh[:, index])


def _four_floats() -> str:
    """The attribute type of ``radiance:base``: native from 5.2 on, a colour before."""
    kinds = bpy.types.Attribute.bl_rna.properties["data_type"].enum_items
    return "FLOAT4" if "FLOAT4" in kinds else "FLOAT_COLOR"


def _add_attribute(data: bpy.types.Mesh, name: str, kind: str, values: np.ndarray) -> None:
    # Filled at once: before 5.2 the next attribute invalidates this one's handle.
    attribute = data.attributes.new(name, kind, "POINT")
    member = {"FLOAT_COLOR": "color", "QUATERNION": "value"}.get(kind, "vector")
    attribute.data.foreach_set(member, np.ascontiguousarray(values, np.float32).reshape(-1))


def prepare_cycles(scene: bpy.types.Scene) -> list[str]:
    """Raise the scene's limits where Cycles could not draw splats, and say what was raised.

    A ray passes dozens of splats; Cycles' own limit of 8 transparent bounces leaves dark holes.
    Nothing is lowered, and a scene that is ready, or has no Cycles, is left alone.
    """
    cycles = getattr(scene, "cycles", None)
    if cycles is None:
        return []
    notes = []
    for name, title in (
        ("transparent_max_bounces", "transparent bounces"),
        ("min_transparent_bounces", "least transparent bounces"),
    ):
        former = getattr(cycles, name)
        if former < BOUNCES:
            setattr(cycles, name, BOUNCES)
            notes.append(f"Cycles' {title} raised from {former} to {BOUNCES} for the splats")
    return notes
