"""The two-sheet texture: what the picture saw on the left, the far side on the right.

Owns the sheets and which face takes which. Faces that the picture's camera sees are painted by
projection, at the picture's own resolution; all others, through the same projection, from the
second sheet. The two meet at the silhouette, where both have the same colours. A turned thing's
far side is projected from where its twin on the near side lies. Must not know how a mesh was made.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import PIL.Image

from .coords import project
from .distance import distance_inside
from .errors import InvalidData
from .framing import subject_box
from .mesh_raster import rasterize
from .progress import Progress
from .types import Camera, Image, Mesh

# Pixels of the sheet around the subject, so that neither filtering nor a mipmap reaches the other.
_MARGIN = 8
# Semi-transparent pixels and this many beside them carry background in their colour.
_EDGE = 2.0
# A part whose every pixel is that near to its edge keeps its own colours all the same.
_THIN = 2.5
# Blur of the far side as a part of the sheet's longer side, and how far from the silhouette, in
# the same measure, it is complete.
_BACK_BLUR = 0.04
_RIM = 0.04
# Pixels along the longer side on which that blur is computed, at most.
_SOFT_SIZE = 256
# Cosine below which a face is seen too grazing to be painted from the picture.
_GRAZING = 0.05
# Pixels along the longer side of the visibility test, at most.
_TEST_SIZE = 1024


@dataclass(frozen=True, slots=True)
class _Window:
    """The part of the picture that becomes a sheet: ``sheet = (picture - corner) * scale``.

    Attributes:
        left, top: its corner, pixels of the picture.
        scale: pixels of the sheet a pixel of the picture.
        width, height: pixels of the sheet.
    """

    left: float
    top: float
    scale: float
    width: int
    height: int

    def camera(self, of_picture: Camera) -> Camera:
        """The picture's camera on the sheet's grid, at most ``_TEST_SIZE`` pixels long."""
        shrink = min(1.0, _TEST_SIZE / max(self.width, self.height))
        scale = self.scale * shrink
        move = np.array([[scale, 0, -self.left * scale], [0, scale, -self.top * scale], [0, 0, 1]])
        width, height = (int(np.ceil(side * shrink)) for side in (self.width, self.height))
        return Camera(of_picture.camera_from_world, move @ of_picture.K, width, height)


@dataclass(frozen=True, slots=True, eq=False)
class Twins:
    """For an object whose far side looks as its near one does: where there it looks the same.

    Attributes:
        points: (V, 3) house frame, one for each vertex.
    """

    points: np.ndarray


def two_sheet(
    mesh: Mesh,
    camera: Camera,
    front: Image,
    back: Image | Twins | None,
    size: int,
    progress: Progress,
) -> Mesh:
    """Paint a mesh from the picture of its front and, if there is one, of its far side.

    Args:
        mesh: closed, no vertex repeated; its own colours and texture are replaced.
        camera: took ``front``; same pixel grid.
        front: the cut-out, any size.
        back: the far side seen through the same camera, as if the front were away, on a grid of
            the same proportions; alpha says where it is known. At the silhouette, where the
            sheets meet, it takes the front's colours. With ``Twins`` it has the front's
            colours at their places; with None the front's at the same pixels, softened.
        size: longest side of the texture in pixels, at most; it is never enlarged.
        progress: told of each step.

    Returns:
        the mesh with uvs and texture; vertices repeat where the two sheets meet.

    Raises:
        NoForeground: the front is empty.
        InvalidData: the far side is given, and empty.
    """
    window = _window(front, size)
    progress(0.1, "painting the front")
    painted = _sheet(front, window, 1.0)
    progress(0.5, "painting the far side")
    if isinstance(back, Image):
        said = _sheet(back, window, back.width / front.width)[..., :3]
        far = _joined(painted[..., :3], said, painted[..., 3])
    elif isinstance(back, Twins):
        far = painted[..., :3]
    else:
        far = _softened(painted[..., :3], painted[..., 3])
    texture = np.full((window.height, 2 * window.width, 4), 255, np.uint8)
    texture[:, : window.width, :3] = painted[..., :3]
    texture[:, window.width :, :3] = far
    progress(0.7, "choosing sheets")
    seen = visible_faces(mesh, window.camera(camera))
    progress(1.0)
    opposite = back.points if isinstance(back, Twins) else mesh.vertices
    near, beyond = (
        project(camera, np.asarray(at, np.float64))[0] for at in (mesh.vertices, opposite)
    )
    return _unfold(mesh, (near, beyond), seen, window, Image(texture))


def _window(front: Image, size: int) -> _Window:
    left, top, right, bottom = subject_box(front)
    room = max(size // 2 - 2 * _MARGIN, 1), max(size - 2 * _MARGIN, 1)
    scale = min(1.0, room[0] / (right - left), room[1] / (bottom - top))
    width = min(int(np.ceil((right - left) * scale)) + 2 * _MARGIN, size // 2)
    height = min(int(np.ceil((bottom - top) * scale)) + 2 * _MARGIN, size)
    return _Window(left - _MARGIN / scale, top - _MARGIN / scale, scale, width, height)


def _sheet(picture: Image, window: _Window, factor: float) -> np.ndarray:
    """(H, W, 4) uint8: the window's part of ``picture``, colours carried on beyond the subject.

    ``factor`` is the picture's pixels over those that the window is given in.
    """
    left, top = window.left * factor, window.top * factor
    wide, high = (side / window.scale * factor for side in (window.width, window.height))
    column, row = int(np.floor(left)), int(np.floor(top))
    count = int(np.ceil(high)) + 2, int(np.ceil(wide)) + 2
    part = np.zeros((*count, 4), np.uint8)
    inside = picture.rgba[max(row, 0) : row + count[0], max(column, 0) : column + count[1]]
    y, x = max(-row, 0), max(-column, 0)
    part[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    x0, y0 = left - column, top - row
    box = x0, y0, x0 + wide, y0 + high
    layers = [
        PIL.Image.fromarray(layer).resize(
            (window.width, window.height), PIL.Image.Resampling.BICUBIC, box=box
        )
        for layer in (extend_colors(part), part[..., 3])
    ]
    return np.dstack([np.asarray(layer) for layer in layers])


def _softened(painted: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: the front as the far side's colours.

    Equal to the front at the silhouette, where both meet, and ever softer away from it: shading
    and large areas carry over, a face or writing must not appear twice.
    """
    longest = max(alpha.shape)
    shrink = min(1.0, _SOFT_SIZE / longest)
    small = cv2.resize(painted, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    sigma = _BACK_BLUR * longest * shrink
    soft = cv2.GaussianBlur(small, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return _joined(painted, cv2.resize(soft, alpha.shape[::-1]), alpha)


def _joined(painted: np.ndarray, far: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: the far side, which goes over into the front at the silhouette."""
    away = distance_inside(alpha >= 128)
    weight = np.clip(away / (_RIM * max(alpha.shape)), 0, 1)[..., None]
    mixed: np.ndarray = np.rint(painted * (1 - weight) + far * weight).astype(np.uint8)
    return mixed


def extend_colors(rgba: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: every pixel has the colour of the nearest one that is surely subject.

    Raises:
        InvalidData: nothing is subject.
    """
    solid = rgba[..., 3] >= 128
    if not solid.any():
        raise InvalidData("a sheet of the texture is empty", "give a picture with some alpha")
    opaque = (rgba[..., 3] >= 250).astype(np.uint8)
    sure = distance_inside(opaque > 0) > _EDGE
    if sure.any():
        away = distance_inside(~sure)
        sure |= solid & (away > _EDGE + _THIN)
    else:
        sure = solid
    _, labels = cv2.distanceTransformWithLabels(
        (~sure).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colors = np.zeros((int(labels.max()) + 1, 3), np.uint8)
    colors[labels[sure]] = rgba[sure, :3]
    return colors[labels]


def visible_faces(mesh: Mesh, camera: Camera) -> np.ndarray:
    """(F,) bool: faces that look at the camera, not too grazing, and that nothing hides."""
    points = mesh.vertices.astype(np.float64)
    a, b, c = (points[mesh.faces[:, corner]] for corner in range(3))
    middle = (a + b + c) / 3
    normal, sight = np.cross(b - a, c - a), camera.position - middle
    length = np.linalg.norm(normal, axis=1) * np.linalg.norm(sight, axis=1)
    facing = np.einsum("ij,ij->i", normal, sight) > _GRAZING * length
    # The farthest of the pixels around, for what a pixel spans of a sloping surface.
    nearest = cv2.dilate(rasterize(points, mesh.faces, camera).depth, np.ones((3, 3), np.uint8))
    slack = float(np.ptp(points, axis=0).max()) / max(camera.width, camera.height)
    free = np.zeros(len(middle), bool)
    for corner in (middle, a, b, c):
        free |= _in_sight(0.1 * corner + 0.9 * middle, camera, nearest, slack)
    visible: np.ndarray = facing & free
    return visible


def _in_sight(points: np.ndarray, camera: Camera, nearest: np.ndarray, slack: float) -> np.ndarray:
    pixels, depth = project(camera, points)
    column = np.clip(pixels[:, 0].astype(int), 0, camera.width - 1)
    row = np.clip(pixels[:, 1].astype(int), 0, camera.height - 1)
    seen: np.ndarray = depth <= nearest[row, column] + slack
    return seen


def _unfold(
    mesh: Mesh,
    pixels: tuple[np.ndarray, np.ndarray],
    seen: np.ndarray,
    window: _Window,
    texture: Image,
) -> Mesh:
    """Give each vertex a uv in its faces' sheet; one with faces in both is there twice.

    ``pixels`` are the vertices' (V, 2) in the picture for either sheet.
    """
    keys = 2 * mesh.faces.astype(np.int64) + ~seen[:, None]
    unique, faces = np.unique(keys, return_inverse=True)
    vertex, far = unique // 2, unique % 2
    at = np.where(far[:, None] == 1, pixels[1][vertex], pixels[0][vertex])
    x = np.clip((at[:, 0] - window.left) * window.scale, 1, window.width - 1)
    y = np.clip((at[:, 1] - window.top) * window.scale, 1, window.height - 1)
    uvs = np.stack([(x / window.width + far) / 2, 1 - y / window.height], axis=1)
    return Mesh(mesh.vertices[vertex], faces.reshape(-1, 3), uvs=uvs, texture=texture)
