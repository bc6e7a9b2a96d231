"""Depths of several views, brought into the unit of their cameras' positions.

Owns the joint fit of one scale, and for a disparity one shift, a view. Must not know who
estimated the depths. numpy and scipy only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from ..errors import InvalidData
from ..types import Camera, Depth, DepthKind
from . import alignment, conversion
from .alignment import Fit
from .reprojection import rays, sample, seen_by, without_rims

# Residuals are parts of the distance to the scene; the loss grows slowly beyond these, first
# widely, for a wide basin, then narrowly, so that what is hidden in the other view has no say.
_WIDTHS = (0.1, 0.03, 0.01, 0.003)
_MISS = 0.3  # the residual of a pixel that falls outside another view: worse than most, and flat
_RIM = 0.1  # of a signal's spread, from one pixel to the next: two surfaces meet
_TRIED = 3  # guesses that are followed to their end
_NEIGHBOURS = 4  # views that a view is compared with
_NEAREST = 1e-3  # of the distance to the scene; keeps a trial from stepping behind a camera


@dataclass(frozen=True, slots=True)
class ViewAlignment:
    """How views are made to agree.

    Attributes:
        pixels: looked at in each view, spread evenly.
        farthest, nearest: guesses of where a scene ends and begins, in distances from the camera
            to what all look at; every pair is looked at, and the best
            ones are begun with.
    """

    pixels: int = 1000
    farthest: tuple[float, ...] = (1.1, 1.2, 1.4, 1.8, 2.5, 4.0)
    nearest: tuple[float, ...] = (0.55, 0.65, 0.75, 0.85, 0.95)


_DEFAULT = ViewAlignment()


def align_views(
    estimates: Sequence[Depth], how: ViewAlignment = _DEFAULT
) -> tuple[list[Depth], list[Fit]]:
    """METRIC depths of all views, and the fit of each.

    Known cameras fix what one view leaves open: what it sees has to lie where the others see it.
    The numbers of all views are found together, by least squares over the inverse distances that
    one view's pixels have in the others, with a loss that leaves out what is hidden there.
    Estimates of METRIC depth are taken as RELATIVE: their unit is what is asked.

    Args:
        estimates: two or more, each with its camera; the cameras stand apart and look at the
            same thing.
        how: how thoroughly.

    Raises:
        InvalidData: fewer than two views, a view without a camera, cameras in one place, an
            all-equal disparity, or views that see nothing in common.
    """
    views = _views(estimates, how)
    numbers = _all_numbers(views, how)
    misses = {pair: _miss(views, numbers, pair) for pair in _pairs(views)}
    if all((each == _MISS).all() for each in misses.values()):
        raise InvalidData("the views see nothing in common", "check their cameras")
    fits = []
    for index, view in enumerate(views):
        own = [miss for (first, _), miss in misses.items() if first == index]
        fits.append(_fit_of(view, numbers[index], np.concatenate(own)))
    depths = [
        alignment.apply(fit, estimate, DepthKind.METRIC)
        for fit, estimate in zip(fits, estimates, strict=True)
    ]
    return depths, fits


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """One view as the solver sees it: inverse distance is ``exp(a) * signal + b``.

    A disparity's signal is centred: far from 0, a and b would be one number to the solver.

    Attributes:
        signal: (H, W) float64: the disparity, or one over the depth; of spread 1.
        middle, unit: what was taken from the signal, and what it was divided by.
        low, high: of the signal, all but a twentieth at each end.
        shifts: whether b is free.
        rays: (N, 3) of the pixels looked at; their signal is ``values`` (N,).
        distance: to what all views look at, metres.
    """

    camera: Camera
    signal: np.ndarray
    valid: np.ndarray
    middle: float
    unit: float
    low: float
    high: float
    shifts: bool
    rays: np.ndarray
    values: np.ndarray
    distance: float


def _views(estimates: Sequence[Depth], how: ViewAlignment) -> list[_View]:
    if len(estimates) < 2:
        raise InvalidData(f"{len(estimates)} view cannot be aligned with others", "give two")
    cameras = [each.camera for each in estimates if each.camera is not None]
    if len(cameras) < len(estimates):
        raise InvalidData("a view has no camera", "aligning views needs the camera of each")
    places = np.array([camera.position for camera in cameras])
    middle = _looked_at(cameras)
    distances = np.linalg.norm(places - middle, axis=1)
    if np.ptp(places, axis=0).max() < 1e-6 * distances.max():
        raise InvalidData("all cameras stand in one place", "parallax is what fixes the unit")
    return [
        _view(estimate, camera, float(distance), how)
        for estimate, camera, distance in zip(estimates, cameras, distances, strict=True)
    ]


def _looked_at(cameras: Sequence[Camera]) -> np.ndarray:
    """(3,) the point closest to all cameras' forward axes."""
    matrix, vector = np.zeros((3, 3)), np.zeros(3)
    for camera in cameras:
        forward = camera.camera_from_world[2, :3]
        across = np.eye(3) - np.outer(forward, forward)
        matrix += across
        vector += across @ camera.position
    if np.linalg.cond(matrix) > 1e8:
        raise InvalidData("all cameras look the same way along one line", "give other views")
    return np.linalg.solve(matrix, vector)


