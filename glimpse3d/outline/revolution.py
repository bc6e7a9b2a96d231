"""Turned things: the upright solid of revolution whose silhouette is the given one.

Owns the profile and how well it fits. Must not know pictures or meshes.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..distance import distance_inside
from .frustum import Block, Frustum

# The solid is taken where its silhouette covers the picture's with at least this IoU.
FITS = 0.95
# Part of the silhouette that may go when tips are taken away: the jitter of its pixels.
_SPARE = 0.001
_ANGLES = 64
# Drawn polygons cover their outline's pixels: pixels of a finer grid are less of an excess.
_FINER = 4
_RADIUS_STEP = 1.0
# Pixels. A turned solid's silhouette may differ by that much from the true one; what is left out
# beyond it is a part of its own, and reaches as far into the solid that it hangs on.
_JITTER = 1.5
# Degrees. A picture taken from less far above or below shows no ring's curve: a flat thing with
# a symmetric outline and a turned one look alike.
_LEAST_ELEVATION = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Radius over height, both in camera space at depth 1.

    Attributes:
        column: tangent of the axis' column.
        heights: (N,) float64, rising, 0 where the axis has depth 1.
        radii: (N,) float64, 0 where the axis is bare.
    """

    column: float
    heights: np.ndarray
    radii: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Turned:
    """A solid of revolution: its profile, and the upright frustum in which that was found."""

    frustum: Frustum
    profile: Profile


def found(frustum: Frustum, alpha: np.ndarray, asked: str) -> Turned | None:
    """The turned thing that a silhouette shows, if it shows one.

    Args:
        frustum: through the silhouette.
        alpha: (N, N) float32 0..1.
        asked: auto; always, whether it fits or not; never.
    """
    level = abs(frustum.elevation) < _LEAST_ELEVATION
    if asked == "never" or (asked == "auto" and level):
        return None
    profile = fit(frustum, alpha)
    if not profile.radii.any():
        return None
    fits = agreement(frustum, alpha, profile) >= FITS
    return Turned(frustum, trim(frustum, profile)) if fits or asked == "always" else None


