"""Solids seen by a camera, with the depth that an estimator would have to find."""

from dataclasses import dataclass

import numpy as np

from glimpse3d import mesh_raster
from glimpse3d.types import Camera, Depth, DepthKind, Image, Mesh
from tests import shapes

WALL = 1.2  # metres, the depth of a background that is nearer than much of the subject


@dataclass(frozen=True)
class View:
    """A cut-out, and its exact depth in front of a wall."""

    cutout: Image
    metric: Depth
    camera: Camera

    @property
    def disparity(self) -> Depth:
        """As MiDaS gives it: of unknown scale and shift, and below 0 in places."""
        return Depth(3 / self.metric.values - 2.0, DepthKind.DISPARITY)


def view(mesh: Mesh, camera: Camera) -> View:
    z = mesh_raster.rasterize(mesh.vertices, mesh.faces, camera).depth
    metric = Depth(np.where(np.isfinite(z), z, WALL), DepthKind.METRIC)
    return View(shapes.photograph(mesh, camera), metric, camera)


def with_noise(depth: Depth, share: float, stray: float, seed: int = 0) -> Depth:
    """Normal noise, ``share`` of the depth's range, and a part of all pixels quite wrong."""
    chance = np.random.default_rng(seed)
    low, high = depth.values.min(), depth.values.max()
    values = depth.values + share * (high - low) * chance.normal(size=depth.values.shape)
    wrong = chance.random(values.shape) < stray
    values[wrong] = chance.uniform(low, high, wrong.sum())
    return Depth(values, depth.kind, depth.camera, depth.valid)