def _view(estimate: Depth, camera: Camera, distance: float, how: ViewAlignment) -> _View:
    shifts = estimate.kind is DepthKind.DISPARITY
    if shifts:
        conversion.check_varies(estimate)
    values = estimate.values.astype(np.float64)
    signal = values if shifts else 1 / np.where(estimate.valid, values, 1.0)
    known = signal[estimate.valid]
    low, middle, high = np.quantile(known, [0.05, 0.5, 0.95])
    unit = float(high - low if shifts else middle)
    if unit <= 0:
        raise InvalidData("nine tenths of a view's disparity are the same number")
    rows, columns = np.nonzero(without_rims(signal, estimate.valid, _RIM * unit))
    chosen = np.linspace(0, len(rows) - 1, min(how.pixels, len(rows))).astype(int)
    rows, columns = rows[chosen], columns[chosen]
    pixels = np.stack([columns, rows], axis=1) + 0.5
    centre = float(middle) if shifts else 0.0
    signal = (signal - centre) / unit
    low, high = (low - centre) / unit, (high - centre) / unit
    return _View(
        camera, signal, without_rims(signal, estimate.valid, _RIM), centre, unit,
        float(low), float(high), shifts, rays(camera, pixels), signal[rows, columns], distance,
    )  # fmt: skip


def _pairs(views: Sequence[_View]) -> list[tuple[int, int]]:
    """Each view with those that see it from the least different sides."""
    sides = np.array([view.camera.camera_from_world[2, :3] for view in views])
    order = np.argsort(-(sides @ sides.T), axis=1, kind="stable")
    return [
        (index, int(other))
        for index, row in enumerate(order)
        for other in row[row != index][:_NEIGHBOURS]
    ]


def _all_numbers(views: list[_View], how: ViewAlignment) -> np.ndarray:
    """(V, 2) a and b of every view: one view after the other, then all together."""
    sides = np.array([view.camera.camera_from_world[2, :3] for view in views])
    likeness = sides @ sides.T - 3 * np.eye(len(views))
    order = [int(each) for each in np.unravel_index(likeness.argmax(), likeness.shape)]
    numbers = _place([views[index] for index in order], np.zeros((0, 2)), how)
    while len(order) < len(views):
        rest = [index for index in range(len(views)) if index not in order]
        order.append(max(rest, key=lambda index: likeness[index, order].max()))
        numbers = _place([views[index] for index in order], numbers, how)
    numbers = numbers[np.argsort(order)]
    for width in _WIDTHS[1:]:
        numbers = _solve(views, numbers, np.ones(len(views), bool), width)
    return numbers


