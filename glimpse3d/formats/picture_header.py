"""How large a PNG or JPEG says it is, looked up before anything decodes it.

Owns the few bytes of both formats that say so. Must not know pixels. Standard library only, because
the add-on carries a copy: Blender decodes whatever it is given, and a picture of one colour grows
a thousandfold (W3C, Portable Network Graphics; ITU-T T.81, annex B).
"""

from __future__ import annotations

import struct

from ..errors import BadFile

# As many as a picture may have that goes in.
MAX_PIXELS = 100_000_000
_PNG = b"\x89PNG\r\n\x1a\n"
# Frames of a JPEG begin with one of 16 markers; three of these mean something else.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))  # markers without a length


def check(data: bytes, name: str, most: int = MAX_PIXELS) -> tuple[int, int]:
    """Width and height in pixels.

    Args:
        data: the whole file.
        name: what it is called in an error.
        most: pixels.

    Raises:
        BadFile: neither a PNG nor a JPEG, or with more pixels.
    """
    size = _png(data) or _jpeg(data)
    if size is None or 0 in size:
        raise BadFile(f"{name} is not a picture", "make the result again")
    width, height = size
    if width * height > most:
        raise BadFile(
            f"{name} claims {width} x {height} pixels, more than can be shown",
            "make the result again",
        )
    return size


def _png(data: bytes) -> tuple[int, int] | None:
    if data[:8] != _PNG or data[12:16] != b"IHDR" or len(data) < 24:
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """What the first frame says; pictures have one."""
    if data[:2] != b"\xff\xd8":
        return None
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # padding
            place += 1
        elif marker in _ALONE:
            place += 2
        elif marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, place + 5)
            return width, height
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return None
