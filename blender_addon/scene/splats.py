"""Splats as objects: made from a file or a cloud, read back as a cloud, prepared for Cycles.

Owns what every splat object has besides its data: a display, and what Cycles must be told before
it draws it. Must not know the attributes nor how they are displayed beyond asking for it.
"""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.app.translations import pgettext_rpt as _

from .._vendor.glimpse3d.errors import BadFile
from .._vendor.glimpse3d.formats import splat_ply
from .._vendor.glimpse3d.types import GaussianCloud
from . import splat_data, splat_display

# With fewer bounces Cycles turns the splats behind the first few black, or into noise.
BOUNCES = 256


def add_splats(path: Path, collection: bpy.types.Collection, name: str) -> bpy.types.Object:
    """The splats of a ``splats.ply``, in the house frame, with a display that renders.

    They emit the colours that they were made with, as seen from where the camera stands, whatever
    the light in the scene.

    Raises:
        BadFile: the file is malformed; datablocks made so far are the caller's to remove.
    """
    return add_cloud(_read(path), collection, name)


def add_cloud(
    cloud: GaussianCloud, collection: bpy.types.Collection, name: str
) -> bpy.types.Object:
    """A cloud as an object whose own space is the cloud's."""
    thing = bpy.data.objects.new(name, splat_data.new_data(name, cloud))
    collection.objects.link(thing)
    splat_display.add_display(thing)
    return thing


def replace_cloud(thing: bpy.types.Object, cloud: GaussianCloud) -> None:
    """Give an object other splats, in its own space."""
    splat_data.write_cloud(thing.data, cloud)
    splat_display.add_display(thing)


def upgrade(thing: bpy.types.Object) -> bpy.types.Object:
    """Bring splats of an older release, or of an older Blender, to what is best here.

    Returns:
        the object, which is another one where they became native.
    """
    if splat_data.has_native() and not splat_data.is_native(thing):
        cloud = splat_data.read_cloud(thing.data)
        former, kept = thing, thing.name
        thing = bpy.data.objects.new(kept, splat_data.new_data(thing.data.name, cloud))
        _take_place(thing, former)
        thing.name = kept
    splat_display.add_display(thing)
    return thing


# What an object says of how it is seen and used, besides where it stands.
_KEPT = (
    "matrix_parent_inverse", "rotation_mode", "rotation_axis_angle", "rotation_quaternion",
    "rotation_euler", "location", "scale", "delta_location", "delta_rotation_euler",
    "delta_rotation_quaternion", "delta_scale", "lock_location", "lock_rotation", "lock_scale",
    "hide_render", "hide_select", "hide_viewport", "pass_index", "color", "show_name",
)  # fmt: skip


def _take_place(thing: bpy.types.Object, former: bpy.types.Object) -> None:
    """Put one object where another stands, for all that point to it, and remove that.

    Its keyframes, drivers and constraints come along; children, collections and whatever looks at
    it find the new one.
    """
    thing.parent, thing.parent_type = former.parent, former.parent_type
    thing.parent_bone = former.parent_bone
    for name in _KEPT:
        setattr(thing, name, getattr(former, name))
    for key, value in former.items():
        thing[key] = value
    for each in former.constraints:
        thing.constraints.copy(each)
    _take_animation(thing, former)
    former.user_remap(thing)
    bpy.data.objects.remove(former)


def _take_animation(thing: bpy.types.Object, former: bpy.types.Object) -> None:
    moved = former.animation_data
    if moved is None:
        return
    made = thing.animation_data_create()
    made.action = moved.action
    if getattr(moved, "action_slot", None) is not None:  # Blender 4.4 and newer
        made.action_slot = moved.action_slot
    for each in moved.drivers:
        made.drivers.from_existing(src_driver=each)


def _read(path: Path) -> GaussianCloud:
    try:
        return splat_ply.read(path)
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}", "check the path") from error


def prepare_cycles(scene: bpy.types.Scene) -> list[str]:
    """Raise the scene's limits where Cycles could not draw splats, and say what was raised.

    A ray passes dozens of splats; Cycles' own limit of 8 transparent bounces leaves dark holes.
    Nothing is lowered, and a scene that is ready, or has no Cycles, is left alone. Splats that
    Blender draws itself need none of it.
    """
    cycles = getattr(scene, "cycles", None)
    if cycles is None or splat_data.has_native():
        return []
    notes = []
    for name, text in (
        ("transparent_max_bounces", _("Cycles' transparent bounces raised from {former} to {now}")),
        (
            "min_transparent_bounces",
            _("Cycles' least transparent bounces raised from {former} to {now}"),
        ),
    ):
        former = getattr(cycles, name)
        if former < BOUNCES:
            setattr(cycles, name, BOUNCES)
            notes.append(text.format(former=former, now=BOUNCES))
    return notes