def _rings(frustum: Frustum, column: float, heights: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """(..., angles, 3) float64 points of rings around the axis; shapes broadcast."""
    angle = np.linspace(0, 2 * np.pi, _ANGLES, endpoint=False)
    middle = np.array([column, frustum.row, 1.0])
    ring = np.cos(angle)[:, None] * [1.0, 0, 0] + np.sin(angle)[:, None] * frustum.away
    return middle + heights[..., None, None] * frustum.up + radii[..., None, None] * ring


def _pixels(frustum: Frustum, points: np.ndarray) -> np.ndarray:
    """(..., 2) float32 pixels (x, y), centres at integers."""
    pixels = points[..., :2] / points[..., 2:] / frustum.pixel + (frustum.resolution - 1) / 2
    return pixels.astype(np.float32)


def fit(frustum: Frustum, alpha: np.ndarray) -> Profile:
    """For every height the largest ring that stays inside the silhouette.

    Args:
        frustum: its ``row`` is a row of the subject.
        alpha: (N, N) float32 0..1 of the whole crop.
    """
    solid = alpha >= 0.5
    columns, rows = np.flatnonzero(solid.any(axis=0)), np.flatnonzero(solid.any(axis=1))
    column = float(frustum.tangents(np.array((columns[0] + columns[-1]) / 2)))
    ends = frustum.plane_heights(frustum.tangents(rows[[-1, 0]] + np.array([0.5, -0.5])))
    heights = np.linspace(float(ends[0]), float(ends[1]), int(1.5 * len(rows)) + 2)
    widest = (columns[-1] - columns[0]) / 2 + 3
    radii = np.arange(0.0, widest, _RADIUS_STEP) * frustum.pixel
    rings = _rings(frustum, column, heights[:, None], radii[None])
    flat = _pixels(frustum, rings).reshape(-1, _ANGLES, 2)
    covered = _sample(alpha, flat).min(axis=1).reshape(len(heights), len(radii)) - 0.5
    inside = np.logical_and.accumulate(covered >= 0, axis=1)
    last = np.maximum(inside.sum(axis=1) - 1, 0)
    each, after = np.arange(len(heights)), np.minimum(last + 1, len(radii) - 1)
    here, there = covered[each, last], covered[each, after]
    part = np.where(there < here, here / np.maximum(here - there, 1e-9), 0.0)
    found = (last + np.clip(part, 0, 1)) * _RADIUS_STEP * frustum.pixel
    return Profile(column, heights, np.where(inside[:, 0], found, 0.0))


def _sample(alpha: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Bilinear alpha at (N, M, 2) pixels (x, y), centres at integers; 0 outside."""
    parts = [
        cv2.remap(alpha, part[..., 0], part[..., 1], cv2.INTER_LINEAR, borderValue=0.0)
        for part in np.array_split(pixels, len(pixels) // 30_000 + 1)
    ]
    return np.concatenate(parts)


def agreement(frustum: Frustum, alpha: np.ndarray, profile: Profile) -> float:
    """IoU of the solid's silhouette with the given one."""
    given, turned = _fine(alpha) >= 0.5, _lowest_rings(frustum, profile) >= 0
    return float((given & turned).sum() / max((given | turned).sum(), 1))


def _fine(alpha: np.ndarray) -> np.ndarray:
    """Alpha on the grid on which silhouettes are compared."""
    return cv2.resize(alpha, None, fx=_FINER, fy=_FINER, interpolation=cv2.INTER_LINEAR)


def _lowest_rings(frustum: Frustum, profile: Profile) -> np.ndarray:
    """(M, M) int32 on the fine grid: the lowest ring that covers a pixel, -1 for none."""
    drawn = np.full((_FINER * frustum.resolution,) * 2, -1, np.int32)
    rings = _rings(frustum, profile.column, profile.heights, profile.radii)
    corners = (_pixels(frustum, rings) + 0.5) * _FINER - 0.5
    corners = np.rint(corners * 16).astype(np.int32)
    for index in np.flatnonzero(profile.radii > 0)[::-1]:
        cv2.fillConvexPoly(drawn, corners[index], int(index), lineType=cv2.LINE_8, shift=4)
    return drawn


def trim(frustum: Frustum, profile: Profile) -> Profile:
    """Take away the tips that the silhouette allows but does not show.

    Seen from above, a cone on a can's lid hides within the lid's own outline, and so does one
    below its bottom. The solid ends where the silhouette would begin to shrink, flat, or in a
    dome if the profile is on the way to one.
    """
    lowest = _lowest_rings(frustum, profile)
    upside_down = Profile(profile.column, profile.heights[::-1], profile.radii[::-1])
    highest = _lowest_rings(frustum, upside_down)
    count = len(profile.radii)
    highest = np.where(highest >= 0, count - 1 - highest, -1)
    spare = _SPARE * (lowest >= 0).sum()
    needed = (
        np.sort(lowest[lowest >= 0])[::-1][int(spare)],
        np.sort(highest[highest >= 0])[int(spare)],
    )
    radii = _end(profile.heights, profile.radii, int(needed[0]))
    radii = _end(-profile.heights[::-1], radii[::-1], count - 1 - int(needed[1]))[::-1]
    return Profile(profile.column, profile.heights, radii)


def _end(heights: np.ndarray, radii: np.ndarray, last: int) -> np.ndarray:
    """The radii without those after ``last``, but for a dome if one fits under them.

    Of a ball, the square of the radius falls to 0 in a straight line, near enough.
    """
    squares, rest = radii**2, np.zeros_like(radii)
    rest[: last + 1] = radii[: last + 1]
    before = int(np.searchsorted(heights, heights[last] - radii[last] / 2))
    before = min(before, max(last - 3, 0))
    slope = (squares[last] - squares[before]) / max(heights[last] - heights[before], 1e-12)
    dome = squares[last] + slope * (heights - heights[last])
    above = np.arange(len(radii)) > last
    if slope < 0 and (dome[above & (radii > 0)] < 0).any():
        rest[above] = np.minimum(np.sqrt(np.maximum(dome, 0)), radii)[above]
    return rest


def depths(frustum: Frustum, profile: Profile) -> tuple[float, float]:
    """The solid's least and greatest depth."""
    rings = _solid_rings(frustum, profile)
    return float(rings[..., 2].min()), float(rings[..., 2].max())


def _solid_rings(frustum: Frustum, profile: Profile) -> np.ndarray:
    solid = profile.radii > 0
    return _rings(frustum, profile.column, profile.heights[solid], profile.radii[solid])


def reach(frustum: Frustum, profile: Profile) -> tuple[float, float]:
    """The least and the greatest of the solid's depths over the upright plane's."""
    rings = _solid_rings(frustum, profile)
    factors = rings[..., 2] / frustum.plane_depths(rings[..., 1] / rings[..., 2])
    return float(factors.min()), float(factors.max())


def field(frustum: Frustum, block: Block, profile: Profile) -> np.ndarray:
    """(D, H, W) float32 distance to the solid in pixels, negative inside.

    Args:
        frustum: in which the profile was found.
        block: where the distances are wanted; its layers need not be parallel to the axis.
        profile: of the solid.
    """
    depth = block.depths
    up, away = frustum.up, frustum.away
    y, z = block.y * depth - frustum.row, depth - 1.0
    height = y * up[1] + z * up[2]
    distance = y * away[1] + z * away[2]
    solid = profile.radii > 0
    radius = np.interp(height, profile.heights, profile.radii)
    lowest, highest = profile.heights[solid][[0, -1]]
    side = np.hypot(block.x * depth - profile.column, distance) - radius
    field = np.maximum(side, np.maximum(lowest - height, height - highest))
    return (field / frustum.pixel).astype(np.float32)


def completed(turned: np.ndarray, other: np.ndarray, solid: np.ndarray) -> np.ndarray:
    """The turned solid, and what its silhouette leaves out, a handle or a corner, as ``other``.

    Only there: beside a lid's rim, which lies far behind the plane, it would raise a fin.

    Args:
        turned: (D, H, W) distance in pixels, negative inside.
        other: likewise, of the whole subject.
        solid: (H, W) bool, the silhouette.
    """
    missing = solid & ~(turned < 0).any(axis=0)
    inner = distance_inside(missing) > _JITTER
    if not inner.any():
        return turned
    away = distance_inside(~inner)
    return np.minimum(turned, np.maximum(other, away - 2 * _JITTER))


def opposite(frustum: Frustum, profile: Profile, points: np.ndarray) -> np.ndarray:
    """(N, 3) float64 camera space: points behind the axis, as a mirror across the view has them.

    There, on the near side, a turned thing looks as it does here. Points before the axis stay.
    """
    middle = np.array([profile.column, frustum.row, 1.0])
    behind = np.maximum((points - middle) @ frustum.away, 0)
    twins: np.ndarray = points - 2 * behind[:, None] * frustum.away
    return twins
