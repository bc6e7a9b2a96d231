"""The cut itself: prior, colour models, clean alpha.

Owns the order of the steps and what a prompt means to each. Heavy: loaded by ``grabcut`` only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..cutting import colors, edge, saliency
from ..cutting.plain import plain_key
from ..cutting.prompts import Small, small_copy
from ..errors import NoForeground
from ..progress import Progress
from ..types import Prompt

if TYPE_CHECKING:
    from .grabcut import GrabCutSettings

_LEAST, _MOST = 0.001, 0.98  # of the picture's area


def alpha_of(
    rgba: np.ndarray, prompt: Prompt, settings: GrabCutSettings, progress: Progress
) -> np.ndarray:
    """The matte, (H, W) uint8, of ``rgba`` (H, W, 4) uint8.

    Raises:
        NoForeground: nothing stands out from the background.
    """
    small = small_copy(rgba, prompt, settings.resolution)
    progress(0.1, "looking for the subject")
    key = plain_key(small.rgb)
    if key is not None and small.painted is None:
        mask = key & small.allowed
    else:
        labels = _start(small, key)
        progress(0.3, "modelling colours")
        mask = colors.split(small.rgb, labels, settings.rounds)
    progress(0.8, "cleaning the edge")
    mask = edge.clean(mask & small.allowed, settings.smallest_part, small.sure)
    if not _LEAST < mask.mean() < _MOST:
        raise NoForeground("no subject stands out from the background", colors.HINT)
    return edge.soft_alpha(mask, np.ascontiguousarray(rgba[..., :3]))


def _start(small: Small, key: np.ndarray | None) -> np.ndarray:
    """GrabCut's first labels, (h, w) uint8."""
    allowed = small.allowed
    if key is not None:
        likely = key
    elif small.boxed:
        likely = allowed
    else:
        standing_out, apart = saliency.saliency(small.rgb)
        if apart < saliency.JUST_NOTICEABLE and small.painted is None:
            raise NoForeground("the border's colours explain the whole picture", colors.HINT)
        likely = standing_out > saliency.otsu(standing_out)
        allowed = allowed & colors.inside(small.rgb.shape[:2])
    labels = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[~allowed] = cv2.GC_BGD
    if small.painted is not None:
        labels[small.painted == 255] = cv2.GC_FGD
    return labels
