"""The image tokenizer: a vision transformer that turns the picture into tokens.

Owns the encoder of facebook/dino-vitb16 (Dosovitskiy et al. 2021, arXiv 2010.11929; trained as in
Caron et al. 2021, arXiv 2104.14294), under the parameter names of the published checkpoint. Must
not know triplanes. No library's ViT is used: their parameter names and the way in which they
resize position embeddings changed from version to version, and the weights know only one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import VisionConfig

# Mean and standard deviation of ImageNet's pictures, red, green, blue.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)
# Added to the wanted grid when position embeddings are resized: the samples then lie a little
# closer than the ratio of the grids says, and the weights were trained with them there.
_GRID_EXCESS = 0.1


class Dense(nn.Module):
    """A linear layer that the checkpoint names ``dense``."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) to (..., outputs)."""
        return self.dense(x)


class QueryKeyValue(nn.Module):
    """Multi-head self-attention before its output projection."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.query = nn.Linear(config.channels, config.channels)
        self.key = nn.Linear(config.channels, config.channels)
        self.value = nn.Linear(config.channels, config.channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C) tokens to (N, C)."""
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(0, 1)[None]
            for layer in (self.query, self.key, self.value)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return mixed[0].transpose(0, 1).flatten(1)


class SelfAttention(nn.Module):
    """Self-attention with its output projection."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.attention = QueryKeyValue(config)
        self.output = Dense(config.channels, config.channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C) tokens to (N, C)."""
        return self.output(self.attention(x))


class Layer(nn.Module):
    """One block of the encoder: attention, then a two-layer perceptron, each on a normed copy."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config)
        self.intermediate = Dense(config.channels, config.inner)
        self.output = Dense(config.inner, config.channels)
        self.layernorm_before = nn.LayerNorm(config.channels, eps=config.epsilon)
        self.layernorm_after = nn.LayerNorm(config.channels, eps=config.epsilon)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C) tokens to (N, C)."""
        x = x + self.attention(self.layernorm_before(x))
        return x + self.output(functional.gelu(self.intermediate(self.layernorm_after(x))))


class PatchEmbeddings(nn.Module):
    """Each square patch of the picture, linearly, as one token."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        size = config.patch_size
        self.projection = nn.Conv2d(3, config.channels, kernel_size=size, stride=size)

    def forward(self, picture: Tensor) -> Tensor:
        """(3, S, S) to (patches, C), row by row.

        Patches do not overlap, so the convolution is one matrix product; written as one it does
        not depend on the reduced precision that a GPU's convolutions take by default.
        """
        size = self.projection.kernel_size[0]
        patches = picture.unfold(1, size, size).unfold(2, size, size)
        columns = patches.permute(1, 2, 0, 3, 4).flatten(2).flatten(0, 1)
        return functional.linear(columns, self.projection.weight.flatten(1), self.projection.bias)


class Embeddings(nn.Module):
    """Patches as tokens, the class token before them, positions added."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        count = config.grid**2
        self.grid = config.grid
        self.cls_token = nn.Parameter(torch.empty(1, 1, config.channels))
        self.position_embeddings = nn.Parameter(torch.empty(1, 1 + count, config.channels))
        self.patch_embeddings = PatchEmbeddings(config)

    def forward(self, picture: Tensor) -> Tensor:
        """(3, S, S) to (1 + patches, C)."""
        patches = self.patch_embeddings(picture)
        tokens = torch.cat([self.cls_token[0], patches])
        return tokens + self.positions(round(len(patches) ** 0.5))

    def positions(self, side: int) -> Tensor:
        """(1 + side * side, C) position embeddings for a grid of ``side`` patches a side."""
        if side == self.grid:
            return self.position_embeddings[0]
        grid = self.position_embeddings[:, 1:].unflatten(1, (self.grid, self.grid))
        resized = functional.interpolate(
            grid.permute(0, 3, 1, 2).float(),
            scale_factor=(side + _GRID_EXCESS) / self.grid,
            mode="bicubic",
            align_corners=False,
        )
        return torch.cat([self.position_embeddings[0, :1], resized[0].flatten(1).T])


class Encoder(nn.Module):
    """The blocks, one after the other."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(config) for _ in range(config.layers))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C) tokens to (N, C)."""
        for layer in self.layer:
            x = layer(x)
        return x


class VisionTransformer(nn.Module):
    """Embeddings, encoder, norm. ``pooler`` is in the checkpoint, and nothing asks for it."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config)
        self.layernorm = nn.LayerNorm(config.channels, eps=config.epsilon)
        self.pooler = Dense(config.channels, config.channels)

    def forward(self, picture: Tensor) -> Tensor:
        """(3, S, S) normalised to (1 + patches, C)."""
        return self.layernorm(self.encoder(self.embeddings(picture)))


class ImageTokenizer(nn.Module):
    """The picture as tokens, class token first."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.model = VisionTransformer(config)

    def forward(self, picture: Tensor) -> Tensor:
        """(3, S, S) 0..1 sRGB, S a multiple of the patch size, to (1 + patches, C)."""
        mean = picture.new_tensor(_MEAN)[:, None, None]
        deviation = picture.new_tensor(_DEVIATION)[:, None, None]
        return self.model((picture - mean) / deviation)
