"""Cameras that other programs wrote: nerfstudio's and instant-ngp's JSON, COLMAP's models.

Owns what such files come to, and which kind one is. Must not know our own ``cameras.json``, whose
turntable and roles ``cameras`` reads, nor Blender. numpy and standard library.

Lens distortion is left out, and told: a camera here is a pinhole.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..coords import camera_from_opengl_pose, rotate_camera
from ..errors import BadFile, InvalidData
from ..types import Camera
from .plain_json import decode, member, read_limited
from .splat_axes import FILE_FROM_HOUSE, Axes, check_axes

MAX_BYTES = 256 * 2**20
MAX_FRAMES = 100_000
MAX_PIXELS = 2**16
MAX_NUMBER = 1e12
DISTORTED = "lens distortion is left out: the cameras are pinholes"
_DISTORTION = ("k1", "k2", "k3", "k4", "p1", "p2")
# Of the scenes that came with NeRF (Mildenhall et al. 2020), whose files do not say.
_USUAL_SIDE = 800


@dataclass(frozen=True, slots=True, eq=False)
class NamedCamera:
    """A camera and the picture that it took.

    Attributes:
        camera: house frame.
        picture: its path as the file says, with ``/``; it may not exist.
    """

    camera: Camera
    picture: str


@dataclass(frozen=True, slots=True, eq=False)
class CameraSet:
    """What a file held.

    Attributes:
        kind: the format's name.
        cameras: in the file's order.
        notes: what of the file was left out or taken for granted, in words.
    """

    kind: str
    cameras: tuple[NamedCamera, ...]
    notes: tuple[str, ...]


def read(path: Path, axes: str | None = None) -> CameraSet:
    """The cameras of a ``transforms.json``, or of COLMAP's folder or one of its files.

    Args:
        path: the JSON; or the folder with ``cameras`` and ``images``, ``.bin`` or ``.txt``; or one
            of these files.
        axes: of the world: ``rdf``, ``rub`` or ``blender``; None takes what the format has by
            custom: ``blender`` for JSON, ``rdf`` for COLMAP, as with the splats trained on either.

    Raises:
        BadFile: it cannot be read, is malformed, or holds no camera.
        InvalidSettings: the axes are unknown.
    """
    from . import colmap  # knows the types above

    if path.is_dir() or path.name in colmap.NAMES:
        found, otherwise = colmap.read(path), "rdf"
    else:
        found, otherwise = _from_json(decode(read_limited(path, MAX_BYTES), MAX_BYTES)), "blender"
    if not found.cameras:
        raise BadFile(f"{path.name} holds no camera")
    house_from_file = FILE_FROM_HOUSE[check_axes(axes, _axes(otherwise))].T
    turned = (
        NamedCamera(rotate_camera(each.camera, house_from_file), each.picture)
        for each in found.cameras
    )
    return CameraSet(found.kind, tuple(turned), found.notes)


def _axes(name: str) -> Axes:
    return "rdf" if name == "rdf" else "blender"


def pinhole(focal: tuple[float, float], centre: tuple[float, float]) -> np.ndarray:
    """(3, 3) intrinsics, pixels."""
    return np.array([[focal[0], 0, centre[0]], [0, focal[1], centre[1]], [0, 0, 1.0]])


def check_lens(K: np.ndarray, width: int, height: int, where: str) -> None:
    """Refuse what no camera has.

    Raises:
        BadFile: the focal length or the size is impossible.
    """
    sizes = 0 < width <= MAX_PIXELS and 0 < height <= MAX_PIXELS
    sane = (np.abs(K) <= MAX_NUMBER).all() and min(K[0, 0], K[1, 1]) >= 1e-3
    if not sizes or not sane:
        raise BadFile(f"{where} has an impossible focal length or size")


def made(make: Callable[[], Camera], where: str) -> Camera:
    """The camera, or the file's fault.

    Raises:
        BadFile: the pose is no pose, or leads farther away than anything can be shown.
    """
    try:
        camera = make()
    except InvalidData as error:
        raise BadFile(f"{where}: {error.message}") from error
    if np.abs(camera.camera_from_world).max() > MAX_NUMBER:
        raise BadFile(f"{where} stands farther away than can be shown")
    return camera


def _from_json(value: dict[str, Any]) -> CameraSet:
    frames = member(value, "frames", list)
    if len(frames) > MAX_FRAMES:
        raise BadFile(f"the file names {len(frames)} frames, {MAX_FRAMES} are allowed")
    cameras = []
    distorted = sized = False
    for index, frame in enumerate(frames):
        where = f"frame {index}"
        picture = member(frame, "file_path", str, where)
        both = {**value, **frame}  # what a frame does not say, the file says for all
        distorted |= any(_number(both, name, where, 0.0) != 0 for name in _DISTORTION)
        sized |= "w" not in both
        K, width, height = _lens(both, where)
        pose = _pose(frame, where)
        camera = made(lambda: camera_from_opengl_pose(pose, K, width, height), where)  # noqa: B023
        cameras.append(NamedCamera(camera, picture))
    side = f"the file says no size: pictures of {_USUAL_SIDE} x {_USUAL_SIDE} are taken for granted"
    told = ((distorted, DISTORTED), (sized, side))
    return CameraSet(
        "transforms.json", tuple(cameras), tuple(words for is_so, words in told if is_so)
    )


def _lens(both: dict[str, Any], where: str) -> tuple[np.ndarray, int, int]:
    width, height = (int(_number(both, name, where, _USUAL_SIDE)) for name in ("w", "h"))
    if "fl_x" in both:
        across = _number(both, "fl_x", where)
    elif "camera_angle_x" in both:
        angle = _number(both, "camera_angle_x", where)
        if not 0 < angle < math.pi:
            raise BadFile(f"the angle of {where} is not between 0 and a half turn")
        across = width / 2 / math.tan(angle / 2)
    else:
        raise BadFile(f"{where} has neither fl_x nor camera_angle_x")
    upright = _number(both, "fl_y", where, across)
    centre = _number(both, "cx", where, width / 2), _number(both, "cy", where, height / 2)
    K = pinhole((across, upright), centre)
    check_lens(K, width, height, where)
    return K, width, height


def _number(value: dict[str, Any], name: str, where: str, otherwise: float | None = None) -> float:
    if name not in value and otherwise is not None:
        return otherwise
    return float(member(value, name, float, where))


def _pose(frame: Any, where: str) -> np.ndarray:
    """(4, 4) world from camera, OpenGL axes, its rotation made exact."""
    rows = member(frame, "transform_matrix", list, where)
    try:
        matrix = np.array(rows, np.float64)
    except (TypeError, ValueError):
        matrix = np.zeros(0)
    if matrix.shape not in ((4, 4), (3, 4)):
        raise BadFile(f"'transform_matrix' in {where} is not a 4 x 4 matrix")
    pose = np.eye(4)
    pose[:3] = matrix[:3]
    pose[:3, :3] = nearest_rotation(pose[:3, :3], where)
    return pose


def nearest_rotation(matrix: np.ndarray, where: str) -> np.ndarray:
    """The rotation that a matrix with few digits stands for.

    Raises:
        BadFile: it is none: scaled, mirrored or worse.
    """
    finite = np.isfinite(matrix).all()
    left, sizes, right = np.linalg.svd(matrix if finite else np.zeros((3, 3)))
    if np.abs(sizes - 1).max() > 1e-2:
        raise BadFile(f"the pose of {where} is not a rotation and a place")
    return np.asarray(left @ right)
