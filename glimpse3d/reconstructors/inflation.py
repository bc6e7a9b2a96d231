"""What ``inflate`` does: from a silhouette to what is solid along its rays.

Owns the choice between inflating and turning. Must not know settings' presets or other
reconstructors.
"""

from __future__ import annotations

import numpy as np

from .. import silhouette
from ..outline import medial, revolution
from ..outline.body import Body, Making, textured
from ..outline.frustum import Block, Frustum
from ..progress import Progress
from ..stages import Detail
from ..types import Image, Reconstruction
from .inflate import InflateSettings

# A piece smaller than this part of the largest one's volume is debris of the cut-out.
_DEBRIS = 1e-4
# Half thickness in layers that everything gets: less would fall between two of them.
_LEAST_HALF = 0.75


def reconstruct(
    cutout: Image, settings: InflateSettings, detail: Detail, progress: Progress
) -> Reconstruction:
    """See ``stages.Reconstructor``.

    Raises:
        NoForeground: the cut-out is empty.
    """
    progress(0.0, "silhouette")
    resolution = silhouette.cells_along(cutout, settings.resolution)
    making = Making(resolution, settings.elevation, _DEBRIS)
    made = textured(cutout, lambda alpha: fill(alpha, settings), making, detail, progress)
    return Reconstruction(*made)


def fill(alpha: np.ndarray, settings: InflateSettings) -> Body:
    """What is solid, of the alpha of a crop, (N, N) float32 0..1."""
    frustum = Frustum(len(alpha), settings.field_of_view, settings.elevation).through(alpha)
    block = Block.around(alpha, frustum)
    step = frustum.pixel * min(settings.thickness, 1.0)
    least = _LEAST_HALF * step / (frustum.pixel * settings.thickness)
    balls = medial.balls(block, settings.thickness, least)
    reach = 1 + balls.reach[0] * frustum.pixel, 1 + balls.reach[1] * frustum.pixel
    turned = revolution.found(frustum, alpha, settings.revolution)
    if turned is None:
        block = block.reaching(*reach, step)
        return Body(block, medial.field(block, balls))
    rings = revolution.reach(frustum, turned.profile)
    reach = min(reach[0], rings[0]), max(reach[1], rings[1])
    block = block.reaching(*reach, frustum.pixel)
    inflated = medial.field(block, balls)
    round_ = revolution.field(frustum, block, turned.profile)
    return Body(block, revolution.completed(round_, inflated, block.alpha >= 0.5), turned)
