"""The surface of a field that is dear to evaluate, from few of its values.

Owns which grid points are asked for: every few first, then only around the surface, with an audit
of what was left out. The field is a logarithm of density: it falls steadily with the distance
from a surface, so that a value near to the threshold tells of a thin part between the samples.
Must not know networks, colours or frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numba
import numpy as np

from . import marching_cubes
from .errors import InvalidData, InvalidSettings, NoForeground
from .marching_cubes import CORNERS, Cells
from .progress import Progress

# From grid indices (N, 3) int64 to raw values (N,), any float; also from positions to raw values.
Field = Callable[[np.ndarray], np.ndarray]

# Samples along an axis that see every part: about one for each texel of a plane of features.
_COARSE = 64
# One pass before looks for empty space with every other of them, and a wider margin: a part that
# a texel's spacing just shows may be that much farther from samples twice as far apart.
_SCOUT = 3.0
# A field is taken to rise no faster than this times the steepest rise between its samples.
_STEEPER = 1.25
# Blocks that may be kept of that size; with more the field is foam and the dense grid is safer.
_FOAM = 0.25
# How many of the points left out are asked for after all.
_AUDIT = 20_000
# Points asked for at once: between two such requests the work can be stopped.
_BATCH = 1 << 18
# The 27 points of a block cut in halves, which of them are its corners and its children's.
_CUBE = np.array(list(np.ndindex(3, 3, 3)))
_SLOT = np.array([9, 3, 1])
_OWN_CORNERS = 2 * CORNERS @ _SLOT
_NEW = np.setdiff1d(np.arange(27), _OWN_CORNERS)
_CHILD_CORNERS = (CORNERS[:, None] + CORNERS[None]) @ _SLOT


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the samples are: corners of the box are samples.

    Attributes:
        resolution: samples along each axis.
        low, high: the box, any unit.
    """

    resolution: int
    low: tuple[float, float, float] = (-1.0, -1.0, -1.0)
    high: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if self.resolution < 2:
            raise InvalidSettings("resolution", "must be 2 at least")
        if not np.less(self.low, self.high).all():
            raise InvalidData("the box of a grid is empty")

    def positions(self, indices: np.ndarray) -> np.ndarray:
        """(N, 3) float64 in the box's unit; ``indices`` (N, 3) may be fractions."""
        spacing = np.subtract(self.high, self.low) / (self.resolution - 1)
        found: np.ndarray = np.asarray(self.low) + indices * spacing
        return found


@dataclass(frozen=True, slots=True)
class Extraction:
    """How a surface is taken from a field.

    Attributes:
        level: the raw value at the surface; larger is inside.
        interpolation: ``log`` places vertices by the raw values: smooth. ``density`` by their
            exponential, as published implementations do: terraced where the field is steep.
        mode: ``auto`` samples sparsely, audits and falls back to the dense grid; ``sparse`` and
            ``dense`` insist.
        closed: also where the inside reaches the box, half a voxel beyond its samples.
        margin: blocks with a value that near to the level are looked into, in raw units; less
            where the field rises too slowly to pass the level within the block.
        seed: of the audit.
    """

    level: float = 0.0
    interpolation: str = "log"
    mode: str = "auto"
    closed: bool = True
    margin: float = 6.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (
            ("interpolation", ("log", "density")),
            ("mode", ("auto", "sparse", "dense")),
        ):
            if getattr(self, name) not in known:
                raise InvalidSettings(name, f"must be one of {', '.join(known)}")


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """What was found, and at what cost.

    Attributes:
        vertices: (V, 3) float64, the box's unit.
        faces: (F, 3) int64, counter-clockwise seen from outside.
        mode: ``sparse`` or ``dense``, what it came from.
        margin: that it came from; 0 if dense.
        queries: how many values were asked for.
    """

    vertices: np.ndarray
    faces: np.ndarray
    mode: str
    margin: float
    queries: int


@dataclass(frozen=True, slots=True, eq=False)
class _Blocks:
    """Cubes of ``size`` voxels: origins (N, 3) int64 and corner values (N, 8) float32."""

    origins: np.ndarray
    values: np.ndarray
    size: int

    def only(self, chosen: np.ndarray) -> _Blocks:
        return _Blocks(self.origins[chosen], self.values[chosen], self.size)


@dataclass(slots=True)
class _Samples:
    """The field on a grid with one more sample on each side, which mirrors its neighbour inside.

    So what reaches the box is closed there. ``queries`` counts.
    """

    field: Field
    resolution: int
    level: float
    progress: Progress
    queries: int = 0

    def __call__(self, indices: np.ndarray) -> np.ndarray:
        """(N,) float32, positive inside; ``indices`` (N, 3), those of the grid from 1 on."""
        values = np.empty(len(indices), np.float32)
        for start in range(0, len(indices), _BATCH):
            self.progress(0.0, "asking the field")
            part = indices[start : start + _BATCH]
            inner = np.clip(part - 1, 0, self.resolution - 1)
            raw = np.asarray(self.field(inner), np.float32)
            if raw.shape != (len(part),) or not np.isfinite(raw).all():
                raise InvalidData("a field must answer one finite number for each point")
            outside = (inner != part - 1).any(axis=1)
            raw = raw - np.float32(self.level)
            values[start : start + _BATCH] = np.where(outside, -np.abs(raw), raw)
        self.queries += len(indices)
        return values


