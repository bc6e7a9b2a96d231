"""Makes the golden splat files anew with other people's programs; none of ours takes part.

    npm install --ignore-scripts --prefix build/node @playcanvas/splat-transform@2.7.1 \\
        @mkkellogg/gaussian-splats-3d@0.4.7 three@0.180.0
    python tests/splats/golden/make.py build/node tests/splats/golden

`scene.splat` is of gsplat 1.5.3's exporter: python tests/splats/golden/make.py --splat FOLDER
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import plyfile

HERE = Path(__file__).parent
COUNT = 260  # more than one chunk of compressed PLY
# File -> what splat-transform is told besides.
COMMANDS = {
    "scene.ply": [],
    "scene.compressed.ply": [],
    "scene.v3.spz": ["--spz-version", "3"],
    "scene.v4.spz": [],
    "scene.glb": [],
    "plain.v4.spz": ["-H", "0"],
}
KSPLATS = {"scene.0.ksplat": 0, "scene.1.ksplat": 1, "scene.2.ksplat": 2}


def scene() -> np.ndarray:
    """(COUNT,) rows of a PLY of 3DGS: logs, logits, quaternions wxyz, y down."""
    names = ["x", "y", "z", *(f"f_dc_{k}" for k in range(3)), *(f"f_rest_{k}" for k in range(45))]
    names += ["opacity", *(f"scale_{k}" for k in range(3)), *(f"rot_{k}" for k in range(4))]
    random = np.random.default_rng(7)
    rows = np.empty(COUNT, [(name, "f4") for name in names])
    for name in names:
        spread = {"f": 0.25, "o": 2.0}.get(name[0], 0.6 if name.startswith("scale") else 1.0)
        rows[name] = random.normal(-4 if name.startswith("scale") else 0, spread, COUNT)
    turns = np.stack([rows[f"rot_{k}"] for k in range(4)])
    for k in range(4):
        rows[f"rot_{k}"] = turns[k] / np.linalg.norm(turns, axis=0)
    return rows


def make(node: Path, folder: Path) -> None:
    """Write every golden file but ``scene.splat`` into ``folder``."""
    source = folder / "source.ply"
    element = plyfile.PlyElement.describe(scene(), "vertex")
    plyfile.PlyData([element], byte_order="<").write(source)
    tool = node / "node_modules" / "@playcanvas" / "splat-transform" / "bin" / "cli.mjs"
    for name, options in COMMANDS.items():
        command = ["node", tool, "-q", "-w", source, *options, folder / name]
        subprocess.run(command, check=True, capture_output=True)
    script = HERE / "ksplat.mjs"
    library = node / "node_modules" / "@mkkellogg" / "gaussian-splats-3d" / "build"
    for name, level in KSPLATS.items():
        build = library / "gaussian-splats-3d.module.js"
        command = ["node", script, build, source, str(level), folder / name]
        subprocess.run(command, check=True, capture_output=True)
    source.unlink()


def make_splat(folder: Path) -> None:
    """Write ``scene.splat`` with gsplat's exporter, which needs torch."""
    import torch
    from gsplat.exporter import export_splats

    rows = {name: torch.from_numpy(np.array(scene()[name])) for name in scene().dtype.names}
    columns = {
        "means": torch.stack([rows[axis] for axis in "xyz"], 1),
        "scales": torch.stack([rows[f"scale_{k}"] for k in range(3)], 1),
        "quats": torch.stack([rows[f"rot_{k}"] for k in range(4)], 1),
        "opacities": rows["opacity"],
        "sh0": torch.stack([rows[f"f_dc_{k}"] for k in range(3)], 1)[:, None],
        "shN": torch.zeros(COUNT, 0, 3),
    }
    export_splats(**columns, format="splat", save_to=str(folder / "scene.splat"))


if __name__ == "__main__":
    if sys.argv[1] == "--splat":
        make_splat(Path(sys.argv[2]))
    else:
        make(Path(sys.argv[1]), Path(sys.argv[2]))
