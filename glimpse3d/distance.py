"""How far a pixel lies from the edge of a mask, the same bits in every run.

Owns the exact Euclidean distance transform. Must not know what a mask means.
"""

from __future__ import annotations

import cv2
import numpy as np


def distance_inside(mask: np.ndarray) -> np.ndarray:
    """(H, W) float32 pixels to the nearest pixel outside ``mask`` (H, W) bool; 0 outside.

    The last bit of OpenCV's square roots depends on where its buffers lie in memory. Squared
    distances between pixels are whole numbers: rounded to them, the same picture gives the same.
    """
    rough = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.sqrt(np.rint(np.square(rough, dtype=np.float64))).astype(np.float32)
