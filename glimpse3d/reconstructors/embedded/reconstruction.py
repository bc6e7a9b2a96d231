"""What ``embedded`` does: look at the picture, and say what is solid along its rays.

Owns angles, warnings, and the choice of a turned solid. Must not know settings' presets or other
reconstructors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ... import silhouette
from ...framing import Frame, frame
from ...outline import revolution
from ...outline.body import Body, Making, textured
from ...outline.frustum import Block, Frustum
from ...progress import Progress
from ...stages import Detail
from ...types import Image, Reconstruction
from . import volume
from .backend import EmbeddedSettings
from .network import Grid, Network, Prediction

FIELD_OF_VIEW = 40.0  # degrees, where nothing better is known
# A piece smaller than this part of the largest one's volume is debris.
_DEBRIS = 1e-3
# Degrees. The network was taught no others, or hardly.
_ELEVATIONS = -5.0, 45.0
_FIELDS_OF_VIEW = 10.0, 70.0
# An expected overlap below this is worth a warning.
_DOUBTFUL = 0.3
# A turned solid is taken where it and the network's have this much in common, as an IoU.
_ALIKE = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What is known of the subject before it has a surface; angles in degrees."""

    said: Prediction
    grid: Grid
    field_of_view: float
    elevation: float
    revolution: str


def reconstruct(
    network: Network,
    cutout: Image,
    settings: EmbeddedSettings,
    detail: Detail,
    progress: Progress,
) -> Reconstruction:
    """See ``stages.Reconstructor``.

    Raises:
        NoForeground: the cut-out is empty.
    """
    progress(0.0, "looking at the picture")
    small = frame(cutout, network.grid.image, network.grid.fill)
    seen = _look(network, small, cutout, settings)
    resolution = silhouette.cells_along(cutout, settings.resolution)
    making = Making(resolution, seen.elevation, _DEBRIS)
    # The far side is painted with the near one: what the network says of its colours is no better
    # yet, and sometimes of another hue.
    made = textured(cutout, lambda alpha: _solid(alpha, seen), making, detail, progress)
    return Reconstruction(*made, _estimates(seen), _warning(seen))


def _estimates(seen: _Seen) -> dict[str, float]:
    return {
        "confidence": round(seen.said.confidence, 3),
        "elevation": round(seen.elevation, 1),
        "field_of_view": round(seen.field_of_view, 1),
    }


def _warning(seen: _Seen) -> str:
    if seen.said.confidence >= _DOUBTFUL:
        return ""
    return (
        "The depth of this shape is a guess: the network knows few things that look like it;"
        " turn the object around before you use it, or try another picture."
    )


def field_of_view(cutout: Image, small: Frame, asked: float) -> float:
    """Degrees that the crop takes, vertically: as asked, else by the lens, else the usual."""
    if asked:
        return asked
    if not cutout.focal_length:
        return FIELD_OF_VIEW
    side = small.scale * len(small.image.rgba)
    known = 2 * float(np.degrees(np.arctan(side / 2 / cutout.focal_length)))
    return float(np.clip(known, *_FIELDS_OF_VIEW))


def _look(network: Network, small: Frame, cutout: Image, settings: EmbeddedSettings) -> _Seen:
    angle = field_of_view(cutout, small, settings.field_of_view)
    tangent = float(np.tan(np.radians(angle) / 2))
    said = network.look(small.image.rgba, tangent, settings.passes)
    elevation = float(np.clip(said.elevation, *_ELEVATIONS)) + settings.tilt
    return _Seen(said, network.grid, angle, elevation, settings.revolution)


def _solid(alpha: np.ndarray, seen: _Seen) -> Body:
    """What is solid, of the alpha of a crop, (N, N) float32 0..1."""
    frustum = Frustum(len(alpha), seen.field_of_view, elevation=0.0)
    rays = volume.solid_rays(seen.said.logits, alpha)
    reach = volume.reach(rays, seen.grid, frustum.pixel * frustum.resolution / 2)
    upright = Frustum(len(alpha), seen.field_of_view, seen.elevation).through(alpha)
    turned = revolution.found(upright, alpha, seen.revolution)
    if turned:
        depths = revolution.depths(turned.frustum, turned.profile)
        reach = min(reach[0], depths[0]), max(reach[1], depths[1])
    block = Block.around(alpha, frustum).reaching(*reach, frustum.pixel)
    field = volume.field(block, rays, seen.grid)
    if not turned:
        return Body(block, field)
    inside = block.alpha >= 0.5
    round_ = revolution.field(turned.frustum, block, turned.profile)
    if seen.revolution == "auto" and _overlap(field, round_, inside) < _ALIKE:
        return Body(block, field)
    return Body(block, revolution.completed(round_, field, inside), turned)


def _overlap(one: np.ndarray, other: np.ndarray, silhouette_: np.ndarray) -> float:
    """IoU of two solids within the silhouette."""
    first, second = (one < 0) & silhouette_, (other < 0) & silhouette_
    return float((first & second).sum() / max(int((first | second).sum()), 1))
