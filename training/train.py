"""Training: steps, averaged weights, scores on what was held out, checkpoints that survive a cut.

Owns the schedule and the files of a run. Must not know what shapes look like or how the network
is built. ``python -m training.train --minutes 2 --out FOLDER`` runs from nothing to a checkpoint;
the same command again goes on where the last one stopped, until the minutes are spent.
"""

from __future__ import annotations

import argparse
import copy
import csv
import logging
import math
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from glimpse3d.outline.medial import half_thickness

from . import frustum
from .data import Batch, batches, collect, held_out, read_shard, sample, write_shard
from .network import Reconstructor, Target, losses, overlap

THINNEST = 0.65  # least occupancy of a ray's fullest cell
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """What decides how a run goes.

    Attributes:
        minutes: of training in all, waiting and scoring included.
        width: of the network.
        batch: samples a step.
        rate: the learning rate's height.
        decay: of the weights.
        back_weight: of the back's colour in the loss.
        cool: share of the minutes at the end in which the rate falls to nothing.
        uses: how often a sample is drawn, on average, before its shard may be replaced.
        average: share of the averaged weights that a step keeps.
        judge_every: minutes between scores; at least six scores are made.
        save_every: minutes between checkpoints.
        judged: samples to judge by, of held-out families and as many of the others; fewer where
            the minutes are.
        seed: of the weights, of augmentation and of the order of samples.
    """

    minutes: float = 600.0
    width: int = 48
    batch: int = 8
    rate: float = 1.5e-3
    decay: float = 0.02
    back_weight: float = 0.5
    cool: float = 0.35
    uses: float = 1.0
    average: float = 0.999
    judge_every: float = 10.0
    save_every: float = 3.0
    judged: int = 192
    seed: int = 0


@dataclass
class Run:
    """What a checkpoint holds: network, averaged weights, optimiser, how far it got."""

    network: Reconstructor
    averaged: Reconstructor
    optimiser: torch.optim.AdamW
    step: int = 0
    minutes: float = 0.0


def begin(recipe: Recipe) -> Run:
    """A run at its first step."""
    torch.manual_seed(recipe.seed)
    network = Reconstructor(recipe.width)
    averaged = copy.deepcopy(network).requires_grad_(False)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=recipe.rate, weight_decay=recipe.decay, betas=(0.9, 0.98)
    )
    return Run(network, averaged, optimiser)


def save(run: Run, recipe: Recipe, path: Path) -> None:
    """Write a checkpoint; the file appears whole or not at all."""
    state = {
        "network": run.network.state_dict(),
        "averaged": run.averaged.state_dict(),
        "optimiser": run.optimiser.state_dict(),
        "step": run.step,
        "minutes": run.minutes,
        "recipe": asdict(recipe),
    }
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.replace(path)


def resume(recipe: Recipe, path: Path) -> Run:
    """The run of a checkpoint, or a new one if there is none."""
    run = begin(recipe)
    restore(run, path)
    return run


def restore(run: Run, path: Path) -> None:
    """Put what a checkpoint holds into a run, if there is one."""
    if path.exists():
        state = torch.load(path, weights_only=True)
        run.network.load_state_dict(state["network"])
        run.averaged.load_state_dict(state["averaged"])
        run.optimiser.load_state_dict(state["optimiser"])
        run.step, run.minutes = state["step"], state["minutes"]
        log.info("resumed at step %d, minute %.1f", run.step, run.minutes)


def rate_at(recipe: Recipe, run: Run) -> float:
    """The learning rate: up in 200 steps or 2 % of the minutes, level, down along a half cosine."""
    share = (run.minutes / recipe.minutes - (1 - recipe.cool)) / recipe.cool
    fall = 0.5 + 0.5 * math.cos(math.pi * min(1.0, max(0.0, share)))
    rise = max((run.step + 1) / 200, run.minutes / (0.02 * recipe.minutes))
    return recipe.rate * min(1.0, rise) * max(fall, 0.005)


