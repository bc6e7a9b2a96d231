"""Where the camera stands, and how the subject fills its frame.

Owns poses and the fitting of a camera to a solid. Must not know colour or samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from . import distance, frustum
from .shapes.program import rotation

USUAL_VIEW = 0.7  # share of samples at the usual field of view


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
        azimuth = float(90 * random.integers(4) + random.uniform(-35, 35))
    else:
        azimuth = float(random.uniform(0, 360))
    elevation = float(np.clip(random.normal(17, 9), -5, 50))
    usual = random.random() < USUAL_VIEW
    view = frustum.FIELD_OF_VIEW if usual else random.uniform(20, 55)
    return Pose(azimuth, elevation, float(random.normal(0, 1.5)), float(view))


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


def extent(solid: distance.Solid) -> float:
    """Half the side of the cube about the origin that surely holds a solid."""
    centres = np.abs(solid.rows[:, distance.CENTRE : distance.CENTRE + 3]).max(axis=1)
    added = solid.rows[:, distance.OPERATION] == distance.UNION
    half = float((centres + solid.rows[:, distance.REACH])[added].max())
    slack = solid.deformation[:3].copy()
    slack[:2] *= half * half
    return half * (1.45 if solid.deformation[distance.TWIST] else 1) + float(np.abs(slack).max())


def grid_points(half: float) -> np.ndarray:
    """(AREA, AREA, AREA, 3) float64, centres of the coarse grid's cells."""
    axis = ((np.arange(distance.AREA) + 0.5) / distance.AREA * 2 - 1) * half
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)


def surface_points(grid: np.ndarray, half: float) -> np.ndarray:
    """(N, 3) points near the surface, from the cells that it passes, moved along the gradient."""
    cell = 2 * half / distance.AREA
    near = np.abs(grid) < cell
    gradient = np.stack(np.gradient(grid, cell), axis=-1)[near]
    length = np.linalg.norm(gradient, axis=-1, keepdims=True) + 1e-6
    # Where cells straddle thin parts the gradient is short, and such points stay where they are;
    # bent shapes have a short one everywhere, and theirs must move.
    step = np.where(length > 0.2, grid[near][:, None] / length**2, 0)
    step = step.clip(-2.5 * cell, 2.5 * cell)
    return grid_points(half)[near] - gradient * step


def place(grid: np.ndarray, half: float, pose: Pose, fill: float) -> distance.Pinhole | None:
    """Put the camera so that the subject is centred and fills the frame; None if it is too deep.

    The columns of the answer's ``turn`` are as long as the centroid is away.
    """
    points, turn = surface_points(grid, half), camera_turn(pose)
    if len(points) < 30:
        return None
    local = points @ turn
    share = np.clip(0.5 - grid * (distance.AREA / (2 * half)), 0, 1)
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
        away = max(centroid[2] - eye[2], 1e-3) * wanted
        eye[2] = min(centroid[2] - away, low[2] - 0.02)
    depth = centroid[2] - eye[2]
    near, far = frustum.depth_range(pose.field_of_view)
    if (low[2] - eye[2]) / depth < near or (high[2] - eye[2]) / depth > far:
        return None
    return distance.Pinhole(turn @ eye, turn * depth, tangent)


def refine(
    solid: distance.Solid, half: float, camera: distance.Pinhole, fill: float
) -> distance.Pinhole:
    """Move the camera until the outline that it really sees fills the frame.

    Points on a coarse grid miss thin parts and cannot follow what is strongly bent.
    """
    size = frustum.GRID
    every, centre = np.ones((size, size), bool), np.array([[0.5, 0.5]])
    for _ in range(4):
        hits = distance.first_hits(solid, camera, half, every, centre)
        rows, columns = np.nonzero(hits[:, :, 0, distance.FAR_OFF] > 0)
        if len(rows) == 0:
            return camera
        low = np.array((columns.min(), rows.min())) / size
        high = np.array((columns.max() + 1, rows.max() + 1)) / size
        share = (high - low).max() / fill
        middle = (low + high - 1) * camera.tangent
        if abs(share - 1) < 0.04 and np.abs(middle).max() < 0.04 * camera.tangent:
            return camera
        step = np.array((*middle, 1 - share))
        camera = distance.Pinhole(
            camera.eye + camera.turn @ step, camera.turn * share, camera.tangent
        )
    return camera
