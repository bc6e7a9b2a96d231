"""The mesh of a result in Blender: its sides, its colours, and files that are refused."""

import json
import struct
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import bpy
import numpy as np
import pytest

from tests.results import HALF, SIDES

BOX = Path(__file__).parent / "box" / "mesh.glb"


@pytest.fixture
def mesh(addon: ModuleType, scene: bpy.types.Scene) -> ModuleType:
    return import_module(f"{addon.__name__}.scene.mesh")


@pytest.fixture
def glb(addon: ModuleType) -> ModuleType:
    return import_module(f"{addon.__name__}.scene.glb")


@pytest.fixture
def bad_file(addon: ModuleType) -> type[Exception]:
    return import_module(f"{addon.__name__}._vendor.glimpse3d.errors").BadFile


def texel(image: bpy.types.Image, uv: np.ndarray) -> np.ndarray:
    """(3,) 0..255, the pixel under ``uv``."""
    width, height = image.size
    column, row = int(uv[0] * width), int(uv[1] * height)
    start = (row * width + column) * 4
    return np.array(image.pixels[start : start + 3]) * 255


def texture_of(thing: bpy.types.Object) -> bpy.types.Image:
    tree = thing.data.materials[0].node_tree
    return next(node.image for node in tree.nodes if node.bl_idname == "ShaderNodeTexImage")


def test_box_is_closed_and_as_large_as_it_was_made(mesh: ModuleType) -> None:
    thing = mesh.add_mesh(BOX, bpy.context.scene.collection, "box")
    places = np.array([vertex.co for vertex in thing.data.vertices])
    assert len(places) == 8, "the seams are not welded"
    np.testing.assert_allclose(np.sort(np.unique(places)), [-0.5, -0.3, -0.2, 0.2, 0.3, 0.5])
    np.testing.assert_allclose(np.abs(places), np.tile(HALF, (8, 1)))
    edges = [edge for face in thing.data.polygons for edge in face.edge_keys]
    assert sorted(edges) == sorted([*set(edges)] * 2), "an edge has not two faces"
    assert all(face.use_smooth for face in thing.data.polygons)


def test_every_side_has_its_colour_and_its_dark_corner(mesh: ModuleType) -> None:
    thing = mesh.add_mesh(BOX, bpy.context.scene.collection, "box")
    image, uvs = texture_of(thing), thing.data.uv_layers[0].data
    seen = set()
    for face in thing.data.polygons:
        outward = tuple(round(part) for part in face.normal)
        assert outward[np.argmax(np.abs(face.center))] * max(face.center, key=abs) > 0
        name = next(name for name, (normal, _) in SIDES.items() if normal == outward)
        up = np.array([0, 0, 1]) if outward[2] == 0 else np.array([0, 1, 0])
        right = np.cross(up, outward)
        for loop in face.loop_indices:
            place = np.array(thing.data.vertices[thing.data.loops[loop].vertex_index].co)
            dark = place @ up > 0 and place @ right > 0
            expected = np.array(SIDES[name][1]) // 3 if dark else SIDES[name][1]
            np.testing.assert_allclose(texel(image, np.array(uvs[loop].uv)), expected, atol=0.6)
        seen.add(name)
    assert seen == set(SIDES)


def test_material_is_a_matt_surface_with_the_texture_inside_the_file(mesh: ModuleType) -> None:
    thing = mesh.add_mesh(BOX, bpy.context.scene.collection, "box")
    tree = thing.data.materials[0].node_tree
    principled = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled")
    assert principled.inputs["Roughness"].default_value == 1
    assert principled.inputs["Metallic"].default_value == 0
    source = principled.inputs["Base Color"].links[0].from_node
    assert source.image.packed_file is not None
    assert source.image.colorspace_settings.name == "sRGB"
    assert principled.outputs["BSDF"].links[0].to_node.bl_idname == "ShaderNodeOutputMaterial"


def test_nothing_else_is_made(mesh: ModuleType) -> None:
    kinds = ("objects", "meshes", "materials", "images", "collections", "node_groups", "cameras")
    before = {kind: len(getattr(bpy.data, kind)) for kind in kinds}
    mesh.add_mesh(BOX, bpy.context.scene.collection, "box")
    made = {kind: len(getattr(bpy.data, kind)) - before[kind] for kind in kinds}
    one = dict.fromkeys(("objects", "meshes", "materials", "images"), 1)
    assert made == {**dict.fromkeys(kinds, 0), **one}


def test_collapsed_triangles_are_left_out(mesh: ModuleType) -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [-0.0, 0, 0]], np.float32)
    places, faces, kept = mesh.weld(vertices, np.array([[0, 1, 2], [0, 3, 1], [3, 1, 2]]))
    assert len(places) == 3
    np.testing.assert_array_equal(faces, [[0, 1, 2], [0, 1, 2]])
    np.testing.assert_array_equal(kept, [0, 2])


