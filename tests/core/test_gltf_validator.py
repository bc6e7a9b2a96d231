"""What Khronos' own validator says about the GLBs that we write."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from glimpse3d.export.mesh import write_mesh
from glimpse3d.formats.splats import write as write_splats
from glimpse3d.types import Mesh
from tests.results import box, splats

PACKAGE = Path(__file__).parents[2] / "build" / "node" / "node_modules" / "gltf-validator"
INSTALL = "npm install --prefix build/node gltf-validator@2.0.0-dev.3.10"
SCRIPT = """
const [, folder, path] = process.argv;
require(folder).validateBytes(new Uint8Array(require("fs").readFileSync(path)))
  .then((report) => console.log(JSON.stringify(report)));
"""


def absent(reason: str) -> NoReturn:
    """Skip on a user's machine; fail in CI, which installs what is needed here."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"in CI this must be there: {reason}")
    pytest.skip(reason)


@pytest.fixture
def validate() -> Callable[[Path], dict[str, Any]]:
    node = shutil.which("node")
    if node is None:
        absent("there is no node")
    if not PACKAGE.is_dir():
        absent(f"there is no {PACKAGE.name}; {INSTALL}")

    def run(path: Path) -> dict[str, Any]:
        command = [node, "-e", SCRIPT, str(PACKAGE), str(path)]
        said = subprocess.run(command, capture_output=True, check=True).stdout
        report: dict[str, Any] = json.loads(said)
        return report

    return run


MESHES = {
    "texture": box(),
    "vertex colors": box(textured=False, colored=True),
    "texture and vertex colors": box(colored=True),
    "bare": box(textured=False),
    "no area": Mesh([[0, 0, 0], [1, 0, 0], [2, 0, 0]], [[0, 1, 2]]),
}


@pytest.mark.parametrize("case", MESHES)
def test_the_validator_has_nothing_to_complain_about(
    case: str, tmp_path: Path, validate: Callable[[Path], dict[str, Any]]
) -> None:
    write_mesh(MESHES[case], tmp_path / "mesh.glb")
    report = validate(tmp_path / "mesh.glb")
    issues = report["issues"]
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]
    assert report["info"]["totalTriangleCount"] == len(MESHES[case].faces)


def test_the_validator_is_awake(tmp_path: Path, validate: Callable[[Path], dict[str, Any]]) -> None:
    write_mesh(box(), tmp_path / "mesh.glb")
    data = (tmp_path / "mesh.glb").read_bytes()
    (tmp_path / "mesh.glb").write_bytes(data.replace(b'"max":[0.3', b'"max":[0.4'))
    assert validate(tmp_path / "mesh.glb")["issues"]["numErrors"] > 0


def test_of_splats_only_what_the_validator_does_not_know_is_named(
    validate: Callable[[Path], dict[str, Any]], tmp_path: Path
) -> None:
    write_splats(splats(), tmp_path / "splats.glb")
    issues = validate(tmp_path / "splats.glb")["issues"]["messages"]
    assert all("KHR_gaussian_splatting" in each["pointer"] + each["message"] for each in issues)
    assert {each["code"] for each in issues} == {
        "UNSUPPORTED_EXTENSION",
        "MESH_PRIMITIVE_INVALID_ATTRIBUTE",  # its name has a colon, as the extension says
    }
