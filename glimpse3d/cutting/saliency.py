"""What stands out from a picture's border.

Owns that sign of a subject. Must not know prompts, settings or full-size pictures. Heavy: loaded by
cut-outs that compute.

It is robust background detection (Zhu, Liang, Wei, Sun: "Saliency Optimization from Robust
Background Detection", CVPR 2014): regions tied to the border through similar colours are
background, however large or textured they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.sparse.csgraph import shortest_path
from skimage.segmentation import slic

JUST_NOTICEABLE = 2.3  # CIE76 distance in Lab

_SIDE = 192  # pixels; regions are found in a picture of this longest side
_REGIONS = 250
_SAME_COLOR = 7.0  # Lab; regions this close count as one material
_NEARBY = 0.25  # of the picture's longest side
_CENTER = 0.35  # of each side; photographers put the subject near the middle


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """A picture in patches of one colour each.

    Attributes:
        labels: (h, w) int, the region of each pixel.
        color_distance: (R, R) Lab distance between mean colours.
        place_distance: (R, R) distance between centres, in longest sides.
        neighbors: (R, R) bool.
        at_border: (R,) bool.
    """

    labels: np.ndarray
    color_distance: np.ndarray
    place_distance: np.ndarray
    neighbors: np.ndarray
    at_border: np.ndarray


def saliency(rgb: np.ndarray) -> tuple[np.ndarray, float]:
    """How much each place stands out from the border's colours, favouring the middle.

    Args:
        rgb: (H, W, 3) uint8.

    Returns:
        (H, W) float32, 0..1; and how far, in Lab, the places that stand out most are from the
        nearest colour at the border: less than ``JUST_NOTICEABLE`` means that nothing does.
    """
    regions = _regions(rgb)
    background = _background_weight(regions)
    contrast = _contrast(regions, background)
    value = _smoothed(regions, contrast, background)
    center = _center_weight(*regions.labels.shape)
    painted = (value[regions.labels] * center).astype(np.float32)
    chosen = _majority(regions.labels, painted > otsu(painted))
    nearest = regions.color_distance[:, regions.at_border].min(axis=1)
    apart = float(np.percentile(nearest[chosen], 90)) if chosen.any() else 0.0
    size = (rgb.shape[1], rgb.shape[0])
    return cv2.resize(painted, size, interpolation=cv2.INTER_LINEAR), apart


def otsu(values: np.ndarray) -> float:
    """The threshold that parts 0..1 values best into two groups (Otsu 1979)."""
    level, _ = cv2.threshold((values * 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)
    return float(level) / 255


def _regions(rgb: np.ndarray) -> Regions:
    scale = _SIDE / max(rgb.shape[:2])
    size = [max(round(side * scale), 8) for side in rgb.shape[1::-1]]
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    labels = slic(lab, _REGIONS, compactness=12, convert2lab=False, start_label=0, max_num_iter=5)
    count = int(labels.max()) + 1
    flat, area = labels.ravel(), np.bincount(labels.ravel(), minlength=count)
    y, x = np.mgrid[: labels.shape[0], : labels.shape[1]] / max(labels.shape)
    means = [
        np.bincount(flat, channel.ravel(), count) / area
        for channel in (lab[..., 0], lab[..., 1], lab[..., 2], x, y)
    ]
    color, place = np.stack(means[:3], axis=1), np.stack(means[3:], axis=1)
    at_border = np.zeros(count, bool)
    at_border[labels[[0, -1]]] = True
    at_border[labels[:, [0, -1]]] = True
    return Regions(
        labels=labels,
        color_distance=np.linalg.norm(color[:, None] - color[None], axis=2),
        place_distance=np.linalg.norm(place[:, None] - place[None], axis=2),
        neighbors=_neighbors(labels, count),
        at_border=at_border,
    )


def _neighbors(labels: np.ndarray, count: int) -> np.ndarray:
    touching = np.zeros((count, count), bool)
    pairs = (
        (labels[:, 1:], labels[:, :-1]),
        (labels[1:], labels[:-1]),
        (labels[1:, 1:], labels[:-1, :-1]),
        (labels[1:, :-1], labels[:-1, 1:]),
    )
    for one, other in pairs:
        touching[one, other] = True
        touching[other, one] = True
    np.fill_diagonal(touching, False)
    return touching


def _background_weight(regions: Regions) -> np.ndarray:
    """(R,) 0..1: how much of what a region belongs to runs along the picture's border."""
    touching = regions.neighbors | np.outer(regions.at_border, regions.at_border)
    np.fill_diagonal(touching, False)
    # Steps within one material add up over long paths unless the usual one counts as nothing.
    steps = np.where(regions.neighbors, regions.color_distance, np.inf).min(axis=1)
    usual = float(np.median(steps[np.isfinite(steps)])) if np.isfinite(steps).any() else 0.0
    cost = np.where(touching, np.maximum(regions.color_distance - usual, 0) + 1e-6, 0)
    geodesic = shortest_path(cost, directed=False)
    same = np.exp(-(geodesic**2) / (2 * _SAME_COLOR**2))
    along_border = (same * regions.at_border).sum(axis=1) / np.sqrt(same.sum(axis=1))
    return np.where(along_border < 0.05, 0, 1 - np.exp(-(along_border**2) / 2))


def _contrast(regions: Regions, background: np.ndarray) -> np.ndarray:
    """(R,) 0..1: colour distance to the background, near regions counting most."""
    near = np.exp(-(regions.place_distance**2) / (2 * _NEARBY**2))
    return _stretched((regions.color_distance * near * background).sum(axis=1))


def _smoothed(regions: Regions, contrast: np.ndarray, background: np.ndarray) -> np.ndarray:
    """(R,) 0..1 with the least disagreement between contrast, background and neighbours."""
    joined = regions.neighbors.astype(np.float32)
    two_steps = regions.neighbors | (joined @ joined > 0)
    two_steps |= np.outer(regions.at_border, regions.at_border)
    np.fill_diagonal(two_steps, False)
    alike = np.exp(-(regions.color_distance**2) / (2 * _SAME_COLOR**2)) + 0.1
    weight = np.where(two_steps, alike, 0)
    laplacian = np.diag(weight.sum(axis=1)) - weight
    # A small pull towards 0 keeps the system solvable where nothing is known of a region.
    pull = np.diag(5 * background + contrast + 1e-6)
    return _stretched(np.linalg.solve(pull + laplacian, contrast))


def _stretched(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    return (values - low) / max(high - low, 1e-9)


def _center_weight(height: int, width: int) -> np.ndarray:
    y = (np.arange(height) + 0.5)[:, None] / height - 0.5
    x = (np.arange(width) + 0.5)[None] / width - 0.5
    return np.exp(-(x * x + y * y) / (2 * _CENTER**2))


def _majority(labels: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    flat = labels.ravel()
    return np.bincount(flat, chosen.ravel()) / np.bincount(flat) > 0.5
