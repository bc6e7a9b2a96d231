"""Meshes from strangers: refused with a typed error before memory is spent on them."""

import io
import json
import random
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from glimpse3d import mesh_files
from glimpse3d.errors import BadFile, Glimpse3DError
from glimpse3d.export.mesh import write_mesh
from glimpse3d.formats import glb_chunks, glb_gate
from tests.results import box


def good(folder: Path) -> bytes:
    write_mesh(box(), folder / "good.glb")
    return (folder / "good.glb").read_bytes()


def _good() -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return good(Path(folder))


GOOD = _good()


def changed(change: Callable[[dict[str, Any]], object], more: bytes = b"") -> bytes:
    """The good GLB with its JSON changed and ``more`` data at its end."""
    parsed = glb_chunks.parse(memoryview(GOOD))
    tree = json.loads(json.dumps(parsed.json))
    binary = bytes(parsed.binary) + more + bytes(-len(more) % 4)
    if tree.get("buffers"):
        tree["buffers"][0]["byteLength"] = len(binary)
    change(tree)
    return glb_chunks.head(tree, len(binary)) + binary


def put(*path: Any) -> Callable[[dict[str, Any]], None]:
    """A change that puts the last of ``path`` where the others lead."""

    def change(tree: dict[str, Any]) -> None:
        *way, name, value = path
        for step in way:
            tree = tree[step]
        tree[name] = value

    return change


def picture_instead(data: bytes) -> bytes:
    """The good GLB with ``data`` for its texture."""

    def change(tree: dict[str, Any]) -> None:
        start = tree["buffers"][0]["byteLength"] - len(data) - (-len(data) % 4)
        tree["bufferViews"].append({"buffer": 0, "byteOffset": start, "byteLength": len(data)})
        tree["images"][0] = {"bufferView": len(tree["bufferViews"]) - 1, "mimeType": "image/png"}

    return changed(change, data)


def large_picture(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    PIL.Image.new("1", (width, height)).save(stream, "PNG")
    return stream.getvalue()


def half_a_picture() -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    PIL.Image.fromarray(noise).save(stream, "PNG")
    return stream.getvalue()[: stream.tell() // 2]


def many_views(tree: dict[str, Any]) -> None:
    whole = {"buffer": 0, "byteOffset": 0, "byteLength": tree["buffers"][0]["byteLength"]}
    tree["bufferViews"] += [whole] * 15_000


def many_accessors(tree: dict[str, Any]) -> None:
    tree["accessors"] += [dict(tree["accessors"][0])] * 15_000


def deep(tree: dict[str, Any]) -> None:
    tree["nodes"] = [{"children": [index + 1]} for index in range(5000)] + [{"mesh": 0}]
    tree["scenes"] = [{"nodes": [0]}]


def crowd(tree: dict[str, Any]) -> None:
    """15,000 nodes that each show 100,000 triangles."""
    tree["accessors"].append(dict(tree["accessors"][0]))
    row = tree["accessors"][tree["meshes"][0]["primitives"][0]["indices"]]
    view = tree["bufferViews"][row["bufferView"]]
    row["count"], row["componentType"] = 300_000, 5121
    view["byteOffset"], view["byteLength"] = 0, 300_000
    tree["nodes"] = [{"mesh": 0} for _ in range(15_000)]
    tree["scenes"] = [{"nodes": list(range(15_000))}]


def several_parents(tree: dict[str, Any]) -> None:
    """Each level shows the next one twice: 2^60 meshes."""
    tree["nodes"] = [{"children": [index + 1, index + 1]} for index in range(60)] + [{"mesh": 0}]


def raw(text: bytes) -> bytes:
    text += b" " * (-len(text) % 4)
    return struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text), len(text), b"JSON") + text


