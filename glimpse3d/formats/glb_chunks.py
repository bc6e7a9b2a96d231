"""The two chunks of a binary glTF, and arrays in them, read strictly.

Owns chunk lengths, buffer views and accessors of plain numbers, every one held against the size of
the binary chunk before an array is made. Must not know meshes or splats. Khronos' glTF 2.0
specification, sections "GLB File Format Specification" and "Accessors". Nothing outside the file is
ever opened: data URIs and names of other files are refused.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import BadFile
from .plain_json import decode, member

MAGIC = b"glTF"
FLOAT, UINT8, UINT16 = 5126, 5121, 5123
HINT = "expected one GLB file that holds all of its data"
_HEADER, _CHUNK = struct.Struct("<4sII"), struct.Struct("<I4s")
_LONGEST_JSON = 16 * 2**20
_TYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_MOST = 2**40


@dataclass(frozen=True, slots=True, eq=False)
class Glb:
    """A file's JSON, and its binary chunk."""

    json: dict[str, Any]
    binary: memoryview

    def entry(self, table: str, index: Any) -> dict[str, Any]:
        """Entry ``index`` of a table of the JSON, such as ``meshes``.

        Raises:
            BadFile: it is not there.
        """
        rows = self.json.get(table)
        whole = type(index) is int and isinstance(rows, list) and 0 <= index < len(rows)
        if not whole or not isinstance(rows[index], dict):  # type: ignore[index]
            raise BadFile(f"the file names an entry of {table} that is not there", HINT)
        return rows[index]  # type: ignore[index]

    def view(self, index: Any) -> memoryview:
        """The bytes of a buffer view.

        Raises:
            BadFile: it is not there, or reaches beyond the binary chunk.
        """
        view = self.entry("bufferViews", index)
        start, length = number(view, "byteOffset", 0), number(view, "byteLength", 0)
        if view.get("buffer") != 0 or start + length > len(self.binary):
            raise BadFile(f"view {index} reaches beyond the file's data", HINT)
        return self.binary[start : start + length]

    def array(self, index: Any, kind: str) -> np.ndarray:
        """(count, width) of an accessor as a view of the file; ``kind`` such as ``VEC3``.

        Raises:
            BadFile: not of that kind, sparse, or beyond the binary chunk.
        """
        accessor = self.entry("accessors", index)
        if accessor.get("type") != kind or "sparse" in accessor:
            raise BadFile(f"accessor {index} is no plain {kind}", HINT)
        component = member(accessor, "componentType", int, f"accessor {index}")
        if component not in _TYPES:
            raise BadFile(f"accessor {index} has unknown numbers", HINT)
        dtype, width = np.dtype(_TYPES[component]), _WIDTHS[kind]
        view = self.entry("bufferViews", accessor.get("bufferView"))
        row = dtype.itemsize * width
        stride = number(view, "byteStride", row)
        count = number(accessor, "count", 0)
        start = number(accessor, "byteOffset", 0)
        length = number(view, "byteLength", 0)
        first = number(view, "byteOffset", 0) + start
        last = start + (count - 1) * stride + row if count else start
        inside = first - start + length <= len(self.binary)
        if last > length or not inside or stride < row or view.get("buffer") != 0:
            raise BadFile(f"accessor {index} reaches beyond its data", HINT)
        if not count:
            return np.empty((0, width), dtype)
        return np.ndarray((count, width), dtype, self.binary, first, (stride, dtype.itemsize))

    def numbers(self, index: Any, kind: str) -> np.ndarray:
        """(count, width) float32 of an accessor, whole numbers taken as shares of their range."""
        array = self.array(index, kind)
        if array.dtype.kind == "f":
            return array
        if self.entry("accessors", index).get("normalized") is not True:
            raise BadFile(f"accessor {index} holds whole numbers that are not normalized", HINT)
        return np.maximum(array / np.float32(np.iinfo(array.dtype).max), -1).astype(np.float32)


def number(value: Mapping[str, Any], name: str, otherwise: int) -> int:
    """A length, count or offset.

    Raises:
        BadFile: it is none.
    """
    found = value.get(name, otherwise)
    if type(found) is not int or not 0 <= found <= _MOST:
        raise BadFile(f"{name} is no length", HINT)
    return found


def parse(data: memoryview) -> Glb:
    """Take a file apart.

    Raises:
        BadFile: not a GLB of version 2, cut short, or with data outside it.
    """
    if len(data) < _HEADER.size + _CHUNK.size or bytes(data[:4]) != MAGIC:
        raise BadFile("the file does not begin as a GLB does", HINT)
    _, version, length = _HEADER.unpack(data[: _HEADER.size])
    if version != 2 or length != len(data):
        raise BadFile(f"the header speaks of {length} bytes, the file has {len(data)}", HINT)
    chunks = list(_chunks(data))
    if not chunks or chunks[0][0] != b"JSON":
        raise BadFile("the first chunk is no JSON", HINT)
    if len(chunks[0][1]) > _LONGEST_JSON:
        raise BadFile("the JSON is too long", HINT)
    tree = decode(bytes(chunks[0][1]), _LONGEST_JSON)
    binary = chunks[1][1] if len(chunks) > 1 and chunks[1][0] == b"BIN\0" else data[:0]
    buffers = tree.get("buffers", [])
    if not isinstance(buffers, list) or len(buffers) > 1:
        raise BadFile("the file speaks of data outside it", HINT)
    if buffers and (not isinstance(buffers[0], dict) or "uri" in buffers[0]):
        raise BadFile("the file speaks of data outside it", HINT)
    return Glb(tree, binary)


def _chunks(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    place = _HEADER.size
    while place < len(data):
        if place + _CHUNK.size > len(data):
            raise BadFile("the file ends inside a chunk", HINT)
        length, kind = _CHUNK.unpack(data[place : place + _CHUNK.size])
        place += _CHUNK.size
        if length > len(data) - place:
            raise BadFile("the file ends inside a chunk", HINT)
        yield kind, data[place : place + length]
        place += length


def head(tree: dict[str, Any], binary: int) -> bytes:
    """Everything before the ``binary`` bytes of data, a multiple of 4."""
    text = json.dumps(tree, separators=(",", ":"), ensure_ascii=True).encode()
    text += b" " * (-len(text) % 4)
    length = _HEADER.size + 2 * _CHUNK.size + len(text) + binary
    start = _HEADER.pack(MAGIC, 2, length) + _CHUNK.pack(len(text), b"JSON")
    return start + text + _CHUNK.pack(binary, b"BIN\0")
