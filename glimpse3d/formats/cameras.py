"""``cameras.json``: nerfstudio's ``transforms.json`` with our fields beside.

Owns the file's layout and its checks. Must not know rigs or videos. numpy and standard library.

Layout (docs.nerf.studio, "Data conventions"): each frame has ``file_path``, ``fl_x fl_y cx cy w h``
in pixels, and ``transform_matrix``, world from camera with OpenGL axes (x right, y up, z back).
Ours: ``glimpse3d`` (format, generator, frame, fps) on top, and in each frame its ``role``, its
``azimuth`` and ``elevation`` in degrees as seen from the origin, and ``camera_from_world`` with
OpenCV axes, which is what reading back relies on: it holds every bit. The world is the house frame.

The turntable's frames name the pictures that ``ffmpeg -i turntable.mp4 turntable/%04d.png``
takes out of the video.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..coords import azimuth_elevation, opengl_pose
from ..errors import BadFile, InvalidData
from ..types import Camera
from .plain_json import decode, encode, member, read_limited

NAME = "cameras.json"
FORMAT = 1
FRAME = (
    "right-handed, +Z up, the front faces -Y, metres; azimuth 0 sees the front, grows towards +X"
)
ROLES = ("input", "turntable", "view")
MAX_BYTES = 32 * 2**20
MAX_FRAMES = 10_000
MAX_PIXELS = 2**16
MAX_NUMBER = 1e12


@dataclass(frozen=True, slots=True, eq=False)
class CameraFile:
    """What ``cameras.json`` holds.

    Attributes:
        input: the input picture's own camera.
        turntable: the video's, in order.
        views: those of the generated pictures, in order.
        fps: pictures of the turntable per second.
    """

    input: Camera
    turntable: tuple[Camera, ...]
    fps: float
    views: tuple[Camera, ...] = ()


def to_bytes(cameras: CameraFile, generator: str) -> bytes:
    """The file, the same bytes for the same cameras.

    Raises:
        InvalidData: a camera has skew, or its values are beyond what a file may hold.
    """
    frames = [_frame(cameras.input, "input", "input.png")]
    for index, camera in enumerate(cameras.turntable, 1):
        frames.append(_frame(camera, "turntable", f"turntable/{index:04d}.png"))
    for index, camera in enumerate(cameras.views):
        frames.append(_frame(camera, "view", view_name(index)))
    about = {"format": FORMAT, "generator": generator, "frame": FRAME, "fps": float(cameras.fps)}
    return encode({"camera_model": "OPENCV", "glimpse3d": about, "frames": frames})


def view_name(index: int) -> str:
    """The file name of a generated picture, counted from 0."""
    return f"view_{index:02d}.png"


def _frame(camera: Camera, role: str, file_path: str) -> dict[str, Any]:
    K = camera.K
    expected = np.array([[K[0, 0], 0, K[0, 2]], [0, K[1, 1], K[1, 2]], [0, 0, 1]])
    if not np.array_equal(K, expected):
        raise InvalidData("a camera with skew does not fit into cameras.json")
    azimuth, elevation = azimuth_elevation(camera)
    frame = {
        "file_path": file_path,
        "role": role,
        "azimuth": azimuth,
        "elevation": elevation,
        "fl_x": float(K[0, 0]),
        "fl_y": float(K[1, 1]),
        "cx": float(K[0, 2]),
        "cy": float(K[1, 2]),
        "w": int(camera.width),
        "h": int(camera.height),
        "transform_matrix": opengl_pose(camera).tolist(),
        "camera_from_world": camera.camera_from_world.tolist(),
    }
    try:
        _camera(frame, file_path)
    except BadFile as error:
        raise InvalidData(f"a camera cannot be written: {error.message}") from error
    return frame


def read(path: Path) -> CameraFile:
    """The cameras in a file; see ``from_bytes``."""
    return from_bytes(read_limited(path, MAX_BYTES))


def from_bytes(data: bytes) -> CameraFile:
    """The cameras that ``to_bytes`` wrote, bit for bit.

    Raises:
        BadFile: malformed, of another format number, or not written by Glimpse3D.
    """
    value = decode(data, MAX_BYTES)
    about = member(value, "glimpse3d", dict)
    number = member(about, "format", int)
    if number != FORMAT:
        raise BadFile(f"cameras.json has format {number}, known is {FORMAT}", "update Glimpse3D")
    fps = member(about, "fps", float)
    if not 0 < fps <= 1000:
        raise BadFile(f"a video cannot have {fps} pictures per second")
    frames = member(value, "frames", list)
    if len(frames) > MAX_FRAMES:
        raise BadFile(f"cameras.json names {len(frames)} frames, {MAX_FRAMES} are allowed")
    found: dict[str, list[Camera]] = {role: [] for role in ROLES}
    for index, frame in enumerate(frames):
        where = f"frame {index}"
        role = member(frame, "role", str, where)
        if role not in ROLES:
            raise BadFile(f"the role of {where} is none of {', '.join(ROLES)}")
        found[role].append(_camera(frame, where))
    if len(found["input"]) != 1:
        raise BadFile("cameras.json must name exactly one input camera")
    return CameraFile(found["input"][0], tuple(found["turntable"]), fps, tuple(found["view"]))


def _camera(frame: Any, where: str) -> Camera:
    fx, fy, cx, cy = (_number(frame, name, where) for name in ("fl_x", "fl_y", "cx", "cy"))
    width, height = (member(frame, name, int, where) for name in ("w", "h"))
    if not (min(fx, fy) > 1e-3 and 0 < width <= MAX_PIXELS and 0 < height <= MAX_PIXELS):
        raise BadFile(f"{where} has an impossible focal length or size")
    pose = _matrix(frame, "camera_from_world", where)
    try:
        camera = Camera(pose, np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]), width, height)
    except InvalidData as error:
        raise BadFile(f"{where}: {error.message}") from error
    expected = opengl_pose(camera)
    reach = max(1.0, float(np.abs(expected).max()))
    if np.abs(expected - _matrix(frame, "transform_matrix", where)).max() > 1e-6 * reach:
        raise BadFile(f"the two poses of {where} contradict each other")
    return camera


def _number(frame: Any, name: str, where: str) -> float:
    value: float = member(frame, name, float, where)
    if not math.isfinite(value) or abs(value) > MAX_NUMBER:
        raise BadFile(f"{name!r} in {where} is out of range")
    return value


def _matrix(frame: Any, name: str, where: str) -> np.ndarray:
    rows = member(frame, name, list, where)
    if len(rows) != 4 or any(not isinstance(row, list) or len(row) != 4 for row in rows):
        raise BadFile(f"{name!r} in {where} is not a 4 x 4 matrix")
    numbers = [_number({name: each}, name, where) for row in rows for each in row]
    matrix = np.array(numbers).reshape(4, 4)
    if not np.array_equal(matrix[3], [0, 0, 0, 1]):
        raise BadFile(f"the last row of {name!r} in {where} is not 0 0 0 1")
    return matrix
