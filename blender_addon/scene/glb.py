"""Reads the GLB files that Glimpse3D writes: one mesh, one surface, one texture.

Owns the checks of the container and of its accessors. Must not know Blender. Blender's own glTF
importer is an add-on that users can turn off, needs an operator's context, and leaves its own
collections and selection behind; and a file from the wire is believed here only after its sizes
are checked (Khronos, glTF 2.0, section "GLB File Format Specification").
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._vendor.glimpse3d.coords import GLTF_FROM_HOUSE
from .._vendor.glimpse3d.errors import BadFile
from .._vendor.glimpse3d.formats.plain_json import decode, member, read_limited

MAX_BYTES = 4 * 2**30
MAX_JSON_BYTES = 2**20  # one mesh of ours takes two thousand
MAX_COUNT = 2**31

_HINT = "import a GLB of another program with File > Import > glTF 2.0"
_CHUNK_JSON, _CHUNK_BINARY = 0x4E4F534A, 0x004E4942
_TRIANGLES = 4
# glTF component type -> numpy type; glTF accessor type -> columns.
_COMPONENTS = {5121: "<u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_COLUMNS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """What a file held.

    Attributes:
        vertices: (V, 3) float32, house frame, metres; UV seams repeat them.
        faces: (F, 3) int64, counter-clockwise from outside.
        uvs: (V, 2) float32, v up, or None.
        colors: (V, 4) float32, linear, or None.
        png: the texture's file, sRGB, or None.
        roughness, metallic: 0..1.
    """

    vertices: np.ndarray
    faces: np.ndarray
    uvs: np.ndarray | None
    colors: np.ndarray | None
    png: bytes | None
    roughness: float
    metallic: float


def read(path: Path) -> Surface:
    """The surface in a file.

    Raises:
        BadFile: not a GLB, cut short, or one that Glimpse3D did not write.
    """
    document, binary = _chunks(read_limited(path, MAX_BYTES))
    if document.get("extensionsRequired"):
        raise BadFile(f"{path.name} needs glTF extensions", _HINT)
    _check_nodes(document)
    primitive = _only(member(_only(member(document, "meshes", list)), "primitives", list))
    if primitive.get("mode", _TRIANGLES) != _TRIANGLES:
        raise BadFile(f"{path.name} holds no triangles", _HINT)
    return _surface(_Accessors(document, binary), primitive)


def _surface(file: _Accessors, primitive: dict[str, Any]) -> Surface:
    attributes = member(primitive, "attributes", dict)
    vertices = file.floats(attributes, "POSITION", 3)
    faces = file.array(member(primitive, "indices", int))
    if vertices is None or not len(vertices) or faces.size % 3 or not faces.size:
        raise BadFile("the GLB holds no triangles", _HINT)
    if faces.dtype.kind != "u" or faces.shape[1] != 1 or int(faces.max()) >= len(vertices):
        raise BadFile("the GLB's triangles name vertices that are not there", _HINT)
    uvs, colors = file.floats(attributes, "TEXCOORD_0", 2), file.floats(attributes, "COLOR_0", 4)
    for array in (uvs, colors):
        if array is not None and len(array) != len(vertices):
            raise BadFile("the GLB's vertices and their attributes differ in number", _HINT)
    if uvs is not None:
        uvs[:, 1] = 1 - uvs[:, 1]
    material = file.material(primitive)
    return Surface(
        vertices=(vertices @ GLTF_FROM_HOUSE).astype(np.float32),
        faces=faces.reshape(-1, 3).astype(np.int64),
        uvs=uvs,
        colors=colors,
        png=file.texture(material),
        roughness=_factor(material, "roughnessFactor"),
        metallic=_factor(material, "metallicFactor"),
    )


def _chunks(data: bytes) -> tuple[dict[str, Any], memoryview]:
    """The JSON and the binary chunk."""
    if len(data) < 20 or data[:4] != b"glTF":
        raise BadFile("the file does not begin as a GLB file does", _HINT)
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2 or length != len(data):
        raise BadFile(
            f"the GLB speaks of {length} bytes, the file has {len(data)}",
            "it was cut short or changed on its way; fetch it again",
        )
    chunks: dict[int, memoryview] = {}
    start = 12
    while start + 8 <= length:
        size, kind = struct.unpack_from("<II", data, start)
        chunks.setdefault(kind, memoryview(data)[start + 8 : start + 8 + size])
        start += 8 + size
    if start != length or not {_CHUNK_JSON, _CHUNK_BINARY} <= chunks.keys():
        raise BadFile("the GLB's chunks do not fill the file", _HINT)
    return decode(bytes(chunks[_CHUNK_JSON]), MAX_JSON_BYTES), chunks[_CHUNK_BINARY]


def _check_nodes(document: dict[str, Any]) -> None:
    moved = {"matrix", "translation", "rotation", "scale", "children"}
    if moved & _only(member(document, "nodes", list)).keys():
        raise BadFile("the GLB's mesh is moved by a node", _HINT)


def _only(values: list[Any]) -> dict[str, Any]:
    if len(values) != 1 or not isinstance(values[0], dict):
        raise BadFile("the GLB holds more than one mesh, or none", _HINT)
    return values[0]


def _factor(material: dict[str, Any], name: str) -> float:
    value: float = member({"value": material.get(name, 1.0)}, "value", float, name)
    return min(max(value, 0.0), 1.0)


class _Accessors:
    """The tables of a document, each index and length checked."""

    def __init__(self, document: dict[str, Any], binary: memoryview) -> None:
        self._document = document
        self._binary = binary

    def _row(self, table: str, index: Any) -> dict[str, Any]:
        rows = member(self._document, table, list)
        if (
            type(index) is not int
            or not 0 <= index < len(rows)
            or not isinstance(rows[index], dict)
        ):
            raise BadFile(f"the GLB names one of its {table} that is not there", _HINT)
        row: dict[str, Any] = rows[index]
        return row

    def _view(self, index: Any) -> memoryview:
        row = self._row("bufferViews", index)
        start, size = row.get("byteOffset", 0), member(row, "byteLength", int)
        if type(start) is not int or start < 0 or size < 0 or start + size > len(self._binary):
            raise BadFile("a part of the GLB lies outside the file", _HINT)
        if "byteStride" in row:
            raise BadFile("the GLB's arrays are interleaved", _HINT)
        return self._binary[start : start + size]

    def array(self, index: Any) -> np.ndarray:
        """(count, columns), of the file's own type."""
        row = self._row("accessors", index)
        kind, component = member(row, "type", str), member(row, "componentType", int)
        if kind not in _COLUMNS or component not in _COMPONENTS or "sparse" in row:
            raise BadFile("the GLB holds an array of a kind that is not read", _HINT)
        count, start = member(row, "count", int), row.get("byteOffset", 0)
        data = self._view(row.get("bufferView"))
        dtype, columns = np.dtype(_COMPONENTS[component]), _COLUMNS[kind]
        fits = type(start) is int and start >= 0 and 0 <= count < MAX_COUNT
        if not fits or start + count * columns * dtype.itemsize > len(data):
            raise BadFile("an array of the GLB is longer than the file", _HINT)
        return np.frombuffer(data, dtype, count * columns, start).reshape(count, columns)

    def floats(self, attributes: dict[str, Any], name: str, columns: int) -> np.ndarray | None:
        """(count, columns) float32, a copy; whole numbers are shares of their largest value."""
        if name not in attributes:
            return None
        array = self.array(attributes[name])
        largest = 1 if array.dtype.kind == "f" else np.iinfo(array.dtype).max
        result = array.astype(np.float32) / np.float32(largest)
        if result.shape[1] != columns or not np.isfinite(result).all():
            raise BadFile(f"{name} of the GLB holds values that cannot be drawn", _HINT)
        return result

    def material(self, primitive: dict[str, Any]) -> dict[str, Any]:
        """The surface's factors and textures."""
        row = self._row("materials", member(primitive, "material", int))
        surface: dict[str, Any] = member(row, "pbrMetallicRoughness", dict)
        return surface

    def texture(self, material: dict[str, Any]) -> bytes | None:
        """The PNG of the base colour."""
        if "baseColorTexture" not in material:
            return None
        where = member(material, "baseColorTexture", dict)
        texture = self._row("textures", member(where, "index", int))
        image = self._row("images", member(texture, "source", int))
        return bytes(self._view(image.get("bufferView")))
