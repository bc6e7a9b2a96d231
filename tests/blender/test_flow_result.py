"""What can be done with a result in the scene, and results that come as a file."""

import shutil
import zipfile
from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from tests.blender.serving import Addon
from tests.blender.test_flow import contents, corners, part

BOX = Path(__file__).parent / "box"
CURSOR = Vector((1.0, 2.0, 0.5))


@pytest.fixture
def ui(ui: Addon, scene: bpy.types.Scene) -> Addon:
    """With the 3D cursor somewhere else."""
    scene.cursor.location = CURSOR
    return ui


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The box of six colours as a notebook hands it out."""
    path = tmp_path / "my box.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in sorted(BOX.iterdir()):
            archive.write(each, each.name)
    return path


def imported(path: Path) -> bpy.types.Collection:
    """The collection that comes of a file."""
    before = set(bpy.data.collections)
    assert bpy.ops.glimpse3d.import_bundle("EXEC_DEFAULT", True, filepath=str(path)) == {"FINISHED"}
    (made,) = set(bpy.data.collections) - before
    return made


def test_a_bundle_stands_on_the_cursor_in_one_undo_step(ui: Addon, bundle: Path) -> None:
    bpy.ops.ed.undo_push(message="before")
    before = contents()
    collection = imported(bundle)
    assert collection.name == "my box"
    assert bpy.context.object == part(collection, "foot")
    box = corners(part(collection, "mesh"))
    np.testing.assert_allclose(
        (box.max(0) + box.min(0)) / 2, CURSOR + Vector((0, 0, 0.5)), atol=0.01
    )
    bpy.ops.ed.undo()
    assert contents() == before


def test_a_result_is_deleted_with_all_its_parts_in_one_undo_step(ui: Addon, bundle: Path) -> None:
    before = set(bpy.data.objects)
    collection = imported(bundle)
    bpy.ops.ed.undo_push(message="imported")
    parts = contents()
    assert bpy.ops.glimpse3d.delete_result("EXEC_DEFAULT", True) == {"FINISHED"}
    assert set(bpy.data.objects) == before and "my box" not in bpy.data.collections
    bpy.ops.ed.undo()
    assert contents() == parts
    collection = bpy.data.collections["my box"]
    own = bpy.data.objects.new("the user's own", None)
    collection.objects.link(own)
    bpy.context.view_layer.objects.active = part(collection, "mesh")
    bpy.ops.glimpse3d.delete_result()
    assert list(collection.objects) == [own]


def test_an_unpacked_bundle_is_taken_by_its_manifest(ui: Addon) -> None:
    assert imported(BOX / "manifest.json").name == "box"


@pytest.mark.parametrize("spoil", ["cut", "changed", "no zip", "escape"])
def test_a_bad_bundle_leaves_nothing(ui: Addon, bundle: Path, spoil: str) -> None:
    if spoil == "cut":
        bundle.write_bytes(bundle.read_bytes()[:-500])
    elif spoil == "no zip":
        bundle.write_text("hello")
    else:
        with zipfile.ZipFile(bundle, "w") as archive:
            for each in sorted(BOX.iterdir()):
                data = each.read_bytes()
                if each.name == "mesh.glb":
                    data = data[:-1] + bytes([data[-1] ^ 1])
                archive.writestr(f"../{each.name}" if spoil == "escape" else each.name, data)
    before = contents()
    with pytest.raises(RuntimeError, match=r"bundle|ZIP"):
        bpy.ops.glimpse3d.import_bundle(filepath=str(bundle))
    assert contents() == before


def test_the_pictures_stand_behind_their_cameras(ui: Addon, tmp_path: Path) -> None:
    folder = tmp_path / "result"
    shutil.copytree(BOX, folder)
    encode = ui.module("scene.image").encode_png
    for name in ("input.png", "view_00.png", "view_01.png"):
        (folder / name).write_bytes(encode(np.full((12, 16, 4), 200, np.uint8)))
    collection = imported(folder / "manifest.json")
    still = [each for each in collection.objects if each.type == "CAMERA"]
    found = {each.name: each.data.background_images[:] for each in still}
    assert len(found) == 4
    assert {name for name, behind in found.items() if not behind} == {"result turntable camera"}
    for behind in filter(None, found.values()):
        (one,) = behind
        assert one.image.packed_file is not None and tuple(one.image.size) == (16, 12)
    (folder / "view_01.png").write_bytes(b"no picture")
    before = contents()
    with pytest.raises(RuntimeError, match="not a picture"):
        bpy.ops.glimpse3d.import_bundle(filepath=str(folder / "manifest.json"))
    assert contents() == before


def test_on_the_floor_and_back_to_the_cursor(ui: Addon, bundle: Path) -> None:
    chosen = bpy.context.scene.glimpse3d
    chosen.place = "floor"
    box = part(imported(bundle), "mesh")
    low = corners(box).min(0)[2]
    assert low == pytest.approx(0, abs=1e-5)
    chosen.place = "cursor"
    bpy.context.scene.cursor.location = (0, 0, 3)
    assert bpy.ops.glimpse3d.stand_result() == {"FINISHED"}
    assert corners(box).min(0)[2] == pytest.approx(3, abs=1e-5)


def test_a_turntable_of_other_frames_radius_and_lens(ui: Addon, bundle: Path) -> None:
    collection = imported(bundle)
    scene = bpy.context.scene
    count = len(bpy.data.objects), len(bpy.data.cameras), len(bpy.data.actions)
    assert bpy.ops.glimpse3d.add_turntable(frames=8, radius=3, elevation=0, lens=50) == {"FINISHED"}
    assert (len(bpy.data.objects), len(bpy.data.cameras), len(bpy.data.actions)) == count
    assert (scene.frame_start, scene.frame_end) == (1, 8)
    camera, middle = scene.camera, corners(part(collection, "mesh")).mean(0)
    assert camera.data.lens == pytest.approx(50)
    for frame in range(9):
        scene.frame_set(1 + frame)
        bpy.context.view_layer.update()
        turn = 2 * np.pi * frame / 8
        expected = middle + 3 * np.array([np.sin(turn), -np.cos(turn), 0])
        np.testing.assert_allclose(camera.matrix_world.translation, expected, atol=1e-4)
        seen = world_to_camera_view(scene, camera, Vector(middle))
        np.testing.assert_allclose(seen[:2], (0.5, 0.5), atol=1e-4)


def test_a_turntable_about_any_object(ui: Addon) -> None:
    bpy.ops.mesh.primitive_cube_add(size=2, location=(4, 0, 1))
    assert bpy.ops.glimpse3d.add_turntable(frames=4, radius=2.5, elevation=30) == {"FINISHED"}
    bpy.context.view_layer.update()
    away = bpy.context.scene.camera.matrix_world.translation - Vector((4, 0, 1))
    assert away.length == pytest.approx(5, abs=1e-4) and away.z == pytest.approx(2.5, abs=1e-4)


def test_looking_through_a_camera_sets_the_picture_up(ui: Addon, bundle: Path) -> None:
    collection = imported(bundle)
    name = next(each.name for each in collection.objects if "view 01" in each.name)
    assert bpy.ops.glimpse3d.look_through(camera=name) == {"FINISHED"}
    assert bpy.context.scene.camera.name == name
    with pytest.raises(RuntimeError, match="gone"):
        bpy.ops.glimpse3d.look_through(camera="nobody's")


def test_a_result_becomes_an_asset_once(ui: Addon, bundle: Path) -> None:
    collection = imported(bundle)
    assert bpy.ops.glimpse3d.mark_asset() == {"FINISHED"}
    assert collection.asset_data is not None
    assert [tag.name for tag in collection.asset_data.tags] == ["Glimpse3D"]
    assert not bpy.ops.glimpse3d.mark_asset.poll()


def test_every_operator_tells_what_it_does_and_what_changes_can_be_undone(ui: Addon) -> None:
    undone = {
        "take_texture", "take_render", "take_view", "take_clipboard", "generate_files",
        "show_cutout", "paint_cutout", "cutout_brush", "draw_box", "import_result", "show_parts",
        "stand_result", "add_turntable", "look_through", "mark_asset", "import_bundle",
        "draw_seed", "reset_settings",
    }  # fmt: skip
    for name in dir(bpy.ops.glimpse3d):
        kind = getattr(bpy.ops.glimpse3d, name).get_rna_type()
        assert kind.description and not kind.description.endswith("."), name
        assert kind.name, name
    for name in undone:
        assert "UNDO" in getattr(bpy.ops.glimpse3d, name).bl_options, name
