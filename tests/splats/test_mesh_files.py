"""Meshes of any kind come in upright, in their place and in their colours, and become splats."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image as Picture

from glimpse3d import cli, mesh_files
from glimpse3d.errors import BackendUnavailable, BadFile
from glimpse3d.export.mesh import write_mesh
from glimpse3d.formats import sh, splats
from glimpse3d.progress import Progress
from glimpse3d.splats.from_mesh import gaussians_from_meshes
from glimpse3d.types import GaussianCloud
from tests.results import HALF, SIDES, box

HOUSE_FROM_Y_UP = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])


def splats_of(path: Path, count: int = 3000) -> GaussianCloud:
    return gaussians_from_meshes(mesh_files.read(path), count, 0, Progress())


def seen(cloud: GaussianCloud) -> dict[str, np.ndarray]:
    """Side -> mean colour 0..255 of the splats on it, away from its edges."""
    found = {}
    for name, (direction, _) in SIDES.items():
        axis = np.array(direction, float)
        on = np.abs(cloud.means @ axis - np.abs(HALF @ axis)) < 1e-4
        inner = on & ((np.abs(cloud.means) < HALF - 0.05) | (axis != 0)).all(axis=1)
        assert inner.sum() > 50
        found[name] = np.clip(sh.to_color(cloud.sh[inner, 0]), 0, 1).mean(axis=0) * 255
    return found


def assert_sides(cloud: GaussianCloud) -> None:
    for name, color in seen(cloud).items():
        assert np.abs(color - SIDES[name][1]).max() < 2, name


@pytest.mark.parametrize("suffix", [".glb", ".obj"])
@pytest.mark.parametrize("kind", [{"textured": True}, {"textured": False, "colored": True}])
def test_our_own_files_come_back_in_colour(
    suffix: str, kind: dict[str, bool], tmp_path: Path
) -> None:
    write_mesh(box(**kind), tmp_path / f"box{suffix}")
    assert_sides(splats_of(tmp_path / f"box{suffix}"))


def scene_of_trimesh(colored: str) -> trimesh.Trimesh:
    """The box, y up, coloured by ``face`` or ``vertex``."""
    plain = box(textured=False)
    colors = np.repeat([(*color, 255) for _, color in SIDES.values()], 2, axis=0)
    made = trimesh.Trimesh(plain.vertices, plain.faces.astype(int), process=False)
    if colored == "face":
        made.visual.face_colors = colors
    else:
        made.visual.vertex_colors = np.repeat(colors, 2, axis=0)
    return made


@pytest.mark.parametrize("colored", ["face", "vertex"])
def test_colours_of_a_ply_are_srgb_and_z_is_up(colored: str, tmp_path: Path) -> None:
    scene_of_trimesh(colored).export(tmp_path / "box.ply")
    assert_sides(splats_of(tmp_path / "box.ply"))


def test_colours_of_vertices_in_a_glb_are_linear(tmp_path: Path) -> None:
    made = scene_of_trimesh("vertex")
    made.visual.vertex_colors = np.full((24, 4), 128)
    made.export(tmp_path / "grey.glb")
    (mesh,) = mesh_files.read(tmp_path / "grey.glb")
    assert mesh.colors is not None and (mesh.colors[:, :3] == 188).all()  # sRGB of light 0.502


def test_a_stl_without_colour_is_grey_and_in_its_own_units(tmp_path: Path) -> None:
    write_mesh(box(), tmp_path / "box.stl")
    (mesh,) = mesh_files.read(tmp_path / "box.stl")
    assert np.allclose(np.abs(mesh.vertices).max(axis=0), 1000 * HALF)
    cloud = splats_of(tmp_path / "box.stl", 50)
    assert np.allclose(sh.to_color(cloud.sh) * 255, 200)


def material(**about: object) -> trimesh.visual.TextureVisuals:
    uv = about.pop("uv", None)
    kind = trimesh.visual.material.PBRMaterial(**about)
    return trimesh.visual.TextureVisuals(uv=uv, material=kind)


def test_pieces_of_a_scene_stand_where_their_nodes_put_them(tmp_path: Path) -> None:
    made = trimesh.Scene()
    for name, color, x, mirror in (("a", [255, 0, 0], -2, 1), ("b", [0, 0, 255], 3, -1)):
        ball = trimesh.creation.icosphere(3, 0.5)
        ball.visual = material(baseColorFactor=[*color, 255])
        place = np.diag([mirror, 1.0, 1.0, 1.0])
        place[:3, 3] = [x, 1, 0]  # y is up in the file
        made.add_geometry(ball, name, transform=place)
    made.export(tmp_path / "two.glb")
    cloud = splats_of(tmp_path / "two.glb", 2000)
    left = cloud.means[:, 0] < 0
    assert abs(left.mean() - 0.5) < 0.02
    colors = sh.to_color(cloud.sh[:, 0])
    for side, center, color in ((left, [-2, 0, 1], [1, 0, 0]), (~left, [3, 0, 1], [0, 0, 1])):
        arms = cloud.means[side] - center
        assert np.abs(np.linalg.norm(arms, axis=1) - 0.5).max() < 0.01
        assert np.allclose(colors[side], color, atol=1e-3)
        # Mirrored by its node or not, a splat's own z points out.
        w, x, y, z = cloud.rotations[side].T
        out = np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], axis=1)
        assert (np.einsum("nc,nc->n", arms, out) > 0.48).all()


def test_a_picture_beyond_its_borders_repeats_and_takes_its_factor(tmp_path: Path) -> None:
    picture = Picture.new("RGB", (64, 64), (255, 255, 255))
    picture.paste((0, 0, 0), (0, 0, 32, 64))  # left half black
    square = trimesh.Trimesh([[0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0]], [[0, 1, 2], [0, 2, 3]])
    uv = np.array([[0, 0], [2, 0], [2, 2], [0, 2]], float)
    square.visual = material(baseColorTexture=picture, baseColorFactor=[55, 55, 55, 255], uv=uv)
    square.export(tmp_path / "square.glb")
    cloud = splats_of(tmp_path / "square.glb", 4000)
    x = cloud.means[:, 0] % 1
    color = sh.to_color(cloud.sh[:, 0, 0]) * 255
    assert np.abs(color[(x > 0.1) & (x < 0.4)]).max() < 1
    bright = np.abs(color[(x > 0.6) & (x < 0.9)] - 128)  # 55 of 255 of the light is 128 in sRGB
    assert bright.max() < 1.5


def test_up_may_be_told(tmp_path: Path) -> None:
    tall = trimesh.creation.box([1, 1, 4])
    tall.export(tmp_path / "tall.glb")
    heights = {}
    for up in (None, "y", "z"):
        (mesh,) = mesh_files.read(tmp_path / "tall.glb", up)
        heights[up] = float(np.ptp(mesh.vertices[:, 2]))
    assert heights == {None: 1.0, "y": 1.0, "z": 4.0}


def no_triangles(path: Path) -> None:
    trimesh.PointCloud(np.zeros((5, 3))).export(path)


def text(path: Path) -> None:
    path.write_bytes(b"It was a dark and stormy night.\n" * 50)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("text.glb", text),
        ("text.ply", text),
        ("text.stl", text),
        ("text.obj", text),
        ("text.xyzzy", text),
        ("points.ply", no_triangles),
        ("missing.glb", lambda path: None),
    ],
)
def test_what_is_no_mesh_is_refused(
    name: str, make: Callable[[Path], None], tmp_path: Path
) -> None:
    make(tmp_path / name)
    with pytest.raises(BadFile) as caught:
        mesh_files.read(tmp_path / name)
    assert caught.value.hint


def test_colours_that_cannot_be_trusted_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.gltf").write_bytes(b'{"meshes":[{"attributes":{"COLOR_0":1}}]}')
    with pytest.raises(BadFile) as caught:
        mesh_files.read(tmp_path / "a.gltf")
    assert ".glb" in caught.value.hint


def test_without_trimesh_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_mesh(box(), tmp_path / "box.glb")
    monkeypatch.setitem(sys.modules, "trimesh", None)
    with pytest.raises(BackendUnavailable) as caught:
        mesh_files.read(tmp_path / "box.glb")
    assert "glimpse3d[formats]" in caught.value.hint


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_mesh(box(), tmp_path / "box.glb")
    made, packed = tmp_path / "new" / "box.ply", tmp_path / "box.spz"
    assert cli.main(["splat", str(tmp_path / "box.glb"), "-o", str(made), "--count", "2000"]) == 0
    assert_sides(splats.read(made).cloud)
    assert cli.main(["convert", str(made), str(packed), "--axes", "blender"]) == 0
    assert np.allclose(splats.read(packed).cloud.means.max(axis=0), HALF, atol=2e-2)
    capsys.readouterr()
    assert cli.main(["info", str(packed)]) == 0
    said = capsys.readouterr().out
    assert "SPZ version 3, 2000 splats" in said and "axes blender" in said


def test_refusals_of_the_commands_leave_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_mesh(box(), tmp_path / "box.glb")
    box_file, out = str(tmp_path / "box.glb"), str(tmp_path / "out.ply")
    for words in (
        ["splat", box_file, "-o", str(tmp_path / "out.xyz")],
        ["splat", box_file, "-o", out, "--count", "0"],
        ["convert", box_file, out],
        ["convert", box_file, str(tmp_path / "out")],
        ["info", box_file],
        ["info", str(tmp_path)],
    ):
        assert cli.main(words) == 2, words
        assert "hint:" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["box.glb"]


def test_help_of_the_commands_brings_nothing_heavy() -> None:
    code = "import sys, glimpse3d.cli\ntry:\n glimpse3d.cli.main(['splat', '--help'])\n"
    code += "except SystemExit: pass\nprint(sorted({'trimesh', 'numba', 'scipy'} & {*sys.modules}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"
