"""Pictures with a subject in front of a background, and its true cut-out: made while training runs.

Owns how a subject is placed, lit, shadowed and surrounded, and what a camera does to all of it.
Must not know how subjects are drawn, nor the network. Subjects are the cut-outs of the shards that
``data`` writes for the reconstructor: placing one costs milliseconds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .backgrounds import background, colour

SIZE = 128  # pixels, of the network's input and answer
POOL = 40  # shards whose pictures are in memory, 4 MB each
NOBODY = 0.03  # share of pictures without a subject
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cutouts:
    """What one step sees.

    Attributes:
        picture: (N, SIZE, SIZE, 3) uint8 sRGB.
        alpha: (N, SIZE, SIZE) uint8, the subject's share of each pixel.
    """

    picture: np.ndarray
    alpha: np.ndarray


def cutout(random: np.random.Generator, subjects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One picture (SIZE, SIZE, 3) uint8 and its alpha (SIZE, SIZE) uint8.

    Args:
        random: decides everything.
        subjects: (M, H, W, 4) uint8 sRGB cut-outs, straight alpha; one is shown, others around it.
    """
    behind = background(random, SIZE)
    if random.random() < NOBODY:
        return _photographed(random, behind, np.zeros((SIZE, SIZE), np.float32))
    if random.random() < 0.55:
        behind = _surrounded(random, behind, subjects)
    layer = _subject(random, subjects)
    if random.random() < 0.55:
        behind = behind * (1 - _shadow(random, layer[..., 3]))[..., None]
    alpha = layer[..., 3:]
    if random.random() < 0.12:  # hardly any contrast to what is behind
        layer[..., :3] = _of_like_tone(random, layer, behind)
    return _photographed(random, layer[..., :3] + behind * (1 - alpha), alpha[..., 0])


def cutouts(random: np.random.Generator, subjects: np.ndarray, count: int) -> Cutouts:
    """A batch of pictures."""
    made = [cutout(random, subjects) for _ in range(count)]
    return Cutouts(np.stack([one[0] for one in made]), np.stack([one[1] for one in made]))


def _subject(random: np.random.Generator, subjects: np.ndarray) -> np.ndarray:
    """A subject where photographers put it, (SIZE, SIZE, 4) float32, premultiplied."""
    while True:
        extent = SIZE * (0.26 + 0.72 * random.beta(1.7, 1.2))
        spread = 0.13 if random.random() < 0.85 else 0.25
        center = SIZE * (0.5 + np.clip(random.normal(0, spread, 2), -0.35, 0.35))
        if random.random() < 0.9:  # inside the picture, but for one in ten
            free = max(SIZE - extent, 0) / 2 + 1
            center = np.clip(center, SIZE / 2 - free, SIZE / 2 + free)
        layer = _placed(_changed(random, subjects), extent, center)
        if layer[..., 3].sum() > 0.015 * SIZE * SIZE:
            return layer


def _surrounded(
    random: np.random.Generator, behind: np.ndarray, subjects: np.ndarray
) -> np.ndarray:
    """With other things too near, right behind, or at the rim; what is in front of all is meant."""
    blur = float(np.exp(random.uniform(-1, 1.5))) if random.random() < 0.4 else 0.0
    where = random.choice(3, p=(0.3, 0.4, 0.3))
    for _ in range(random.integers(1, (4, 3, 6)[where])):
        if where == 0:  # so near, or so large, that the picture does not hold it
            extent, center = SIZE * random.uniform(0.9, 2.5), random.uniform(-0.1, 1.1, 2)
        elif where == 1:
            extent, center = SIZE * random.uniform(0.35, 1.0), random.normal(0.5, 0.17, 2)
        else:
            extent, center = SIZE * random.uniform(0.1, 0.5), _at_the_rim(random)
        layer = _placed(_changed(random, subjects, 0.1), extent, SIZE * center)
        if blur:
            layer = cv2.GaussianBlur(layer, (0, 0), max(blur, 0.3))
        if random.random() < 0.4:
            behind = behind * (1 - _shadow(random, layer[..., 3]))[..., None]
        behind = layer[..., :3] + behind * (1 - layer[..., 3:])
    return behind


def _at_the_rim(random: np.random.Generator) -> np.ndarray:
    place = random.uniform(0, 1, 2)
    axis = random.integers(2)
    place[axis] = random.choice([0, 1]) + random.normal(0, 0.09)
    return place


def _changed(
    random: np.random.Generator, subjects: np.ndarray, repainted: float = 0.35
) -> np.ndarray:
    """A random subject, mirrored, turned, a share repainted: (H, W, 4) float32, straight alpha."""
    layer = subjects[random.integers(len(subjects))].astype(np.float32) / 255
    if random.random() < 0.5:
        layer = layer[:, ::-1]
    paint = layer[..., random.permutation(3)] if random.random() < 0.5 else layer[..., :3]
    if random.random() < repainted:  # patterns that the subject's own painter does not know
        own = background(random, layer.shape[0])
        light = paint.mean(axis=2, keepdims=True) / max(float(paint.max()), 1e-3)
        paint = own * light if random.random() < 0.5 else paint * (0.4 + own)
    grey = paint.mean(axis=2, keepdims=True)
    paint = grey + np.clip(random.normal(0.95, 0.3), 0, 1.6) * (paint - grey)
    paint = np.clip(paint * random.uniform(0.7, 1.3), 0, 1) ** np.exp(random.normal(0, 0.25))
    layer = np.dstack([paint, layer[..., 3]])
    if random.random() < 0.25:
        middle = (layer.shape[1] / 2, layer.shape[0] / 2)
        turn = cv2.getRotationMatrix2D(middle, random.normal(0, 25), 0.85)
        layer = _straight(cv2.warpAffine(_premultiplied(layer), turn, layer.shape[1::-1]))
    return layer


