"""The triplane: its learnt tokens, its upsampling, and what it holds at a point.

Owns the planes' order and axes: (x, y), (x, z), (y, z), the first axis along a plane's columns;
bilinear between texel centres, 0 outside. Must not know pictures or transformers. The frame is
the model's own: front +X, right +Y, up +Z, the box spans plus and minus ``radius``.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import Config

# Of the upsampling: each token becomes that many texels a side.
_TEXELS = 2
_ACTIVATIONS: dict[str, type[nn.Module]] = {"silu": nn.SiLU, "relu": nn.ReLU}


class Tokens(nn.Module):
    """The tokens that the transformer starts from: learnt, the same for every picture."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        shape = (3, config.channels, config.plane_size, config.plane_size)
        self.embeddings = nn.Parameter(torch.empty(shape))

    def forward(self) -> Tensor:
        """(3 * rows * columns, C), plane by plane, row by row."""
        return self.embeddings.permute(0, 2, 3, 1).flatten(0, 2)

    def planes(self, tokens: Tensor) -> Tensor:
        """(3, C, rows, columns) of tokens in that order."""
        side = self.embeddings.shape[-1]
        return tokens.unflatten(0, (3, side, side)).permute(0, 3, 1, 2)


class Upsampler(nn.Module):
    """Planes of tokens to planes of features, twice as fine."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.upsample = nn.ConvTranspose2d(config.channels, config.plane_channels, _TEXELS, _TEXELS)

    def forward(self, planes: Tensor) -> Tensor:
        """(3, C, H, W) to (3, features, 2 H, 2 W).

        The kernel is as large as its step, so that each token makes its texels alone: a matrix
        product, as in the tokenizer.
        """
        weight = self.upsample.weight  # (C, features, 2, 2)
        texels = torch.einsum("pchw,cfij->pfhiwj", planes, weight).flatten(4, 5).flatten(2, 3)
        assert self.upsample.bias is not None
        return texels + self.upsample.bias[:, None, None]


class Decoder(nn.Module):
    """A small perceptron: features of a point to raw density and raw colour."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        sizes = [3 * config.plane_channels, *[config.neurons] * config.hidden_layers]
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), _ACTIVATIONS[config.activation]()]
        self.layers = nn.Sequential(*layers, nn.Linear(config.neurons, 4))

    def forward(self, features: Tensor) -> Tensor:
        """(N, 3 * features) to (N, 4): raw density, raw red, green, blue."""
        return self.layers(features)


def sample(planes: Tensor, points: Tensor) -> Tensor:
    """Features at points.

    Args:
        planes: (3, F, H, W).
        points: (N, 3), -1..1 over the box.

    Returns:
        (N, 3 F), plane by plane.
    """
    x, y, z = points.unbind(-1)
    grid = torch.stack([torch.stack(pair, -1) for pair in ((x, y), (x, z), (y, z))])[:, None]
    found = functional.grid_sample(planes, grid, align_corners=False)  # (3, F, 1, N)
    return found[:, :, 0].permute(2, 0, 1).flatten(1)
