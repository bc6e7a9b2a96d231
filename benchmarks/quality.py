"""How near reconstructions come to the truth, on objects whose surface is known.

``python benchmarks/quality.py --data FOLDER`` scores a reconstructor with FOLDER's own ``bench.py``
on its development objects, prints a table and writes it as CSV. ``--reconstructor ellipsoid``
scores the plainest guess, and ``--beside TABLE`` tells where a run is worse than another's table.
Owns the way from a ``Reconstruction`` to what that scorer takes: vertices in the camera's frame,
colours per vertex.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import ellipsoid
import numpy as np

from glimpse3d import mesh_raster, plugins, settings
from glimpse3d.coords import OPENGL_FROM_OPENCV, Lens
from glimpse3d.progress import Progress
from glimpse3d.stages import Detail
from glimpse3d.types import Image, Mesh, Reconstruction

FIELD_OF_VIEW = 40.0
ELLIPSOID = "ellipsoid"  # no reconstructor of the package: what every one has to beat
COLUMNS = {
    "f10": "F@0.1",
    "cd": "Chamfer",
    "iou": "IoU",
    "sil_nv": "sil_nv",
    "psnr_nv": "psnr_nv",
    "cpu": "cpu_s",
}
GOALS = {"f10": 0.815, "cd": 0.063, "iou": 0.615, "sil_nv": 0.73, "psnr_nv": 15.7}
# Edges no longer than this part of the object carry its texture as colours of vertices.
FINEST_EDGE = 0.006


def scored(found: Reconstruction) -> dict[str, Any]:
    """What the scorer takes: the mesh as the 40 degree camera of the picture sees it.

    The scorer's camera has its axis in the middle of the picture. Its points are ours on the same
    rays, at the same depths.
    """
    vertices, faces, colors = fine_colors(found.mesh)
    camera = found.camera
    pose = camera.camera_from_world
    local = vertices @ pose[:3, :3].T + pose[:3, 3]
    K = Lens.from_field_of_view(FIELD_OF_VIEW, camera.width, camera.height).K
    rays = local @ (np.linalg.inv(K) @ camera.K).T
    return {
        "vertices": rays @ OPENGL_FROM_OPENCV.T,
        "faces": faces,
        "colors": colors,
        "frame": "camera",
    }


def fine_colors(mesh: Mesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (V, 3), faces (F, 3) and colours (V, 3) 0..1, divided until colours are faithful."""
    vertices, faces = mesh.vertices.astype(np.float64), mesh.faces.astype(np.int64)
    uvs = mesh.uvs.astype(np.float64)
    while _typical_edge(vertices, faces) > FINEST_EDGE:
        pairs = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]))
        unique, index = np.unique(pairs, axis=0, return_inverse=True)
        ab, bc, ca = len(vertices) + index.reshape(3, -1)
        a, b, c = faces.T
        corners = [[a, ab, ca], [b, bc, ab], [c, ca, bc], [ab, bc, ca]]
        faces = np.concatenate([np.stack(each, axis=1) for each in corners])
        vertices = np.concatenate([vertices, vertices[unique].mean(axis=1)])
        uvs = np.concatenate([uvs, uvs[unique].mean(axis=1)])
    colors = mesh_raster.sample_texture(mesh.texture, uvs)[:, :3] / 255
    return vertices, faces, colors


def _typical_edge(vertices: np.ndarray, faces: np.ndarray) -> float:
    return float(
        np.percentile(np.linalg.norm(vertices[faces[:, 0]] - vertices[faces[:, 1]], axis=1), 75)
    )


