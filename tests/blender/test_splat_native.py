"""Splats of Blender's own kind, where there is one.

No package of Blender 5.3 exists to test in. From 5.2 on a point cloud can hold all that 5.3 is
recorded to read; what is missing is the word that tells it to be splats, which these tests add.
"""

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest

# Name -> type; all of the domain POINT. Of a splat PLY of degree 3.
RECORDED = {
    "position": "FLOAT_VECTOR", "scale": "FLOAT_VECTOR", "rotation": "QUATERNION",
    "radiance:base": "FLOAT4", **{f"radiance:sh_{index}": "FLOAT_VECTOR" for index in range(15)},
}  # fmt: skip
COUNT = 40


@pytest.fixture
def ours(addon: ModuleType, scene: bpy.types.Scene) -> SimpleNamespace:
    return SimpleNamespace(
        data=import_module(f"{addon.__name__}.scene.splat_data"),
        display=import_module(f"{addon.__name__}.scene.splat_display"),
        splats=import_module(f"{addon.__name__}.scene.splats"),
        types=import_module(f"{addon.__name__}._vendor.glimpse3d.types"),
    )


@pytest.fixture
def cloud(ours: SimpleNamespace) -> Any:
    random = np.random.default_rng(3)
    turns = random.normal(size=(COUNT, 4))
    return ours.types.GaussianCloud(
        means=random.normal(size=(COUNT, 3)).astype(np.float32),
        scales=random.uniform(0.01, 0.2, (COUNT, 3)).astype(np.float32),
        rotations=(turns / np.linalg.norm(turns, axis=1, keepdims=True)).astype(np.float32),
        opacities=random.uniform(0.1, 1, COUNT).astype(np.float32),
        sh=random.normal(size=(COUNT, 16, 3)).astype(np.float32),
    )


class Native:
    """Splats of Blender's own, as far as Python can see them: there from ``begin`` to ``end``."""

    ITEMS = (("POINT", "Points", ""), ("GAUSSIAN_SPLAT", "Splats", ""))

    def begin(self) -> None:
        bpy.types.PointCloud.type = bpy.props.EnumProperty(items=self.ITEMS)

    def end(self) -> None:
        if "type" in bpy.types.PointCloud.bl_rna.properties:
            del bpy.types.PointCloud.type


@pytest.fixture
def native() -> Iterator[Native]:
    kinds = bpy.types.Attribute.bl_rna.properties["data_type"].enum_items
    clouds = bpy.types.PointCloud.bl_rna
    if "FLOAT4" not in kinds or "resize" not in clouds.functions:
        pytest.skip("this Blender's point clouds cannot hold native splats")
    if "type" in clouds.properties:
        pytest.skip("this Blender has splats of its own: it needs tests without a stand-in")
    yield (added := Native())
    added.end()


def upgraded(thing: bpy.types.Object) -> bpy.types.Object:
    name = thing.name
    bpy.context.view_layer.update()
    for each in bpy.context.view_layer.objects:
        each.select_set(each == thing)
    bpy.context.view_layer.objects.active = thing
    assert bpy.ops.glimpse3d.splat_upgrade() == {"FINISHED"}
    return bpy.data.objects[name]


def test_what_is_made_is_what_is_recorded(
    ours: SimpleNamespace, cloud: Any, native: Native
) -> None:
    native.begin()
    thing = ours.splats.add_cloud(cloud, bpy.context.scene.collection, "made")
    assert thing.type == "POINTCLOUD" and thing.data.type == "GAUSSIAN_SPLAT"
    found = {each.name: (each.data_type, each.domain) for each in thing.data.attributes}
    assert found == {name: (kind, "POINT") for name, kind in RECORDED.items()}
    assert not thing.modifiers
    values = np.empty(COUNT * 4, np.float32)
    thing.data.attributes["radiance:base"].data.foreach_get("vector", values)
    np.testing.assert_array_equal(values.reshape(-1, 4)[:, :3], cloud.sh[:, 0])
    np.testing.assert_array_equal(values.reshape(-1, 4)[:, 3], cloud.opacities)


def test_what_an_older_blender_made_becomes_native_and_keeps_its_place(
    ours: SimpleNamespace, cloud: Any, native: Native, scene: bpy.types.Scene
) -> None:
    old = ours.splats.add_cloud(cloud, scene.collection, "old")
    assert old.type == "MESH"
    inside = bpy.data.collections.new("inside")
    inside.objects.link(old)
    rig, child, eye = (bpy.data.objects.new(name, None) for name in ("rig", "child", "eye"))
    for each in (rig, child, eye):
        scene.collection.objects.link(each)
    old.parent, child.parent = rig, old
    child.matrix_parent_inverse[0][3] = 4.0
    eye.constraints.new("TRACK_TO").target = old
    old.constraints.new("COPY_SCALE").target = rig
    old["mine"], old.show_name, old.rotation_mode = 5, True, "QUATERNION"
    for frame in (1, 20):
        old.location.x = frame
        old.keyframe_insert("location", frame=frame)
    old.driver_add("scale", 0).driver.expression = "1.5"
    scene.frame_set(20)
    place = old.matrix_world.copy()
    native.begin()
    new = upgraded(old)
    assert ours.data.is_native(new) and not new.modifiers and len(bpy.data.objects) == 4
    back = ours.data.read_cloud(new.data)
    for name in ("means", "scales", "rotations", "opacities", "sh"):
        np.testing.assert_array_equal(getattr(back, name), getattr(cloud, name))
    assert new.parent == rig and child.parent == new and child.matrix_parent_inverse[0][3] == 4
    assert eye.constraints[0].target == new and new.constraints[0].target == rig
    assert new["mine"] == 5 and new.show_name and new.rotation_mode == "QUATERNION"
    assert {each.name for each in new.users_collection} == {scene.collection.name, "inside"}
    bpy.context.view_layer.update()
    np.testing.assert_allclose(new.matrix_world, place, atol=1e-6)
    scene.frame_set(1)
    assert new.location.x == 1 and new.scale.x == 1.5
    assert not bpy.ops.glimpse3d.splat_upgrade.poll()


def test_native_splats_can_be_shown_by_an_older_blender(
    ours: SimpleNamespace, cloud: Any, native: Native, scene: bpy.types.Scene
) -> None:
    native.begin()
    thing = ours.splats.add_cloud(cloud, scene.collection, "made")
    assert ours.data.is_native(thing)
    native.end()
    assert ours.data.is_splats(thing) and not ours.display.is_current(thing)
    assert ours.display.is_current(upgraded(thing))
