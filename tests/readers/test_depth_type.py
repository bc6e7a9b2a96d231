"""Kinds of depth that cannot be taken for each other, and the conversions between them."""

import numpy as np
import pytest

from glimpse3d import coords
from glimpse3d.depth import conversion
from glimpse3d.errors import InvalidData
from glimpse3d.types import Camera, Depth, DepthKind, Image

Z = np.linspace(0.8, 3.0, 12).reshape(3, 4)
LENS = coords.Lens.from_field_of_view(40, 4, 3)
CAMERA = coords.orbit_camera(30, 20, 2, LENS)


def test_a_disparity_is_refused_where_distances_are_wanted() -> None:
    disparity = conversion.disparity_from_depth(Depth(Z, DepthKind.METRIC, CAMERA))
    for use in (
        lambda: disparity.z,
        lambda: conversion.points(disparity),
        lambda: conversion.disparity_from_depth(disparity),
        lambda: conversion.metric(disparity, 2.0),
        lambda: conversion.depth_between(Depth(Z, DepthKind.METRIC), 1, 2),
        lambda: conversion.depth_from_disparity(Depth(Z, DepthKind.RELATIVE), 1, 0),
    ):
        with pytest.raises(InvalidData):
            use()


def test_a_disparity_with_its_scale_and_shift_gives_the_metres_back() -> None:
    metres = Depth(Z, DepthKind.METRIC, CAMERA)
    disparity = Depth((1 / Z - 0.2) / 3, DepthKind.DISPARITY, CAMERA)
    back = conversion.depth_from_disparity(disparity, 3.0, 0.2)
    assert back.kind is DepthKind.METRIC and back.camera is CAMERA
    np.testing.assert_allclose(back.z, metres.z, rtol=1e-6)
    # Wrong by its shift alone: neither the metres nor a multiple of them.
    wrong = conversion.depth_from_disparity(disparity, 3.0, 0.0)
    assert np.ptp(wrong.z / metres.z) > 0.3


def test_what_lies_beyond_infinity_is_not_known() -> None:
    found = conversion.depth_from_disparity(Depth(Z - 2, DepthKind.DISPARITY), 1.0, 0.0)
    np.testing.assert_array_equal(found.valid, Z > 2)
    assert (found.z[Z <= 2] == 0).all()
    with pytest.raises(InvalidData, match="infinity"):
        conversion.depth_from_disparity(Depth(-Z, DepthKind.DISPARITY), 1.0, 0.0)


def test_a_choice_of_near_and_far_is_met_and_keeps_the_order() -> None:
    valid = Z < 2.5
    found = conversion.depth_between(Depth(1 / Z, DepthKind.DISPARITY, valid=valid), 0.5, 4.0)
    assert found.kind is DepthKind.RELATIVE
    assert found.z[valid].min() == pytest.approx(0.5)
    assert found.z[valid].max() == pytest.approx(4.0)
    assert (np.diff(found.z[valid]) > 0).all()
    np.testing.assert_array_equal(found.valid, valid)


def test_points_are_what_the_camera_sees_at_its_pixel_centres() -> None:
    points = conversion.points(Depth(Z, DepthKind.METRIC, CAMERA, valid=Z < 2.5))
    pixels, z = coords.project(CAMERA, points[Z < 2.5])
    rows, columns = np.nonzero(Z < 2.5)
    np.testing.assert_allclose(pixels, np.stack([columns, rows], 1) + 0.5, atol=1e-9)
    np.testing.assert_allclose(z, Z[Z < 2.5], rtol=1e-6)
    assert np.isnan(points[Z >= 2.5]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1.0])
def test_depth_that_is_none_is_refused_unless_it_is_marked(bad: float) -> None:
    values = Z.copy()
    values[1, 1] = bad  # the sixth
    with pytest.raises(InvalidData):
        Depth(values, DepthKind.METRIC)
    marked = Depth(values, DepthKind.METRIC, valid=np.arange(12).reshape(3, 4) != 5)
    assert marked.z[1, 1] == 0 and not marked.valid[1, 1]


def test_sizes_that_differ_are_refused() -> None:
    with pytest.raises(InvalidData, match="size"):
        Depth(Z.T, DepthKind.METRIC, CAMERA)
    with pytest.raises(InvalidData):
        Depth(Z, DepthKind.METRIC, valid=np.ones((4, 3), bool))
    with pytest.raises(InvalidData, match=r"4 x 3 .* 5 x 3"):
        conversion.check_fits(Depth(Z, DepthKind.METRIC), Image(np.zeros((3, 5, 4), np.uint8)))
    with pytest.raises(InvalidData):
        Depth(Z[0], DepthKind.METRIC)
    wide = Camera(CAMERA.camera_from_world, CAMERA.K, 5, 3)
    with pytest.raises(InvalidData):
        conversion.points(Depth(Z, DepthKind.METRIC), wide)


def test_depth_that_says_nothing_is_refused() -> None:
    for values, valid in ((np.ones((3, 4)), None), (Z, np.zeros((3, 4), bool)), (Z, Z < 0.9)):
        depth = Depth(values, DepthKind.DISPARITY, valid=valid)
        with pytest.raises(InvalidData):
            conversion.check_varies(depth)
        with pytest.raises(InvalidData):
            conversion.depth_between(depth, 1, 2)
    conversion.check_varies(Depth(Z, DepthKind.DISPARITY))


def test_a_depth_cannot_be_changed_after_it_was_checked() -> None:
    source = Z.astype(np.float32)
    depth = Depth(source, DepthKind.METRIC)
    source[0, 0] = -1
    assert depth.z[0, 0] == np.float32(Z[0, 0])
    with pytest.raises(ValueError, match="read-only"):
        depth.values[0, 0] = 1
