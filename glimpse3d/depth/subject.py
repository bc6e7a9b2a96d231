"""The depth of a cut-out's subject on the grid of a crop.

Owns resampling in which the background takes no part. Must not know who estimated the depth, nor
what is made of it.
"""

from __future__ import annotations

import numpy as np

from ..errors import InvalidData
from ..framing import Frame
from ..types import Depth, Image
from . import conversion


def on_crop(depth: Depth, cutout: Image, crop: Frame) -> Depth:
    """Means over the crop's pixels of the depth that is known in them and is the subject's.

    Args:
        depth: on the picture's grid, of any kind; keeps its kind.
        cutout: the same picture, its background's alpha 0.
        crop: of the cut-out.

    Raises:
        InvalidData: of another size than the picture, or known nowhere on the subject.
    """
    conversion.check_fits(depth, cutout)
    subject = conversion.masked(depth, cutout.rgba[..., 3] >= 128)
    if not subject.valid.any():
        raise InvalidData("the depth is known nowhere on the subject", "check the cut-out")
    weight = crop.resampled(subject.valid)
    total = crop.resampled(subject.values)
    known = (weight > 0.5) & (crop.image.rgba[..., 3] >= 128)
    if not known.any():  # a subject of less than a crop's pixel
        known = weight > 0
    camera = crop.crop_camera(subject.camera) if subject.camera else None
    return Depth(total / np.where(known, weight, 1), subject.kind, camera, known)
