"""How many workers a server needs: its queue simulated, with the cost of jobs as measured here.

``python benchmarks/queue_simulation.py`` makes each preset's job once from a picture, takes its CPU
seconds as the time that a worker of one core spends, and simulates days of 10, 1,000 and 100,000
jobs: people come at random, three times as often at midday as on average, and hardly at night. Owns
the simulation and the table in ``benchmarks/results/queue.csv``. Must not know the server's code:
the queue is first come, first served, one job a worker at a time, as its is.
"""

from __future__ import annotations

import argparse
import csv
import heapq
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from glimpse3d.formats import manifest

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "queue.csv"
DAY = 86_400.0
JOBS_A_DAY = (10, 1_000, 100_000)
PATIENCE = 60.0  # seconds that 95 of 100 people wait at most
SPREAD = 0.35  # standard deviation of the logarithm of a job's cost around its mean
DAYS_OF_FEW = 200  # so that few jobs a day give many in all


def cost_of(preset: str, picture: Path) -> float:
    """CPU seconds of one job, all stages, in a process whose caches are warm."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "glimpse3d", "generate", str(picture), "-o", folder]
        for _ in range(2):
            subprocess.run(
                [*command, "--preset", preset], check=True, cwd=ROOT, stdout=subprocess.DEVNULL
            )
        about = manifest.read(Path(folder) / manifest.NAME)
    return sum(each.cpu_seconds for each in about.timings.values())


def arrivals(random: np.random.Generator, jobs_a_day: float, days: int) -> np.ndarray:
    """Sorted seconds at which people come."""
    count = random.poisson(jobs_a_day * days)
    # By rejection: over a day the rate is three times the mean at midday, as a cosine around it.
    found = np.zeros(0)
    while len(found) < count:
        at = random.uniform(0, days * DAY, 4 * count + 16)
        hour = np.cos(2 * np.pi * (at / DAY - 0.5))
        rate = np.maximum(np.where(hour > 0, 3 * hour, 0.06), 0.06) / 3
        found = np.concatenate([found, at[random.random(len(at)) < rate]])
    return np.sort(found[:count])


def waits(comes: np.ndarray, costs: np.ndarray, workers: int) -> np.ndarray:
    """Seconds that each job waits before a worker takes it."""
    free = [0.0] * workers
    waited = np.zeros(len(comes))
    for index, (at, cost) in enumerate(zip(comes.tolist(), costs.tolist(), strict=True)):
        begins = max(at, heapq.heappop(free))
        waited[index] = begins - at
        heapq.heappush(free, begins + cost)
    return waited


def simulate(mean_cost: float, jobs_a_day: int, workers: int, seed: int = 0) -> dict[str, float]:
    """Mean and 95th percentile of the wait in seconds, and how busy workers are at midday."""
    random = np.random.default_rng(seed)
    comes = arrivals(random, jobs_a_day, max(1, min(DAYS_OF_FEW, 200_000 // jobs_a_day)))
    costs = mean_cost * np.exp(random.normal(-(SPREAD**2) / 2, SPREAD, len(comes)))
    waited = waits(comes, costs, workers)
    return {
        "mean_wait": float(waited.mean()),
        "wait_of_95": float(np.percentile(waited, 95)),
        "busy_at_midday": min(3 * jobs_a_day / DAY * mean_cost / workers, 1.0),
    }


def enough_workers(mean_cost: float, jobs_a_day: int) -> tuple[int, dict[str, float]]:
    """The fewest workers with which 95 of 100 jobs wait no longer than ``PATIENCE``."""
    least, most = 1, max(2, int(4 * jobs_a_day / DAY * mean_cost) + 2)
    while least < most:
        middle = (least + most) // 2
        if simulate(mean_cost, jobs_a_day, middle)["wait_of_95"] <= PATIENCE:
            most = middle
        else:
            least = middle + 1
    return least, simulate(mean_cost, jobs_a_day, least)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--picture", type=Path, default=ROOT / "examples" / "coffee.jpg")
    parser.add_argument(
        "--cost", action="append", default=[], metavar="NAME=SECONDS", help="of a job, not measured"
    )
    arguments = parser.parse_args()
    costs = {preset: cost_of(preset, arguments.picture) for preset in ("draft", "standard", "high")}
    costs |= {name: float(value) for name, _, value in (c.partition("=") for c in arguments.cost)}
    rows = [
        ["job", "seconds", "jobs_a_day", "workers", "mean_wait", "wait_of_95", "busy_at_midday"]
    ]
    for name, cost in costs.items():
        for jobs_a_day in JOBS_A_DAY:
            workers, found = enough_workers(cost, jobs_a_day)
            numbers = [f"{found[key]:.2f}" for key in rows[0][4:]]
            rows.append([name, f"{cost:.1f}", str(jobs_a_day), str(workers), *numbers])
    for row in rows:
        print("".join(f"{cell:>16}" for cell in row))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with RESULTS.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
