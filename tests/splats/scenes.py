"""Ten solids of different shape and paint, the views of a rig on them, and clouds of them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from glimpse3d import coords
from glimpse3d.progress import Progress
from glimpse3d.splats.from_mesh import gaussians_from_mesh
from glimpse3d.types import GaussianCloud, Image, Mesh, View
from tests import shapes

COUNT = 10


def paint(points: np.ndarray, seed: int) -> np.ndarray:
    """Colours (N, 3) 0..255, different everywhere."""
    random = np.random.default_rng(seed)
    waves = random.normal(size=(3, 3)) * 5
    smooth = 128 + 80 * np.sin(points @ waves + random.uniform(0, 6, 3))
    odd = np.floor(points / 0.11 + random.random(3)).sum(axis=1) % 2
    return np.clip(smooth + 60 * (odd[:, None] - 0.5), 0, 255)


def bumpy(seed: int) -> Mesh:
    """A turned profile of a random outline, bent: nothing about it is symmetric."""
    random = np.random.default_rng(seed)
    heights = np.linspace(-0.45, 0.45, 90)
    waves = sum(
        random.normal() * 0.07 * np.sin(2 * np.pi * (k * heights + random.random()))
        for k in (1, 2, 3)
    )
    turned = shapes.lathe(np.maximum(0.2 + waves, 0.06), heights)
    points = turned.vertices * random.uniform(0.7, 1.3, 3)
    points[:, 0] += random.uniform(-0.4, 0.4) * points[:, 2] ** 2
    points[:, 1] += random.uniform(-0.4, 0.4) * points[:, 2]
    return replace(turned, vertices=points)


@cache
def solid(index: int) -> Mesh:
    """One of ten, centred, longest side 1 metre; its vertices carry its paint."""
    plain = [
        shapes.vase, shapes.knot, shapes.sphere,
        lambda: shapes.box(0.9, 0.5, 0.4, 40), lambda: shapes.box(0.4, 0.4, 1.0, 40),
    ]  # fmt: skip
    mesh = plain[index]() if index < len(plain) else bumpy(index)
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    points = (mesh.vertices - (low + high) / 2) / (high - low).max()
    colors = np.concatenate([paint(points, index), np.full((len(points), 1), 255)], axis=1)
    return Mesh(points, mesh.faces, colors=colors.astype(np.uint8))


@cache
def cloud(index: int, count: int = 10_000) -> GaussianCloud:
    return gaussians_from_mesh(solid(index), count, 0, Progress())


@cache
def views(index: int) -> tuple[View, ...]:
    """The rig's sixteen views, drawn from the triangles, not from splats."""
    mesh = solid(index)
    return tuple(
        View(shapes.photograph(mesh, camera, lambda points: paint(points, index)), camera)
        for camera in coords.syncdreamer_rig()
    )


def disturbed(view: View, random: np.random.Generator, pixels: float = 2.0) -> View:
    """The picture moved by so many pixels in any direction, under a colour cast."""
    angle = random.uniform(0, 2 * np.pi)
    right, down = np.rint(pixels * np.array([np.cos(angle), np.sin(angle)])).astype(int)
    rgba = np.roll(view.image.rgba, (down, right), axis=(0, 1)).astype(np.float64)
    gain, offset = random.uniform(0.8, 1.2, 3), random.uniform(-20, 20, 3)
    rgba[..., :3] = np.clip(rgba[..., :3] * gain + offset, 0, 255)
    return View(Image(np.rint(rgba).astype(np.uint8)), view.camera)
