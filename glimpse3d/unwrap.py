"""A texture for any surface: charts that do not overlap, and a colour for every texel.

Owns the unwrapping (xatlas) and the baking. Charts take long to find on many faces: simplify
first. Must not know where colours come from: they are asked for, point by point, so that a
texture may be finer than the vertices.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import xatlas

from .errors import InvalidData
from .mesh_raster import rasterize
from .progress import Progress
from .types import Camera, Image, Mesh

# Points of the surface (N, 3) float32 to sRGB (N, 3) float, 0..1.
Colors = Callable[[np.ndarray], np.ndarray]

# Texels between charts as they are packed, so that neither filtering nor a mipmap reaches the next.
_GUTTER = 4
# Charts packed into a square that much larger than the texture may be shrunk into it.
_MOST_SHRUNK = 2
# Points whose colours are asked for at once: between two such requests the work can be stopped.
_BATCH = 1 << 16
# A picture seen straight on: x and y are pixels, depth is 1.
_STRAIGHT_ON = np.eye(4)


def textured(mesh: Mesh, colors: Colors, size: int, progress: Progress) -> Mesh:
    """Unwrap a mesh and bake its colours.

    Args:
        mesh: its own colours, uvs and texture are replaced.
        colors: asked for points of the surface, in the mesh's frame.
        size: longest side of the texture in pixels.
        progress: told of each batch.

    Returns:
        the same triangles in the same order, with vertices repeated where charts meet; uvs and
        texture, no vertex colours.

    Raises:
        InvalidData: the mesh has no faces, or the texture is too small for it.
    """
    if not len(mesh.faces):
        raise InvalidData("a mesh without faces has nothing to unwrap")
    progress(0.0, "unwrapping")
    source, faces, uvs = unwrap(mesh, size)
    flat = Mesh(mesh.vertices[source], faces, uvs=uvs)
    progress(0.5, "baking the texture")
    return bake(flat, colors, size, progress)


def unwrap(mesh: Mesh, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Charts packed into a square.

    Args:
        mesh: any.
        size: texels along a side, which the gutter is measured in.

    Returns:
        (V',) int64, which vertex each new one repeats; (F, 3) int64 new faces, in order;
        (V', 2) float32 uvs, v up.

    Raises:
        InvalidData: the charts do not fit into one square of that size.
    """
    atlas = xatlas.Atlas()
    atlas.add_mesh(np.ascontiguousarray(mesh.vertices), np.ascontiguousarray(mesh.faces))
    packing = xatlas.PackOptions()
    packing.resolution = size
    packing.padding = _GUTTER
    packing.bilinear = True
    atlas.generate(pack_options=packing)
    longest = max(atlas.width, atlas.height)
    if atlas.atlas_count != 1 or longest > _MOST_SHRUNK * size:
        raise InvalidData(
            f"the surface's charts do not fit into {size} x {size} pixels",
            "choose a larger texture or fewer faces",
        )
    source, faces, uvs = atlas[0]
    # What comes out larger or smaller than asked for is fitted, in both directions alike.
    shape = np.array([atlas.width, atlas.height])
    fitted = uvs * shape / longest
    return source.astype(np.int64), faces.astype(np.int64), fitted.astype(np.float32)


def bake(mesh: Mesh, colors: Colors, size: int, progress: Progress) -> Mesh:
    """Fill a square texture: each texel has the colour of the point of the surface under it.

    Args:
        mesh: with uvs that do not overlap.
        colors: asked for points of the surface.
        size: texels along a side.
        progress: told of each batch.
    """
    if mesh.uvs is None:
        raise InvalidData("a mesh without uvs cannot be baked")
    place = mesh.uvs.astype(np.float64) * [size, -size] + [0, size]
    flat = np.column_stack([place, np.ones(len(place))])
    raster = rasterize(flat, mesh.faces, Camera(_STRAIGHT_ON, np.eye(3), size, size))
    covered = raster.face >= 0
    corners = mesh.vertices[mesh.faces[raster.face[covered]]]
    points = np.einsum("nk,nkc->nc", raster.barycentric[covered], corners)
    found = np.empty((len(points), 3), np.uint8)
    for start in progress.track(range(0, len(points), _BATCH), "baking the texture"):
        part = slice(start, start + _BATCH)
        found[part] = np.rint(np.clip(colors(points[part]), 0, 1) * 255)
    texels = np.full((size, size, 4), 255, np.uint8)
    texels[covered, :3] = found
    texels[..., :3] = _carried_on(texels[..., :3], covered)
    return Mesh(mesh.vertices, mesh.faces, uvs=mesh.uvs, texture=Image(texels))


def _carried_on(colors: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """(H, W, 3): uncovered texels take the colour of the nearest covered one."""
    if covered.all() or not covered.any():
        return colors
    _, labels = cv2.distanceTransformWithLabels(
        (~covered).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros((int(labels.max()) + 1, 3), np.uint8)
    table[labels[covered]] = colors[covered]
    return table[labels]
