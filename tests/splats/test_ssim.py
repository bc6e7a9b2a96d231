"""The compiled likeness against PyTorch's own operations in float64, and its known values."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from glimpse3d.errors import InvalidData
from glimpse3d.splats.ssim import plain_ssim, ssim, unlikeness

SIZES = [(61, 75), (11, 11), (5, 40), (1, 1), (128, 3)]


def pictures(height: int, width: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(seed)
    x = random.random((height, width, 3)).astype(np.float32)
    y = np.clip(x + random.normal(scale=0.2, size=x.shape), 0, 1).astype(np.float32)
    return torch.tensor(x, requires_grad=True), torch.tensor(y)


def plain_unlikeness(x: torch.Tensor, y: torch.Tensor, share: float) -> torch.Tensor:
    return (1 - share) * (x - y).abs().mean() + share * (1 - plain_ssim(x, y))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_value_and_gradient_are_those_of_float64(size: tuple[int, int], share: float) -> None:
    x, y = pictures(*size)
    exact = x.detach().double().requires_grad_()
    (3 * unlikeness(x, y, share)).backward()
    (3 * plain_unlikeness(exact, y.double(), share)).backward()
    value = float(unlikeness(x, y, share).detach())
    expected = float(plain_unlikeness(exact, y.double(), share).detach())
    assert value == pytest.approx(expected, abs=1e-6)
    assert x.grad is not None and exact.grad is not None
    assert float((x.grad - exact.grad).norm() / exact.grad.norm()) < 1e-4


def test_flat_regions_keep_their_gradient() -> None:
    """Variance is a small difference of squares there, and must not blow up."""
    x = torch.full((40, 40, 3), 0.97)
    x[10:20, 10:20] += 0.01
    x.requires_grad_()
    y = torch.full((40, 40, 3), 0.95)
    exact = x.detach().double().requires_grad_()
    ssim(x, y).backward()
    plain_ssim(exact, y.double()).backward()
    assert x.grad is not None and exact.grad is not None
    assert float((x.grad - exact.grad).norm() / exact.grad.norm()) < 1e-3


def test_plain_gradient_is_the_numerical_one() -> None:
    x, y = pictures(4, 5)
    exact = x.detach().double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda each: plain_ssim(each, y.double()), (exact,), fast_mode=True
    )


def test_equal_pictures_are_alike() -> None:
    x, _ = pictures(30, 20)
    assert float(ssim(x, x.detach()).detach()) == pytest.approx(1.0, abs=1e-6)
    assert float(unlikeness(x, x.detach(), 0.2).detach()) == pytest.approx(0.0, abs=1e-6)


def test_constant_pictures_differ_in_luminance_alone() -> None:
    """Far from the border, two constants a and b are alike by (2ab + c1) / (a^2 + b^2 + c1)."""
    a, b, side = 0.3, 0.6, 256
    x, y = torch.full((side, side, 3), a), torch.full((side, side, 3), b)
    inner = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
    touched = 1 - (1 - 10 / side) ** 2
    assert inner * (1 - touched) < float(ssim(x, y)) < inner + touched


def test_pictures_of_other_shapes_are_refused() -> None:
    x, y = pictures(8, 9)
    with pytest.raises(InvalidData, match="differ"):
        unlikeness(x, y[:-1], 0.2)
    with pytest.raises(InvalidData, match="differ"):
        unlikeness(x[..., :2], y[..., :2], 0.2)
