"""Cameras of other programs: the same camera in every layout, and what is refused."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glimpse3d import coords
from glimpse3d.errors import BadFile, InvalidSettings
from glimpse3d.formats import camera_sets
from glimpse3d.formats.splat_axes import FILE_FROM_HOUSE
from glimpse3d.types import Camera

LENS = coords.Lens(310.0, 320, 240)
RIG = coords.orbit([10, 130, 250], 25, 2.5, LENS)


def nerfstudio(**changes: Any) -> dict[str, Any]:
    frames = [
        {"file_path": f"images/{i:03d}.png", "transform_matrix": coords.opengl_pose(c).tolist()}
        for i, c in enumerate(RIG)
    ]
    lens = {"fl_x": 310.0, "fl_y": 310.0, "cx": 160.0, "cy": 120.0, "w": 320, "h": 240}
    return {**lens, "frames": frames, **changes}


def write_json(folder: Path, value: object) -> Path:
    path = folder / "transforms.json"
    path.write_text(json.dumps(value), "utf-8")
    return path


def in_colmap_world(camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Quaternion wxyz and place, the world being y down."""
    turned = coords.rotate_camera(camera, FILE_FROM_HOUSE["rdf"]).camera_from_world
    return coords.quaternion_from_rotation(turned[:3, :3]), turned[:3, 3]


def write_text_model(folder: Path) -> None:
    lines = ["# Camera list", "7 SIMPLE_RADIAL 320 240 310 160 120 0.01"]
    (folder / "cameras.txt").write_text("\n".join(lines) + "\n", "utf-8")
    lines = ["# Image list"]
    for index, camera in enumerate(RIG):
        q, t = in_colmap_world(camera)
        numbers = " ".join(repr(float(v)) for v in (*q, *t))
        lines += [f"{index + 1} {numbers} 7 a b {index}.jpg", "1.5 2.5 -1" if index else ""]
    (folder / "images.txt").write_text("\n".join(lines) + "\n", "utf-8")


def write_binary_model(folder: Path) -> None:
    data = struct.pack("<Q", 1) + struct.pack("<iiQQ4d", 7, 1, 320, 240, 310, 310, 160, 120)
    (folder / "cameras.bin").write_bytes(data)
    data = struct.pack("<Q", len(RIG))
    for index, camera in enumerate(RIG):
        q, t = in_colmap_world(camera)
        data += struct.pack("<i7di", index + 1, *q, *t, 7) + f"a b {index}.jpg".encode() + b"\0"
        data += struct.pack("<Q", 2) + bytes(48)
    (folder / "images.bin").write_bytes(data)


def assert_rig(found: camera_sets.CameraSet) -> None:
    assert len(found.cameras) == len(RIG)
    for each, expected in zip(found.cameras, RIG, strict=True):
        pose = each.camera.camera_from_world
        np.testing.assert_allclose(pose, expected.camera_from_world, atol=1e-9)
        np.testing.assert_allclose(each.camera.K, expected.K, atol=1e-9)
        assert (each.camera.width, each.camera.height) == (320, 240)


def test_json_with_one_lens_for_all(tmp_path: Path) -> None:
    found = camera_sets.read(write_json(tmp_path, nerfstudio()))
    assert_rig(found)
    assert found.cameras[1].picture == "images/001.png" and found.notes == ()


def test_json_with_a_lens_a_frame_and_distortion(tmp_path: Path) -> None:
    value = nerfstudio()
    lens = {name: value.pop(name) for name in ("fl_x", "fl_y", "cx", "cy", "w", "h")}
    value["frames"] = [{**frame, **lens, "k1": 0.1} for frame in value["frames"]]
    found = camera_sets.read(write_json(tmp_path, value))
    assert_rig(found)
    assert found.notes == (camera_sets.DISTORTED,)


def test_json_of_the_first_nerf_scenes(tmp_path: Path) -> None:
    frames = nerfstudio()["frames"]
    path = write_json(tmp_path, {"camera_angle_x": 0.8, "frames": frames})
    found = camera_sets.read(path)
    camera = found.cameras[0].camera
    assert camera.width == camera.height == 800 and "800 x 800" in found.notes[0]
    assert camera.K[0, 0] == pytest.approx(400 / np.tan(0.4))


