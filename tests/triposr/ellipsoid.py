"""A TripoSR whose weights are set by hand, so that it sees an ellipsoid in every picture.

Its surface and its colours are known: red grows towards the front, green towards the right, blue
upwards. All layers run; what the picture says is multiplied by 0.
"""

import math
from pathlib import Path

import numpy as np
import torch

from glimpse3d.reconstructors.triposr import config
from tests.triposr.goldens import FOLDER, copy_to

# Half axes along the model's x (front), y (right), z (up).
HALF = (0.3, 0.45, 0.6)
# Raw density at the surface where the threshold is 25, and how much it is higher in the middle.
SURFACE = math.log(25) + 1
STEEPNESS = 20.0
# Raw colour a unit of length: sigmoid makes it a colour.
TINT = 4.0
_PLANES = ((0, 1), (0, 2), (1, 2))


def write(folder: Path, steepness: float = STEEPNESS) -> Path:
    """The model's files. A negative steepness sees nothing but empty space."""
    copy_to(folder)
    weights = torch.load(FOLDER / "model.ckpt", weights_only=True)
    sizes = config.read(FOLDER / "config.yaml")
    for name in ("weight", "bias"):
        weights[f"backbone.proj_out.{name}"].zero_()
    _set_planes(weights, sizes, steepness)
    _set_decoder(weights, sizes)
    torch.save(weights, folder / "model.ckpt")
    return folder


def _set_planes(weights: dict[str, torch.Tensor], sizes: config.Config, steepness: float) -> None:
    """Tokens that the upsampling spreads: four of a token's channels are one feature's texels."""
    side = 2 * sizes.plane_size
    centres = ((np.arange(side) + 0.5) / side * 2 - 1) * sizes.radius
    features = np.zeros((3, sizes.plane_channels, side, side))
    share = np.square(centres)[:, None] / np.square(HALF) / 2  # each axis stands in two planes
    for plane, (column, row) in enumerate(_PLANES):
        inside = 1 / 3 - share[None, :, column] - share[:, None, row]
        features[plane, 0] = abs(SURFACE) / 3 * np.sign(steepness) + abs(steepness) * inside
        features[plane, 1] = centres[None, :]
        features[plane, 2] = centres[:, None]
    if steepness < 0:
        features[:, 0] -= abs(steepness)
    tokens = features.reshape(3, -1, side // 2, 2, side // 2, 2).transpose(0, 1, 3, 5, 2, 4)
    tokens = tokens.reshape(3, -1, side // 2, side // 2)
    embeddings = weights["tokenizer.embeddings"].zero_()
    embeddings[:, : tokens.shape[1]] = torch.from_numpy(tokens)
    spread = weights["post_processor.upsample.weight"].zero_()
    for channel in range(tokens.shape[1]):
        spread[channel, channel // 4, channel // 2 % 2, channel % 2] = 1
    weights["post_processor.upsample.bias"].zero_()


def _set_decoder(weights: dict[str, torch.Tensor], sizes: config.Config) -> None:
    """Sums that pass each layer as a pair, since SiLU(x) - SiLU(-x) = x."""
    names = [f"decoder.layers.{2 * number}" for number in range(sizes.hidden_layers + 1)]
    for name in names:
        weights[f"{name}.weight"].zero_()
        weights[f"{name}.bias"].zero_()
    features = sizes.plane_channels
    first = weights[f"{names[0]}.weight"]
    first[0, ::features] = 1
    for value, column in ((1, 1), (2, 2), (3, features + 2)):  # x and y of one plane, z of the next
        first[2 * value, column] = TINT
    first[1:8:2] = -first[0:8:2]
    pair = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    for name in names[1:-1]:
        weights[f"{name}.weight"][:8, :8] = torch.block_diag(*[pair] * 4)
    weights[f"{names[-1]}.weight"][:, :8] = torch.block_diag(*[pair[:1]] * 4)
