"""A knot with patches and fine stripes, and the exact pictures that cameras take of it.

Owns the solid that fitting is measured on: a tube about a trefoil whose colour is a formula of the
place on its surface. Must not know splats. Pictures are drawn from a tessellation whose chords stay
within a twentieth of a pixel of the tube at 512 pixels, with the formula's own colour, not the
vertices', at every one of nine samples a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from glimpse3d import coords, mesh_raster
from glimpse3d.types import Camera, Image, Mesh, View

TUBE = 0.075
STEPS, SEGMENTS = 1500, 64
SAMPLES = 3
# Of the whole curve, and of the way around the tube.
PATCHES = (14, 2)
# Periods along the curve: at 256 pixels one is 15 pixels wide where it is seen from the side.
STRIPES = 70
STRIPE_SHADE = 0.75
# Paint, not ink: what fits onto so many splats and pixels depends on the contrast at hard edges.
PALETTE = np.array(
    [
        [185, 105, 101],
        [201, 156, 95],
        [97, 153, 114],
        [111, 136, 176],
        [149, 104, 155],
        [196, 188, 184],
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """The tessellated tube.

    Attributes:
        points: (V, 3) float64, metres, house frame.
        places: (V, 2) float64, where on the tube: turns along the curve and turns around it. The
            last row and column repeat the first ones, so that no triangle crosses a seam.
        faces: (F, 3) int64, counter-clockwise seen from outside.
    """

    points: np.ndarray
    places: np.ndarray
    faces: np.ndarray


@cache
def surface() -> Surface:
    """The knot, longest side about 1."""
    along, around = np.meshgrid(
        np.linspace(0, 1, STEPS + 1), np.linspace(0, 1, SEGMENTS + 1), indexing="ij"
    )
    t = 2 * np.pi * along[:, :1]
    ahead = _curve(t + 1e-5) - _curve(t - 1e-5)
    ahead /= np.linalg.norm(ahead, axis=-1, keepdims=True)
    side = np.cross(ahead, [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side, axis=-1, keepdims=True)
    angle = 2 * np.pi * around[..., None]
    points = _curve(t) + TUBE * (np.cos(angle) * side + np.sin(angle) * np.cross(side, ahead))
    index = np.arange(along.size).reshape(along.shape)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    faces = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, d, b), (a, c, d))])
    places = np.stack([along, around], axis=-1).reshape(-1, 2)
    return Surface(points.reshape(-1, 3), places, faces)


def _curve(t: np.ndarray) -> np.ndarray:
    """(N, 1, 3), the trefoil at angles (N, 1)."""
    ring = 0.3 + 0.12 * np.cos(3 * t)
    return np.stack([ring * np.cos(2 * t), 0.2 * np.sin(3 * t), ring * np.sin(2 * t)], axis=-1)


def color(places: np.ndarray) -> np.ndarray:
    """(N, 3) 0..255 sRGB at (N, 2) places: hard-edged patches, a third of them finely striped."""
    along, around = (np.floor(places * PATCHES).astype(np.int64) % PATCHES).T
    paint = (along * 7 + around * 3 + along * around % 5) % len(PALETTE)
    striped = (paint % 3 == 0) & (np.floor(places[:, 0] * STRIPES * 2) % 2 == 1)
    return PALETTE[paint] * np.where(striped, STRIPE_SHADE, 1.0)[:, None]


def mesh() -> Mesh:
    """The knot as a reconstruction would give it: triangles with colours at their corners."""
    knot = surface()
    rgba = np.concatenate([color(knot.places), np.full((len(knot.points), 1), 255)], axis=1)
    return Mesh(knot.points, knot.faces, colors=np.rint(rgba).astype(np.uint8))


def photograph(camera: Camera) -> View:
    """What ``camera`` sees, straight alpha, the mean of the samples in each pixel."""
    knot = surface()
    finer = np.diag([SAMPLES, SAMPLES, 1.0]) @ camera.K
    size = SAMPLES * camera.width, SAMPLES * camera.height
    raster = mesh_raster.rasterize(
        knot.points, knot.faces, Camera(camera.camera_from_world, finer, *size)
    )
    seen = raster.face >= 0
    places = np.einsum(
        "nk,nkc->nc", raster.barycentric[seen], knot.places[knot.faces[raster.face[seen]]]
    )
    drawn = np.zeros((*seen.shape, 4))
    drawn[seen] = np.concatenate([color(places), np.full((len(places), 1), 255)], axis=1)
    blocks = drawn.reshape(camera.height, SAMPLES, camera.width, SAMPLES, 4)
    mean = blocks.mean(axis=(1, 3))
    mean[..., :3] /= np.maximum(mean[..., 3:], 1e-6) / 255
    return View(Image(np.rint(mean).astype(np.uint8)), camera)


def rig(count: int, size: int) -> list[Camera]:
    """Cameras spread evenly over a band of the sphere, 50 degrees below to 60 above."""
    lens = coords.Lens.from_field_of_view(40, size, size)
    golden = 360 * (1 - 2 / (1 + 5**0.5))
    low, high = np.sin(np.radians([-50, 60]))
    heights = low + (high - low) * (np.arange(count) + 0.5) / count
    # Neighbours in this order stand far apart, so that every n-th camera covers the sphere as well.
    return [
        coords.orbit_camera(golden * index % 360, float(np.degrees(np.arcsin(height))), 1.7, lens)
        for index, height in enumerate(heights)
    ]
