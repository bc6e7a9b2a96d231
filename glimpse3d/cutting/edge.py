"""From a small hard mask to a clean full-size alpha.

Owns specks, pin holes, and the soft edge. Must not know where a mask came from. Heavy: loaded by
cut-outs that compute.

The edge follows the picture by a guided filter (He, Sun, Tang: "Guided Image Filtering", PAMI
2013): in every small window alpha is taken as linear in the picture's colour. The coefficients
are found at the mask's size and applied to the full picture.
"""

from __future__ import annotations

import cv2
import numpy as np

PIN_HOLE = 0.002  # of the picture's area

_RADIUS = 3  # pixels of the mask
_EPSILON = 1e-3  # squared colour in 0..1: smaller differences do not bend the edge
_FINEST = 512  # pixels; a coarser mask is first made finer by steps of two
STRIP = 256  # rows at a time, so that a large picture costs little memory


def clean(mask: np.ndarray, smallest_part: float, keep: np.ndarray | None = None) -> np.ndarray:
    """Without specks and pin holes.

    Args:
        mask: (H, W) bool.
        smallest_part: parts smaller than this share of the largest go.
        keep: (H, W) bool; parts that touch it stay, whatever their size.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    area = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    area[0] = 0  # the background
    stays = (area > 0) & (area >= smallest_part * area.max())
    if keep is not None and count > 1:
        stays[np.unique(labels[keep & mask])] = True
        stays[0] = False
    mask = stays[labels]
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    pin_hole = stats[:, cv2.CC_STAT_AREA] < PIN_HOLE * mask.size
    pin_hole[0] = False
    filled: np.ndarray = mask | pin_hole[labels]
    return filled


def soft_alpha(mask: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """A full-size alpha whose edge follows the picture; away from the edge exactly 0 or 255.

    Args:
        mask: (h, w) bool, the same view at the same or a smaller size.
        rgb: (H, W, 3) uint8.

    Returns:
        (H, W) uint8.
    """
    height, width = rgb.shape[:2]
    while max(mask.shape) < min(_FINEST, max(height, width)):
        size = (min(mask.shape[1] * 2, width), min(mask.shape[0] * 2, height))
        finer = _guided(mask, cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
        mask = cv2.medianBlur(finer, 5) > 127  # a glint on the rim is no gap in it
    return _guided(mask, rgb)


def _guided(mask: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """One step of ``soft_alpha``: the filter at the mask's size, applied to the picture."""
    guide = cv2.resize(rgb, mask.shape[1::-1], interpolation=cv2.INTER_AREA)
    slope, offset = _guided_coefficients(guide.astype(np.float32) / 255, mask.astype(np.float32))
    linear = np.dstack([slope / 255, offset])
    hard, square = mask.astype(np.uint8), np.ones((2 * _RADIUS + 1,) * 2, np.uint8)
    height, width = rgb.shape[:2]
    near = cv2.dilate(hard, square) - cv2.erode(hard, square)
    edge = cv2.resize(near, (width, height), interpolation=cv2.INTER_NEAREST) > 0
    alpha = cv2.resize(hard * 255, (width, height), interpolation=cv2.INTER_NEAREST)
    for top in range(0, height, STRIP):
        rows = slice(top, min(top + STRIP, height))
        if edge[rows].any():
            coefficients = rows_resized(linear, rows, height, width)
            value = (coefficients[..., :3] * rgb[rows]).sum(axis=2) + coefficients[..., 3]
            # Steeper than fitted: a window's fit never quite reaches 0 and 1.
            value = np.clip((value - 0.5) * 1.5 + 0.5, 0, 1)
            alpha[rows][edge[rows]] = np.rint(value[edge[rows]] * 255).astype(np.uint8)
    return np.asarray(alpha)


def rows_resized(small: np.ndarray, rows: slice, height: int, width: int) -> np.ndarray:
    """Those rows of ``small`` (h, w, C), C at most 4, enlarged to (height, width), bilinear."""
    y = np.arange(rows.start, rows.stop, dtype=np.float32)
    x = np.arange(width, dtype=np.float32)
    y = (y + 0.5) * (small.shape[0] / height) - 0.5
    x = (x + 0.5) * (small.shape[1] / width) - 0.5
    grid_x, grid_y = np.meshgrid(x, y)
    enlarged: np.ndarray = cv2.remap(
        small, grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return enlarged


def _guided_coefficients(guide: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(h, w, 3) slope and (h, w) offset, float32, of ``target`` in the colours of ``guide``."""
    mean_guide, mean_target = _box(guide), _box(target)
    against = _box(guide * target[..., None]) - mean_guide * mean_target[..., None]
    one, other = np.triu_indices(3)  # the other three products are the same again
    above = _box(guide[..., one] * guide[..., other])
    above -= mean_guide[..., one] * mean_guide[..., other]
    spread = np.empty((*target.shape, 3, 3), np.float32)
    spread[..., one, other] = spread[..., other, one] = above
    spread += np.eye(3, dtype=np.float32) * _EPSILON
    slope = np.zeros_like(guide)  # where a window sees no edge, alpha does not depend on colour
    sees = (mean_target > 1e-6) & (mean_target < 1 - 1e-6)
    slope[sees] = np.linalg.solve(spread[sees], against[sees][..., None])[..., 0]
    offset = mean_target - (slope * mean_guide).sum(axis=2)
    return _box(slope), _box(offset)


def _box(values: np.ndarray) -> np.ndarray:
    """The mean over a window; cv2 takes four channels at a time."""
    size = (2 * _RADIUS + 1,) * 2
    if values.ndim == 2:
        return np.asarray(cv2.blur(values, size, borderType=cv2.BORDER_REFLECT))
    layers = [
        cv2.blur(np.ascontiguousarray(values[..., k]), size, borderType=cv2.BORDER_REFLECT)
        for k in range(values.shape[2])
    ]
    return np.stack(layers, axis=-1)
