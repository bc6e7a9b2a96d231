"""Gaussian splats as a ``.splat`` file: 32 bytes each, no header, no view-dependent colour.

Owns its rows. Must not know other formats. Layout (the README of antimatter15's "splat"): position
and size as three float32 each, red, green, blue and opacity as bytes, and the quaternion wxyz as
bytes around 128. Splats are ordered by how much of the picture they cover, so that a viewer can
draw a file that is still on its way.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..errors import BadFile
from ..types import GaussianCloud
from . import sh
from .splat_axes import Axes
from .splat_blocks import Rows, Source, turned_blocks

_ROW = np.dtype([("mean", "<f4", 3), ("scale", "<f4", 3), ("rgba", "u1", 4), ("turn", "u1", 4)])
# Text and other files read as floats beyond this; no scene in metres does.
_FARTHEST = 1e9
_LOOKED_AT = 4096


def source(data: memoryview) -> Source:
    """Look at the size of a file and at its first rows, as there is no header.

    Raises:
        BadFile: no whole number of rows, or rows that no splat could have.
    """
    count, left = divmod(len(data), _ROW.itemsize)
    if left:
        raise BadFile(
            f"the file has {len(data)} bytes, and a .splat has 32 for each splat",
            "it was cut short, or is of another kind",
        )
    table = np.frombuffer(data, _ROW)
    first = table[:_LOOKED_AT]
    values = np.concatenate([first["mean"], first["scale"]], axis=1)
    strange = ((np.abs(values) > _FARTHEST) | np.isnan(values)).any(axis=1)
    strange |= (first["scale"] < 0).any(axis=1)
    if np.count_nonzero(strange) * 2 > len(first):
        raise BadFile("the file holds no splats of the kind .splat", "give it its proper suffix")
    return Source(".splat", count, 0, "rdf", lambda start, stop: _rows(table[start:stop]))


def _rows(table: np.ndarray) -> Rows:
    rgba = table["rgba"].astype(np.float32) / np.float32(255)
    turns = table["turn"].astype(np.float32) - 128
    dc = sh.from_color(rgba[:, :3])[:, None]
    return Rows(table["mean"], table["scale"], turns, rgba[:, 3], dc)


def parts(cloud: GaussianCloud, axes: Axes = "rdf") -> Iterator[bytes]:
    """The file; colours are those of degree 0, cut off at 0 and 1."""
    cover = cloud.opacities * np.prod(cloud.scales, axis=1, dtype=np.float64)
    order = np.argsort(-cover, kind="stable")
    cloud = GaussianCloud(*(getattr(cloud, name)[order] for name in GaussianCloud.__slots__))
    for block in turned_blocks(cloud, axes):
        table = np.empty(len(block), _ROW)
        table["mean"], table["scale"] = block.means, block.scales
        color = sh.to_color(block.sh[:, 0])
        rgba = np.concatenate([color, block.opacities[:, None]], axis=1)
        table["rgba"] = np.rint(np.clip(rgba, 0, 1) * 255)
        table["turn"] = np.clip(np.rint(block.rotations * 128 + 128), 0, 255)
        yield table.tobytes()
