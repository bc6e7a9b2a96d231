"""The square crop that a reconstructor sees, and the way back to the picture's own pixels.

Owns the crop's arithmetic, in continuous coordinates: nothing is rounded, so that a camera found
in the crop is a camera of the picture. Must not know reconstructors. A backend that was trained on
another crop keeps its own beside its own code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import PIL.Image

from .errors import NoForeground
from .types import Camera, Image

FOREGROUND_RATIO = 0.85


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A square crop of a picture.

    ``picture = crop * scale + (left, top)`` in pixels, centres at .5.

    Attributes:
        image: the crop, transparent where it reaches beyond the picture.
        scale: picture pixels a crop pixel.
        left, top: where the crop's corner lies in the picture, pixels.
        width, height: the picture's size.
    """

    image: Image
    scale: float
    left: float
    top: float
    width: int
    height: int

    def picture_camera(self, crop_camera: Camera) -> Camera:
        """The camera of the whole picture, given that of the crop."""
        K = self._picture_from_crop @ crop_camera.K
        return Camera(crop_camera.camera_from_world, K, self.width, self.height)

    def crop_camera(self, picture_camera: Camera) -> Camera:
        """The camera of the crop, given that of the whole picture."""
        K = np.linalg.inv(self._picture_from_crop) @ picture_camera.K
        pose = picture_camera.camera_from_world
        return Camera(pose, K, self.image.width, self.image.height)

    def resampled(self, layer: np.ndarray) -> np.ndarray:
        """(N, N) float32: the crop's part of a layer of the picture (H, W), 0 beyond it."""
        count = self.image.width
        side, column, row = count * self.scale, int(np.floor(self.left)), int(np.floor(self.top))
        whole = int(np.ceil(side)) + 2
        padded = np.zeros((whole, whole), np.float32)
        inside = layer[max(row, 0) : row + whole, max(column, 0) : column + whole]
        y, x = max(-row, 0), max(-column, 0)
        padded[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
        left, top = self.left - column, self.top - row
        return np.asarray(
            PIL.Image.fromarray(padded).resize(
                (count, count),
                PIL.Image.Resampling.BILINEAR,
                box=(left, top, left + side, top + side),
            )
        )

    @property
    def _picture_from_crop(self) -> np.ndarray:
        return np.array([[self.scale, 0, self.left], [0, self.scale, self.top], [0, 0, 1.0]])


def subject_box(cutout: Image, threshold: int = 128) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) around all pixels of alpha ``threshold`` and more; edges.

    Raises:
        NoForeground: there are none.
    """
    solid = cutout.rgba[..., 3] >= threshold
    columns, rows = np.flatnonzero(solid.any(axis=0)), np.flatnonzero(solid.any(axis=1))
    if not len(columns):
        raise NoForeground(
            "no subject was found in the picture",
            "choose another picture, or say where the subject is with a box or a mask",
        )
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def frame(cutout: Image, resolution: int, ratio: float = FOREGROUND_RATIO) -> Frame:
    """Crop to a square in which the subject's longer side takes ``ratio``, and centre it.

    Args:
        cutout: a picture whose background has alpha 0.
        resolution: side of the crop in pixels.
        ratio: 0..1.

    Raises:
        NoForeground: the cut-out is empty.
    """
    left, top, right, bottom = subject_box(cutout)
    side = max(right - left, bottom - top) / ratio
    crop_left, crop_top = (left + right - side) / 2, (top + bottom - side) / 2
    whole = [int(np.floor(crop_left)), int(np.floor(crop_top))]
    count = int(np.ceil(side)) + 2
    padded = np.zeros((count, count, 4), np.uint8)
    inside = cutout.rgba[max(whole[1], 0) : whole[1] + count, max(whole[0], 0) : whole[0] + count]
    row, column = max(-whole[1], 0), max(-whole[0], 0)
    padded[row : row + inside.shape[0], column : column + inside.shape[1]] = inside
    x, y = crop_left - whole[0], crop_top - whole[1]
    # Hamming has no negative lobes: a sharper kernel would overshoot and clip at the outline.
    resized = PIL.Image.fromarray(padded).resize(
        (resolution, resolution), PIL.Image.Resampling.HAMMING, box=(x, y, x + side, y + side)
    )
    size = side / resolution
    return Frame(Image(np.asarray(resized)), size, crop_left, crop_top, cutout.width, cutout.height)
