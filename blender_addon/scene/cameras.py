"""Builds the cameras of a result: the picture's own, those of its views, and the turntable.

Owns the turn of a pinhole into a Blender camera and the picture behind it. Must not know meshes or
splats. The world of ``cameras.json`` is Blender's, so poses are taken as they are.
"""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from .._vendor.glimpse3d import coords
from .._vendor.glimpse3d.errors import BadFile
from .._vendor.glimpse3d.formats import cameras as camera_file
from .._vendor.glimpse3d.formats import picture_header
from .._vendor.glimpse3d.types import Camera
from . import PART, turntable

# Vertical, so that a render wider than the picture shows more at the sides and loses nothing.
SENSOR_HEIGHT = 24.0  # mm
PICTURE_CAMERA = "picture camera"
WIDTH, HEIGHT = "glimpse3d_width", "glimpse3d_height"
INPUT = "input.png"
MOST_VIEWS = 256  # cameras with a picture each, at once
_TURNTABLE_SIDE = 1024  # pixels of its renders


def add_rig(path: Path, collection: bpy.types.Collection, name: str) -> bpy.types.Object:
    """All cameras of a ``cameras.json``, in the house frame; returns the turntable's pivot.

    The turntable is one camera on a pivot that turns evenly, see ``turntable``. Behind the others
    stand their pictures, where those lie beside the file.

    Raises:
        BadFile: the file is malformed, names too many views, or its turntable is not an even
            circle.
    """
    found = camera_file.read(path)
    if len(found.views) > MOST_VIEWS:
        raise BadFile(
            f"cameras.json names {len(found.views)} views, {MOST_VIEWS} are shown",
            "make the result again",
        )
    reach = float(np.linalg.norm(found.input.position))
    own = add_camera(found.input, collection, f"{name} picture camera")
    own[PART] = PICTURE_CAMERA
    own.data.display_size = reach * 0.1
    _add_background(own, path.with_name(INPUT))
    for index, camera in enumerate(found.views):
        view = add_camera(camera, collection, f"{name} view {index:02d}")
        view.data.display_size = reach * 0.1
        _add_background(view, path.with_name(camera_file.view_name(index)))
    _check_circle(found.turntable)
    first = add_camera(found.turntable[0], collection, f"{name} turntable camera")
    return turntable.add(first, len(found.turntable), collection, name)


def add_turntable(
    turn: turntable.Turn, size: float, collection: bpy.types.Collection, name: str
) -> bpy.types.Object:
    """A turntable about the origin for an object of this size in metres; returns its pivot."""
    focal = turn.lens * _TURNTABLE_SIDE / SENSOR_HEIGHT
    lens = coords.Lens(focal, _TURNTABLE_SIDE, _TURNTABLE_SIDE)
    first = coords.orbit_camera(0.0, turn.elevation, turn.radius * size, lens)
    camera = add_camera(first, collection, f"{name} turntable camera")
    return turntable.add(camera, turn.frames, collection, name)


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


def _add_background(camera: bpy.types.Object, path: Path) -> None:
    """The picture that a camera stands for, half seen through, behind what it sees."""
    if not path.is_file():
        return
    data = path.read_bytes()
    picture_header.check(data, path.name)
    picture = bpy.data.images.new(camera.name, 1, 1)
    picture.pack(data=data, data_len=len(data))
    picture.source = "FILE"
    if 0 in picture.size:
        raise BadFile(f"{path.name} is not a picture", "make the result again")
    background = camera.data.background_images.new()
    background.image = picture
    background.frame_method = "FIT"
    camera.data.show_background_images = True


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
