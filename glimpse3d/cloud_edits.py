"""What can be done to a cloud: move, pick, clean, join, thin out.

Owns those edits; each gives a new cloud. Must not know files, cameras, or who asks. numpy only,
travels into the Blender add-on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .coords import multiply_quaternions, quaternion_from_rotation
from .errors import InvalidData, InvalidSettings
from .formats import sh
from .types import GaussianCloud

# A splat of this opacity and less changes no 8-bit pixel.
LEAST_OPACITY = 1 / 255
_OPAQUEST = 0.999
# Rows that are worked on at once where a matrix belongs to each.
_BLOCK = 1 << 16
# So many tell what most of a cloud are like; of fewer nothing is told.
_LOOKS, _MANY = 4096, 100


def pick(cloud: GaussianCloud, rows: np.ndarray) -> GaussianCloud:
    """The splats that ``rows`` names: (N,) bool or indices."""
    names = GaussianCloud.__slots__
    return GaussianCloud(**{name: getattr(cloud, name)[rows] for name in names})


def sizes(cloud: GaussianCloud) -> np.ndarray:
    """(N,) the longest standard deviation of each splat, metres."""
    return np.asarray(cloud.scales.max(axis=1, initial=0))


def colors(cloud: GaussianCloud) -> np.ndarray:
    """(N, 3) sRGB 0..1 without what depends on the view."""
    return np.clip(sh.to_color(cloud.sh[:, 0]), 0, 1)


def transform(cloud: GaussianCloud, matrix: np.ndarray) -> GaussianCloud:
    """The cloud moved, turned, scaled, mirrored or sheared; it looks as the moved object would.

    Each splat's covariance follows the matrix exactly. Its view-dependent colour follows the part
    of the matrix that turns (the orthogonal factor of its polar decomposition): stretching a thing
    does not change which side of it is red.

    Args:
        cloud: any.
        matrix: (4, 4), the last row 0 0 0 1.

    Raises:
        InvalidData: the matrix is not finite, not affine, or flattens space.
    """
    matrix = np.array(matrix, np.float64)
    linear = _checked(matrix)
    left, stretch, right = np.linalg.svd(linear)
    turn = left @ right
    means = cloud.means.astype(np.float64) @ linear.T + matrix[:3, 3]
    if np.ptp(stretch) <= 1e-6 * stretch[0]:
        # A ball stays one when mirrored through its middle, so a mirror is as good as a turn.
        proper = turn if np.linalg.det(turn) > 0 else -turn
        scales = cloud.scales.astype(np.float64) * stretch.mean()
        rotations = multiply_quaternions(quaternion_from_rotation(proper), cloud.rotations)
    else:
        scales, rotations = _stretched(cloud, linear)
    return GaussianCloud(means, scales, rotations, cloud.opacities, sh.rotate(cloud.sh, turn))


def _checked(matrix: np.ndarray) -> np.ndarray:
    """(3, 3) the linear part of an affine matrix."""
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise InvalidData("a transform must be a finite (4, 4) matrix")
    linear = matrix[:3, :3]
    affine = np.allclose(matrix[3], [0, 0, 0, 1])
    if not affine or np.linalg.cond(linear) > 1e6:
        raise InvalidData("the transform flattens space", "no scale may be zero")
    return linear


def _stretched(cloud: GaussianCloud, linear: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scales and rotations whose covariance is the linear image of the cloud's."""
    scales = np.empty((len(cloud), 3))
    rotations = np.empty((len(cloud), 4))
    for start in range(0, len(cloud), _BLOCK):
        rows = slice(start, start + _BLOCK)
        axes = rotation_matrices(cloud.rotations[rows]) * cloud.scales[rows, None, :]
        scales[rows], rotations[rows] = _principal(linear @ axes)
    return scales, rotations


