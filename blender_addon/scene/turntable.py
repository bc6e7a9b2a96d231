"""A turntable in Blender: one camera on a pivot that turns evenly about an object.

Owns the pivot and its animation. Must not know meshes, splats or files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import bpy
import numpy as np
from bpy_extras import anim_utils

from . import PART

FIRST_FRAME = 1
TURNTABLE = "turntable"


@dataclass(frozen=True, slots=True)
class Turn:
    """How to go round.

    Attributes:
        frames: in one turn.
        radius: from the middle to the camera, in object sizes.
        elevation: degrees above the horizon.
        lens: focal length in millimetres, on a sensor ``SENSOR_HEIGHT`` high.
    """

    frames: int = 120
    radius: float = 2.2
    elevation: float = 15.0
    lens: float = 33.0


def add(
    camera: bpy.types.Object, frames: int, collection: bpy.types.Collection, name: str
) -> bpy.types.Object:
    """Hang a camera on a pivot at the origin that turns once in so many frames; the pivot.

    At ``FIRST_FRAME`` the camera is where it was; it goes on turning beyond the last frame.
    """
    reach = float(np.hypot(*camera.matrix_basis.translation[:2]))
    pivot = bpy.data.objects.new(f"{name} turntable", None)
    pivot.empty_display_type = "PLAIN_AXES"
    pivot.empty_display_size = reach
    pivot[PART] = TURNTABLE
    collection.objects.link(pivot)
    camera.data.display_size = reach * 0.1
    camera.parent = pivot
    for frame, turn in ((0, 0.0), (frames, 2 * math.pi)):
        pivot.rotation_euler.z = turn
        pivot.keyframe_insert("rotation_euler", index=2, frame=FIRST_FRAME + frame)
    _make_linear(pivot.animation_data)
    return pivot


def _make_linear(animation: bpy.types.AnimData) -> None:
    """An even turn without end; ``keyframe_insert`` would ease in and out."""
    action = animation.action
    if hasattr(action, "fcurves"):  # up to Blender 4.5
        curves = action.fcurves
    else:
        slot = animation.action_slot
        curves = anim_utils.action_get_channelbag_for_slot(action, slot).fcurves
    for curve in curves:
        curve.extrapolation = "LINEAR"
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"


def camera_of(pivot: bpy.types.Object) -> bpy.types.Object | None:
    """The camera on a pivot, if it is still there."""
    return next((each for each in pivot.children if each.type == "CAMERA"), None)


def remove(pivot: bpy.types.Object) -> None:
    """Take a turntable away, with its camera and its animation."""
    gone = [pivot]
    if (camera := camera_of(pivot)) is not None:
        gone += [camera, camera.data]
    if pivot.animation_data is not None and pivot.animation_data.action is not None:
        gone.append(pivot.animation_data.action)
    bpy.data.batch_remove(gone)
