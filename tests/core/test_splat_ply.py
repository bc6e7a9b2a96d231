import io
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import plyfile
import pytest

from glimpse3d import coords
from glimpse3d.errors import BadFile
from glimpse3d.formats import splat_ply
from glimpse3d.types import GaussianCloud

BEFORE = ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"]
AFTER = ["opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]


def some_cloud(count: int, degree: int = 0, seed: int = 0) -> GaussianCloud:
    random = np.random.default_rng(seed)
    rotations = random.normal(size=(count, 4))
    return GaussianCloud(
        random.normal(size=(count, 3)),
        np.exp(random.normal(size=(count, 3)) - 4),
        rotations / np.linalg.norm(rotations, axis=1, keepdims=True),
        random.uniform(0.01, 0.99, count),
        random.normal(size=(count, (degree + 1) ** 2, 3)),
    )


def same(one: GaussianCloud, two: GaussianCloud) -> bool:
    turns = np.abs((one.rotations * two.rotations).sum(axis=1))  # q and -q are one rotation
    return (
        np.allclose(one.means, two.means, atol=1e-6)
        and np.allclose(one.scales, two.scales, rtol=1e-5)
        and np.allclose(turns, 1, atol=1e-5)
        and np.allclose(one.opacities, two.opacities, atol=1e-6)
        and np.allclose(one.sh, two.sh, atol=1e-5)
    )


def vertices(data: bytes) -> np.ndarray:
    return plyfile.PlyData.read(io.BytesIO(data))["vertex"].data


def table(data: bytes) -> np.ndarray:
    rows = vertices(data)
    return np.stack([rows[name] for name in rows.dtype.names], axis=1)


def rewritten(rows: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    element = plyfile.PlyElement.describe(rows, "vertex")
    plyfile.PlyData([element], **options).write(file)
    return file.getvalue()


def with_header(data: bytes, old: str, new: str) -> bytes:
    assert old.encode() in data
    return data.replace(old.encode(), new.encode(), 1)


@pytest.mark.parametrize("degree", [0, 3])
def test_plyfile_reads_every_bit_that_was_meant(degree: int) -> None:
    cloud = some_cloud(50, degree)
    turned = coords.rotate_cloud(cloud, coords.PLY_FROM_HOUSE)
    rows = vertices(splat_ply.encode(cloud))
    rest = [f"f_rest_{index}" for index in range(45 if degree else 0)]
    assert list(rows.dtype.names) == [*BEFORE, *rest, *AFTER]
    assert all(rows.dtype[name] == np.dtype("<f4") for name in rows.dtype.names)
    for axis, name in enumerate("xyz"):
        assert np.array_equal(rows[name], turned.means[:, axis])
    for channel in range(3):
        assert np.array_equal(rows[f"f_dc_{channel}"], turned.sh[:, 0, channel])
        for k in range(15 if degree else 0):  # all of red, then all of green, then all of blue
            assert np.array_equal(rows[f"f_rest_{channel * 15 + k}"], turned.sh[:, 1 + k, channel])
        logs = np.log(turned.scales[:, channel].astype(np.float64)).astype(np.float32)
        assert np.array_equal(rows[f"scale_{channel}"], logs)
    for part in range(4):
        assert np.array_equal(rows[f"rot_{part}"], turned.rotations[:, part])
    opacity = 1 / (1 + np.exp(-rows["opacity"].astype(np.float64)))
    assert np.allclose(opacity, cloud.opacities, atol=1e-7)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_written_and_read_is_the_same_cloud(degree: int, tmp_path: Path) -> None:
    cloud = some_cloud(200, degree)
    splat_ply.write(cloud, tmp_path / "splats.ply")
    read = splat_ply.read(tmp_path / "splats.ply")
    assert read.sh_degree == (3 if degree else 0)
    padded = np.zeros((200, read.sh.shape[1], 3))
    padded[:, : cloud.sh.shape[1]] = cloud.sh
    assert same(read, replace(cloud, sh=padded))
    assert splat_ply.encode(cloud) == (tmp_path / "splats.ply").read_bytes()


def test_up_in_the_house_is_minus_y_in_the_file_and_the_front_faces_minus_z() -> None:
    up_and_front = replace(some_cloud(2), means=np.array([[0, 0, 1.0], [0, -1, 0]]))
    rows = table(splat_ply.encode(up_and_front))
    assert np.array_equal(rows[:, :3], [[0, -1, 0], [0, 0, -1]])


def test_normals_are_the_shortest_axis_and_z_of_a_ball() -> None:
    cloud = some_cloud(3)
    house_x = coords.quaternion_from_rotation(coords.rotation_about([0, 1, 0], 90))
    cloud = replace(
        cloud,
        rotations=np.array([house_x, [1, 0, 0, 0], [1, 0, 0, 0]]),
        scales=np.array([[1, 1, 0.1], [0.1, 1, 1], [1, 1, 1]]),
    )
    normals = table(splat_ply.encode(cloud))[:, 3:6]
    assert np.allclose(normals, [[1, 0, 0], [1, 0, 0], [0, -1, 0]], atol=1e-6)


def test_the_header_names_generator_frame_and_mode() -> None:
    head = splat_ply.encode(some_cloud(1)).partition(b"end_header\n")[0].decode()
    comments = [line for line in head.splitlines() if line.startswith("comment ")]
    assert "Glimpse3D" in comments[0] and "y down" in comments[1]
    assert comments[2] == "comment SplatRenderMode: default"
    assert splat_ply.decode(splat_ply.encode(some_cloud(1))).comments[2] == comments[2][8:]


def test_certain_opacity_and_flat_scales_stay_finite() -> None:
    cloud = replace(some_cloud(3), opacities=np.array([0, 1, 0.5]), scales=np.zeros((3, 3)))
    assert np.isfinite(table(splat_ply.encode(cloud))).all()
    read = splat_ply.decode(splat_ply.encode(cloud)).cloud
    assert np.allclose(read.opacities, [0, 1, 0.5], atol=1e-7) and read.scales.max() < 1e-29


def test_order_types_and_further_properties_do_not_matter() -> None:
    cloud = some_cloud(40, 3)
    rows = vertices(splat_ply.encode(cloud))
    names = list(np.random.default_rng(0).permutation(rows.dtype.names))
    names = [name for name in names if name not in ("nx", "ny", "nz")]
    kinds = {"x": "f8", "opacity": "f8", "rot_0": "f8"}
    mixed = np.empty(len(rows), [*((n, kinds.get(n, "f4")) for n in names), ("label", "u1")])
    for name in names:
        mixed[name] = rows[name]
    for data in (rewritten(mixed, byte_order="<"), rewritten(mixed, byte_order=">")):
        read = splat_ply.decode(data)
        assert same(read.cloud, cloud) and read.dropped == 0
    windows = with_header(rewritten(mixed, byte_order="<"), "ply\nformat", "ply\r\nformat")
    head, end, body = windows.partition(b"end_header\n")
    windows = head.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") + b"end_header\r\n" + body
    assert same(splat_ply.decode(windows).cloud, cloud) and end


def test_other_elements_around_the_splats_are_passed_over() -> None:
    cloud = some_cloud(4)
    rows = plyfile.PlyElement.describe(vertices(splat_ply.encode(cloud)), "vertex")
    other = np.arange(10, dtype="i2").view([("a", "i2"), ("b", "i2")])
    file = io.BytesIO()
    elements = [plyfile.PlyElement.describe(other, name) for name in ("before", "after")]
    plyfile.PlyData([elements[0], rows, elements[1]], byte_order="<").write(file)
    assert same(splat_ply.decode(file.getvalue()).cloud, cloud)


def test_no_splats_are_no_splats() -> None:
    assert len(splat_ply.decode(splat_ply.encode(some_cloud(0, 3))).cloud) == 0


def test_splats_that_cannot_be_drawn_are_counted_or_refused(tmp_path: Path) -> None:
    cloud = some_cloud(10)
    rows = np.array(vertices(splat_ply.encode(cloud)))
    rows["x"][0], rows["opacity"][1], rows["scale_2"][2] = np.nan, np.nan, 1000.0
    rows["f_dc_1"][3], rows["scale_0"][4] = np.inf, np.inf
    for part in range(4):
        rows[f"rot_{part}"][5] = 0
        rows[f"rot_{part}"][6] *= 1e-3  # short, but a direction
    data = rewritten(rows, byte_order="<")
    contents = splat_ply.decode(data)
    assert contents.dropped == 6
    good = [getattr(cloud, name)[6:] for name in GaussianCloud.__slots__]
    assert same(contents.cloud, GaussianCloud(*good))
    (tmp_path / "bad.ply").write_bytes(data)
    with pytest.raises(BadFile, match="6 splats"):
        splat_ply.read(tmp_path / "bad.ply")
    rows["y"] = np.nan
    with pytest.raises(BadFile, match="none"):
        splat_ply.decode(rewritten(rows, byte_order="<"))


GOOD = splat_ply.encode(some_cloud(10))
TRIANGLES = (
    b"ply\nformat binary_little_endian 1.0\nelement vertex 0\nproperty float x\n"
    b"element face 0\nproperty list uchar int vertex_indices\nend_header\n"
)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "begin"),
        (b"this is a text file\n", "begin"),
        (b"ply", "begin"),
        (b"ply\n" + b"comment \n" * 20000, "does not end"),
        (b"ply\n\xff\xfe\nend_header\n", "no PLY"),
        (b"ply\nend_header\n", "no element vertex"),
        (GOOD[:-1], "bytes"),
        (GOOD[: len(GOOD) // 2], "does not end|bytes"),
        (GOOD + b"\0", "bytes"),
        (with_header(GOOD, "vertex 10", "vertex 11"), "bytes"),
        (with_header(GOOD, "vertex 10", "vertex 9"), "bytes"),
        (with_header(GOOD, "vertex 10", "vertex 1000000000000"), "bytes"),
        (with_header(GOOD, "vertex 10", "vertex -1"), "wrongly"),
        (with_header(GOOD, "vertex 10", "vertex " + "9" * 5000), "wrongly"),
        (with_header(GOOD, "vertex 10", "vertex ten"), "wrongly"),
        (with_header(GOOD, "element vertex 10", "element point 10"), "no element vertex"),
        (
            b"ply\nformat binary_little_endian 1.0\nelement vertex 1000000000000\nend_header\n",
            "no el",
        ),
        (with_header(GOOD, "binary_little_endian", "ascii"), "ascii"),
        (with_header(GOOD, "format binary_little_endian 1.0\n", ""), "property"),
        (with_header(GOOD, "property float nx", "property float x"), "twice"),
        (with_header(GOOD, "property float nx", "property half nx"), "property"),
        (with_header(GOOD, "property float rot_3", "property float rot_4"), "rot_3"),
        (with_header(GOOD, "property float nx", "property float f_rest_0"), "whole degree"),
        (with_header(GOOD, "property float nx", "nonsense"), "no PLY"),
        (TRIANGLES, "property"),
    ],
)
def test_hostile_files_are_refused_at_once(data: bytes, says: str) -> None:
    start = time.process_time()
    with pytest.raises(BadFile, match=says) as caught:
        splat_ply.decode(data)
    assert time.process_time() - start < 0.1
    assert caught.value.hint and len(str(caught.value)) < 300


def test_noise_in_the_header_never_gets_past_a_bad_file() -> None:
    random = np.random.default_rng(0)
    end = GOOD.index(b"end_header\n")
    survived = 0
    for _ in range(300):
        noisy = bytearray(GOOD)
        for place in random.integers(0, end, random.integers(1, 4)):
            noisy[place] = random.integers(32, 256)
        try:
            splat_ply.decode(bytes(noisy))
            survived += 1
        except BadFile:
            pass
    assert 0 < survived < 300
