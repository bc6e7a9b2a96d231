"""What pays: short trainings that differ from one another in one thing, judged on the same samples.

Owns the variants, their runs and the table. Must not know layers, nor what shapes look like.
``python -m training.ablations --out FOLDER`` trains one variant after the other from nothing, with
equal steps and the same schedule, and writes ``FOLDER/ablations.csv`` anew after each. The same
command again goes on: samples that were made and variants that have a result are kept.
"""

from __future__ import annotations

import argparse
import csv
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from . import frustum
from .data import Batch, augment, collect, read_shard, sample, write_shard
from .network import DEEPEST, STEEPNESS, Reconstructor, losses, overlap
from .shapes.families import TRAINED
from .train import Recipe, Run, begin, descend, judged, step, tensors

SEED = 21  # of the samples to learn from
# Logits above which a cell may be taken for solid; 0 is the even chance.
LEVELS = np.linspace(-2, 0.5, 11)
EVEN = 8  # the place of 0 in LEVELS
LATERAL = frustum.BINS / (frustum.DEPTH_PER_TANGENT * frustum.GRID)  # cell's width over its depth
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Variant:
    """What a run may do differently.

    Attributes:
        quarters: of the base's number of distinct samples, all of different shapes.
        stride: one in so many families is trained on.
        width: of the network.
        back_weight: of the back's colour in the loss.
        distance: whether the network learns signed distances in place of occupancy.
        seed: of the weights, the order of samples and their augmentation.
    """

    quarters: int = 4
    stride: int = 1
    width: int = 48
    back_weight: float = 0.5
    distance: bool = False
    seed: int = 0


# The second seed tells how far two runs lie apart that differ in nothing.
VARIANTS = {
    "base": Variant(),
    "another seed": Variant(seed=1),
    "signed distance": Variant(distance=True),
    "shapes x 4": Variant(quarters=16),
    "shapes x 1/4": Variant(quarters=1),
    "a third of the families": Variant(stride=3),
    "without the back": Variant(back_weight=0.0),
    "width 64": Variant(width=64),
    "width 32": Variant(width=32),
}


@dataclass(frozen=True)
class Result:
    """How a variant did.

    Attributes:
        held: (LEVELS, N) float32 overlap with the truth, for samples of families held out.
        seen: the same for unseen seeds of the others.
        cpu_seconds: of training.
    """

    held: np.ndarray
    seen: np.ndarray
    cpu_seconds: float

    def level(self) -> int:
        """The place in LEVELS that is best for the unseen seeds."""
        return int(self.seen.mean(axis=1).argmax())


