"""Gaussian splats in a GLB: glTF's extension ``KHR_gaussian_splatting``.

Owns the attributes' names and meaning and the placing by nodes. Must not know other formats, nor
how a GLB is packed. Layout (Khronos' README of the extension): points whose attributes hold the
rotation xyzw, the size and the opacity as they are, and a coefficient each of the spherical
harmonics. Viewers without the extension show ``COLOR_0``, which is linear, as coloured points.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..coords import multiply_quaternions, quaternion_from_rotation
from ..errors import BadFile, InvalidData
from ..types import GaussianCloud
from . import glb_chunks, sh
from .glb_chunks import FLOAT, HINT, UINT16, Glb
from .plain_json import member
from .splat_axes import Axes
from .splat_blocks import MESH_HINT, Rows, Source, turned_blocks

EXTENSION = "KHR_gaussian_splatting"
_COLOR_SPACE = "srgb_rec709_display"
_VERTICES, _POINTS = 34962, 0
_DEEPEST = 64


def source(data: memoryview) -> Source:
    """Look at the JSON of a file.

    Raises:
        BadFile: not a GLB with splats, cut short, or with what is not read: several clouds,
            another colour space or kernel, compressed splats, nodes that shear.
    """
    glb = glb_chunks.parse(data)
    mesh, primitive = _primitive(glb)
    attributes = member(primitive, "attributes", dict, "the cloud")
    degree = 0
    while degree < 5 and f"{EXTENSION}:SH_DEGREE_{degree + 1}_COEF_0" in attributes:
        degree += 1
    notes = (f"spherical harmonics of degree {degree}",) if degree > 3 else ()
    arrays = _arrays(glb, attributes, min(degree, 3))
    count = len(arrays[0])
    if any(len(array) != count for array in arrays):
        raise BadFile("the attributes of the cloud differ in length", HINT)
    place = placing(glb, mesh)

    def rows(start: int, stop: int) -> Rows:
        means, turns, scales, opacities, *higher = (array[start:stop] for array in arrays)
        wxyz = turns[:, [3, 0, 1, 2]].astype(np.float32)
        plain = Rows(means, scales, wxyz, opacities[:, 0], np.stack(higher, axis=1))
        return _moved(plain, place)

    return Source("GLB", count, min(degree, 3), "rub", rows, notes=notes)


def _primitive(glb: Glb) -> tuple[int, dict[str, Any]]:
    """The one cloud of the file, and the number of its mesh."""
    found = []
    meshes = glb.json.get("meshes", [])
    for index in range(len(meshes) if isinstance(meshes, list) else 0):
        for primitive in member(glb.entry("meshes", index), "primitives", list, "a mesh"):
            extensions = primitive.get("extensions") if isinstance(primitive, dict) else None
            if isinstance(extensions, dict) and EXTENSION in extensions:
                found.append((index, primitive))
    if not found:
        raise BadFile("the file holds no splats", MESH_HINT)
    if len(found) > 1:
        raise BadFile(f"the file holds {len(found)} clouds of splats, one is read", HINT)
    mesh, primitive = found[0]
    about = member(primitive["extensions"], EXTENSION, dict, "the cloud")
    if primitive.get("mode") != _POINTS or about.get("extensions"):
        raise BadFile("the splats are compressed or no points", "write them uncompressed")
    for name, value in (("kernel", "ellipse"), ("colorSpace", _COLOR_SPACE)):
        if about.get(name) != value:
            raise BadFile(f"the splats' {name} is not {value}", "no other kind is read")
    return mesh, primitive


def _arrays(glb: Glb, attributes: dict[str, Any], degree: int) -> list[np.ndarray]:
    """Means, rotations xyzw, sizes, opacities, then every coefficient; (N, width) float32."""
    kinds = {"POSITION": "VEC3", f"{EXTENSION}:ROTATION": "VEC4", f"{EXTENSION}:SCALE": "VEC3"}
    kinds[f"{EXTENSION}:OPACITY"] = "SCALAR"
    kinds |= dict.fromkeys(_coefficients(degree), "VEC3")
    for name in kinds:
        if name not in attributes:
            raise BadFile(f"the cloud has no {name}", HINT)
    return [glb.numbers(attributes[name], kind) for name, kind in kinds.items()]


def _coefficients(degree: int) -> list[str]:
    return [
        f"{EXTENSION}:SH_DEGREE_{band}_COEF_{index}"
        for band in range(degree + 1)
        for index in range(2 * band + 1)
    ]


def placing(glb: Glb, mesh: int) -> np.ndarray:
    """(4, 4) float64, scene from mesh, of the one node that shows it.

    Raises:
        BadFile: several nodes show it, or the tree of nodes is none, or it shears or mirrors.
    """
    nodes = glb.json.get("nodes", [])
    above: dict[int, int] = {}
    shown = []
    for index in range(len(nodes) if isinstance(nodes, list) else 0):
        node = glb.entry("nodes", index)
        for child in member(node, "children", list) if "children" in node else []:
            if type(child) is not int or above.setdefault(child, index) != index:
                raise BadFile("the nodes are no tree", HINT)
        if node.get("mesh") == mesh:
            shown.append(index)
    if len(shown) > 1:
        raise BadFile("several nodes show the cloud", "one is read")
    matrix = np.eye(4)
    place = shown[0] if shown else None
    for _ in range(_DEEPEST):
        if place is None:
            return _checked(matrix)
        matrix = _local(glb.entry("nodes", place)) @ matrix
        place = above.get(place)
    raise BadFile("the nodes are no tree, or too deep a one", HINT)


def _local(node: dict[str, Any]) -> np.ndarray:
    """(4, 4) float64, parent from node."""
    if "matrix" in node:
        return _floats(node, "matrix", [0.0] * 16).reshape(4, 4).T
    x, y, z, w = _floats(node, "rotation", [0.0, 0, 0, 1])
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = turn * _floats(node, "scale", [1.0, 1, 1])
    matrix[:3, 3] = _floats(node, "translation", [0.0, 0, 0])
    return matrix


def _floats(node: dict[str, Any], name: str, otherwise: list[float]) -> np.ndarray:
    values = node.get(name, otherwise)
    if not isinstance(values, list) or len(values) != len(otherwise):
        raise BadFile(f"a node's {name} is none", HINT)
    return np.array([member({name: each}, name, float, "a node") for each in values])


def _checked(matrix: np.ndarray) -> np.ndarray:
    """``matrix`` if it only turns, moves and scales evenly: all that a splat can follow."""
    linear = matrix[:3, :3]
    size = float(np.cbrt(max(np.linalg.det(linear), 0.0)))
    even = np.allclose(linear @ linear.T, size * size * np.eye(3), atol=1e-5 * size * size)
    if not size > 0 or not np.isfinite(size) or not even:
        raise BadFile("a node shears, mirrors or flattens the splats", "apply it when writing")
    return matrix


def _moved(rows: Rows, matrix: np.ndarray) -> Rows:
    if np.array_equal(matrix, np.eye(4)):
        return rows
    size = float(np.cbrt(np.linalg.det(matrix[:3, :3])))
    left, _, right = np.linalg.svd(matrix[:3, :3])
    turn = left @ right  # the nearest rotation: a file's numbers are rounded
    return Rows(
        rows.means @ matrix[:3, :3].T + matrix[:3, 3],
        rows.scales * size,
        multiply_quaternions(quaternion_from_rotation(turn), rows.rotations),
        rows.opacities,
        sh.rotate(rows.sh, turn),
    )


def parts(cloud: GaussianCloud, axes: Axes = "rub") -> Iterator[bytes]:
    """The file: JSON, then attribute after attribute.

    Raises:
        InvalidData: other axes than glTF's, more data than a GLB holds, or no splats.
    """
    if axes != "rub":
        raise InvalidData(f"a GLB is y up and cannot be {axes}", "leave the axes out, or write PLY")
    count = len(cloud)
    if not count:
        raise InvalidData("a GLB cannot hold a cloud without splats")
    tables: dict[str, list[bytes]] = {}
    low, high = np.full(3, np.inf, np.float32), np.full(3, -np.inf, np.float32)
    for block in turned_blocks(cloud, axes):
        low, high = np.minimum(low, block.means.min(0)), np.maximum(high, block.means.max(0))
        for name, array in _attributes(block).items():
            tables.setdefault(name, []).append(array.tobytes())
    sizes = {name: sum(map(len, blocks)) for name, blocks in tables.items()}
    total = sum(sizes.values())
    if total > 2**32 - 2**20:
        raise InvalidData(f"{total} bytes are more than a GLB holds", "write a PLY")
    tree = _tree(sizes, count, total)
    tree["accessors"][0] |= {"min": low.tolist(), "max": high.tolist()}
    yield glb_chunks.head(tree, total)
    for blocks in tables.values():
        yield from blocks


def _attributes(block: GaussianCloud) -> dict[str, np.ndarray]:
    """Each a whole number of 4 bytes a splat, in the order in which they are written."""
    color = np.clip(sh.to_color(block.sh[:, 0]), 0, 1)
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    rgba = np.concatenate([linear, block.opacities[:, None]], axis=1)
    arrays = {
        "POSITION": block.means,
        "COLOR_0": np.rint(rgba * 65535).astype("<u2"),
        f"{EXTENSION}:ROTATION": block.rotations[:, [1, 2, 3, 0]],
        f"{EXTENSION}:SCALE": block.scales,
        f"{EXTENSION}:OPACITY": block.opacities,
    }
    for index, name in enumerate(_coefficients(block.sh_degree)):
        arrays[name] = block.sh[:, index]
    return {
        name: array if name == "COLOR_0" else array.astype("<f4") for name, array in arrays.items()
    }


def _tree(sizes: dict[str, int], count: int, total: int) -> dict[str, Any]:
    """The JSON of a file whose attributes lie one after the other."""
    views, accessors, place = [], list[dict[str, Any]](), 0
    for index, (name, size) in enumerate(sizes.items()):
        view = {"buffer": 0, "byteOffset": place, "byteLength": size, "target": _VERTICES}
        views.append(view)
        place += size
        color = name == "COLOR_0"
        kind = {4: "SCALAR", 8: "VEC4", 12: "VEC3", 16: "VEC4"}[size // count]
        accessor = {"bufferView": index, "componentType": UINT16 if color else FLOAT}
        accessors.append(accessor | {"count": count, "type": kind})
        if color:
            accessors[-1]["normalized"] = True
    about = {"kernel": "ellipse", "colorSpace": _COLOR_SPACE, "projection": "perspective"}
    primitive = {
        "attributes": {name: index for index, name in enumerate(sizes)},
        "mode": _POINTS,
        "extensions": {EXTENSION: about | {"sortingMethod": "cameraDistance"}},
    }
    return {
        "asset": {"version": "2.0", "generator": "Glimpse3D"},
        "extensionsUsed": [EXTENSION],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "splats"}],
        "meshes": [{"name": "splats", "primitives": [primitive]}],
        "buffers": [{"byteLength": total}],
        "bufferViews": views,
        "accessors": accessors,
    }
