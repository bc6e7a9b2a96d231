"""What the Blender extension costs and how true its splats are, in real Blender.

Owns what ``python benchmarks/addon.py --blender PYTHON`` prints and writes into
``benchmarks/results/addon.csv``; PYTHON has ``bpy``, such as ``.venv-bpy-4.5/bin/python`` after
``build.py test``, and may be given again. Scenes and the pictures they are held against are made
here, by our own rasteriser; what is measured is in ``addon_splats.py``, inside Blender.

Times are CPU seconds of the main thread. Pictures are 256 x 256, drawn with ``eps2d=0`` and 2 x 2
samples a pixel, because Cycles adds no blur; decibels are over middle grey.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "addon_build")]

import extension  # noqa: E402
import formats as format_benchmark  # noqa: E402
import knot  # noqa: E402

from glimpse3d import coords  # noqa: E402
from glimpse3d.formats import cameras, splats  # noqa: E402
from glimpse3d.progress import Progress  # noqa: E402
from glimpse3d.splats.from_mesh import gaussians_from_mesh  # noqa: E402
from glimpse3d.splats.render import Cameras, RasterSettings, Splats, rasterize  # noqa: E402
from glimpse3d.types import Camera, GaussianCloud  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "addon.csv"
INSIDE = ROOT / "benchmarks" / "addon_splats.py"
SIDE = 256
PICTURES = (10_000, 100_000)
TIMED = ((1_000_000, 0), (1_000_000, 3), (100_000, 3))


class Row(NamedTuple):
    """One measured value; ``least`` and ``most`` are what the project promises."""

    blender: str
    what: str
    value: float
    unit: str
    least: float | None
    most: float | None

    @property
    def is_kept(self) -> bool:
        """Whether the promise is."""
        return (self.least is None or self.value >= self.least) and (
            self.most is None or self.value <= self.most
        )


def picture(cloud: GaussianCloud, camera: Camera, blur: float, samples: int) -> np.ndarray:
    """(SIDE, SIDE, 4) premultiplied, as our rasteriser draws it."""
    K = np.diag([samples, samples, 1.0]) @ camera.K
    side = SIDE * samples
    colors, alphas, _ = rasterize(
        Splats(cloud.means, cloud.rotations, cloud.scales, cloud.opacities, cloud.sh),
        Cameras(camera.camera_from_world[None], K[None], side, side),
        RasterSettings(sh_degree=cloud.sh_degree, eps2d=blur),
    )
    drawn = np.concatenate([colors[0], alphas[0]], axis=-1)
    return drawn.reshape(SIDE, samples, SIDE, samples, 4).mean(axis=(1, 3))


def translucent(count: int) -> GaussianCloud:
    """The knot in flat splats of every opacity, coloured differently from every side."""
    cloud = gaussians_from_mesh(knot.mesh(), count, 0, Progress())
    random = np.random.default_rng(0)
    higher = random.normal(size=(count, 15, 3)) * 0.05
    return GaussianCloud(
        cloud.means, cloud.scales, cloud.rotations, random.uniform(0.4, 0.99, count),
        np.concatenate([cloud.sh, higher], axis=1),
    )  # fmt: skip


def make_pictures(folder: Path, counts: tuple[int, ...] = PICTURES) -> None:
    """Knots of so many splats, their cameras, and what our rasteriser sees of them."""
    lens = coords.Lens.from_field_of_view(40, SIDE, SIDE)
    rig = coords.orbit([45 * index for index in range(8)], 20, 1.7, lens)
    about = cameras.CameraFile(rig[0], tuple(rig), 24.0)
    (folder / "cameras.json").write_bytes(cameras.to_bytes(about, "benchmark"))
    for count in counts:
        path = folder / f"knot_{count}.ply"
        splats.write(translucent(count), path)
        cloud = splats.read(path).cloud
        pictures = {
            "supersampled": picture(cloud, rig[1], 0.0, 2),
            "viewer": picture(cloud, rig[1], 0.3, 1),
        }
        np.savez(path.with_suffix(".npz"), pose=rig[1].camera_from_world, K=rig[1].K, **pictures)


def make_clouds(folder: Path) -> None:
    """What reading is timed on."""
    for count, degree in TIMED:
        splats.write(format_benchmark.scene(count, degree), folder / f"random_{count}_{degree}.ply")


def inside(python: str, folder: Path) -> list[Row]:
    """Measure in one Blender."""
    out = folder / "rows.csv"
    environment = {
        **os.environ, "BLENDER_USER_RESOURCES": str(folder / "user"), "OMP_NUM_THREADS": "1",
        "PYTHONPATH": "",
    }  # fmt: skip
    subprocess.run([python, str(INSIDE), str(folder), str(out)], check=True, env=environment)
    with out.open(encoding="utf-8") as file:
        return [
            Row(a, b, float(c), d, float(e) if e else None, float(f) if f else None)
            for a, b, c, d, e, f in csv.reader(file)
        ]


def write(rows: list[Row], path: Path) -> None:
    """Put the table in place of the last one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(Row._fields)
        for row in rows:
            limits = ["" if limit is None else limit for limit in (row.least, row.most)]
            table.writerow([row.blender, row.what, f"{row.value:.4g}", row.unit, *limits])


def main(argv: list[str]) -> int:
    """Measure, print and write; 1 if a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blender", action="append", required=True, help="a Python that has bpy")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the CSV file to write")
    given = parser.parse_args(argv)
    extension.fill_vendor()
    with tempfile.TemporaryDirectory() as name:
        make_pictures(Path(name))
        make_clouds(Path(name))
        rows = [row for python in given.blender for row in inside(python, Path(name))]
    for row in rows:
        limit = f"(at least {row.least})" if row.least is not None else ""
        limit += f"(at most {row.most})" if row.most is not None else ""
        kept = "" if row.is_kept else "NOT KEPT"
        print(f"{row.blender:8} {row.what:64} {row.value:10.4g} {row.unit} {limit} {kept}")
    write(rows, given.out)
    return int(not all(row.is_kept for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
