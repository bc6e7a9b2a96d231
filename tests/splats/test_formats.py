"""Every kind of splat file: written and read, in every frame, kept whole."""

import errno
import io
import os
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import plyfile
import pytest
import trimesh
from backports import zstd as own_zstd  # what Python 3.14 has, for the ones before

from glimpse3d import coords
from glimpse3d.errors import BackendUnavailable, BadFile, InvalidData, InvalidSettings
from glimpse3d.formats import splat_ply, splat_spz, splats, streams
from glimpse3d.formats.splat_axes import FILE_FROM_HOUSE, NAMES
from glimpse3d.formats.splat_blocks import BLOCK
from glimpse3d.splats.render import RenderSettings, render
from glimpse3d.types import GaussianCloud
from tests.splats.clouds import differences, some_cloud

SUFFIXES = (".ply", ".compressed.ply", ".spz", ".splat", ".glb")
EXACT = {"mean": 1e-6, "scale": 1e-6, "opacity": 1e-6, "dc": 1e-6, "sh": 1e-6, "shape": 2e-6}
SPZ = {"mean": 1.3e-4, "scale": 1 / 32, "opacity": 1 / 509, "dc": 1 / 76, "sh": 0.1, "shape": 0.07}
LIMITS = {
    ".ply": EXACT,
    ".glb": EXACT,
    ".spz": SPZ,
    ".compressed.ply": {
        "mean": 2e-3, "scale": 2e-3, "opacity": 1 / 509, "dc": 3e-3, "sh": 0.022, "shape": 8e-3
    },
    ".splat": {**EXACT, "opacity": 1 / 509, "dc": 1 / 509 / 0.282, "shape": 0.03},
}  # fmt: skip


def beyond(ours: GaussianCloud, truth: GaussianCloud, limits: dict[str, float]) -> dict[str, float]:
    return {n: v for n, v in differences(ours, truth).items() if v > limits[n]}


def with_degree(cloud: GaussianCloud, degree: int) -> GaussianCloud:
    """The same splats with zeros for what is beyond, or without it."""
    sh = np.zeros((len(cloud), (degree + 1) ** 2, 3))
    known = min(sh.shape[1], cloud.sh.shape[1])
    sh[:, :known] = cloud.sh[:, :known]
    return replace(cloud, sh=sh)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("suffix", list(SUFFIXES))
def test_written_and_read_is_the_same_cloud(suffix: str, degree: int, tmp_path: Path) -> None:
    cloud = some_cloud(700, degree)
    path = tmp_path / f"cloud{suffix}"
    splats.write(cloud, path)
    contents = splats.read(path)
    assert contents.repairs.in_words() == ()
    kept = {".splat": 0, ".ply": 3 if degree else 0}.get(suffix, degree)
    assert contents.cloud.sh_degree == kept
    assert beyond(contents.cloud, with_degree(cloud, kept), LIMITS[suffix]) == {}
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_every_version_of_spz(version: int, tmp_path: Path) -> None:
    cloud = some_cloud(300, 2)
    path = tmp_path / "cloud.spz"
    path.write_bytes(b"".join(splat_spz.parts(cloud, version=version)))
    contents = splats.read(path)
    assert contents.kind == f"SPZ version {version}"
    # A byte for each of x, y and z, and w from what they leave: far off where w is small.
    rough = {**SPZ, "shape": 0.25} if version < 3 else SPZ
    assert beyond(contents.cloud, cloud, rough | ({"mean": 1e-3} if version == 1 else {})) == {}


def test_more_splats_than_a_block_keep_their_order(tmp_path: Path) -> None:
    cloud = some_cloud(BLOCK * 2 + 77, 0)
    for suffix in (".ply", ".glb"):
        splats.write(cloud, tmp_path / f"cloud{suffix}")
        read = splats.read(tmp_path / f"cloud{suffix}").cloud
        assert np.array_equal(read.means, cloud.means)
        assert np.allclose(read.scales, cloud.scales, rtol=1e-5)