def _place(views: list[_View], placed: np.ndarray, how: ViewAlignment) -> np.ndarray:
    """Numbers for the views beyond ``placed``, which stay as they are."""
    new = np.arange(len(views)) >= len(placed)
    guesses = [
        np.concatenate([placed, [_guess(view, far, near) for view in views[len(placed) :]]])
        for far in how.farthest
        for near in how.nearest
    ]
    guesses.sort(key=lambda guess: _cost(views, guess, new, _WIDTHS[0]))
    found = []
    for numbers in guesses[:_TRIED]:
        for width in _WIDTHS:
            numbers = _solve(views, numbers, new, width)
        found.append(numbers)
    return min(found, key=lambda numbers: _cost(views, numbers, new, _WIDTHS[-1]))


def _cost(views: list[_View], numbers: np.ndarray, moving: np.ndarray, width: float) -> float:
    """What the solver makes small."""
    return float(np.log1p((_misses(views, numbers, moving) / width) ** 2).sum())


def _guess(view: _View, far: float, near: float) -> tuple[float, float]:
    """a and b that put the signal between two distances, in units of the view's distance."""
    if not view.shifts:
        return -float(np.log(view.distance * (far + near) / 2)), 0.0
    least, most = 1 / (far * view.distance), 1 / (near * view.distance)
    scale = (most - least) / (view.high - view.low)
    return float(np.log(scale)), least - scale * view.low


def _solve(views: list[_View], start: np.ndarray, moving: np.ndarray, width: float) -> np.ndarray:
    """(V, 2) a and b of every view, those of the ``moving`` ones anew."""
    free = np.stack([moving, moving & [view.shifts for view in views]], axis=1)

    def numbers(x: np.ndarray) -> np.ndarray:
        whole = start.copy()
        whole[free] = x
        return whole

    found = least_squares(
        lambda x: _misses(views, numbers(x), moving), start[free],
        loss="cauchy", f_scale=width, x_scale="jac", max_nfev=100,
    )  # fmt: skip
    return numbers(found.x)


def _misses(views: list[_View], numbers: np.ndarray, moving: np.ndarray) -> np.ndarray:
    """(M,) ``_miss`` of all pairs with a moving view in them."""
    pairs = [pair for pair in _pairs(views) if moving[list(pair)].any()]
    return np.concatenate([_miss(views, numbers, pair) for pair in pairs])


def _miss(views: Sequence[_View], numbers: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    """(N,) how far apart two views' inverse distances are, times the distance."""
    (one, other), (of_one, of_other) = (views[i] for i in pair), numbers[list(pair)]
    inverse = np.maximum(_scale(of_one[0]) * one.values + of_one[1], _NEAREST / one.distance)
    pixels, z = seen_by(other.camera, one.camera.position + one.rays / inverse[:, None])
    found = sample(other.signal, other.valid, pixels)
    lost = ~found.known | (z <= 0)
    told = _scale(of_other[0]) * found.values + of_other[1]
    return np.where(lost, _MISS, (told - 1 / np.where(lost, 1.0, z)) * other.distance)


def _scale(logarithm: float) -> float:
    """Bounded, since the solver tries numbers out of all reason."""
    return float(np.exp(np.clip(logarithm, -30.0, 30.0)))


def _fit_of(view: _View, numbers: np.ndarray, misses: np.ndarray) -> Fit:
    """In the terms of ``alignment.Fit``; residual and inliers are parts of the distance."""
    near = np.abs(misses) < 3 * _WIDTHS[-1]
    residual = float(np.median(np.abs(misses[near]))) if near.any() else _MISS
    scale = _scale(numbers[0]) / view.unit
    if view.shifts:
        return Fit(
            scale, float(numbers[1]) - scale * view.middle, True, float(near.mean()), residual
        )
    return Fit(1 / scale, 0.0, False, float(near.mean()), residual)
