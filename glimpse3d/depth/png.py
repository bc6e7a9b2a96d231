"""A depth as a 16-bit greyscale PNG, and back.

Owns the encoding: 0 is a pixel without depth; metres are whole millimetres, or centimetres where
those do not reach; other kinds are spread over all 65535 steps. How to undo it stands in the
file. Must not know who estimated a depth.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
from PIL.PngImagePlugin import PngInfo

from ..errors import BadFile, InvalidData
from ..types import Depth, DepthKind

MOST = 65535
_KIND, _OFFSET, _STEP = "glimpse3d:kind", "glimpse3d:offset", "glimpse3d:step"
_STEPS = (0.001, 0.01)  # metres


@dataclass(frozen=True, slots=True)
class Encoding:
    """``value = offset + step * pixel`` for pixels above 0."""

    kind: DepthKind
    offset: float
    step: float


def encoding(depth: Depth) -> Encoding:
    """How a depth is written.

    Raises:
        InvalidData: no pixel is known, or one is farther than 655 metres.
    """
    known = depth.values[depth.valid].astype(np.float64)
    if not known.size:
        raise InvalidData("the depth is known nowhere, so there is nothing to write")
    low, high = float(known.min()), float(known.max())
    if depth.kind is DepthKind.METRIC:
        for step in _STEPS:
            if high <= step * MOST:
                return Encoding(depth.kind, 0.0, step)
        raise InvalidData(f"{high:g} metres do not fit into 16 bits", "mask out what is far away")
    step = (high - low) / (MOST - 1) or 1.0
    return Encoding(depth.kind, low - step, step)


def write(depth: Depth, path: Path | None = None) -> bytes:
    """Encode as 16-bit PNG, and write it to ``path`` if one is given; the same bytes each time.

    Raises:
        InvalidData: see ``encoding``.
    """
    how = encoding(depth)
    steps = np.rint((depth.values.astype(np.float64) - how.offset) / how.step)
    pixels = np.where(depth.valid, np.clip(steps, 1, MOST), 0).astype(np.uint16)
    told = PngInfo()
    for name, value in ((_KIND, how.kind.value), (_OFFSET, how.offset), (_STEP, how.step)):
        told.add_text(name, value if isinstance(value, str) else repr(value))
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).save(stream, "PNG", pnginfo=told)
    data = stream.getvalue()
    if path is not None:
        path.write_bytes(data)
    return data


def read(path: Path) -> Depth:
    """What ``write`` wrote.

    Raises:
        BadFile: another kind of file.
    """
    try:
        with PIL.Image.open(path, formats=("PNG",)) as picture:
            pixels = np.asarray(picture)
            told = dict(picture.info)
        kind, offset, step = DepthKind(told[_KIND]), float(told[_OFFSET]), float(told[_STEP])
    except (OSError, SyntaxError, KeyError, ValueError) as error:
        raise BadFile(
            f"{path} is no depth that Glimpse3D wrote: {error}", "write it with glimpse3d depth"
        ) from error
    if pixels.dtype != np.uint16 or pixels.ndim != 2:
        raise BadFile(f"{path} has {pixels.dtype} pixels, expected 16 bits of grey")
    valid = pixels > 0
    return Depth(np.where(valid, offset + step * pixels.astype(np.float64), 0), kind, None, valid)
