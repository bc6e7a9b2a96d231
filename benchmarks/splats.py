"""How fast splats are made and drawn on one thread, beside the plain numpy renderer of the tests.

Owns what ``python benchmarks/splats.py`` prints and writes into ``benchmarks/results/splats.csv``.
Times are CPU milliseconds of one thread, the smallest of several runs; the ratio of two of them,
taken in one process, hardly depends on the machine.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

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
from glimpse3d.types import Camera, Mesh  # noqa: E402
from tests import reference_renderer  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "splats.csv"
COUNT, SIZE = 30_000, 512
SETTINGS = RasterSettings(sh_degree=0)


class Row(NamedTuple):
    """One measured time; ``ratio`` is the plain renderer's time over it, empty where it is none."""

    what: str
    cpu_ms: float
    ratio: float | None = None


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


def milliseconds(work: Callable[[], object], runs: int) -> float:
    """CPU milliseconds of the quickest of several runs; one run before warms the caches."""
    work()
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1000 * min(times)


def measure(runs: int) -> list[Row]:
    """Draw one cloud with both renderers; make another."""
    mesh = bumpy_ball()
    cloud = gaussians_from_mesh(mesh, COUNT, 0, Progress())
    lens = coords.Lens.from_field_of_view(40, SIZE, SIZE)
    camera = coords.orbit_camera(20, 15, 1.4, lens)
    splats = Splats(cloud.means, cloud.rotations, cloud.scales, cloud.opacities, cloud.sh)
    scene = splats, one_camera(camera), SETTINGS
    agree(scene)
    plain = milliseconds(lambda: reference_renderer.draw(*scene), 2)
    raster = milliseconds(lambda: rasterize(*scene), runs)
    drawn = milliseconds(lambda: render(cloud, camera).image(), runs)
    made = milliseconds(lambda: gaussians_from_mesh(mesh, 100_000, 0, Progress()), 3)
    named = f"{COUNT} splats at {SIZE}x{SIZE}"
    return [
        Row(f"{named}: plain numpy renderer", plain, 1.0),
        Row(f"{named}: rasterize on one thread", raster, plain / raster),
        Row(f"{named}: render to an 8-bit image", drawn, plain / drawn),
        Row(f"100000 splats from {len(mesh.faces)} triangles", made),
    ]


def one_camera(camera: Camera) -> Cameras:
    return Cameras(camera.camera_from_world[None], camera.K[None], camera.width, camera.height)


def agree(scene: tuple[Splats, Cameras, RasterSettings]) -> None:
    """Refuse to time pictures that are not the same."""
    ours, theirs = rasterize(*scene)[0], reference_renderer.draw(*scene)[0]
    difference = float(np.abs(ours - theirs).max())
    if difference > 0.01:
        raise SystemExit(f"the two renderers differ by {difference:.3f}")


def write(rows: list[Row], path: Path) -> None:
    """Put the table in place of the last one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(Row._fields)
        for row in rows:
            ratio = "" if row.ratio is None else f"{row.ratio:.1f}"
            table.writerow([row.what, f"{row.cpu_ms:.1f}", ratio])


def main(argv: list[str]) -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="the quickest of so many counts")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the CSV file to write")
    given = parser.parse_args(argv)
    rows = measure(given.runs)
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:8.1f} x"
        print(f"{row.what:48} {row.cpu_ms:9.1f} ms {ratio}", flush=True)
    write(rows, given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
