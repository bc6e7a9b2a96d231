"""What ``relief`` does, step by step: crop, depth, points, surface, house frame, texture.

Owns the order of the steps. Must not know settings' presets, who estimated the depth, or other
reconstructors.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .. import poisson, silhouette
from ..isosurface import drop_debris, extract
from ..placement import place
from ..progress import Progress
from ..simplify import simplify
from ..stages import Detail
from ..texture import two_sheet
from ..types import Camera, Depth, Image, Mesh, Reconstruction
from .relief import ReliefSettings
from .relief_cloud import OrientedCloud, closed_cloud, pixels_beyond
from .relief_depth import intrinsics, subject_depth

# Separate pieces of a subject, at most.
_PIECES = 16
# One smaller than this part of the largest one's volume is debris.
_DEBRIS = 1e-3
# Where faces are few, grids of half as many cells are tried, down to this many.
_COARSEST = 16


def reconstruct(
    cutout: Image, depth: Depth, settings: ReliefSettings, detail: Detail, progress: Progress
) -> Reconstruction:
    """See ``stages.DepthReconstructor``.

    Raises:
        NoForeground: the cut-out is empty.
        InvalidData: the depth is of another size, or says nothing on the subject.
    """
    crop = silhouette.crop(cutout, settings.resolution)
    progress(0.0, "depth of the subject")
    subject = subject_depth(depth, cutout, crop, settings)
    progress(0.1, "points")
    alpha = crop.image.rgba[..., 3]
    cloud = closed_cloud(subject, alpha, settings)
    outline = Outline(alpha, intrinsics(subject, settings))
    progress(0.4, "surface")
    resolution = settings.resolution
    vertices, faces = _surface(cloud, outline, resolution, settings.smoothing, detail.faces)
    while 0 < detail.faces < len(faces) and resolution > _COARSEST:
        resolution //= 2
        vertices, faces = _surface(cloud, outline, resolution, settings.smoothing, detail.faces)
    placed = place(vertices, settings.elevation)
    taken = Camera(placed.camera_from_world, outline.K, subject.width, subject.height)
    camera = crop.picture_camera(taken)
    progress(0.7)
    with progress.stage("texture", share=0.3) as painting:
        bare = Mesh(placed.points(vertices), faces)
        mesh = two_sheet(bare, camera, cutout, None, detail.texture_size, painting)
    return Reconstruction(mesh, camera)


def _surface(
    cloud: OrientedCloud, outline: Outline, resolution: int, smoothing: float, target: int
) -> tuple[np.ndarray, np.ndarray]:
    """Closed, and of ``target`` faces at most unless its holes and pieces need more."""
    grid = poisson.Grid.around(cloud.points, resolution)
    field = poisson.distance(cloud.points, cloud.normals, grid, smoothing)
    outline.carve(field, grid)
    vertices, faces = drop_debris(*extract(field), _DEBRIS, _PIECES)
    return simplify(grid.points(vertices), faces, target)


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """The silhouette, which nothing of the object may reach beyond.

    Attributes:
        alpha: (H, W) uint8.
        K: (3, 3) float64 of its camera.
    """

    alpha: np.ndarray
    K: np.ndarray

    def carve(self, field: np.ndarray, grid: poisson.Grid) -> None:
        """Take from ``field`` (R, R, R), negative inside, what would be seen beside the subject."""
        count, layer = grid.resolution, self._beyond()
        y, z = np.meshgrid(np.arange(count), np.arange(count), indexing="ij")
        for x in range(count):
            at = grid.points(np.stack([np.full(y.shape, x), y, z], axis=-1)) @ self.K.T
            before = at[..., 2] > 0
            # remap's pixel centres are whole numbers, the camera's are at .5.
            pixels = at[..., :2] / np.where(before, at[..., 2], 1)[..., None] - 0.5
            columns, rows = (np.where(before, each, -9) for each in np.moveaxis(pixels, -1, 0))
            outside = cv2.remap(
                layer,
                columns.astype(np.float32),
                rows.astype(np.float32),
                cv2.INTER_LINEAR,
                borderValue=float(count),
            )
            np.maximum(field[x], outside, out=field[x])

    def _beyond(self) -> np.ndarray:
        """(H, W) float32 pixels beyond the outline, negative inside; half covered is 0."""
        whole = pixels_beyond(self.alpha)
        part = np.float32(0.5) - self.alpha.astype(np.float32) / 255
        return np.where(np.abs(whole) < 1, part, whole).astype(np.float32)
