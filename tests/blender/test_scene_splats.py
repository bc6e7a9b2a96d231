"""The splats of a result in Blender: what they carry, how they face the camera, how they render."""

from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import bpy
import numpy as np
import pytest
from mathutils import Euler, Vector

from tests.blender import rendering

HERE = Path(__file__).parent
BOX = HERE / "box" / "splats.ply"
MEMBERS = {"FLOAT_VECTOR": ("vector", 3), "FLOAT_COLOR": ("color", 4), "FLOAT4": ("vector", 4),
           "QUATERNION": ("value", 4)}  # fmt: skip


@pytest.fixture
def ours(addon: ModuleType, scene: bpy.types.Scene) -> SimpleNamespace:
    names = {
        "splats": "scene.splats",
        "cameras": "scene.cameras",
        "file": "_vendor.glimpse3d.formats.splat_ply",
        "sh": "_vendor.glimpse3d.formats.sh",
        "errors": "_vendor.glimpse3d.errors",
    }
    loaded = {name: import_module(f"{addon.__name__}.{path}") for name, path in names.items()}
    return SimpleNamespace(**loaded)


def values(data: bpy.types.Mesh, name: str) -> np.ndarray:
    attribute = data.attributes[name]
    member, columns = MEMBERS[attribute.data_type]
    flat = np.empty(len(attribute.data) * columns, np.float32)
    attribute.data.foreach_get(member, flat)
    return flat.reshape(-1, columns)


def evaluated(thing: bpy.types.Object) -> bpy.types.Mesh:
    """What a render sees: viewports do not show the quads."""
    thing.modifiers[0].show_viewport = True
    return thing.evaluated_get(bpy.context.evaluated_depsgraph_get()).data


def add_camera(scene: bpy.types.Scene, place: tuple[float, float, float]) -> bpy.types.Object:
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location = place
    scene.collection.objects.link(camera)
    scene.camera = camera
    return camera


