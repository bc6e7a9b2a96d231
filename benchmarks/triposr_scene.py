"""Scene codes and a decoder, of any TripoSR's sizes, whose surface is known: a small machine.

Owns how weights are set by hand so that a perceptron of SiLU layers computes a union of boxes and
cylinders: each part is the intersection of three silhouettes, one in each plane. Nothing is
trained, and every layer works at full width. Used by the benchmark and the tests.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

# Sharpness of the soft corner between two sides: SiLU(s x) / s is nearly max(x, 0).
_SHARPNESS = 8.0
# One part: middle and half size of a box, or of a cylinder about ``axis``; -1 is a box.
PARTS: tuple[tuple[tuple[float, float, float], tuple[float, float, float], int], ...] = (
    ((0.0, 0.0, -0.08), (0.14, 0.18, 0.15), -1),  # body
    ((0.0, 0.0, 0.18), (0.12, 0.12, 0.10), 2),  # head
    ((0.0, 0.28, -0.07), (0.06, 0.06, 0.17), 2),  # arms
    ((0.0, -0.28, -0.07), (0.06, 0.06, 0.17), 2),
    ((0.0, 0.0, -0.36), (0.21, 0.21, 0.11), 0),  # wheel
    ((0.0, 0.0, 0.0), (0.21, 0.43, 0.006), -1),  # plate, 0.012 thick
    ((0.0, 0.0, 0.38), (0.010, 0.010, 0.15), 2),  # antenna, radius 0.010
    ((0.0, 0.0, 0.50), (0.04, 0.04, 0.04), 1),  # lamp
)
_PLANES = ((0, 1), (0, 2), (1, 2))


def snapped(value: float, side: int, radius: float) -> float:
    """The nearest texel centre: bilinear planes resolve thin parts only about one."""
    texel = 2 * radius / side
    return (np.floor(value / texel) + 0.5) * texel


def planes(channels: int, side: int, radius: float, steepness: float) -> Tensor:
    """(3, channels, side, side) codes; a part's channel is its signed distance in that plane.

    Args:
        channels: at least as many as there are parts; the others hold noise.
        side: texels.
        radius: half the box.
        steepness: raw units per unit of length.
    """
    made = np.random.default_rng(0).normal(size=(3, channels, side, side)) * 0.1
    centres = ((np.arange(side) + 0.5) / side * 2 - 1) * radius
    for number, (middle, half, axis) in enumerate(PARTS):
        at = [snapped(each, side, radius) for each in middle]
        for plane, (first, second) in enumerate(_PLANES):
            # Rows follow the second axis, columns the first.
            u, v = np.abs(centres[None, :] - at[first]), np.abs(centres[:, None] - at[second])
            if axis >= 0 and axis not in (first, second):
                distance = half[first] - np.hypot(u, v)
            else:
                distance = np.minimum(half[first] - u, half[second] - v)
            made[plane, number] = steepness * distance
    return torch.tensor(made, dtype=torch.float32)


def set_decoder(layers: nn.Sequential, level: float) -> None:
    """Set the weights: raw density is the largest part's smallest silhouette plus ``level``.

    Values pass a layer as pairs, since SiLU(x) - SiLU(-x) = x; the smaller of two is
    a - max(a - b, 0). What neurons are left keep random weights and feed the colours alone.
    """
    linear = [each for each in layers if isinstance(each, nn.Linear)]
    parts, channels = len(PARTS), linear[0].in_features // 3
    rng = torch.Generator().manual_seed(1)
    for each in linear:
        each.weight.data = torch.randn(each.weight.shape, generator=rng) / each.in_features**0.5
        each.bias.data = torch.zeros_like(each.bias)
    select = torch.zeros(3 * parts, 3 * channels)
    for plane in range(3):
        for part in range(parts):
            select[plane * parts + part, plane * channels + part] = 1
    first, second, third = select.split(parts)
    rows, back = _smaller(first, second)
    carried = torch.cat([third, -third])
    _place(linear[0], torch.cat([rows, carried]))
    back = torch.block_diag(back, torch.cat([torch.eye(parts), -torch.eye(parts)], dim=1))
    rows, last = _smaller(back[:parts], back[parts:])
    _place(linear[1], rows)
    back, depth = last, 2
    while len(back) > 1:
        rows, last = _smaller(-back[0::2], -back[1::2])
        _place(linear[depth], rows)
        back, depth = -last, depth + 1
    for layer in linear[depth:-1]:
        _place(layer, torch.cat([back, -back]))
        back = torch.tensor([[1.0, -1.0]])
    _place(linear[-1], back)
    linear[-1].bias.data[0] = level


def _smaller(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Rows that feed a layer, and how the smaller of ``a`` and ``b`` is read from its answer."""
    count = len(a)
    eye = torch.eye(count)
    return torch.cat([a, -a, _SHARPNESS * (a - b)]), torch.cat([eye, -eye, -eye / _SHARPNESS], 1)


def _place(layer: nn.Linear, rows: Tensor) -> None:
    """Make ``rows`` the layer's first outputs; they read nothing but their own inputs."""
    layer.weight.data[: len(rows)] = 0
    layer.weight.data[: len(rows), : rows.shape[1]] = rows