@pytest.mark.parametrize("write", [write_text_model, write_binary_model])
def test_colmap_models(write: Any, tmp_path: Path) -> None:
    write(tmp_path)
    found = camera_sets.read(tmp_path)
    assert_rig(found)
    assert [each.picture for each in found.cameras] == ["a b 0.jpg", "a b 1.jpg", "a b 2.jpg"]
    assert bool(found.notes) == (write is write_text_model)


def test_a_chosen_file_says_text_or_binary(tmp_path: Path) -> None:
    write_binary_model(tmp_path)
    write_text_model(tmp_path)
    assert camera_sets.read(tmp_path / "images.txt").notes
    assert not camera_sets.read(tmp_path / "cameras.bin").notes


def test_axes_can_be_overruled(tmp_path: Path) -> None:
    path = write_json(tmp_path, nerfstudio())
    turned = camera_sets.read(path, "rub").cameras[0].camera
    expected = coords.rotate_camera(RIG[0], FILE_FROM_HOUSE["rub"].T)
    np.testing.assert_allclose(turned.camera_from_world, expected.camera_from_world, atol=1e-9)
    with pytest.raises(InvalidSettings):
        camera_sets.read(path, "up")


@pytest.mark.parametrize(
    "change",
    [
        {"frames": []},
        {"frames": {}},
        {"fl_x": 0},
        {"w": 10**9},
        {"frames": [{"file_path": "a", "transform_matrix": [[1, 2], [3]]}]},
        {"frames": [{"file_path": "a", "transform_matrix": (2 * np.eye(4)).tolist()}]},
        {"frames": [{"file_path": "a", "transform_matrix": np.diag([-1, 1, 1, 1]).tolist()}]},
        {"frames": [{"transform_matrix": np.eye(4).tolist()}]},
        {"frames": ["a"]},
        {"frames": [{"file_path": "a", "transform_matrix": [[None] * 4] * 4}]},
        {"frames": [{"file_path": "a", "transform_matrix": [[1e308] * 4] * 4}]},
        {"fl_x": None},
    ],
)
def test_malformed_json_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(BadFile):
        camera_sets.read(write_json(tmp_path, nerfstudio(**change)))


@pytest.mark.parametrize("angle", [0, -1, 4, 1e308])
def test_an_angle_that_no_lens_has_is_refused(angle: float, tmp_path: Path) -> None:
    described = nerfstudio(camera_angle_x=angle)
    del described["fl_x"]
    with pytest.raises(BadFile, match="angle"):
        camera_sets.read(write_json(tmp_path, described))


def test_noise_in_models_never_gets_past_a_typed_error(tmp_path: Path) -> None:
    """Single bytes, and the special numbers at every place where a number may stand."""
    write_binary_model(tmp_path)
    rng = np.random.default_rng(0)
    odd = [struct.pack("<d", value) for value in (np.nan, np.inf, 0.0, 1e308, -1e-308)]
    for name in ("cameras.bin", "images.bin"):
        whole = (tmp_path / name).read_bytes()
        for place in range(len(whole)):
            for patch in (rng.bytes(1), odd[place % len(odd)], struct.pack("<q", -1)):
                spoilt = whole[:place] + patch + whole[place + len(patch) :]
                (tmp_path / name).write_bytes(spoilt)
                try:
                    found = camera_sets.read(tmp_path)
                except BadFile:
                    continue
                for each in found.cameras:
                    assert np.abs(each.camera.K).max() <= 1e12
                    assert np.abs(each.camera.camera_from_world).max() <= 1e12
        (tmp_path / name).write_bytes(whole)


def test_malformed_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile):
        camera_sets.read(tmp_path)
    write_binary_model(tmp_path)
    for name in ("cameras.bin", "images.bin"):
        whole = (tmp_path / name).read_bytes()
        for cut in (*range(1, len(whole), 7), len(whole) - 1):
            (tmp_path / name).write_bytes(whole[:cut])
            with pytest.raises(BadFile):
                camera_sets.read(tmp_path)
        (tmp_path / name).write_bytes(whole)
    write_text_model(tmp_path)
    for name, text in (("cameras.txt", "7 MYSTERY 1 1 1"), ("images.txt", "1 2 3"),
                       ("cameras.txt", "8 PINHOLE 320 240 310 310 160 120")):  # fmt: skip
        whole_text = (tmp_path / name).read_text("utf-8")
        (tmp_path / name).write_text(text, "utf-8")
        with pytest.raises(BadFile):
            camera_sets.read(tmp_path / name)
        (tmp_path / name).write_text(whole_text, "utf-8")
