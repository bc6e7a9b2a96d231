"""From a program to one training sample: camera, light, picture, occupancy, back colour.

Owns where the camera stands, how the subject fills the frame and what a sample holds. Must not
know families, the network or files. Angles are radians inside, degrees where a name says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from . import frustum, kernels
from .shapes.program import Program, rotation

SAME_VIEW = 0.7  # share of samples at the usual field of view


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


@dataclass(frozen=True)
class Pose:
    """How a picture is taken; degrees."""

    azimuth: float
    elevation: float
    roll: float
    field_of_view: float


def random_pose(random: np.random.Generator) -> Pose:
    """Mostly near a quarter turn, mostly from a little above, mostly 40 degrees wide."""
    if random.random() < 0.6:
        azimuth = 90 * random.integers(4) + random.uniform(-35, 35)
    else:
        azimuth = random.uniform(0, 360)
    elevation = float(np.clip(random.normal(17, 9), -5, 50))
    usual = random.random() < SAME_VIEW
    view = frustum.FIELD_OF_VIEW if usual else random.uniform(20, 55)
    return Pose(float(azimuth), elevation, float(random.normal(0, 1.5)), float(view))


def random_light(random: np.random.Generator) -> np.ndarray:
    """(kernels.LIGHT,) a key light above, a sky and a ground, for the object's frame."""
    light = np.zeros(kernels.LIGHT)
    turn, height = random.uniform(0, 2 * math.pi), math.radians(random.uniform(20, 80))
    light[kernels.KEY : kernels.KEY + 3] = (
        math.cos(height) * math.cos(turn),
        math.cos(height) * math.sin(turn),
        math.sin(height),
    )
    light[kernels.KEY_STRENGTH] = random.uniform(0.1, 0.9)
    sky = random.uniform(0.6, 1.0)
    light[kernels.SKY : kernels.SKY + 3] = sky * random.uniform(0.9, 1, 3)
    light[kernels.GROUND : kernels.GROUND + 3] = sky * random.uniform(0.1, 0.6) * random.uniform(
        0.85, 1, 3
    )
    light[kernels.EXPOSURE] = random.uniform(0.75, 1.25)
    light[kernels.KEY_SOFTNESS] = random.uniform(2, 10)
    return light


def camera_turn(pose: Pose) -> np.ndarray:
    """(3, 3) columns are the camera's axes (x right, y down, z forward) in the object's frame."""
    azimuth, elevation = math.radians(pose.azimuth), math.radians(pose.elevation)
    forward = -np.array(
        (
            math.cos(elevation) * math.sin(azimuth),
            -math.cos(elevation) * math.cos(azimuth),
            math.sin(elevation),
        )
    )
    right = np.array((math.cos(azimuth), math.sin(azimuth), 0.0))
    down = np.cross(forward, right)
    return np.stack((right, down, forward), axis=1) @ rotation((0, 0, 1), pose.roll)


def extent(solid: kernels.Solid) -> float:
    """Half the side of the cube about the origin that surely holds a solid."""
    centres = np.abs(solid.rows[:, kernels.CENTRE : kernels.CENTRE + 3]).max(axis=1)
    added = solid.rows[:, kernels.OPERATION] == kernels.UNION
    half = float((centres + solid.rows[:, kernels.REACH])[added].max())
    slack = solid.deformation[:3].copy()
    slack[:2] *= half * half
    return half * (1.45 if solid.deformation[kernels.TWIST] else 1) + float(np.abs(slack).max())


def grid_points(half: float) -> np.ndarray:
    """(AREA, AREA, AREA, 3) float64, centres of the coarse grid's cells."""
    axis = ((np.arange(kernels.AREA) + 0.5) / kernels.AREA * 2 - 1) * half
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)


def surface_points(grid: np.ndarray, half: float) -> np.ndarray:
    """(N, 3) points near the surface, from the cells that it passes, moved along the gradient."""
    cell = 2 * half / kernels.AREA
    near = np.abs(grid) < cell
    gradient = np.stack(np.gradient(grid, cell), axis=-1)[near]
    length = np.linalg.norm(gradient, axis=-1, keepdims=True) + 1e-6
    # Where cells straddle thin parts the gradient is short, and such points stay where they are;
    # bent shapes have a short one everywhere, and theirs must move.
    step = np.where(length > 0.2, grid[near][:, None] / length**2, 0)
    step = step.clip(-2.5 * cell, 2.5 * cell)
    return grid_points(half)[near] - gradient * step


def place(grid: np.ndarray, half: float, pose: Pose, fill: float) -> kernels.Pinhole | None:
    """Put the camera so that the subject is centred and fills the frame; None if it is too deep.

    The columns of the answer's ``turn`` are as long as the centroid is away.
    """
    points, turn = surface_points(grid, half), camera_turn(pose)
    if len(points) < 30:
        return None
    local = points @ turn
    share = np.clip(0.5 - grid * (kernels.AREA / (2 * half)), 0, 1)
    centroid = np.tensordot(share, grid_points(half), 3) / share.sum() @ turn
    tangent = frustum.half_tangent(pose.field_of_view)
    low, high = local.min(axis=0), local.max(axis=0)
    eye = (low + high) / 2
    eye[2] = low[2] - (high - low)[:2].max() / (2 * tangent * fill)
    for _ in range(12):
        seen = (local[:, :2] - eye[:2]) / (local[:, 2:] - eye[2])
        left, right = seen.min(axis=0), seen.max(axis=0)
        eye[:2] += (left + right) / 2 * (centroid[2] - eye[2])
        wanted = (right - left).max() / (2 * tangent * fill)
        distance = max(centroid[2] - eye[2], 1e-3) * wanted
        eye[2] = min(centroid[2] - distance, low[2] - 0.02)
    depth = centroid[2] - eye[2]
    near, far = frustum.depth_range(pose.field_of_view)
    if (low[2] - eye[2]) / depth < near or (high[2] - eye[2]) / depth > far:
        return None
    return kernels.Pinhole(turn @ eye, turn * depth, tangent)


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
    solid, half = program.solid(), extent(program.solid())
    grid = kernels.coarse_distance(solid, half)
    scene = kernels.Scene(solid, np.stack(program.materials), random_light(random), grid, half)
    for _ in range(4):
        pose = random_pose(random)
        fill = frustum.FILL * random.uniform(0.96, 1.03)
        camera = place(grid, half, pose, fill)
        if camera is not None:
            return view(scene, camera, pose)
    return None


def view(scene: kernels.Scene, camera: kernels.Pinhole, pose: Pose) -> Sample | None:
    """What ``camera`` sees of ``scene``; None if that is next to nothing."""
    picture = straight(kernels.trace(scene, camera, frustum.IMAGE))
    if (picture[..., 3] > 127).sum() < 300:
        return None
    depths = frustum.bin_depths(pose.field_of_view)
    slopes = frustum.ray_slopes(frustum.GRID, pose.field_of_view)
    unit = float(np.linalg.norm(camera.turn[:, 2]))
    cell = float(depths[1] - depths[0]) * unit
    occupancy = kernels.fill_frustum(scene.solid, camera, slopes, depths, cell)
    back = srgb(kernels.trace_back(scene, camera, frustum.GRID)[..., :3])
    elevation = math.radians(pose.elevation)
    return Sample(picture, occupancy, back, elevation, pose.field_of_view)
