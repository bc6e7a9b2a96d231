"""Real Blender opens what we write: upright, facing -Y, in metres, with its colours in place."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glimpse3d.export.mesh import write_mesh
from glimpse3d.formats import splat_ply
from tests.results import HALF, SIDES, box, splats

pytestmark = pytest.mark.slow

ADDON_BUILD = Path(__file__).parents[2] / "addon_build"

# Runs inside Blender. A bpy process may hang at its end, so it leaves by os._exit.
SCRIPT = """
import json, os, sys
import bpy
import numpy as np

def columns(collection, name, width):
    values = np.zeros(len(collection) * width, np.float32)
    collection.foreach_get(name, values)
    return values.reshape(-1, width)

def side_of(mesh, world, polygon):
    normal = world.to_3x3() @ polygon.normal
    loops = list(polygon.loop_indices)
    uvs = mesh.uv_layers.active.data if mesh.uv_layers else None
    colors = mesh.color_attributes.active_color if mesh.color_attributes else None
    vertices = [mesh.loops[loop].vertex_index for loop in loops]
    return {
        "normal": list(normal),
        "center": list(world @ polygon.center),
        "uv": np.mean([uvs[loop].uv for loop in loops], axis=0).tolist() if uvs else None,
        "color": list(colors.data[vertices[0] if colors.domain == "POINT" else loops[0]].color_srgb)
        if colors else None,
    }

def mesh_facts():
    item = next(each for each in bpy.context.scene.objects if each.type == "MESH")
    mesh, world = item.data, item.matrix_world
    places = np.array([world @ vertex.co for vertex in mesh.vertices])
    facts = {
        "name": item.name,
        "low": places.min(axis=0).tolist(), "high": places.max(axis=0).tolist(),
        "sides": [side_of(mesh, world, polygon) for polygon in mesh.polygons],
    }
    nodes = [node for slot in item.material_slots for node in slot.material.node_tree.nodes]
    principled = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    facts["roughness"] = principled.inputs["Roughness"].default_value
    facts["metallic"] = principled.inputs["Metallic"].default_value
    images = [node.image for node in nodes if node.type == "TEX_IMAGE"]
    facts["images"] = [list(image.size) for image in images]
    facts["spaces"] = [image.colorspace_settings.name for image in images]
    if images:
        width, height = images[0].size
        pixels = np.array(images[0].pixels).reshape(height, width, 4)  # lowest row first, like v
        for side in facts["sides"]:
            u, v = side["uv"]
            side["color"] = pixels[int(v * height), int(u * width)].tolist()
    return facts

def cloud_facts():
    item = next(each for each in bpy.context.scene.objects if each.type == "MESH")
    attributes = item.data.attributes
    return {
        "count": len(item.data.vertices),
        "names": sorted(attributes.keys()),
        "f_dc_0": columns(attributes["f_dc_0"].data, "value", 1).ravel().tolist(),
    }

facts = {}
for path in sys.argv[1:]:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if path.endswith(".ply"):
        bpy.ops.wm.ply_import(filepath=path)
        facts[os.path.basename(path)] = cloud_facts()
    elif path.endswith(".obj"):
        bpy.ops.wm.obj_import(filepath=path)
        facts[os.path.basename(path)] = mesh_facts()
    else:
        bpy.ops.import_scene.gltf(filepath=path)
        facts[os.path.basename(path)] = mesh_facts()
print("FACTS " + json.dumps(facts))
sys.stdout.flush()
os._exit(0)
"""


@pytest.fixture(scope="module")
def blender() -> Path:
    """The Python of the environment in which the extension is tested too."""
    sys.path.insert(0, str(ADDON_BUILD))
    try:
        blenders = importlib.import_module("blenders")
    finally:
        sys.path.remove(str(ADDON_BUILD))
    try:
        blenders.ensure(blenders.FIRST)
    except blenders.AbsentError as reason:
        pytest.skip(f"Blender {blenders.FIRST.version}: {reason}")
    interpreter: Path = blenders.FIRST.interpreter
    return interpreter


@pytest.fixture(scope="module")
def facts(blender: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("files")
    write_mesh(box(), folder / "textured.glb")
    write_mesh(box(textured=False, colored=True), folder / "colored.glb")
    write_mesh(box(), folder / "textured.obj")
    splat_ply.write(splats(), folder / "splats.ply")
    files = [
        folder / name for name in ("textured.glb", "colored.glb", "textured.obj", "splats.ply")
    ]
    (folder / "look.py").write_text(SCRIPT)
    said = subprocess.run(
        [blender, folder / "look.py", *files], capture_output=True, text=True, timeout=300,
        env={**os.environ, "BLENDER_USER_RESOURCES": str(folder / "user")},
    )  # fmt: skip
    lines = [line for line in said.stdout.splitlines() if line.startswith("FACTS ")]
    assert lines, said.stdout + said.stderr
    found: dict[str, Any] = json.loads(lines[0].removeprefix("FACTS "))
    return found


MESHES = ["textured.glb", "colored.glb", "textured.obj"]


@pytest.mark.parametrize("file", MESHES)
def test_it_stands_upright_in_metres(file: str, facts: dict[str, Any]) -> None:
    assert np.allclose(facts[file]["high"], HALF, atol=1e-6)
    assert np.allclose(facts[file]["low"], -HALF, atol=1e-6)


@pytest.mark.parametrize("file", MESHES)
def test_every_side_has_its_color_and_faces_its_way(file: str, facts: dict[str, Any]) -> None:
    sides = facts[file]["sides"]
    assert len(sides) == 12
    for outward, color in SIDES.values():
        facing = [side for side in sides if np.dot(side["normal"], outward) > 0.99]
        assert len(facing) == 2
        for side in facing:
            assert np.dot(side["center"], outward) > 0  # it looks out, not in
            assert np.allclose(np.array(side["color"][:3]) * 255, color, atol=1.01)


def test_the_front_is_towards_minus_y(facts: dict[str, Any]) -> None:
    red = np.array(SIDES["front"][1]) / 255
    front = [
        s for s in facts["textured.glb"]["sides"] if np.allclose(s["color"][:3], red, atol=0.01)
    ]
    assert len(front) == 2
    assert all(np.allclose(side["normal"], (0, -1, 0), atol=1e-5) for side in front)


def test_the_material_is_rough_and_the_texture_is_srgb(facts: dict[str, Any]) -> None:
    textured = facts["textured.glb"]
    assert textured["images"] == [[96, 16]] and textured["spaces"] == ["sRGB"]
    assert facts["colored.glb"]["images"] == []
    for file in MESHES:
        assert (facts[file]["roughness"], facts[file]["metallic"]) == (1, 0)
    assert textured["name"].startswith("textured")


def test_splats_come_in_as_points_with_their_values(facts: dict[str, Any]) -> None:
    cloud = facts["splats.ply"]
    assert cloud["count"] == len(splats())
    wanted = {"f_dc_0", "f_dc_1", "f_dc_2", "opacity", "scale_0", "rot_3"}
    assert wanted <= set(cloud["names"])
    assert np.array_equal(np.float32(cloud["f_dc_0"]), splats().sh[:, 0, 0])
