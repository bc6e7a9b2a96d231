"""Splat files through Blender's menus: every kind in and out, and what is refused."""

from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import bpy
import numpy as np
import pytest
from mathutils import Matrix

COUNT = 300
FIELDS = ("means", "scales", "rotations", "opacities", "sh")


@pytest.fixture
def ours(addon: ModuleType, scene: bpy.types.Scene) -> SimpleNamespace:
    names = {
        "splats": "scene.splats",
        "data": "scene.splat_data",
        "files": "_vendor.glimpse3d.formats.splats",
        "edits": "_vendor.glimpse3d.cloud_edits",
        "types": "_vendor.glimpse3d.types",
    }
    loaded = {name: import_module(f"{addon.__name__}.{path}") for name, path in names.items()}
    return SimpleNamespace(**loaded)


def random_cloud(ours: SimpleNamespace, degree: int = 3) -> object:
    random = np.random.default_rng(degree)
    rotations = random.normal(size=(COUNT, 4))
    return ours.types.GaussianCloud(
        random.uniform(-1, 1, (COUNT, 3)),
        np.exp(random.uniform(-5, -3, (COUNT, 3))),
        rotations / np.linalg.norm(rotations, axis=1, keepdims=True),
        random.uniform(0.1, 0.95, COUNT),
        random.normal(size=(COUNT, (degree + 1) ** 2, 3)) * 0.2,
    )


def assert_same(found: object, expected: object, tolerance: float = 1e-6) -> None:
    for name in FIELDS:
        values, wanted = getattr(found, name), getattr(expected, name)
        if name == "rotations":  # q and -q are one rotation
            values = values * np.sign(np.einsum("nk,nk->n", values, wanted))[:, None]
        error = np.abs(values - wanted) / np.maximum(1, np.abs(wanted))
        assert error.max() <= tolerance, f"{name} differs by {error.max()}"


@pytest.mark.parametrize("kind", [".ply", ".glb"])
def test_what_is_exported_comes_back_exactly(
    ours: SimpleNamespace, scene: bpy.types.Scene, tmp_path: Path, kind: str
) -> None:
    first, second = tmp_path / f"first{kind}", tmp_path / f"second{kind}"
    cloud = random_cloud(ours)
    ours.files.write(cloud, first)
    assert bpy.ops.glimpse3d.import_splats(filepath=str(first)) == {"FINISHED"}
    thing = bpy.context.active_object
    assert thing.name == "first" and thing.select_get()
    assert_same(ours.data.read_cloud(thing.data), cloud)
    assert bpy.ops.glimpse3d.export_splats(filepath=str(second)) == {"FINISHED"}
    assert_same(ours.files.read(second).cloud, cloud)


@pytest.mark.parametrize("kind", [".compressed.ply", ".spz", ".splat"])
def test_lossy_kinds_come_and_go(
    ours: SimpleNamespace, scene: bpy.types.Scene, tmp_path: Path, kind: str
) -> None:
    ours.splats.add_cloud(random_cloud(ours), scene.collection, "cloud").select_set(True)
    path = tmp_path / f"out{kind}"
    assert bpy.ops.glimpse3d.export_splats(filepath=str(path)) == {"FINISHED"}
    assert bpy.ops.glimpse3d.import_splats(filepath=str(path)) == {"FINISHED"}
    back = ours.data.read_cloud(bpy.context.active_object.data)
    assert len(back) == COUNT
    middle = ours.data.read_cloud(bpy.data.objects["cloud"].data).means.mean(axis=0)
    np.testing.assert_allclose(back.means.mean(axis=0), middle, atol=2e-3)


