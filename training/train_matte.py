"""Training of the cut-out's network; steps, averaging and checkpoints are ``train``'s.

Owns the recipe and the scores. Must not know what pictures look like or how the network is built.
``python -m training.train_matte --minutes 60 --out FOLDER`` takes its subjects from the shards in
``--shards``, which the reconstructor's training fills too; the same command again goes on where
the last one stopped, until the minutes are spent.
"""

from __future__ import annotations

import argparse
import copy
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from .cutouts import Cutouts, batches, cutouts
from .matte_network import CutoutNetwork, losses, overlap
from .train import Run, descend, generators, judged, rate_at, record, restore, save

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MatteRecipe:
    """What decides how a run goes; most names mean what they mean in ``train.Recipe``.

    Attributes:
        coarse: share of the minutes, at the beginning, in which pictures have half the size and a
            step sees twice as many. Which thing is meant is learnt three times as fast from those,
            and carries over. With 1 a run never sees the full size, and its file takes the half.
    """

    minutes: float = 60.0
    width: int = 48
    batch: int = 8
    rate: float = 2e-3
    decay: float = 0.02
    coarse: float = 0.5
    cool: float = 0.5
    average: float = 0.998
    judge_every: float = 5.0
    save_every: float = 3.0
    judged: int = 192
    seed: int = 0


def begin(recipe: MatteRecipe) -> Run:
    """A run at its first step."""
    torch.manual_seed(recipe.seed)
    network = CutoutNetwork(recipe.width)
    averaged = copy.deepcopy(network).requires_grad_(False)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=recipe.rate, weight_decay=recipe.decay, betas=(0.9, 0.98)
    )
    return Run(network, averaged, optimiser)


def tensors(batch: Cutouts) -> tuple[torch.Tensor, torch.Tensor]:
    """Picture and alpha of a batch, as the network takes them."""
    picture = torch.from_numpy(batch.picture).permute(0, 3, 1, 2).float() / 255
    return picture, torch.from_numpy(batch.alpha).float() / 255


def step(run: Run, recipe: MatteRecipe, batch: Cutouts) -> dict[str, float]:
    """One step down; returns the parts of the loss."""
    picture, alpha = tensors(batch)
    parts = losses(run.network(picture), alpha)
    descend(run, recipe, parts["total"])
    return {name: float(value.detach()) for name, value in parts.items()}


def judge(network: CutoutNetwork, batch: Cutouts) -> dict[str, float]:
    """Scores over many pictures: overlap, and the parts of the loss."""
    rows = []
    with torch.no_grad():
        for start in range(0, len(batch.picture), 16):
            some = slice(start, start + 16)
            picture, alpha = tensors(Cutouts(batch.picture[some], batch.alpha[some]))
            logits = network(picture)
            parts = {name: float(value) for name, value in losses(logits, alpha).items()}
            rows.append({"iou": float(overlap(logits, alpha).mean()), **parts})
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def is_coarse(recipe: MatteRecipe, run: Run) -> bool:
    """Whether the run is in its first part."""
    return run.minutes < recipe.coarse * recipe.minutes


def halved(batch: Cutouts) -> Cutouts:
    """The same pictures at half their size."""
    return Cutouts(*(_halved(getattr(batch, name)) for name in Cutouts.__dataclass_fields__))


def _halved(values: np.ndarray) -> np.ndarray:
    rows = (values[:, ::2].astype(np.uint16) + values[:, 1::2] + 1) // 2
    return ((rows[:, :, ::2] + rows[:, :, 1::2] + 1) // 2).astype(np.uint8)


def feed(recipe: MatteRecipe, run: Run, shards: Path) -> Iterator[Cutouts]:
    """Batches for what is left of a run."""
    random = np.random.default_rng((recipe.seed, run.step))
    if is_coarse(recipe, run):
        for batch in batches(shards, 2 * recipe.batch, random):
            yield halved(batch)
            if not is_coarse(recipe, run):
                break
    yield from batches(shards, recipe.batch, random)


def scenes(folder: Path, count: int) -> dict[str, Cutouts]:
    """Pictures to score on: subjects of families never trained on, and unseen ones of the others.

    Their number is rounded up to whole batches of the judge.
    """
    count = -(-count // 16) * 16
    return {
        name: cutouts(np.random.default_rng(13), batch.picture, count)
        for name, batch in judged(folder, count).items()
    }


def train(recipe: MatteRecipe, out: Path, shards: Path) -> Run:
    """Go on with the run in ``out`` until its minutes are spent."""
    run = begin(recipe)
    restore(run, out / "last.pt")
    tests = scenes(out, min(recipe.judged, max(16, int(8 * recipe.minutes))))
    judge_every = min(recipe.judge_every, recipe.minutes / 6)
    source = feed(recipe, run, shards)
    clock, since = time.monotonic(), []
    judged_at = saved_at = run.minutes
    while run.minutes < recipe.minutes:
        since.append(step(run, recipe, next(source)))
        now = time.monotonic()
        run.minutes, clock = run.minutes + (now - clock) / 60, now
        last = run.minutes >= recipe.minutes
        if last or run.minutes - judged_at >= judge_every:
            judged_at = run.minutes
            report(run, recipe, since, tests, out)
            since = []
        if last or run.minutes - saved_at >= recipe.save_every:
            saved_at = run.minutes
            save(run, recipe, out / "last.pt")
    return run


def report(
    run: Run,
    recipe: MatteRecipe,
    since: Sequence[Mapping[str, float]],
    tests: Mapping[str, Cutouts],
    out: Path,
) -> None:
    """Score the averaged weights and append a line to the run's log."""
    row = {"step": float(run.step), "minutes": run.minutes, "rate": rate_at(recipe, run)}
    row |= {f"train_{name}": float(np.mean([one[name] for one in since])) for name in since[0]}
    for kind, batch in tests.items():
        scores = judge(run.averaged, halved(batch) if is_coarse(recipe, run) else batch)
        row |= {f"{kind}_{name}": value for name, value in scores.items()}
    record(out / "log.csv", row)
    log.info("%s", " ".join(f"{name}={value:.4g}" for name, value in row.items()))


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/training-matte"), help="of the run")
    parser.add_argument("--shards", type=Path, default=Path.home() / ".cache/glimpse3d-training")
    parser.add_argument("--generators", type=int, default=1, help="processes that make subjects")
    parser.add_argument("--generator-seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    for name, value in asdict(MatteRecipe()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    return parser.parse_args(arguments)


def main() -> None:
    """Train as the command line says."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    chosen = options()
    torch.set_num_threads(chosen.threads)
    recipe = MatteRecipe(**{name: getattr(chosen, name) for name in asdict(MatteRecipe())})
    chosen.out.mkdir(parents=True, exist_ok=True)
    chosen.shards.mkdir(parents=True, exist_ok=True)
    with generators(chosen.shards, chosen.generators, chosen.generator_seed):
        train(recipe, chosen.out, chosen.shards)


if __name__ == "__main__":
    main()
