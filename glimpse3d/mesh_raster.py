"""A small z-buffer for meshes on the CPU: which triangle a pixel sees, and what colour it has.

Owns projection to pixels and perspective-correct interpolation. Used to find the faces that a
camera sees and to draw previews; unlit, as the colours of a reconstruction carry their light.
Must not know how a mesh was made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from .coords import project
from .types import Camera, Image, Mesh


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """What each pixel of a camera sees.

    Attributes:
        face: (H, W) int32, index of the nearest triangle, -1 for none.
        barycentric: (H, W, 3) float32, weights of its corners on the surface.
        depth: (H, W) float32, along the camera's axis, metres; inf for none.
    """

    face: np.ndarray
    barycentric: np.ndarray
    depth: np.ndarray


@numba.njit(cache=True, nogil=True)
def _fill(pixels, inverse_depth, faces, face, barycentric, nearest):  # type: ignore[no-untyped-def]
    height, width = face.shape
    for index in range(faces.shape[0]):
        a, b, c = faces[index, 0], faces[index, 1], faces[index, 2]
        za, zb, zc = inverse_depth[a], inverse_depth[b], inverse_depth[c]
        if za <= 0.0 or zb <= 0.0 or zc <= 0.0:
            continue
        ax, ay, bx, by = pixels[a, 0], pixels[a, 1], pixels[b, 0], pixels[b, 1]
        cx, cy = pixels[c, 0], pixels[c, 1]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(area) < 1e-12:
            continue
        left = max(0, int(np.ceil(min(ax, bx, cx) - 0.5)))
        right = min(width - 1, int(np.floor(max(ax, bx, cx) - 0.5)))
        top = max(0, int(np.ceil(min(ay, by, cy) - 0.5)))
        bottom = min(height - 1, int(np.floor(max(ay, by, cy) - 0.5)))
        for row in range(top, bottom + 1):
            y = row + 0.5
            for column in range(left, right + 1):
                x = column + 0.5
                u = ((bx - x) * (cy - y) - (cx - x) * (by - y)) / area
                v = ((cx - x) * (ay - y) - (ax - x) * (cy - y)) / area
                w = 1.0 - u - v
                if u < 0.0 or v < 0.0 or w < 0.0:
                    continue
                z = u * za + v * zb + w * zc
                if z > nearest[row, column]:
                    nearest[row, column] = z
                    face[row, column] = index
                    barycentric[row, column, 0] = u * za / z
                    barycentric[row, column, 1] = v * zb / z
                    barycentric[row, column, 2] = w * zc / z


def rasterize(vertices: np.ndarray, faces: np.ndarray, camera: Camera) -> Raster:
    """Find the nearest triangle under every pixel centre; triangles behind the camera are left out.

    Args:
        vertices: (V, 3), world, metres.
        faces: (F, 3), any winding.
        camera: gives the size.
    """
    pixels, depth = project(camera, np.asarray(vertices, np.float64))
    inverse = np.where(depth > 1e-9, 1.0 / np.where(depth > 1e-9, depth, 1.0), -1.0)
    face = np.full((camera.height, camera.width), -1, np.int32)
    barycentric = np.zeros((camera.height, camera.width, 3), np.float32)
    nearest = np.zeros((camera.height, camera.width))
    _fill(pixels, inverse, np.ascontiguousarray(faces, np.int64), face, barycentric, nearest)
    seen = face >= 0
    distance = np.full(face.shape, np.inf, np.float32)
    distance[seen] = 1.0 / nearest[seen]
    return Raster(face, barycentric, distance)


def sample_texture(texture: Image, uvs: np.ndarray) -> np.ndarray:
    """(N, 4) float32 0..255 sRGB, bilinear, clamped at the borders; ``uvs`` (N, 2), v up."""
    height, width = texture.height, texture.width
    x = np.clip(uvs[:, 0] * width - 0.5, 0, width - 1)
    y = np.clip((1 - uvs[:, 1]) * height - 0.5, 0, height - 1)
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    fx, fy = (x - x0)[:, None].astype(np.float32), (y - y0)[:, None].astype(np.float32)
    texels = texture.rgba
    upper = texels[y0, x0] * (1 - fx) + texels[y0, x1] * fx
    lower = texels[y1, x0] * (1 - fx) + texels[y1, x1] * fx
    return upper * (1 - fy) + lower * fy


def surface_colors(mesh: Mesh, faces: np.ndarray, barycentric: np.ndarray) -> np.ndarray:
    """(N, 3) float32 0..255 sRGB at points of the surface.

    Args:
        mesh: its texture is taken, else its vertex colours, else light grey.
        faces: (N,) indices of triangles.
        barycentric: (N, 3) weights of their corners.
    """
    corners = mesh.faces[faces]
    if mesh.texture is not None and mesh.uvs is not None:
        uvs = np.einsum("nk,nkc->nc", barycentric, mesh.uvs[corners])
        # Beyond its borders a picture repeats, as glTF has it; rounding is not beyond.
        uvs = np.where(np.abs(uvs - 0.5) > 0.5 + 1e-4, uvs - np.floor(uvs), uvs)
        return sample_texture(mesh.texture, uvs)[:, :3]
    if mesh.colors is not None:
        return np.einsum("nk,nkc->nc", barycentric, mesh.colors[corners, :3].astype(np.float32))
    return np.full((len(faces), 3), 200, np.float32)


def render(mesh: Mesh, camera: Camera, supersample: int = 2) -> Image:
    """Draw the mesh unlit over nothing: alpha is how much of a pixel it covers.

    Args:
        mesh: house frame.
        camera: gives the size of the picture.
        supersample: rays a pixel along each axis.
    """
    K = np.diag([supersample, supersample, 1.0]) @ camera.K
    width, height = camera.width * supersample, camera.height * supersample
    raster = rasterize(
        mesh.vertices, mesh.faces, Camera(camera.camera_from_world, K, width, height)
    )
    seen = raster.face >= 0
    premultiplied = np.zeros((height, width, 4), np.float32)
    colors = surface_colors(mesh, raster.face[seen], raster.barycentric[seen])
    premultiplied[seen] = np.concatenate([colors, np.full((len(colors), 1), 255)], axis=1)
    blocks = premultiplied.reshape(camera.height, supersample, camera.width, supersample, 4)
    mean = blocks.mean(axis=(1, 3))
    alpha = mean[..., 3:]
    color = np.divide(mean[..., :3] * 255, alpha, out=np.zeros_like(mean[..., :3]), where=alpha > 0)
    return Image(np.rint(np.concatenate([color, alpha], axis=2)).astype(np.uint8))
