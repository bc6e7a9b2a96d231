"""From what the network says of its coarse grid to a field as fine as the surface wants it.

Owns the way between the two grids and what holds whatever the network says: nothing outside the
silhouette is solid, and no ray inside it stays empty. Must not know colours or meshes.
"""

from __future__ import annotations

import cv2
import numpy as np

from ...outline.frustum import Block
from .network import Grid
from .solid import levels

# Cells of the network's grid: standard deviation of the blur between its cells and the fine ones.
_BLUR = 0.55
# Every ray inside the silhouette has a cell whose logit is at least this.
_FULLEST = 1.5
# Logits beyond this carry no news of where the surface lies.
_SURE = 4.0


def solid_rays(logits: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """(cells, rays, rays) logits, above 0 in what is taken for solid; no ray of them is empty.

    Beyond the silhouette they are those of the nearest ray inside, for nothing was taught there.
    """
    rays = logits.shape[-1]
    share = cv2.resize(alpha, (rays, rays), interpolation=cv2.INTER_AREA)
    inside = share > min(0.5, float(share.max()) / 2)
    _, labels = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    source = np.zeros(int(labels.max()) + 1, np.int64)
    source[labels[inside]] = np.flatnonzero(inside)
    above = (logits - levels(logits, inside)).reshape(len(logits), -1)
    steeper = np.maximum(_FULLEST / above.max(axis=0), 1)
    carried: np.ndarray = np.clip(above * steeper, -_SURE, _SURE)[:, source[labels]]
    return carried


def reach(rays: np.ndarray, grid: Grid, tangent: float) -> tuple[float, float]:
    """The least and the greatest depth at which something is solid."""
    near, far = grid.depths(tangent)
    solid = np.flatnonzero((rays > 0).any(axis=(1, 2)))
    cell = (far - near) / grid.cells
    return near + float(solid[0]) * cell, near + float(solid[-1] + 1) * cell


def field(block: Block, rays: np.ndarray, grid: Grid) -> np.ndarray:
    """(D, H, W) float32, roughly a distance in pixels, negative inside; not yet cut out."""
    frustum = block.frustum
    near, far = grid.depths(frustum.pixel * frustum.resolution / 2)
    height, width = block.alpha.shape
    scale = grid.rays / frustum.resolution
    places = (
        (block.factors.ravel() - near) / (far - near) * grid.cells - 0.5,
        (block.top + np.arange(height) + 0.5) * scale - 0.5,
        (block.left + np.arange(width) + 0.5) * scale - 0.5,
    )
    fine = rays
    for axis, at in enumerate(places):
        weights = _between(at, rays.shape[axis])
        fine = np.moveaxis(np.tensordot(weights, fine, (1, axis)), 0, axis)
    return -fine / (2 * scale)


def _between(at: np.ndarray, count: int) -> np.ndarray:
    """(N, count) float32 weights of the cells around the positions ``at``; each row sums to 1."""
    inside = np.clip(at, 0, count - 1)
    weights = np.exp(-0.5 * ((inside[:, None] - np.arange(count)) / _BLUR) ** 2)
    scaled: np.ndarray = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return scaled