def _placed(layer: np.ndarray, extent: float, center: np.ndarray) -> np.ndarray:
    """Its longest side ``extent`` pixels, its middle at ``center`` (x, y): premultiplied."""
    rows, columns = (np.flatnonzero(layer[..., 3].max(axis=axis) > 0.02) for axis in (1, 0))
    if not len(rows):
        return np.zeros((SIZE, SIZE, 4), np.float32)
    crop = _premultiplied(layer[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    scale = extent / max(crop.shape[:2])
    height, width = (max(round(side * scale), 1) for side in crop.shape[:2])
    shrinks = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    crop = np.clip(cv2.resize(crop, (width, height), interpolation=shrinks), 0, 1)
    crop[..., :3] = np.minimum(crop[..., :3], crop[..., 3:])  # a cubic overshoots
    left, top = (round(value) for value in (center[0] - width / 2, center[1] - height / 2))
    whole = np.zeros((SIZE, SIZE, 4), np.float32)
    into = np.s_[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    out_of = crop[max(-top, 0) :, max(-left, 0) :]
    target = whole[into]
    target[...] = out_of[: target.shape[0], : target.shape[1]]
    return whole


def _shadow(random: np.random.Generator, alpha: np.ndarray) -> np.ndarray:
    """(SIZE, SIZE) 0..1: the subject's outline laid onto the ground below it, soft."""
    rows = np.flatnonzero(alpha.max(axis=1) > 0.5)
    if not len(rows):
        return np.zeros_like(alpha)
    foot = float(rows[-1])
    squash, lean = random.uniform(0.08, 0.5), random.normal(0, 0.8)
    sink = random.uniform(-0.02, 0.03) * SIZE
    turn = np.array(
        [[1, -lean * squash, lean * squash * foot], [0, squash, foot * (1 - squash) + sink]]
    )
    laid = cv2.warpAffine(alpha, turn, (SIZE, SIZE))
    soft = cv2.GaussianBlur(laid, (0, 0), float(np.exp(random.uniform(0, 2))))
    return random.uniform(0.15, 0.85) * soft


def _of_like_tone(random: np.random.Generator, layer: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """The subject's premultiplied colour moved towards the background's mean."""
    alpha = layer[..., 3:]
    own = (layer[..., :3]).sum(axis=(0, 1)) / max(float(alpha.sum()), 1e-6)
    wanted = behind.mean(axis=(0, 1)) + random.normal(0, 0.08, 3)
    moved = layer[..., :3] + alpha * random.uniform(0.4, 0.9) * (wanted - own)
    return np.clip(moved, 0, alpha)


def _photographed(
    random: np.random.Generator, picture: np.ndarray, alpha: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Through a camera: blur, coarse pixels, a cast, tone, noise and compression."""
    if random.random() < 0.25:
        sigma = random.uniform(0.3, 1.0)
        picture = cv2.GaussianBlur(picture, (0, 0), sigma)
        alpha = cv2.GaussianBlur(alpha, (0, 0), sigma)
    if random.random() < 0.3:
        share = random.uniform(0, 0.25)
        picture = picture * (1 - share + share * colour(random) * 2)
    gain, gamma = random.uniform(0.75, 1.2), np.exp(random.normal(0, 0.2))
    picture = np.clip(gain * picture, 0, 1) ** gamma
    if random.random() < 0.6:
        noise = random.standard_normal((SIZE, SIZE, 3), np.float32)
        picture = picture + random.uniform(0, 0.04) ** 1.2 * noise
    levels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    if random.random() < 0.25:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(35, 95))]
        levels = cv2.imdecode(cv2.imencode(".jpg", levels, quality)[1], cv2.IMREAD_COLOR)
    return levels, np.rint(np.clip(alpha, 0, 1) * 255).astype(np.uint8)


def _premultiplied(layer: np.ndarray) -> np.ndarray:
    return np.dstack([layer[..., :3] * layer[..., 3:], layer[..., 3]]).astype(np.float32)


def _straight(layer: np.ndarray) -> np.ndarray:
    alpha = layer[..., 3:]
    return np.dstack([np.clip(layer[..., :3] / np.maximum(alpha, 1e-3), 0, 1), alpha])


def batches(folder: Path, size: int, random: np.random.Generator) -> Iterator[Cutouts]:
    """Batches without end, of subjects from random shards of a folder.

    A pool of shards is held in memory; after as many subjects as a shard holds, one of the pool
    makes place for another, which may be one that was written in the meantime.
    """
    pool: list[np.ndarray] = []
    drawn = 0
    while True:
        if len(pool) < POOL or drawn >= len(pool[0]):
            drawn = 0
            pool = [*pool[-(POOL - 1) :], subjects_of(_any_shard(folder, random))]
        yield cutouts(random, pool[random.integers(len(pool))], size)
        drawn += size


def subjects_of(shard: Path) -> np.ndarray:
    """The cut-outs of a shard, (M, H, W, 4) uint8."""
    with np.load(shard) as file:
        return file["picture"]


def _any_shard(folder: Path, random: np.random.Generator) -> Path:
    while not (paths := sorted(folder.glob("shard-*.npz"))):
        log.info("waiting for the first shard in %s", folder)
        time.sleep(2)
    return paths[random.integers(len(paths))]
