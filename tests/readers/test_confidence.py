"""Confidence of estimators whose faults are known."""

import numpy as np
import pytest

from glimpse3d.depth.confidence import Consistency, confidence
from glimpse3d.errors import InvalidData
from glimpse3d.types import Depth, DepthKind, Image
from tests.readers import scene

TRUE = scene.depth_of(scene.camera(10, width=128, height=96))
PICTURE = scene.picture_of(TRUE)


def honest(image: Image) -> Depth:
    """Reads the depth off the grey that tells it: where a thing stands makes no difference."""
    return Depth(image.rgba[..., 0] / 255.0, DepthKind.DISPARITY)


def unsure_of_scale(image: Image) -> Depth:
    """The same, in another scale and shift for every picture."""
    chance = np.random.default_rng(int(image.rgba[10, :, 0].astype(int) @ np.arange(image.width)))
    return Depth(
        honest(image).values * chance.uniform(0.5, 3) + chance.uniform(-1, 1), DepthKind.DISPARITY
    )


def bent_on_the_left(image: Image) -> Depth:
    """Sees the left fifth of whatever it is shown too near."""
    values = np.array(honest(image).values)
    part = image.width // 5
    values[:, :part] += 0.5 * np.linspace(1, 0, part)
    return Depth(values, DepthKind.DISPARITY)


def test_an_estimator_that_sees_the_shape_is_believed_everywhere() -> None:
    for estimator in (honest, unsure_of_scale):
        found = confidence(estimator, PICTURE)
        assert found.values.min() > 0.999 and found.deviation.max() < 1e-4
        np.testing.assert_array_equal(found.depth.values, estimator(PICTURE).values)


def test_doubt_lies_where_the_estimate_depends_on_the_place() -> None:
    found = confidence(bent_on_the_left, PICTURE, Consistency(shift=12))
    # Mirrored, the left fifth is compared with the right one; the middle is sound.
    left, middle = found.values[:, :12], found.values[:, 56:72]
    assert np.median(left) < 0.1 and np.median(middle) > 0.9


def test_each_test_finds_its_fault_by_itself() -> None:
    mirror = confidence(bent_on_the_left, PICTURE, Consistency(mirrored=True, shift=0))
    moved = confidence(bent_on_the_left, PICTURE, Consistency(mirrored=False, shift=12))
    for found in (mirror, moved):
        assert found.values[:, 2:14].mean() < 0.5 < found.values[:, 58:70].mean()


def test_tolerance_is_the_deviation_that_halves_the_confidence() -> None:
    deviation = float(confidence(bent_on_the_left, PICTURE, Consistency(shift=0)).deviation[0, 5])
    assert deviation > 0.1
    found = confidence(bent_on_the_left, PICTURE, Consistency(shift=0, tolerance=deviation))
    assert found.values[0, 5] == pytest.approx(0.5, abs=1e-4)


def test_pixels_without_depth_have_no_confidence() -> None:
    def with_hole(image: Image) -> Depth:
        depth = honest(image)
        return Depth(depth.values, DepthKind.DISPARITY, valid=image.rgba[..., 0] > 128)

    found = confidence(with_hole, PICTURE)
    dark = PICTURE.rgba[..., 0] <= 128
    assert dark.any() and (found.values[dark] == 0).all()
    assert found.values[~dark].min() > 0.99


def test_bad_questions_and_bad_estimators_are_refused() -> None:
    with pytest.raises(InvalidData, match="no test"):
        confidence(honest, PICTURE, Consistency(mirrored=False, shift=0))
    with pytest.raises(InvalidData, match="shift"):
        confidence(honest, PICTURE, Consistency(shift=60))
    with pytest.raises(InvalidData, match="pixels"):
        confidence(lambda image: Depth(np.eye(8), DepthKind.DISPARITY), PICTURE)
    with pytest.raises(InvalidData, match="everywhere"):
        confidence(
            lambda image: Depth(np.ones((image.height, image.width)), DepthKind.METRIC), PICTURE
        )
