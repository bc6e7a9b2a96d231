"""Shapes and pictures of them: pure functions of a seed, and the picture shows what is there."""

import math

import numpy as np
import pytest

from training import distance, frustum
from training.camera import Pose, camera_turn, extent
from training.data import collect, read_shard, sample, write_shard
from training.render import Sample, differs
from training.shapes.families import HELD_OUT, TRAINED, draw, shape
from training.shapes.outline import smooth, walled
from training.shapes.program import Program

FAMILIES = [*TRAINED, *HELD_OUT]


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return [sample((2, index)) for index in range(10)]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_shape_is_its_seed(name: str) -> None:
    one, same, other = shape(name, 3), shape(name, 3), shape(name, 4)
    for first, second in zip(one.solid(), same.solid(), strict=True):
        np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(one.materials, same.materials)
    assert not np.array_equal(np.stack(one.rows)[0], np.stack(other.rows)[0])


def test_a_sample_is_its_seed() -> None:
    first, second = sample((5, 1)), sample((5, 1))
    np.testing.assert_array_equal(first.picture, second.picture)
    np.testing.assert_array_equal(first.occupancy, second.occupancy)
    np.testing.assert_array_equal(first.back, second.back)
    assert first.elevation == second.elevation


def test_families_are_many_and_held_out_ones_apart() -> None:
    assert len(TRAINED) >= 14
    assert len(HELD_OUT) >= 2
    assert not set(TRAINED) & set(HELD_OUT)
    random = np.random.default_rng(0)
    drawn = {draw(random, TRAINED) for _ in range(1500)}
    assert drawn == set(TRAINED)


def test_occupancy_agrees_with_the_silhouette(samples: list[Sample]) -> None:
    for one in samples:
        alpha = one.picture[..., 3].reshape(64, 2, 64, 2).mean(axis=(1, 3))
        seen, filled = alpha > 127, one.occupancy.max(axis=2) > 127
        # What is thinner than a cell may fall between the cells' centres, above all at the rim.
        assert (seen & filled).sum() / (seen | filled).sum() > 0.75
        assert filled[alpha == 255].mean() > 0.93
        assert filled[alpha == 0].mean() < 0.01


def test_the_subject_fills_the_frame_and_lies_at_depth_one(samples: list[Sample]) -> None:
    for one in samples:
        rows, columns = np.nonzero(one.picture[..., 3] > 127)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert max(height, width) / frustum.IMAGE == pytest.approx(frustum.FILL, rel=0.12)
        assert (rows.min() + rows.max()) / 2 == pytest.approx(63.5, abs=6)
        depths = frustum.bin_depths(one.field_of_view)
        weight = one.occupancy.astype(float).sum(axis=(0, 1)) * depths**2
        assert (weight * depths).sum() / weight.sum() == pytest.approx(1, abs=0.04)


def test_back_is_coloured_where_the_subject_is(samples: list[Sample]) -> None:
    for one in samples:
        solid = one.occupancy.max(axis=2) > 200
        assert (one.back.max(axis=2) > 0)[solid].mean() > 0.97


def test_a_ball_is_a_ball() -> None:
    program = Program()
    program.ball((0.1, 0.2, 0.3), 0.5)
    solid = program.solid()
    points = np.random.default_rng(0).normal(size=(200, 3))
    active = np.arange(1)
    for point in points:
        said = distance.evaluate(solid, active, 1, *point)[0]
        assert said == pytest.approx(np.linalg.norm(point - (0.1, 0.2, 0.3)) - 0.5, abs=1e-6)


def test_parts_mirror_repeat_and_cut() -> None:
    program = Program()
    with program.styled(mirror=(0, 1)):
        program.ball((0.5, 0.4, 0), 0.1)
    with program.styled(operation=distance.SUBTRACT):
        program.ball((0.5, 0.4, 0.1), 0.1)
    solid, active = program.solid(), np.arange(5)
    assert len(solid.rows) == 5
    for x in (-0.5, 0.5):
        for y in (-0.4, 0.4):
            cut = (x, y) == (0.5, 0.4)
            assert (distance.evaluate(solid, active, 5, x, y, 0.05)[0] > 0) == cut
    assert extent(solid) >= 0.6


@pytest.mark.parametrize("name", FAMILIES)
def test_marching_is_safe(name: str) -> None:
    """A step by the distance never lands inside: what rays meet is what the cells say."""
    solid = shape(name, 9).solid()
    half, active = extent(solid), np.arange(len(solid.rows))
    random = np.random.default_rng(1)
    for point in random.uniform(-half, half, (150, 3)):
        gap = distance.evaluate(solid, active, len(active), *point)[0]
        if gap <= 0.01:
            continue
        way = random.normal(size=3)
        landed = point + way / np.linalg.norm(way) * gap
        assert distance.evaluate(solid, active, len(active), *landed)[0] > -0.02


def test_azimuth_grows_towards_the_right_of_the_front() -> None:
    forward = camera_turn(Pose(90, 0, 0, 40))[:, 2]
    np.testing.assert_allclose(forward, (-1, 0, 0), atol=1e-12)
    turn = camera_turn(Pose(0, 30, 0, 40))
    np.testing.assert_allclose(turn[:, 2], (0, math.cos(math.pi / 6), -0.5), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)


def test_shards_keep_samples(tmp_path, samples: list[Sample]) -> None:
    batch = collect(samples[:4])
    write_shard(tmp_path / "one.npz", batch)
    again = read_shard(tmp_path / "one.npz")
    np.testing.assert_array_equal(again.picture, batch.picture)
    np.testing.assert_array_equal(again.back, batch.back)
    np.testing.assert_array_equal(again.elevation, batch.elevation)
    assert np.abs(again.occupancy.astype(int) - batch.occupancy).max() <= 9


def test_edges_are_found_on_both_sides() -> None:
    values = np.zeros((5, 5, 1))
    values[2, 2] = 2
    np.testing.assert_array_equal(
        np.argwhere(differs(values)), [[1, 2], [2, 1], [2, 2], [2, 3], [3, 2]]
    )


def test_profiles() -> None:
    line = np.array(((0.5, 0.0), (0.6, 1.0)))
    vessel = walled(line, 0.1, 0.2)
    assert vessel[:, 0].min() == 0
    assert vessel[0, 1] == 0
    assert vessel[-1, 1] == pytest.approx(0.2)
    square = np.array(((0, 0), (1, 0), (1, 1), (0, 1)), float)
    rounded = smooth(square, 3)
    assert len(rounded) == 32
    assert rounded.min() >= 0
    np.testing.assert_allclose(rounded.mean(axis=0), (0.5, 0.5))
