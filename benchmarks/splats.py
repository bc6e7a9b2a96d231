"""How fast splats are made, drawn and pulled: beside plain torch, in every mode, at nine sizes.

Owns what ``python benchmarks/splats.py`` prints and writes into ``benchmarks/results/splats.csv``.
Times are CPU milliseconds of one thread, the smallest of several runs, and what is compared runs
in turns: the ratio of two of them hardly depends on the machine. Times of two threads are by the
clock, and mean something on an idle machine alone.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from splat_timing import Row, interleaved

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from glimpse3d import coords  # noqa: E402
from glimpse3d.progress import Progress  # noqa: E402
from glimpse3d.splats.from_mesh import gaussians_from_mesh  # noqa: E402
from glimpse3d.splats.rasterization import (  # noqa: E402
    Cameras,
    RasterSettings,
    Splats,
    rasterize,
)
from glimpse3d.splats.render import render  # noqa: E402
from glimpse3d.types import GaussianCloud, Mesh  # noqa: E402
from tests import reference_renderer  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "splats.csv"
COUNTS = (10_000, 30_000, 100_000)
PLAIN = RasterSettings(sh_degree=0)


def bumpy_ball(rows: int = 160) -> Mesh:
    """About 100 000 triangles, half a metre across the bumps, coloured by direction."""
    longitude, latitude = np.meshgrid(
        np.linspace(0, 2 * np.pi, 2 * rows + 1), np.linspace(0, np.pi, rows + 1), indexing="ij"
    )
    ring = np.sin(latitude)
    outward = np.stack([ring * np.cos(longitude), ring * np.sin(longitude), np.cos(latitude)], -1)
    bumps = 0.42 + 0.07 * np.sin(5 * outward[..., :1]) * np.sin(4 * outward[..., 1:2])
    index = np.arange(longitude.size).reshape(longitude.shape)
    low, high = index[:-1, :-1], index[1:, 1:]
    one = np.stack([low, index[:-1, 1:], high], axis=-1)
    two = np.stack([low, high, index[1:, :-1]], axis=-1)
    rgba = np.concatenate([127 + 127 * outward, np.full((*ring.shape, 1), 255)], axis=-1)
    return Mesh(
        (outward * bumps).reshape(-1, 3),
        np.concatenate([one.reshape(-1, 3), two.reshape(-1, 3)]),
        colors=rgba.reshape(-1, 4).astype(np.uint8),
    )


def measure_arrays(cloud: GaussianCloud, mesh: Mesh, runs: int) -> list[Row]:
    """Pictures without torch, beside the tests' plain numpy renderer; splats from a mesh."""
    lens = coords.Lens.from_field_of_view(40, 512, 512)
    camera = coords.orbit_camera(20, 15, 1.4, lens)
    splats = Splats(cloud.means, cloud.rotations, cloud.scales, cloud.opacities, cloud.sh)
    views = Cameras(camera.camera_from_world[None], camera.K[None], camera.width, camera.height)
    drawn = splats, views, PLAIN
    difference = np.abs(rasterize(*drawn)[0] - reference_renderer.draw(*drawn)[0]).max()
    if difference > 0.01:
        raise SystemExit(f"the two renderers differ by {difference:.3f}")
    clock = time.process_time
    plain = interleaved({"plain": lambda: reference_renderer.draw(*drawn)}, 2, clock)["plain"]
    works = {
        "rasterize on one thread": lambda: rasterize(*drawn),
        "render to an 8-bit image": lambda: render(cloud, camera).image(),
    }
    best = interleaved(works, runs, clock)
    made = {"made": lambda: gaussians_from_mesh(mesh, 100_000, 0, Progress())}
    named = f"{len(cloud)} splats at 512x512"
    return [
        Row(f"{named}: plain numpy renderer", plain, 1.0),
        *(Row(f"{named}: {name}", best[name], plain / best[name]) for name in works),
        Row(f"100000 splats from {len(mesh.faces)} triangles", interleaved(made, 3, clock)["made"]),
    ]


def measure(runs: int) -> list[Row]:
    """All of it, on one bumpy ball."""
    mesh = bumpy_ball()
    clouds = {count: gaussians_from_mesh(mesh, count, 0, Progress()) for count in COUNTS}
    rows = measure_arrays(clouds[30_000], mesh, runs)
    if find_spec("torch") is None:
        return rows
    import splat_gradients

    return [*splat_gradients.measure(clouds, runs), *rows]


def write(rows: list[Row], path: Path) -> None:
    """Put the table in place of the last one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(Row._fields)
        for row in rows:
            table.writerow([row.what, *("" if each is None else f"{each:.1f}" for each in row[1:])])


def main(argv: list[str]) -> int:
    """Measure, print and write what is whole."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="the quickest of so many counts")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the CSV file to write")
    given = parser.parse_args(argv)
    rows = measure(given.runs)
    for row in rows:
        told = zip(Row._fields[1:], row[1:], strict=True)
        print(
            row.what, *(f"{name} {each:.1f}" for name, each in told if each is not None), sep="  "
        )
    if find_spec("torch") is None:
        print("gradients were not measured, and nothing was written: that needs the extra optimise")
        return 0
    write(rows, given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
