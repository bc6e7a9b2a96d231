"""What ``triposr`` does, step by step: picture, codes, surface, house frame, colours, camera.

Owns the order of the steps and the way from the model's frame to the house's. Must not know
presets or other reconstructors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from ... import unwrap
from ...cleaning import Cleaning, clean
from ...coords import HOUSE_FROM_FRONT_X
from ...progress import Progress
from ...stages import Detail
from ...types import Image, Mesh, Reconstruction
from . import camera, extraction, picture
from .backend import TripoSRSettings

if TYPE_CHECKING:
    from .network import TripoSR


def reconstruct(
    network: TripoSR, cutout: Image, settings: TripoSRSettings, detail: Detail, progress: Progress
) -> Reconstruction:
    """See ``stages.Reconstructor``.

    Raises:
        NoForeground: the cut-out is empty, or the network sees nothing solid in it.
    """
    with progress.stage("encode", share=0.6) as part:
        codes = network.encode(picture.prepare(cutout.rgba), part)
    with progress.stage("surface", share=0.2) as part:
        bare = _surface(network, codes, settings, detail, part)
    with progress.stage("colour", share=0.15) as part:
        painted = _painted(network, codes, bare, detail.texture_size * settings.texture, part)
    placement = place(painted.vertices)
    mesh = placement.mesh(painted)
    with progress.stage("camera", share=0.05):
        taken = camera.fit(mesh, cutout, camera.DISTANCE * placement.scale)
    return Reconstruction(mesh, taken)


def _surface(
    network: TripoSR, codes: Tensor, settings: TripoSRSettings, detail: Detail, progress: Progress
) -> Mesh:
    """In the model's frame, extracted and cleaned; no colours yet."""
    faces = detail.faces
    if settings.texture and 0 < settings.texture_faces < faces:
        faces = settings.texture_faces
    wanted = Cleaning(settings.floaters, settings.largest_only, settings.smoothing, faces)
    with progress.stage("extract", share=0.6) as part:
        how = (settings.resolution, settings.threshold, settings.interpolation)
        found = network.extract_mesh(codes, *how, part, settings.cubes)
    with progress.stage("clean", share=0.4) as part:
        return Mesh(*clean(found.vertices, found.faces, wanted, part))


def _painted(
    network: TripoSR, codes: Tensor, bare: Mesh, texture_size: int, progress: Progress
) -> Mesh:
    """With a texture of that size, or with colours at the vertices if it is 0."""
    if not texture_size:
        return Mesh(bare.vertices, bare.faces, extraction.colors(network, codes, bare.vertices))

    def colors(points: np.ndarray) -> np.ndarray:
        found: np.ndarray = network.query(codes, points)[1].cpu().numpy()
        return found

    return unwrap.textured(bare, colors, texture_size, progress)


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """The model's frame to the house's: turn by a quarter, centre, scale.

    Attributes:
        middle: (3,) float64 of the box around the turned object.
        scale: metres a unit of the model's frame.
    """

    middle: np.ndarray
    scale: float

    def mesh(self, of_model: Mesh) -> Mesh:
        """The mesh in the house frame, all else as it was."""
        turned = of_model.vertices.astype(np.float64) @ HOUSE_FROM_FRONT_X.T
        placed = (turned - self.middle) * self.scale
        return Mesh(placed, of_model.faces, of_model.colors, of_model.uvs, of_model.texture)


def place(vertices: np.ndarray) -> Placement:
    """Where (V, 3) vertices of the model's frame go: centred on the origin, longest side 1."""
    turned = vertices.astype(np.float64) @ HOUSE_FROM_FRONT_X.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    return Placement((low + high) / 2, 1 / float((high - low).max()))