def _principal(axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) spreads and (n, 4) quaternions of the covariances ``axes @ axes.T``."""
    turned, spreads, _ = np.linalg.svd(axes)
    turned[:, :, 2] *= np.linalg.det(turned)[:, None]
    return spreads, quaternions(turned)


def rotation_matrices(rotations: np.ndarray) -> np.ndarray:
    """(N, 3, 3) float64 of unit quaternions wxyz."""
    w, x, y, z = rotations.astype(np.float64).T
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.moveaxis(np.array(rows), 2, 0)


def quaternions(matrices: np.ndarray) -> np.ndarray:
    """(N, 4) unit wxyz of rotations (N, 3, 3)."""
    m = np.moveaxis(matrices, 0, 2)
    xx, yy, zz = m[0, 0], m[1, 1], m[2, 2]
    wx, wy, wz = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
    xy, xz, yz = m[0, 1] + m[1, 0], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1]
    # Four ways to write each; the one that divides by the largest part is stable (Shepperd).
    ways = np.array(
        [
            [1 + xx + yy + zz, wx, wy, wz],
            [wx, 1 + xx - yy - zz, xy, xz],
            [wy, xy, 1 - xx + yy - zz, yz],
            [wz, xz, yz, 1 - xx - yy + zz],
        ]
    )
    best = np.argmax(ways[range(4), range(4)], axis=0)
    chosen = ways[best, :, np.arange(len(matrices))]
    return chosen / np.linalg.norm(chosen, axis=1, keepdims=True)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What ``clean`` removed, counts of splats.

    Attributes:
        faint: whose opacity shows in no pixel.
        far: floaters, far away from all others.
        huge: much larger than all others.
    """

    faint: int
    far: int
    huge: int

    def in_words(self) -> tuple[str, ...]:
        """One clause for each kind that occurred."""
        told = ((self.faint, "too faint to be seen"), (self.far, "far from all others"),
                (self.huge, "far larger than all others"))  # fmt: skip
        return tuple(f"{count} {words}" for count, words in told if count)


def clean(cloud: GaussianCloud, reach: float) -> tuple[GaussianCloud, Cleaned]:
    """Without what no one misses: invisible splats, floaters, and splats as large as the scene.

    Far is beyond ``reach`` times the distance within which nine tenths lie of the middle; huge is
    a standard deviation beyond that distance. Both would spoil what depends on the bounds of the
    whole, such as the precision with which viewers pack it.

    Raises:
        InvalidSettings: ``reach`` would cut into the cloud itself.
        InvalidData: nothing would be left.
    """
    if reach <= 1:
        raise InvalidSettings("reach", f"{reach} would cut into the cloud itself", "above 1")
    if not len(cloud):
        return cloud, Cleaned(0, 0, 0)
    faint = cloud.opacities < LEAST_OPACITY
    away = np.linalg.norm(cloud.means - np.median(cloud.means, axis=0), axis=1)
    usual = float(np.quantile(away, 0.9))
    far = ~faint & (away > reach * usual) if usual > 0 else np.zeros_like(faint)
    huge = ~faint & ~far & (sizes(cloud) > usual) if usual > 0 else np.zeros_like(faint)
    kept = ~(faint | far | huge)
    if not kept.any():
        raise InvalidData(
            "nothing would be left: each splat is too faint, or as large as all together",
            "the file may hold sizes without their logarithm; write it again where it comes from",
        )
    counts = (int(np.count_nonzero(each)) for each in (faint, far, huge))
    return pick(cloud, kept), Cleaned(*counts)