class Method:
    """The function that the scorer calls, counting its CPU seconds."""

    def __init__(self, name: str, preset: str, options: dict[str, Any]) -> None:
        chosen = settings.PRESETS[preset]
        self.detail = Detail(chosen.faces, chosen.texture_size)
        self.settings = plugins.settings_for("reconstructor", name, preset, options)
        self.backend = plugins.find("reconstructor", name)()
        self.backend.load(self.settings, Progress())
        self.seconds: list[float] = []

    def __call__(self, rgba: np.ndarray) -> dict[str, Any]:
        start = time.process_time()
        found = self.backend(Image(rgba), self.settings, self.detail, Progress())
        self.seconds.append(time.process_time() - start)
        return scored(found)


class Guess:
    """The ellipsoid of the mask's moments, in the place of a ``Method``."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, rgba: np.ndarray) -> dict[str, Any]:
        start = time.process_time()
        found = ellipsoid.ellipsoid(rgba, FIELD_OF_VIEW)
        self.seconds.append(time.process_time() - start)
        return found


def table(scores: dict[str, Any]) -> list[list[str]]:
    """Rows of text: a header, one row an object, the means."""
    rows = [["object", *COLUMNS.values()]]
    for name, score in scores.items():
        rows.append([name, *(f"{score[key]:.3f}" for key in COLUMNS)])
    means = [np.mean([score[key] for score in scores.values()]) for key in COLUMNS]
    rows.append(["mean", *(f"{mean:.3f}" for mean in means)])
    return rows


def put_beside(rows: list[list[str]], path: Path) -> list[str]:
    """Give every row the F-score that another run's table has; names of objects it does better."""
    column = COLUMNS["f10"]
    with path.open(newline="") as file:
        others = {row["object"]: row[column] for row in csv.DictReader(file)}
    place = rows[0].index(column)
    worse = [row[0] for row in rows[1:] if float(row[place]) < float(others[row[0]])]
    rows[0].append(f"{column} of {path.stem}")
    for row in rows[1:]:
        row.append(others[row[0]])
    return worse


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds bench.py")
    parser.add_argument("--reconstructor", default="embedded", help=f"or {ELLIPSOID}")
    parser.add_argument("--preset", default="standard", choices=sorted(settings.PRESETS))
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--only", help="objects, joined by commas")
    parser.add_argument("--sheet", help="write a contact sheet (PNG) here")
    parser.add_argument("--out", type=Path, help="write the table (CSV) here")
    parser.add_argument("--beside", type=Path, help="a table (CSV) to set the F-score of beside")
    arguments = parser.parse_args()
    if not (arguments.data / "bench.py").is_file():
        print(f"skipped: there is no bench.py in {arguments.data}")
        return 0
    scores = measure(arguments)
    rows = table(scores)
    worse = put_beside(rows, arguments.beside) if arguments.beside else []
    for row in rows:
        print(f"{row[0]:12s}", *(f"{cell:>8s}" for cell in row[1:]))
    print("goals:", ", ".join(f"{COLUMNS[key]} {goal}" for key, goal in GOALS.items()))
    if arguments.beside:
        print(f"F-score below {arguments.beside.stem}'s:", ", ".join(worse) or "nowhere")
    if arguments.out is not None:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        with arguments.out.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
    return 0


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Score every object; object name -> metric -> value."""
    options = dict(_option(each) for each in arguments.option)
    method: Method | Guess = Guess()
    if arguments.reconstructor != ELLIPSOID:
        method = Method(arguments.reconstructor, arguments.preset, options)
    with tempfile.TemporaryDirectory() as cache:
        # The scorer may lie in a folder that cannot be written to.
        os.environ.setdefault("NUMBA_CACHE_DIR", cache)
        sys.path.insert(0, str(arguments.data))
        scorer = importlib.import_module("bench")
        only = arguments.only.split(",") if arguments.only else None
        scores: dict[str, Any] = scorer.run(method, "dev", only, arguments.sheet, verbose=False)
    for score, seconds in zip(scores.values(), method.seconds, strict=True):
        score["cpu"] = seconds
    return scores


def _option(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, float(value) if "." in value else int(value)
    except ValueError:
        return name, value


if __name__ == "__main__":
    sys.exit(main())
