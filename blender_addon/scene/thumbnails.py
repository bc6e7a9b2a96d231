"""Small pictures for icons.

Owns how they are made small. Must not know what they show. Blender's own loader of such pictures
copies each of them into the system's folder of thumbnails, where nobody would look for it.
"""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

SIDE = 256  # pixels of the longer side, at most


def of_image(image: bpy.types.Image) -> np.ndarray:
    """(H, W, 4) float32, bottom row first, colours times alpha: icons are drawn as if they were."""
    width, height = image.size
    flat = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(flat)
    step = -(-max(width, height) // SIDE)
    thinned = flat.reshape(height, width, -1)[::step, ::step]
    small = np.ones((*thinned.shape[:2], 4), np.float32)
    small[..., : image.channels] = thinned
    small[..., :3] *= small[..., 3:]
    return small


def of_file(path: Path) -> np.ndarray | None:
    """The same of a file; None if it is no picture. Not to be called while Blender draws."""
    image = bpy.data.images.load(str(path))
    try:
        return of_image(image) if all(image.size) else None
    finally:
        bpy.data.images.remove(image)


def show(small: np.ndarray, icon: bpy.types.ImagePreview) -> None:
    """Make it the picture of an icon."""
    icon.image_size = small.shape[1::-1]
    icon.image_pixels_float.foreach_set(small.ravel())
