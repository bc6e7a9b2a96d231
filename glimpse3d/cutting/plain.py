"""Backgrounds plain enough to be subtracted.

Owns that one sign of a subject. Must not know prompts, settings or full-size pictures.
"""

from __future__ import annotations

import numpy as np


def plain_key(rgb: np.ndarray) -> np.ndarray | None:
    """What differs from a plain background, if the picture has one.

    A quadratic surface for each channel is fitted to the border, so that a gradient or a vignette
    is plain too. Up to three tenths of the border may belong to the subject.

    Args:
        rgb: (H, W, 3) uint8.

    Returns:
        (H, W) bool, or None where the border is too lively for this.
    """
    height, width = rgb.shape[:2]
    terms, sides = _quadratic_terms(height, width), _border_sides(height, width)
    border = sides > 0
    inputs, wanted = terms[border], rgb[border].astype(np.float64)
    # A subject that leaves the picture spoils a side: start without each of them once.
    fits = [_robust_fit(inputs, wanted, sides[border] != side) for side in range(5)]
    surface, spread = min(fits, key=lambda fit: fit[1])
    stray = np.linalg.norm(wanted - inputs @ surface, axis=1) > 4 * spread
    if spread > 5 or stray.mean() > 0.3:
        return None
    difference = np.linalg.norm(rgb - terms @ surface, axis=2)
    return np.asarray(difference > max(4 * spread, 8.0))


def _robust_fit(
    inputs: np.ndarray, wanted: np.ndarray, trusted: np.ndarray
) -> tuple[np.ndarray, float]:
    """Coefficients, and the spread of the errors in levels; ``trusted`` (N,) counts at first."""
    weights = trusted.astype(np.float64)[:, None]
    for _ in range(6):
        surface = np.linalg.lstsq(inputs * weights, wanted * weights, rcond=None)[0]
        error = np.linalg.norm(wanted - inputs @ surface, axis=1)
        spread = 1.4826 * float(np.median(error)) + 1.0
        weights = 1 / (1 + (error[:, None] / (2 * spread)) ** 2)
    return surface, spread


def _border_sides(height: int, width: int) -> np.ndarray:
    """(H, W) int: 1 top, 2 bottom, 3 left, 4 right in a narrow band, else 0."""
    band = max(3, max(height, width) // 40)
    sides = np.zeros((height, width), int)
    sides[:, :band], sides[:, -band:] = 3, 4
    sides[:band], sides[-band:] = 1, 2
    return sides * (np.indices(sides.shape).sum(axis=0) % 4 == 0)  # a quarter of them says it all


def _quadratic_terms(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    u, v = (x + 0.5) / width * 2 - 1, (y + 0.5) / height * 2 - 1
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1)
