"""Splats in the viewport: their order, what the GPU is given, and what it draws where it can."""

from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import bpy
import numpy as np
import pytest

from tests.blender import rendering

HERE = Path(__file__).parent
SIDE = 128


@pytest.fixture
def ours(addon: ModuleType, scene: bpy.types.Scene) -> SimpleNamespace:
    names = {
        "splats": "scene.splats",
        "order": "scene.splat_order",
        "layers": "scene.splat_layers",
        "overlay": "scene.splat_overlay",
        "shader": "scene.splat_shader",
        "registration": "ui.splat_registration",
        "edits": "_vendor.glimpse3d.cloud_edits",
        "cameras": "_vendor.glimpse3d.formats.cameras",
        "file": "_vendor.glimpse3d.formats.splat_ply",
        "types": "_vendor.glimpse3d.types",
    }
    loaded = {name: import_module(f"{addon.__name__}.{path}") for name, path in names.items()}
    return SimpleNamespace(**loaded)


def test_the_farthest_come_first(ours: SimpleNamespace) -> None:
    means = np.random.default_rng(0).normal(size=(20_000, 3)).astype(np.float32)
    forward = np.array([0.6, 0.0, -0.8])
    depths = (means @ forward)[ours.order.far_to_near(means, forward)]
    assert np.diff(depths).max() < np.ptp(depths) / 60_000
    same = np.ones((5, 3), np.float32)
    np.testing.assert_array_equal(ours.order.far_to_near(same, forward), range(5))
    assert len(ours.order.far_to_near(same[:0], forward)) == 0


def test_the_gpu_is_given_covariances(ours: SimpleNamespace) -> None:
    cloud = ours.file.read(HERE / "box" / "splats.ply")
    rows = ours.shader.packed(cloud, len(cloud))
    axes = ours.edits.rotation_matrices(cloud.rotations) * cloud.scales[:, None, :]
    full = axes @ axes.transpose(0, 2, 1)
    upper = full[:, [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2]]
    np.testing.assert_allclose(rows[:, 4:10], upper, atol=1e-9)
    np.testing.assert_array_equal(rows[:, :3], cloud.means)
    np.testing.assert_array_equal(rows[:, 3], cloud.opacities)
    np.testing.assert_array_equal(rows[:, 10:13], cloud.sh[:, 0])


