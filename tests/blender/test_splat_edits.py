"""Edits of splats as a user presses them: what is left, and that one undo takes it back."""

from importlib import import_module
from types import ModuleType, SimpleNamespace

import bpy
import numpy as np
import pytest
from mathutils import Matrix

COUNT = 400


@pytest.fixture
def ours(addon: ModuleType, scene: bpy.types.Scene) -> SimpleNamespace:
    names = {
        "splats": "scene.splats",
        "data": "scene.splat_data",
        "display": "scene.splat_display",
        "seen": "scene.splat_seen",
        "sh": "_vendor.glimpse3d.formats.sh",
        "types": "_vendor.glimpse3d.types",
    }
    loaded = {name: import_module(f"{addon.__name__}.{path}") for name, path in names.items()}
    return SimpleNamespace(**loaded)


def random_cloud(ours: SimpleNamespace, degree: int = 3, seed: int = 0) -> object:
    random = np.random.default_rng(seed)
    rotations = random.normal(size=(COUNT, 4))
    return ours.types.GaussianCloud(
        random.uniform(-1, 1, (COUNT, 3)),
        np.exp(random.uniform(-5, -3, (COUNT, 3))),
        rotations / np.linalg.norm(rotations, axis=1, keepdims=True),
        random.uniform(0.05, 0.95, COUNT),
        random.normal(size=(COUNT, (degree + 1) ** 2, 3)) * 0.2,
    )


def add(ours: SimpleNamespace, name: str = "cloud", **choice: int) -> bpy.types.Object:
    thing = ours.splats.add_cloud(random_cloud(ours, **choice), bpy.context.collection, name)
    bpy.context.view_layer.objects.active = thing
    thing.select_set(True)
    return thing


def places(ours: SimpleNamespace, thing: bpy.types.Object) -> np.ndarray:
    return ours.data.read_cloud(thing.data).means


def test_applying_a_transform_changes_nothing_that_is_seen(ours: SimpleNamespace) -> None:
    thing, child = add(ours), bpy.data.objects.new("child", None)
    parent = bpy.data.objects.new("parent", None)
    for each in (child, parent):
        bpy.context.collection.objects.link(each)
    parent.location = (0, 0, 3)
    thing.parent, child.parent = parent, thing
    turn = Matrix.Rotation(0.9, 4, (1, -2, 0.5)).to_quaternion()
    thing.matrix_basis = Matrix.LocRotScale((0.5, 1, -2), turn, (2, 0.7, -1.3))
    child.location = (1, 1, 1)
    bpy.context.view_layer.update()
    before = ours.seen.seen_cloud([thing], bpy.context)
    stood = child.matrix_world.copy()
    assert bpy.ops.glimpse3d.splat_apply_transform() == {"FINISHED"}
    bpy.context.view_layer.update()
    after = ours.seen.seen_cloud([thing], bpy.context)
    assert thing.matrix_basis == Matrix.Identity(4) and thing.parent == parent
    np.testing.assert_allclose(after.means, before.means, atol=1e-5)
    np.testing.assert_allclose(after.sh, before.sh, atol=1e-5)
    np.testing.assert_allclose(np.sort(after.scales), np.sort(before.scales), atol=1e-6)
    np.testing.assert_allclose(child.matrix_world, stood, atol=1e-5)


def test_a_twin_that_shares_the_data_is_left_alone(ours: SimpleNamespace) -> None:
    thing = add(ours)
    twin = bpy.data.objects.new("twin", thing.data)
    bpy.context.collection.objects.link(twin)
    thing.location = (1, 2, 3)
    bpy.ops.glimpse3d.splat_apply_transform()
    np.testing.assert_allclose(places(ours, twin), random_cloud(ours).means, atol=1e-6)


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("shape", ["BOX", "SPHERE", "COLLECTION"])
def test_cropping_asks_where_the_splats_stand_in_the_world(
    ours: SimpleNamespace, shape: str, invert: bool
) -> None:
    thing = add(ours)
    thing.location, thing.scale = (0.3, 0, 0), (1, 2, 1)
    bounds = bpy.data.objects.new("bounds", None)
    bounds.empty_display_size = 0.5
    bounds.matrix_world = Matrix.LocRotScale((0.2, 0.1, 0), None, (1, 2, 1.5))
    collection = bpy.data.collections.new("bounds")
    collection.objects.link(bounds)
    bpy.context.scene.collection.children.link(collection)
    bpy.context.view_layer.update()
    world = random_cloud(ours).means * [1, 2, 1] + [0.3, 0, 0]
    apart = (world - [0.2, 0.1, 0]) / [0.5, 1, 0.75]
    ball = np.linalg.norm(apart, axis=1) <= 1
    within = ball if shape == "SPHERE" else (np.abs(apart) <= 1).all(axis=1)
    assert 10 < within.sum() < COUNT - 10
    choices = bpy.context.scene.glimpse3d_splats
    choices.shape, choices.bounds, choices.collection = shape, bounds, collection
    bpy.ops.glimpse3d.splat_crop(invert=invert)
    np.testing.assert_array_equal(places(ours, thing), random_cloud(ours).means[within != invert])


