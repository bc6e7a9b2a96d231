"""What to ask Segment Anything, and which of its masks is the subject.

Owns points, from settings and painted strokes, and the score of a mask: how stable it is, how
much of the picture's middle it covers, how little of its border. Must not know the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..types import Prompt

# A mask is stable if it hardly changes where its threshold moves by this much to either side.
_OFFSET = 1.0
_LEAST_STABLE = 0.8
_LEAST_AREA = 0.002  # of the picture; less is a speck
_MIDDLE = 0.5  # of the picture's sides
_STROKES = 8  # of each kind that are turned into points


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Where the subject is, and where it is not.

    Attributes:
        places: (N, 2) float64 pixels, x and y.
        labels: (N,) int64, 1 for the subject and 0 for the background.
    """

    places: np.ndarray
    labels: np.ndarray


def grid(side: int, picture: tuple[int, int]) -> np.ndarray:
    """(side * side, 2) pixels spread over a picture of (height, width)."""
    height, width = picture
    parts = (np.arange(side) + 0.5) / side
    columns, rows = np.meshgrid(parts * width, parts * height)
    return np.stack([columns.ravel(), rows.ravel()], axis=1)


def joined(points: Points, prompt: Prompt) -> Points:
    """The points, and one in each stroke of the prompt's mask where it is thickest."""
    if prompt.mask is None:
        return points
    places, labels = [points.places], [points.labels]
    for value, label in ((255, 1), (0, 0)):
        found = _deepest(prompt.mask == value)
        places.append(found)
        labels.append(np.full(len(found), label, np.int64))
    return Points(np.concatenate(places), np.concatenate(labels))


def _deepest(strokes: np.ndarray) -> np.ndarray:
    """(N, 2) pixels, one in each of the largest strokes."""
    from scipy import ndimage

    pieces, count = ndimage.label(strokes)
    if not count:
        return np.zeros((0, 2))
    sizes = np.bincount(pieces.ravel())[1:]
    depth = ndimage.distance_transform_edt(np.pad(strokes, 1))[1:-1, 1:-1]
    largest = np.argsort(-sizes, kind="stable")[:_STROKES] + 1
    rows, columns = np.array(ndimage.maximum_position(depth, pieces, largest)).T
    return np.stack([columns, rows], axis=1) + 0.5


def stability(logits: np.ndarray) -> np.ndarray:
    """(N,) of (N, h, w) logits: overlap of the mask grown and shrunk by its threshold, 0..1."""
    inner = (logits > _OFFSET).sum(axis=(1, 2))
    outer = (logits > -_OFFSET).sum(axis=(1, 2))
    return inner / np.maximum(outer, 1)


def scores(logits: np.ndarray) -> np.ndarray:
    """(N,) of (N, h, w) logits that cover the picture; 0 for what cannot be the subject.

    Stability, times the part of the picture's middle that the mask covers, times the part of the
    picture's border that it leaves free: the largest thing in the middle comes first, and a
    background, which holds the border, last.
    """
    masks = logits > 0
    height, width = masks.shape[1:]
    top, left = round(height * (1 - _MIDDLE) / 2), round(width * (1 - _MIDDLE) / 2)
    middle = masks[:, top : height - top, left : width - left]
    border = np.concatenate([masks[:, 0], masks[:, -1], masks[:, :, 0], masks[:, :, -1]], axis=1)
    stable = stability(logits)
    known = (stable >= _LEAST_STABLE) & (masks.mean(axis=(1, 2)) >= _LEAST_AREA)
    score: np.ndarray = stable * middle.mean(axis=(1, 2)) * (1 - border.mean(axis=1)) * known
    return score
