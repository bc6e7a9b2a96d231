"""The subject by its colours, from regions that are sure and regions that are likely.

Owns GrabCut (Rother, Kolmogorov, Blake: "GrabCut", SIGGRAPH 2004) as OpenCV has it, and the thin
frame that its model of the background needs. Must not know where the regions came from. Heavy:
loaded by cut-outs that compute.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..errors import NoForeground

HINT = "choose another picture, or say where the subject is with a box or a mask"


def split(small: np.ndarray, labels: np.ndarray, rounds: int) -> np.ndarray:
    """(h, w) bool: the subject, in colours unlike the background's.

    Args:
        small: (h, w, 3) uint8.
        labels: (h, w) uint8, cv2's ``GC_`` values; changed.
        rounds: times the colour models are improved.

    Raises:
        NoForeground: the labels leave nothing for the subject, or nothing for the background.
    """
    likely, sure = labels == cv2.GC_PR_FGD, labels == cv2.GC_FGD
    background = ~likely & ~sure
    if background.all():
        raise NoForeground("no subject stands out from the background", HINT)
    if not background.any():
        raise NoForeground("nothing of the picture is left for the background", HINT)
    cv2.setRNGSeed(0)  # its colour clusters start at random
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, labels, None, *models, rounds, cv2.GC_INIT_WITH_MASK)
    found: np.ndarray = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return _grown_to_border(found)


def inside(shape: tuple[int, ...]) -> np.ndarray:
    """All but a thin frame, which the colour model of the background needs for certain."""
    margin = _margin(shape)
    found = np.zeros(shape, bool)
    found[margin:-margin, margin:-margin] = True
    return found


def _margin(shape: tuple[int, ...]) -> int:
    return max(1, min(max(shape) // 64, min(shape) // 8))


def _grown_to_border(mask: np.ndarray) -> np.ndarray:
    """The thin frame takes what lies next to it: a subject may leave the picture."""
    margin = _margin(mask.shape)
    return np.pad(mask[margin:-margin, margin:-margin], margin, mode="edge")