def test_cropping_everything_away_or_to_nothing_is_refused(ours: SimpleNamespace) -> None:
    thing, far = add(ours), bpy.data.objects.new("far", None)
    far.location = (50, 0, 0)
    bpy.context.collection.objects.link(far)
    bpy.context.view_layer.update()
    for bounds in ("", "nobody", "far"):
        with pytest.raises(RuntimeError, match=r"crop to|would be left"):
            bpy.ops.glimpse3d.splat_crop(bounds=bounds)
    assert ours.data.count(thing.data) == COUNT


def test_selecting_and_removing_by_opacity_size_and_colour(ours: SimpleNamespace) -> None:
    thing, cloud = add(ours), random_cloud(ours)
    sizes = cloud.scales.max(axis=1)
    bpy.ops.glimpse3d.splat_select(by="SIZE", low=0.03, high=1.0, action="SELECT")
    chosen = np.empty(COUNT, bool)
    thing.data.vertices.foreach_get("select", chosen)
    np.testing.assert_array_equal(chosen, sizes >= np.float32(0.03))
    bpy.ops.glimpse3d.splat_select(by="OPACITY", low=0, high=0.3, action="REMOVE")
    left = cloud.opacities > np.float32(0.3)
    np.testing.assert_array_equal(places(ours, thing), cloud.means[left])
    color = tuple(np.clip(ours.sh.to_color(cloud.sh[left][7, 0]), 0, 1))
    bpy.ops.glimpse3d.splat_select(by="COLOR", low=0, high=1e-4, color=color, action="REMOVE")
    assert not (places(ours, thing) == cloud.means[left][7]).all(axis=1).any()
    assert ours.data.count(thing.data) == left.sum() - 1


def test_sanitising_decimating_and_merging(ours: SimpleNamespace) -> None:
    cloud = random_cloud(ours)
    means = np.array(cloud.means)
    means[0] = [900, 0, 0]
    dirty = ours.types.GaussianCloud(
        means, cloud.scales, cloud.rotations, cloud.opacities, cloud.sh
    )
    thing = ours.splats.add_cloud(dirty, bpy.context.collection, "one")
    bpy.context.view_layer.objects.active = thing
    thing.select_set(True)
    bpy.ops.glimpse3d.splat_sanitise()
    np.testing.assert_array_equal(places(ours, thing), means[1:])
    bpy.ops.glimpse3d.splat_decimate(ratio=0.25)
    kept = ours.data.count(thing.data)
    assert 60 < kept <= 100
    other = add(ours, "two", degree=1, seed=3)
    other.location = (5, 0, 0)
    thing.scale = (2, 2, 2)
    bpy.context.view_layer.objects.active = thing
    bpy.context.view_layer.update()
    expected = ours.seen.seen_cloud([thing, other], bpy.context)
    bpy.ops.glimpse3d.splat_merge()
    assert list(bpy.data.objects) == [thing] and ours.data.count(thing.data) == kept + COUNT
    found = ours.seen.seen_cloud([thing], bpy.context)
    np.testing.assert_allclose(found.means, expected.means, atol=1e-5)
    np.testing.assert_allclose(found.sh, expected.sh, atol=1e-5)
    assert ours.display.is_current(thing)


def test_a_mesh_is_covered_in_its_own_colours(ours: SimpleNamespace) -> None:
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.5, segments=48, ring_count=24)
    ball = bpy.context.active_object
    colors = ball.data.color_attributes.new("paint", "FLOAT_COLOR", "POINT")
    red_above = [(1, 0, 0, 1) if v.co.z > 0 else (0, 0, 1, 1) for v in ball.data.vertices]
    colors.data.foreach_set("color", np.array(red_above, np.float32).reshape(-1))
    ball.location, ball.scale = (3, 0, 0), (2, 2, 2)
    bpy.context.view_layer.update()
    assert bpy.ops.glimpse3d.splats_from_mesh(count=4000) == {"FINISHED"}
    cloud = ours.data.read_cloud(bpy.context.active_object.data)
    assert 3000 < len(cloud) <= 4000
    away = cloud.means - [3, 0, 0]
    np.testing.assert_allclose(np.linalg.norm(away, axis=1), 1, atol=0.02)
    w, x, y, z = cloud.rotations.T
    normal = np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], axis=1)
    assert np.einsum("nc,nc->n", normal, away).min() > 0.95
    painted = ours.sh.to_color(cloud.sh[:, 0])
    above, below = painted[away[:, 2] > 0.3], painted[away[:, 2] < -0.3]
    np.testing.assert_allclose(above, np.tile([1, 0, 0], (len(above), 1)), atol=1e-3)
    np.testing.assert_allclose(below, np.tile([0, 0, 1], (len(below), 1)), atol=1e-3)
    # Evenly: the nearest neighbours are about as far apart as a square grid's.
    near = np.linalg.norm(cloud.means[:300, None] - cloud.means[None], axis=2)
    near = np.sort(near, axis=1)[:, 1] / np.sqrt(4 * np.pi / len(cloud))
    assert 0.6 < near.mean() < 1.1 and near.std() < 0.3


