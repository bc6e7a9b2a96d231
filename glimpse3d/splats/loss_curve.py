"""A fit's course as a picture: the loss of every step, the decibels of every look.

Owns the drawing. Must not know how anything is fitted.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..types import Image
from .optimise_settings import History

_WIDTH, _HEIGHT = 800, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 70, 40, 50
_WHITE, _GREY, _INK = (255, 255, 255), (225, 225, 225), (60, 60, 60)
_LOSS, _SMOOTH, _PSNR = (170, 205, 235), (31, 119, 180), (214, 90, 30)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw(history: History) -> Image:
    """800 x 400 pixels: losses on a logarithmic scale left, decibels right, steps below."""
    canvas = np.full((_HEIGHT, _WIDTH, 3), _WHITE, np.uint8)
    steps = max(len(history.losses), 1)
    losses = np.log10(np.maximum(history.losses or (1.0,), 1e-6))
    measured = [sample for sample in history.samples if np.isfinite(sample.psnr)]
    decibels = np.array([sample.psnr for sample in measured] or [0.0])
    loss_range, psnr_range = _range(losses), _range(decibels)
    _grid(canvas, steps, loss_range, psnr_range)
    at = np.arange(1, len(losses) + 1)
    _line(canvas, at / steps, losses, loss_range, _LOSS, 1)
    _line(canvas, at / steps, _smooth(losses), loss_range, _SMOOTH, 2)
    where = np.array([sample.iteration for sample in measured] or [0]) / steps
    _line(canvas, where, decibels, psnr_range, _PSNR, 2)
    for x, y in zip(*_pixels(where, decibels, psnr_range), strict=True):
        cv2.circle(canvas, (int(x), int(y)), 4, _PSNR, -1, cv2.LINE_AA)
    _text(canvas, "loss", (_LEFT, 26), _SMOOTH)
    _text(canvas, "PSNR, dB", (_WIDTH - _RIGHT - 80, 26), _PSNR)
    _text(canvas, "steps", (_WIDTH // 2 - 20, _HEIGHT - 8), _INK)
    return Image(np.dstack([canvas, np.full((_HEIGHT, _WIDTH), 255, np.uint8)]))


def _range(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = max(0.05 * (high - low), 0.01)
    return low - margin, high + margin


def _smooth(values: np.ndarray) -> np.ndarray:
    """The mean over a twentieth of the course, less at its ends."""
    reach = max(len(values) // 40, 1)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    first = np.maximum(np.arange(len(values)) - reach, 0)
    last = np.minimum(np.arange(len(values)) + reach + 1, len(values))
    return (sums[last] - sums[first]) / (last - first)


def _pixels(
    where: np.ndarray, values: np.ndarray, limits: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    x = _LEFT + where * (_WIDTH - _LEFT - _RIGHT)
    share = (values - limits[0]) / (limits[1] - limits[0])
    return np.rint(x), np.rint(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM))


def _line(
    canvas: np.ndarray,
    where: np.ndarray,
    values: np.ndarray,
    limits: tuple[float, float],
    color: tuple[int, int, int],
    width: int,
) -> None:
    points = np.stack(_pixels(where, values, limits), axis=1).astype(np.int32)
    cv2.polylines(canvas, [points], False, color, width, cv2.LINE_AA)


def _grid(
    canvas: np.ndarray, steps: int, loss: tuple[float, float], psnr: tuple[float, float]
) -> None:
    for share in np.linspace(0, 1, 5):
        y = int(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM))
        x = int(_LEFT + share * (_WIDTH - _LEFT - _RIGHT))
        cv2.line(canvas, (_LEFT, y), (_WIDTH - _RIGHT, y), _GREY, 1)
        _text(canvas, f"{10 ** (loss[0] + share * (loss[1] - loss[0])):.3f}", (8, y + 5), _SMOOTH)
        right = f"{psnr[0] + share * (psnr[1] - psnr[0]):.1f}"
        _text(canvas, right, (_WIDTH - _RIGHT + 10, y + 5), _PSNR)
        _text(canvas, f"{round(share * steps)}", (x - 12, _HEIGHT - _BOTTOM + 20), _INK)


def _text(
    canvas: np.ndarray, text: str, place: tuple[int, int], color: tuple[int, int, int]
) -> None:
    cv2.putText(canvas, text, place, _FONT, 0.5, color, 1, cv2.LINE_AA)
