"""The picture as the model saw pictures in training: cropped, on grey, resized.

Owns that preparation to the last bit, oddities included: the weights expect them. Must not know
tensors' devices or the network.
"""

from __future__ import annotations

import numpy as np

from ...errors import InvalidData, NoForeground

RATIO = 0.85
_GREY = np.float32(0.5)


def prepare(rgba: np.ndarray, ratio: float = RATIO) -> np.ndarray:
    """The subject in the middle of a square, over grey.

    Args:
        rgba: (H, W, 4) uint8, the background's alpha 0.
        ratio: of the subject's longer side to the square's.

    Returns:
        (N, N, 3) uint8 sRGB.

    Raises:
        NoForeground: nothing, or next to nothing, has alpha.
    """
    return over_grey(crop(rgba, ratio))


def crop(rgba: np.ndarray, ratio: float = RATIO) -> np.ndarray:
    """(N, N, 4) uint8 square around all that has alpha; nothing is resampled.

    The last row and the last column of the subject are lost: so it was when the model was trained.

    Raises:
        NoForeground: nothing is left.
    """
    left, top, right, bottom = window(rgba)
    subject = rgba[top:bottom, left:right]
    longest = max(subject.shape[:2])
    side = int(longest / ratio)
    square = np.zeros((side, side, 4), np.uint8)
    # Twice halved and rounded down, first to the subject's square, then to the larger one.
    row, column = ((longest - length) // 2 + (side - longest) // 2 for length in subject.shape[:2])
    square[row : row + subject.shape[0], column : column + subject.shape[1]] = subject
    return square


def window(rgba: np.ndarray) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of what ``crop`` keeps, pixels, the last two excluded.

    Raises:
        NoForeground: nothing is left.
    """
    rows, columns = np.nonzero(rgba[..., 3])
    if not len(rows) or rows.max() == rows.min() or columns.max() == columns.min():
        raise NoForeground(
            "no subject was found in the picture",
            "choose another picture, or say where the subject is with a box or a mask",
        )
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


def over_grey(rgba: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 of (H, W, 4) over middle grey; rounded down, not to the nearest."""
    values = rgba.astype(np.float32) / 255
    alpha = values[..., 3:]
    mixed = values[..., :3] * alpha + (1 - alpha) * _GREY
    return (mixed * np.float32(255)).astype(np.uint8)


def check(picture: np.ndarray) -> np.ndarray:
    """``picture`` as a C-contiguous (H, W, 3) uint8 array.

    Raises:
        InvalidData: it is something else.
    """
    array = np.ascontiguousarray(picture)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise InvalidData(
            f"a picture of shape {array.shape} and type {array.dtype} cannot be encoded",
            "give (H, W, 3) uint8; picture.prepare makes it of a cut-out",
        )
    return array
