"""A picture and what the user said of it, at the size at which a cut-out is computed.

Owns what a box, a painted mask and transparency allow. Must not know how the subject is found.
Heavy: loaded by cut-outs that compute.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..types import Prompt


@dataclass(frozen=True, slots=True, eq=False)
class Small:
    """A small picture and its prompt.

    Attributes:
        rgb: (h, w, 3) uint8.
        allowed: (h, w) bool, where the subject may be.
        painted: (h, w) uint8 as ``Prompt.mask``, or None.
        boxed: whether the user drew a box.
    """

    rgb: np.ndarray
    allowed: np.ndarray
    painted: np.ndarray | None
    boxed: bool

    @property
    def sure(self) -> np.ndarray | None:
        """(h, w) bool, painted as the subject; None if nothing was painted."""
        return self.painted == 255 if self.painted is not None else None


def small_copy(rgba: np.ndarray, prompt: Prompt, resolution: int) -> Small:
    """The picture with its longest side at most ``resolution``.

    Args:
        rgba: (H, W, 4) uint8.
        prompt: in pixels of ``rgba``.
        resolution: pixels.
    """
    height, width = rgba.shape[:2]
    scale = min(1.0, resolution / max(height, width))
    size = (max(round(width * scale), 8), max(round(height * scale), 8))
    small = cv2.resize(rgba, size, interpolation=cv2.INTER_AREA)
    allowed = small[..., 3] > 0
    if prompt.box is not None:
        left, top, right, bottom = np.array(prompt.box) * np.tile(size, 2) / (
            width, height, width, height,
        )  # fmt: skip
        y, x = np.arange(size[1])[:, None] + 0.5, np.arange(size[0])[None] + 0.5
        allowed = allowed & (x > left) & (x < right) & (y > top) & (y < bottom)
    painted = None
    if prompt.mask is not None:
        painted = cv2.resize(prompt.mask, size, interpolation=cv2.INTER_NEAREST)
        allowed = allowed & (painted != 0)
    rgb = np.ascontiguousarray(small[..., :3])
    return Small(rgb, allowed, painted, prompt.box is not None)
