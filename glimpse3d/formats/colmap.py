"""COLMAP's sparse models, as text or binary: the cameras alone.

Owns both layouts of ``cameras`` and ``images``. Must not know axes other than COLMAP's own, x
right, y down, z forward. numpy and standard library; points are not read.

Source of the layouts: the chapter "Output format" of COLMAP's manual.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import BadFile
from ..types import Camera
from .camera_sets import (
    DISTORTED,
    MAX_BYTES,
    CameraSet,
    NamedCamera,
    check_lens,
    made,
    nearest_rotation,
    pinhole,
)
from .plain_json import read_limited
from .whole_file import map_file

NAMES = ("cameras.bin", "images.bin", "cameras.txt", "images.txt", "points3D.bin", "points3D.txt")
# Name, how many parameters, and whether there is one focal length; in the order of their numbers.
_MODELS = (
    ("SIMPLE_PINHOLE", 3, True),
    ("PINHOLE", 4, False),
    ("SIMPLE_RADIAL", 4, True),
    ("RADIAL", 5, True),
    ("OPENCV", 8, False),
    ("OPENCV_FISHEYE", 8, False),
    ("FULL_OPENCV", 12, False),
    ("FOV", 5, False),
    ("SIMPLE_RADIAL_FISHEYE", 4, True),
    ("RADIAL_FISHEYE", 5, True),
    ("THIN_PRISM_FISHEYE", 12, False),
)
_POINT = 24  # bytes: two places in the picture and a number


class _Lens(NamedTuple):
    K: np.ndarray
    width: int
    height: int
    distorted: bool


class _Photo(NamedTuple):
    rotation: tuple[float, ...]
    place: tuple[float, ...]
    lens: int
    name: str


def read(path: Path) -> CameraSet:
    """The cameras of a model, in COLMAP's world.

    Args:
        path: the folder, or one of its files, which then says whether text or binary.

    Raises:
        BadFile: a file is missing or malformed.
    """
    folder = path if path.is_dir() else path.parent
    text = path.suffix == ".txt" or not (folder / "images.bin").exists()
    if text:
        lenses = dict(_text_lenses(_lines(folder / "cameras.txt")))
        photos = list(_text_photos(_lines(folder / "images.txt")))
    else:
        lenses = dict(_binary_lenses(map_file(folder / "cameras.bin")))
        photos = list(_binary_photos(map_file(folder / "images.bin")))
    cameras = tuple(_camera(photo, lenses) for photo in photos)
    notes = (DISTORTED,) if any(lens.distorted for lens in lenses.values()) else ()
    return CameraSet("COLMAP", cameras, notes)


def _camera(photo: _Photo, lenses: dict[int, _Lens]) -> NamedCamera:
    if photo.lens not in lenses:
        raise BadFile(f"{photo.name} was taken by camera {photo.lens}, which is not there")
    lens = lenses[photo.lens]
    rotation = np.array(photo.rotation)
    rotation = rotation / max(float(np.abs(rotation).max()), 1e-12)  # else the squares overflow
    w, x, y, z = rotation / max(float(np.linalg.norm(rotation)), 1e-12)
    pose = np.eye(4)
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    pose[:3, :3] = nearest_rotation(turn, photo.name)
    pose[:3, 3] = photo.place
    camera = made(lambda: Camera(pose, lens.K, lens.width, lens.height), photo.name)
    return NamedCamera(camera, photo.name)


def _lens(model: tuple[str, int, bool], size: tuple[int, int], values: list[float]) -> _Lens:
    name, count, single = model
    if len(values) != count:
        raise BadFile(f"a camera {name} has {count} parameters, not {len(values)}")
    focal = (values[0], values[0]) if single else (values[0], values[1])
    first = 1 if single else 2
    K = pinhole(focal, (values[first], values[first + 1]))
    check_lens(K, *size, f"a camera {name}")
    return _Lens(K, *size, any(values[first + 2 :]))


def _lines(path: Path) -> list[str]:
    """All lines that are no comment; ``images.txt`` has empty ones that count."""
    try:
        text = read_limited(path, MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadFile(f"{path.name} is not text") from error
    return [line for line in text.splitlines() if not line.startswith("#")]


def _text_lenses(lines: list[str]) -> Iterator[tuple[int, _Lens]]:
    models = {model[0]: model for model in _MODELS}
    for words in (line.split() for line in lines if line.strip()):
        try:
            number, model = int(words[0]), models[words[1]]
            size, values = (int(words[2]), int(words[3])), [float(word) for word in words[4:]]
        except (KeyError, IndexError, ValueError) as error:
            raise BadFile(f"cameras.txt has a line that is no camera: {' '.join(words)}") from error
        yield number, _lens(model, size, values)


def _text_photos(lines: list[str]) -> Iterator[_Photo]:
    """Two lines a photo: the pose, then the points, which may be none."""
    while lines and not lines[-1].strip():
        lines.pop()
    for line in lines[::2]:
        words = line.split(maxsplit=9)
        try:
            values = [float(word) for word in words[1:8]]
            lens, name = int(words[8]), words[9].strip()
        except (IndexError, ValueError) as error:
            raise BadFile(f"images.txt has a line that is no picture: {line[:80]}") from error
        if not np.isfinite(values).all():
            raise BadFile(f"the pose of {name} is not finite")
        yield _Photo(tuple(values[:4]), tuple(values[4:]), lens, name)


def _unpack(data: memoryview, layout: str, start: int) -> tuple[tuple[float, ...], int]:
    try:
        return struct.unpack_from(layout, data, start), start + struct.calcsize(layout)
    except struct.error as error:
        raise BadFile("the model is cut short", "copy it again") from error


def _binary_lenses(data: memoryview) -> Iterator[tuple[int, _Lens]]:
    (count,), place = _unpack(data, "<Q", 0)
    for _ in range(int(count)):
        (number, model, width, height), place = _unpack(data, "<iiQQ", place)
        if not 0 <= model < len(_MODELS):
            raise BadFile(f"cameras.bin has a camera model {model}, which is unknown")
        chosen = _MODELS[int(model)]
        values, place = _unpack(data, f"<{chosen[1]}d", place)
        yield int(number), _lens(chosen, (int(width), int(height)), list(values))


def _binary_photos(data: memoryview) -> Iterator[_Photo]:
    (count,), place = _unpack(data, "<Q", 0)
    for _ in range(int(count)):
        values, place = _unpack(data, "<i7di", place)
        name = bytearray()
        while (byte := _unpack(data, "<B", place)[0][0]) != 0:
            name.append(int(byte))
            place += 1
        (points,), place = _unpack(data, "<Q", place + 1)
        place += int(points) * _POINT
        if place > len(data) or not np.isfinite(values).all():
            raise BadFile("the model is cut short, or a pose in it is not finite", "copy it again")
        told = name.decode("utf-8", "replace")
        yield _Photo(tuple(values[1:5]), tuple(values[5:8]), int(values[8]), told)
