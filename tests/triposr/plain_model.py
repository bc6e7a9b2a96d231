"""TripoSR's mathematics once more, as plainly as it can be said, for models of any size.

Everything that the product does in another way is done here in the published one: convolutions as
convolutions, attention as a softmax, position embeddings through the library's own resize, points
one by one through ``grid_sample``. Slow, and only for small models. In float32, as published: the
places where position embeddings are resized differ by a little in float64.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from glimpse3d.reconstructors.triposr.config import Config, VisionConfig

Weights = dict[str, Tensor]


class Plain:
    """Asks a checkpoint by the names of its tensors.

    Args:
        weights: as ``model.ckpt`` holds them.
        sizes, vision: what they belong to.
    """

    def __init__(self, weights: Weights, sizes: Config, vision: VisionConfig) -> None:
        self.weights = weights
        self.sizes, self.vision = sizes, vision

    def linear(self, name: str, x: Tensor) -> Tensor:
        return functional.linear(
            x, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias")
        )

    def norm(self, name: str, x: Tensor, epsilon: float) -> Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return functional.layer_norm(x, x.shape[-1:], weight, bias, epsilon)

    def tokens(self, image: np.ndarray) -> Tensor:
        """(1, 1 + patches, C)."""
        root, vision = "image_tokenizer.model", self.vision
        picture = torch.from_numpy(image).float().permute(2, 0, 1)[None] / 255
        side = (self.sizes.picture_size,) * 2
        picture = functional.interpolate(picture, side, mode="bilinear", antialias=True)
        mean, spread = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
        picture = (picture - mean[:, None, None]) / spread[:, None, None]
        kernel = f"{root}.embeddings.patch_embeddings.projection"
        weight, bias = self.weights[f"{kernel}.weight"], self.weights[f"{kernel}.bias"]
        patches = functional.conv2d(picture, weight, bias, stride=vision.patch_size)
        count = patches.shape[-1]
        x = patches.flatten(2).transpose(1, 2)
        x = torch.cat([self.weights[f"{root}.embeddings.cls_token"], x], dim=1)
        x = x + self.positions(self.weights[f"{root}.embeddings.position_embeddings"], count)
        for layer in range(vision.layers):
            x = self.vision_layer(f"{root}.encoder.layer.{layer}", x)
        return self.norm(f"{root}.layernorm", x, vision.epsilon)

    def positions(self, embeddings: Tensor, side: int) -> Tensor:
        grid = self.vision.grid
        if side == grid:
            return embeddings
        square = embeddings[:, 1:].reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
        factor = (side + 0.1) / math.sqrt(grid * grid)
        resized = functional.interpolate(
            square, scale_factor=(factor, factor), mode="bicubic", align_corners=False
        )
        return torch.cat([embeddings[:, :1], resized.flatten(2).transpose(1, 2)], dim=1)

    def vision_layer(self, name: str, x: Tensor) -> Tensor:
        normed = self.norm(f"{name}.layernorm_before", x, self.vision.epsilon)
        query, key, value = (
            self.linear(f"{name}.attention.attention.{each}", normed)
            for each in ("query", "key", "value")
        )
        mixed = attention(query, key, value, self.vision.heads)
        x = x + self.linear(f"{name}.attention.output.dense", mixed)
        normed = self.norm(f"{name}.layernorm_after", x, self.vision.epsilon)
        inner = functional.gelu(self.linear(f"{name}.intermediate.dense", normed))
        return x + self.linear(f"{name}.output.dense", inner)

    def codes(self, image: np.ndarray) -> Tensor:
        """(3, F, H, W)."""
        context, sizes = self.tokens(image), self.sizes
        planes = self.weights["tokenizer.embeddings"]  # (3, C, rows, columns)
        start = planes.permute(1, 0, 2, 3).flatten(1)[None]  # (1, C, tokens)
        weight, bias = self.weights["backbone.norm.weight"], self.weights["backbone.norm.bias"]
        x = functional.group_norm(start, sizes.norm_groups, weight, bias, 1e-6)
        x = self.linear("backbone.proj_in", x.transpose(1, 2))
        for layer in range(sizes.layers):
            x = self.block(f"backbone.transformer_blocks.{layer}", x, context)
        filled = self.linear("backbone.proj_out", x).transpose(1, 2) + start
        filled = filled[0].unflatten(1, (3, sizes.plane_size, sizes.plane_size)).transpose(0, 1)
        name = "post_processor.upsample"
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return functional.conv_transpose2d(filled, weight, bias, stride=2)

    def block(self, name: str, x: Tensor, context: Tensor) -> Tensor:
        for number, own in ((1, True), (2, False)):
            normed = self.norm(f"{name}.norm{number}", x, 1e-5)
            seen = normed if own else context
            query = self.linear(f"{name}.attn{number}.to_q", normed)
            key, value = (self.linear(f"{name}.attn{number}.to_{each}", seen) for each in "kv")
            mixed = attention(query, key, value, self.sizes.heads)
            x = x + self.linear(f"{name}.attn{number}.to_out.0", mixed)
        wide = self.linear(f"{name}.ff.net.0.proj", self.norm(f"{name}.norm3", x, 1e-5))
        value, gate = wide.chunk(2, dim=-1)
        return x + self.linear(f"{name}.ff.net.2", value * functional.gelu(gate))

    def raw(self, codes: Tensor, points: np.ndarray) -> Tensor:
        """(N, 4) raw density and colour at points of the model's frame."""
        places = torch.from_numpy(points) / self.sizes.radius
        features = []
        for plane, axes in enumerate(((0, 1), (0, 2), (1, 2))):
            where = places[:, axes][None, None]
            found = functional.grid_sample(codes[plane][None], where, align_corners=False)
            features.append(found[0, :, 0].T)
        x = torch.cat(features, dim=1)
        act = {"silu": functional.silu, "relu": functional.relu}[self.sizes.activation]
        for layer in range(self.sizes.hidden_layers):
            x = act(self.linear(f"decoder.layers.{2 * layer}", x))
        return self.linear(f"decoder.layers.{2 * self.sizes.hidden_layers}", x)


def attention(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """(1, N, C), (1, M, C), (1, M, C) to (1, N, C)."""
    parts = []
    for q, k, v in zip(*(each.chunk(heads, dim=-1) for each in (query, key, value)), strict=True):
        scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
        parts.append(scores.softmax(dim=-1) @ v)
    return torch.cat(parts, dim=-1)