def test_a_texture_s_texels_are_taken_as_they_are(ours: SimpleNamespace) -> None:
    bpy.ops.mesh.primitive_plane_add(size=1)
    image = bpy.data.images.new("halves", 2, 1)
    image.pixels = [0.25, 0.5, 0.75, 1, 0.8, 0.2, 0.1, 1]
    material = bpy.data.materials.new("paint")
    if material.node_tree is None:
        material.use_nodes = True
    nodes = material.node_tree
    picture = nodes.nodes.new("ShaderNodeTexImage")
    picture.image = image
    shader = next(each for each in nodes.nodes if each.type == "BSDF_PRINCIPLED")
    nodes.links.new(picture.outputs["Color"], shader.inputs["Base Color"])
    bpy.context.active_object.data.materials.append(material)
    bpy.ops.glimpse3d.splats_from_mesh(count=500)
    cloud = ours.data.read_cloud(bpy.context.active_object.data)
    colors = ours.sh.to_color(cloud.sh[:, 0])
    left, right = cloud.means[:, 0] < -0.05, cloud.means[:, 0] > 0.05
    assert np.abs(colors[left] - [0.25, 0.5, 0.75]).max() < 0.005
    assert np.abs(colors[right] - [0.8, 0.2, 0.1]).max() < 0.005


def test_what_cannot_be_pressed_says_why(ours: SimpleNamespace) -> None:
    assert not bpy.ops.glimpse3d.splat_crop.poll()
    with pytest.raises(RuntimeError, match="Select an object made of splats first"):
        bpy.ops.glimpse3d.splat_crop()
    add(ours)
    for name, why in (("splat_merge", "two objects"), ("splat_upgrade", "up to date"),
                      ("splats_from_mesh", "a mesh with faces")):  # fmt: skip
        with pytest.raises(RuntimeError, match=why):
            getattr(bpy.ops.glimpse3d, name)()
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(RuntimeError, match="Object Mode"):
        bpy.ops.glimpse3d.splat_sanitise()
    bpy.ops.object.mode_set(mode="OBJECT")


def test_every_operator_has_a_tooltip_and_undo(ours: SimpleNamespace) -> None:
    names = [name for name in dir(bpy.ops.glimpse3d) if "splat" in name]
    assert len(names) >= 11
    for name in names:
        kind = getattr(bpy.types, f"GLIMPSE3D_OT_{name}")
        about = getattr(bpy.ops.glimpse3d, name).get_rna_type()
        assert about.description and not about.description.endswith("."), name
        assert "\n" not in about.description
        assert "UNDO" in kind.bl_options or name == "export_splats"
        for each in about.properties:
            if each.identifier not in ("rna_type", "filepath", "directory", "files", "filter_glob",
                                       "check_existing"):  # fmt: skip
                assert each.description, f"{name}.{each.identifier}"


def test_one_undo_takes_an_edit_back(ours: SimpleNamespace) -> None:
    add(ours)
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.glimpse3d.splat_decimate(ratio=0.5)
    bpy.ops.ed.undo_push(message="after")
    assert ours.data.count(bpy.data.objects["cloud"].data) <= COUNT / 2
    bpy.ops.ed.undo()
    np.testing.assert_array_equal(places(ours, bpy.data.objects["cloud"]), random_cloud(ours).means)


def test_raw_colours_are_switched_on_and_off(ours: SimpleNamespace, scene: bpy.types.Scene) -> None:
    add(ours, degree=0)
    usual = scene.view_settings.view_transform = "Filmic"
    bpy.ops.glimpse3d.splat_raw_colors()
    bpy.ops.glimpse3d.splat_raw_colors()
    assert scene.view_settings.view_transform == "Raw"
    bpy.ops.glimpse3d.splat_raw_colors(on=False)
    assert scene.view_settings.view_transform == usual
