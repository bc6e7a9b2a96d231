"""How a camera was held, as a JPEG tells by its EXIF: Blender shows such pictures lying down.

Owns the reading of that one number and the turn it asks for. Must not know Blender. A file that
tells nothing, or nonsense, is taken as upright: every viewer does so.

Source: CIPA DC-008 (EXIF 2.32), tag 0x0112 in the first IFD of the APP1 segment.
"""

from __future__ import annotations

import struct

import numpy as np

UPRIGHT = 1
_TAG, _SHORT = 0x0112, 3
_MOST_SEGMENTS = 64


def of_jpeg(data: bytes) -> int:
    """EXIF's orientation, 1 to 8, of a JPEG's bytes; 1 if it has none."""
    place = 2
    for _ in range(_MOST_SEGMENTS):
        if data[:2] != b"\xff\xd8" or len(data) < place + 4 or data[place] != 0xFF:
            return UPRIGHT
        kind, size = data[place + 1], struct.unpack_from(">H", data, place + 2)[0]
        body = data[place + 4 : place + 2 + size]
        if kind == 0xE1 and body[:6] == b"Exif\0\0":
            return _of_tiff(body[6:])
        if kind == 0xDA:  # the picture itself begins
            return UPRIGHT
        place += 2 + size
    return UPRIGHT


def _of_tiff(data: bytes) -> int:
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        return UPRIGHT
    start = struct.unpack_from(order + "I", data, 4)[0]
    if start + 2 > len(data):
        return UPRIGHT
    for index in range(struct.unpack_from(order + "H", data, start)[0]):
        entry = start + 2 + 12 * index
        if entry + 12 > len(data):
            return UPRIGHT
        tag, kind, count, value = struct.unpack_from(order + "HHIH", data, entry)
        if tag == _TAG:
            valid = kind == _SHORT and count == 1 and 1 <= value <= 8
            return int(value) if valid else UPRIGHT
    return UPRIGHT


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """(H, W, C) pixels, top row first, turned and mirrored as the orientation asks for."""
    if orientation >= 5:  # the camera lay on its side: rows are columns
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
