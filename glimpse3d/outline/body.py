"""From a solid on a crop's rays to a textured object in the house frame.

Owns what every solid made within an outline goes through: surface, debris, fewer faces, placement,
the two sheets of texture. Must not know how the solid came about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .. import silhouette
from ..framing import Frame
from ..isosurface import drop_debris, extract
from ..placement import place
from ..progress import Progress
from ..simplify import simplify
from ..stages import Detail
from ..texture import Twins, two_sheet
from ..types import Camera, Image, Mesh
from . import revolution
from .frustum import Block

# Every piece needs some faces to have a shape.
_FACES_OF_A_PIECE = 16
_COARSEST = 4  # pixels along the subject


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """What is solid.

    Attributes:
        block: the grid.
        field: (D, H, W) float32, negative inside, in pixels near the outline; it may reach beyond
            the outline, to which it is cut.
        turned: if the solid is one of revolution.
    """

    block: Block
    field: np.ndarray
    turned: revolution.Turned | None = None


@dataclass(frozen=True, slots=True)
class Making:
    """How the object is made of its solid.

    Attributes:
        resolution: pixels along the subject.
        elevation: degrees that the camera looked down.
        debris: a piece smaller than this part of the largest one's volume goes.
    """

    resolution: int
    elevation: float
    debris: float


@dataclass(frozen=True, slots=True, eq=False)
class _Surface:
    """A closed surface in camera space, and the crop's camera in which it was made.

    A turned thing looks on its far side as it does on its near one: ``twins`` are its vertices
    there.
    """

    vertices: np.ndarray
    twins: np.ndarray | None
    faces: np.ndarray
    crop: Frame
    K: np.ndarray


def textured(
    cutout: Image,
    solid: Callable[[np.ndarray], Body],
    making: Making,
    detail: Detail,
    progress: Progress,
) -> tuple[Mesh, Camera]:
    """The object in the house frame, and the camera that sees it as the picture does.

    Args:
        cutout: the subject.
        solid: makes the body of the crop's alpha, (N, N) float32 0..1.
        making: how.
        detail: of the mesh and its texture.
        progress: of all of it.

    Raises:
        NoForeground: the cut-out is empty.
    """
    resolution = making.resolution
    surface = _surface(cutout, solid, making, resolution, detail.faces, progress)
    # Holes and pieces need faces. Where so few do not do, a coarser grid has less of them.
    while 0 < detail.faces < len(surface.faces) and resolution > _COARSEST:
        resolution //= 2
        surface = _surface(cutout, solid, making, resolution, detail.faces, progress)
    placed = place(surface.vertices, making.elevation)
    taken = Camera(placed.camera_from_world, surface.K, resolution, resolution)
    camera = surface.crop.picture_camera(taken)
    bare = Mesh(placed.points(surface.vertices), surface.faces)
    twins = None if surface.twins is None else Twins(placed.points(surface.twins))
    progress(0.7)
    with progress.stage("texture", share=0.3) as painting:
        mesh = two_sheet(bare, camera, cutout, twins, detail.texture_size, painting)
    return mesh, camera


def _surface(
    cutout: Image,
    solid: Callable[[np.ndarray], Body],
    making: Making,
    resolution: int,
    target: int,
    progress: Progress,
) -> _Surface:
    progress(0.1, "volume")
    crop = silhouette.crop(cutout, resolution)
    body = solid(crop.image.rgba[..., 3].astype(np.float32) / 255)
    block, turned = body.block, body.turned
    progress(0.3, "surface")
    vertices, faces = extract(np.maximum(body.field, 0.5 - block.alpha))
    most = max(target // _FACES_OF_A_PIECE, 1) if target else len(faces)
    vertices, faces = drop_debris(vertices, faces, making.debris, most)
    progress(0.5, "simplify")
    # Grid axes (layer, row, column) are camera space's (z, y, x): a mirror image turns faces over.
    points, faces = simplify(block.points(vertices), faces[:, ::-1], target)
    twins = revolution.opposite(turned.frustum, turned.profile, points) if turned else None
    return _Surface(points, twins, faces, crop, block.frustum.K)
