"""The camera that took the picture, found from the object's outline.

Owns the search. The model never says from where it thinks that it sees the object: it was trained
on many lenses and heights and undoes them silently. So the height is tried out, and for each the
lens follows from the outline's box. Must not know the model.
"""

from __future__ import annotations

import numpy as np

from ...coords import Lens, orbit_camera, project
from ...mesh_raster import rasterize
from ...types import Camera, Image, Mesh
from . import picture

# Units of the model's frame: where its training cameras stood.
DISTANCE = 1.9
# Degrees: heights that people photograph things from, and how fine the last look is.
_HEIGHTS = np.arange(-20.0, 61.0, 10.0)
_STEPS = (5.0, 2.5, 1.25)
# Pixels along the longer side of the box in which outlines are compared.
_SIZE = 96
# Degrees above the horizon that most pictures of things are taken from, and the likeness that
# each degree away from there has to earn: a ball looks the same from everywhere.
_USUAL = 10.0
_UNUSUAL = 5e-4


def fit(mesh: Mesh, cutout: Image, distance: float) -> Camera:
    """The camera at azimuth 0 whose outline of the mesh is most like the cut-out's.

    Args:
        mesh: house frame, centred.
        cutout: as the reconstructor got it.
        distance: of the camera to the centre, in the mesh's unit.

    Returns:
        on the cut-out's pixel grid; the boxes around the two outlines are one.
    """
    outline = _Outline(cutout)
    scores = {height: outline.likeness(mesh, height, distance) for height in _HEIGHTS}
    best = max(scores, key=lambda height: scores[height])
    for step in _STEPS:
        for height in (best - step, best + step):
            scores[height] = outline.likeness(mesh, height, distance)
        best = max(scores, key=lambda height: scores[height])
    return outline.camera(mesh, float(best), distance)


class _Outline:
    """The cut-out's own outline, and cameras that put a mesh into its box."""

    def __init__(self, cutout: Image) -> None:
        self.size = cutout.width, cutout.height
        left, top, right, bottom = picture.window(cutout.rgba)
        self.box = np.array([left, top, right + 1, bottom + 1], float)
        self.solid = cutout.rgba[..., 3] >= 128

    def camera(self, mesh: Mesh, height: float, distance: float) -> Camera:
        """At that height, its lens moved and scaled so that the mesh fills the box."""
        base = orbit_camera(0.0, height, distance, Lens(1.0, 2, 2))
        pixels, _ = project(base, np.asarray(mesh.vertices, np.float64))
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        sides = self.box[2:] - self.box[:2]
        # One focal length for both directions: the one under which the boxes' areas agree.
        scale = float(np.sqrt(np.prod(sides) / np.prod(high - low)))
        shift = (self.box[:2] + self.box[2:]) / 2 - scale * (low + high) / 2
        into = np.array([[scale, 0, shift[0]], [0, scale, shift[1]], [0, 0, 1.0]])
        return Camera(base.camera_from_world, into @ base.K, *self.size)

    def likeness(self, mesh: Mesh, height: float, distance: float) -> float:
        """Intersection over union of the two outlines, 0..1, less a little for odd heights."""
        camera = self.camera(mesh, height, distance)
        shrink = _SIZE / float((self.box[2:] - self.box[:2]).max())
        margin = _SIZE // 8
        left, top = self.box[:2] * shrink - margin
        columns, rows = np.ceil((self.box[2:] - self.box[:2]) * shrink).astype(int) + 2 * margin
        into = np.array([[shrink, 0, -left], [0, shrink, -top], [0, 0, 1.0]])
        small = Camera(camera.camera_from_world, into @ camera.K, int(columns), int(rows))
        drawn = rasterize(mesh.vertices, mesh.faces, small).face >= 0
        x = np.floor((np.arange(columns) + 0.5 + left) / shrink).astype(int)
        y = np.floor((np.arange(rows) + 0.5 + top) / shrink).astype(int)
        inside = np.ix_((y >= 0) & (y < self.size[1]), (x >= 0) & (x < self.size[0]))
        wanted = np.zeros_like(drawn)
        wanted[inside] = self.solid[
            np.ix_(y[_within(y, self.size[1])], x[_within(x, self.size[0])])
        ]
        shared = float((drawn & wanted).sum() / max(int((drawn | wanted).sum()), 1))
        return shared - _UNUSUAL * abs(height - _USUAL)


def _within(indices: np.ndarray, count: int) -> np.ndarray:
    found: np.ndarray = (indices >= 0) & (indices < count)
    return found
