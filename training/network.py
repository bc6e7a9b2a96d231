"""The network: one cut-out picture to occupancy on its own frustum, the back's colour, elevation.

Owns the layers, how a picture becomes input channels (inside the network, so that whoever runs it
hands over nothing but pixels), and the loss. Must not know where samples come from.

A plain two-dimensional U-Net: cells along a ray are channels of the last layer, which is cheap and
keeps silhouettes sharp. It begins with what needs no learning, the silhouette inflated on an
upright plane, and learns what is otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import frustum

HEADS = 8  # of attention
CHANNELS = 5  # of the input: colour, alpha, half the thickness of the inflated silhouette
UPRIGHT = 17.0  # degrees from above that most pictures are taken
STEEPNESS = 0.3  # of the inflated silhouette's logits, a cell
DEEPEST = 4.0  # cells from its surface at which they level out


class Residual(nn.Module):
    """Two convolutions around a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.GroupNorm(8, channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.GroupNorm(8, channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        return x + self.body(x)


class Attention(nn.Module):
    """Every place of a small map looks at every other."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.inward = nn.Conv2d(channels, 3 * channels, 1)
        self.outward = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        n, c, h, w = x.shape
        parts = self.inward(self.norm(x)).reshape(n, 3, HEADS, c // HEADS, h * w)
        query, key, value = parts.unbind(1)
        weight = (query.transpose(-1, -2) @ key * (c // HEADS) ** -0.5).softmax(-1)
        mixed = (value @ weight.transpose(-1, -2)).reshape(n, c, h, w)
        return x + self.outward(mixed)


def _shuffle_up(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inside, 4 * outside, 1), nn.PixelShuffle(2))


class Reconstructor(nn.Module):
    """The U-Net; ``width`` channels at 32 x 32, twice and four times that below.

    Attributes:
        width: a multiple of 8.
    """

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.width = width
        half, deep = width // 2, 4 * width
        self.stem = nn.Conv2d(8, half, 5, stride=2, padding=2)
        self.fine = nn.Sequential(nn.SiLU(), nn.Conv2d(half, half, 3, padding=1), nn.SiLU())
        self.down = nn.ModuleList(
            (
                nn.Conv2d(half, width, 3, stride=2, padding=1),
                nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
                nn.Conv2d(2 * width, deep, 3, stride=2, padding=1),
            )
        )
        self.encode = nn.ModuleList(
            (Residual(width), nn.Sequential(Residual(2 * width), Residual(2 * width)))
        )
        self.middle = nn.Sequential(
            *(layer for _ in range(3) for layer in (Residual(deep), Attention(deep)))
        )
        self.up = nn.ModuleList((_shuffle_up(deep, 2 * width), _shuffle_up(2 * width, width)))
        self.decode = nn.ModuleList(
            nn.Sequential(Residual(c), Residual(c)) for c in (2 * width, width)
        )
        self.last = _shuffle_up(width, width)
        self.join = nn.Conv2d(width + half, width, 1)
        self.head = nn.Sequential(
            nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1)
        )
        self.occupancy = nn.Conv2d(width, frustum.BINS, 1)
        self.back = nn.Sequential(nn.SiLU(), nn.Conv2d(width, 3, 1))
        self.pose = nn.Sequential(nn.Linear(deep, 64), nn.SiLU(), nn.Linear(64, 1))
        with torch.no_grad():
            self.occupancy.weight.mul_(0.1)
            self.occupancy.bias.zero_()
            self.pose[2].bias.fill_(math.radians(UPRIGHT))

    def forward(self, picture: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Predict.

        Args:
            picture: (N, CHANNELS, IMAGE, IMAGE) float32: sRGB and straight alpha in 0..1, and
                ``medial.half_thickness`` over IMAGE.
            tangent: (N,) float32, of half the field of view.

        Returns:
            (N, BINS, GRID, GRID) logits, near to far; (N, 3, GRID, GRID) sRGB in 0..1; (N,)
            elevation of the camera in radians.
        """
        fine = self.fine(self.stem(channels(picture, tangent)))
        x = self.encode[0](self.down[0](fine))
        y = self.encode[1](self.down[1](x))
        z = self.middle(self.down[2](y))
        elevation = self.pose(z.mean(dim=(2, 3)))[:, 0]
        y = self.decode[0](y + self.up[0](z))
        x = self.decode[1](x + self.up[1](y))
        joined = self.join(torch.cat((self.last(x), fine), dim=1))
        top = functional.silu(joined + self.head(joined))
        logits = inflated(picture) + self.occupancy(top)
        return logits, self.back(top).sigmoid(), elevation


def inflated(picture: Tensor) -> Tensor:
    """(N, BINS, GRID, GRID) logits of the inflated silhouette on the upright plane.

    In cells, since these keep their proportions at every field of view.
    """
    cells = frustum.BINS / (2 * frustum.DEPTH_PER_TANGENT)  # to half the frame's width
    alpha, half = functional.avg_pool2d(picture[:, 3:], frustum.IMAGE // frustum.GRID).split(1, 1)
    row = (torch.arange(frustum.GRID, device=alpha.device, dtype=alpha.dtype) + 0.5) * (
        2 / frustum.GRID
    )
    row = row.reshape(1, 1, -1, 1)
    middle_row = (alpha * row).sum((2, 3), keepdim=True) / alpha.sum(
        (2, 3), keepdim=True
    ).clamp_min(1)
    middle = cells * math.tan(math.radians(UPRIGHT)) * (row - middle_row)
    cell = torch.arange(frustum.BINS, device=alpha.device, dtype=alpha.dtype) + 0.5
    away = (cell.reshape(1, -1, 1, 1) - frustum.BINS / 2 - middle).abs()
    return STEEPNESS * (2 * cells * half - away).clamp(-DEEPEST, DEEPEST)


def channels(picture: Tensor, tangent: Tensor) -> Tensor:
    """(N, 8, IMAGE, IMAGE): premultiplied colour, alpha, slopes, blurred alpha, thickness."""
    size = picture.shape[-1]
    alpha, half = picture[:, 3:4], picture[:, 4:]
    line = (torch.arange(size, device=picture.device, dtype=picture.dtype) + 0.5) * (2 / size) - 1
    scale = tangent.reshape(-1, 1, 1, 1) * 2.5
    x = line.reshape(1, 1, 1, size) * torch.ones_like(alpha) * scale
    y = line.reshape(1, 1, size, 1) * torch.ones_like(alpha) * scale
    blurred = alpha
    for _ in range(2):
        blurred = functional.avg_pool2d(blurred, (17, 1), stride=1, padding=(8, 0))
        blurred = functional.avg_pool2d(blurred, (1, 17), stride=1, padding=(0, 8))
    return torch.cat((picture[:, :3] * alpha, alpha, x, y, blurred, 4 * half), dim=1)


@dataclass(frozen=True)
class Target:
    """What the network should have said.

    Attributes:
        occupancy: (N, BINS, GRID, GRID) float32 in 0..1.
        back: (N, 3, GRID, GRID) float32 sRGB in 0..1.
        elevation: (N,) float32 radians.
        mask: (N, 1, GRID, GRID) float32, 1 for the rays inside the cut-out.
    """

    occupancy: Tensor
    back: Tensor
    elevation: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Losses:
    """Parts of the loss, each a scalar; ``total`` is what is minimised."""

    occupancy: Tensor
    back: Tensor
    elevation: Tensor
    total: Tensor


def losses(
    answer: tuple[Tensor, Tensor, Tensor], target: Target, back_weight: float = 0.5
) -> Losses:
    """Cross-entropy inside the mask, absolute error of the back's colour and of the elevation."""
    logits, back, elevation = answer
    rays = target.mask.sum().clamp_min(1)
    cross = functional.binary_cross_entropy_with_logits(logits, target.occupancy, reduction="none")
    occupancy = (cross * target.mask).sum() / (rays * logits.shape[1])
    seen = target.mask * (target.back.amax(dim=1, keepdim=True) > 0)
    colour = ((back - target.back).abs() * seen).sum() / (3 * seen.sum().clamp_min(1))
    tilt = (elevation - target.elevation).abs().mean()
    total = 4 * occupancy + back_weight * colour + 0.05 * tilt
    return Losses(occupancy, colour, tilt, total)


def overlap(logits: Tensor, target: Target) -> Tensor:
    """(N,) intersection over union of the solids inside the mask."""
    said, true = (logits > 0) & (target.mask > 0), (target.occupancy > 0.5) & (target.mask > 0)
    both = (said & true).sum(dim=(1, 2, 3)).float()
    return both / (said | true).sum(dim=(1, 2, 3)).clamp_min(1).float()