def test_what_the_overlay_draws_is_what_is_shown(
    ours: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    cloud = ours.file.read(HERE / "box" / "splats.ply")
    names = ("shown", "hidden", "quads", "far")
    things = {name: ours.splats.add_cloud(cloud, scene.collection, name) for name in names}
    things["hidden"].hide_set(True)
    things["quads"].modifiers[0].show_viewport = True
    scene.collection.objects.link(bpy.data.objects.new("empty", None))
    things["far"].location = (0, 0, -5)
    bpy.context.view_layer.update()
    area = next(each for each in bpy.context.screen.areas if each.type == "VIEW_3D")
    space = area.spaces.active
    view = SimpleNamespace(view_matrix=things["shown"].matrix_world.copy())
    context = SimpleNamespace(space_data=space, view_layer=bpy.context.view_layer, region_data=view)
    assert [each.name for each in ours.overlay.drawn_here(context)] == ["far", "shown"]


def test_switching_off_leaves_nothing_behind(ours: SimpleNamespace) -> None:
    handlers = bpy.app.handlers

    def count() -> list[int]:
        kinds = (handlers.depsgraph_update_post, handlers.load_post, handlers.undo_post)
        return [len(each) for each in kinds]

    before = count()
    for _ in range(3):
        ours.registration.stop()
        assert all(now == was - 1 for now, was in zip(count(), before, strict=True))
        assert not hasattr(bpy.types.Scene, "glimpse3d_splats")
        ours.registration.start()
    assert count() == before


def before_the_box(ours: SimpleNamespace) -> tuple[np.ndarray, np.ndarray]:
    """The turntable's second camera: camera from object, and clip from camera."""
    camera = ours.cameras.read(HERE / "box" / "cameras.json").turntable[1]
    near, far = 0.01, 100.0
    clip_from_camera = np.zeros((4, 4))
    focal = np.array([camera.K[0, 0] / camera.width, camera.K[1, 1] / camera.height])
    clip_from_camera[0, 0], clip_from_camera[1, 1] = 2 * focal
    clip_from_camera[2, 2:] = -(far + near) / (far - near), -2 * far * near / (far - near)
    clip_from_camera[3, 2] = -1
    return np.diag([1.0, -1, -1, 1]) @ camera.camera_from_world, clip_from_camera


def drawn(ours: SimpleNamespace, cloud: object, depth: float, first: int = 0) -> np.ndarray:
    """(SIDE, SIDE, 4) uint8, straight alpha: a cloud, from its so-manieth farthest splat on."""
    import gpu

    camera_from_object, clip_from_camera = before_the_box(ours)
    indices = ours.order.far_to_near(cloud.means, -camera_from_object[2, :3])
    data = gpu.types.Buffer("FLOAT", SIDE * SIDE, np.full(SIDE * SIDE, depth, np.float32))
    behind = gpu.types.GPUTexture((SIDE, SIDE), format="DEPTH_COMPONENT32F", data=data)
    colors = gpu.types.GPUTexture((SIDE, SIDE), format="RGBA16F")
    framebuffer = gpu.types.GPUFrameBuffer(depth_slot=behind, color_slots=colors)
    with framebuffer.bind():
        framebuffer.clear(color=(0.0, 0.0, 0.0, 0.0))
        sizes = (SIDE, SIDE, ours.shader.BLUR, 0)
        view = ours.shader.view_block(camera_from_object, clip_from_camera, sizes, first)
        ours.overlay.draw_splats(
            ours.shader.compile_shaders(), ours.shader.upload(cloud),
            ours.shader.texture(indices, 1, "R32F"), view, len(cloud) - first,
        )  # fmt: skip
        buffer = framebuffer.read_color(0, 0, SIDE, SIDE, 4, 0, "FLOAT")
    buffer.dimensions = SIDE * SIDE * 4
    seen = np.array(buffer, np.float32).reshape(SIDE, SIDE, 4)[::-1]
    straight = seen[..., :3] / np.maximum(seen[..., 3:], 1e-6)
    rgba = np.concatenate([straight, seen[..., 3:]], axis=-1)
    return np.rint(np.clip(rgba, 0, 1) * 255).astype(np.uint8)


def test_it_draws_what_our_own_renderer_draws(ours: SimpleNamespace) -> None:
    import gpu

    if not hasattr(gpu, "init"):
        pytest.skip("this Blender has no GPU without a window")
    gpu.init()
    expected = rendering.read_png(HERE / "box_splats.png")
    cloud = ours.file.read(HERE / "box" / "splats.ply")
    assert rendering.psnr(drawn(ours, cloud, depth=1.0), expected) > 43
    assert not drawn(ours, cloud, depth=0.0).any(), "a wall in front hides everything"
    camera_from_object, _ = before_the_box(ours)
    order = ours.order.far_to_near(cloud.means, -camera_from_object[2, :3])
    near = ours.edits.pick(cloud, order[len(cloud) // 2 :])
    np.testing.assert_array_equal(
        drawn(ours, cloud, 1.0, first=len(cloud) // 2), drawn(ours, near, 1.0)
    )


@pytest.mark.parametrize("metres", [1.0, 1e3, 1e6])
def test_splats_that_would_fill_the_viewport_are_drawn_in_part(
    ours: SimpleNamespace, metres: float
) -> None:
    """A hundred thousand of a metre, as where logarithms were forgotten: the nearest thousand."""
    box = ours.file.read(HERE / "box" / "splats.ply")
    camera_from_object, clip_from_camera = before_the_box(ours)
    where = camera_from_object, clip_from_camera, np.array([1500, 900])
    many = ours.edits.pick(box, np.arange(100_000) % len(box))

    def of_size(sizes: np.ndarray, count: int = 100_000) -> object:
        parts = many.rotations, many.opacities, many.sh
        return ours.layers.sample(ours.types.GaussianCloud(many.means, sizes, *parts), count)

    assert ours.layers.nearest(of_size(many.scales / 16), *where) == 100_000
    large = of_size(np.full((100_000, 3), metres))
    assert 900 < ours.layers.nearest(large, *where) < 2_500
    behind = np.diag([-1.0, 1, -1, 1]) @ camera_from_object  # none is seen, none is dear
    assert ours.layers.nearest(large, behind, *where[1:]) == 100_000
    assert ours.layers.nearest(of_size(many.scales * 1e3, 500), *where) == 500
    assert ours.layers.nearest(of_size(many.scales, 0), *where) == 0
