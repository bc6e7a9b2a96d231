"""From a program to one training sample: picture, occupancy, colour of the back, elevation.

Owns what a sample holds and how its picture is made. Must not know families, the network or files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from . import distance, frustum, shading
from .camera import Pose, extent, place, random_pose, refine
from .shapes.program import Program

CENTRE = np.array([[0.5, 0.5]])  # of a pixel
QUARTERS = np.array([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]])


@dataclass(frozen=True)
class Sample:
    """What one picture shows and what lies behind it.

    Attributes:
        picture: (IMAGE, IMAGE, 4) uint8 sRGB, straight alpha, black outside.
        occupancy: (GRID, GRID, BINS) uint8, 255 inside, 128 on the surface; row, column, depth.
        back: (GRID, GRID, 3) uint8 sRGB, the far surface; black where no ray meets it.
        elevation: of the camera above the horizon, radians.
        field_of_view: degrees.
    """

    picture: np.ndarray
    occupancy: np.ndarray
    back: np.ndarray
    elevation: float
    field_of_view: float


def random_light(random: np.random.Generator) -> np.ndarray:
    """(shading.LIGHT,) a key light above, a sky and a ground, for the object's frame."""
    light = np.zeros(shading.LIGHT)
    turn, height = random.uniform(0, 2 * math.pi), math.radians(random.uniform(20, 80))
    light[shading.KEY : shading.KEY + 3] = (
        math.cos(height) * math.cos(turn),
        math.cos(height) * math.sin(turn),
        math.sin(height),
    )
    light[shading.KEY_STRENGTH] = random.uniform(0.1, 0.9)
    sky = random.uniform(0.6, 1.0)
    light[shading.SKY : shading.SKY + 3] = sky * random.uniform(0.9, 1, 3)
    light[shading.GROUND : shading.GROUND + 3] = (
        sky * random.uniform(0.1, 0.6) * random.uniform(0.85, 1, 3)
    )
    light[shading.EXPOSURE] = random.uniform(0.75, 1.25)
    light[shading.SHARPNESS] = random.uniform(2, 10)
    return light


def srgb(linear: np.ndarray) -> np.ndarray:
    """uint8 sRGB of linear colour in any range."""
    value = np.clip(linear, 0, 1)
    curve = np.where(value < 0.0031308, 12.92 * value, 1.055 * value ** (1 / 2.4) - 0.055)
    return (curve * 255 + 0.5).astype(np.uint8)


def straight(premultiplied: np.ndarray) -> np.ndarray:
    """(H, W, 4) uint8 sRGB of linear premultiplied colour; black where nothing is."""
    alpha = premultiplied[..., 3:]
    colour = np.where(alpha > 0, premultiplied[..., :3] / np.maximum(alpha, 1e-6), 0)
    return np.concatenate((srgb(colour), (alpha * 255 + 0.5).astype(np.uint8)), axis=-1)


def render(program: Program, random: np.random.Generator) -> Sample | None:
    """One sample of a shape, or None if no camera that was tried can hold it.

    The camera is drawn anew up to four times while the subject is too deep for the grid.
    """
    solid = program.solid()
    half = extent(solid)
    grid = distance.coarse_distance(solid, half)
    light = random_light(random)
    around = shading.Surroundings(np.stack(program.materials), light, grid, half)
    for _ in range(4):
        pose = random_pose(random)
        fill = frustum.FILL * random.uniform(0.96, 1.03)
        camera = place(grid, half, pose, fill)
        if camera is not None:
            made = view(solid, around, refine(solid, half, camera, fill), pose)
            if made is not None:
                return made
    return None


def view(
    solid: distance.Solid, around: shading.Surroundings, camera: distance.Pinhole, pose: Pose
) -> Sample | None:
    """What ``camera`` sees of a solid; None if that is next to nothing, or leaves the grid."""
    picture = straight(photograph(solid, around, camera))
    if (picture[..., 3] > 127).sum() < 300:
        return None
    depths = frustum.bin_depths(pose.field_of_view)
    slopes = frustum.ray_slopes(frustum.GRID, pose.field_of_view)
    unit = float(np.linalg.norm(camera.turn[:, 2]))
    cell = float(depths[1] - depths[0]) * unit
    occupancy = distance.fill_frustum(solid, camera, slopes, depths, cell)
    if max(occupancy[..., 0].max(), occupancy[..., -1].max()) > 127:
        return None
    far = distance.last_hits(solid, camera, around.half, frustum.GRID)
    back = srgb(shading.shade(around, far, camera.eye, True)[..., :3])
    return Sample(picture, occupancy, back, math.radians(pose.elevation), pose.field_of_view)


def photograph(
    solid: distance.Solid, around: shading.Surroundings, camera: distance.Pinhole
) -> np.ndarray:
    """(IMAGE, IMAGE, 4) float32 linear premultiplied colour: one ray a pixel, four at edges."""
    size = frustum.IMAGE
    every = np.ones((size, size), bool)
    hits = distance.first_hits(solid, camera, around.half, every, CENTRE)
    colour = shading.shade(around, hits, camera.eye, False)
    reach = float(np.linalg.norm(camera.eye)) + around.half
    far_off = hits[:, :, 0, distance.FAR_OFF] / (6 * camera.tangent / size * reach)
    edges = differs(np.dstack((colour / 0.06, far_off)))
    fine = distance.first_hits(solid, camera, around.half, edges, QUARTERS)
    return np.where(edges[..., None], shading.shade(around, fine, camera.eye, False), colour)


def differs(values: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels of (H, W, C) that are more than 1 from a neighbour beside or above."""
    found = np.zeros(values.shape[:2], bool)
    for axis in (0, 1):
        jump = (np.abs(np.diff(values, axis=axis)) > 1).any(axis=-1)
        found |= np.pad(jump, [(0, 1) if side == axis else (0, 0) for side in (0, 1)])
        found |= np.pad(jump, [(1, 0) if side == axis else (0, 0) for side in (0, 1)])
    return found
