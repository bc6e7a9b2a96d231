"""From scene codes to a coloured surface, many times faster than asking at every grid point.

Owns the decoder on a grid: its first layer is linear, and so is sampling the planes; hence it is
applied to the planes once, and a grid point's first layer is the sum of three table rows. Must
not know how the points are chosen, nor the house frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ... import coarse_to_fine
from ...coarse_to_fine import Extraction, Grid
from ...errors import InvalidData, InvalidSettings
from ...progress import Progress
from ...types import Mesh
from . import CUBES, torch_cubes

if TYPE_CHECKING:
    from .network import TripoSR


class GridDensity:
    """Raw density at the points of a grid over the box.

    Args:
        planes: (3, F, H, W) float32 scene codes.
        layers: of the decoder: linear layers with activations between them.
        resolution: grid points along each axis; the tables take 768 bytes times its square.
        points_at_once: decoded in one go.
    """

    def __init__(
        self, planes: Tensor, layers: nn.Sequential, resolution: int, points_at_once: int
    ) -> None:
        linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
        self._activation = layers[1]
        self._hidden = linear[1:-1]
        self._last = linear[-1].weight[0], linear[-1].bias[0]
        self._points_at_once = points_at_once
        self._resolution = resolution
        self._tables = _tables(planes, linear[0], resolution)

    @torch.no_grad()
    def __call__(self, indices: np.ndarray) -> np.ndarray:
        """(N,) float32 at grid points (N, 3) int64."""
        x, y, z = torch.from_numpy(np.ascontiguousarray(indices.T)).to(self._tables[0].device)
        rows = [first * self._resolution + second for first, second in ((x, y), (x, z), (y, z))]
        found = torch.empty(len(x), device=x.device)
        for start in range(0, len(x), self._points_at_once):
            part = slice(start, start + self._points_at_once)
            found[part] = self._decoded([each[part] for each in rows])
        return found.cpu().numpy()

    def _decoded(self, rows: list[Tensor]) -> Tensor:
        values = self._tables[0][rows[0]]
        values += self._tables[1][rows[1]]
        values += self._tables[2][rows[2]]
        for layer in self._hidden:
            values = layer(self._activated(values))
        weight, bias = self._last
        return self._activated(values) @ weight + bias

    def _activated(self, values: Tensor) -> Tensor:
        # In place: memory, not arithmetic, is what a small perceptron waits for.
        if isinstance(self._activation, nn.SiLU):
            return functional.silu(values, inplace=True)
        return self._activation(values)


@torch.no_grad()
def _tables(planes: Tensor, first: nn.Linear, resolution: int) -> list[Tensor]:
    """Three (R * R, neurons) tables: what each plane adds to the first layer at a pair of indices.

    Points outside the texels' centres fade to 0, as in ``triplane.sample``; the bias comes after.
    """
    along = torch.linspace(-1, 1, resolution, device=planes.device)
    grid = torch.stack(torch.meshgrid(along, along, indexing="ij"), dim=-1)[None]
    tables = []
    for plane, weight in zip(planes, first.weight.chunk(3, dim=1), strict=True):
        folded = torch.einsum("nf,fhw->nhw", weight, plane)[None]
        fine = functional.grid_sample(folded, grid, align_corners=False)[0]
        tables.append(fine.flatten(1).T.contiguous())
    tables[0] += first.bias
    return tables


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which surface.

    Attributes:
        resolution: samples along a side of the box.
        threshold: of the density.
        interpolation: ``log`` or ``density``.
        cubes: whose marching cubes: ``own``, or ``torchmcubes`` as in the published implementation.
    """

    resolution: int = 256
    threshold: float = 25.0
    interpolation: str = "log"
    cubes: str = "own"

    def __post_init__(self) -> None:
        if not self.threshold > 0:
            raise InvalidData("the threshold of a density is above 0", "25 is what was published")
        if self.cubes not in CUBES:
            raise InvalidSettings("cubes", f"must be one of {', '.join(CUBES)}")


def extract(
    network: TripoSR, planes: Tensor, wanted: Wanted, progress: Progress | None = None
) -> Mesh:
    """The surface where the density is ``wanted.threshold``, with colours at its vertices.

    Own cubes with ``interpolation="log"`` close it everywhere. ``"density"`` repeats the published
    implementation, vertex by vertex: there the surface is open where it leaves the box.

    Args:
        network: of its decoder.
        planes: (3, F, H, W) scene codes on the network's device.
        wanted: resolution, threshold and way.
        progress: told of each batch of points.

    Returns:
        in the model's own frame; colours sRGB, opaque.

    Raises:
        NoForeground: the density stays below the threshold.
        InvalidData: the codes are not finite.
        BackendUnavailable: ``torchmcubes`` is asked for and not installed.
    """
    how = Extraction(
        level=math.log(wanted.threshold) - network.sizes.density_bias,
        interpolation=wanted.interpolation,
        closed=wanted.interpolation == "log",
    )
    side = float(network.sizes.radius)
    grid = Grid(wanted.resolution, (-side,) * 3, (side,) * 3)
    if wanted.cubes == "torchmcubes":
        torch_cubes.load()  # before anything is computed
    density = GridDensity(planes, network.decoder.layers, wanted.resolution, network.points_at_once)
    if wanted.cubes == "torchmcubes":
        vertices, faces = torch_cubes.extract(density, grid, how, progress or Progress())
    else:
        surface = coarse_to_fine.extract(density, grid, how, progress)
        vertices, faces = surface.vertices, surface.faces
    return Mesh(vertices, faces, colors(network, planes, vertices))


def colors(network: TripoSR, planes: Tensor, points: np.ndarray) -> np.ndarray:
    """(N, 4) uint8 sRGB, opaque, at points (N, 3) of the model's frame."""
    _, found = network.query(planes, points.astype(np.float32))
    opaque = np.full((len(points), 4), 255, np.uint8)
    opaque[:, :3] = np.rint(found.cpu().numpy() * 255)
    return opaque
