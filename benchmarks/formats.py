"""How fast a million splats are written and read, kind by kind, and how large the files are.

Owns what ``python benchmarks/formats.py`` prints and writes into
``benchmarks/results/formats.csv``. Times are CPU seconds of one thread, the smallest of several
runs; compression and checksums count, waiting for the disk does not. ``read`` is the whole way to
an activated, sanitised cloud in the house frame.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from glimpse3d.formats import splat_ply, splats  # noqa: E402
from glimpse3d.types import GaussianCloud  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "formats.csv"
KINDS = {
    "PLY": ("a.ply", 3),
    "compressed PLY": ("a.compressed.ply", 3),
    "SPZ version 3": ("b.spz", 3),
    "SPZ version 4": ("c.spz", 4),
    ".splat": ("a.splat", 3),
    "GLB": ("a.glb", 3),
}
# What the project promises, CPU seconds for a million splats of degree 3.
LIMITS = {
    ("PLY", "write"): 1.0,
    ("PLY", "read raw"): 0.6,
    ("PLY", "read"): 2.5,
    ("compressed PLY", "write"): 5.0,
    ("compressed PLY", "read"): 5.0,
    ("SPZ version 3", "write"): 5.0,
    ("SPZ version 3", "read"): 5.0,
    ("SPZ version 4", "write"): 5.0,
    ("SPZ version 4", "read"): 5.0,
}


class Row(NamedTuple):
    """One measured time; ``limit`` is the promise, empty where there is none."""

    what: str
    cpu_seconds: float
    bytes_a_splat: float
    limit: float | None


def scene(count: int, degree: int) -> GaussianCloud:
    """Splats as they come out of training: around an object, most of them small."""
    random = np.random.default_rng(0)
    rotations = random.normal(size=(count, 4)).astype(np.float32)
    rotations /= np.linalg.norm(rotations, axis=1, keepdims=True)
    return GaussianCloud(
        random.normal(size=(count, 3)).astype(np.float32),
        np.exp(random.normal(size=(count, 3)) - 5).astype(np.float32),
        rotations,
        random.uniform(0.01, 0.99, count).astype(np.float32),
        (random.normal(size=(count, (degree + 1) ** 2, 3)) * 0.2).astype(np.float32),
    )


def seconds(work: Callable[[], object], runs: int) -> float:
    """CPU seconds of the quickest of several runs."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def measure(count: int, degree: int, runs: int, folder: Path) -> list[Row]:
    """Write and read every kind."""
    cloud = scene(count, degree)
    rows = []
    for kind, (name, version) in KINDS.items():
        path = folder / name
        work: dict[str, Callable[[], object]] = {
            "write": lambda path=path, version=version: splats.write(cloud, path, None, version),
            "read raw": lambda path=path: splat_ply.read_raw(path),
            "read": lambda path=path: splats.read(path),
        }
        for step, do in work.items():
            if step != "read raw" or kind == "PLY":
                taken = seconds(do, runs)
                limit = LIMITS.get((kind, step)) if (count, degree) == (10**6, 3) else None
                what = f"{count} splats, degree {degree}: {step} {kind}"
                rows.append(Row(what, taken, path.stat().st_size / count, limit))
        path.unlink()
    return rows


def write(rows: list[Row], path: Path) -> None:
    """Put the table in place of the last one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(Row._fields)
        for row in rows:
            limit = "" if row.limit is None else row.limit
            table.writerow([row.what, f"{row.cpu_seconds:.2f}", f"{row.bytes_a_splat:.1f}", limit])


def main(argv: list[str]) -> int:
    """Measure, print and write; 1 if a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="the quickest of so many counts")
    parser.add_argument("--count", type=int, default=10**6, help="splats")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the CSV file to write")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            row
            for degree in (3, 0)
            for row in measure(given.count, degree, given.runs, Path(folder))
        ]
    for row in rows:
        limit = "" if row.limit is None else f"(at most {row.limit})"
        size = f"{row.bytes_a_splat:6.1f} bytes a splat"
        print(f"{row.what:52} {row.cpu_seconds:6.2f} s {size} {limit}", flush=True)
    write(rows, given.out)
    return int(any(row.limit is not None and row.cpu_seconds > row.limit for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
