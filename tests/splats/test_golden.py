"""Files that other programs wrote say to us what their makers were given."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from glimpse3d import coords
from glimpse3d.formats import splats
from tests.splats.clouds import differences, golden_cloud
from tests.splats.golden import make

FOLDER = Path(make.__file__).parent
NODE = Path(__file__).resolve().parents[2] / "build" / "node"
TOOL = NODE / "node_modules" / "@playcanvas" / "splat-transform" / "bin" / "cli.mjs"
# Half a step of each format's rounding, of compressed PLY in its largest chunk.
EXACT = {"mean": 1e-6, "scale": 1e-6, "opacity": 1e-6, "dc": 1e-6, "sh": 1e-6, "shape": 2e-6}
BYTES = {"opacity": 1 / 255, "dc": 1 / 255 / 0.282, "shape": 0.05}
SPZ = {"mean": 1.3e-4, "scale": 1 / 32, "opacity": 1 / 509, "dc": 1 / 76, "sh": 0.1, "shape": 0.07}
PACKED = {"mean": 3e-3, "scale": 2e-3, "opacity": 1 / 509, "dc": 3e-3, "sh": 0.022, "shape": 5e-3}
KSPLAT = {"mean": 1e-4, "scale": 1e-3, **BYTES, "sh": 1e-3, "shape": 2e-3}
GOLDEN = {
    "scene.ply": ("PLY", 3, EXACT),
    "scene.compressed.ply": ("compressed PLY", 3, PACKED),
    "scene.v3.spz": ("SPZ version 3", 3, SPZ),
    "scene.v4.spz": ("SPZ version 4", 3, SPZ),
    "plain.v4.spz": ("SPZ version 4", 0, SPZ),
    "scene.glb": ("GLB", 3, EXACT),
    "scene.splat": (".splat", 0, {**EXACT, **BYTES}),
    "scene.0.ksplat": (".ksplat", 2, {**EXACT, **BYTES, "shape": 2e-6}),
    "scene.1.ksplat": (".ksplat", 2, KSPLAT),
    "scene.2.ksplat": (".ksplat", 2, {**KSPLAT, "sh": 0.011}),
}


@pytest.mark.parametrize("name", list(GOLDEN))
def test_what_others_wrote_is_read(name: str) -> None:
    kind, degree, limits = GOLDEN[name]
    contents = splats.read(FOLDER / name)
    truth = golden_cloud()
    if name.endswith(".glb"):  # its writer takes a PLY to stand half a turn about z from a GLB
        turn = coords.GLTF_FROM_HOUSE.T @ np.diag([-1, -1, 1.0]) @ coords.PLY_FROM_HOUSE
        truth = coords.rotate_cloud(truth, turn)
    assert contents.kind == kind and contents.cloud.sh_degree == degree
    assert contents.repairs.in_words() == () and contents.notes == ()
    found = differences(contents.cloud, truth)
    assert {n: v for n, v in found.items() if v > limits[n]} == {}


@pytest.fixture
def tool() -> Path:
    if not TOOL.exists() or shutil.which("node") is None:
        why = f"see {FOLDER / 'make.py'} for how to install the other programs"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    return TOOL


@pytest.mark.slow
def test_golden_files_are_made_anew_the_same(tool: Path, tmp_path: Path) -> None:
    make.make(NODE, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == set(GOLDEN) - {"scene.splat"}
    for name in names:
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes(), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "limits"),
    [
        (".ply", EXACT),
        (".compressed.ply", PACKED),
        (".spz", SPZ),
        (".splat", {**EXACT, **BYTES}),
    ],
)
def test_what_we_write_others_read(
    suffix: str, limits: dict[str, float], tool: Path, tmp_path: Path
) -> None:
    cloud = golden_cloud()
    splats.write(cloud, tmp_path / f"ours{suffix}")
    command = ["node", str(tool), "-q", str(tmp_path / f"ours{suffix}"), str(tmp_path / "t.ply")]
    subprocess.run(command, check=True, capture_output=True)
    theirs = splats.read(tmp_path / "t.ply").cloud
    found = differences(theirs, cloud)
    assert {n: v for n, v in found.items() if v > limits[n]} == {}