def on_positions(of_positions: Field, grid: Grid) -> Field:
    """A field of positions, (N, 3) float32 in the box's unit, as one of the grid's indices."""
    return lambda indices: of_positions(grid.positions(indices).astype(np.float32))


def extract(
    of_indices: Field, grid: Grid, how: Extraction, progress: Progress | None = None
) -> Surface:
    """The closed surface where a field passes ``how.level``.

    Args:
        of_indices: raw values at grid points, see ``on_positions``.
        grid: where its samples are.
        how: mode and interpolation.
        progress: told of each batch.

    Raises:
        NoForeground: nothing is inside.
        InvalidData: the field answers with what is not finite.
        InvalidSettings: ``sparse`` is asked for on a grid too coarse for it.
    """
    progress = progress or Progress()
    samples = _Samples(of_indices, grid.resolution, how.level, progress)
    stride = _first_stride(grid.resolution)
    cells, margin = None, 0.0
    if how.mode != "dense" and stride > 1:
        cells, margin = _sparse(samples, how, stride)
    if cells is None:
        cells, margin = _joined(_layers(samples, 1)), 0.0
    return _surface(cells, samples, grid, how, margin)


def _surface(
    cells: Cells, samples: _Samples, grid: Grid, how: Extraction, margin: float
) -> Surface:
    if not how.closed:
        whole = ((cells.origins >= 1) & (cells.origins < grid.resolution)).all(axis=1)
        cells = Cells(cells.origins[whole], cells.values[whole])
    if not len(cells.origins):
        raise NoForeground("nothing solid was found", "choose a larger or clearer subject")
    vertices, faces = marching_cubes.triangles(cells, how.interpolation, grid.resolution + 2)
    mode = "sparse" if margin else "dense"
    return Surface(grid.positions(vertices - 1), faces, mode, margin, samples.queries)


def _first_stride(resolution: int) -> int:
    stride = 1
    while 2 * stride * _COARSE <= resolution:
        stride *= 2
    return stride


def _sparse(samples: _Samples, how: Extraction, stride: int) -> tuple[Cells | None, float]:
    """The crossing cells and the margin they were found with; no cells if that is unsafe."""
    every = _joined(_layers(samples, 2 * stride))
    scout = _Blocks(every.origins, every.values, 2 * stride)
    slope = _STEEPER * _steepest(scout, samples.resolution)
    most = _FOAM * (samples.resolution / stride) ** 3 if how.mode == "auto" else np.inf
    for margin in (how.margin, 2 * how.margin):
        margins = {2 * stride: _SCOUT * margin}
        margins |= {stride >> level: margin / 2**level for level in range(stride.bit_length())}
        blocks, skipped = scout, []
        while blocks.size > 1:
            near = _nearness(blocks.values) < min(margins[blocks.size], slope * blocks.size)
            skipped.append(blocks.only(~near))
            if blocks.size == stride and near.sum() > most:
                return None, 0.0
            blocks = _halved(samples, blocks.only(near))
        if how.mode == "sparse" or not _misses(samples, skipped, how.seed):
            crossed = blocks.only(_nearness(blocks.values) < 0)
            return Cells(crossed.origins, crossed.values), margin
    return None, 0.0


def _steepest(blocks: _Blocks, resolution: int) -> float:
    """How much the field may change within a block, from a corner on, for each voxel of its size.

    That is half the diagonal times the longest gradient between samples. Blocks at the box are
    left out: there fields end abruptly.
    """
    within = (blocks.origins >= blocks.size) & (blocks.origins + 2 * blocks.size <= resolution)
    values = blocks.values[within.all(axis=1)]
    if not len(values):
        return float("inf")
    rises = values[:, [4, 2, 1]] - values[:, :1]
    return float(np.sqrt((rises**2).sum(axis=1).max() * 0.75)) / blocks.size


@numba.njit(cache=True, nogil=True)
def _nearness(values):  # type: ignore[no-untyped-def]
    """(N,) float32: how near to 0 the corners (N, 8) come; -1 where they differ in sign."""
    found = np.empty(len(values), np.float32)
    for index in range(len(values)):
        least, most = values[index, 0], values[index, 0]
        for corner in range(1, 8):
            least = min(least, values[index, corner])
            most = max(most, values[index, corner])
        found[index] = np.float32(-1) if least <= 0 < most else max(least, -most)
    return found


