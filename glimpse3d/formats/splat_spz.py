"""Gaussian splats as Niantic's ``.spz``: about 12 bytes a splat, versions 1 to 4.

Owns the header, the order of streams and what each holds. Must not know other formats, nor how
streams are compressed. Layout (the README of Niantic's "spz"): a header, then positions,
opacities, colours, sizes, rotations and spherical harmonics of all splats, one after the other.
Versions 1 to 3 are one gzip stream; version 4 is a plain header, records of extensions, a table of
sizes and one zstd frame for each of the six. The axes are right, up, back; a record of Adobe's
(0xADBE0003) may say otherwise.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import BadFile, InvalidData, InvalidSettings
from ..types import GaussianCloud
from . import spz_values, streams
from .splat_axes import Axes
from .splat_blocks import ANTIALIASED, Rows, Source, logarithms, turned_blocks

MAGIC = b"NGSP"
VERSIONS = (1, 2, 3, 4)
_HINT = "expected splats as Niantic's spz writes them"
_HEADER = struct.Struct("<4sIIBBBB")
_TABLE = struct.Struct("<I12x")
_RECORD, _AXES_RECORD = struct.Struct("<II"), 0xADBE0003
_MOST_RECORDS = 1 << 20
_MIP, _EXTENDED = 1, 2
_KNOWN_AXES: dict[int, Axes] = {0: "rub", 4: "rub", 6: "rdf", 12: "blender"}
_AXES_NUMBER: dict[Axes, int] = {"rub": 4, "rdf": 6, "blender": 12}
# Colours beyond 0..1 are kept too: a coefficient of degree 0 times this, plus a half.
_COLOR_SCALE = 0.15
# Steps between coefficients that are written, for degree 1 and above: noise would not compress.
_STEP_1, _STEP_HIGHER = 8, 16
_FRACTION, _MOST_FRACTION, _FINENESS = 12, 22, 14


@dataclass(frozen=True, slots=True)
class _Layout:
    """What a header says."""

    version: int
    count: int
    degree: int
    fraction: int
    flags: int

    @property
    def places(self) -> int | None:
        """Bits behind the point of a position; None for the halves of version 1."""
        return None if self.version == 1 else self.fraction

    @property
    def strides(self) -> dict[str, int]:
        """Bytes a splat in each stream, in order."""
        return {
            "positions": 6 if self.version == 1 else 9,
            "opacities": 1,
            "colors": 3,
            "scales": 3,
            "rotations": 4 if self.version >= 3 else 3,
            "sh": 3 * ((self.degree + 1) ** 2 - 1),
        }


def source(data: memoryview) -> Source:
    """Look at the header of a file and unpack its streams.

    Raises:
        BadFile: not such a file, damaged or cut short, or in axes that are not known.
        BackendUnavailable: version 4, and this Python has no zstd.
    """
    plain = bytes(data[:4]) == MAGIC
    head = bytes(data[: _HEADER.size]) if plain else streams.gunzip_head(data, _HEADER.size)
    layout, number = _layout(head)
    if plain != (layout.version == 4):
        raise BadFile(f"version {layout.version} of spz is not packed like this", _HINT)
    tables, records = _frames(data, layout, number) if plain else _gzipped(data, layout)
    degree = min(layout.degree, 3)
    notes: tuple[str, ...] = ("spherical harmonics of degree 4",) if layout.degree > 3 else ()
    notes += (ANTIALIASED,) if layout.flags & _MIP else ()
    return Source(
        f"SPZ version {layout.version}",
        layout.count,
        degree,
        _axes(records),
        lambda start, stop: _rows(tables, layout, start, stop),
        notes=notes,
    )


def _layout(head: bytes) -> tuple[_Layout, int]:
    """The header, and its last byte: the number of streams in version 4.

    Raises:
        BadFile: saying what is wrong.
    """
    if len(head) < _HEADER.size or head[:4] != MAGIC:
        raise BadFile("the file does not begin as spz does", _HINT)
    _, version, count, degree, fraction, flags, number = _HEADER.unpack(head)
    if version not in VERSIONS:
        raise BadFile(f"version {version} of spz is not known", "update Glimpse3D")
    if degree > 4 or fraction > 24:
        raise BadFile(f"degree {degree} or {fraction} fractional bits are impossible", _HINT)
    return _Layout(version, count, degree, fraction, flags), number


def _gzipped(data: memoryview, layout: _Layout) -> tuple[dict[str, np.ndarray], bytes]:
    """The streams of versions 1 to 3, and the records after them."""
    size = _HEADER.size + layout.count * sum(layout.strides.values())
    spare = _MOST_RECORDS if layout.flags & _EXTENDED else 0
    body = streams.gunzip(data, size, spare)
    place, tables = _HEADER.size, {}
    for name, stride in layout.strides.items():
        table = np.frombuffer(body, np.uint8, layout.count * stride, place)
        tables[name] = table.reshape(layout.count, stride)
        place += table.size
    return tables, body[size:]


def _frames(data: memoryview, layout: _Layout, number: int) -> tuple[dict[str, np.ndarray], bytes]:
    """The streams of version 4, and the records before them."""
    start = _HEADER.size + _TABLE.size
    place = _TABLE.unpack(data[_HEADER.size : start])[0] if len(data) >= start else 0
    strides = {name: stride for name, stride in layout.strides.items() if name != "sh" or stride}
    if number not in (len(strides), len(layout.strides)):
        raise BadFile(f"the file has {number} streams instead of {len(strides)}", _HINT)
    end = place + 16 * number
    if place < start or end > len(data):
        raise BadFile("the table of streams lies outside the file", _HINT)
    sizes = np.frombuffer(data, "<u8", 2 * number, place).reshape(number, 2).tolist()
    if end + sum(packed for packed, _ in sizes) != len(data):
        raise BadFile("the streams do not fill the file", "it was cut short; fetch it again")
    tables = {"sh": np.empty((layout.count, 0), np.uint8)}
    for (name, stride), (packed, size) in zip(layout.strides.items(), sizes, strict=False):
        if size != layout.count * stride:
            raise BadFile(f"{size} bytes of {name} are not {layout.count} splats", _HINT)
        streams.check_growth(packed, size)
    for (name, stride), (packed, size) in zip(layout.strides.items(), sizes, strict=False):
        body = streams.unzstd(data[end : end + packed], size) if size else b""
        tables[name] = np.frombuffer(body, np.uint8).reshape(layout.count, stride)
        end += packed
    return tables, bytes(data[start:place])


def _axes(records: bytes) -> Axes:
    """What the records of extensions say of the axes.

    Raises:
        BadFile: axes that cannot be taken, mirrored ones among them.
    """
    place = 0
    while place + _RECORD.size <= len(records):
        kind, size = _RECORD.unpack(records[place : place + _RECORD.size])
        place += _RECORD.size
        if kind == _AXES_RECORD:
            value = int.from_bytes(records[place : place + min(size, 4)], "little")
            if value not in _KNOWN_AXES:
                raise BadFile(f"the file's axes are number {value}, which are not read", _HINT)
            return _KNOWN_AXES[value]
        place += size
    return "rub"


def _rows(tables: dict[str, np.ndarray], layout: _Layout, start: int, stop: int) -> Rows:
    part = {name: table[start:stop] for name, table in tables.items()}
    count = stop - start
    colors = part["colors"].astype(np.float32) / np.float32(255)
    sh = np.empty((count, 1 + part["sh"].shape[1] // 3, 3), np.float32)
    sh[:, 0] = (colors - np.float32(0.5)) / np.float32(_COLOR_SCALE)
    sh[:, 1:] = (part["sh"].astype(np.float32).reshape(count, -1, 3) - 128) / 128
    unpacked = spz_values.smallest_three if layout.version >= 3 else spz_values.first_three
    return Rows(
        spz_values.positions(part["positions"], layout.places),
        np.exp(part["scales"].astype(np.float32) / 16 - 10),
        unpacked(part["rotations"]),
        part["opacities"][:, 0].astype(np.float32) / np.float32(255),
        sh[:, :16],
    )


def parts(cloud: GaussianCloud, axes: Axes = "rub", version: int = 3) -> Iterator[bytes]:
    """The file; values are rounded to what the format holds.

    Args:
        cloud: house frame.
        axes: other than right, up, back they are told in a record, which few readers know.
        version: 3 is read most widely; 4 needs zstd.

    Raises:
        InvalidSettings: the version is unknown.
        InvalidData: the cloud is too large for fixed point.
        BackendUnavailable: version 4, and this Python has no zstd.
    """
    if version not in VERSIONS:
        raise InvalidSettings("spz_version", f"{version} is unknown", "1, 2, 3 or 4")
    layout = _Layout(version, len(cloud), cloud.sh_degree, _fraction(cloud, version), 0)
    blocks = [_packed(block, layout) for block in turned_blocks(cloud, axes)]
    tables = {name: b"".join(block[name] for block in blocks) for name in layout.strides}
    record = b"" if axes == "rub" else _RECORD.pack(_AXES_RECORD, 4)
    record += _AXES_NUMBER[axes].to_bytes(4, "little") if record else b""
    flags = _EXTENDED if record else 0
    tables = {name: table for name, table in tables.items() if table or name != "sh"}
    number = len(tables) if version == 4 else 0
    head = _HEADER.pack(MAGIC, version, layout.count, layout.degree, layout.fraction, flags, number)
    if version < 4:
        yield streams.gzip(b"".join([head, *tables.values(), record]))
        return
    frames = [streams.zstd_frame(table) for table in tables.values()]
    yield head + _TABLE.pack(len(head) + _TABLE.size + len(record)) + record
    for frame, table in zip(frames, tables.values(), strict=True):
        yield struct.pack("<QQ", len(frame), len(table))
    yield from frames


def _fraction(cloud: GaussianCloud, version: int) -> int:
    """Bits behind the point: the customary 12, more for what is small, fewer for what is far.

    Raises:
        InvalidData: some splat is beyond what 24 bits reach.
    """
    reach = float(np.abs(cloud.means).max(initial=0.0))
    if version == 1 and reach < 6e4:
        return _FRACTION
    whole = int(np.ceil(np.log2(max(reach, 2.0**-60) * 1.001)))
    most = 23 - whole
    if most < 0 or version == 1:
        raise InvalidData(f"spz cannot hold a splat {reach:g} m from the origin", "write a PLY")
    return min(max(_FRACTION, _FINENESS - whole), most, _MOST_FRACTION)


def _packed(block: GaussianCloud, layout: _Layout) -> dict[str, bytes]:
    """Every stream's bytes of some splats."""
    count = len(block)
    higher = block.sh[:, 1:].reshape(count, -1)
    steps = np.full(higher.shape[1], _STEP_HIGHER)
    steps[:9] = _STEP_1
    levels = np.floor((np.rint(np.clip(higher, -1, 1) * 128) + 128 + steps // 2) / steps) * steps
    rotate = spz_values.pack_smallest_three if layout.version >= 3 else spz_values.pack_first_three
    tables = {
        "positions": spz_values.pack_positions(block.means, layout.places),
        "opacities": spz_values.to_bytes(block.opacities * 255),
        "colors": spz_values.to_bytes(
            block.sh[:, 0] * np.float32(_COLOR_SCALE * 255) + np.float32(127.5)
        ),
        "scales": spz_values.to_bytes((logarithms(block.scales) + 10) * 16),
        "rotations": rotate(block.rotations),
        "sh": spz_values.to_bytes(levels),
    }
    return {name: table.tobytes() for name, table in tables.items()}
