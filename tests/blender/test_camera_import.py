"""Cameras of other programs in Blender: they see what they saw, and carry their pictures."""

import json
from importlib import import_module
from pathlib import Path
from types import ModuleType

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector


def test_a_rig_sees_every_point_where_the_file_says(
    addon: ModuleType, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    coords = import_module(f"{addon.__name__}._vendor.glimpse3d.coords")
    rig = coords.orbit([20, 200], 30, 2.0, coords.Lens(300.0, 320, 200))
    frames = [
        {"file_path": f"images/{i}.png", "transform_matrix": coords.opengl_pose(c).tolist()}
        for i, c in enumerate(rig)
    ]
    value = {"fl_x": 300.0, "cx": 150.0, "cy": 110.0, "w": 320, "h": 200, "k1": 0.1}
    (tmp_path / "transforms.json").write_text(json.dumps({**value, "frames": frames}))
    (tmp_path / "images").mkdir()
    picture = bpy.data.images.new("picture", 4, 4)
    picture.save(filepath=str(tmp_path / "images" / "1.png"))
    path = str(tmp_path / "transforms.json")
    assert bpy.ops.glimpse3d.import_cameras(filepath=path) == {"FINISHED"}
    root = bpy.context.active_object
    assert root.type == "EMPTY" and len(root.children) == 2
    assert scene.camera == root.children[0] and scene.render.resolution_x == 320
    bpy.context.view_layer.update()
    point = np.array([0.2, -0.1, 0.3])
    for camera, thing in zip(rig, sorted(root.children, key=lambda each: each.name), strict=True):
        local = camera.camera_from_world[:3, :3] @ point + camera.camera_from_world[:3, 3]
        x, y = local[:2] / local[2] * 300 + [150, 110]
        seen = world_to_camera_view(scene, thing, Vector(point))
        np.testing.assert_allclose([seen.x * 320, (1 - seen.y) * 200], [x, y], atol=1e-3)
    behind = {each.name: len(each.data.background_images) for each in root.children}
    assert behind == {"0": 0, "1": 1}


def test_a_picture_elsewhere_on_the_machine_is_left_alone(
    addon: ModuleType, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    importing = import_module(f"{addon.__name__}.scene.camera_import")
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret.png").write_bytes(b"")
    for picture in ("../secret.png", str(tmp_path / "secret.png"), "..", ""):
        assert importing._find(tmp_path / "inside", picture) is None


def test_what_is_no_camera_file_is_refused(scene: bpy.types.Scene, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    for name in ("a.json", "absent.json"):
        with pytest.raises(RuntimeError, match=r"lacks|cannot be read"):
            bpy.ops.glimpse3d.import_cameras(filepath=str(tmp_path / name))
    assert not bpy.data.objects and not bpy.data.cameras
