"""What a checkpoint says of samples, beside the truth.

Owns that sheet alone: picture, then outline from the side and back's colour, first as said, then
as they are. Run ``python -m training.preview run/last.pt OUT.png``; ``--held-out`` for families
that were never trained on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from .contact_sheet import tile
from .data import collect, sample
from .export import load
from .network import Reconstructor
from .render import Sample
from .shapes.families import HELD_OUT, TRAINED
from .train import tensors


def predict(network: Reconstructor, samples: Sequence[Sample]) -> list[Sample]:
    """The samples with occupancy and back as the network says, inside the mask."""
    picture, tangent, target = tensors(collect(list(samples)))
    with torch.no_grad():
        logits, back, _ = network(picture, tangent)
    occupancy = (logits.sigmoid() * target.mask * 255).byte().permute(0, 2, 3, 1).numpy()
    colour = (back * target.mask * 255).byte().permute(0, 2, 3, 1).numpy()
    return [
        replace(one, occupancy=occupancy[index], back=colour[index])
        for index, one in enumerate(samples)
    ]


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    families = HELD_OUT if options.held_out else TRAINED
    true = [sample((options.seed, index), families) for index in range(options.count)]
    said = predict(load(options.checkpoint)[0], true)
    width = tile(true[0], False).shape[1]
    tiles = [
        np.concatenate((tile(one, True), tile(other, True)[:, width:]), axis=1)
        for one, other in zip(said, true, strict=True)
    ]
    rows = [np.concatenate(tiles[i : i + 2], axis=1) for i in range(0, len(tiles) // 2 * 2, 2)]
    Image.fromarray(np.concatenate(rows)).save(options.out)


if __name__ == "__main__":
    main()
