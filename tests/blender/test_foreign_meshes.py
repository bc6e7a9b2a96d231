"""Meshes of other tools, brought in by Blender's own importers, covered in what they show.

The files are put together here, byte by byte: a square of a metre, whose texture has four quarters.
"""

import json
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest

from tests.blender.test_scene_mesh import pack

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], "<f4")
TURNS = np.array([0, 1, 2, 0, 2, 3], "<u2")
PLACES = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], "<f4")
RED, GREEN, BLUE, WHITE, BLACK, GREY = (
    (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1), (0, 0, 0), (0.5, 0.5, 0.5),
)  # fmt: skip
# As they are seen: above left, above right, below left, below right.
QUARTERS = (RED, GREEN, BLUE, WHITE)
REDS = np.array([[255, 0, 0, 255]] * 4, "<u1")
TYPES = {"u1": 5121, "u2": 5123, "u4": 5125, "f4": 5126}


@pytest.fixture
def ours(addon: ModuleType, scene: bpy.types.Scene) -> SimpleNamespace:
    names = {"data": "scene.splat_data", "png": "scene.image", "sh": "_vendor.glimpse3d.formats.sh"}
    loaded = {name: import_module(f"{addon.__name__}.{path}") for name, path in names.items()}
    return SimpleNamespace(**loaded)


def texture(ours: SimpleNamespace, clear: bool = False) -> bytes:
    """The four quarters as a PNG, of which the first is transparent or not."""
    pixels = np.full((16, 16, 4), 255, np.uint8)
    for index, color in enumerate(QUARTERS):
        row, column = 8 * (index // 2), 8 * (index % 2)
        pixels[row : row + 8, column : column + 8, :3] = np.multiply(color, 255)
    pixels[:8, :8, 3] = 60 if clear else 255
    return bytes(ours.png.encode_png(pixels))


def glb(
    arrays: dict[str, np.ndarray],
    indices: np.ndarray | None,
    material: dict[str, Any] | None = None,
    png: bytes = b"",
    **more: Any,
) -> bytes:
    """One mesh as a GLB; ``more`` is its mode, its node, extensions."""
    binary, views, accessors = b"", [], []

    def view(data: bytes) -> int:
        nonlocal binary
        binary += bytes(-len(binary) % 4)
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(data)})
        binary += data
        return len(views) - 1

    def accessor(values: np.ndarray) -> int:
        about = {
            "bufferView": view(values.tobytes()), "componentType": TYPES[values.dtype.str[1:]],
            "count": len(values), "type": f"VEC{values.shape[1]}" if values.ndim > 1 else "SCALAR",
        }  # fmt: skip
        if values.ndim > 1 and values.dtype.kind == "u":
            about["normalized"] = True
        if values.shape[1:] == (3,):
            about |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        accessors.append(about)
        return len(accessors) - 1

    primitive: dict[str, Any] = {
        "attributes": {name: accessor(values) for name, values in arrays.items()},
        "mode": more.get("mode", 4),
    }
    if indices is not None:
        primitive["indices"] = accessor(indices)
    document: dict[str, Any] = {
        "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, **more.get("node", {})}], "meshes": [{"primitives": [primitive]}],
        "extensionsUsed": ["KHR_texture_transform"],
    }  # fmt: skip
    if png:
        document["images"] = [{"bufferView": view(png), "mimeType": "image/png"}]
        document["textures"] = [{"source": 0}]
    if material is not None:
        primitive["material"], document["materials"] = 0, [material]
    binary += bytes(-len(binary) % 4)
    about = {"bufferViews": views, "accessors": accessors, "buffers": [{"byteLength": len(binary)}]}
    return bytes(pack(document | about, binary))


def painted(**factors: Any) -> dict[str, Any]:
    return {"pbrMetallicRoughness": factors}


def textured(**about: Any) -> dict[str, Any]:
    return painted(baseColorTexture={"index": 0, **about})


