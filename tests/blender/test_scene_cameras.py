"""The cameras of a result in Blender see every point where the file's cameras see it."""

from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

BOX = Path(__file__).parent / "box" / "cameras.json"
POINTS = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3))


@pytest.fixture
def ours(addon: ModuleType, scene: bpy.types.Scene) -> SimpleNamespace:
    names = {
        "cameras": "scene.cameras",
        "file": "_vendor.glimpse3d.formats.cameras",
        "coords": "_vendor.glimpse3d.coords",
        "errors": "_vendor.glimpse3d.errors",
    }
    loaded = {name: import_module(f"{addon.__name__}.{path}") for name, path in names.items()}
    return SimpleNamespace(**loaded)


def pixels(scene: bpy.types.Scene, camera: bpy.types.Object) -> np.ndarray:
    """(N, 2) where ``camera`` sees POINTS, by Blender's own account."""
    width, height = scene.render.resolution_x, scene.render.resolution_y
    bpy.context.view_layer.update()
    seen = np.array([world_to_camera_view(scene, camera, Vector(point)) for point in POINTS])
    return np.stack([seen[:, 0] * width, (1 - seen[:, 1]) * height], axis=1)


def test_every_still_camera_sees_points_where_the_file_says(
    ours: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    ours.cameras.add_rig(BOX, scene.collection, "box")
    found = ours.file.read(BOX)
    expected = {"box picture camera": found.input}
    expected |= {f"box view {index:02d}": view for index, view in enumerate(found.views)}
    assert len(expected) == 3
    for name, camera in expected.items():
        ours.cameras.look_through(bpy.data.objects[name], scene)
        assert (scene.render.resolution_x, scene.render.resolution_y) == (
            camera.width,
            camera.height,
        )
        there, _ = ours.coords.project(camera, POINTS)
        np.testing.assert_allclose(pixels(scene, scene.camera), there, atol=2e-3)


@pytest.mark.parametrize(("width", "height"), [(640, 360), (360, 640), (500, 500)])
def test_a_principal_point_off_the_middle_is_kept(
    ours: SimpleNamespace, scene: bpy.types.Scene, tmp_path: Path, width: int, height: int
) -> None:
    found = ours.file.read(BOX)
    K = np.array([[410.0, 0, width / 2 + 31], [0, 410.0, height / 2 - 22], [0, 0, 1]])
    camera = ours.file.Camera(found.views[1].camera_from_world, K, width, height)
    path = tmp_path / "cameras.json"
    changed = ours.file.CameraFile(camera, found.turntable, found.fps)
    path.write_bytes(ours.file.to_bytes(changed, "a test"))
    ours.cameras.add_rig(path, scene.collection, "box")
    ours.cameras.look_through(bpy.data.objects["box picture camera"], scene)
    there, _ = ours.coords.project(camera, POINTS)
    np.testing.assert_allclose(pixels(scene, scene.camera), there, atol=2e-3)


def test_the_turntable_is_at_each_frame_where_the_video_was_taken(
    ours: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    pivot = ours.cameras.add_rig(BOX, scene.collection, "box")
    camera = bpy.data.objects["box turntable camera"]
    assert camera.parent == pivot
    ours.cameras.look_through(camera, scene)
    turntable = ours.file.read(BOX).turntable
    assert len(turntable) == 6
    for index in (*range(6), 6, 7, 20):
        scene.frame_set(1 + index)
        there, _ = ours.coords.project(turntable[index % 6], POINTS)
        np.testing.assert_allclose(pixels(scene, camera), there, atol=2e-3)


def test_the_turntable_turns_evenly_between_frames(
    ours: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    pivot = ours.cameras.add_rig(BOX, scene.collection, "box")
    turns = []
    for tenth in range(60):
        scene.frame_set(1 + tenth // 10, subframe=tenth % 10 / 10)
        turns.append(pivot.rotation_euler.z)
    np.testing.assert_allclose(turns, np.arange(60) / 60 * 2 * np.pi, atol=1e-5)


def test_cameras_clip_neither_the_object_nor_what_stands_behind(
    ours: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    ours.cameras.add_rig(BOX, scene.collection, "box")
    for data in bpy.data.cameras:
        assert data.clip_start < 0.1 and data.clip_end >= 100


def test_an_uneven_turntable_is_refused(
    ours: SimpleNamespace, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    found = ours.file.read(BOX)
    path = tmp_path / "cameras.json"
    for turntable in (found.turntable[:4], found.turntable[::-1], ()):
        changed = ours.file.CameraFile(found.input, turntable, found.fps)
        path.write_bytes(ours.file.to_bytes(changed, "a test"))
        with pytest.raises(ours.errors.BadFile, match="turntable"):
            ours.cameras.add_rig(path, scene.collection, "box")
