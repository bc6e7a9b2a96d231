"""A cropped picture's rays, cut into layers, and the upright plane through its subject.

Owns the geometry of that grid and of the upright plane in it. Camera space has OpenCV axes (x
right, y down, z forward), the reference depth is 1. Must not know how a field is filled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

# Pixels and layers around the subject.
_MARGIN = 2
# Layers of a block, at most this many times its frustum's resolution; beyond that coarser ones.
_MOST_LAYERS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Frustum:
    """A square picture's rays, and the upright plane through the subject.

    Attributes:
        resolution: pixels along a side.
        field_of_view: degrees.
        elevation: degrees that the camera looks down.
        row: tangent of the row in which the upright plane has depth 1, y down.
    """

    resolution: int
    field_of_view: float
    elevation: float
    row: float = 0.0

    @property
    def pixel(self) -> float:
        """A pixel's width in camera space at depth 1."""
        return 2 * float(np.tan(np.radians(self.field_of_view) / 2)) / self.resolution

    @property
    def K(self) -> np.ndarray:  # noqa: N802  the field's own letter
        """(3, 3) float64 intrinsics of the crop's camera."""
        middle, focal = self.resolution / 2, 1 / self.pixel
        return np.array([[focal, 0, middle], [0, focal, middle], [0, 0, 1.0]])

    def tangents(self, pixels: np.ndarray) -> np.ndarray:
        """x/z or y/z of the rays through columns or rows; centres at integers."""
        return (pixels + 0.5 - self.resolution / 2) * self.pixel

    @property
    def up(self) -> np.ndarray:
        """(3,) the world's up."""
        angle = np.radians(self.elevation)
        return np.array([0.0, -np.cos(angle), -np.sin(angle)])

    @property
    def away(self) -> np.ndarray:
        """(3,) the horizontal direction away from the camera."""
        angle = np.radians(self.elevation)
        return np.array([0.0, -np.sin(angle), np.cos(angle)])

    def through(self, alpha: np.ndarray) -> Frustum:
        """The frustum whose plane has depth 1 in the mean row of what ``alpha`` (N, N) shows."""
        middle = np.average(np.arange(len(alpha)), weights=(alpha >= 0.5).sum(axis=1))
        return replace(self, row=float(self.tangents(np.array(middle))))

    def plane_depths(self, y: np.ndarray) -> np.ndarray:
        """Depth of the upright plane along rays of tangent ``y``."""
        slope = np.tan(np.radians(self.elevation))
        return (1 - self.row * slope) / (1 - y * slope)

    def plane_heights(self, y: np.ndarray) -> np.ndarray:
        """Height over the plane's row of depth 1 where rays of tangent ``y`` meet the plane."""
        depth = self.plane_depths(y)
        heights: np.ndarray = (y * depth - self.row) * self.up[1] + (depth - 1) * self.up[2]
        return heights


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The part of a frustum that a subject can fill: whole pixels, and layers beside the plane.

    Layers run parallel to the upright plane, so that its tilt costs none of them: a layer's depth
    is a factor times the plane's.

    Attributes:
        frustum: where it lies.
        left, top: first column and row.
        alpha: (H, W) float32 0..1 of its pixels.
        nearest: factor of the first layer.
        step: between layers.
        layers: how many.
    """

    frustum: Frustum
    left: int
    top: int
    alpha: np.ndarray
    nearest: float = 1.0
    step: float = 1.0
    layers: int = 1

    @classmethod
    def around(cls, alpha: np.ndarray, frustum: Frustum) -> Block:
        """The subject's pixels in ``alpha`` (N, N), with a margin, one layer deep."""
        solid = alpha >= 0.5
        rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
        padded = np.pad(alpha, _MARGIN)
        inner = padded[rows[0] : rows[-1] + 1 + 2 * _MARGIN]
        inner = inner[:, columns[0] : columns[-1] + 1 + 2 * _MARGIN]
        return cls(frustum, int(columns[0]) - _MARGIN, int(rows[0]) - _MARGIN, inner)

    def reaching(self, nearest: float, farthest: float, step: float) -> Block:
        """The block with layers ``step`` apart from before ``nearest`` to behind ``farthest``."""
        step = max(step, (farthest - nearest) / (_MOST_LAYERS * self.frustum.resolution))
        layers = int(np.ceil((farthest - nearest) / step)) + 2 * _MARGIN + 1
        return replace(self, nearest=nearest - _MARGIN * step, step=step, layers=layers)

    @property
    def x(self) -> np.ndarray:
        """(1, 1, W) tangents of the columns."""
        return self.frustum.tangents(self.left + np.arange(self.alpha.shape[1]))[None, None]

    @property
    def y(self) -> np.ndarray:
        """(1, H, 1) tangents of the rows."""
        return self.frustum.tangents(self.top + np.arange(self.alpha.shape[0]))[None, :, None]

    @property
    def factors(self) -> np.ndarray:
        """(D, 1, 1) depth over that of the plane."""
        return (self.nearest + self.step * np.arange(self.layers))[:, None, None]

    @property
    def depths(self) -> np.ndarray:
        """(D, H, 1)."""
        return self.factors * self.frustum.plane_depths(self.y)

    def points(self, indices: np.ndarray) -> np.ndarray:
        """(N, 3) float64 camera space from (N, 3) grid positions (layer, row, column)."""
        x = self.frustum.tangents(self.left + indices[:, 2])
        y = self.frustum.tangents(self.top + indices[:, 1])
        depth = (self.nearest + self.step * indices[:, 0]) * self.frustum.plane_depths(y)
        return np.stack([x * depth, y * depth, depth], axis=1)
