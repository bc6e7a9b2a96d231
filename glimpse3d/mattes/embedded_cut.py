"""The cut itself: what the network means, what stands out, colour models, clean alpha.

Owns the order of the steps and what a prompt means to each. Heavy: loaded by ``embedded`` only.

The network knows which thing is meant and is vague about its edge; what stands out from the border
has true edges and may be the wrong thing. Their sum starts the colour models. A background plain
enough to be subtracted needs none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..cutting import colors, edge, saliency
from ..cutting.plain import plain_key
from ..cutting.prompts import Small, small_copy
from ..cutting.texture import colors_and_texture, rim_is_one_material
from ..errors import NoForeground
from ..progress import Progress
from ..types import Prompt

if TYPE_CHECKING:
    from .embedded import EmbeddedSettings
    from .embedded_where import Where

_HINT = "say where it is with --box left,top,right,bottom or a painted mask, or crop closer"
_LEAST, _MOST = 0.001, 0.98  # of the picture's area
_STANDING_OUT = 4.0  # log-odds that full saliency is worth
_SURE = 6.0  # log-odds from which the colour models may not change a pixel
_KEPT = 0.3  # of what was meant; colour models that keep less took the background for the subject
_MARGIN = 0.25  # of a box's sides
_HALF_BELIEVED = 0.2  # of the evidence at its strongest; less is not the subject
_SEEN = -0.5  # log-odds that the network gives at least somewhere to a subject


def alpha_of(
    rgba: np.ndarray,
    prompt: Prompt,
    settings: EmbeddedSettings,
    where: Where,
    progress: Progress,
) -> np.ndarray:
    """The matte, (H, W) uint8, of ``rgba`` (H, W, 4) uint8.

    Raises:
        NoForeground: nothing stands out from the background.
    """
    small = small_copy(rgba, prompt, settings.cut_resolution)
    progress(0.1, "looking for the subject")
    key = plain_key(small.rgb)
    if key is not None and small.painted is None:
        mask = key & small.allowed
    else:
        labels = _start(small, key, where)
        progress(0.4, "modelling colours")
        mask = _split(small, labels, settings.cut_rounds)
    progress(0.8, "cleaning the edge")
    mask = edge.clean(mask & small.allowed, settings.smallest_part, small.sure)
    if not _LEAST < mask.mean() < _MOST:
        raise NoForeground("no clear subject stands out from the background", _HINT)
    return edge.soft_alpha(mask, np.ascontiguousarray(rgba[..., :3]))


def _start(small: Small, key: np.ndarray | None, where: Where) -> np.ndarray:
    """The colour models' first labels, (h, w) uint8."""
    allowed, least = small.allowed, 0.0
    if key is not None:
        evidence = np.where(key, 1.0, -1.0)
    elif small.boxed:
        evidence = np.ones(allowed.shape)  # colours that the rest of the picture has go
    else:
        evidence = _evidence(small, where)
        # A thing right behind the subject is believed in as well, but less.
        least = max(_HALF_BELIEVED * float(np.percentile(evidence, 99)), 0.0)
        allowed = allowed & colors.inside(allowed.shape)
    labels = np.where(evidence > least, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[evidence > _SURE] = cv2.GC_FGD
    labels[(evidence < -_SURE) | ~allowed] = cv2.GC_BGD
    if small.painted is not None:
        labels[small.painted == 255] = cv2.GC_FGD
    return labels


def _split(small: Small, labels: np.ndarray, rounds: int) -> np.ndarray:
    """(h, w) bool: the subject by its colours; by the labels where those turn it over."""
    part = np.s_[:, :]
    if small.boxed:  # which does not say what in it is meant: the models begin farther off
        part, rounds = _around(small.allowed), 2 * rounds
    seen = np.ascontiguousarray(small.rgb[part])
    if small.boxed or rim_is_one_material(small.rgb):
        seen = colors_and_texture(seen)
    mask = np.zeros(labels.shape, bool)
    meant = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))
    start = np.ascontiguousarray(labels[part])
    mask[part] = colors.split(seen, start, rounds)
    turned_over = mask[meant].mean() < _KEPT
    return meant if turned_over and not small.boxed else mask


def _around(allowed: np.ndarray) -> tuple[slice, slice]:
    """The box and a margin: what is farther away, a twin maybe, is no model of the background."""
    found = []
    for axis in (1, 0):
        places = np.flatnonzero(allowed.any(axis=axis))
        low, high = (int(places[0]), int(places[-1]) + 1) if len(places) else (0, len(allowed))
        margin = max(round(_MARGIN * (high - low)), 2)
        found.append(slice(max(low - margin, 0), high + margin))
    return found[0], found[1]


def _evidence(small: Small, where: Where) -> np.ndarray:
    """(h, w) log-odds that a pixel is the subject's.

    Raises:
        NoForeground: one of the signs sees nothing, and the user did not point either.
    """
    odds = where(small.rgb)
    standing_out, apart = saliency.saliency(small.rgb)
    nothing = apart < saliency.JUST_NOTICEABLE or odds.max() < _SEEN
    if nothing and small.painted is None:
        raise NoForeground("the picture has no clear subject", _HINT)
    return np.asarray(odds + _STANDING_OUT * (standing_out - saliency.otsu(standing_out)))
