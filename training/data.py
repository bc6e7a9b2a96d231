"""Samples on their way to the network: made from seeds, kept in shards, read as batches.

Owns the shard files, the generator process and augmentation. Must not know how the network is
built. A shard is a numpy archive of a few hundred samples; a folder of them is a cache that may be
deleted at any time.
"""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .render import Sample, render
from .shapes.families import HELD_OUT, TRAINED, Family, draw, shape

SHARD = 64
POOL = 32  # shards in memory, 25 MB each
READ = "read.txt"  # names of shards, as they are read for the first time
LEVELS = 15  # occupancy is kept in this many steps: small files, and enough for a smooth surface
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batch:
    """What one step sees.

    Attributes:
        picture: (N, IMAGE, IMAGE, 4) uint8 sRGB, straight alpha.
        occupancy: (N, GRID, GRID, BINS) uint8, 0 to 255.
        back: (N, GRID, GRID, 3) uint8 sRGB.
        elevation: (N,) float32 radians.
        field_of_view: (N,) float32 degrees.
    """

    picture: np.ndarray
    occupancy: np.ndarray
    back: np.ndarray
    elevation: np.ndarray
    field_of_view: np.ndarray

    def take(self, index: np.ndarray) -> Batch:
        """The samples that ``index`` names."""
        return Batch(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


def sample(seed: tuple[int, ...], families: Mapping[str, tuple[Family, float]] = TRAINED) -> Sample:
    """The sample that a seed stands for; shapes that no camera can hold are drawn again."""
    for attempt in range(50):
        random = np.random.default_rng((*seed, attempt))
        name = draw(random, families)
        made = render(shape(name, (*seed, attempt)), random)
        if made is not None:
            return made
    raise RuntimeError(f"no sample in 50 attempts from seed {seed}")


def collect(samples: list[Sample]) -> Batch:
    """Stack samples."""
    return Batch(
        np.stack([one.picture for one in samples]),
        np.stack([one.occupancy for one in samples]),
        np.stack([one.back for one in samples]),
        np.array([one.elevation for one in samples], np.float32),
        np.array([one.field_of_view for one in samples], np.float32),
    )


def write_shard(path: Path, batch: Batch) -> None:
    """Save a batch; the file appears whole or not at all."""
    levels = np.rint(batch.occupancy * (LEVELS / 255.0)).astype(np.uint8)
    packed = levels[..., ::2] << 4 | levels[..., 1::2]
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        np.savez_compressed(
            file,
            picture=batch.picture,
            occupancy=packed,
            back=batch.back,
            elevation=batch.elevation,
            field_of_view=batch.field_of_view,
        )
    temporary.replace(path)


def read_shard(path: Path) -> Batch:
    """Load what ``write_shard`` saved."""
    with np.load(path) as file:
        packed = file["occupancy"]
        levels = np.stack((packed >> 4, packed & 15), axis=-1).reshape(*packed.shape[:3], -1)
        return Batch(
            file["picture"],
            levels * np.uint8(255 // LEVELS),
            file["back"],
            file["elevation"],
            file["field_of_view"],
        )


def held_out(count: int, seed: int = 7) -> Batch:
    """Samples of families that are never trained on."""
    return collect([sample((seed, index), HELD_OUT) for index in range(count)])


def generate(
    folder: Path,
    seed: int,
    keep: int,
    ahead: int,
    families: Mapping[str, tuple[Family, float]] = TRAINED,
) -> Iterator[Path]:
    """Write shard after shard, without end.

    Shards are named by their number, and a number is never used twice in a folder: what was made
    before a cut is not made again.

    Args:
        folder: of the shards.
        seed: of this process; two that fill one folder take different ones.
        keep: shards of this process that stay; beyond that the oldest go.
        ahead: shards that nobody has read yet; with so many of them it waits.
        families: to draw from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counter = folder / f"next-{seed}.txt"
    number = int(counter.read_text()) if counter.exists() else 0
    while True:
        while len({path.name for path in folder.glob("shard-*.npz")} - read_before(folder)) > ahead:
            time.sleep(5)
        path = folder / f"shard-{seed}-{number:06d}.npz"
        seeds = [(seed, number, index) for index in range(SHARD)]
        write_shard(path, collect([sample(one, families) for one in seeds]))
        number += 1
        counter.write_text(str(number))
        for old in sorted(folder.glob(f"shard-{seed}-*.npz"))[:-keep]:
            old.unlink()
        yield path


def read_before(folder: Path) -> set[str]:
    """Names of the shards that some training has drawn from."""
    path = folder / READ
    return set(path.read_text().split()) if path.exists() else set()


def augment(batch: Batch, random: np.random.Generator) -> Batch:
    """Mirror, swap channels, and change tone, saturation and gain, each sample by itself."""
    picture, occupancy, back = batch.picture.copy(), batch.occupancy.copy(), batch.back.copy()
    for index in range(len(picture)):
        if random.random() < 0.5:
            picture[index] = picture[index][:, ::-1]
            occupancy[index] = occupancy[index][:, ::-1]
            back[index] = back[index][:, ::-1]
        order = random.permutation(3) if random.random() < 0.6 else np.arange(3)
        tone = _tone_curve(random)
        share = float(np.clip(random.normal(1, 0.25), 0, 1.6))
        for target in (picture[index], back[index]):
            colour = tone[target[..., order]]
            grey = colour.mean(axis=-1, keepdims=True)
            target[..., :3] = np.clip(grey + share * (colour - grey), 0, 255)
        noise = random.normal(0, random.uniform(0, 6), picture[index, ..., :3].shape)
        picture[index, ..., :3] = np.clip(picture[index, ..., :3] + noise, 0, 255)
    return Batch(picture, occupancy, back, batch.elevation, batch.field_of_view)


def _tone_curve(random: np.random.Generator) -> np.ndarray:
    """(256,) float32 a gamma and a gain."""
    gamma, gain = np.exp(random.normal(0, 0.2)), random.uniform(0.8, 1.15)
    return (255 * np.clip(gain * (np.arange(256) / 255) ** gamma, 0, 1)).astype(np.float32)


def batches(
    folder: Path, size: int, random: np.random.Generator, uses: float = 1.0
) -> Iterator[Batch]:
    """Augmented batches from random shards of a folder that another process fills.

    A pool of shards is held in memory. Whenever as many samples were drawn as ``uses`` shards
    hold, one of the pool makes place for one that was never read, or for any if there is none.
    """
    pool: list[Batch] = []
    drawn = 0.0
    while True:
        if len(pool) < POOL or drawn >= SHARD * uses:
            drawn = 0.0 if len(pool) >= POOL else drawn
            _refill(folder, pool, random)
        pick = [pool[random.integers(len(pool))] for _ in range(size)]
        parts = [shard.take(random.integers(len(shard.picture), size=1)) for shard in pick]
        names = Batch.__dataclass_fields__
        batch = Batch(*(np.concatenate([getattr(part, n) for part in parts]) for n in names))
        drawn += size
        yield augment(batch, random)


def _refill(folder: Path, pool: list[Batch], random: np.random.Generator) -> None:
    """Put one more shard into the pool, in place of a random one when it is full."""
    while not (paths := sorted(folder.glob("shard-*.npz"))):
        log.info("waiting for the first shard in %s", folder)
        time.sleep(2)
    read = read_before(folder)
    fresh = [path for path in paths if path.name not in read]
    if not fresh and len(pool) >= min(POOL, len(paths)) and len(paths) <= POOL:
        return
    path = fresh[0] if fresh else paths[random.integers(len(paths))]
    shard = read_shard(path)
    if fresh:
        with (folder / READ).open("a") as file:
            file.write(f"{path.name}\n")
    if len(pool) < POOL:
        pool.append(shard)
    else:
        pool[random.integers(len(pool))] = shard


def main() -> None:
    """Fill a folder with shards until stopped."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=int, default=600, help="shards; the oldest go")
    parser.add_argument("--ahead", type=int, default=64, help="unread shards; more are not made")
    parser.add_argument("--only", nargs="+", choices=list(TRAINED), default=list(TRAINED))
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    families = {name: TRAINED[name] for name in options.only}
    numbers = options.seed, options.keep, options.ahead
    for path in generate(options.folder, *numbers, families):
        log.info("wrote %s", path)


if __name__ == "__main__":
    main()
