import io
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import trimesh

from glimpse3d import __version__
from glimpse3d.coords import GLTF_FROM_HOUSE
from glimpse3d.errors import InvalidData, OutputFailed
from glimpse3d.export.mesh import glb_bytes, smooth_normals, stl_bytes, write_mesh
from glimpse3d.types import Mesh
from tests.results import HALF, SIDES, box


def parts(glb: bytes) -> tuple[dict[str, Any], bytes]:
    magic, version, length = struct.unpack_from("<4sII", glb)
    assert (magic, version, length) == (b"glTF", 2, len(glb))
    size = struct.unpack_from("<I", glb, 12)[0]
    return json.loads(glb[20 : 20 + size]), glb[28 + size :]


def values(glb: bytes, name: str) -> np.ndarray:
    gltf, binary = parts(glb)
    primitive = gltf["meshes"][0]["primitives"][0]
    index = primitive["indices"] if name == "indices" else primitive["attributes"][name]
    accessor = gltf["accessors"][index]
    view = gltf["bufferViews"][accessor["bufferView"]]
    dtype = {5126: "<f4", 5125: "<u4", 5123: "<u2"}[accessor["componentType"]]
    width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}[accessor["type"]]
    data = binary[view["byteOffset"] :][: view["byteLength"]]
    return np.frombuffer(data, dtype).reshape(accessor["count"], width)


def sphere() -> Mesh:
    ball = trimesh.creation.icosphere(subdivisions=3)
    # Every face gets its own corners, as if every edge were a seam.
    return Mesh(
        ball.vertices[ball.faces].reshape(-1, 3), np.arange(3 * len(ball.faces)).reshape(-1, 3)
    )


def test_normals_are_smooth_across_seams() -> None:
    mesh = sphere()
    normals = smooth_normals(mesh)
    outward = mesh.vertices / np.linalg.norm(mesh.vertices, axis=1, keepdims=True)
    assert np.einsum("nk,nk->n", normals, outward).min() > 0.999
    box_normals = smooth_normals(box())
    expected = np.sign(box().vertices) / 3**0.5
    assert np.einsum("nk,nk->n", box_normals, expected).min() > 0.8


def test_normals_are_unit_even_where_there_is_no_area() -> None:
    flat = Mesh([[0, 0, 0], [1, 0, 0], [2, 0, 0], [-0.0, 0, 0]], [[0, 1, 2], [3, 1, 2]])
    assert np.allclose(np.linalg.norm(smooth_normals(flat), axis=1), 1)


def test_glb_is_y_up_with_the_front_to_plus_z() -> None:
    glb = glb_bytes(box())
    positions = values(glb, "POSITION")
    assert np.allclose(np.abs(positions).max(axis=0), HALF[[0, 2, 1]])
    front = values(glb, "indices").reshape(-1, 3)[:2]
    assert np.all(positions[front][..., 2] == np.float32(HALF[1]))
    a, b, c = positions[front[0]]
    assert np.cross(b - a, c - a)[2] > 0  # still counter-clockwise from outside


