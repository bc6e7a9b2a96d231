"""Gaussian splats as SuperSplat's compressed PLY: about 16 bytes a splat, 61 with degree 3.

Owns its elements, the packing into 32-bit words and the order of splats. Must not know other
formats. Layout (PlayCanvas' documentation, "Compressed PLY"): ``chunk`` holds the bounds of 256
splats each, ``vertex`` four words a splat relative to them, ``sh`` a byte a coefficient.

=====================  ==============================================================
``packed_position``    11, 10 and 11 bits of x, y, z between the chunk's bounds
``packed_rotation``    2 bits which of w, x, y, z is largest, then the others, 10 bits
``packed_scale``       as the position, of the logarithms
``packed_color``       8 bits each of red, green, blue between bounds, and of opacity
=====================  ==============================================================
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..errors import BadFile
from ..types import GaussianCloud
from . import ply_header, sh
from .ply_header import HINT
from .splat_axes import Axes, named_in
from .splat_blocks import BLOCK, DEGREES, Rows, Source, logarithms, turned_blocks
from .splat_ply import comments_for

_CHUNK = 256
assert BLOCK % _CHUNK == 0, "a block of rows holds whole chunks"
_BOUNDS = tuple(
    f"{edge}_{name}"
    for names in (("x", "y", "z"), ("scale_x", "scale_y", "scale_z"), ("r", "g", "b"))
    for edge in ("min", "max")
    for name in names
)
_WORDS = ("packed_position", "packed_rotation", "packed_scale", "packed_color")
_BITS = (11, 10, 11)
# Logarithms of sizes beyond this are cut off, as readers expect.
_LARGEST_LOG = 20.0


def is_compressed(header: ply_header.Header) -> bool:
    """Whether a PLY with this header is of this kind."""
    return "chunk" in header.elements or _WORDS[0] in (header.elements["vertex"].row.names or ())


def source(data: memoryview) -> Source:
    """Look at the header of a file.

    Raises:
        BadFile: not such a file, or cut short.
    """
    header = ply_header.parse(data)
    elements = header.elements
    vertex = elements["vertex"]
    if "chunk" not in elements or elements["chunk"].count != -(-vertex.count // _CHUNK):
        raise BadFile("the file lacks the bounds of its packed splats", HINT)
    bounds = _floats(elements["chunk"], data)
    for name in _WORDS:
        if name not in (vertex.row.names or ()) or vertex.row[name].newbyteorder("=") != np.uint32:
            raise BadFile(f"the file has no property uint {name}", HINT)
    rest = len(elements["sh"].row.names or ()) if "sh" in elements else 0
    higher = _higher(elements["sh"], data, vertex.count) if rest else None
    table = vertex.table(data)

    def rows(start: int, stop: int) -> Rows:
        words = np.stack([table[name][start:stop] for name in _WORDS]).astype(np.uint32)
        own = np.arange(start, stop) // _CHUNK
        return _unpacked(words, bounds[own], None if higher is None else higher[start:stop])

    axes = named_in(header.comments) or "rdf"
    degree = DEGREES[rest // 3]
    return Source("compressed PLY", vertex.count, degree, axes, rows, header.comments)


def _floats(chunk: ply_header.Element, data: memoryview) -> np.ndarray:
    """(chunks, 18) float32 in the order of ``_BOUNDS``; colours are 0 to 1 where they are missing.

    Raises:
        BadFile: a bound is missing.
    """
    names = chunk.row.names or ()
    bounds = np.zeros((chunk.count, len(_BOUNDS)), np.float32)
    bounds[:, 15:] = 1
    table = chunk.table(data)
    wanted = _BOUNDS if "min_r" in names else _BOUNDS[:12]
    for index, name in enumerate(wanted):
        if name not in names or chunk.row[name].kind != "f":
            raise BadFile(f"the file has no bound {name}", HINT)
        bounds[:, index] = table[name]
    return bounds


def _higher(element: ply_header.Element, data: memoryview, count: int) -> np.ndarray:
    """(count, rest) uint8, channel by channel.

    Raises:
        BadFile: not whole degrees, not bytes, or not of as many splats.
    """
    names = element.row.names or ()
    rest = len(names)
    expected = tuple(f"f_rest_{index}" for index in range(rest))
    bytes_only = element.row.itemsize == rest and all(element.row[n] == "u1" for n in names)
    if names != expected or not bytes_only or rest % 3 or rest // 3 not in DEGREES:
        raise BadFile("the spherical harmonics are no whole degree of bytes", HINT)
    if element.count != count:
        raise BadFile(f"spherical harmonics of {element.count} splats, there are {count}", HINT)
    return element.table(data).view(np.uint8).reshape(count, rest)


def _unpacked(words: np.ndarray, bounds: np.ndarray, higher: np.ndarray | None) -> Rows:
    position, rotation, scale, color = words
    rgba = np.stack([color >> 24, color >> 16, color >> 8, color], axis=1) & 255
    shares = rgba.astype(np.float32) / np.float32(255)
    rgb = _between(bounds[:, 12:15], bounds[:, 15:], shares[:, :3])
    dc = sh.from_color(rgb)[:, None]
    if higher is not None:
        channels = (_levels()[higher]).reshape(len(dc), 3, -1)
        dc = np.concatenate([dc, channels.transpose(0, 2, 1)], axis=1)
    return Rows(
        _between(bounds[:, 0:3], bounds[:, 3:6], _fields(position)),
        np.exp(_between(bounds[:, 6:9], bounds[:, 9:12], _fields(scale))),
        _unpacked_rotations(rotation),
        shares[:, 3],
        dc,
    )


def _levels() -> np.ndarray:
    """(256,) float32, what a byte of a coefficient means: the middle of its step, -4 to 4."""
    middles = (np.arange(256, dtype=np.float32) + np.float32(0.5)) / 256
    middles[[0, 255]] = 0, 1
    return (middles - np.float32(0.5)) * 8


def _between(low: np.ndarray, high: np.ndarray, share: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):  # bounds that are not finite
        return np.asarray(low * (1 - share) + high * share)


def _fields(word: np.ndarray) -> np.ndarray:
    """(n, 3) float32 0..1 of 11, 10 and 11 bits."""
    parts = np.stack([word >> 21, word >> 11 & 1023, word & 2047], axis=1)
    return parts.astype(np.float32) / np.array([2047, 1023, 2047], np.float32)


def _unpacked_rotations(word: np.ndarray) -> np.ndarray:
    """(n, 4) float32 wxyz of length 1, or shorter by the rounding."""
    others = np.stack([word >> 20 & 1023, word >> 10 & 1023, word & 1023], axis=1)
    small = (others.astype(np.float32) / np.float32(1023) - np.float32(0.5)) * np.float32(2**0.5)
    large = np.sqrt(np.maximum(0, 1 - np.einsum("nk,nk->n", small, small)))
    which = (word >> 30).astype(np.intp)
    result = np.empty((len(word), 4), np.float32)
    for index in range(4):
        rows = which == index
        result[rows, index] = large[rows]
        result[np.ix_(rows, [k for k in range(4) if k != index])] = small[rows]
    return result


def parts(cloud: GaussianCloud, axes: Axes = "rdf") -> Iterator[bytes]:
    """The file: header, then all chunks, all words and all higher coefficients.

    Splats are put into the order of a space-filling curve, so that the 256 of a chunk lie close
    together; values are rounded to what the format holds.
    """
    order = _along_curve(cloud.means)
    cloud = GaussianCloud(*(getattr(cloud, name)[order] for name in GaussianCloud.__slots__))
    rest = 3 * (cloud.sh.shape[1] - 1)
    chunks, words, higher = list[bytes](), list[bytes](), list[bytes]()
    for block in turned_blocks(cloud, axes):
        bounds, packed = _packed(block)
        chunks.append(bounds.astype("<f4").tobytes())
        words.append(packed.astype("<u4").tobytes())
        channels = block.sh[:, 1:].transpose(0, 2, 1).reshape(len(block), rest)
        steps = np.clip((channels / 8 + np.float32(0.5)) * 256, 0, 255)
        higher.append(steps.astype(np.uint8).tobytes())
    yield _header(len(cloud), rest, axes)
    yield from (*chunks, *words, *higher)


def _header(count: int, rest: int, axes: Axes) -> bytes:
    lines = [
        "ply",
        "format binary_little_endian 1.0",
        *(f"comment {comment}" for comment in comments_for(axes)),
        f"element chunk {-(-count // _CHUNK)}",
        *(f"property float {name}" for name in _BOUNDS),
        f"element vertex {count}",
        *(f"property uint {name}" for name in _WORDS),
        *([f"element sh {count}"] if rest else []),
        *(f"property uchar f_rest_{index}" for index in range(rest)),
        "end_header",
    ]
    return ("\n".join(lines) + "\n").encode("ascii")


def _along_curve(means: np.ndarray) -> np.ndarray:
    """(N,) the order of the splats along a Morton curve through their box."""
    if not len(means):
        return np.empty(0, np.intp)
    places = means.astype(np.float64)  # the box of what float32 holds may be too large for it
    low = places.min(axis=0)
    cells = (places - low) * 1023 / np.maximum(np.ptp(places, axis=0), 1e-20)
    key = np.zeros(len(means), np.uint32)
    for axis, column in enumerate(cells.astype(np.uint32).T):
        for shift, mask in ((16, 0x030000FF), (8, 0x0300F00F), (4, 0x030C30C3), (2, 0x09249249)):
            column = (column | column << shift) & mask
        key |= column << axis
    return np.argsort(key, kind="stable")


def _packed(block: GaussianCloud) -> tuple[np.ndarray, np.ndarray]:
    """(chunks, 18) bounds and (n, 4) words."""
    logs = np.clip(logarithms(block.scales), -_LARGEST_LOG, _LARGEST_LOG)
    values = np.concatenate([block.means, logs, sh.to_color(block.sh[:, 0])], axis=1)
    count = len(values)
    chunks = -(-count // _CHUNK)
    # The last splat fills the last chunk up; its bounds are those of the splats it has.
    padded = np.concatenate([values, np.repeat(values[-1:], chunks * _CHUNK - count, axis=0)])
    groups = padded.astype(np.float64).reshape(chunks, _CHUNK, 9)
    low, high = groups.min(axis=1), groups.max(axis=1)
    span = (high - low)[:, None]
    shares = np.divide(groups - low[:, None], span, out=np.zeros_like(groups), where=span >= 1e-5)
    shares = shares.reshape(-1, 9)[:count]
    bounds = [low[:, 0:3], high[:, 0:3], low[:, 3:6], high[:, 3:6], low[:, 6:], high[:, 6:]]
    color = _steps(np.concatenate([shares[:, 6:], block.opacities[:, None]], axis=1), (8, 8, 8, 8))
    words = [
        _word(_steps(shares[:, 0:3], _BITS), (21, 11, 0)),
        _packed_rotations(block.rotations),
        _word(_steps(shares[:, 3:6], _BITS), (21, 11, 0)),
        _word(color, (24, 16, 8, 0)),
    ]
    return np.concatenate(bounds, axis=1), np.stack(words, axis=1)


def _steps(shares: np.ndarray, bits: tuple[int, ...]) -> np.ndarray:
    """uint32, each column 0..1 as so many bits."""
    highest = np.array([(1 << each) - 1 for each in bits])
    return np.asarray(np.clip(shares * highest + 0.5, 0, highest).astype(np.uint32))


def _word(columns: np.ndarray, shifts: tuple[int, ...]) -> np.ndarray:
    word = np.zeros(len(columns), np.uint32)
    for column, shift in zip(columns.T, shifts, strict=True):
        word |= column << np.uint32(shift)
    return word


def _packed_rotations(rotations: np.ndarray) -> np.ndarray:
    """(n,) uint32: which part is largest, then the others as 10 bits each."""
    which = np.abs(rotations).argmax(axis=1)
    rows = np.arange(len(rotations))
    signed = rotations * np.where(rotations[rows, which] < 0, -1, 1)[:, None]
    others = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])[which]
    small = np.take_along_axis(signed, others, axis=1) * np.float32(0.5**0.5) + np.float32(0.5)
    top = which.astype(np.uint32) << np.uint32(30)
    return np.asarray(top | _word(_steps(small, (10, 10, 10)), (20, 10, 0)))