def test_exported_is_what_is_seen(
    ours: SimpleNamespace, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    cloud = random_cloud(ours, 1)
    poses = []
    for index in range(2):
        thing = ours.splats.add_cloud(cloud, scene.collection, f"part {index}")
        turn = Matrix.Rotation(index + 0.4, 4, (1, 2, 3)).to_quaternion()
        thing.matrix_world = Matrix.LocRotScale((index, 0, 1), turn, (1, 2, 1 + index))
        poses.append(thing.matrix_world.copy())
        thing.select_set(True)
    hidden = ours.splats.add_cloud(cloud, scene.collection, "hidden")
    hidden.select_set(True)
    hidden.hide_set(True)
    thinned = bpy.data.objects["part 1"].modifiers.new("half", "NODES")
    thinned.node_group = left_half()
    bpy.data.objects["part 1"].modifiers.move(1, 0)
    bpy.data.objects["part 0"].modifiers[0].show_viewport = True  # quads, instead of the overlay
    bpy.context.view_layer.update()
    path = tmp_path / "seen.ply"
    assert bpy.ops.glimpse3d.export_splats(filepath=str(path)) == {"FINISHED"}
    half = ours.edits.pick(cloud, cloud.means[:, 0] <= 0)
    expected = ours.edits.merge(
        [ours.edits.transform(part, np.array(pose)) for part, pose in zip((cloud, half), poses)]  # noqa: B905
    )
    found = ours.files.read(path).cloud
    assert len(found) == COUNT + len(half)
    np.testing.assert_allclose(found.means, expected.means, atol=1e-5)
    np.testing.assert_allclose(found.sh[:, :4], expected.sh, atol=1e-5)
    assert bpy.data.objects["part 0"].modifiers[0].show_viewport, "put back as it was"


def left_half() -> bpy.types.NodeTree:
    """Deletes every point with a positive x."""
    tree = bpy.data.node_groups.new("left half", "GeometryNodeTree")
    for way in ("INPUT", "OUTPUT"):
        tree.interface.new_socket("Geometry", in_out=way, socket_type="NodeSocketGeometry")
    new, link = tree.nodes.new, tree.links.new
    given, gone = new("NodeGroupInput"), new("GeometryNodeDeleteGeometry")
    place, parts, right = (
        new("GeometryNodeInputPosition"), new("ShaderNodeSeparateXYZ"), new("ShaderNodeMath"),
    )  # fmt: skip
    right.operation = "GREATER_THAN"
    right.inputs[1].default_value = 0.0
    link(place.outputs[0], parts.inputs[0])
    link(parts.outputs[0], right.inputs[0])
    link(right.outputs[0], gone.inputs["Selection"])
    link(given.outputs[0], gone.inputs["Geometry"])
    link(gone.outputs[0], new("NodeGroupOutput").inputs[0])
    return tree


def test_axes_can_be_overruled_both_ways(
    ours: SimpleNamespace, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    cloud = random_cloud(ours, 0)
    path = tmp_path / "up.splat"
    ours.splats.add_cloud(cloud, scene.collection, "cloud").select_set(True)
    bpy.ops.glimpse3d.export_splats(filepath=str(path), axes="blender")
    bpy.ops.glimpse3d.import_splats(filepath=str(path), axes="blender")
    back = ours.data.read_cloud(bpy.context.active_object.data)
    np.testing.assert_allclose(np.sort(back.means, axis=0), np.sort(cloud.means, axis=0), atol=1e-6)
    bpy.ops.glimpse3d.import_splats(filepath=str(path))
    wrong = ours.data.read_cloud(bpy.context.active_object.data)
    assert np.abs(np.sort(wrong.means, axis=0) - np.sort(cloud.means, axis=0)).max() > 0.01


def test_several_files_at_once_and_the_broken_one_is_named(
    ours: SimpleNamespace, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    for name in ("one.ply", "two.spz"):
        ours.files.write(random_cloud(ours), tmp_path / name)
    whole = (tmp_path / "one.ply").read_bytes()
    (tmp_path / "cut.ply").write_bytes(whole[:-7])
    names = [{"name": name} for name in ("one.ply", "cut.ply", "two.spz")]
    with pytest.raises(RuntimeError, match=r"cut\.ply: The header speaks of"):
        bpy.ops.glimpse3d.import_splats(directory=str(tmp_path), files=names)
    assert {each.name for each in bpy.data.objects} == {"one", "two"}


def test_what_is_no_splat_file_is_refused_and_leaves_nothing(
    ours: SimpleNamespace, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    points = b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n0\n"
    (tmp_path / "points.ply").write_bytes(points)
    nothing = ours.edits.pick(random_cloud(ours), np.zeros(COUNT, bool))
    ours.files.write(nothing, tmp_path / "empty.ply")
    (tmp_path / "other.splat.txt").write_text("none")
    for name in ("points.ply", "absent.spz", "empty.ply", "other.splat.txt"):
        with pytest.raises(RuntimeError, match=f"(?i)^Error: [^;]*{name}.*;|no splats;"):
            bpy.ops.glimpse3d.import_splats(filepath=str(tmp_path / name))
    assert not bpy.data.objects and not bpy.data.meshes and not bpy.data.pointclouds


def test_a_folder_is_no_file_and_a_file_keeps_its_name(
    ours: SimpleNamespace, tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match="No file was chosen"):
        bpy.ops.glimpse3d.import_splats(
            filepath=str(tmp_path), directory=str(tmp_path), files=[{"name": ""}]
        )
    (tmp_path / "broken.ply").write_text("hello")
    with pytest.raises(RuntimeError, match=r"broken\.ply is no splat file"):
        bpy.ops.glimpse3d.import_splats(filepath=str(tmp_path / "broken.ply"))


def test_sizes_without_their_logarithm_are_told(
    ours: SimpleNamespace, scene: bpy.types.Scene, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cloud = random_cloud(ours)
    ours.files.write(cloud, tmp_path / "right.ply")
    swollen = {name: getattr(cloud, name) for name in FIELDS} | {"scales": np.exp(cloud.scales)}
    ours.files.write(ours.types.GaussianCloud(**swollen), tmp_path / "unlogged.ply")
    for name in ("right.ply", "unlogged.ply"):
        assert bpy.ops.glimpse3d.import_splats(filepath=str(tmp_path / name)) == {"FINISHED"}
    told = capfd.readouterr().out
    assert "unlogged.ply: no splat is below a metre" in told
    assert "right.ply: no splat" not in told


def test_nothing_selected_and_nowhere_to_write_are_refused(
    ours: SimpleNamespace, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    thing = ours.splats.add_cloud(random_cloud(ours), scene.collection, "cloud")
    thing.select_set(False)
    with pytest.raises(RuntimeError, match="no splats to export"):
        bpy.ops.glimpse3d.export_splats(filepath=str(tmp_path / "a.ply"))
    thing.select_set(True)
    with pytest.raises(RuntimeError, match="cannot be written"):
        bpy.ops.glimpse3d.export_splats(filepath=str(tmp_path / "nowhere" / "a.ply"))
    assert list(tmp_path.iterdir()) == []


def test_the_name_without_an_ending_gets_that_of_the_format(
    ours: SimpleNamespace, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    ours.splats.add_cloud(random_cloud(ours), scene.collection, "cloud")
    bpy.ops.glimpse3d.export_splats(
        filepath=str(tmp_path / "v1.2"), kind=".spz", selected_only=False
    )
    assert [each.name for each in tmp_path.iterdir()] == ["v1.2.spz"]


def test_an_export_proposes_the_name_of_what_is_selected(
    addon: ModuleType, ours: SimpleNamespace, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    proposed = import_module(f"{addon.__name__}.ui.splat_files").proposed
    for name in ("other", "Vase: blue"):
        ours.splats.add_cloud(random_cloud(ours), scene.collection, name)
    bpy.data.objects["other"].select_set(False)
    bpy.data.objects["Vase: blue"].select_set(True)
    assert proposed(bpy.context, ".spz") == "Vase__blue.spz"
    bpy.data.objects["Vase: blue"].select_set(False)
    bpy.data.objects["Vase: blue"].hide_set(True)
    assert proposed(bpy.context, ".ply") == "other.ply"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "mine.blend"))
    assert proposed(bpy.context, ".ply") == str(tmp_path / "other.ply")


def test_a_dropped_file_is_imported(
    ours: SimpleNamespace, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    ours.files.write(random_cloud(ours), tmp_path / "dropped.splat")
    area = next(each for each in bpy.context.screen.areas if each.type == "VIEW_3D")
    region = next(each for each in area.regions if each.type == "WINDOW")
    with bpy.context.temp_override(area=area, region=region):
        bpy.ops.wm.drop_import_file(
            "INVOKE_DEFAULT", directory=str(tmp_path), files=[{"name": "dropped.splat"}]
        )
    assert [each.name for each in bpy.data.objects] == ["dropped"]
    assert ours.data.count(bpy.data.objects["dropped"].data) == COUNT


def test_dropped_files_have_a_handler(ours: SimpleNamespace) -> None:
    handler = bpy.types.GLIMPSE3D_FH_splats
    assert handler.bl_import_operator == "glimpse3d.import_splats"
    assert set(handler.bl_file_extensions.split(";")) >= {".ply", ".spz", ".splat", ".ksplat"}


def test_what_was_repaired_is_said_in_the_same_words_as_on_the_command_line(
    addon: ModuleType,
) -> None:
    blocks = import_module(f"{addon.__name__}._vendor.glimpse3d.formats.splat_blocks")
    files = import_module(f"{addon.__name__}.ui.splat_files")
    for repairs in (blocks.Repairs(4, 3, 2, 1), blocks.Repairs(0, 5), blocks.Repairs()):
        assert tuple(files.repaired(repairs)) == repairs.in_words()
