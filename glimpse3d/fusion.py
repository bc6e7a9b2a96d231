"""Depth detail blended into the front of a reconstruction.

Owns the alignment of a depth to a mesh as its camera sees it, and how far which vertex follows: all
the way in the middle of what is seen, not at all at its edges, behind them, or where the two
disagree too much to mean the same thing. Vertices move on the camera's rays alone, so the picture
stays where it is on the surface. Must not know who estimated the depth or made the mesh.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import scipy.ndimage

from . import framing, mesh_raster
from .coords import azimuth_elevation, project
from .depth import alignment
from .depth.subject import on_crop
from .distance import distance_inside
from .errors import InvalidData
from .placement import place
from .progress import Progress
from .types import Camera, Depth, DepthKind, Image, Mesh, Reconstruction

# Pixels along the side of the crop in which both are compared.
_SIZE = 512
# Part of that side over which the blend grows from nothing at an edge to all of it.
_RAMP = 0.03
# Pixels beside an edge whose depth is not compared: there estimates mix both sides.
_RIM = 4.0
# Depth over width of a pixel that is an edge between two things and not a slope.
_EDGE = 8.0
# A move of more than this part of the object's size is a contradiction; of half of it, none yet.
_MOST = 0.15
# Pixels along the side of the window whose median stands for a pixel; OpenCV's largest for floats.
_WINDOW = 5
# Medians of the difference to the pixels around it at which a pixel is stray.
_STRAY = 6.0
# Of the way to the surface behind it that a vertex may go.
_ROOM = 0.8
# Cosines of the surface to the ray between which the blend grows.
_GRAZING, _FACING = 0.1, 0.3


def fuse(made: Reconstruction, cutout: Image, depth: Depth, progress: Progress) -> Reconstruction:
    """The same object with the depth's detail on the side that the picture shows.

    Args:
        made: by any reconstructor.
        cutout: what it was made from.
        depth: of the same picture, of any kind; its scale and shift are found here.
        progress: told of each step.

    Returns:
        the mesh with moved vertices, again centred and of size 1, and its camera.

    Raises:
        NoForeground: the cut-out is empty.
        InvalidData: the depth is of another size than the picture, says nothing on the subject, or
            runs against the shape: far where that is near.
    """
    progress(0.0, "aligning depth")
    mesh = blended(made.mesh, made.camera, cutout, depth)
    progress(0.9)
    camera = made.camera.camera_from_world
    in_camera = mesh.vertices.astype(np.float64) @ camera[:3, :3].T + camera[:3, 3]
    placed = place(in_camera, azimuth_elevation(made.camera)[1])
    moved = replace(made.camera, camera_from_world=placed.camera_from_world)
    progress(1.0)
    return Reconstruction(replace(mesh, vertices=placed.points(in_camera)), moved)


def blended(mesh: Mesh, camera: Camera, cutout: Image, depth: Depth) -> Mesh:
    """The mesh with its front's vertices moved; all others stay where they are, bit for bit.

    Raises:
        as ``fuse``.
    """
    crop = framing.frame(cutout, _SIZE)
    small = crop.crop_camera(camera)
    near = on_crop(depth, cutout, crop)
    sides = _Sides.of(mesh, small)
    points, index = np.unique(mesh.vertices, axis=0, return_inverse=True)
    follow = _following(points.astype(np.float64), index.reshape(-1)[mesh.faces], small, sides)
    stretch = _stretch(near, sides, points, mesh, small)
    pixels, z = project(small, points.astype(np.float64))
    factor = 1 + follow * _sampled(stretch, pixels)
    room = _ROOM * (_nearest(sides.behind, pixels) / np.maximum(z, 1e-9) - 1)
    factor = np.minimum(factor, 1 + np.where(np.isfinite(room), np.maximum(room, 0), np.inf))
    moved = small.position + factor[:, None] * (points - small.position)
    kept = np.where((follow > 0)[:, None], moved, points)
    return replace(mesh, vertices=kept[index.reshape(-1)])


@dataclass(frozen=True, slots=True, eq=False)
class _Sides:
    """The mesh as the camera sees it.

    Attributes:
        front: (H, W) float32 depth of what is seen, inf for none.
        behind: (H, W) float32 depth of the nearest surface that faces away.
        size: the object's longest side.
    """

    front: np.ndarray
    behind: np.ndarray
    size: float

    @classmethod
    def of(cls, mesh: Mesh, camera: Camera) -> _Sides:
        a, b, c = (mesh.vertices[mesh.faces[:, corner]].astype(np.float64) for corner in range(3))
        away = np.einsum("ij,ij->i", np.cross(b - a, c - a), a - camera.position) > 0
        front, behind = (
            mesh_raster.rasterize(mesh.vertices, faces, camera).depth
            for faces in (mesh.faces, mesh.faces[away])
        )
        return cls(front, behind, float(np.ptp(mesh.vertices, axis=0).max()))


def _stretch(
    depth: Depth, sides: _Sides, points: np.ndarray, mesh: Mesh, camera: Camera
) -> np.ndarray:
    """(H, W) float32: by what part of its distance each pixel of the front is to move away."""
    seen = np.isfinite(sides.front)
    if not (seen & depth.valid).any():
        raise InvalidData("the mesh and the depth share no pixel", "check the camera")
    shape = Depth(np.where(seen, sides.front, 1), DepthKind.RELATIVE, None, seen)
    inner = seen & depth.valid & ~_edges(sides.front, camera)
    found = alignment.aligned(depth, shape, distance_inside(inner) > _RIM)
    change = np.where(inner & found.valid, found.z - np.where(seen, sides.front, 0), 0)
    trusted = inner & found.valid & _alike(change.astype(np.float32), inner)
    trust = trusted * np.clip(2 - 2 * np.abs(change) / (_MOST * sides.size), 0, 1)
    part = change / np.where(seen, sides.front, 1)
    weight = np.clip((distance_inside(inner) - _RIM) / (_RAMP * _SIZE), 0, 1)
    return _averaged(part, trust, _spacing(points, mesh, camera) / 2) * weight


def _alike(change: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """(H, W) bool: as around it; a stray pixel is not detail."""
    usual = cv2.medianBlur(cv2.medianBlur(change, _WINDOW), _WINDOW)
    off = np.abs(change - usual)
    found: np.ndarray = off <= max(_STRAY * float(np.median(off[inner])), 1e-6)
    return found


def _averaged(values: np.ndarray, trust: np.ndarray, deviation: float) -> np.ndarray:
    """(H, W) float32 means of what is trusted; as fine as the vertices can hold."""
    deviation = max(deviation, 1.0)
    total, share = (cv2.GaussianBlur(each, (0, 0), deviation) for each in (values * trust, trust))
    mean = np.divide(total, share, out=np.zeros_like(total), where=share > 1e-6)
    return np.asarray(mean * np.clip(2 * share, 0, 1), np.float32)


def _edges(z: np.ndarray, camera: Camera) -> np.ndarray:
    """(H, W) bool: pixels beside a step in depth, from one part of the mesh to another."""
    known = np.where(np.isfinite(z), z, np.nanmax(np.where(np.isfinite(z), z, np.nan)))
    high, low = cv2.dilate(known, np.ones((3, 3))), cv2.erode(known, np.ones((3, 3)))
    found: np.ndarray = high - low > 2 * _EDGE * known / camera.K[0, 0]
    return found


def _spacing(points: np.ndarray, mesh: Mesh, camera: Camera) -> float:
    """Median length of an edge in pixels, seen straight on."""
    ends = mesh.vertices[mesh.faces].astype(np.float64)
    length = float(np.median(np.linalg.norm(ends - np.roll(ends, 1, axis=1), axis=2)))
    return length * float(camera.K[0, 0]) / float(np.median(project(camera, points)[1]))


def _following(points: np.ndarray, faces: np.ndarray, camera: Camera, sides: _Sides) -> np.ndarray:
    """(V,) how far a vertex takes part, 0..1: seen, and not at a grazing angle."""
    normals = np.zeros_like(points)
    a, b, c = (points[faces[:, corner]] for corner in range(3))
    of_faces = np.cross(b - a, c - a)
    for corner in range(3):
        np.add.at(normals, faces[:, corner], of_faces)
    sight = camera.position - points
    lengths = np.linalg.norm(normals, axis=1) * np.linalg.norm(sight, axis=1)
    cosine = np.einsum("ij,ij->i", normals, sight) / np.maximum(lengths, 1e-30)
    pixels, z = project(camera, points)
    slack = 2 * sides.size / _SIZE
    front = scipy.ndimage.maximum_filter(np.where(np.isfinite(sides.front), sides.front, 0), 3)
    seen = z <= _nearest(front, pixels) + slack
    return np.where(seen, np.clip((cosine - _GRAZING) / (_FACING - _GRAZING), 0, 1), 0)


def _nearest(layer: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(N,) the layer's value in the pixel around each position."""
    at = np.floor(pixels).astype(int)
    column, row = np.clip(at, 0, np.array(layer.shape)[::-1] - 1).T
    found: np.ndarray = layer[row, column]
    return found


def _sampled(layer: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(N,) float64 between pixel centres, which are at .5; 0 beyond the layer."""
    at = pixels[:, ::-1].T - 0.5
    found: np.ndarray = scipy.ndimage.map_coordinates(layer.astype(np.float64), at, order=1)
    return found
