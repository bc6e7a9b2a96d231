"""The cut itself: prior, colour models, clean alpha.

Owns the order of the steps and what a prompt means to each. Heavy: loaded by ``grabcut`` only.

The colour models are GrabCut's (Rother, Kolmogorov, Blake: "GrabCut", SIGGRAPH 2004) as OpenCV
has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..errors import NoForeground
from ..progress import Progress
from ..types import Prompt
from . import grabcut_edge, grabcut_where

if TYPE_CHECKING:
    from .grabcut import GrabCutSettings

_HINT = "choose another picture, or say where the subject is with a box or a mask"
_LEAST, _MOST = 0.001, 0.98  # of the picture's area


def alpha_of(
    rgba: np.ndarray, prompt: Prompt, settings: GrabCutSettings, progress: Progress
) -> np.ndarray:
    """The matte, (H, W) uint8, of ``rgba`` (H, W, 4) uint8.

    Raises:
        NoForeground: nothing stands out from the background.
    """
    rgb = np.ascontiguousarray(rgba[..., :3])
    small, allowed, painted = _working_copies(rgba, prompt, settings.resolution)
    progress(0.1, "looking for the subject")
    key = grabcut_where.plain_key(small)
    if key is not None and painted is None:
        mask = key & allowed
    else:
        labels = _start(small, allowed, painted, prompt.box is not None, key)
        progress(0.3, "modelling colours")
        mask = _grown_to_border(_grabcut(small, labels, settings.rounds))
    progress(0.8, "cleaning the edge")
    sure = painted == 255 if painted is not None else None
    mask = grabcut_edge.clean(mask & allowed, settings.smallest_part, sure)
    if not _LEAST < mask.mean() < _MOST:
        raise NoForeground("no subject stands out from the background", _HINT)
    return grabcut_edge.soft_alpha(mask, rgb)


def _working_copies(
    rgba: np.ndarray, prompt: Prompt, resolution: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Small colour (h, w, 3), where the subject may be (h, w) bool, the painted mask or None."""
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
    return np.ascontiguousarray(small[..., :3]), allowed, painted


def _start(
    small: np.ndarray,
    allowed: np.ndarray,
    painted: np.ndarray | None,
    boxed: bool,
    key: np.ndarray | None,
) -> np.ndarray:
    """GrabCut's first labels, (h, w) uint8."""
    if key is not None:
        likely = key
    elif boxed:
        likely = allowed
    else:
        standing_out, apart = grabcut_where.saliency(small)
        if apart < grabcut_where.JUST_NOTICEABLE and painted is None:
            raise NoForeground("the border's colours explain the whole picture", _HINT)
        likely = standing_out > grabcut_where.otsu(standing_out)
        allowed = allowed & _inside(small.shape[:2])
    labels = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[~allowed] = cv2.GC_BGD
    if painted is not None:
        labels[painted == 255] = cv2.GC_FGD
    return labels


def _inside(shape: tuple[int, ...]) -> np.ndarray:
    """All but a thin frame, which the colour model of the background needs for certain."""
    margin = _margin(shape)
    inside = np.zeros(shape, bool)
    inside[margin:-margin, margin:-margin] = True
    return inside


def _margin(shape: tuple[int, ...]) -> int:
    return max(1, min(max(shape) // 64, min(shape) // 8))


def _grown_to_border(mask: np.ndarray) -> np.ndarray:
    """The thin frame takes what lies next to it: a subject may leave the picture."""
    margin = _margin(mask.shape)
    return np.pad(mask[margin:-margin, margin:-margin], margin, mode="edge")


def _grabcut(small: np.ndarray, labels: np.ndarray, rounds: int) -> np.ndarray:
    """(h, w) bool."""
    likely, sure = labels == cv2.GC_PR_FGD, labels == cv2.GC_FGD
    background = ~likely & ~sure
    if background.all():
        raise NoForeground("no subject stands out from the background", _HINT)
    if not background.any():
        raise NoForeground("nothing of the picture is left for the background", _HINT)
    cv2.setRNGSeed(0)  # its colour clusters start at random
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, labels, None, *models, rounds, cv2.GC_INIT_WITH_MASK)
    found: np.ndarray = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return found