def lacks_logarithm(cloud: GaussianCloud) -> bool:
    """Whether sizes were most likely stored as they are, and read as logarithms.

    Then none is below one, and most reach through a good part of the cloud.
    """
    if len(cloud) < _MANY or cloud.scales.min() < 1:
        return False
    some = slice(0, None, 1 + len(cloud) // _LOOKS)
    means = cloud.means[some]
    away = np.linalg.norm(means - np.median(means, axis=0), axis=1)
    usual = float(np.quantile(away, 0.9))
    return 0 < usual < 10 * float(np.median(cloud.scales[some].max(axis=1)))


def merge(clouds: Sequence[GaussianCloud]) -> GaussianCloud:
    """All splats of several clouds in one; the highest degree of any, zeros where others lack it.

    Raises:
        InvalidData: there is no cloud.
    """
    if not clouds:
        raise InvalidData("there is nothing to merge")
    known = max(cloud.sh.shape[1] for cloud in clouds)
    padded = [
        np.pad(cloud.sh, ((0, 0), (0, known - cloud.sh.shape[1]), (0, 0))) for cloud in clouds
    ]
    names = ("means", "scales", "rotations", "opacities")
    joined = {name: np.concatenate([getattr(cloud, name) for cloud in clouds]) for name in names}
    return GaussianCloud(**joined, sh=np.concatenate(padded))


def decimate(cloud: GaussianCloud, count: int) -> GaussianCloud:
    """At most ``count`` splats that look like all of them.

    Neighbours within cells of a grid become one splat with their common mean, covariance and
    colour, weighted by what each covers: its opacity times the area of its ellipse.

    Raises:
        InvalidSettings: ``count`` is not positive.
    """
    if count < 1:
        raise InvalidSettings("count", f"{count} splats cannot show anything", "1 or more")
    if len(cloud) <= count:
        return cloud
    cells = grid_cells(cloud.means, count)
    order = np.argsort(cells, kind="stable")
    starts = np.flatnonzero(np.diff(cells[order], prepend=-1))
    return _united(pick(cloud, order), starts)


def grid_cells(points: np.ndarray, count: int, kinds: np.ndarray | int = 0) -> np.ndarray:
    """(N,) int64, the cell of each point in a grid that has at most ``count`` occupied ones.

    Args:
        points: (N, 3), at least one.
        count: the grid is as fine as it can be with so many.
        kinds: (N,) 0 to 7; points of different kinds never share a cell.
    """
    low = points.min(axis=0).astype(np.float64)
    extent = float(np.ptp(points, axis=0).max())
    fine, coarse = np.log(2e-6), np.log(2.0)
    for _ in range(16):
        middle = (fine + coarse) / 2
        cells = _grid(points - low, extent * float(np.exp(middle)), kinds)
        if len(np.unique(cells)) > count:
            fine = middle
        else:
            coarse = middle
    return _grid(points - low, extent * float(np.exp(coarse)), kinds)


def _grid(places: np.ndarray, edge: float, kinds: np.ndarray | int) -> np.ndarray:
    if edge <= 0:  # all points lie in one place
        return np.zeros(len(places), np.int64) + kinds
    x, y, z = np.floor(places / edge).astype(np.int64).T
    return (x << 43) | (y << 23) | (z << 3) | kinds


def _united(cloud: GaussianCloud, starts: np.ndarray) -> GaussianCloud:
    """One splat for each run of rows that begins at ``starts``."""
    spread = np.sort(cloud.scales.astype(np.float64), axis=1)
    areas = spread[:, 1] * spread[:, 2]
    weights = cloud.opacities * areas + 1e-300
    totals = np.add.reduceat(weights, starts)
    owner = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(cloud)))
    share = weights / totals[owner]

    def mean(values: np.ndarray) -> np.ndarray:
        shape = (len(values), *[1] * (values.ndim - 1))
        return np.asarray(np.add.reduceat(values * share.reshape(shape), starts, axis=0))

    means = mean(cloud.means.astype(np.float64))
    axes = rotation_matrices(cloud.rotations) * cloud.scales[:, None, :]
    apart = cloud.means - means[owner]
    covariances = mean(axes @ axes.transpose(0, 2, 1) + apart[:, :, None] * apart[:, None, :])
    squares, turned = np.linalg.eigh(covariances)
    turned[:, :, 2] *= np.linalg.det(turned)[:, None]
    scales = np.sqrt(np.maximum(squares, 1e-30))
    opacities = np.minimum(totals / (scales[:, 1] * scales[:, 2]), _OPAQUEST)
    return GaussianCloud(means, scales, quaternions(turned), opacities, mean(cloud.sh))
