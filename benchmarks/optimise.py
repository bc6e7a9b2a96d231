"""How good splats become in how many seconds, on a knot that is known exactly.

Owns what ``python benchmarks/optimise.py`` prints and writes to ``results/optimise.csv`` beside it:
the decibels over white of 6 of 24 views that the fit never sees, beside the CPU seconds of the fit,
the looks at those views included, compiling and drawing the truth not. The baseline starts as the
first splat trainers do (Kerbl et al. 2023): random points, balls as large as the distance to their
three neighbours, opacity 0.1.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image as PillowImage
from scipy.spatial import cKDTree

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import knot  # noqa: E402

from glimpse3d.formats import sh  # noqa: E402
from glimpse3d.progress import Progress  # noqa: E402
from glimpse3d.splats.from_mesh import gaussians_from_mesh  # noqa: E402
from glimpse3d.splats.optimise import optimise  # noqa: E402
from glimpse3d.splats.optimise_settings import Optimised, OptimiseSettings  # noqa: E402
from glimpse3d.splats.render import RenderSettings, render  # noqa: E402
from glimpse3d.types import GaussianCloud, View  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "optimise.csv"
VIEWS, EVERY = 24, 4
# What the 24 views at 256 pixels must reach, and in how many seconds of one core.
WANTED, SECONDS = 33.5, 1.5
WHITE = RenderSettings(background=(1.0, 1.0, 1.0))


class Case(NamedTuple):
    """One fit; ``looks`` are the steps between two looks, ``ssim`` is that share of the loss."""

    name: str
    start: Callable[[int], GaussianCloud]
    count: int
    size: int
    iterations: int
    looks: int
    ssim: float = OptimiseSettings().ssim


def discs(count: int) -> GaussianCloud:
    """The project's own start: flat discs spread evenly over the mesh."""
    return gaussians_from_mesh(knot.mesh(), count, 0, Progress())


def balls(count: int) -> GaussianCloud:
    """The baseline's start, with the surface's own points and colours: its authors have less."""
    random = np.random.default_rng(0)
    surface = knot.surface()
    corners = surface.points[surface.faces]
    crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(crosses, axis=1)
    chosen = random.choice(len(areas), count, p=areas / areas.sum())
    points = corners[chosen].mean(axis=1)
    places = surface.places[surface.faces[chosen]].mean(axis=1)
    near, _ = cKDTree(points).query(points, k=4)
    size = np.sqrt((near[:, 1:] ** 2).mean(axis=1))
    return GaussianCloud(
        points,
        np.repeat(size[:, None], 3, axis=1),
        np.tile([1.0, 0, 0, 0], (count, 1)),
        np.full(count, 0.1),
        sh.from_color(knot.color(places) / 255)[:, None, :],
    )


CASES = (
    Case("10k discs, 256 px", discs, 10_000, 256, 100, 10),
    Case("10k balls (INRIA-style), 256 px", balls, 10_000, 256, 1000, 50),
    # So many splats are as small as they need be: likeness of structure costs decibels here.
    Case("30k discs, 512 px, SSIM .05", discs, 30_000, 512, 300, 25, ssim=0.05),
)


def fit(case: Case, views: list[View]) -> Optimised:
    """One fit, after a short one that compiles everything."""
    cloud = case.start(case.count)
    settings = OptimiseSettings(
        iterations=case.iterations,
        held_out=EVERY,
        evaluate_every=case.looks,
        patience=1000,
        ssim=case.ssim,
    )
    optimise(cloud, views, replace(settings, iterations=2))
    return optimise(cloud, views, settings)


def seconds_to(result: Optimised, wanted: float) -> float | None:
    """CPU seconds to the first look that shows so many decibels."""
    reached = [each.cpu_seconds for each in result.history.samples if each.psnr >= wanted]
    return min(reached, default=None)


def save_pictures(case: Case, result: Optimised, views: list[View], folder: Path) -> None:
    """Start, fit and truth of a view that was kept, side by side."""
    view = views[result.held_out[1]]
    drawn = [
        render(cloud, view.camera, WHITE).image().rgba[..., :3]
        for cloud in (case.start(case.count), result.cloud)
    ]
    rgba = view.image.rgba.astype(np.float64)
    truth = rgba[..., :3] * rgba[..., 3:] / 255 + 255 - rgba[..., 3:]
    folder.mkdir(parents=True, exist_ok=True)
    name = case.name.replace(" ", "_").replace(",", "").replace("(", "").replace(")", "")
    PillowImage.fromarray(np.hstack([*drawn, np.rint(truth).astype(np.uint8)])).save(
        folder / f"{name}.png"
    )


def report(case: Case, result: Optimised) -> None:
    print(f"{case.name}: drawn by {result.backend}")
    for sample in result.history.samples:
        print(f"  step {sample.iteration:5}  {sample.cpu_seconds:7.2f} s  {sample.psnr:6.2f} dB")
    reached = seconds_to(result, WANTED)
    when = "not reached" if reached is None else f"after {reached:.2f} s"
    print(f"  {WANTED} dB {when}; best {result.best.psnr:.2f} dB", flush=True)


def write(rows: list[tuple[Case, Optimised]], path: Path) -> None:
    """Put the table in place of the last one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["case", "step", "cpu_seconds", "psnr_held_out_db"])
        for case, result in rows:
            for sample in result.history.samples:
                figures = sample.iteration, f"{sample.cpu_seconds:.2f}", f"{sample.psnr:.2f}"
                table.writerow([case.name, *figures])


def main(argv: list[str]) -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS, help="the CSV file to write")
    parser.add_argument("--pictures", type=Path, help="a folder for start, fit and truth")
    given = parser.parse_args(argv)
    rows = []
    for case in CASES:
        views = [knot.photograph(camera) for camera in knot.rig(VIEWS, case.size)]
        result = fit(case, views)
        report(case, result)
        rows.append((case, result))
        if given.pictures:
            save_pictures(case, result, views, given.pictures)
    write(rows, given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