def tensors(batch: Batch) -> tuple[torch.Tensor, torch.Tensor, Target]:
    """Picture, tangent and target of a batch, as the network takes them."""
    picture = torch.from_numpy(batch.picture).permute(0, 3, 1, 2).float() / 255
    picture[:, :3] *= picture[:, 3:] > 0
    half = np.stack([half_thickness(alpha >= 128) for alpha in batch.picture[..., 3]])
    picture = torch.cat((picture, torch.from_numpy(half)[:, None] / frustum.IMAGE), dim=1)
    tangent = torch.tan(torch.deg2rad(torch.from_numpy(batch.field_of_view)) / 2)
    mask = functional.avg_pool2d(picture[:, 3:4], frustum.IMAGE // frustum.GRID) > 0.5
    occupancy = torch.from_numpy(batch.occupancy).permute(0, 3, 1, 2).float() / 255
    target = Target(
        never_empty(occupancy, mask),
        torch.from_numpy(batch.back).permute(0, 3, 1, 2).float() / 255,
        torch.from_numpy(batch.elevation),
        mask.float(),
    )
    return picture, tangent, target


def never_empty(occupancy: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Raise what lies thinly along a ray, so that every ray of the mask meets something.

    Walls and grazed edges thinner than a cell fall between the cells' centres, and the network
    would learn holes from them.
    """
    most = occupancy.amax(dim=1, keepdim=True)
    thin = mask & (most > 0.02) & (most < THINNEST)
    return torch.where(thin, occupancy * (THINNEST / most.clamp_min(0.02)), occupancy)


def step(run: Run, recipe: Recipe, batch: Batch) -> dict[str, float]:
    """One step down; returns the parts of the loss."""
    picture, tangent, target = tensors(batch)
    parts = losses(run.network(picture, tangent), target, recipe.back_weight)
    descend(run, recipe, parts.total)
    return {name: float(getattr(parts, name).detach()) for name in ("occupancy", "back", "total")}


def descend(run: Run, recipe: Recipe, loss: torch.Tensor) -> None:
    """Move the weights against the loss, and the averaged weights after them."""
    for group in run.optimiser.param_groups:
        group["lr"] = rate_at(recipe, run)
    run.optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(run.network.parameters(), 1.0)
    run.optimiser.step()
    keep = min(recipe.average, (run.step + 1) / (run.step + 10))
    with torch.no_grad():
        pairs = zip(run.averaged.parameters(), run.network.parameters(), strict=True)
        for slow, fast in pairs:
            slow.lerp_(fast, 1 - keep)
    run.step += 1


def judge(network: Reconstructor, batch: Batch) -> dict[str, float]:
    """Scores over many samples: overlap of solids, cross-entropy, back colour, elevation."""
    sums: dict[str, float] = {}
    size = len(batch.picture)
    with torch.no_grad():
        for start in range(0, size, 16):
            part = batch.take(np.arange(start, min(start + 16, size)))
            picture, tangent, target = tensors(part)
            answer = network(picture, tangent)
            one = losses(answer, target)
            scores = {
                "iou": float(overlap(answer[0], target).mean()),
                "occupancy": float(one.occupancy),
                "back": float(one.back),
                "elevation_degrees": math.degrees(float(one.elevation)),
            }
            for name, value in scores.items():
                sums[name] = sums.get(name, 0.0) + value * len(part.picture) / size
    return sums


def judged(folder: Path, count: int) -> dict[str, Batch]:
    """Samples to score on, made once: families never trained on, and unseen seeds of the others."""
    made = {}
    for name, make in (
        ("held", lambda: held_out(count)),
        ("seen", lambda: collect([sample((11, index)) for index in range(count)])),
    ):
        path = folder / f"judge-{name}-{count}.npz"
        if not path.exists():
            log.info("making %d samples to judge by: %s", count, name)
            write_shard(path, make())
        made[name] = read_shard(path)
    return made


def record(path: Path, row: dict[str, float]) -> None:
    """Append a line to the run's log."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow({name: f"{value:.6g}" for name, value in row.items()})


def train(recipe: Recipe, out: Path, shards: Path) -> Run:
    """Go on with the run in ``out`` until its minutes are spent."""
    run = resume(recipe, out / "last.pt")
    tests = judged(out, min(recipe.judged, max(16, int(8 * recipe.minutes))))
    judge_every = min(recipe.judge_every, recipe.minutes / 6)
    random = np.random.default_rng((recipe.seed, run.step))
    source = batches(shards, recipe.batch, random, recipe.uses)
    clock, losses_since = time.monotonic(), []
    judged_at = saved_at = run.minutes
    while run.minutes < recipe.minutes:
        losses_since.append(step(run, recipe, next(source)))
        now = time.monotonic()
        run.minutes, clock = run.minutes + (now - clock) / 60, now
        last = run.minutes >= recipe.minutes
        if last or run.minutes - judged_at >= judge_every:
            judged_at = run.minutes
            row: dict[str, float] = {"step": run.step, "minutes": run.minutes}
            row["rate"] = rate_at(recipe, run)
            for name in losses_since[0]:
                row[f"train_{name}"] = float(np.mean([one[name] for one in losses_since]))
            for kind, batch in tests.items():
                scores = judge(run.averaged, batch)
                row |= {f"{kind}_{name}": value for name, value in scores.items()}
            record(out / "log.csv", row)
            log.info("%s", " ".join(f"{name}={value:.4g}" for name, value in row.items()))
            losses_since = []
        if last or run.minutes - saved_at >= recipe.save_every:
            saved_at = run.minutes
            save(run, recipe, out / "last.pt")
    return run


@contextmanager
def generators(folder: Path, count: int, seed: int) -> Iterator[None]:
    """Processes that fill ``folder`` with shards while the block runs."""
    module = f"{__package__}.data"
    started = [
        subprocess.Popen([sys.executable, "-m", module, str(folder), "--seed", str(seed + index)])
        for index in range(count)
    ]
    try:
        yield
    finally:
        for process in started:
            process.terminate()
            process.wait()


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/training"), help="of the run")
    parser.add_argument("--shards", type=Path, default=Path.home() / ".cache/glimpse3d-training")
    parser.add_argument("--generators", type=int, default=1, help="processes that make samples")
    parser.add_argument("--generator-seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    for name, value in asdict(Recipe()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    return parser.parse_args(arguments)


def main() -> None:
    """Train as the command line says."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    chosen = options()
    torch.set_num_threads(chosen.threads)
    recipe = Recipe(**{name: getattr(chosen, name) for name in asdict(Recipe())})
    chosen.out.mkdir(parents=True, exist_ok=True)
    chosen.shards.mkdir(parents=True, exist_ok=True)
    with generators(chosen.shards, chosen.generators, chosen.generator_seed):
        train(recipe, chosen.out, chosen.shards)


if __name__ == "__main__":
    main()