@pytest.mark.parametrize("axes", list(NAMES))
@pytest.mark.parametrize("suffix", [".ply", ".compressed.ply", ".spz"])
def test_a_file_tells_its_axes(suffix: str, axes: str, tmp_path: Path) -> None:
    cloud = some_cloud(300, 1)
    splats.write(cloud, tmp_path / f"cloud{suffix}", axes)
    contents = splats.read(tmp_path / f"cloud{suffix}")
    assert contents.axes == axes
    degree = contents.cloud.sh_degree
    assert beyond(contents.cloud, with_degree(cloud, degree), LIMITS[suffix]) == {}


@pytest.mark.parametrize("axes", list(NAMES))
def test_turned_splats_look_the_same_from_the_turned_camera(axes: str, tmp_path: Path) -> None:
    cloud = some_cloud(400, 3)
    splats.write(cloud, tmp_path / "cloud.ply", axes)
    in_file = splats.read(tmp_path / "cloud.ply", "blender").cloud  # as it lies in the file
    camera = coords.orbit_camera(25, 20, 3, coords.Lens.from_field_of_view(40, 96, 96))
    turned = coords.rotate_camera(camera, FILE_FROM_HOUSE[axes])
    settings = RenderSettings(background=(1.0, 1.0, 1.0))
    ours, theirs = render(cloud, camera, settings).rgb, render(in_file, turned, settings).rgb
    assert np.abs(ours - 1).max() > 0.5
    assert np.abs(ours - theirs).max() < 1e-4


def test_axes_are_where_they_say(tmp_path: Path) -> None:
    up = replace(some_cloud(1, 0), means=np.array([[0, 0, 1.0]]))
    for axes, expected in {"rdf": [0, -1, 0], "rub": [0, 1, 0], "blender": [0, 0, 1]}.items():
        splats.write(up, tmp_path / "up.ply", axes)
        vertex = plyfile.PlyData.read(tmp_path / "up.ply")["vertex"]
        assert [float(vertex[name][0]) for name in "xyz"] == expected
    with pytest.raises(InvalidSettings, match="axes"):
        splats.write(up, tmp_path / "up.ply", "ydown")
    with pytest.raises(InvalidData, match="y up"):
        splats.write(up, tmp_path / "up.glb", "blender")


def test_small_and_large_scenes_keep_their_detail_in_spz(tmp_path: Path) -> None:
    for size in (1e-2, 1.0, 1e3, 1e6):
        cloud = some_cloud(200, 0, spread=size)
        cloud = replace(cloud, scales=np.full((200, 3), 0.01))
        splats.write(cloud, tmp_path / "cloud.spz")
        read = splats.read(tmp_path / "cloud.spz").cloud
        assert np.abs(read.means - cloud.means).max() < 2e-4 * size
    far = replace(cloud, means=cloud.means * 1e6)
    with pytest.raises(InvalidData, match="spz"):
        splats.write(far, tmp_path / "cloud.spz")
    assert splats.read(tmp_path / "cloud.spz").cloud.means.max() < 1e7


def test_no_splats_are_no_splats(tmp_path: Path) -> None:
    nothing = some_cloud(0, 1)
    for suffix in (".ply", ".compressed.ply", ".spz"):
        splats.write(nothing, tmp_path / f"cloud{suffix}")
        assert len(splats.read(tmp_path / f"cloud{suffix}").cloud) == 0
    with pytest.raises(InvalidData):
        splats.write(nothing, tmp_path / "cloud.glb")


def broken_rows() -> np.ndarray:
    """Ten splats as columns of a PLY: one each is wrong in another way, four are good."""
    data = splat_ply.encode(some_cloud(10, 0))
    rows = np.array(plyfile.PlyData.read(io.BytesIO(data))["vertex"].data)
    rows["x"][0], rows["opacity"][1], rows["scale_2"][2] = np.nan, np.nan, 1000.0
    rows["scale_1"][3] = -np.inf
    for part in range(4):
        rows[f"rot_{part}"][4:6] = 0
    return rows


def test_what_cannot_be_drawn_is_counted(tmp_path: Path) -> None:
    plyfile.PlyData([plyfile.PlyElement.describe(broken_rows(), "vertex")]).write(
        tmp_path / "b.ply"
    )
    contents = splats.read(tmp_path / "b.ply")
    repairs = contents.repairs
    assert (repairs.not_finite, repairs.no_rotation, repairs.no_size) == (3, 2, 1)
    assert repairs.dropped == contents.dropped == 5 and len(contents.cloud) == 5
    assert [sentence.split()[0] for sentence in repairs.in_words()] == ["3", "2", "1"]
    assert (contents.cloud.scales > 0).all()
    with pytest.raises(BadFile, match="5 splats"):
        splat_ply.read(tmp_path / "b.ply")


