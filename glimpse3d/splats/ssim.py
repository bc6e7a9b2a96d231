"""How unlike two pictures are, in their values and in structure; with gradient, compiled by numba.

Owns the mean absolute difference, the structural similarity of Wang et al. 2004, "Image Quality
Assessment: From Error Visibility to Structural Similarity", and their mixture. The window is the
one that splat trainers use: Gaussian, 11 taps, 1.5 pixels, zeros outside the picture. Must not know
splats. Forward and backward are one pass each over the rows; only the rows under the window are
held, so that the working set stays in the processor's cache. Heavy: imports torch.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from ..errors import InvalidData

TAPS = 11
_HALF = TAPS // 2
_SIGMA = 1.5
_CHANNELS = 3
_PAD = _HALF * _CHANNELS
_SQUARES = np.exp(-0.5 * ((np.arange(TAPS) - _HALF) / _SIGMA) ** 2)
_W0, _W1, _W2, _W3, _W4, _W5 = (
    np.float32(weight) for weight in (_SQUARES / _SQUARES.sum())[_HALF::-1].tolist()
)
_WINDOW = (_SQUARES / _SQUARES.sum()).astype(np.float32)
_C1, _C2 = np.float32(0.01**2), np.float32(0.03**2)
_ONE, _TWO = np.float32(1.0), np.float32(2.0)


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _blur_row(source, target):  # type: ignore[no-untyped-def]
    """Along one row of interleaved colours; ``source`` is a window longer, zeros at both ends."""
    # Offsets are constants that cannot be negative: only then are the values read eight at a time.
    for i in range(target.shape[0]):
        target[i] = (
            _W0 * source[i + 15]
            + _W1 * (source[i + 12] + source[i + 18])
            + _W2 * (source[i + 9] + source[i + 21])
            + _W3 * (source[i + 6] + source[i + 24])
            + _W4 * (source[i + 3] + source[i + 27])
            + _W5 * (source[i] + source[i + 30])
        )


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _blur_column(ring, row, height, target):  # type: ignore[no-untyped-def]
    """Across the rows around ``row``; row y of the picture stands in ``ring[y % TAPS]``."""
    target[:] = 0
    for tap in range(TAPS):
        y = row + tap - _HALF
        if 0 <= y < height:
            weight = _WINDOW[tap]
            source = ring[y % TAPS]
            for i in range(target.shape[0]):
                target[i] += weight * source[i]


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _compare_row(moments, partials):  # type: ignore[no-untyped-def]
    """The sum of the index over one row; its derivatives by mean, square and product."""
    mean_x, mean_y, square_x, square_y, product = moments
    by_mean, by_square, by_product = partials
    total = np.float32(0.0)
    for i in range(mean_x.shape[0]):
        mx, my = mean_x[i], mean_y[i]
        mxx, myy, mxy = mx * mx, my * my, mx * my
        a, b = _TWO * mxy + _C1, _TWO * (product[i] - mxy) + _C2
        c, d = mxx + myy + _C1, (square_x[i] - mxx) + (square_y[i] - myy) + _C2
        scale = _ONE / (c * d)
        value = a * b * scale
        by_product[i] = _TWO * a * scale
        by_mean[i] = _TWO * (my * (b - a) * scale + mx * value * (c - d) * scale)
        by_square[i] = -value / d
        total += value
    return total


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _difference_row(x, y):  # type: ignore[no-untyped-def]
    total = np.float32(0.0)
    for i in range(x.shape[0]):
        total += abs(x[i] - y[i])
    return total


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _forward(x, y, partials):  # type: ignore[no-untyped-def]
    """The sums of the index and of the absolute differences of two (H, W, 3) pictures.

    ``partials`` (3, H, W * 3) is filled with the index' derivatives by the blurred x, x^2 and x*y.
    """
    height, length = x.shape[0], x.shape[1] * _CHANNELS
    flat_x, flat_y = x.reshape(height, length), y.reshape(height, length)
    padded = np.zeros((5, length + 2 * _PAD), np.float32)
    rings = np.empty((5, TAPS, length), np.float32)
    moments = np.empty((5, length), np.float32)
    similarity, difference = 0.0, 0.0
    for ahead in range(height + _HALF):
        if ahead < height:
            row_x, row_y = flat_x[ahead], flat_y[ahead]
            difference += _difference_row(row_x, row_y)
            for i in range(length):
                a, b = row_x[i], row_y[i]
                padded[0, _PAD + i] = a
                padded[1, _PAD + i] = b
                padded[2, _PAD + i] = a * a
                padded[3, _PAD + i] = b * b
                padded[4, _PAD + i] = a * b
            for plane in range(5):
                _blur_row(padded[plane], rings[plane, ahead % TAPS])
        row = ahead - _HALF
        if row >= 0:
            for plane in range(5):
                _blur_column(rings[plane], row, height, moments[plane])
            similarity += _compare_row(
                (moments[0], moments[1], moments[2], moments[3], moments[4]),
                (partials[0, row], partials[1, row], partials[2, row]),
            )
    return similarity, difference


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _backward(x, y, partials, factors, gradient):  # type: ignore[no-untyped-def]
    """``gradient`` (H, W, 3): of both sums by ``x``, times a factor each, added."""
    by_similarity, by_difference = factors
    height, length = x.shape[0], x.shape[1] * _CHANNELS
    flat_x, flat_y = x.reshape(height, length), y.reshape(height, length)
    out = gradient.reshape(height, length)
    padded = np.zeros(length + 2 * _PAD, np.float32)
    rings = np.empty((3, TAPS, length), np.float32)
    blurred = np.empty((3, length), np.float32)
    for ahead in range(height + _HALF):
        if ahead < height:
            for plane in range(3):
                padded[_PAD : _PAD + length] = partials[plane, ahead]
                _blur_row(padded, rings[plane, ahead % TAPS])
        row = ahead - _HALF
        if row >= 0:
            for plane in range(3):
                _blur_column(rings[plane], row, height, blurred[plane])
            by_mean, by_square, by_product = blurred[0], blurred[1], blurred[2]
            row_x, row_y, target = flat_x[row], flat_y[row], out[row]
            for i in range(length):
                direct = by_mean[i] + _TWO * row_x[i] * by_square[i] + row_y[i] * by_product[i]
                sign = np.float32(row_x[i] > row_y[i]) - np.float32(row_x[i] < row_y[i])
                target[i] = by_similarity * direct + by_difference * sign


class _Unlikeness(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, picture: Tensor, target: Tensor, share: float) -> Tensor:
        x, y = picture.detach().contiguous(), target.detach().contiguous()
        height, width, channels = x.shape
        context.partials = np.empty((3, height, width * channels), np.float32)
        similarity, difference = _forward(x.numpy(), y.numpy(), context.partials)
        context.save_for_backward(x, y)
        context.share = share
        mean = share * (1 - similarity / x.numel()) + (1 - share) * difference / x.numel()
        return torch.tensor(mean, dtype=torch.float32)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context: Any, above: Tensor) -> tuple[Tensor, None, None]:
        x, y = context.saved_tensors
        gradient = torch.empty_like(x)
        unit = float(above) / x.numel()
        factors = np.float32(-unit * context.share), np.float32(unit * (1 - context.share))
        _backward(x.numpy(), y.numpy(), context.partials, factors, gradient.numpy())
        return gradient, None, None


def unlikeness(picture: Tensor, target: Tensor, share: float) -> Tensor:
    """``(1 - share) * L1 + share * (1 - SSIM)``, 0 for equal pictures.

    Args:
        picture: (H, W, 3) float32, values about 0..1; has the gradient.
        target: the same shape; a constant.
        share: 0..1.

    Returns:
        a float32 scalar on the picture's device.

    Raises:
        InvalidData: the shapes differ or are not (H, W, 3).
    """
    if picture.shape != target.shape or picture.ndim != 3 or picture.shape[2] != _CHANNELS:
        raise InvalidData(f"pictures of {tuple(picture.shape)} and {tuple(target.shape)} differ")
    if picture.device.type == "cpu":
        return _Unlikeness.apply(picture, target, share)
    difference = (picture - target).abs().mean()
    return (1 - share) * difference + share * (1 - plain_ssim(picture, target))


def ssim(picture: Tensor, target: Tensor) -> Tensor:
    """Mean structural similarity, 1 for equal pictures; see ``unlikeness``."""
    return 1 - unlikeness(picture, target, 1.0)


def plain_ssim(picture: Tensor, target: Tensor) -> Tensor:
    """The same in PyTorch's own operations, any floating type; GPUs are quick at it."""
    channels = picture.shape[-1]
    window = torch.as_tensor(_WINDOW, dtype=picture.dtype, device=picture.device)
    across = window.reshape(1, 1, 1, TAPS).repeat(channels, 1, 1, 1)
    down = window.reshape(1, 1, TAPS, 1).repeat(channels, 1, 1, 1)

    def blur(values: Tensor) -> Tensor:
        rows = torch.nn.functional.conv2d(values, across, padding=(0, _HALF), groups=channels)
        return torch.nn.functional.conv2d(rows, down, padding=(_HALF, 0), groups=channels)

    x, y = (each.permute(2, 0, 1)[None] for each in (picture, target))
    mean_x, mean_y = blur(x), blur(y)
    variance_x = blur(x * x) - mean_x**2
    variance_y = blur(y * y) - mean_y**2
    covariance = blur(x * y) - mean_x * mean_y
    c1, c2 = float(_C1), float(_C2)
    likeness = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    spread = (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return (likeness / spread).mean()
