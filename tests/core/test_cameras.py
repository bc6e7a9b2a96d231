import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glimpse3d import coords
from glimpse3d.errors import BadFile, InvalidData
from glimpse3d.formats import cameras
from glimpse3d.formats.cameras import CameraFile
from glimpse3d.types import Camera


def rig(count: int = 5) -> CameraFile:
    """Cameras whose numbers need all 53 bits."""
    random = np.random.default_rng(3)
    lens = coords.Lens(1000 / 3, 640, 480)
    own = coords.orbit_camera(0.0, 7.3, 2.2 / 7, coords.Lens(np.pi * 100, 333, 501))
    around = coords.orbit(random.uniform(0, 360, count).tolist(), 15.1, 2.2, lens)
    return CameraFile(own, tuple(around), 30, tuple(coords.syncdreamer_rig()[:3]))


def same(first: Camera, second: Camera) -> bool:
    return (
        first.camera_from_world.tobytes() == second.camera_from_world.tobytes()
        and first.K.tobytes() == second.K.tobytes()
        and (first.width, first.height) == (second.width, second.height)
    )


def written() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(cameras.to_bytes(rig(), "Glimpse3D test"))
    return value


def test_every_bit_comes_back() -> None:
    original = rig(64)
    data = cameras.to_bytes(original, "Glimpse3D test")
    back = cameras.from_bytes(data)
    assert same(back.input, original.input) and back.fps == 30
    for have, want in ((back.turntable, original.turntable), (back.views, original.views)):
        assert len(have) == len(want) and all(map(same, have, want))
    assert cameras.to_bytes(back, "Glimpse3D test") == data


def test_it_is_a_transforms_json() -> None:
    """The layout of docs.nerf.studio: OpenGL axes, world from camera, intrinsics per frame."""
    value = written()
    assert value["camera_model"] == "OPENCV"
    assert [frame["role"] for frame in value["frames"]] == ["input"] + ["turntable"] * 5 + [
        "view"
    ] * 3
    assert value["frames"][0]["file_path"] == "input.png"
    for frame in value["frames"]:
        assert {"fl_x", "fl_y", "cx", "cy", "w", "h", "transform_matrix"} <= set(frame)
        pose = np.array(frame["transform_matrix"])
        away = pose[:3, 3] / np.linalg.norm(pose[:3, 3])
        assert np.allclose(pose[:3, 2], away)  # z points back, away from what it looks at
        assert pose[2, 1] > 0  # y points up


def test_a_point_lands_where_nerfstudio_would_put_it() -> None:
    frame = written()["frames"][1]
    camera = rig().turntable[0]
    point = np.array([0.2, -0.1, 0.3])
    x, y, z = (np.linalg.inv(np.array(frame["transform_matrix"])) @ [*point, 1])[:3]
    pixel = [frame["fl_x"] * x / -z + frame["cx"], frame["fl_y"] * -y / -z + frame["cy"]]
    assert np.allclose(pixel, coords.project(camera, point[None])[0][0])


def test_azimuth_and_elevation_are_told() -> None:
    frames = written()["frames"]
    assert frames[0]["azimuth"] == pytest.approx(0, abs=1e-9)
    assert frames[0]["elevation"] == pytest.approx(7.3)
    assert [f["azimuth"] for f in frames[-3:]] == pytest.approx([0, 22.5, 45])


def change(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def apply(file: dict[str, Any]) -> None:
        *way, last = [int(key) if key.isdigit() else key for key in path.split("/")]
        place: Any = file
        for key in way:
            place = place[key]
        if value is None:
            del place[last]
        else:
            place[last] = value

    return apply


def mirror(file: dict[str, Any]) -> None:
    for name in ("camera_from_world", "transform_matrix"):
        matrix = np.array(file["frames"][0][name])
        matrix[:3, 0] *= -1
        file["frames"][0][name] = matrix.tolist()


HOSTILE: dict[str, Callable[[dict[str, Any]], None]] = {
    "no format": change("glimpse3d/format", None),
    "later format": change("glimpse3d/format", 2),
    "true format": change("glimpse3d/format", True),
    "foreign": change("glimpse3d", None),
    "no fps": change("glimpse3d/fps", 0),
    "frames a map": change("frames", {"0": {}}),
    "no frames": change("frames", []),
    "too many frames": change("frames", [0] * 10_001),
    "frame a text": change("frames/0", "input"),
    "unknown role": change("frames/1/role", "spy"),
    "two inputs": change("frames/1/role", "input"),
    "focal text": change("frames/0/fl_x", "12"),
    "focal negative": change("frames/0/fl_x", -5.0),
    "focal infinite": change("frames/0/fl_x", 1e300),
    "focal huge whole": change("frames/0/fl_x", 10**40),
    "width a fraction": change("frames/0/w", 3.5),
    "width zero": change("frames/0/w", 0),
    "width huge": change("frames/0/w", 2**40),
    "three rows": change("frames/0/camera_from_world", [[1, 0, 0, 0]] * 3),
    "ragged": change("frames/0/camera_from_world", [[1, 0], [0, 1, 0, 0], [], 4]),
    "nested": change("frames/0/camera_from_world/0/0", [1.0]),
    "last row": change("frames/0/camera_from_world/3", [0, 0, 1, 1]),
    "scaled": change("frames/0/camera_from_world/0/0", 2.0),
    "contradiction": change("frames/0/transform_matrix/0/3", 5.0),
    "mirrored": mirror,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_malformed_file_is_refused(case: str) -> None:
    value = written()
    HOSTILE[case](value)
    with pytest.raises(BadFile):
        cameras.from_bytes(json.dumps(value).encode())


RAW = {
    "empty": b"",
    "not json": b"cameras",
    "not utf-8": b"\xff\xfe{}",
    "a list": b"[]",
    "deep": b"[" * 100_000,
    "deep map": b'{"a":' * 40 + b"1" + b"}" * 40,
    "long number": b'{"format":' + b"9" * 10_000 + b"}",
    "large": b'{"a":"' + b" " * 40_000_000 + b'"}',
    "lone surrogate": b'{"a":"\\ud800"}',
}


@pytest.mark.parametrize("case", RAW)
def test_raw_bytes_are_refused(case: str) -> None:
    with pytest.raises(BadFile):
        cameras.from_bytes(RAW[case])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(number: str) -> None:
    text = cameras.to_bytes(rig(), "Glimpse3D test").decode()
    with pytest.raises(BadFile):
        cameras.from_bytes(text.replace('"fps": 30.0', f'"fps": {number}').encode())


def test_a_name_that_stands_twice_is_refused() -> None:
    text = cameras.to_bytes(rig(), "Glimpse3D test").decode()
    with pytest.raises(BadFile, match="twice"):
        cameras.from_bytes(text.replace('"fps": 30.0', '"fps": 30.0, "fps": 30.0').encode())


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"nothing\.json"):
        cameras.read(tmp_path / "nothing.json")


def test_a_camera_that_does_not_fit_is_not_written() -> None:
    skewed = rig().input
    K = np.array(skewed.K)
    K[0, 1] = 3
    with pytest.raises(InvalidData, match="skew"):
        wrong = Camera(skewed.camera_from_world, K, skewed.width, skewed.height)
        cameras.to_bytes(CameraFile(wrong, (), 30), "Glimpse3D test")