def test_a_header_of_another_hand_is_read(tmp_path: Path) -> None:
    """Tabs, CR LF, a comment of no encoding, faces of which there are none, bytes in big endian."""
    data = splat_ply.encode(some_cloud(10, 1))
    head, mark, body = data.partition(b"end_header\n")
    rows = np.frombuffer(body, "<f4").astype(">f4").tobytes()
    for old, new in (
        (b"binary_little_endian", b"binary_big_endian"), (b"element vertex", b"element\tvertex"),
        (b"property float x", b"property  float\tx"),
    ):  # fmt: skip
        head = head.replace(old, new)
    head += b"comment \xff\xfe\nelement face 0\nproperty list uchar int vertex_indices\n"
    (tmp_path / "odd.ply").write_bytes((head + mark).replace(b"\n", b"\r\n") + rows)
    found, wanted = splats.read(tmp_path / "odd.ply").cloud, splat_ply.decode(data).cloud
    np.testing.assert_array_equal(found.means, wanted.means)
    np.testing.assert_array_equal(found.sh, wanted.sh)


def test_a_mesh_is_told_from_splats(tmp_path: Path) -> None:
    mesh = trimesh.creation.box()
    for name, options in (("a.ply", {}), ("b.ply", {"encoding": "ascii"}), ("c.glb", {})):
        mesh.export(tmp_path / name, **options)
        with pytest.raises(BadFile, match="no splats") as caught:
            splats.read(tmp_path / name)
        assert "mesh" in caught.value.hint


BEYOND = {"z": 1e30, "scale_1": 80.0, "f_dc_0": -1e30}


@pytest.mark.parametrize("column", list(BEYOND))
def test_what_is_finite_and_absurd_is_left_out(tmp_path: Path, column: str) -> None:
    """A size of e^80 metres: no GPU can square it, and no viewport finds its way back."""
    rows = np.frombuffer(splat_ply.encode(some_cloud(10, 0))[-10 * 68 :], "<f4").reshape(10, 17)
    header = splat_ply.encode(some_cloud(10, 0))[: -10 * 68]
    names = [word.split()[2] for word in header.decode().split("\n") if word[:8] == "property"]
    rows = rows.copy()
    rows[3, names.index(column)] = BEYOND[column]
    rows[:, names.index("opacity")] = [-1e30, 1e30] * 5  # a chance all the same: none and one
    (tmp_path / "far.ply").write_bytes(header + rows.tobytes())
    contents = splats.read(tmp_path / "far.ply")
    assert contents.repairs.beyond == contents.dropped == 1 and len(contents.cloud) == 9
    assert contents.repairs.in_words() == (
        "1 splats left out: farther, larger or brighter than can be drawn",
    )
    rows[:, names.index(column)] = BEYOND[column]
    (tmp_path / "far.ply").write_bytes(header + rows.tobytes())
    with pytest.raises(BadFile, match="none of the 10 splats"):
        splats.read(tmp_path / "far.ply")


def test_a_zero_quaternion_of_a_splat_file_is_counted(tmp_path: Path) -> None:
    splats.write(some_cloud(5, 0), tmp_path / "cloud.splat")
    data = bytearray((tmp_path / "cloud.splat").read_bytes())
    data[28:32] = bytes([128] * 4)
    data[32 + 12 : 32 + 16] = struct.pack("<f", 0.0)
    (tmp_path / "cloud.splat").write_bytes(data)
    repairs = splats.read(tmp_path / "cloud.splat").repairs
    assert (repairs.not_finite, repairs.no_rotation, repairs.no_size) == (0, 1, 1)


