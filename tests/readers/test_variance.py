"""Disagreement between views, against numbers that can be worked out."""

import numpy as np
import pytest

from glimpse3d.depth.variance import depth_variance
from glimpse3d.errors import InvalidData
from glimpse3d.types import Depth, DepthKind
from tests.readers import scene

AZIMUTHS = (0.0, 15.0, -15.0)
TRUE = [scene.depth_of(scene.camera(azimuth, width=144, height=120)) for azimuth in AZIMUTHS]


def test_views_of_one_scene_agree() -> None:
    for found, true in zip(depth_variance(TRUE), TRUE, strict=True):
        shared = found.opinions == 3
        assert shared.sum() > 0.5 * true.valid.sum()
        # Half a pixel of the sampled surfaces at most, away from their rims.
        assert np.quantile(np.sqrt(found.variance[shared]), 0.9) < 0.002
        assert (found.opinions[~true.valid] == 0).all() and (found.variance[~true.valid] == 0).all()


def test_a_view_that_is_off_shows_by_how_much() -> None:
    """Views in a row: seen along the axis, a surface moved by d is d away, for all but its tilt."""
    moved = Depth(TRUE[1].z + 0.05, DepthKind.METRIC, TRUE[1].camera, TRUE[1].valid)
    pair = depth_variance([TRUE[0], moved])[0]
    shared = pair.opinions == 2
    # Two opinions d apart have a variance of d squared over four.
    assert np.median(np.sqrt(pair.variance[shared])) == pytest.approx(0.05 / 2, rel=0.15)
    three = depth_variance([TRUE[0], moved, TRUE[2]])[0]
    shared = three.opinions == 3
    # Among three, one of them d off: 2/9 of d squared.
    assert np.median(three.variance[shared]) == pytest.approx(0.05**2 * 2 / 9, rel=0.3)


def test_a_wrong_camera_is_noticed() -> None:
    wrong = Depth(
        TRUE[1].z, DepthKind.METRIC, scene.camera(22, width=144, height=120), TRUE[1].valid
    )
    honest, doubtful = (depth_variance([TRUE[0], each])[0] for each in (TRUE[1], wrong))
    assert doubtful.mean > 10 * honest.mean


def test_what_is_hidden_is_no_disagreement() -> None:
    """From the side the balls cover other floor; those pixels have fewer opinions."""
    far = scene.depth_of(scene.camera(70, width=144, height=120))
    found = depth_variance([TRUE[0], far])[0]
    alone = TRUE[0].valid & (found.opinions == 1)
    assert alone.sum() > 500 and (found.variance[alone] == 0).all()
    assert np.median(np.sqrt(found.variance[found.opinions == 2])) < 0.002


def test_a_surface_that_another_view_looks_through_counts_in_full() -> None:
    nearer = np.array(TRUE[0].z)
    nearer[44:76, 50:90] -= 0.4
    floating = Depth(nearer, DepthKind.METRIC, TRUE[0].camera, TRUE[0].valid)
    found = depth_variance([floating, TRUE[1]])[0]
    patch = (slice(52, 60), slice(66, 76))
    assert (found.opinions[patch] == 2).mean() > 0.8
    assert np.median(np.sqrt(found.variance[patch])) > 0.1


def test_mean_is_over_shared_pixels_alone() -> None:
    found = depth_variance(TRUE[:2])[0]
    assert found.mean == pytest.approx(found.variance[found.opinions >= 2].mean())


def test_views_that_cannot_be_compared_are_refused() -> None:
    one = TRUE[0]
    disparity = Depth(one.z, DepthKind.DISPARITY, one.camera, one.valid)
    relative = Depth(one.z, DepthKind.RELATIVE, one.camera, one.valid)
    blind = Depth(one.z, DepthKind.METRIC, valid=one.valid)
    for bad in ([one], [one, disparity], [one, relative], [one, blind]):
        with pytest.raises(InvalidData):
            depth_variance(bad)