def test_glb_holds_what_every_importer_needs() -> None:
    gltf, _ = parts(glb_bytes(box(), "owl"))
    assert gltf["asset"] == {"version": "2.0", "generator": f"Glimpse3D {__version__}"}
    surface = gltf["materials"][0]["pbrMetallicRoughness"]
    assert (surface["metallicFactor"], surface["roughnessFactor"]) == (0, 1)
    assert gltf["nodes"] == [{"mesh": 0, "name": "owl"}]
    assert gltf["samplers"][0]["wrapS"] == 33071
    positions = values(glb_bytes(box()), "POSITION")
    bounds = gltf["accessors"][gltf["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    assert np.array_equal(np.float32(bounds["min"]), positions.min(axis=0))
    assert np.array_equal(np.float32(bounds["max"]), positions.max(axis=0))


def test_glb_texture_reads_back_where_the_uvs_point() -> None:
    glb = glb_bytes(box())
    gltf, binary = parts(glb)
    view = gltf["bufferViews"][gltf["images"][0]["bufferView"]]
    picture = PIL.Image.open(io.BytesIO(binary[view["byteOffset"] :][: view["byteLength"]]))
    uvs, triangles = values(glb, "TEXCOORD_0"), values(glb, "indices").reshape(-1, 3)
    for side, (_, color) in enumerate(SIDES.values()):
        u, v = uvs[triangles[2 * side]].mean(axis=0)
        assert picture.getpixel((int(u * picture.width), int(v * picture.height))) == color


def test_glb_uvs_count_downwards() -> None:
    mesh = box()
    assert mesh.uvs is not None
    assert np.allclose(values(glb_bytes(mesh), "TEXCOORD_0"), mesh.uvs * [1, -1] + [0, 1])


def test_glb_vertex_colors_are_linear() -> None:
    mesh = box(textured=False, colored=True)
    stored = values(glb_bytes(mesh), "COLOR_0") / 65535
    assert mesh.colors is not None
    srgb = np.where(stored <= 0.0031308, stored * 12.92, 1.055 * stored ** (1 / 2.4) - 0.055)
    assert np.array_equal(np.rint(srgb[:, :3] * 255), mesh.colors[:, :3])
    assert np.all(stored[:, 3] == 1)
    # 188 of 255 in sRGB is half the light of white.
    grey = Mesh(mesh.vertices, mesh.faces, np.full((24, 4), 188, np.uint8))
    assert abs(values(glb_bytes(grey), "COLOR_0")[0, 0] / 65535 - 0.5) < 0.01


def test_trimesh_reads_the_glb_back(tmp_path: Path) -> None:
    write_mesh(box(), tmp_path / "mesh.glb")
    loaded = trimesh.load(tmp_path / "mesh.glb", force="mesh", process=False)
    assert np.allclose(loaded.vertices @ GLTF_FROM_HOUSE, box().vertices)
    assert np.array_equal(loaded.faces, box().faces)
    loaded.merge_vertices(merge_tex=True, merge_norm=True)
    assert loaded.is_volume and loaded.volume == pytest.approx(8 * np.prod(HALF))


def test_bytes_are_the_same_in_another_process(tmp_path: Path) -> None:
    code = (
        "import sys, hashlib; from tests.results import box;"
        "from glimpse3d.export.mesh import glb_bytes;"
        "print(hashlib.sha256(glb_bytes(box())).hexdigest())"
    )
    root = Path(__file__).parents[2]
    seeds = [{"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)} for seed in ("1", "2")]
    said = [
        subprocess.run([sys.executable, "-c", code], env={**os.environ, **seed}, check=True,
                       capture_output=True).stdout
        for seed in seeds
    ]  # fmt: skip
    assert said[0] == said[1]


def test_obj_with_its_material_and_picture(tmp_path: Path) -> None:
    names = [path.name for path in write_mesh(box(), tmp_path / "mesh.obj")]
    assert names == ["mesh.obj", "mesh.mtl", "mesh.png"]
    text = (tmp_path / "mesh.obj").read_text()
    assert "+Y up" in text and "mtllib mesh.mtl" in text
    assert "map_Kd mesh.png" in (tmp_path / "mesh.mtl").read_text()
    loaded = trimesh.load(tmp_path / "mesh.obj", force="mesh", process=False)
    assert loaded.volume == pytest.approx(8 * np.prod(HALF), rel=1e-6)
    assert np.allclose(loaded.bounds[1], HALF[[0, 2, 1]])
    colors = loaded.visual.to_color().vertex_colors
    front = loaded.vertices[:, 2] > 0.19
    found = {tuple(int(c) for c in each[:3]) for each in colors[front]}
    assert SIDES["front"][1] in found and SIDES["back"][1] not in found


def test_obj_numbers_read_back_exactly(tmp_path: Path) -> None:
    vertices = np.random.default_rng(1).normal(size=(30, 3)).astype(np.float32)
    mesh = Mesh(vertices, np.arange(30).reshape(-1, 3))
    write_mesh(mesh, tmp_path / "m.obj")
    rows = [
        line.split()[1:]
        for line in (tmp_path / "m.obj").read_text().splitlines()
        if line[:2] == "v "
    ]
    assert np.array_equal(np.array(rows, np.float32) @ GLTF_FROM_HOUSE.astype(np.float32), vertices)


def test_obj_carries_vertex_colors(tmp_path: Path) -> None:
    files = write_mesh(box(textured=False, colored=True), tmp_path / "m.obj")
    assert [path.suffix for path in files] == [".obj", ".mtl"]
    first = next(line for line in files[0].read_text().splitlines() if line.startswith("v "))
    assert np.allclose(np.array(first.split()[4:], float) * 255, SIDES["front"][1])


def test_stl_is_in_millimetres_and_z_up() -> None:
    loaded = trimesh.load(io.BytesIO(stl_bytes(box())), file_type="stl")
    assert loaded.is_volume
    assert np.allclose(loaded.bounds[1], 1000 * HALF)
    assert loaded.volume == pytest.approx(8 * np.prod(HALF) * 1e9)
    assert not stl_bytes(box()).startswith(b"solid")


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidData):
        write_mesh(Mesh(np.zeros((3, 3)), np.zeros((0, 3))), tmp_path / "m.glb")
    with pytest.raises(OutputFailed, match="no mesh format"):
        write_mesh(box(), tmp_path / "m.fbx")
    with pytest.raises(OutputFailed):
        write_mesh(box(), tmp_path / "nowhere" / "m.glb")
