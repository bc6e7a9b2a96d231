"""The transformer that fills the triplane's tokens with what the image tokens say.

Owns its blocks, under the parameter names of the published checkpoint: self-attention,
cross-attention and a gated feed-forward (GEGLU: Shazeer 2020, arXiv 2002.05202), each on a normed
copy. Must not know what tokens mean.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from ...progress import Progress
from .config import Config

_GROUP_NORM_EPSILON = 1e-6
_LAYER_NORM_EPSILON = 1e-5
# The feed-forward's hidden layer is that many times as wide as a token.
_WIDER = 4


class Attention(nn.Module):
    """Multi-head attention of ``x`` to ``context``."""

    def __init__(self, config: Config, context_channels: int) -> None:
        super().__init__()
        inner = config.heads * config.head_dim
        self.heads = config.heads
        self.to_q = nn.Linear(inner, inner, bias=False)
        self.to_k = nn.Linear(context_channels, inner, bias=False)
        self.to_v = nn.Linear(context_channels, inner, bias=False)
        # The checkpoint counts a dropout as the second entry; it does nothing when not training.
        self.to_out = nn.ModuleList([nn.Linear(inner, inner)])

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """(N, C) and (M, D) to (N, C)."""
        query, key, value = (
            each.unflatten(-1, (self.heads, -1)).transpose(0, 1)[None]
            for each in (self.to_q(x), self.to_k(context), self.to_v(context))
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.to_out[0](mixed[0].transpose(0, 1).flatten(1))


class GatedLinear(nn.Module):
    """GEGLU: one half of a projection, gated by the other half's exact GELU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.proj = nn.Linear(inputs, 2 * outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs) to (N, outputs)."""
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * functional.gelu(gate)


class FeedForward(nn.Module):
    """Two layers, the first of them gated."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = _WIDER * channels
        # The middle entry is a dropout's place in the checkpoint's numbering.
        layers = [GatedLinear(channels, inner), nn.Identity(), nn.Linear(inner, channels)]
        self.net = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C) to (N, C)."""
        return self.net(x)


class Block(nn.Module):
    """Self-attention, cross-attention, feed-forward."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        channels = config.heads * config.head_dim
        self.norm1 = nn.LayerNorm(channels, eps=_LAYER_NORM_EPSILON)
        self.attn1 = Attention(config, channels)
        self.norm2 = nn.LayerNorm(channels, eps=_LAYER_NORM_EPSILON)
        self.attn2 = Attention(config, config.token_channels)
        self.norm3 = nn.LayerNorm(channels, eps=_LAYER_NORM_EPSILON)
        self.ff = FeedForward(channels)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """(N, C) tokens, (M, D) image tokens, to (N, C)."""
        normed = self.norm1(x)
        x = x + self.attn1(normed, normed)
        x = x + self.attn2(self.norm2(x), context)
        return x + self.ff(self.norm3(x))


class Transformer(nn.Module):
    """The blocks between two projections; what it finds is added to the tokens that came in."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        channels, inner = config.channels, config.heads * config.head_dim
        self.norm = nn.GroupNorm(config.norm_groups, channels, eps=_GROUP_NORM_EPSILON)
        self.proj_in = nn.Linear(channels, inner)
        self.transformer_blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.proj_out = nn.Linear(inner, channels)

    def forward(self, tokens: Tensor, context: Tensor, progress: Progress) -> Tensor:
        """(N, C) triplane tokens and (M, D) image tokens to (N, C); each block reports."""
        x = self.proj_in(self.norm(tokens.T[None])[0].T)
        for block in progress.track(self.transformer_blocks, "filling the planes"):
            x = block(x, context)
        return self.proj_out(x) + tokens
