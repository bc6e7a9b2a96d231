"""The subject's own colours where a pixel is partly background.

Owns that estimate. Must not know where an alpha came from. Heavy: loaded by cut-outs that compute.

At the edge a pixel shows ``alpha * subject + (1 - alpha) * background``, and three numbers do not
tell six. Both are taken as smooth: means over the neighbourhood, weighted by alpha and by the rest,
and then moved by what they do not explain (Forte: "Approximate Fast Foreground Colour Estimation",
ICIP 2021).
"""

from __future__ import annotations

import cv2
import numpy as np

from .edge import STRIP, rows_resized

_SIZE = 384  # pixels; neighbourhoods are averaged in a copy of at most this longest side
_WIDE, _NARROW = 25, 5  # pixels of that copy


def decontaminated(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The colours without the background's share; unchanged where alpha is 0 or 255.

    Args:
        rgb: (H, W, 3) uint8.
        alpha: (H, W) uint8.

    Returns:
        (H, W, 3) uint8.
    """
    edge = (alpha > 0) & (alpha < 255)
    cleaned = np.array(rgb)
    if not edge.any():
        return cleaned
    means = _means(rgb, alpha)
    height, width = alpha.shape
    for top in range(0, height, STRIP):
        rows = slice(top, min(top + STRIP, height))
        if edge[rows].any():
            near = [rows_resized(one, rows, height, width)[edge[rows]] for one in means]
            share = alpha[rows][edge[rows]][:, None] / np.float32(255)
            seen = rgb[rows][edge[rows]].astype(np.float32)
            found = _moved(seen, share, *near)
            cleaned[rows][edge[rows]] = np.rint(np.clip(found, 0, 255)).astype(np.uint8)
    return cleaned


def _means(rgb: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(h, w, 3) float32 each, 0..255: the subject's and the background's colours around a pixel."""
    height, width = alpha.shape
    scale = min(1.0, _SIZE / max(height, width))
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    seen = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    share = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    share = share.reshape(*seen.shape[:2], 1)
    subject, background = seen, seen
    for window in (_WIDE, _NARROW):
        near = _weighted(subject, share, window), _weighted(background, 1 - share, window)
        subject = np.clip(_moved(seen, share, *near), 0, 255)
        background = near[1]
    return near


def _weighted(values: np.ndarray, weight: np.ndarray, window: int) -> np.ndarray:
    """The mean of ``values`` over a window, far pixels counting where no near one does."""
    size, floor = (window, window), np.float32(1e-4)
    total = cv2.blur(values * weight, size) + floor * cv2.blur(values, size)
    count = cv2.blur(np.ascontiguousarray(weight[..., 0]), size) + floor
    return np.asarray(total / count[..., None])


def _moved(
    seen: np.ndarray, share: np.ndarray, subject: np.ndarray, background: np.ndarray
) -> np.ndarray:
    """The subject's colour, moved by its share of what the two do not explain."""
    unexplained = seen - share * subject - (1 - share) * background
    return np.asarray(subject + share * unexplained)
