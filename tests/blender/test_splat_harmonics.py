"""View-dependent colour in Blender: kept, and right when the object is turned and stretched."""

from importlib import import_module
from types import ModuleType, SimpleNamespace

import bpy
import numpy as np
import pytest
from mathutils import Matrix

COUNT = 60


@pytest.fixture
def ours(addon: ModuleType, scene: bpy.types.Scene) -> SimpleNamespace:
    names = {
        "splats": "scene.splats",
        "data": "scene.splat_data",
        "display": "scene.splat_display",
        "sh": "_vendor.glimpse3d.formats.sh",
        "types": "_vendor.glimpse3d.types",
    }
    loaded = {name: import_module(f"{addon.__name__}.{path}") for name, path in names.items()}
    return SimpleNamespace(**loaded)


def random_cloud(ours: SimpleNamespace, degree: int) -> object:
    random = np.random.default_rng(degree)
    rotations = random.normal(size=(COUNT, 4))
    return ours.types.GaussianCloud(
        random.normal(size=(COUNT, 3)),
        random.uniform(0.01, 0.2, (COUNT, 3)),
        rotations / np.linalg.norm(rotations, axis=1, keepdims=True),
        random.uniform(0.1, 1, COUNT),
        random.normal(size=(COUNT, (degree + 1) ** 2, 3)) * 0.3,
    )


def drawn_colors(thing: bpy.types.Object) -> np.ndarray:
    thing.modifiers[0].show_viewport = True
    data = thing.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    flat = np.empty(len(data.vertices) * 4, np.float32)
    data.attributes["splat_color"].data.foreach_get("color", flat)
    return flat.reshape(-1, 4, 4)[:, 0, :3]


def watched_from(scene: bpy.types.Scene, place: tuple[float, float, float]) -> None:
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location = place
    scene.collection.objects.link(camera)
    scene.camera = camera


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_a_cloud_comes_back_from_its_attributes(ours: SimpleNamespace, degree: int) -> None:
    cloud = random_cloud(ours, degree)
    data = ours.data.new_data("cloud", cloud)
    assert ours.data.count(data) == COUNT and ours.data.degree(data) == degree
    back = ours.data.read_cloud(data)
    for name in ("means", "scales", "rotations", "opacities", "sh"):
        np.testing.assert_array_equal(getattr(back, name), getattr(cloud, name))


def test_point_clouds_hold_what_native_splats_are_recorded_to_hold(ours: SimpleNamespace) -> None:
    """Blender 5.3 is untested; these are the attributes that its own importers make."""
    data = bpy.data.pointclouds.new("cloud")
    if not hasattr(data, "resize"):
        pytest.skip("this Blender cannot fill a point cloud")
    ours.data.write_cloud(data, random_cloud(ours, 3))
    types = bpy.types.Attribute.bl_rna.properties["data_type"].enum_items
    base = "FLOAT4" if "FLOAT4" in types else "FLOAT_COLOR"  # 5.1 has point clouds, but not this
    recorded = {"position": "FLOAT_VECTOR", "scale": "FLOAT_VECTOR", "rotation": "QUATERNION",
                "radiance:base": base}  # fmt: skip
    recorded |= {f"radiance:sh_{index}": "FLOAT_VECTOR" for index in range(15)}
    found = {each.name: each.data_type for each in data.attributes}
    assert {name: found.get(name) for name in recorded} == recorded
    fewer = random_cloud(ours, 1)
    ours.data.write_cloud(data, fewer)
    assert ours.data.degree(data) == 1
    np.testing.assert_array_equal(ours.data.read_cloud(data).sh, fewer.sh)


@pytest.mark.parametrize("degree", [1, 3])
def test_the_turned_and_stretched_object_shows_the_colour_of_that_side(
    ours: SimpleNamespace, scene: bpy.types.Scene, degree: int
) -> None:
    cloud = random_cloud(ours, degree)
    thing = ours.splats.add_cloud(cloud, scene.collection, "cloud")
    ours.display.set_raw(thing, True)
    turn = Matrix.Rotation(1.1, 4, (0.3, -0.8, 0.5))
    place = np.array([3.0, -2.0, 1.5])
    watched_from(scene, tuple(place))
    for scale in ((1, 1, 1), (2, 0.5, 1.25)):
        thing.matrix_world = Matrix.LocRotScale((0.2, 0.1, -0.4), turn.to_quaternion(), scale)
        bpy.context.view_layer.update()
        rotation, pose = np.array(turn)[:3, :3], np.array(thing.matrix_world)
        away = cloud.means @ pose[:3, :3].T + pose[:3, 3] - place
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        values = ours.sh.basis(away @ rotation, degree)
        expected = np.maximum(np.einsum("nk,nkc->nc", values, cloud.sh) + 0.5, 0)
        np.testing.assert_allclose(drawn_colors(thing), expected, atol=1e-5)


def test_turning_the_coefficients_and_turning_the_object_are_the_same(
    ours: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    cloud = random_cloud(ours, 3)
    turn = Matrix.Rotation(2.0, 4, (0.5, 0.4, -0.9))
    watched_from(scene, (1.0, -4.0, 2.0))
    turned = ours.splats.add_cloud(cloud, scene.collection, "turned")
    turned.matrix_world = turn
    ours.display.set_raw(turned, True)
    rotation = np.array(turn)[:3, :3]
    rotated = ours.types.GaussianCloud(
        cloud.means @ rotation.T, cloud.scales, cloud.rotations, cloud.opacities,
        ours.sh.rotate(cloud.sh, rotation),
    )  # fmt: skip
    plain = ours.splats.add_cloud(rotated, scene.collection, "plain")
    ours.display.set_raw(plain, True)
    bpy.context.view_layer.update()
    np.testing.assert_allclose(drawn_colors(turned), drawn_colors(plain), atol=1e-5)


def test_an_older_display_is_noticed_and_replaced(
    ours: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    thing = ours.splats.add_cloud(random_cloud(ours, 2), scene.collection, "cloud")
    assert ours.display.is_current(thing)
    old = bpy.data.node_groups.new("Glimpse3D splats", "GeometryNodeTree")
    old["glimpse3d_revision"] = 1
    thing.modifiers[0].node_group = old
    assert not ours.display.is_current(thing)
    ours.splats.upgrade(thing)
    assert ours.display.is_current(thing) and len(thing.modifiers) == 1
    assert thing.modifiers[0].node_group != old