def pack(document: dict, binary: bytes) -> bytes:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    parts = [
        struct.pack("<II", len(text), 0x4E4F534A), text,
        struct.pack("<II", len(binary), 0x004E4942), binary,
    ]  # fmt: skip
    body = b"".join(parts)
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def unpack(data: bytes) -> tuple[dict, bytes]:
    (size,) = struct.unpack_from("<I", data, 12)
    return json.loads(data[20 : 20 + size]), data[28 + size :]


def test_vertex_colours_stay_linear_and_at_their_corners(mesh: ModuleType, tmp_path: Path) -> None:
    document, binary = unpack(BOX.read_bytes())
    colors = np.linspace(0, 65535, 24 * 4).astype("<u2").reshape(24, 4)
    document["bufferViews"].append(
        {"buffer": 0, "byteOffset": len(binary), "byteLength": colors.nbytes}
    )
    document["accessors"].append(
        {"bufferView": len(document["bufferViews"]) - 1, "componentType": 5123,
         "count": 24, "type": "VEC4", "normalized": True}
    )  # fmt: skip
    primitive = document["meshes"][0]["primitives"][0]
    primitive["attributes"]["COLOR_0"] = len(document["accessors"]) - 1
    del primitive["attributes"]["TEXCOORD_0"]
    del document["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"]
    path = tmp_path / "mesh.glb"
    path.write_bytes(pack(document, binary + colors.tobytes()))
    thing = mesh.add_mesh(path, bpy.context.scene.collection, "box")
    found = np.empty(36 * 4, np.float32)
    thing.data.color_attributes["Color"].data.foreach_get("color", found)
    # The box has its faces in order, two a side, and no triangle of it collapses.
    corners = np.concatenate([np.array([0, 1, 2, 0, 2, 3]) + 4 * side for side in range(6)])
    np.testing.assert_allclose(found.reshape(36, 4), colors[corners] / 65535, atol=1e-6)
    tree = thing.data.materials[0].node_tree
    assert "ShaderNodeVertexColor" in {node.bl_idname for node in tree.nodes}


def without_end(data: bytes) -> bytes:
    return data[:-4]


def of_another_kind(data: bytes) -> bytes:
    return b"PNG!" + data[4:]


def changed(*path: str | int, value: object) -> object:
    """A function that sets one entry of the document."""

    def change(data: bytes) -> bytes:
        document, binary = unpack(data)
        inner = document
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value
        return pack(document, binary)

    return change


SPOILT = {
    "cut short": without_end,
    "another kind": of_another_kind,
    "empty": lambda data: b"",
    "header alone": lambda data: data[:12],
    "extension": changed("extensionsRequired", value=["KHR_draco_mesh_compression"]),
    "no mesh": changed("meshes", value=[]),
    "moved": changed("nodes", 0, "scale", value=[2, 2, 2]),
    "too many": changed("accessors", 0, "count", value=10**9),
    "less than none": changed("accessors", 0, "count", value=-1),
    "before the start": changed("accessors", 0, "byteOffset", value=-8),
    "no such view": changed("accessors", 0, "bufferView", value=99),
    "beyond the end": changed("bufferViews", 0, "byteLength", value=2**40),
    "wrong columns": changed("meshes", 0, "primitives", 0, "attributes", "TEXCOORD_0", value=0),
    "floats as indices": changed("meshes", 0, "primitives", 0, "indices", value=1),
    "lines": changed("meshes", 0, "primitives", 0, "mode", value=1),
    "no surface": changed("materials", 0, "pbrMetallicRoughness", value=7),
    "not a number": changed("images", 0, "bufferView", value=True),
}


ODD = (None, True, -1, 0, 3.5, 2**31, 2**63, 10**30, "x", "", [], {}, [[]], [{}], {"a": []})


def places(value: object, place: tuple = ()) -> Iterator[tuple]:
    """Where each value of a document stands."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*place, key)
        if isinstance(inner, dict | list):
            yield from places(inner, (*place, key))


def test_no_odd_value_at_any_place_raises_anything_else(
    glb: ModuleType, bad_file: type[Exception], tmp_path: Path
) -> None:
    document, _ = unpack(BOX.read_bytes())
    path = tmp_path / "mesh.glb"
    refused = 0
    for place in places(document):
        for odd in ODD:
            path.write_bytes(changed(*place, value=odd)(BOX.read_bytes()))
            try:
                found = glb.read(path)
            except bad_file:
                refused += 1
            else:
                assert np.isfinite(found.vertices).all() and found.faces.max() < len(found.vertices)
    assert refused > 500


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_spoilt_files_are_refused(
    glb: ModuleType, bad_file: type[Exception], tmp_path: Path, spoil: object
) -> None:
    path = tmp_path / "mesh.glb"
    path.write_bytes(spoil(BOX.read_bytes()))
    with pytest.raises(bad_file):
        glb.read(path)


def test_a_texture_that_is_no_picture_is_refused(
    mesh: ModuleType, bad_file: type[Exception], tmp_path: Path
) -> None:
    path = tmp_path / "mesh.glb"
    path.write_bytes(BOX.read_bytes().replace(b"\x89PNG", b"JUNK"))
    with pytest.raises(bad_file, match="not a picture"):
        mesh.add_mesh(path, bpy.context.scene.collection, "box")
