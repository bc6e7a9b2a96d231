"""Scale and shift found again, on scenes whose depth is known exactly."""

import numpy as np
import pytest

from glimpse3d.depth import alignment, conversion
from glimpse3d.depth.view_alignment import ViewAlignment, align_views
from glimpse3d.errors import InvalidData
from glimpse3d.types import Depth, DepthKind
from tests.readers import scene


def disparity_of(true: Depth, scale: float, shift: float) -> Depth:
    """What an estimator would say whose disparity is ``(1 / z - shift) / scale``."""
    inverse = 1 / np.where(true.valid, true.z.astype(np.float64), 1)
    return Depth((inverse - shift) / scale, DepthKind.DISPARITY, true.camera, true.valid)


def relative_of(true: Depth, unit: float) -> Depth:
    return Depth(true.z / unit, DepthKind.RELATIVE, true.camera, true.valid)


def off(found: Depth, true: Depth) -> np.ndarray:
    both = found.valid & true.valid
    assert both.sum() > 0.95 * true.valid.sum()
    return np.abs(found.z - true.z)[both]


TRUE = scene.depth_of(scene.camera(15))
QUICK = ViewAlignment(pixels=300)


def test_a_disparity_comes_back_in_metres() -> None:
    estimate = disparity_of(TRUE, 7.5, -0.4)
    fit = alignment.fit(estimate, TRUE)
    assert fit.inverse and fit.scale == pytest.approx(7.5, rel=1e-4)
    assert fit.shift == pytest.approx(-0.4, abs=1e-4)
    found = alignment.aligned(estimate, TRUE)
    assert found.kind is DepthKind.METRIC and off(found, TRUE).max() < 1e-4


def test_a_third_of_wrong_pixels_and_noise_move_the_fit_by_little() -> None:
    chance = np.random.default_rng(0)
    values = np.array(disparity_of(TRUE, 7.5, -0.4).values)
    noise = 0.002 * np.ptp(values)
    values += chance.normal(0, noise, values.shape).astype(np.float32)
    wrong = chance.random(values.shape) < 0.33
    values[wrong] = values.min() + 3 * np.ptp(values) * chance.random(wrong.sum())
    estimate = Depth(values, DepthKind.DISPARITY, TRUE.camera, TRUE.valid)
    fit = alignment.fit(estimate, TRUE)
    assert fit.scale == pytest.approx(7.5, rel=0.01)
    assert 0.6 < fit.inliers < 0.75
    # Plain least squares, on the same numbers, is far off.
    x, y = values[TRUE.valid], 1 / TRUE.z[TRUE.valid]
    assert abs(np.polyfit(x, y, 1)[0] / 7.5 - 1) > 0.3


def test_metric_depth_that_is_off_by_scale_and_shift_is_carried_over() -> None:
    estimate = Depth(0.5 * TRUE.z + 0.3, DepthKind.METRIC, TRUE.camera, TRUE.valid)
    fit = alignment.fit(estimate, TRUE)
    assert not fit.inverse
    assert (fit.scale, fit.shift) == (pytest.approx(2, rel=1e-4), pytest.approx(-0.6, abs=1e-3))


def test_the_wrong_sign_is_refused_and_not_fitted() -> None:
    """A disparity flagged as depth, and a depth flagged as disparity."""
    disparity = disparity_of(TRUE, 1.0, -0.1)
    as_depth = Depth(disparity.values, DepthKind.RELATIVE, TRUE.camera, TRUE.valid)
    as_disparity = Depth(TRUE.z, DepthKind.DISPARITY, TRUE.camera, TRUE.valid)
    for wrong in (as_depth, as_disparity):
        with pytest.raises(InvalidData, match="runs against"):
            alignment.fit(wrong, TRUE)
    with pytest.raises(InvalidData):
        alignment.fit(disparity, disparity)
    with pytest.raises(InvalidData):
        alignment.apply(alignment.fit(disparity, TRUE), TRUE, DepthKind.METRIC)


def test_a_mask_decides_which_pixels_are_looked_at() -> None:
    values = np.array(disparity_of(TRUE, 2.0, 0.1).values)
    subject = np.zeros(values.shape, bool)
    subject[20:60, 30:70] = True
    values[~subject] = values.max()
    estimate = Depth(values, DepthKind.DISPARITY, TRUE.camera, TRUE.valid)
    fit = alignment.fit(estimate, TRUE, subject)
    assert fit.scale == pytest.approx(2, rel=1e-3) and fit.inliers > 0.99


def test_what_cannot_be_fitted_is_refused() -> None:
    estimate = disparity_of(TRUE, 1, 0)
    flat = Depth(np.ones(TRUE.values.shape), DepthKind.DISPARITY)
    small = Depth(TRUE.z[:-1, :], DepthKind.RELATIVE, valid=TRUE.valid[:-1])
    nowhere = np.zeros(TRUE.values.shape, bool)
    for bad in (flat, small):
        with pytest.raises(InvalidData):
            alignment.fit(bad, TRUE)
    with pytest.raises(InvalidData, match="too few"):
        alignment.fit(estimate, TRUE, nowhere)


@pytest.mark.parametrize("floor", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_two_views_of_disparity_become_metres_by_their_parallax(floor: bool) -> None:
    true = [scene.depth_of(scene.camera(azimuth), floor) for azimuth in (0, 25)]
    estimates = [disparity_of(true[0], 3.1, 0.5), disparity_of(true[1], 0.4, -1.2)]
    depths, fits = align_views(estimates, QUICK if floor else ViewAlignment())
    for found, wanted, fit, scale in zip(depths, true, fits, (3.1, 0.4), strict=True):
        assert found.kind is DepthKind.METRIC
        assert np.median(off(found, wanted)) < 0.025  # of 2 m
        assert fit.scale == pytest.approx(scale, rel=0.06)


def test_views_further_down_get_larger_scales_not_smaller() -> None:
    """The ratio of scales is that of depths upside down: told in another unit, nothing moves."""
    true = [scene.depth_of(scene.camera(azimuth)) for azimuth in (0, 20, 40)]
    units = (1.0, 4.0, 0.25)
    estimates = [relative_of(t, u) for t, u in zip(true, units, strict=True)]
    depths, fits = align_views(estimates, QUICK)
    for found, wanted, fit, unit in zip(depths, true, fits, units, strict=True):
        assert fit.scale == pytest.approx(unit, rel=0.02)
        assert np.median(off(found, wanted)) < 0.02


@pytest.mark.slow
def test_four_views_on_an_arc_of_ninety_degrees() -> None:
    true = [scene.depth_of(scene.camera(azimuth)) for azimuth in (0, 30, 60, -30)]
    numbers = ((3.1, 0.5), (0.4, -1.2), (1.0, 0.0), (9.0, 2.0))
    depths, _ = align_views([disparity_of(t, *n) for t, n in zip(true, numbers, strict=True)])
    for found, wanted in zip(depths, true, strict=True):
        assert np.median(off(found, wanted)) < 0.03


def test_views_that_cannot_be_aligned_are_refused() -> None:
    true = scene.depth_of(scene.camera(0))
    estimate = disparity_of(true, 1, 0)
    blind = Depth(estimate.values, DepthKind.DISPARITY, valid=estimate.valid)
    flat = Depth(np.ones(true.values.shape), DepthKind.DISPARITY, scene.camera(30))
    for bad in ([estimate], [estimate, blind], [estimate, estimate], [estimate, flat]):
        with pytest.raises(InvalidData):
            align_views(bad)
    conversion.check_varies(estimate)
