"""The header of a binary PLY, read strictly: nothing in it is believed before its size is checked.

Owns the header's grammar, types and byte orders, and where each element lies in the file. Must not
know what the elements mean. A property may have any name; lists, which splats never have, are
refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ..errors import BadFile
from .splat_blocks import MESH_HINT

HINT = "expected a binary PLY with Gaussian splats as 3DGS trainers write it"
# A header of 3DGS has 2 KB; what goes on for longer than this is no header.
_LONGEST = 1 << 16
_TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"},
    **{"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"},
    **{"float": "f4", "float32": "f4", "double": "f8", "float64": "f8"},
}
_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">"}


@dataclass(frozen=True, slots=True)
class Element:
    """``count`` rows of type ``row``, beginning ``start`` bytes into the file."""

    name: str
    count: int
    row: np.dtype
    start: int

    def table(self, data: memoryview) -> np.ndarray:
        """(count,) of ``row``, a view of the file's bytes."""
        return np.frombuffer(data, self.row, self.count, self.start)


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says, held against the file's size.

    Attributes:
        elements: in the file's order; a name that stands twice counts once, as the first.
        comments: in order, without the word ``comment``.
    """

    elements: dict[str, Element]
    comments: tuple[str, ...]


def parse(data: memoryview) -> Header:
    """Read the header of ``data``, which is the whole file.

    Raises:
        BadFile: saying what is wrong.
    """
    lines, start = _lines(data)
    _refuse_mesh(lines)
    order, comments = "", []
    counts, properties = list[tuple[str, int]](), list[list[tuple[str, str]]]()
    for line in lines:
        word, tail = (*line.split(None, 1), "")[:2]
        if word in ("comment", "obj_info"):
            comments += [tail] if word == "comment" else []
        elif word == "format":
            order = _byte_order(tail)
        elif word == "element":
            counts.append(_element(tail))
            properties.append([])
        elif word == "property" and properties:
            if counts[-1][1] or not tail.startswith("list"):  # lists of nothing are no harm
                properties[-1].append(_property(tail, order))
        else:
            raise BadFile(f"the header has a line that is no PLY: {line[:60]!r}", HINT)
    elements = _place(counts, properties, start, len(data))
    return Header(elements, tuple(comments))


def _refuse_mesh(lines: list[str]) -> None:
    if any(re.fullmatch(r"element\s+face\s+0*[1-9][0-9]*", line) for line in lines):
        raise BadFile("the PLY holds a mesh, no splats", MESH_HINT)


def _lines(data: memoryview) -> tuple[list[str], int]:
    """The header's lines after the first and before the last, and where the data begins."""
    head = bytes(data[:_LONGEST])
    if not re.match(rb"ply\r?\n", head):
        raise BadFile("the file does not begin as a PLY file does", HINT)
    end = re.search(rb"\nend_header\r?\n", head)
    if end is None:
        raise BadFile("the PLY header does not end", HINT)
    text = head[: end.start()].decode("utf-8", errors="replace")
    return [line.strip() for line in text.split("\n")[1:] if line.strip()], end.end()


def _byte_order(tail: str) -> str:
    name = tail.partition(" ")[0]
    if name not in _ORDERS:
        raise BadFile(f"PLY format {name[:40]!r} is not read", "save it as binary_little_endian")
    return _ORDERS[name]


def _element(tail: str) -> tuple[str, int]:
    match = re.fullmatch(r"(\w{1,64})\s+([0-9]{1,18})", tail)
    if match is None:
        raise BadFile(f"the header counts an element wrongly: {tail[:60]!r}", HINT)
    return match[1], int(match[2])


def _property(tail: str, order: str) -> tuple[str, str]:
    """(name, numpy type); ``order`` is empty before the line ``format``."""
    match = re.fullmatch(r"(\w{1,16})\s+(\S{1,64})", tail)
    if match is None or match[1] not in _TYPES or not order:
        raise BadFile(f"a property that no splat has: {tail[:60]!r}", HINT)
    return match[2], order + _TYPES[match[1]]


def _place(
    counts: list[tuple[str, int]], properties: list[list[tuple[str, str]]], end: int, size: int
) -> dict[str, Element]:
    """Where each element lies; all of them together must fill the file."""
    elements: dict[str, Element] = {}
    for (name, count), columns in zip(counts, properties, strict=True):
        names = [column for column, _ in columns]
        if len(set(names)) != len(names):
            raise BadFile(f"element {name} names a property twice", HINT)
        row = np.dtype(columns)
        if columns:
            elements.setdefault(name, Element(name, count, row, end))
        end += count * row.itemsize
    if "vertex" not in elements:
        raise BadFile("the file has no element vertex", HINT)
    if end != size:
        raise BadFile(
            f"the header speaks of {end} bytes, the file has {size}",
            "it was cut short or changed on its way; fetch it again",
        )
    return elements
