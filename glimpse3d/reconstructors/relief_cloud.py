"""The points that ``relief`` builds on: the front that is seen, a back, and the sides between.

Owns where they lie and which way they face. All is camera space: OpenCV axes (x right, y down, z
forward), in the depth's own unit. Must not know meshes, nor who estimated the depth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage
import skimage.measure

from .. import oriented_points
from ..distance import distance_inside
from ..types import Depth
from .relief import ReliefSettings
from .relief_depth import intrinsics, sight, subject_width, upright_away

# Crop pixels beside the outline whose depth is not taken: estimates mix subject and background.
_RIM = 2.0
# Quantile of the front's distances that a flat back lies behind.
_DEEPEST = 0.995
# Pixels that the front is carried on beyond the outline: smoothing rounds its edge, and what is
# left of the excess the silhouette cuts off.
_GROWN = 2.0
# Points that a plane is fitted to.
_AROUND = 16
# Depth over width of what is carried on: steeper is an edge between two things.
_STEEPEST = 6.0
# Pixels along the side of the window whose median tells a stray point. A surface at a grazing angle
# passes it, though its points lie far apart.
_WINDOW = 5
# Pixels that are a surface, at least.
_LEAST = 64


@dataclass(frozen=True, slots=True, eq=False)
class OrientedCloud:
    """Points of a surface and its outward normals.

    Attributes:
        points: (N, 3) float64.
        normals: (N, 3) float64, unit.
    """

    points: np.ndarray
    normals: np.ndarray

    @classmethod
    def joined(cls, parts: list[OrientedCloud]) -> OrientedCloud:
        """All points of all parts."""
        return cls(
            np.concatenate([part.points for part in parts]),
            np.concatenate([part.normals for part in parts]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Closing:
    """Where the object ends behind what is seen of it.

    Distances are along the horizon, away from the camera: what stands upright has an upright back.

    Attributes:
        away: (3,) unit, that direction.
        plane: distance of the plane that mirrors, or of the flat back.
        mirrored: which of them.
        least: how thick is what has no room before the plane.
    """

    away: np.ndarray
    plane: float
    mirrored: bool
    least: float

    @classmethod
    def of(
        cls, front: np.ndarray, outlines: list[np.ndarray], width: float, settings: ReliefSettings
    ) -> _Closing:
        """For (N, 3) points of the front and lists of (M, 3) points on its outlines."""
        away = upright_away(settings.elevation)
        half = settings.thickness * width / 2
        near, far = np.quantile(front @ away, [1 - _DEEPEST, _DEEPEST])
        if settings.back == "flat":
            return cls(away, float(far) + half, False, half)
        # At the outline the front has turned away, and the sides begin; but what shows its top to
        # the camera shows its depth as well, and its middle is in the middle of that.
        turned = float(np.median(np.concatenate(outlines) @ away))
        return cls(away, max(turned + half, (near + far) / 2), True, half)

    def thickness(self, front: np.ndarray) -> np.ndarray:
        """(N,) how far behind points of the front (N, 3) the back is."""
        room = self.plane - front @ self.away
        found: np.ndarray = np.maximum(2 * room if self.mirrored else room, self.least)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """What is seen, as a grid.

    Attributes:
        z: (H, W) float64 depth, carried on beyond the subject.
        K: (3, 3) float64.
    """

    z: np.ndarray
    K: np.ndarray

    def lifted(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """(N, 3) float64: where the middles of pixels lie."""
        pixels = np.column_stack([columns, rows]) + 0.5
        found: np.ndarray = sight(pixels, self.K) * self.z[rows, columns, None]
        return found


def closed_cloud(depth: Depth, alpha: np.ndarray, settings: ReliefSettings) -> OrientedCloud:
    """The subject's front, what closes it behind, and the sides between.

    Args:
        depth: METRIC or RELATIVE, known on the subject only.
        alpha: (H, W) uint8 of the same grid.
        settings: of the lens, stray points, back and sides.

    Raises:
        InvalidData: too little of the depth is known.
    """
    beyond = pixels_beyond(alpha)
    scene = _scene(depth, beyond, intrinsics(depth, settings), settings.outliers)
    front = _front(scene, beyond <= _GROWN)
    outlines = [_outline(each, scene) for each in skimage.measure.find_contours(beyond, _GROWN)]
    width = subject_width(depth.valid, scene.K) * float(np.median(front.points[:, 2]))
    closing = _Closing.of(front.points, [each.points for each in outlines], width, settings)
    back = _back(front, closing)
    return OrientedCloud.joined([front, back, *(_side(each, closing, scene) for each in outlines)])


def seen_cloud(depth: Depth, alpha: np.ndarray, settings: ReliefSettings) -> OrientedCloud:
    """The subject's front alone, stray points replaced; arguments as ``closed_cloud``."""
    beyond = pixels_beyond(alpha)
    scene = _scene(depth, beyond, intrinsics(depth, settings), settings.outliers)
    return _front(scene, beyond < 0)