PRIMITIVE = ("meshes", 0, "primitives", 0)
HOSTILE: dict[str, bytes] = {
    "no glb": b"It was a dark and stormy night. " * 40,
    "nothing": b"",
    "cut": GOOD[:-200],
    "brackets": raw(b"[" * 100_000),
    "a number of 5000 digits": raw(b'{"a":' + b"9" * 5000 + b"}"),
    "not finite": raw(b'{"a":NaN}'),
    "uri": changed(put("buffers", 0, "uri", "file:///etc/passwd")),
    "picture uri": changed(put("images", 0, {"uri": "../../x.png"})),
    "picture data uri": changed(put("images", 0, {"uri": "data:image/png;base64,AAAA"})),
    "picture of another kind": picture_instead(b"%!PS-Adobe-3.0 EPSF-3.0\n" * 9),
    "picture of no bytes": changed(put("images", 0, {})),
    "count": changed(put("accessors", 0, "count", 2**31 - 1)),
    "count below zero": changed(put("accessors", 0, "count", -1)),
    "count is true": changed(put("accessors", 0, "count", True)),
    "a view beyond the file": changed(put("bufferViews", 0, "byteLength", 2**31)),
    "a view of another buffer": changed(put("bufferViews", 0, "buffer", 1)),
    "an offset": changed(put("accessors", 0, "byteOffset", 2**40)),
    "a stride": changed(put("bufferViews", 0, "byteStride", 2**30)),
    "zeros out of nothing": changed(
        lambda tree: tree["accessors"].append(
            {"componentType": 5126, "count": 2**31 - 1, "type": "MAT4"}
        )
    ),
    "sparse zeros": changed(
        lambda tree: tree["accessors"].append(
            {"componentType": 5126, "count": 2**33, "type": "VEC4", "sparse": {"count": 1}}
        )
    ),
    "bomb of views": changed(many_views),
    "bomb of accessors": changed(many_accessors),
    "bomb of nodes": changed(several_parents),
    "crowd": changed(crowd, bytes(300_000)),
    "deep": changed(deep),
    "cycle": changed(put("nodes", [{"children": [1]}, {"children": [0], "mesh": 0}])),
    "its own child": changed(put("nodes", [{"children": [0], "mesh": 0}])),
    "a mesh that is not there": changed(put("nodes", [{"mesh": 9}])),
    "a node that is not there": changed(put("nodes", [{"children": [7]}])),
    "an index that is not there": changed(put(*PRIMITIVE, "indices", 99)),
    "an unknown type": changed(put("accessors", 0, "type", "VEC9")),
    "an unhashable type": changed(put("accessors", 0, "type", ["VEC3"])),
    "unknown numbers": changed(put("accessors", 0, "componentType", 5124)),
    "a needed extension": changed(put("extensionsRequired", ["KHR_draco_mesh_compression"])),
    "a table of numbers": changed(put("nodes", [1, 2])),
    "a table of a million": changed(put("cameras", [{}] * 30_000)),
    "primitives of words": changed(put("meshes", 0, "primitives", "many")),
    "attributes of several lengths": changed(
        lambda tree: tree["accessors"][
            tree["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"]
        ].update(count=3)
    ),
    "a picture of 600 million pixels": picture_instead(large_picture(30_000, 10_000)),
    "a broken picture": picture_instead(half_a_picture()),
}  # fmt: skip


@pytest.mark.parametrize("name", list(HOSTILE))
def test_a_hostile_mesh_is_refused_before_memory_is_spent(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mesh.glb"
    path.write_bytes(HOSTILE[name])
    tracemalloc.start()
    with pytest.raises(BadFile) as caught:
        mesh_files.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * 2**20
    assert caught.value.message and len(str(caught.value)) < 400


def test_indices_beyond_the_vertices_are_refused(tmp_path: Path) -> None:
    parsed = glb_chunks.parse(memoryview(GOOD))
    row = parsed.entry("accessors", parsed.json["meshes"][0]["primitives"][0]["indices"])
    at = len(GOOD) - len(parsed.binary) + parsed.json["bufferViews"][row["bufferView"]].get(
        "byteOffset", 0
    )  # fmt: skip
    path = tmp_path / "mesh.glb"
    path.write_bytes(GOOD[:at] + b"\xff" * 4 + GOOD[at + 4 :])
    with pytest.raises(Glimpse3DError):
        mesh_files.read(path)


def test_noise_never_gets_past_a_typed_error(tmp_path: Path) -> None:
    noise, path, refused = random.Random(3), tmp_path / "mesh.glb", 0
    json_end = 20 + struct.unpack_from("<I", GOOD, 12)[0]
    for index in range(150):
        data = bytearray(GOOD)
        end = len(data) if index % 3 else json_end
        for _ in range(noise.randrange(1, 5)):
            data[noise.randrange(end)] = noise.randrange(256)
        path.write_bytes(data)
        try:
            meshes = mesh_files.read(path)
            assert sum(len(each.faces) for each in meshes) <= 12
        except Glimpse3DError:
            refused += 1
    assert refused > 40


def test_good_files_pass(tmp_path: Path) -> None:
    import trimesh

    glb_gate.check(glb_chunks.parse(memoryview(GOOD)))
    scene = trimesh.Scene([trimesh.creation.icosphere(), trimesh.creation.box()])
    glb_gate.check(glb_chunks.parse(memoryview(scene.export(file_type="glb"))))


def test_pieces_share_the_picture_that_they_share(tmp_path: Path) -> None:
    import trimesh

    picture = PIL.Image.new("RGB", (64, 64), (200, 30, 30))
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=picture)
    pieces = []
    for index in range(2):
        each = trimesh.creation.box(
            transform=trimesh.transformations.translation_matrix([index, 0, 0])
        )
        uvs = np.zeros((len(each.vertices), 2))
        each.visual = trimesh.visual.TextureVisuals(uv=uvs, material=material)
        pieces.append(each)
    (tmp_path / "two.glb").write_bytes(trimesh.Scene(pieces).export(file_type="glb"))
    one, other = mesh_files.read(tmp_path / "two.glb")
    assert one.texture is not None and one.texture is other.texture
