"""A whole result in the scene: every side where it belongs, one collection, or nothing at all."""

import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import bpy
import numpy as np
import pytest
from mathutils import Matrix, Vector

from tests.blender import rendering
from tests.results import HALF, SIDES

BOX = Path(__file__).parent / "box"
CURSOR = Vector((1.0, 2.0, 0.5))
KINDS = ("objects", "meshes", "cameras", "materials", "images", "node_groups", "actions",
         "collections")  # fmt: skip


@pytest.fixture
def ours(addon: ModuleType, scene: bpy.types.Scene) -> SimpleNamespace:
    names = {
        "result": "scene.result",
        "cameras": "scene.cameras",
        "errors": "_vendor.glimpse3d.errors",
    }
    loaded = {name: import_module(f"{addon.__name__}.{path}") for name, path in names.items()}
    return SimpleNamespace(**loaded)


def contents() -> dict[str, set[str]]:
    return {kind: {each.name for each in getattr(bpy.data, kind)} for kind in KINDS}


def part(collection: bpy.types.Collection, name: str) -> bpy.types.Object:
    return next(each for each in collection.objects if each.get("glimpse3d_part") == name)


def look(scene: bpy.types.Scene, outward: tuple[int, int, int]) -> np.ndarray:
    """A square picture of the side that faces ``outward``, one metre high, +Z or +Y up in it."""
    data = bpy.data.cameras.new("eye")
    data.type, data.ortho_scale = "ORTHO", 1.0
    eye = bpy.data.objects.new("eye", data)
    scene.collection.objects.link(eye)
    back = Vector(outward)
    up = Vector((0, 1, 0)) if outward[2] else Vector((0, 0, 1))
    turn = Matrix([up.cross(back), up, back]).transposed().to_4x4()
    middle = CURSOR + Vector((0, 0, HALF[2]))
    eye.matrix_world = Matrix.Translation(middle + 3 * back) @ turn
    scene.camera = eye
    return rendering.render(scene)


@pytest.mark.parametrize("what", ["mesh", "splats"])
def test_every_side_is_where_it_belongs(
    ours: SimpleNamespace, scene: bpy.types.Scene, what: str
) -> None:
    collection = ours.result.add_result(BOX, "box", CURSOR, scene)
    rendering.prepare(scene, 40, 40, samples=8)
    ours.result.show(collection, what, scene)
    for name, (outward, color) in SIDES.items():
        picture = look(scene, outward)
        width = HALF[0] if not outward[0] else HALF[1]
        height = HALF[2] if not outward[2] else HALF[1]
        # The four quarters of the side, row by row; the upper right one is dark.
        upper_left, upper_right, lower_left, lower_right = (
            quarter(picture, x * width, y * height) for y in (0.5, -0.5) for x in (-0.5, 0.5)
        )
        for seen in (upper_left, lower_left, lower_right):
            assert nearest(seen[:3]) == name
            assert seen[3] > 250
            if what == "mesh":  # between the splats the far side glints through
                np.testing.assert_allclose(seen[:3], color, atol=20, err_msg=name)
        assert upper_right[:3].mean() < 0.75 * np.mean(color), name
        covered = (picture[..., 3] > 128).sum() / 1600
        # A splat reaches beyond the edge that it stands on.
        beyond = 0.12 if what == "mesh" else 0.2
        assert covered == pytest.approx(4 * width * height, rel=beyond), name


