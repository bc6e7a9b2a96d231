"""How quick Glimpse3D is: the import, the draft preset stage by stage, the splat rasteriser.

Owns what ``build.py bench`` prints and writes into ``benchmarks/results/speed.csv``. Times are CPU
seconds, user and system, of all threads, in fresh processes with warm caches; the smallest of
several runs. Memory is the most that the process held at once. Must not know how anything is
computed.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from glimpse3d.formats import manifest

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "speed.csv"
PICTURES = (".jpg", ".jpeg", ".png", ".webp")
IMPORT_LIMIT = 1.6
DRAFT_LIMIT = 10.0
MEMORY_LIMIT = 700.0  # MB
MESH_LIMIT = 1.5
MESH_STAGES = ("matte", "reconstructor")  # from the picture to the textured mesh


class Row(NamedTuple):
    """One measured number; ``limit`` is what the project promises, empty where it does not."""

    what: str
    value: float
    unit: str
    limit: float | None = None


def import_seconds(module: str, runs: int) -> float:
    """CPU seconds that importing ``module`` takes in a fresh interpreter."""
    code = (
        "import sys, time; start = time.process_time(); __import__(sys.argv[1]); "
        "print(time.process_time() - start)"
    )
    command = [sys.executable, "-c", code, module]
    return min(float(subprocess.check_output(command, cwd=ROOT)) for _ in range(runs))


def measure_import(runs: int = 9) -> list[Row]:
    """``import glimpse3d`` beside ``import numpy``."""
    theirs, ours = (import_seconds(module, runs) for module in ("numpy", "glimpse3d"))
    return [
        Row("import numpy", theirs, "s"),
        Row("import glimpse3d", ours, "s"),
        Row("import glimpse3d / import numpy", ours / theirs, "ratio", IMPORT_LIMIT),
    ]


def measure_draft(picture: Path, runs: int = 2) -> list[Row]:
    """The draft preset from file to files; one run before warms the caches."""
    name = f"draft {picture.name}"
    made = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(runs + 1):
            spent = generate([picture], Path(folder))
            timings = manifest.read(Path(folder) / manifest.NAME).timings
            made.append((spent, timings))
    (total, memory), timings = min(made[1:], key=lambda each: each[0])
    stages = [Row(f"{name}: {stage}", each.cpu_seconds, "s") for stage, each in timings.items()]
    mesh = sum(timings[stage].cpu_seconds for stage in MESH_STAGES)
    return [
        *stages,
        Row(f"{name}: picture to textured mesh, libraries read on the way", mesh, "s"),
        Row(f"{name}: picture to textured mesh", measure_second(picture), "s", MESH_LIMIT),
        Row(f"{name}: whole process", total, "s", DRAFT_LIMIT),
        Row(f"{name}: peak memory", memory, "MB", MEMORY_LIMIT),
    ]


def measure_second(picture: Path) -> float:
    """CPU seconds to the mesh of a process's second picture, as servers and batches have it."""
    with tempfile.TemporaryDirectory() as folder:
        second = shutil.copy(picture, Path(folder) / f"second{picture.suffix}")
        generate([picture, Path(second)], Path(folder) / "out")
        timings = manifest.read(Path(folder) / "out" / "second" / manifest.NAME).timings
    return sum(timings[stage].cpu_seconds for stage in MESH_STAGES)


def generate(pictures: Sequence[Path], folder: Path) -> tuple[float, float]:
    """Run the command line.

    Windows does not tell a parent what its children took: there both numbers are 0.

    Returns:
        CPU seconds of its whole process, video coder included, and the MB it held at its peak.
    """
    options = ["generate", *map(str, pictures), "-o", str(folder), "--preset", "draft"]
    command = [sys.executable, "-m", "glimpse3d", *options]
    if sys.platform == "win32":
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return 0.0, 0.0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    unit = 1 if sys.platform == "darwin" else 1024
    return used.ru_utime + used.ru_stime, used.ru_maxrss * unit / 1e6


def machine() -> str:
    """Processor, cores, system and Python, in one line."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [row for row in cpuinfo.read_text().splitlines() if row.startswith("model name")]
        processor = models[0].partition(":")[2].strip() if models else processor
    system = f"{platform.system()} {platform.machine()}"
    return f"{processor}, {os.cpu_count()} cores, {system}, Python {platform.python_version()}"


def commit() -> str:
    """The commit that is measured; ``unknown`` outside a checkout or without git."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        return subprocess.check_output(
            command, cwd=ROOT, text=True, stderr=subprocess.DEVNULL
        ).strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def show(row: Row) -> None:
    """One line for the reader."""
    limit = "" if row.limit is None else f"   promised: at most {row.limit:g}"
    print(f"{row.what:70} {row.value:8.3f} {row.unit:5}{limit}", flush=True)


def write(rows: list[Row]) -> None:
    """Put the table into ``benchmarks/results/``, in place of the last one."""
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["machine", "commit", *Row._fields])
        where = [machine(), commit()]
        for row in rows:
            limit = "" if row.limit is None else f"{row.limit:g}"
            table.writerow([*where, row.what, f"{row.value:.4f}", row.unit, limit])


def main(argv: list[str]) -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="build.py bench", description=__doc__)
    parser.add_argument(
        "pictures", nargs="*", type=Path, help="what to run the draft on (default: examples/)"
    )
    parser.add_argument(
        "--triposr", action="store_true",
        help="TripoSR at full size instead: 1.7 GB on the disk for a while, a quarter of an hour",
    )  # fmt: skip
    arguments = parser.parse_args(argv)
    if arguments.triposr:
        return subprocess.call([sys.executable, str(ROOT / "benchmarks" / "triposr.py")], cwd=ROOT)
    given = arguments.pictures
    examples = sorted(each for each in (ROOT / "examples").iterdir() if each.suffix in PICTURES)
    rows = measure_import()
    for row in rows:
        show(row)
    for picture in given or examples:
        for row in measure_draft(picture):
            show(row)
            rows.append(row)
    write(rows)
    print(f"written to {RESULTS.relative_to(ROOT)}", flush=True)
    splats = ROOT / "benchmarks" / "splats.py"
    return subprocess.call([sys.executable, str(splats)], cwd=ROOT) if splats.exists() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