def test_attributes_are_the_files_under_the_native_names(
    ours: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    data = ours.splats.add_splats(BOX, scene.collection, "box").data
    cloud = ours.file.read(BOX)
    assert len(data.vertices) == len(cloud) == 1800 and not data.polygons
    np.testing.assert_array_equal(values(data, "position"), cloud.means)
    np.testing.assert_array_equal(values(data, "scale"), cloud.scales)
    np.testing.assert_array_equal(values(data, "rotation"), cloud.rotations)
    np.testing.assert_array_equal(values(data, "radiance:base")[:, :3], cloud.sh[:, 0])
    np.testing.assert_array_equal(values(data, "radiance:base")[:, 3], cloud.opacities)
    assert not [each.name for each in data.attributes if each.name.startswith("radiance:sh")]


def test_higher_coefficients_are_kept_to_degree_3(
    ours: SimpleNamespace, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    box = ours.file.read(BOX)
    random = np.random.default_rng(0)
    full = type(box)(
        box.means, box.scales, box.rotations, box.opacities,
        random.normal(size=(len(box), 16, 3)).astype(np.float32),
    )  # fmt: skip
    path = tmp_path / "splats.ply"
    ours.file.write(full, path)
    read = ours.file.read(path)
    data = ours.splats.add_splats(path, scene.collection, "box").data
    for index in range(15):
        np.testing.assert_array_equal(values(data, f"radiance:sh_{index}"), read.sh[:, index + 1])
    assert "radiance:sh_15" not in data.attributes


def test_each_splat_is_a_quad_that_faces_the_camera_as_a_ball(
    ours: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    thing = ours.splats.add_splats(BOX, scene.collection, "box")
    thing.location, thing.rotation_euler = (0.3, -0.2, 0.1), Euler((0.4, 0.2, 1.1))
    camera = add_camera(scene, (1.5, -2.0, 0.8))
    cloud = ours.file.read(BOX)
    for place in ((1.5, -2.0, 0.8), (-2.0, 1.0, 2.0)):
        camera.location = place
        bpy.context.view_layer.update()
        corners = values(evaluated(thing), "position").reshape(-1, 4, 3).astype(float)
        assert len(corners) == len(cloud)
        np.testing.assert_allclose(corners.mean(axis=1), cloud.means, atol=1e-5)
        towards = np.array(thing.matrix_world.inverted() @ Vector(place)) - cloud.means
        ball = as_balls(cloud, corners - cloud.means[:, None])
        direction = as_balls(cloud, towards[:, None])[:, 0]
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        # Three standard deviations to each side, in the plane across the line of sight.
        np.testing.assert_allclose(np.linalg.norm(ball, axis=2), 3 * 2**0.5, rtol=2e-3)
        assert np.abs(np.einsum("nkc,nc->nk", ball, direction)).max() < 0.02


def as_balls(cloud: object, vectors: np.ndarray) -> np.ndarray:
    """(N, K, 3) vectors in each splat's own axes, in units of its spread."""
    w, x, y, z = np.moveaxis(cloud.rotations.astype(float), 1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    house_from_own = np.moveaxis(np.array(rows), 2, 0)
    return np.einsum("nba,nkb->nka", house_from_own, vectors) / cloud.scales[:, None]


def test_quads_carry_linear_colour_and_nothing_heavy(
    ours: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    thing = ours.splats.add_splats(BOX, scene.collection, "box")
    add_camera(scene, (0, -2, 0))
    drawn = evaluated(thing)
    cloud = ours.file.read(BOX)
    color = np.maximum(ours.sh.to_color(cloud.sh[:, 0]), 0)
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    found = values(drawn, "splat_color").reshape(-1, 4, 4)
    np.testing.assert_allclose(found[:, 0, :3], linear, atol=1e-5)
    np.testing.assert_allclose(found[:, 3, 3], cloud.opacities, atol=1e-6)
    names = {each.name for each in drawn.attributes if not each.name.startswith(".")}
    assert not {"scale", "rotation", "radiance:base"} & names
    painted = {drawn.materials[face.material_index].name for face in drawn.polygons}
    assert painted == {"Glimpse3D splats"}


def test_without_a_camera_there_are_still_quads(
    ours: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    thing = ours.splats.add_splats(BOX, scene.collection, "box")
    assert scene.camera is None
    places = values(evaluated(thing), "position")
    assert len(places) == 4 * 1800 and np.isfinite(places).all()
    assert np.ptp(places, axis=0).min() > 0.3


def test_all_splats_share_one_display(ours: SimpleNamespace, scene: bpy.types.Scene) -> None:
    first = ours.splats.add_splats(BOX, scene.collection, "one")
    made = len(bpy.data.node_groups)
    second = ours.splats.add_splats(BOX, scene.collection, "two")
    assert first.modifiers[0].node_group == second.modifiers[0].node_group
    assert len(bpy.data.node_groups) == made and len(bpy.data.materials) == 1


def seen_by_turntable(ours: SimpleNamespace, scene: bpy.types.Scene) -> None:
    """The splats before the turntable's second camera, which took ``box_splats.png``."""
    ours.splats.add_splats(BOX, scene.collection, "box")
    ours.cameras.add_rig(BOX.with_name("cameras.json"), scene.collection, "box")
    rendering.prepare(scene, 128, 128, samples=16)
    ours.splats.prepare_cycles(scene)
    ours.cameras.look_through(bpy.data.objects["box turntable camera"], scene)
    scene.frame_set(2)


def test_cycles_draws_what_our_own_renderer_draws(
    ours: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    seen_by_turntable(ours, scene)
    expected = rendering.read_png(HERE / "box_splats.png")
    seen = rendering.render(scene)
    assert rendering.psnr(seen, expected) > 28
    assert rendering.psnr(seen[:, ::-1], expected) < 20, "a mirrored picture would pass as well"


@pytest.mark.slow
def test_eevee_draws_what_our_own_renderer_draws(
    ours: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    seen_by_turntable(ours, scene)
    engines = scene.render.bl_rna.properties["engine"].enum_items.keys()
    scene.render.engine = next(name for name in engines if name.startswith("BLENDER_EEVEE"))
    scene.eevee.taa_render_samples = 32
    scene.eevee.use_shadows = scene.eevee.use_raytracing = False
    seen = rendering.render(scene)
    assert rendering.psnr(seen, rendering.read_png(HERE / "box_splats.png")) > 24


def test_cycles_limits_are_raised_and_named_but_never_lowered(
    ours: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    scene.cycles.transparent_max_bounces, scene.cycles.min_transparent_bounces = 1000, 4
    (note,) = ours.splats.prepare_cycles(scene)
    assert "from 4 to 256" in note
    assert scene.cycles.transparent_max_bounces == 1000
    assert scene.cycles.min_transparent_bounces == 256
    assert ours.splats.prepare_cycles(scene) == []


def test_missing_and_broken_files_are_refused(
    ours: SimpleNamespace, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.ply"
    cut.write_bytes(BOX.read_bytes()[:-10])
    for path in (tmp_path / "absent.ply", cut):
        with pytest.raises(ours.errors.BadFile):
            ours.splats.add_splats(path, scene.collection, "box")
