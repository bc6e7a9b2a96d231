"""Builds the cameras of a result: the picture's own, those of its views, and the turntable.

Owns the turn of a pinhole into a Blender camera and the turntable's animation. Must not know
meshes or splats. The world of ``cameras.json`` is Blender's, so poses are taken as they are.
"""

from __future__ import annotations

import math
from pathlib import Path

import bpy
import numpy as np
from bpy_extras import anim_utils
from mathutils import Matrix

from .._vendor.glimpse3d import coords
from .._vendor.glimpse3d.errors import BadFile
from .._vendor.glimpse3d.formats import cameras as camera_file
from .._vendor.glimpse3d.types import Camera
from . import PART

# Vertical, so that a render wider than the picture shows more at the sides and loses nothing.
SENSOR_HEIGHT = 24.0  # mm
FIRST_FRAME = 1
PICTURE_CAMERA = "picture camera"
WIDTH, HEIGHT = "glimpse3d_width", "glimpse3d_height"


def add_rig(path: Path, collection: bpy.types.Collection, name: str) -> bpy.types.Object:
    """All cameras of a ``cameras.json``, in the house frame; returns the turntable's pivot.

    The turntable is one camera on a pivot that turns evenly, so that frame ``FIRST_FRAME + k``
    is the file's turntable camera ``k``; it goes on turning beyond the last.

    Raises:
        BadFile: the file is malformed, or its turntable is not an even circle.
    """
    found = camera_file.read(path)
    reach = float(np.linalg.norm(found.input.position))
    own = add_camera(found.input, collection, f"{name} picture camera")
    own[PART] = PICTURE_CAMERA
    own.data.display_size = reach * 0.1
    for index, camera in enumerate(found.views):
        view = add_camera(camera, collection, f"{name} view {index:02d}")
        view.data.display_size = reach * 0.1
    return _add_turntable(found.turntable, collection, name)


def look_through(camera: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Make ``camera`` the scene's, and the render as large as the picture that it stands for."""
    scene.camera = camera
    if WIDTH in camera and HEIGHT in camera:
        scene.render.resolution_x = camera[WIDTH]
        scene.render.resolution_y = camera[HEIGHT]
        scene.render.resolution_percentage = 100


def add_camera(camera: Camera, collection: bpy.types.Collection, name: str) -> bpy.types.Object:
    """A pinhole as a Blender camera, its pose as it is."""
    data = bpy.data.cameras.new(name)
    thing = bpy.data.objects.new(name, data)
    collection.objects.link(thing)
    thing.matrix_basis = Matrix(coords.opengl_pose(camera).tolist())
    thing[WIDTH], thing[HEIGHT] = camera.width, camera.height
    data.sensor_fit = "VERTICAL"
    data.sensor_height = SENSOR_HEIGHT
    # Shifts are in units of the sensor's height too.
    data.lens = float(camera.K[1, 1]) * SENSOR_HEIGHT / camera.height
    data.shift_x = (camera.width / 2 - float(camera.K[0, 2])) / camera.height
    data.shift_y = (float(camera.K[1, 2]) - camera.height / 2) / camera.height
    distance = float(np.linalg.norm(camera.position))
    data.clip_start, data.clip_end = distance * 0.01, max(distance * 100, 100.0)
    return thing


def _add_turntable(
    turntable: tuple[Camera, ...], collection: bpy.types.Collection, name: str
) -> bpy.types.Object:
    _check_circle(turntable)
    pivot = bpy.data.objects.new(f"{name} turntable", None)
    pivot.empty_display_type = "PLAIN_AXES"
    pivot.empty_display_size = float(np.hypot(*turntable[0].position[:2]))
    collection.objects.link(pivot)
    camera = add_camera(turntable[0], collection, f"{name} turntable camera")
    camera.data.display_size = pivot.empty_display_size * 0.1
    camera.parent = pivot
    for frame, turn in ((0, 0.0), (len(turntable), 2 * math.pi)):
        pivot.rotation_euler.z = turn
        pivot.keyframe_insert("rotation_euler", index=2, frame=FIRST_FRAME + frame)
    _make_linear(pivot.animation_data)
    return pivot


def _check_circle(turntable: tuple[Camera, ...]) -> None:
    if not turntable:
        raise BadFile("cameras.json has no turntable", "make the result again")
    first = turntable[0]
    for index, camera in enumerate(turntable):
        turn = coords.rotation_about((0, 0, 1), 360 * index / len(turntable))
        expected = coords.rotate_camera(first, turn).camera_from_world
        reach = max(1.0, float(np.abs(expected).max()))
        same_lens = np.array_equal(camera.K, first.K)
        if not same_lens or np.abs(camera.camera_from_world - expected).max() > 1e-5 * reach:
            raise BadFile(
                f"camera {index} of the turntable is not on an even circle about the object",
                "make the result again",
            )


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
