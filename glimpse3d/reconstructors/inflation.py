"""What ``inflate`` does, step by step: silhouette, field, surface, house frame, texture.

Owns the order of the steps and the choice between inflating and turning. Must not know settings'
presets or other reconstructors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .. import silhouette
from ..framing import Frame
from ..isosurface import drop_debris, extract
from ..outline import medial, revolution
from ..outline.frustum import Block, Frustum
from ..placement import place
from ..progress import Progress
from ..simplify import simplify
from ..stages import Detail
from ..texture import Twins, two_sheet
from ..types import Camera, Image, Mesh, Reconstruction
from .inflate import InflateSettings

# A piece smaller than this part of the largest one's volume is debris of the cut-out.
_DEBRIS = 1e-4
# Every piece needs some faces to have a shape.
_FACES_OF_A_PIECE = 16
# Pixels and layers around the subject.
_MARGIN = 2
# Layers of the grid, at most this many times its resolution; a deeper volume gets coarser ones.
_MOST_LAYERS = 2
# Degrees. A picture taken from less far above or below shows no ring's curve: a flat thing with
# a symmetric outline and a turned one look alike.
_LEAST_ELEVATION = 5.0
# Half thickness in layers that everything gets: less would fall between two of them.
_LEAST_HALF = 0.75


@dataclass(frozen=True, slots=True, eq=False)
class _Surface:
    """A closed surface in camera space, and the crop's camera in which it was made.

    A turned one looks on its far side as it does on its near one: ``twins`` are its vertices
    there.
    """

    vertices: np.ndarray
    twins: np.ndarray | None
    faces: np.ndarray
    crop: Frame
    K: np.ndarray


def reconstruct(
    cutout: Image, settings: InflateSettings, detail: Detail, progress: Progress
) -> Reconstruction:
    """See ``stages.Reconstructor``.

    Raises:
        NoForeground: the cut-out is empty.
    """
    resolution = silhouette.cells_along(cutout, settings.resolution)
    surface = _surface(cutout, settings, resolution, detail.faces, progress)
    # Holes and pieces need faces. Where so few do not do, a coarser grid has less of them.
    while 0 < detail.faces < len(surface.faces) and resolution > 4:
        resolution //= 2
        surface = _surface(cutout, settings, resolution, detail.faces, progress)
    placed = place(surface.vertices, settings.elevation)
    taken = Camera(placed.camera_from_world, surface.K, resolution, resolution)
    camera = surface.crop.picture_camera(taken)
    bare = Mesh(placed.points(surface.vertices), surface.faces)
    twins = None if surface.twins is None else Twins(placed.points(surface.twins))
    progress(0.7)
    with progress.stage("texture", share=0.3) as painting:
        mesh = two_sheet(bare, camera, cutout, twins, detail.texture_size, painting)
    return Reconstruction(mesh, camera)


def _surface(
    cutout: Image, settings: InflateSettings, resolution: int, target: int, progress: Progress
) -> _Surface:
    progress(0.0, "silhouette")
    crop = silhouette.crop(cutout, resolution)
    alpha = crop.image.rgba[..., 3].astype(np.float32) / 255
    progress(0.1, "volume")
    block, field, profile = fill(alpha, settings)
    progress(0.3, "surface")
    vertices, faces = extract(np.maximum(field, 0.5 - block.alpha))
    most = max(target // _FACES_OF_A_PIECE, 1) if target else len(faces)
    vertices, faces = drop_debris(vertices, faces, _DEBRIS, most)
    progress(0.5, "simplify")
    # Grid axes (layer, row, column) are camera space's (z, y, x): a mirror image turns faces over.
    points, faces = simplify(block.points(vertices), faces[:, ::-1], target)
    twins = revolution.opposite(block.frustum, profile, points) if profile else None
    return _Surface(points, twins, faces, crop, block.frustum.K)


def fill(
    alpha: np.ndarray, settings: InflateSettings
) -> tuple[Block, np.ndarray, revolution.Profile | None]:
    """The part of the grid around the subject, and the field there.

    Args:
        alpha: (N, N) float32 0..1 of the crop.
        settings: the subject's shape and the camera's.

    Returns:
        the block, (D, H, W) float32 distance in pixels, negative inside, that may reach beyond the
        silhouette, and the profile if it is a turned thing.
    """
    block = _block(alpha, settings)
    frustum = block.frustum
    step = frustum.pixel * min(settings.thickness, 1.0)
    least = _LEAST_HALF * step / (frustum.pixel * settings.thickness)
    balls = medial.balls(block, settings.thickness, least)
    reach = 1 + balls.reach[0] * frustum.pixel, 1 + balls.reach[1] * frustum.pixel
    profile = _profile(frustum, alpha, settings.revolution)
    if profile is None:
        block = _deep_enough(block, reach, step)
        return block, medial.field(block, balls), None
    turned = revolution.reach(frustum, profile)
    reach = min(reach[0], turned[0]), max(reach[1], turned[1])
    block = _deep_enough(block, reach, frustum.pixel)
    inflated = medial.field(block, balls)
    turned_field = revolution.field(block.frustum, block, profile)
    whole = revolution.completed(turned_field, inflated, block.alpha >= 0.5)
    return block, whole, profile


def _block(alpha: np.ndarray, settings: InflateSettings) -> Block:
    """The subject's pixels with a margin, one layer deep."""
    solid = alpha >= 0.5
    frustum = Frustum(len(alpha), settings.field_of_view, settings.elevation)
    middle = np.average(np.arange(len(alpha)), weights=solid.sum(axis=1))
    frustum = replace(frustum, row=float(frustum.tangents(middle)))
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    padded = np.pad(alpha, _MARGIN)
    inner = padded[rows[0] : rows[-1] + 1 + 2 * _MARGIN]
    inner = inner[:, columns[0] : columns[-1] + 1 + 2 * _MARGIN]
    return Block(frustum, int(columns[0]) - _MARGIN, int(rows[0]) - _MARGIN, inner)


def _profile(frustum: Frustum, alpha: np.ndarray, asked: str) -> revolution.Profile | None:
    level = abs(frustum.elevation) < _LEAST_ELEVATION
    if asked == "never" or (asked == "auto" and level):
        return None
    profile = revolution.fit(frustum, alpha)
    if not profile.radii.any():
        return None
    fits = revolution.agreement(frustum, alpha, profile) >= revolution.FITS
    return revolution.trim(frustum, profile) if fits or asked == "always" else None


def _deep_enough(block: Block, reach: tuple[float, float], step: float) -> Block:
    """The block with layers from before the nearest to behind the farthest of ``reach``."""
    nearest, farthest = reach
    step = max(step, (farthest - nearest) / (_MOST_LAYERS * block.frustum.resolution))
    layers = int(np.ceil((farthest - nearest) / step)) + 2 * _MARGIN
    return replace(block, nearest=nearest - _MARGIN * step, step=step, layers=layers)
