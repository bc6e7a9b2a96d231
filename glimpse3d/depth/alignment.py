"""Scale and shift of a depth, found against another depth of the same picture.

Owns the robust fit and its application. A disparity is fitted in inverse distance, a depth in
distance: one taken for the other runs backwards, its scale comes out negative, and that is
refused. Must not know who estimated a depth. numpy only; views of several cameras are for
``view_alignment.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InvalidData
from ..types import Depth, DepthKind
from . import conversion

_LEAST_PIXELS = 16
_LINES = 400  # of them one in four runs through two right pixels where half are wrong
_JUDGES = 1000  # pixels that a line's error is measured at
_SWEEPS = 30  # of reweighting; it stands still after about ten
_TUKEY = 4.685  # 95 % efficient where errors are normal
_MAD = 1.4826  # deviation of a normal distribution over its median absolute deviation


@dataclass(frozen=True, slots=True)
class Fit:
    """``scale * x + shift``, with x and the outcome inverse distances or distances.

    Attributes:
        scale: positive.
        shift: in the outcome's unit.
        inverse: whether the outcome is an inverse distance, as for a disparity.
        inliers: part of the pixels that the fit explains, 0..1.
        residual: median absolute residual, in the outcome's unit.
    """

    scale: float
    shift: float
    inverse: bool
    inliers: float
    residual: float


def fit(estimate: Depth, reference: Depth, mask: np.ndarray | None = None) -> Fit:
    """Scale and shift that carry ``estimate`` onto ``reference``, robustly.

    Up to almost half of the pixels may be wrong. Found by least squares reweighted with Tukey's
    function, started from the line through two pixels that has the least median error.

    Args:
        estimate: any kind; a disparity is fitted to ``1 / z``, a depth to ``z``.
        reference: METRIC or RELATIVE, of the same size.
        mask: (H, W) bool, pixels to look at; all that both know if left out.

    Raises:
        InvalidData: sizes or kinds do not fit, too few pixels, one of both is equal everywhere,
            or they run against each other.
    """
    conversion.check_kind(reference, DepthKind.METRIC, DepthKind.RELATIVE)
    if estimate.values.shape != reference.values.shape:
        raise InvalidData(
            f"the depths differ in size: {estimate.values.shape} and {reference.values.shape}"
        )
    common = estimate.valid & reference.valid & (True if mask is None else np.asarray(mask, bool))
    if common.sum() < _LEAST_PIXELS:
        raise InvalidData(f"the depths share {common.sum()} pixels, too few to fit one to another")
    for each in (estimate, reference):
        conversion.check_varies(conversion.masked(each, common))
    inverse = estimate.kind is DepthKind.DISPARITY
    x = estimate.values[common].astype(np.float64)
    z = reference.values[common].astype(np.float64)
    scale, shift, inliers, residual = robust_line(x, 1 / z if inverse else z)
    if not scale > 0:
        raise InvalidData(
            f"the {estimate.kind} runs against the reference: its scale would be {scale:.3g}",
            "larger disparities are nearer, larger depths farther; check the kind of both",
        )
    return Fit(scale, shift, inverse, inliers, residual)


def apply(found: Fit, estimate: Depth, kind: DepthKind) -> Depth:
    """The estimate carried over; pixels that would not be in front of the camera are not valid.

    Args:
        found: what ``fit`` answered.
        estimate: the depth it was asked for, or another of the same estimator and picture.
        kind: of the reference that it was fitted to.

    Raises:
        InvalidData: the fit is for another kind of estimate, or no pixel is left.
    """
    if found.inverse != (estimate.kind is DepthKind.DISPARITY):
        raise InvalidData(f"the fit is not for a {estimate.kind}")
    if found.inverse:
        return conversion.depth_from_disparity(estimate, found.scale, found.shift, kind)
    z = found.scale * estimate.values.astype(np.float64) + found.shift
    known = estimate.valid & (z > 0)
    if not known.any():
        raise InvalidData("every pixel of the aligned depth lies behind the camera")
    return Depth(np.where(known, z, 0), kind, estimate.camera, known)


def aligned(estimate: Depth, reference: Depth, mask: np.ndarray | None = None) -> Depth:
    """``fit`` and ``apply`` in one; the outcome is of the reference's kind.

    Raises:
        InvalidData: see both.
    """
    return apply(fit(estimate, reference, mask), estimate, reference.kind)


def robust_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float, float]:
    """(scale, shift, inliers, residual) of ``y = scale * x + shift``."""
    scale, shift = _median_line(x, y)
    for _ in range(_SWEEPS):
        error = y - (scale * x + shift)
        width = _TUKEY * max(_MAD * float(np.median(np.abs(error))), 1e-9 * float(np.ptp(y)))
        weight = np.maximum(1 - (error / width) ** 2, 0) ** 2
        total = weight.sum()
        mean_x, mean_y = weight @ x / total, weight @ y / total
        spread = weight @ (x - mean_x) ** 2
        if spread <= 0:
            break
        before = scale
        scale = float(weight @ ((x - mean_x) * (y - mean_y)) / spread)
        shift = float(mean_y - scale * mean_x)
        if abs(scale - before) <= 1e-10 * abs(before):
            break
    error = np.abs(y - (scale * x + shift))
    return scale, shift, float((error < width).mean()), float(np.median(error))


def _median_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Of lines through two pixels each, the one with the least median error (Rousseeuw's LMedS)."""
    chance = np.random.default_rng(0)  # of its own: the same depths give the same fit
    first, second = chance.integers(0, len(x), (2, _LINES))
    apart = x[second] - x[first]
    drawn = apart != 0
    slopes = (y[second] - y[first])[drawn] / apart[drawn]
    shifts = y[first][drawn] - slopes * x[first][drawn]
    judges = chance.integers(0, len(x), min(len(x), _JUDGES))
    if not len(slopes):
        return 0.0, float(np.median(y))
    errors = np.abs(y[judges] - (slopes[:, None] * x[judges] + shifts[:, None]))
    best = int(np.median(errors, axis=1).argmin())
    return float(slopes[best]), float(shifts[best])
