"""From chances along rays to what is taken for solid, and how sure that is.

Owns the decision. Must not know where chances come from or what is made of the solid.
"""

from __future__ import annotations

import cv2
import numpy as np

# Cells of every ray that are solid at least: less would be lost where the field is blurred.
THINNEST = 2
# Cells: standard deviation of the blur over what neighbouring rays take for solid.
_SMOOTH = 1.0
_LEAST = 1e-3
# What logits are multiplied by before a solid is chosen. The network's chances, learnt from cells
# that are partly full and averaged over looks, lie too near to even: of 1, 1.5, 2, 3 and 5 this
# gave the greatest overlap with the truth on families that it was never trained on.
SURER = 2.0


def chances(logits: np.ndarray) -> np.ndarray:
    """Chance that a cell is solid, 0..1."""
    odds: np.ndarray = 0.5 + 0.5 * np.tanh(0.5 * logits)
    return odds


def levels(logits: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(rays, rays) the logit above which a cell is taken for solid, for every ray.

    Where the depth is a guess every single cell is rather empty than solid, though something must
    be there. So it is not the even chance that decides, but the set of cells whose overlap with
    the true ones, intersection over union, is to be expected the greatest.

    Args:
        logits: (cells, rays, rays) float32, near to far.
        inside: (rays, rays) bool, the rays of the silhouette.
    """
    ordered = -np.sort(-logits, axis=0)
    chance = chances(SURER * ordered)
    common = np.cumsum(chance, axis=0)
    count = np.arange(1, len(logits) + 1)[:, None, None]
    best = (common / (count + chance.sum(axis=0) - common)).argmax(axis=0)
    best = np.clip(best, THINNEST - 1, len(logits) - 2)[None]
    last, after = (np.take_along_axis(ordered, best + each, axis=0)[0] for each in (0, 1))
    sharp = np.minimum((last + after) / 2, 0)
    weights = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), _SMOOTH)
    sums = cv2.GaussianBlur(np.where(inside, sharp, 0), (0, 0), _SMOOTH)
    smooth = sums / np.maximum(weights, _LEAST)
    # However deep its neighbours lie, something of every ray is solid.
    thinnest: np.ndarray = ordered[THINNEST - 1] - _LEAST
    return np.minimum(np.where(inside, smooth, sharp), thinnest)


def expected_overlap(solid: np.ndarray, chance: np.ndarray) -> float:
    """Intersection over union to be expected between a solid and the true one, 0..1.

    Args:
        solid: bool, any shape.
        chance: float32 0..1, likewise, that a cell is truly solid.
    """
    common = float(chance[solid].sum())
    return common / max(int(solid.sum()) + float(chance[~solid].sum()), 1.0)