def covered(ours: SimpleNamespace, path: Path) -> SimpleNamespace:
    """Import the file, cover its mesh, and tell what is seen in each quarter."""
    if path.suffix == ".glb":
        bpy.ops.import_scene.gltf(filepath=str(path))
    else:
        bpy.ops.wm.obj_import(filepath=str(path))
    thing = next(each for each in bpy.data.objects if each.type == "MESH")
    bpy.context.view_layer.objects.active = thing
    assert bpy.ops.glimpse3d.splats_from_mesh(count=400) == {"FINISHED"}
    cloud = ours.data.read_cloud(bpy.context.active_object.data)
    seen = ours.sh.to_color(cloud.sh[:, 0])
    x, z = cloud.means[:, 0], cloud.means[:, 2]
    inside = (np.abs(x - 0.5) > 0.06) & (np.abs(z - 0.5) > 0.06)
    quarters = 2 * (z < 0.5) + (x > 0.5)
    return SimpleNamespace(
        cloud=cloud, quarters=[seen[inside & (quarters == each)] for each in range(4)]
    )


SQUARE = {"POSITION": CORNERS}
MAPPED = {**SQUARE, "TEXCOORD_0": PLACES}
ALL_RED = (RED,) * 4
ALL_GREY = (GREY,) * 4
MOVED = {"KHR_texture_transform": {"scale": [2, 2]}}
TURNED = {"KHR_texture_transform": {"offset": [0, 1], "rotation": np.pi / 2}}
TWICE = {**SQUARE, "TEXCOORD_0": PLACES * 0, "TEXCOORD_1": PLACES}
# What is given to ``glb``, and what is seen of it.
SHOWN: dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]] = {
    "no indices": (({"POSITION": CORNERS[TURNS]}, None), ALL_GREY),
    "indices of a byte": ((SQUARE, TURNS.astype("<u1")), ALL_GREY),
    "triangles of no area": (
        (SQUARE, np.r_[[0, 0, 1, 0, 1, 1], TURNS, TURNS].astype("<u4")), ALL_GREY,
    ),
    "colours of a byte": (({**SQUARE, "COLOR_0": REDS}, TURNS), ALL_RED),
    "colours of two": (({**SQUARE, "COLOR_0": REDS.astype("<u2") * 257}, TURNS), ALL_RED),
    "colours as floats": (
        ({**SQUARE, "COLOR_0": (REDS[:, :3] / 255).astype("<f4")}, TURNS), ALL_RED,
    ),
    "a plain colour": ((SQUARE, TURNS, painted(baseColorFactor=[1, 0, 0, 1])), ALL_RED),
    "a texture": ((MAPPED, TURNS, textured()), QUARTERS),
    "a texture without places": ((SQUARE, TURNS, textured()), ALL_GREY),
    "a tinted texture": (
        (MAPPED, TURNS, painted(baseColorTexture={"index": 0}, baseColorFactor=[1, 0, 0, 1])),
        (RED, BLACK, BLACK, RED),
    ),
    "the second places": ((TWICE, TURNS, textured(texCoord=1)), QUARTERS),
    "places that are moved": (
        ({**SQUARE, "TEXCOORD_0": PLACES / 2}, TURNS, textured(extensions=MOVED)), QUARTERS,
    ),
    # u, v become v, 1 - u, as the extension's own matrices say.
    "places that are turned": (
        (MAPPED, TURNS, textured(extensions=TURNED)), (BLUE, RED, WHITE, GREEN),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", list(SHOWN))
def test_a_file_is_covered_in_what_it_shows(
    ours: SimpleNamespace, tmp_path: Path, kind: str
) -> None:
    parts, wanted = SHOWN[kind]
    png = texture(ours) if "Texture" in json.dumps(parts[2:]) else b""
    material = parts[2] if len(parts) > 2 else None
    (tmp_path / "odd.glb").write_bytes(glb(parts[0], parts[1], material, png))
    found = covered(ours, tmp_path / "odd.glb")
    for seen, color in zip(found.quarters, wanted, strict=True):
        assert len(seen) > 40
        np.testing.assert_allclose(seen, np.tile(color, (len(seen), 1)), atol=0.01)


@pytest.mark.parametrize(("mode", "order"), [(5, [0, 1, 3, 2]), (6, [0, 1, 2, 3])])
def test_strips_and_fans_are_covered(
    ours: SimpleNamespace, tmp_path: Path, mode: int, order: list[int]
) -> None:
    (tmp_path / "odd.glb").write_bytes(glb({"POSITION": CORNERS[order]}, None, mode=mode))
    assert min(map(len, covered(ours, tmp_path / "odd.glb").quarters)) > 40


@pytest.mark.parametrize(("mode", "opacity"), [("MASK", 0.0), ("BLEND", 60 / 255)])
def test_what_is_transparent_is_not_covered_as_if_it_were_not(
    ours: SimpleNamespace, tmp_path: Path, mode: str, opacity: float
) -> None:
    data = glb(MAPPED, TURNS, {**textured(), "alphaMode": mode}, texture(ours, clear=True))
    (tmp_path / "leaf.glb").write_bytes(data)
    found = covered(ours, tmp_path / "leaf.glb")
    cut, *solid = found.quarters
    assert (len(cut) > 40) == (opacity > 0) and min(map(len, solid)) > 40
    if opacity:
        least = np.sort(found.cloud.opacities)[: len(cut)]
        np.testing.assert_allclose(least, 0.99 * opacity, atol=0.01)


def test_a_mirrored_and_turned_node_is_covered_where_it_stands(
    ours: SimpleNamespace, tmp_path: Path
) -> None:
    node = {"scale": [-1, 2, 1], "rotation": [0, 0.5**0.5, 0, 0.5**0.5]}
    (tmp_path / "n.glb").write_bytes(glb(SQUARE, TURNS, node=node))
    cloud = covered(ours, tmp_path / "n.glb").cloud
    np.testing.assert_allclose(cloud.means.min(axis=0), [0, -1, 0], atol=0.08)
    np.testing.assert_allclose(cloud.means.max(axis=0), [0, 0, 2], atol=0.08)


OBJECTS = {
    "colours beside places": "v 0 0 0 1 0 0\nv 1 0 0 1 0 0\nv 1 1 0 1 0 0\nv 0 1 0 1 0 0\n"
    "f 1 2 3 4\n",
    "counted from the end": "v 0 0 0\r\nv 1 0 0\r\nv 1 1 0\r\nv 0 1 0\r\nf -4 -3 -2 -1\r\n",
    "many corners": "mtllib gone away.mtl\nusemtl a b\nv 0 0 0\nv 1e0 0 0\nv 1.0E0 .5 0\nv 1 1 0\n"
    "v 0 1 0\nf 1 2 3 \\\n4 5\n",
}


@pytest.mark.parametrize("kind", list(OBJECTS))
def test_objs_are_covered(ours: SimpleNamespace, tmp_path: Path, kind: str) -> None:
    (tmp_path / "odd.obj").write_text(OBJECTS[kind])
    found = covered(ours, tmp_path / "odd.obj")
    np.testing.assert_allclose(found.cloud.means.max(axis=0), [1, 0, 1], atol=0.05)
    if kind.startswith("colours"):
        for seen in found.quarters:
            np.testing.assert_allclose(seen, np.tile(RED, (len(seen), 1)), atol=0.01)


def test_a_mesh_without_faces_says_so_and_leaves_nothing(
    ours: SimpleNamespace, tmp_path: Path
) -> None:
    (tmp_path / "line.obj").write_text("v 0 0 0\nv 1 0 0\nl 1 2\n")
    bpy.ops.wm.obj_import(filepath=str(tmp_path / "line.obj"))
    before = len(bpy.data.objects), len(bpy.data.meshes)
    bpy.context.view_layer.objects.active = bpy.data.objects[0]
    with pytest.raises(RuntimeError, match="no surface"):
        bpy.ops.glimpse3d.splats_from_mesh()
    assert (len(bpy.data.objects), len(bpy.data.meshes)) == before
