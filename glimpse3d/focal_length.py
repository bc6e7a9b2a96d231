"""The focal length that a photograph tells of itself, in its own pixels.

Owns the EXIF tags that say so, read and written. Must not know what it is used for. A crop or an
edit that the tags do not tell of cannot be noticed; one that changed the proportions is.

Source: Exif 2.32, sections 4.6.3 and 4.6.5 (CIPA DC-008).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import PIL.Image

_EXIF = 0x8769  # where the tags below stand
_FOCAL_LENGTH = 0x920A  # mm
_WIDTH, _HEIGHT = 0xA002, 0xA003  # of the picture when the tags were written
_PLANE_X, _PLANE_UNIT = 0xA20E, 0xA210  # pixels a unit on the sensor
_FILM = 0xA405  # mm, on film of 36 x 24 mm with the same diagonal
_FILM_DIAGONAL = math.hypot(36, 24)
_MILLIMETRES = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # of the sensor's units
# Focal lengths over the longer side that lenses have: about 110 to 2 degrees.
_LEAST, _MOST = 0.35, 30.0


def focal_pixels(exif: PIL.Image.Exif, width: int, height: int) -> float:
    """The focal length in pixels; 0 if the picture does not tell, or tells nonsense.

    Args:
        exif: of the picture.
        width: of the picture as it is stored, pixels.
        height: likewise.
    """
    tags = exif.get_ifd(_EXIF)
    known = _number(tags, _WIDTH) or width, _number(tags, _HEIGHT) or height
    if abs(math.log(known[0] / known[1] * height / width)) > 0.02:
        return 0.0
    unit = _MILLIMETRES.get(int(_number(tags, _PLANE_UNIT)), 0.0)
    if unit and _number(tags, _PLANE_X) and _number(tags, _FOCAL_LENGTH):
        sensor_pixels = _number(tags, _PLANE_X) / unit * _number(tags, _FOCAL_LENGTH)
        found = sensor_pixels * width / known[0]
    else:
        found = _number(tags, _FILM) / _FILM_DIAGONAL * math.hypot(width, height)
    return found if _LEAST <= found / max(width, height) <= _MOST else 0.0


def exif_of(pixels: float) -> PIL.Image.Exif:
    """Tags that tell of this focal length, exact to a thousandth of a pixel."""
    exif = PIL.Image.Exif()
    exif[_EXIF] = {_FOCAL_LENGTH: round(pixels, 3), _PLANE_X: 1.0, _PLANE_UNIT: 4}
    return exif


def _number(tags: Mapping[int, Any], tag: int) -> float:
    """A positive number; 0 if the tag is absent or damaged."""
    try:
        value = float(tags.get(tag, 0))
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0
    return value if math.isfinite(value) and value > 0 else 0.0
