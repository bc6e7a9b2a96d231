"""What ``embedded`` does, step by step: look, solid, surface, house frame, texture.

Owns the order of the steps and the choice of a turned solid. Must not know settings' presets or
other reconstructors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ... import silhouette
from ...framing import Frame, frame
from ...isosurface import drop_debris, extract
from ...outline import revolution
from ...outline.frustum import Block, Frustum
from ...placement import place
from ...progress import Progress
from ...simplify import simplify
from ...stages import Detail
from ...texture import Twins, two_sheet
from ...types import Camera, Image, Mesh, Reconstruction
from . import volume
from .backend import EmbeddedSettings
from .network import Grid, Network, Prediction

FIELD_OF_VIEW = 40.0  # degrees, where nothing better is known
# A piece smaller than this part of the largest one's volume is debris.
_DEBRIS = 1e-3
# Every piece needs some faces to have a shape.
_FACES_OF_A_PIECE = 16
# Degrees. The network was taught no others, or hardly.
_ELEVATIONS = -5.0, 45.0
_FIELDS_OF_VIEW = 10.0, 70.0
# An expected overlap below this is worth a warning.
_DOUBTFUL = 0.3
# Degrees. A picture taken from less far above shows no ring's curve: a flat thing with a
# symmetric outline and a turned one look alike.
_LEAST_ELEVATION = 5.0
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


@dataclass(frozen=True, slots=True, eq=False)
class _Surface:
    """A closed surface in camera space, and the crop's camera in which it was made.

    ``twins`` are a turned thing's vertices on the near side that look as those do.
    """

    vertices: np.ndarray
    twins: np.ndarray | None
    faces: np.ndarray
    crop: Frame
    K: np.ndarray


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
    surface = _surface(cutout, seen, resolution, detail.faces, progress)
    # Holes and pieces need faces. Where so few do not do, a coarser grid has less of them.
    while 0 < detail.faces < len(surface.faces) and resolution > 4:
        resolution //= 2
        surface = _surface(cutout, seen, resolution, detail.faces, progress)
    placed = place(surface.vertices, seen.elevation)
    taken = Camera(placed.camera_from_world, surface.K, resolution, resolution)
    camera = surface.crop.picture_camera(taken)
    bare = Mesh(placed.points(surface.vertices), surface.faces)
    progress(0.7)
    # The far side is painted with the near one: what the network says of its colours is no better
    # yet, and sometimes of another hue.
    back = None if surface.twins is None else Twins(placed.points(surface.twins))
    with progress.stage("texture", share=0.3) as painting:
        mesh = two_sheet(bare, camera, cutout, back, detail.texture_size, painting)
    return Reconstruction(mesh, camera, _estimates(seen), _warning(seen))


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


def _surface(
    cutout: Image, seen: _Seen, resolution: int, target: int, progress: Progress
) -> _Surface:
    progress(0.2, "volume")
    crop = silhouette.crop(cutout, resolution)
    alpha = crop.image.rgba[..., 3].astype(np.float32) / 255
    block, field, turned = _solid(alpha, seen)
    progress(0.3, "surface")
    vertices, faces = extract(np.maximum(field, 0.5 - block.alpha))
    most = max(target // _FACES_OF_A_PIECE, 1) if target else len(faces)
    vertices, faces = drop_debris(vertices, faces, _DEBRIS, most)
    progress(0.5, "simplify")
    # Grid axes (layer, row, column) are camera space's (z, y, x): a mirror image turns faces over.
    points, faces = simplify(block.points(vertices), faces[:, ::-1], target)
    twins = revolution.opposite(*turned, points) if turned else None
    return _Surface(points, twins, faces, crop, block.frustum.K)


def _solid(
    alpha: np.ndarray, seen: _Seen
) -> tuple[Block, np.ndarray, tuple[Frustum, revolution.Profile] | None]:
    """The fine grid, the field there, and the profile with its frustum if it is a turned thing."""
    frustum = Frustum(len(alpha), seen.field_of_view, elevation=0.0)
    rays = volume.solid_rays(seen.said.logits, alpha)
    tangent = frustum.pixel * frustum.resolution / 2
    near, far = volume.reach(rays, seen.grid, tangent)
    turned = _turned(alpha, seen)
    if turned:
        depths = revolution.depths(*turned)
        near, far = min(near, depths[0]), max(far, depths[1])
    block = volume.deep_enough(volume.around(alpha, frustum), (near, far))
    field = volume.field(block, rays, seen.grid)
    if not turned:
        return block, field, None
    round_ = revolution.field(turned[0], block, turned[1])
    if seen.revolution == "auto" and _overlap(field, round_, block.alpha >= 0.5) < _ALIKE:
        return block, field, None
    return block, revolution.completed(round_, field, block.alpha >= 0.5), turned


def _turned(alpha: np.ndarray, seen: _Seen) -> tuple[Frustum, revolution.Profile] | None:
    if seen.revolution == "never":
        return None
    if seen.revolution == "auto" and abs(seen.elevation) < _LEAST_ELEVATION:
        return None
    frustum = Frustum(len(alpha), seen.field_of_view, seen.elevation)
    middle = float(np.average(np.arange(len(alpha)), weights=(alpha >= 0.5).sum(axis=1)))
    frustum = Frustum(
        len(alpha), seen.field_of_view, seen.elevation, float(frustum.tangents(np.array(middle)))
    )
    profile = revolution.fit(frustum, alpha)
    if not profile.radii.any():
        return None
    fits = revolution.agreement(frustum, alpha, profile) >= revolution.FITS
    if not fits and seen.revolution == "auto":
        return None
    return frustum, revolution.trim(frustum, profile)


def _overlap(one: np.ndarray, other: np.ndarray, silhouette_: np.ndarray) -> float:
    """IoU of two solids within the silhouette."""
    first, second = (one < 0) & silhouette_, (other < 0) & silhouette_
    return float((first & second).sum() / max(int((first | second).sum()), 1))
