"""Sheets of samples to look at: what the network is shown, and what is hidden from it.

Owns the drawing of grids of pictures. Run ``python -m training.contact_sheet OUT.png`` for 64
random samples; ``--family NAME`` for one family.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from .data import sample
from .render import Sample
from .shapes.families import HELD_OUT, TRAINED


def tile(one: Sample, both: bool) -> np.ndarray:
    """(H, W, 3) uint8 the picture on grey; with ``both`` back and side beside it."""
    alpha = one.picture[..., 3:] / 255.0
    front = one.picture[..., :3] * alpha + 225 * (1 - alpha)
    if not both:
        return front.astype(np.uint8)
    back = one.back.repeat(2, axis=0).repeat(2, axis=1)
    inside = one.occupancy > 127
    side = inside.any(axis=1).repeat(2, axis=0)
    side = side[:, np.linspace(0, side.shape[1] - 1, 160).astype(int)]
    outline = 255 * np.repeat(~side[..., None], 3, axis=2)
    return np.concatenate((front, back, outline), axis=1).astype(np.uint8)


def sheet(samples: Sequence[Sample], columns: int, both: bool = False) -> Image.Image:
    """The samples in rows of ``columns``."""
    tiles = [tile(one, both) for one in samples]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    rows = [np.concatenate(tiles[i : i + columns], axis=1) for i in range(0, len(tiles), columns)]
    return Image.fromarray(np.concatenate(rows))


def main() -> None:
    """Draw a sheet and save it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--family", choices=[*TRAINED, *HELD_OUT])
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hidden", action="store_true", help="show back and side too")
    options = parser.parse_args()
    table = {**TRAINED, **HELD_OUT}
    families = {options.family: table[options.family]} if options.family else TRAINED
    samples = [sample((options.seed, index), families) for index in range(options.count)]
    sheet(samples, 3 if options.hidden else 8, options.hidden).save(options.out)


if __name__ == "__main__":
    main()