def test_degree_four_is_named_as_left_out(tmp_path: Path) -> None:
    cloud = some_cloud(50, 3)
    body = b"".join(splat_spz.parts(cloud, version=2))
    plain = bytearray(streams.gunzip(memoryview(body), 16 + 50 * (16 + 3 + 45)))
    plain[12] = 4
    coefficients = np.frombuffer(plain, np.uint8, 50 * 45, 16 + 50 * 19).reshape(50, 45)
    more = np.concatenate([coefficients, np.full((50, 27), 200, np.uint8)], axis=1)
    path = tmp_path / "four.spz"
    path.write_bytes(streams.gzip(bytes(plain[: 16 + 50 * 19]) + more.tobytes()))
    contents = splats.read(path)
    assert contents.notes == ("spherical harmonics of degree 4",)
    assert beyond(contents.cloud, cloud, {**SPZ, "shape": 0.2}) == {}


def test_a_mark_of_antialiased_drawing_is_told_of(tmp_path: Path) -> None:
    data = splat_ply.encode(some_cloud(3, 0)).replace(b"RenderMode: default", b"RenderMode: mip")
    (tmp_path / "mip.ply").write_bytes(data)
    plain = bytearray(b"".join(splat_spz.parts(some_cloud(3, 0), version=4)))
    plain[14] |= 1
    (tmp_path / "mip.spz").write_bytes(plain)
    for name in ("mip.ply", "mip.spz"):
        (note,) = splats.read(tmp_path / name).notes
        assert "antialiased" in note


def test_nodes_of_a_glb_place_its_splats(tmp_path: Path) -> None:
    cloud = some_cloud(60, 2)
    splats.write(cloud, tmp_path / "cloud.glb")
    plain = splats.read(tmp_path / "cloud.glb").cloud
    about_y = '"rotation":[0,0.6,0,0.8],"translation":[0,2,0],"scale":[2,2,2]'
    placed = with_json(tmp_path / "cloud.glb", b'"mesh":0,', f'"mesh":0,{about_y},'.encode())
    (tmp_path / "placed.glb").write_bytes(placed)
    moved = splats.read(tmp_path / "placed.glb").cloud
    turn = coords.rotation_about([0, 0, 1], 2 * np.degrees(np.arccos(0.8)))  # y is up: z of ours
    expected = coords.rotate_cloud(plain, turn)
    expected = replace(expected, means=expected.means * 2 + [0, 0, 2], scales=expected.scales * 2)
    assert beyond(moved, expected, EXACT) == {}
    sheared = with_json(tmp_path / "cloud.glb", b'"mesh":0,', b'"mesh":0,"scale":[1,2,1],')
    (tmp_path / "placed.glb").write_bytes(sheared)
    with pytest.raises(BadFile, match="shears"):
        splats.read(tmp_path / "placed.glb")


def with_json(path: Path, old: bytes, new: bytes) -> bytes:
    """The GLB with a piece of its JSON replaced and its lengths right."""
    data = path.read_bytes()
    size = struct.unpack_from("<I", data, 12)[0]
    text, rest = data[20 : 20 + size], data[20 + size :]
    assert old in text
    text = text.replace(old, new, 1)
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sII", b"glTF", 2, 20 + len(text) + len(rest))
    return head + struct.pack("<I4s", len(text), b"JSON") + text + rest


def test_a_failed_write_leaves_the_former_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cloud.ply"
    splats.write(some_cloud(10, 0), path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        splats.write(some_cloud(20, 0), path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["cloud.ply"]


def test_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    for name in ("cloud.ksplat", "cloud.sog", "cloud"):
        with pytest.raises(InvalidSettings, match="suffix"):
            splats.write(some_cloud(1, 0), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_without_zstd_the_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "cloud.spz"
    path.write_bytes(b"".join(splat_spz.parts(some_cloud(9, 0), version=4)))

    def missing(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(streams, "import_module", missing)
    with pytest.raises(BackendUnavailable) as caught:
        splats.read(path)
    assert "pip install zstandard" in caught.value.hint


def test_python_own_zstd_gives_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "cloud.spz"
    path.write_bytes(b"".join(splat_spz.parts(some_cloud(90, 1), version=4)))
    theirs = splats.read(path).cloud
    monkeypatch.setattr(streams, "import_module", lambda name: own_zstd)
    assert np.array_equal(splats.read(path).cloud.means, theirs.means)
    path.write_bytes(b"".join(splat_spz.parts(some_cloud(90, 1), version=4)))
    monkeypatch.undo()
    assert np.array_equal(splats.read(path).cloud.means, theirs.means)
