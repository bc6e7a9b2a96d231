"""Splats on their way between a file and a cloud, a block of rows at a time.

Owns what every splat format shares: turning between the file's axes and the house frame, leaving
out what cannot be drawn, and counting it. Must not know any file's layout. Blocks fit into a
processor's cache, and a large file never lies in memory several times over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..coords import rotate_cloud
from ..errors import BadFile, OutOfMemory
from ..types import GaussianCloud
from .splat_axes import FILE_FROM_HOUSE, Axes

# Rows that are worked on at once; chunks of compressed PLY divide it.
BLOCK = 1 << 14
# The smallest size of a splat, metres: flat enough for any disc, and it still has a logarithm.
LEAST_SCALE = 1e-30
# Beyond these nothing can be drawn: single precision loses what a GPU makes of them. Metres from
# the origin; metres of a standard deviation; any coefficient of a colour, where 0 to 1 is usual.
FARTHEST, LARGEST, BRIGHTEST = 1e9, 1e6, 1e3
MESH_HINT = "a mesh is imported as one; then splats can be made of it"
# What some files say of themselves, and a cloud cannot.
ANTIALIASED = "that its splats are to be drawn antialiased"
# Coefficients beyond degree 0 of one channel -> degree.
DEGREES = {0: 0, 3: 1, 8: 2, 15: 3}


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Some splats of a file, activated, in the file's axes, not yet checked.

    Attributes:
        means: (n, 3).
        scales: (n, 3), standard deviations.
        rotations: (n, 4) wxyz, of any length.
        opacities: (n,), 0..1.
        sh: (n, K, 3).
    """

    means: np.ndarray
    scales: np.ndarray
    rotations: np.ndarray
    opacities: np.ndarray
    sh: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A file whose header was read and held against its size.

    Attributes:
        kind: the format's name, such as ``SPZ version 3``.
        count: of splats.
        degree: of spherical harmonics, 0 to 3.
        axes: what the file says of its axes, or what its format has by custom.
        rows: splats ``start`` to ``stop``.
        comments: free text that the file carries.
        notes: what of the file is not read, in words.
    """

    kind: str
    count: int
    degree: int
    axes: Axes
    rows: Callable[[int, int], Rows]
    comments: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Repairs:
    """What of a file could not be taken as it stands; all counts of splats.

    Attributes:
        not_finite: left out, for a value that is no finite number or an overflowing size.
        beyond: left out, for a place, a size or a colour that nothing can draw.
        no_rotation: left out, for a quaternion of length 0.
        no_size: kept with the smallest size there is along an axis where they had none.
    """

    not_finite: int = 0
    beyond: int = 0
    no_rotation: int = 0
    no_size: int = 0

    @property
    def dropped(self) -> int:
        """How many were left out."""
        return self.not_finite + self.beyond + self.no_rotation

    def in_words(self) -> tuple[str, ...]:
        """One sentence for each kind that occurred."""
        told = (
            (self.not_finite, "left out: a value is not finite"),
            (self.beyond, "left out: farther, larger or brighter than can be drawn"),
            (self.no_rotation, "left out: the rotation is zero"),
            (self.no_size, "made as thin as can be: a scale is zero"),
        )
        return tuple(f"{count} splats {words}" for count, words in told if count)

    def __add__(self, other: Repairs) -> Repairs:
        return Repairs(
            self.not_finite + other.not_finite,
            self.beyond + other.beyond,
            self.no_rotation + other.no_rotation,
            self.no_size + other.no_size,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """What a file held.

    Attributes:
        cloud: house frame, activated.
        repairs: what was left out or mended.
        kind: the format's name.
        axes: the axes that the file was taken to be in.
        comments: free text that the file carries.
        notes: what of the file was not read, in words.
    """

    cloud: GaussianCloud
    repairs: Repairs
    kind: str
    axes: Axes
    comments: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def dropped(self) -> int:
        """Splats that were left out."""
        return self.repairs.dropped


def read_all(source: Source, axes: Axes | None = None) -> Contents:
    """The cloud of a file in the house frame; what cannot be drawn is left out and counted.

    Args:
        source: an opened file.
        axes: of the file, if the caller knows better than the file and custom.

    Raises:
        BadFile: none of the splats can be drawn.
        OutOfMemory: there are too many for this machine.
    """
    axes = axes or source.axes
    count = source.count
    try:
        cloud = _room(count, source.degree)
    except MemoryError as error:
        raise OutOfMemory(
            f"{count} splats do not fit into memory", "use a larger machine"
        ) from error
    house_from_file = FILE_FROM_HOUSE[axes].T
    filled, repairs = 0, Repairs()
    for start in range(0, count, BLOCK):
        part, mended = _sanitise(source.rows(start, min(start + BLOCK, count)))
        repairs += mended
        part = rotate_cloud(part, house_from_file)
        rows = slice(filled, filled + len(part))
        for name, array in cloud.items():
            array[rows] = getattr(part, name)
        filled += len(part)
    if count and not filled:
        raise BadFile(
            f"none of the {count} splats in the file can be drawn",
            "the program that wrote the file failed; write it again there",
        )
    whole = GaussianCloud(**{name: array[:filled] for name, array in cloud.items()})
    return Contents(whole, repairs, source.kind, axes, source.comments, source.notes)


def _room(count: int, degree: int) -> dict[str, np.ndarray]:
    shapes: dict[str, tuple[int, ...]] = {"means": (3,), "scales": (3,), "rotations": (4,)}
    shapes |= {"opacities": (), "sh": ((degree + 1) ** 2, 3)}
    return {name: np.empty((count, *shape), np.float32) for name, shape in shapes.items()}


def _sanitise(rows: Rows) -> tuple[GaussianCloud, Repairs]:
    """What of the rows can be drawn, quaternions of length 1, and what was wrong with the rest."""
    rotations = rows.rotations.astype(np.float64)
    values = (rows.means, rows.scales, rows.sh.reshape(len(rotations), -1))
    with np.errstate(invalid="ignore", over="ignore"):
        lengths = np.sqrt(np.einsum("nk,nk->n", rotations, rotations))
        finite = np.isfinite(lengths) & np.isfinite(rows.opacities)
        inside = finite.copy()
        for each, most in zip(values, (FARTHEST, LARGEST, BRIGHTEST), strict=True):
            inside &= (np.abs(each) <= most).all(axis=1)  # false of what is not finite, too
    turned = lengths > 1e-12
    good = inside & turned
    scales = rows.scales
    # A size that was stored as the smallest one comes back a rounding below it.
    flat = good & (scales < LEAST_SCALE / 2).any(axis=1)
    repairs = Repairs(no_size=int(np.count_nonzero(flat)))
    if not good.all():
        for each in values:
            finite &= np.isfinite(each).all(axis=1)
        repairs += Repairs(
            not_finite=int(np.count_nonzero(~finite)),
            beyond=int(np.count_nonzero(finite & ~inside)),
            no_rotation=int(np.count_nonzero(inside & ~turned)),
        )
    taken = slice(None) if good.all() else good
    if repairs.no_size:
        scales = np.maximum(scales, LEAST_SCALE)
    cloud = GaussianCloud(
        rows.means[taken],
        scales[taken],
        rotations[taken] / lengths[taken, None],
        rows.opacities[taken],
        rows.sh[taken],
    )
    return cloud, repairs


def turned_blocks(cloud: GaussianCloud, axes: Axes) -> Iterator[GaussianCloud]:
    """The cloud in a file's axes, in order, at most ``BLOCK`` splats at a time."""
    names = GaussianCloud.__slots__
    for start in range(0, len(cloud), BLOCK):
        part = GaussianCloud(*(getattr(cloud, name)[start : start + BLOCK] for name in names))
        yield rotate_cloud(part, FILE_FROM_HOUSE[axes])


def logarithms(scales: np.ndarray) -> np.ndarray:
    """float64 logarithms of sizes; a size of zero becomes the smallest there is."""
    return np.log(np.maximum(scales, LEAST_SCALE, dtype=np.float64))
