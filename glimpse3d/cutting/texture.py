"""Colour and fineness of texture, in the three channels that colour models take.

Owns those features, and when they help. Must not know where a subject is. Heavy: loaded by
cut-outs that compute.

A grey thing on grey gravel differs from it in texture alone. Five numbers describe a pixel: colour
in Lab, and how lively its neighbourhood is at two scales; their three strongest directions in this
picture (principal components) are kept.
"""

from __future__ import annotations

import cv2
import numpy as np

_LAB_UNIT = 12.0  # Lab; about the spread of one material
_LIGHTNESS = 0.7  # shadows change it, and the subject stays what it is
_SCALES = 1.5, 4.0  # pixels
_LIVELINESS = 0.4  # what a natural logarithm of variance is worth beside colour
_STILL = 0.02  # squared units; less variance than this is noise
_RIM = 16  # a rim is one part in so many of each side
_ONE_MATERIAL = 14.0  # Lab; a rim whose colours lie within this around their mean is all grass, say


def colors_and_texture(rgb: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 of (h, w, 3) uint8 sRGB; distances between pixels of one picture count."""
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) / np.float32(_LAB_UNIT)
    layers = [_LIGHTNESS * lab[..., 0], lab[..., 1], lab[..., 2]]
    for scale in _SCALES:
        mean = cv2.GaussianBlur(lab, (0, 0), scale)
        variance = cv2.GaussianBlur(((lab - mean) ** 2).sum(axis=2), (0, 0), scale)
        layers.append(_LIVELINESS * np.log(variance + _STILL))
    values = np.stack(layers, axis=-1).reshape(-1, len(layers))
    values = values - values.mean(axis=0)
    _, directions = np.linalg.eigh(values.T @ values)
    main = values @ directions[:, :-4:-1]
    reach = max(float(np.percentile(np.abs(main), 99.5)), 1e-6)
    levels = np.clip(main * (127 / reach) + 128, 0, 255)
    return np.rint(levels).astype(np.uint8).reshape(rgb.shape)


def rim_is_one_material(rgb: np.ndarray) -> bool:
    """Whether what surrounds (h, w, 3) uint8 sRGB is of one kind: a lawn, a wall, gravel.

    Then a subject differs from it in texture as well. Where the rim is of several kinds, so is
    their texture, and it tells nothing.
    """
    small = cv2.resize(rgb, (8 * _RIM, 8 * _RIM), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    rim = np.ones(lab.shape[:2], bool)
    rim[8:-8, 8:-8] = False
    return bool(np.sqrt(lab[rim].var(axis=0).sum()) < _ONE_MATERIAL)
