"""What a GLB of a stranger may ask for, before any library is let near it.

Owns limits on tables, on bytes, on the tree of nodes and on what lies outside the file. Must not
know how meshes are read. Nothing is allocated beyond the JSON; Khronos' glTF 2.0 specification.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import BadFile
from .glb_chunks import HINT, Glb, number

MAX_ROWS = 20_000  # of any table
MAX_DEPTH = 256  # of nodes
MAX_TRIANGLES = 20_000_000  # with every mesh counted as often as a node shows it
_GROWTH = 4  # declared bytes, in sizes of the binary chunk: views and accessors may overlap
_SPARE = 2**20
_TABLES = (
    "accessors", "animations", "bufferViews", "cameras", "images", "materials", "meshes", "nodes",
    "samplers", "scenes", "skins", "textures",
)  # fmt: skip
_SIZES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
# Extensions that add to a file and may be passed over; with any other one the file says nothing.
_OPTIONAL = (
    "EXT_texture_webp", "KHR_lights_punctual", "KHR_materials_", "KHR_mesh_quantization",
    "KHR_texture_transform",
)  # fmt: skip
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")
_TRIANGLES = 4


def check(glb: Glb) -> None:
    """Refuse what claims more than it holds.

    Raises:
        BadFile: saying what is wrong.
    """
    for table in _TABLES:
        rows = glb.json.get(table, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise BadFile(f"{table} of the file is no list of entries", HINT)
        if len(rows) > MAX_ROWS:
            raise BadFile(f"the file has {len(rows)} {table}, {MAX_ROWS} at most", HINT)
    _check_extensions(glb)
    _check_views(glb)
    _check_accessors(glb)
    _check_images(glb)
    _check_tree(glb)


def _check_extensions(glb: Glb) -> None:
    required = glb.json.get("extensionsRequired", [])
    if not isinstance(required, list):
        raise BadFile("extensionsRequired of the file is no list", HINT)
    for name in required:
        if not isinstance(name, str) or not name.startswith(_OPTIONAL):
            raise BadFile(
                f"the file needs {str(name)[:60]}, which is not read", "save it without compression"
            )


def _check_views(glb: Glb) -> None:
    """Every view inside the binary chunk; all of them together not many times its size."""
    total = 0
    for index in range(len(glb.json.get("bufferViews", []))):
        total += len(glb.view(index))
    _check_total(glb, total, "views")


def _check_accessors(glb: Glb) -> None:
    total = 0
    for index, accessor in enumerate(glb.json.get("accessors", [])):
        kind, component = accessor.get("type"), accessor.get("componentType")
        if not isinstance(kind, str) or kind not in _WIDTHS:
            raise BadFile(f"accessor {index} is of no known type", HINT)
        if not isinstance(component, int) or component not in _SIZES:
            raise BadFile(f"accessor {index} has unknown numbers", HINT)
        count, row = number(accessor, "count", 0), _SIZES[component] * _WIDTHS[kind]
        total += count * row
        if "bufferView" in accessor:
            view = glb.entry("bufferViews", accessor["bufferView"])
            stride = number(view, "byteStride", row)
            last = (
                number(accessor, "byteOffset", 0) + max(count - 1, 0) * stride + row * (count > 0)
            )
            if stride < row or last > number(view, "byteLength", 0):
                raise BadFile(f"accessor {index} reaches beyond its data", HINT)
    _check_total(glb, total, "accessors")


def _check_total(glb: Glb, total: int, what: str) -> None:
    if total > _SPARE + _GROWTH * len(glb.binary):
        raise BadFile(f"{what} of the file claim {total} bytes, and it has {len(glb.binary)}", HINT)


def _check_images(glb: Glb) -> None:
    for index, image in enumerate(glb.json.get("images", [])):
        if "uri" in image:
            raise BadFile("a picture of the file lies outside it", HINT)
        head = bytes(glb.view(image.get("bufferView"))[:12])
        if not head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:] != b"WEBP"):
            raise BadFile(f"picture {index} of the file is no PNG, JPEG or WebP", HINT)


def _check_tree(glb: Glb) -> None:
    """Nodes are trees, not too deep, and show no more triangles than can be drawn."""
    nodes = glb.json.get("nodes", [])
    parents = [0] * len(nodes)
    for node in nodes:
        for child in _children(node, len(nodes)):
            parents[child] += 1
    if any(count > 1 for count in parents):
        raise BadFile("a node of the file has two parents", HINT)
    level = [index for index, count in enumerate(parents) if not count]
    reached = shown = depth = 0
    triangles = [_triangles(glb, mesh) for mesh in glb.json.get("meshes", [])]
    while level:
        depth += 1
        reached += len(level)
        shown += sum(_of_node(nodes[index], triangles) for index in level)
        level = [child for index in level for child in nodes[index].get("children", [])]
        if depth > MAX_DEPTH or shown > MAX_TRIANGLES:
            raise BadFile("the file shows more than can be drawn", "export a simpler mesh")
    if reached < len(nodes):
        raise BadFile("nodes of the file are each other's children", HINT)


def _children(node: Mapping[str, Any], count: int) -> list[int]:
    found = node.get("children", [])
    if not isinstance(found, list) or not all(
        type(each) is int and 0 <= each < count for each in found
    ):
        raise BadFile("the file names a node that is not there", HINT)
    return found


def _of_node(node: Mapping[str, Any], triangles: list[int]) -> int:
    mesh = node.get("mesh")
    if mesh is None:
        return 0
    if type(mesh) is not int or not 0 <= mesh < len(triangles):
        raise BadFile("the file names a mesh that is not there", HINT)
    return triangles[mesh]


def _triangles(glb: Glb, mesh: Mapping[str, Any]) -> int:
    primitives = mesh.get("primitives")
    if not isinstance(primitives, list) or len(primitives) > MAX_ROWS:
        raise BadFile("a mesh of the file has no list of primitives", HINT)
    return sum(_of_primitive(glb, each) for each in primitives)


def _of_primitive(glb: Glb, primitive: Any) -> int:
    if not isinstance(primitive, dict) or not isinstance(primitive.get("attributes"), dict):
        raise BadFile("a mesh of the file is malformed", HINT)
    rows = {name: glb.entry("accessors", index) for name, index in primitive["attributes"].items()}
    if len({each["count"] for each in rows.values()}) > 1:
        raise BadFile("a mesh of the file has attributes of several lengths", HINT)
    listed = glb.entry("accessors", primitive["indices"]) if "indices" in primitive else None
    corners = listed or rows.get("POSITION") or {"count": 0}
    mode = primitive.get("mode", _TRIANGLES)
    return int(corners["count"]) // 3 if mode == _TRIANGLES else int(corners["count"])
