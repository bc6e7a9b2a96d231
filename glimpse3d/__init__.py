"""One picture in, a 3D object out: a textured mesh, Gaussian splats and the cameras around it.

Owns the public names. Importing this imports little more than numpy; what computes is imported
when it is first called.

>>> import glimpse3d
>>> glimpse3d.preset("draft").gaussians
10000
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from . import errors
from .errors import Cancelled, Glimpse3DError
from .progress import Progress, Report
from .settings import Settings, TurntableSettings, preset
from .types import (
    Camera,
    Choice,
    Depth,
    DepthKind,
    GaussianCloud,
    Image,
    Mesh,
    Prompt,
    Result,
    Timing,
    View,
)

__version__ = "0.1.0"

__all__ = [
    "Camera",
    "Cancelled",
    "Choice",
    "Depth",
    "DepthKind",
    "GaussianCloud",
    "Glimpse3DError",
    "Image",
    "Mesh",
    "Progress",
    "Prompt",
    "Report",
    "Result",
    "Settings",
    "Timing",
    "TurntableSettings",
    "View",
    "errors",
    "generate",
    "preset",
    "save",
]


def generate(
    image: Image | str | os.PathLike[str] | bytes,
    settings: Settings | None = None,
    progress: Progress | None = None,
    *,
    box: tuple[float, float, float, float] | None = None,
    mask: np.ndarray | None = None,
) -> Result:
    """Turn one picture into a mesh, splats and cameras.

    Args:
        image: a picture, the path of its file, or the file's bytes.
        settings: what to make; the ``standard`` preset if left out.
        progress: told of every step; each report is a point where it can be cancelled.
        box: (left, top, right, bottom) around the subject, pixels of the upright picture.
        mask: (H, W) uint8 of the picture's size: 255 subject, 0 background, 128 undecided.

    Raises:
        Glimpse3DError: with a code, a sentence and a hint.
        Cancelled: ``progress`` was told to stop.
    """
    from . import pictures, pipeline

    if isinstance(image, Image):
        picture = image
    else:
        picture = pictures.read(image if isinstance(image, bytes) else Path(image))
    return pipeline.run(picture, settings or Settings(), progress, Prompt(box, mask))


def save(
    result: Result, folder: str | os.PathLike[str], progress: Progress | None = None
) -> list[Path]:
    """Write a result's files into ``folder``, all or nothing, and return their paths.

    Raises:
        Glimpse3DError: the folder cannot be written or is full; what was there is untouched.
    """
    from .export import bundle

    return bundle.save(result, Path(folder), progress or Progress())
