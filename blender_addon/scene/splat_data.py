"""Splats as attributes of a datablock, under the names of Blender's native splats.

Owns those names and both ways between them and a cloud. Must not know files, nor how splats are
displayed.

Where Blender has splats of its own (a point cloud that can be told to be some), they are made;
elsewhere it is a mesh of vertices alone, which every version from 4.2 on can make, keep and edit.
The names are the native ones in both: ``scale`` (metres), ``rotation`` (wxyz), ``radiance:base``
(the raw coefficient of degree 0, and the opacity 0..1 as alpha), ``radiance:sh_0`` and on (the
higher coefficients, red, green, blue, in the axes of the object).
"""

from __future__ import annotations

import bpy
import numpy as np

from .._vendor.glimpse3d.errors import InvalidData
from .._vendor.glimpse3d.types import GaussianCloud

SCALE, ROTATION, BASE, HIGHER = "scale", "rotation", "radiance:base", "radiance:sh_{}"
_NEEDED = (SCALE, ROTATION, BASE)
_NATIVE = "GAUSSIAN_SPLAT"
# Coefficients beyond degree 0 that make a whole degree.
_WHOLE = (15, 8, 3, 0)
_MEMBERS = {
    "FLOAT_VECTOR": ("vector", 3),
    "FLOAT_COLOR": ("color", 4),
    "FLOAT4": ("vector", 4),
    "QUATERNION": ("value", 4),
}


def has_native() -> bool:
    """Whether this Blender has splats of its own, and draws them."""
    kind = bpy.types.PointCloud.bl_rna.properties.get("type")
    return kind is not None and _NATIVE in kind.enum_items


def is_native(thing: bpy.types.Object) -> bool:
    """Whether Blender itself draws this object's splats."""
    return thing.type == "POINTCLOUD" and getattr(thing.data, "type", "") == _NATIVE


def is_splats(thing: bpy.types.Object | None) -> bool:
    """Whether the object carries splats, however they are displayed."""
    if thing is None or thing.type not in ("MESH", "POINTCLOUD"):
        return False
    return all(name in thing.data.attributes for name in _NEEDED)


def new_data(name: str, cloud: GaussianCloud) -> bpy.types.ID:
    """A datablock with these splats: the native kind where there is one."""
    data = bpy.data.pointclouds.new(name) if has_native() else bpy.data.meshes.new(name)
    write_cloud(data, cloud)
    return data


def count(data: bpy.types.ID) -> int:
    """How many splats; in Edit Mode, before the edit."""
    return len(data.vertices if hasattr(data, "vertices") else data.points)


def degree(data: bpy.types.ID) -> int:
    """Of the view-dependent colour, 0 to 3; coefficients beyond the last whole one are left out."""
    return round((1 + _higher(data)) ** 0.5) - 1


def _higher(data: bpy.types.ID) -> int:
    known = 0
    while known < _WHOLE[0] and HIGHER.format(known) in data.attributes:
        known += 1
    return next(whole for whole in _WHOLE if whole <= known)


def write_cloud(data: bpy.types.ID, cloud: GaussianCloud) -> None:
    """Put ``cloud`` in place of whatever the datablock holds."""
    if hasattr(data, "clear_geometry"):
        data.clear_geometry()
        data.vertices.add(len(cloud))
    else:
        for name in [each.name for each in data.attributes if each.name.startswith("radiance:")]:
            data.attributes.remove(data.attributes[name])
        data.resize(len(cloud))
        if has_native():
            data.type = _NATIVE
    data.attributes["position"].data.foreach_set("vector", cloud.means.reshape(-1))
    base = np.concatenate([cloud.sh[:, 0], cloud.opacities[:, None]], axis=1)
    _set(data, SCALE, "FLOAT_VECTOR", cloud.scales)
    _set(data, ROTATION, "QUATERNION", cloud.rotations)
    _set(data, BASE, _four_floats(), base)
    for index in range(1, cloud.sh.shape[1]):
        _set(data, HIGHER.format(index - 1), "FLOAT_VECTOR", cloud.sh[:, index])
    data.update_tag()


def _four_floats() -> str:
    """The attribute type of ``radiance:base``: native from 5.2 on, a colour before."""
    kinds = bpy.types.Attribute.bl_rna.properties["data_type"].enum_items
    return "FLOAT4" if "FLOAT4" in kinds else "FLOAT_COLOR"


def _set(data: bpy.types.ID, name: str, kind: str, values: np.ndarray) -> None:
    # Filled at once: before 5.2 the next attribute invalidates this one's handle.
    attribute = data.attributes.get(name) or data.attributes.new(name, kind, "POINT")
    member, _ = _MEMBERS[kind]
    attribute.data.foreach_set(member, np.ascontiguousarray(values, np.float32).reshape(-1))


def read_cloud(data: bpy.types.ID) -> GaussianCloud:
    """The splats of a datablock, in the object's own space.

    Raises:
        InvalidData: an attribute is missing, or of another type than it should be.
    """
    base = _get(data, BASE)
    higher = [_get(data, HIGHER.format(index)) for index in range(_higher(data))]
    return GaussianCloud(
        means=_get(data, "position"),
        scales=_get(data, SCALE),
        rotations=_get(data, ROTATION),
        opacities=base[:, 3],
        sh=np.stack([base[:, :3], *higher], axis=1),
    )


def _get(data: bpy.types.ID, name: str) -> np.ndarray:
    """(N, columns) float32 values of one attribute."""
    attribute = data.attributes.get(name)
    if attribute is None or attribute.domain != "POINT" or attribute.data_type not in _MEMBERS:
        raise InvalidData(
            f"the attribute {name} of {data.name} is missing or of another type",
            "import the splats again",
        )
    member, columns = _MEMBERS[attribute.data_type]
    values = np.empty(len(attribute.data) * columns, np.float32)
    attribute.data.foreach_get(member, values)
    rows = values.reshape(-1, columns)
    total = count(data)
    if len(rows) != total:  # newer versions keep a value that all points share only once
        rows = np.repeat(rows[:1], total, axis=0)
    return rows


def select(data: bpy.types.ID, rows: np.ndarray) -> None:
    """Select these splats, (N,) bool, and no others: to be seen and edited in Edit Mode."""
    if hasattr(data, "vertices"):
        data.vertices.foreach_set("select", rows)
    else:
        name = ".selection"
        attribute = data.attributes.get(name) or data.attributes.new(name, "BOOLEAN", "POINT")
        attribute.data.foreach_set("value", rows)
    data.update_tag()
