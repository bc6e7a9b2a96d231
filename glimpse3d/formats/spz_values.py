"""The values of ``.spz`` one by one: fixed point, quaternions in three or four bytes, rounding.

Owns how arrays become bytes and back. Must not know headers or streams. Layout: Niantic's "spz",
sections "Positions" and "Rotation".
"""

from __future__ import annotations

import numpy as np

_SINGLE = 2**0.5 / 2


def positions(table: np.ndarray, fraction: int | None) -> np.ndarray:
    """(n, 3) float32 from 24-bit fixed point, or from half precision if ``fraction`` is None."""
    if fraction is None:
        return np.ascontiguousarray(table).view("<f2").astype(np.float32)
    triples = table.reshape(len(table), 3, 3).astype(np.int32)
    fixed = triples[..., 0] << 8 | triples[..., 1] << 16 | triples[..., 2] << 24
    return (fixed >> 8).astype(np.float32) / np.float32(1 << fraction)


def first_three(table: np.ndarray) -> np.ndarray:
    """(n, 4) wxyz: x, y and z are stored, w is what is left."""
    xyz = table.astype(np.float32) / np.float32(127.5) - 1
    w = np.sqrt(np.maximum(0, 1 - np.einsum("nk,nk->n", xyz, xyz)))
    return np.concatenate([w[:, None], xyz], axis=1)


def smallest_three(table: np.ndarray) -> np.ndarray:
    """(n, 4) wxyz: of x, y, z, w the largest is what is left; the others have sign and 9 bits."""
    word = np.ascontiguousarray(table).view("<u4")[:, 0]
    others = np.stack([word >> 20, word >> 10, word], axis=1)
    small = (others & 511).astype(np.float32) * np.float32(_SINGLE / 511)
    small[(others & 512) > 0] *= -1
    large = np.sqrt(np.maximum(0, 1 - np.einsum("nk,nk->n", small, small)))
    which = (word >> 30).astype(np.intp)
    xyzw = np.empty((len(word), 4), np.float32)
    for index in range(4):
        rows = which == index
        xyzw[rows, index] = large[rows]
        xyzw[np.ix_(rows, [k for k in range(4) if k != index])] = small[rows]
    return xyzw[:, [3, 0, 1, 2]]


def to_bytes(values: np.ndarray) -> np.ndarray:
    """uint8, rounded and cut off at 0 and 255."""
    return np.asarray(np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8))


def pack_positions(means: np.ndarray, fraction: int | None) -> np.ndarray:
    """The inverse of ``positions``, little-endian."""
    if fraction is None:
        return means.astype("<f2")
    fixed = np.rint(means.astype(np.float64) * (1 << fraction)).astype("<i4")
    return np.ascontiguousarray(fixed[..., None].view(np.uint8)[..., :3])


def pack_first_three(rotations: np.ndarray) -> np.ndarray:
    """The inverse of ``first_three``: (n, 3) uint8."""
    upper = rotations * np.where(rotations[:, :1] < 0, -1, 1)
    return to_bytes(upper[:, 1:] * np.float32(127.5) + np.float32(127.5))


def pack_smallest_three(rotations: np.ndarray) -> np.ndarray:
    """The inverse of ``smallest_three``: (n,) little-endian uint32."""
    xyzw = rotations[:, [1, 2, 3, 0]]
    which = np.abs(xyzw).argmax(axis=1)
    rows = np.arange(len(xyzw))
    signed = xyzw * np.where(xyzw[rows, which] < 0, -1, 1)[:, None]
    others = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])[which]
    small = np.take_along_axis(signed, others, axis=1)
    sizes = np.minimum(np.abs(small) * np.float32(511 / _SINGLE) + np.float32(0.5), 511)
    fields = sizes.astype(np.uint32) | (small < 0).astype(np.uint32) << np.uint32(9)
    word = which.astype(np.uint32) << np.uint32(30)
    for column, shift in zip(fields.T, (20, 10, 0), strict=True):
        word |= column << np.uint32(shift)
    return np.asarray(word.astype("<u4"))