def _halved(samples: _Samples, blocks: _Blocks) -> _Blocks:
    """Eight blocks for each, but none beyond the samples."""
    half = blocks.size // 2
    side = samples.resolution + 2 + blocks.size
    points = blocks.origins[:, None] + half * _CUBE[None, _NEW]
    keys = (points[..., 0] * side + points[..., 1]) * side + points[..., 2]
    which, distinct = _numbered(keys.reshape(-1))
    wanted = np.stack([distinct // side**2, distinct // side % side, distinct % side], axis=1)
    cube = np.empty((len(blocks.origins), 27), np.float32)
    cube[:, _OWN_CORNERS] = blocks.values
    cube[:, _NEW] = samples(wanted)[which].reshape(-1, len(_NEW))
    origins = (blocks.origins[:, None] + half * CORNERS[None]).reshape(-1, 3)
    there = (origins <= samples.resolution).all(axis=1)
    return _Blocks(origins, cube[:, _CHILD_CORNERS].reshape(-1, 8), half).only(there)


@numba.njit(cache=True, nogil=True)
def _numbered(keys):  # type: ignore[no-untyped-def]
    """Number keys by first appearance: (N,) their numbers, (M,) the distinct ones."""
    bits = 4
    while (1 << bits) < 2 * len(keys):
        bits += 1
    mask = (1 << bits) - 1
    slots = np.full(1 << bits, -1, np.int32)
    numbers, distinct, count = np.empty(len(keys), np.int32), np.empty_like(keys), 0
    for index in range(len(keys)):
        key = keys[index]
        # Fibonacci hashing, then the next free slot.
        slot = ((key * 0x9E3779B97F4A7) >> 16) & mask
        while slots[slot] >= 0 and distinct[slots[slot]] != key:
            slot = (slot + 1) & mask
        if slots[slot] < 0:
            slots[slot] = count
            distinct[count] = key
            count += 1
        numbers[index] = slots[slot]
    return numbers, distinct[:count].copy()


def _layers(samples: _Samples, stride: int) -> Iterator[Cells]:
    """All blocks of ``stride`` voxels, a slab at a time."""
    count = -(-(samples.resolution + 1) // stride) + 1
    y, z = (axis.reshape(-1) for axis in np.indices((count, count)) * stride)
    thick = max(1, _BATCH // count**2)
    last = samples(np.stack([np.zeros_like(y), y, z], axis=1))[None]
    for first in range(0, count - 1, thick):
        planes = np.arange(first + 1, min(first + thick, count - 1) + 1)
        x = np.repeat(planes * stride, count**2)
        indices = np.stack([x, np.tile(y, len(planes)), np.tile(z, len(planes))], axis=1)
        slab = np.concatenate([last, samples(indices).reshape(len(planes), -1)])
        last = slab[-1:]
        yield _blocks_of(slab.reshape(-1, count, count), first, stride)


def _blocks_of(slab: np.ndarray, first: int, stride: int) -> Cells:
    """The blocks between the planes of a slab; of unit ones those only that the surface crosses."""
    inside = slab > 0
    ends = slice(0, -1), slice(1, None)
    corners = [(ends[x], ends[y], ends[z]) for x, y, z in CORNERS.tolist()]
    total = np.zeros(np.subtract(slab.shape, 1), np.int8)
    for corner in corners:
        total += inside[corner]
    chosen = (total > 0) & (total < 8) if stride == 1 else total >= 0
    origins = np.argwhere(chosen)
    origins[:, 0] += first
    return Cells(origins * stride, np.stack([slab[at][chosen] for at in corners], axis=1))


def _joined(parts: Iterator[Cells]) -> Cells:
    every = list(parts)
    return Cells(
        np.concatenate([part.origins for part in every]),
        np.concatenate([part.values for part in every]),
    )


def _misses(samples: _Samples, skipped: list[_Blocks], seed: int) -> bool:
    """Whether a point in a block left out lies on the other side than the block's corners.

    One half of the points is spread over the volume that was left out, the other over the blocks
    that came nearest to being kept.
    """
    rng = np.random.default_rng(seed)
    sizes = np.concatenate([np.full(len(each.origins), each.size) for each in skipped])
    if not len(sizes):
        return False
    origins = np.concatenate([each.origins for each in skipped])
    values = np.concatenate([each.values for each in skipped])
    near = _nearness(values) / sizes
    count = min(_AUDIT // 2, len(near))
    closest = np.argpartition(near, count - 1)[:count]
    weights = sizes.astype(np.float64) ** 3
    spread = rng.choice(len(sizes), _AUDIT // 2, p=weights / weights.sum())
    chosen = np.concatenate([closest, spread])
    within = rng.integers(0, sizes[chosen, None] + 1, (len(chosen), 3))
    points = np.minimum(origins[chosen] + within, samples.resolution + 1)
    return bool(((samples(points) > 0) != (values[chosen, 0] > 0)).any())