def samples(folder: Path, variant: Variant, quarter: int) -> Batch:
    """The distinct samples of a variant, made where they lack; fewer are the first of more."""
    families = {name: TRAINED[name] for name in list(TRAINED)[:: variant.stride]}
    parts = []
    for number in range(variant.quarters):
        path = folder / f"samples-{variant.stride}-{quarter}-{number:02d}.npz"
        if not path.exists():
            log.info("making %s", path.name)
            seeds = [(SEED, number, index) for index in range(quarter)]
            write_shard(path, collect([sample(seed, families) for seed in seeds]))
        parts.append(read_shard(path))
    names = Batch.__dataclass_fields__
    return Batch(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def with_distances(batch: Batch) -> Batch:
    """The batch with signed distances where occupancy stood.

    0 to 255 for DEEPEST cells outside to DEEPEST inside, in cells along a ray; the surface lies
    half a cell from the centres beside it. Solid is what the score calls solid.
    """
    coded = np.empty_like(batch.occupancy)
    cell = (LATERAL, LATERAL, 1.0)
    for index in range(len(coded)):
        occupancy = tensors(batch.take(np.array([index])))[2].occupancy[0]
        solid = occupancy.permute(1, 2, 0).numpy() > 0.5
        inside, outside = (distance_transform_edt(side, sampling=cell) for side in (solid, ~solid))
        signed = np.where(solid, inside - 0.5, 0.5 - outside)
        coded[index] = np.rint(127.5 + 127.5 * np.clip(signed / DEEPEST, -1, 1))
    return replace(batch, occupancy=coded)


def distance_step(run: Run, recipe: Recipe, batch: Batch) -> None:
    """One step down on a batch with distances.

    The network begins with the inflated silhouette, whose logits are distances already but for
    their scale.
    """
    picture, tangent, target = tensors(batch)
    coded = torch.from_numpy(batch.occupancy).permute(0, 3, 1, 2).float() / 255
    answer = run.network(picture, tangent)
    error = (answer[0] / STEEPNESS - DEEPEST * (2 * coded - 1)).abs() * target.mask
    parts = losses(answer, target)
    total = error.sum() / (target.mask.sum().clamp_min(1) * frustum.BINS)
    descend(run, recipe, total + recipe.back_weight * parts.back + 0.05 * parts.elevation)


def train(variant: Variant, pool: Batch, recipe: Recipe) -> Reconstructor:
    """The averaged network at the end of the recipe; every sample is drawn equally often.

    A step counts as one of the recipe's minutes: the rate must not depend on the machine.
    """
    run, random = begin(recipe), np.random.default_rng(recipe.seed)
    if variant.distance:
        pool = with_distances(pool)
    count, steps = len(pool.picture), int(recipe.minutes)
    drawn = steps * recipe.batch
    order = np.concatenate([random.permutation(count) for _ in range(-(-drawn // count))])
    for picks in order[:drawn].reshape(steps, recipe.batch):
        run.minutes = float(run.step)
        batch = augment(pool.take(picks), random)
        if variant.distance:
            distance_step(run, recipe, batch)
        else:
            step(run, recipe, batch)
    return run.averaged


def overlaps(network: Reconstructor, batch: Batch) -> np.ndarray:
    """(LEVELS, N) float32 overlap of each sample's solid with the truth."""
    parts = []
    with torch.no_grad():
        for start in range(0, len(batch.picture), 16):
            part = batch.take(np.arange(start, min(start + 16, len(batch.picture))))
            picture, tangent, target = tensors(part)
            logits = network(picture, tangent)[0]
            at_levels = [overlap(logits - float(level), target) for level in LEVELS]
            parts.append(torch.stack(at_levels).numpy())
    return np.concatenate(parts, axis=1)


def run_variant(variant: Variant, pool: Batch, recipe: Recipe, tests: dict[str, Batch]) -> Result:
    """Train and judge."""
    start = time.process_time()
    network = train(variant, pool, recipe)
    seconds = time.process_time() - start
    scores = {name: overlaps(network, batch) for name, batch in tests.items()}
    return Result(scores["held"], scores["seen"], seconds)


def save(path: Path, result: Result, setting: str) -> None:
    """Write a result; the file appears whole or not at all."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        np.savez_compressed(file, setting=np.array(setting), **vars(result))
    temporary.replace(path)


def load(path: Path, setting: str) -> Result:
    """Read a result.

    Raises:
        ValueError: it is of another number of steps or samples.
    """
    with np.load(path) as file:
        if str(file["setting"]) != setting:
            raise ValueError(
                f"{path} is of {file['setting']}, not of {setting}: take another folder"
            )
        return Result(file["held"], file["seen"], float(file["cpu_seconds"]))


def rows(results: dict[str, Result]) -> list[dict[str, str]]:
    """The table: means, and differences to the base over the same samples with their error.

    The error is that of the samples alone; what another seed does is a variant of its own.
    """
    table = []
    for name, result in results.items():
        row = {"variant": name, "cpu_minutes": f"{result.cpu_seconds / 60:.1f}"}
        for kind in ("held", "seen"):
            for suffix, best in (("", False), ("_best", True)):
                values = _overlap(result, kind, best)
                row[kind + suffix] = f"{values.mean():.4f}"
                if "base" in results:
                    change = values - _overlap(results["base"], kind, best)
                    error = change.std(ddof=1) / np.sqrt(len(change))
                    row[f"{kind}{suffix}_difference"] = f"{change.mean():+.4f}"
                    row[f"{kind}{suffix}_error"] = f"{error:.4f}"
        table.append(row)
    return table


def _overlap(result: Result, kind: str, best: bool) -> np.ndarray:
    """(N,) at the even chance, or at the level that suits the variant's unseen seeds best."""
    values: np.ndarray = getattr(result, kind)
    return values[result.level() if best else EVEN]


def write_table(path: Path, results: dict[str, Result]) -> None:
    """Write the table anew."""
    table = rows(results)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, table[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


def compare(out: Path, names: Sequence[str], recipe: Recipe, quarter: int) -> None:
    """Run what has no result yet, in the order of the variants."""
    tests = judged(out, recipe.judged)
    setting = f"{recipe.minutes:.0f} steps of {recipe.batch}, {4 * quarter} samples"
    results = {}
    for name, variant in VARIANTS.items():
        path = out / f"{name.replace(' ', '-').replace('/', '-')}.npz"
        if path.exists():
            results[name] = load(path, setting)
        elif name in names:
            pool = samples(out, variant, quarter)
            own = replace(
                recipe,
                width=variant.width,
                back_weight=variant.back_weight,
                seed=recipe.seed + variant.seed,
            )
            results[name] = run_variant(variant, pool, own, tests)
            save(path, results[name], setting)
            log.info("%s: %.0f s", name, results[name].cpu_seconds)
        if results:
            write_table(out / "ablations.csv", results)


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="of samples, results and the table")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--quarter", type=int, default=128, help="a quarter of the base's samples")
    parser.add_argument("--judged", type=int, default=192, help="samples a kind to judge by")
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(chosen.threads)
    recipe = Recipe(minutes=float(chosen.steps), batch=chosen.batch, judged=chosen.judged)
    chosen.out.mkdir(parents=True, exist_ok=True)
    compare(chosen.out, chosen.only, recipe, chosen.quarter)


if __name__ == "__main__":
    main()
