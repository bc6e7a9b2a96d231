"""Gaussian splats from a ``.ksplat`` file, read only: its makers have moved on to other formats.

Owns the sections, the buckets and the packing of version 0.1. Must not know other formats. Layout
(GaussianSplats3D by Mark Kellogg): a header of 4096 bytes, 1024 bytes about each section, then the
sections' data. Level 0 holds float32; levels 1 and 2 hold halves and positions as 16 bits around
the centre of a bucket, level 2 coefficients as bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import BadFile
from . import sh
from .splat_blocks import Rows, Source

_HINT = "expected a .ksplat of version 0.1"
_MAIN, _SECTION = 4096, 1024
_HEAD = struct.Struct("<BBxxIIIIHxxfffff")
_ABOUT = struct.Struct("<IIIIfHxxIIIIH")
_STEPS = {0: 1, 1: 32767, 2: 32767}
# How coefficients lie in a row: band by band, in it red, then green, then blue.
_BANDS = (3, 5, 7)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A section: its rows, and of packed positions the centre of each row's bucket."""

    table: np.ndarray
    centers: np.ndarray | None
    middle: float
    step: float


def source(data: memoryview) -> Source:
    """Look at the headers of a file.

    Raises:
        BadFile: not such a file, or cut short.
    """
    if len(data) < _MAIN:
        raise BadFile("the file is too short for a .ksplat", _HINT)
    major, minor, sections, _, _, count, level, *more = _HEAD.unpack(data[: _HEAD.size])
    if (major, minor) != (0, 1) or level not in _STEPS:
        raise BadFile(f"version {major}.{minor}, level {level} of .ksplat is not known", _HINT)
    place = _MAIN + sections * _SECTION
    if place > len(data):
        raise BadFile("the file ends before its sections do", _HINT)
    limits = more[-2] or -1.5, more[-1] or 1.5
    found, degree = list[_Part](), 0
    for index in range(sections):
        about = _ABOUT.unpack_from(data, _MAIN + index * _SECTION)
        part, place = _part(data, about, level, place)
        found.append(part)
        degree = max(degree, about[-1])
    if sum(len(part.table) for part in found) != count:
        raise BadFile(f"the sections do not hold the {count} splats announced", _HINT)

    def rows(start: int, stop: int) -> Rows:
        return _rows(found, (start, stop), degree, limits)

    return Source(".ksplat", count, degree, "rdf", rows)


def _part(data: memoryview, about: tuple[Any, ...], level: int, place: int) -> tuple[_Part, int]:
    """The section that begins at ``place``, and where the next one does.

    Raises:
        BadFile: it does not fit into the file, or contradicts itself.
    """
    count, most, capacity, buckets, size, stored, steps, _, full, partial, degree = about
    if degree > 3 or count > most or full + partial > buckets or (buckets and stored != 12):
        raise BadFile("a section contradicts itself", _HINT)
    row = _row_type(level, 3 * ((degree + 1) ** 2 - 1))
    first = place + 4 * partial + stored * buckets
    end = first + most * row.itemsize
    if end > len(data):
        raise BadFile(f"a section ends at byte {end}, the file has {len(data)}", _HINT)
    steps = steps or _STEPS[level]
    table = np.frombuffer(data, row, count, first)
    if not level:
        return _Part(table, None, 0.0, 0.0), end
    sizes = np.frombuffer(data, "<u4", partial, place).tolist()
    sizes = [min(capacity, count)] * min(full, count) + sizes
    if sum(sizes) != count or capacity == 0:
        raise BadFile("the buckets of a section do not hold its splats", _HINT)
    centers = np.frombuffer(data, "<f4", 3 * buckets, place + 4 * partial).reshape(-1, 3)
    own = np.repeat(np.arange(len(sizes)), sizes)
    return _Part(table, centers[own], float(steps), size / 2 / steps), end


def _row_type(level: int, rest: int) -> np.dtype:
    number, position = ("<f4", "<f4") if not level else ("<f2", "<u2")
    return np.dtype(
        [
            ("mean", position, 3),
            ("scale", number, 3),
            ("turn", number, 4),
            ("rgba", "u1", 4),
            ("sh", "u1" if level == 2 else number, (rest,)),
        ]
    )


def _rows(
    found: list[_Part], span: tuple[int, int], degree: int, limits: tuple[float, float]
) -> Rows:
    """Splats of all sections that a span of rows touches."""
    pieces, before = list[Rows](), 0
    for part in found:
        start, stop = (min(max(edge - before, 0), len(part.table)) for edge in span)
        if start < stop:
            pieces.append(_section_rows(part, slice(start, stop), degree, limits))
        before += len(part.table)
    names = Rows.__slots__
    return Rows(*(np.concatenate([getattr(piece, name) for piece in pieces]) for name in names))


def _section_rows(part: _Part, rows: slice, degree: int, limits: tuple[float, float]) -> Rows:
    table = part.table[rows]
    means = table["mean"].astype(np.float32)
    if part.centers is not None:
        means = (means - part.middle) * part.step + part.centers[rows]
    rgba = table["rgba"].astype(np.float32) / np.float32(255)
    coefficients = np.zeros((len(table), (degree + 1) ** 2, 3), np.float32)
    coefficients[:, 0] = sh.from_color(rgba[:, :3])
    higher: np.ndarray = table["sh"].astype(np.float32)
    if table.dtype["sh"].base == np.uint8:
        higher = limits[0] + higher / 255 * (limits[1] - limits[0])
    place, known = 0, 1
    for width in _BANDS:
        if place < higher.shape[1]:
            band = higher[:, place : place + 3 * width].reshape(-1, 3, width)
            coefficients[:, known : known + width] = band.transpose(0, 2, 1)
        place, known = place + 3 * width, known + width
    scales, turns = table["scale"].astype(np.float32), table["turn"].astype(np.float32)
    return Rows(means, scales, turns, rgba[:, 3], coefficients)
