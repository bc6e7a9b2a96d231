"""The network for *where*: a picture to the probability that a pixel is the subject's.

Owns the layers and the loss; shares their parts with ``network``. Must not know where samples come
from. The edge to the pixel is left to the product's colour model: this one only has to know which
thing in the picture is meant.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .network import Attention, Residual, _shuffle_up


class CutoutNetwork(nn.Module):
    """A U-Net; ``width`` channels at a quarter of the picture's size, twice and thrice below.

    Attributes:
        width: a multiple of 16.
    """

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.width = width
        half, deep = width // 2, 3 * width
        self.stem = nn.Conv2d(5, half, 5, stride=2, padding=2)
        self.fine = nn.Sequential(nn.SiLU(), nn.Conv2d(half, half, 3, padding=1), nn.SiLU())
        self.down = nn.ModuleList(
            (
                nn.Conv2d(half, width, 3, stride=2, padding=1),
                nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
                nn.Conv2d(2 * width, deep, 3, stride=2, padding=1),
            )
        )
        self.encode = nn.ModuleList((Residual(width), Residual(2 * width)))
        self.middle = nn.Sequential(
            *(layer for _ in range(3) for layer in (Residual(deep), Attention(deep)))
        )
        self.up = nn.ModuleList((_shuffle_up(deep, 2 * width), _shuffle_up(2 * width, width)))
        self.decode = nn.ModuleList((Residual(2 * width), Residual(width)))
        self.last = _shuffle_up(width, half)
        self.join = nn.Conv2d(2 * half, half, 1)
        self.head = nn.Sequential(
            nn.GroupNorm(8, half), nn.SiLU(), nn.Conv2d(half, half, 3, padding=1), nn.SiLU()
        )
        self.answer = nn.Conv2d(half, 4, 1)
        nn.init.constant_(self.answer.bias, -1.5)  # most of a picture is background

    def forward(self, picture: Tensor) -> Tensor:
        """Predict.

        Args:
            picture: (N, 3, H, W) float32 in 0..1, sRGB; sides are multiples of 16.

        Returns:
            (N, H, W) logits.
        """
        fine = self.fine(self.stem(channels(picture)))
        x = self.encode[0](self.down[0](fine))
        y = self.encode[1](self.down[1](x))
        z = self.middle(self.down[2](y))
        y = self.decode[0](y + self.up[0](z))
        x = self.decode[1](x + self.up[1](y))
        joined = self.join(torch.cat((self.last(x), fine), dim=1))
        return functional.pixel_shuffle(self.answer(self.head(joined)), 2)[:, 0]


def channels(picture: Tensor) -> Tensor:
    """(N, 5, H, W): colour about 0, and where a pixel is, both in -1..1."""
    height, width = picture.shape[-2:]
    empty = torch.zeros_like(picture[:, :1])
    y = (torch.arange(height, device=picture.device, dtype=picture.dtype) + 0.5) * (2 / height) - 1
    x = (torch.arange(width, device=picture.device, dtype=picture.dtype) + 0.5) * (2 / width) - 1
    place = (x.reshape(1, 1, 1, width) + empty, y.reshape(1, 1, height, 1) + empty)
    return torch.cat((2 * picture - 1, *place), dim=1)


def losses(logits: Tensor, alpha: Tensor) -> dict[str, Tensor]:
    """Cross-entropy, and what is lacking to a full soft overlap; ``total`` is minimised.

    Args:
        logits: (N, H, W).
        alpha: (N, H, W) in 0..1.
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, alpha)
    said = logits.sigmoid()
    both, either = (said * alpha).sum(dim=(1, 2)), (said + alpha - said * alpha).sum(dim=(1, 2))
    there = alpha.amax(dim=(1, 2)) > 0.5  # a picture without a subject has no overlap
    lacking = ((1 - both / either.clamp_min(1)) * there).mean()
    return {"entropy": entropy, "lacking": lacking, "total": 2 * entropy + lacking}


def overlap(logits: Tensor, alpha: Tensor) -> Tensor:
    """(N,) intersection over union of the subjects; 1 where both say that there is none."""
    said, true = logits > 0, alpha > 0.5
    both, either = (said & true).sum(dim=(1, 2)), (said | true).sum(dim=(1, 2))
    return torch.where(either > 0, both / either.clamp_min(1), 1.0)