def quarter(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    """(4,) the mean of 5 x 5 pixels about a place, metres from the middle of the picture."""
    column, row = round(20 + 40 * x), round(20 - 40 * y)
    return picture[row - 2 : row + 3, column - 2 : column + 3].reshape(-1, 4).mean(axis=0)


def nearest(color: np.ndarray) -> str:
    """The side whose colour is nearest."""
    return min(SIDES, key=lambda name: float(np.linalg.norm(color - SIDES[name][1])))


def test_it_stands_on_the_cursor_and_faces_minus_y(
    ours: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    collection = ours.result.add_result(BOX, "box", CURSOR, scene)
    bpy.context.view_layer.update()
    body = part(collection, "mesh")
    places = np.array([body.matrix_world @ vertex.co for vertex in body.data.vertices])
    np.testing.assert_allclose(places.min(axis=0) - CURSOR, [-0.3, -0.2, 0], atol=1e-6)
    np.testing.assert_allclose(places.max(axis=0) - CURSOR, [0.3, 0.2, 1], atol=1e-6)
    assert part(collection, "splats").matrix_world == body.matrix_world
    middle = CURSOR + Vector((0, 0, 0.5))
    assert (part(collection, "turntable").matrix_world.translation - middle).length < 1e-6
    camera = ours.result.picture_camera(collection)
    seen = camera.matrix_world.translation - middle
    assert abs(seen.x) < 1e-6 and seen.y < -2 and seen.z > 0


def test_one_new_collection_holds_all_and_one_empty_carries_it(
    ours: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    before = contents()
    collection = ours.result.add_result(BOX, "box", CURSOR, scene)
    assert contents()["collections"] - before["collections"] == {collection.name}
    assert list(scene.collection.children) == [collection]
    assert not scene.collection.objects
    assert {each.name for each in collection.objects} == contents()["objects"]
    foot = part(collection, "foot")
    foot.location += Vector((1, 1, 1))
    foot.scale *= 2
    bpy.context.view_layer.update()
    for thing in collection.objects:
        top = thing
        while top.parent:
            top = top.parent
        assert top == foot
    body = part(collection, "mesh")
    lowest = min((body.matrix_world @ vertex.co).z for vertex in body.data.vertices)
    assert lowest == pytest.approx(CURSOR.z + 1)


def test_one_of_mesh_and_splats_is_shown(ours: SimpleNamespace, scene: bpy.types.Scene) -> None:
    collection = ours.result.add_result(BOX, "box", CURSOR, scene)
    body, cloud = part(collection, "mesh"), part(collection, "splats")
    bounces = scene.cycles.transparent_max_bounces
    assert body.visible_get() and not cloud.visible_get() and cloud.hide_render
    for what, shown in (("mesh", (1, 0)), ("splats", (0, 1)), ("both", (1, 1))):
        notes = ours.result.show(collection, what, scene)
        assert (not body.hide_render, not cloud.hide_render) == shown
        assert (body.visible_get(), cloud.visible_get()) == shown
        assert len(notes) == (2 if what == "splats" else 0), notes
        assert (scene.cycles.transparent_max_bounces == bounces) == (what == "mesh")


def test_a_layer_that_leaves_the_collection_out_is_no_hindrance(
    ours: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    other = scene.view_layers.new("other")
    collection = ours.result.add_result(BOX, "box", CURSOR, scene)
    other.layer_collection.children[collection.name].exclude = True
    ours.result.show(collection, "splats", scene)
    assert part(collection, "splats").visible_get()


def test_a_scene_without_a_camera_gets_the_pictures_own(
    ours: SimpleNamespace, scene: bpy.types.Scene
) -> None:
    first = ours.result.add_result(BOX, "box", CURSOR, scene)
    assert scene.camera == ours.result.picture_camera(first)
    second = ours.result.add_result(BOX, "box", CURSOR, scene)
    assert first != second and len(scene.collection.children) == 2
    assert scene.camera == ours.result.picture_camera(first)


def test_long_and_empty_names_are_taken(ours: SimpleNamespace, scene: bpy.types.Scene) -> None:
    for name in ("", "  ", "\N{CJK UNIFIED IDEOGRAPH-732B}" * 90, "x" * 300):
        collection = ours.result.add_result(BOX, name, CURSOR, scene)
        assert collection.name.strip()
        assert all(part(collection, each) for each in ("mesh", "splats", "turntable"))


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def cut(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])

    return spoil


@pytest.mark.parametrize("spoil", [without, cut])
@pytest.mark.parametrize("name", ["manifest.json", "mesh.glb", "splats.ply", "cameras.json"])
def test_everything_or_nothing(
    ours: SimpleNamespace,
    scene: bpy.types.Scene,
    tmp_path: Path,
    name: str,
    spoil: Callable[[str], Callable[[Path], None]],
) -> None:
    folder = tmp_path / "box"
    shutil.copytree(BOX, folder)
    spoil(name)(folder)
    before = contents()
    with pytest.raises(ours.errors.BadFile):
        ours.result.add_result(folder, "box", CURSOR, scene)
    assert contents() == before
    assert not scene.collection.children and scene.camera is None


def test_a_failure_leaves_former_results_alone(
    ours: SimpleNamespace, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    ours.result.add_result(BOX, "box", CURSOR, scene)
    folder = tmp_path / "box"
    shutil.copytree(BOX, folder)
    cut("cameras.json")(folder)
    before = contents()
    with pytest.raises(ours.errors.BadFile):
        ours.result.add_result(folder, "box", CURSOR, scene)
    assert contents() == before


def test_undo_takes_it_back_in_one_step(ours: SimpleNamespace, scene: bpy.types.Scene) -> None:
    before = contents()
    bpy.ops.ed.undo_push(message="before")
    ours.result.add_result(BOX, "box", CURSOR, scene)
    bpy.ops.ed.undo_push(message="after")
    after = contents()
    bpy.ops.ed.undo()
    assert contents() == before
    bpy.ops.ed.redo()
    assert contents() == after