def pixels_beyond(alpha: np.ndarray) -> np.ndarray:
    """(H, W) float32 pixels from the outline, negative inside."""
    solid = alpha >= 128
    return distance_inside(~solid) - distance_inside(solid) + np.where(solid, 0.5, -0.5)


def _scene(depth: Depth, beyond: np.ndarray, K: np.ndarray, deviations: float) -> _Scene:
    """The depth without stray pixels, carried on beyond the outline."""
    inner = depth.valid & (beyond < -_RIM)
    if inner.sum() < _LEAST:
        inner = depth.valid
    z = depth.z.astype(np.float64)
    smooth = scipy.ndimage.median_filter(z[_nearest(inner)], _WINDOW)
    off = np.abs(z - smooth)
    # A normal deviation is 1.48 medians of the error; less than a pixel's width is no error.
    pixel = float(np.median(z[inner])) / K[0, 0]
    usual = max(1.4826 * float(np.median(off[inner])), pixel)
    return _Scene(_carried_on(z, inner & (off <= deviations * usual), pixel), K)


def _nearest(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns (H, W) of the nearest pixel that is known."""
    rows, columns = scipy.ndimage.distance_transform_edt(
        ~known, return_distances=False, return_indices=True
    )
    return rows, columns


def _carried_on(z: np.ndarray, known: np.ndarray, pixel: float) -> np.ndarray:
    """(H, W) depth, where it is unknown continued with the slope that it has beside.

    Through the nearest known pixel a surface goes on as it came: inverse depth, in which planes are
    linear, is reflected there.
    """
    edge, here = np.stack(_nearest(known)), np.indices(z.shape)
    inverse = 1 / z[tuple(edge)]
    limits = np.array(z.shape)[:, None, None] - 1
    beside = inverse[tuple(np.clip(2 * edge - here, 0, limits))]
    steps = np.minimum(np.hypot(*(edge - here)), 2 * _GROWN + _RIM)
    most = np.minimum(_STEEPEST * pixel * steps * inverse**2, inverse / 2)
    change = np.clip(inverse - beside, -most, most)
    return np.asarray(1 / (inverse + change))


def _front(scene: _Scene, wanted: np.ndarray) -> OrientedCloud:
    """What is seen in the pixels that are wanted (H, W)."""
    points = scene.lifted(*np.nonzero(wanted))
    return OrientedCloud(points, oriented_points.normals(points, np.zeros(3), _AROUND))


def _back(front: OrientedCloud, closing: _Closing) -> OrientedCloud:
    away = closing.away
    points = front.points + closing.thickness(front.points)[:, None] * away
    if not closing.mirrored:
        return OrientedCloud(points, np.broadcast_to(away, points.shape))
    return OrientedCloud(points, front.normals - 2 * (front.normals @ away)[:, None] * away)


def _outline(line: np.ndarray, scene: _Scene) -> OrientedCloud:
    """A closed line (N, 2) of rows and columns, as deep as the front is there, facing outward."""
    line = line[:-1]
    rows, columns = np.rint(line).astype(int).T
    pixels = line[:, ::-1] + 0.5
    ahead, behind = (sight(np.roll(pixels, step, axis=0), scene.K) for step in (-1, 1))
    rays = sight(pixels, scene.K)
    outward = np.cross(rays, ahead - behind)
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-12)
    return OrientedCloud(rays * scene.z[rows, columns, None], outward)


def _side(outline: OrientedCloud, closing: _Closing, scene: _Scene) -> OrientedCloud:
    """A wall from the outline straight back to where the back begins."""
    thickness = closing.thickness(outline.points)
    outward = outline.normals - (outline.normals @ closing.away)[:, None] * closing.away
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-12)
    step = float(np.median(scene.z)) / scene.K[0, 0]
    count = min(int(np.ceil(thickness.max() / step)), 2 * len(scene.z))
    rows = [
        OrientedCloud(outline.points + part * thickness[:, None] * closing.away, outward)
        for part in (np.arange(count) + 0.5) / count
    ]
    return OrientedCloud.joined(rows)
