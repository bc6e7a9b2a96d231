"""Edits of clouds: what they leave looks as it should."""

from dataclasses import replace

import numpy as np
import pytest

from glimpse3d import cloud_edits, coords
from glimpse3d.errors import InvalidData, InvalidSettings
from glimpse3d.formats import sh
from glimpse3d.splats.render import render
from glimpse3d.types import GaussianCloud


def cloud_of(count: int, degree: int = 3, seed: int = 0) -> GaussianCloud:
    random = np.random.default_rng(seed)
    rotations = random.normal(size=(count, 4))
    return GaussianCloud(
        random.normal(size=(count, 3)) * 0.2,
        np.exp(random.normal(size=(count, 3)) * 0.5 - 3.5),
        rotations / np.linalg.norm(rotations, axis=1, keepdims=True),
        random.uniform(0.1, 0.95, count),
        random.normal(size=(count, (degree + 1) ** 2, 3)) * 0.2,
    )


def covariances(cloud: GaussianCloud) -> np.ndarray:
    axes = cloud_edits.rotation_matrices(cloud.rotations) * cloud.scales[:, None, :]
    return axes @ axes.transpose(0, 2, 1)


def affine(linear: np.ndarray) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = linear, [0.3, -0.2, 0.1]
    return matrix


TURN = coords.rotation_about((0.3, -0.5, 0.8), 70)


@pytest.mark.parametrize(
    "linear",
    [TURN * 1.7, TURN @ np.diag([2, 0.5, 1.2]), np.diag([-1.0, 1, 1]), TURN @ np.diag([1, -3, 2]),
     np.array([[1, 0.5, 0], [0, 1, 0.2], [0, 0, 1.0]])],
)  # fmt: skip
def test_covariance_follows_any_affine_map(linear: np.ndarray) -> None:
    cloud = cloud_of(200)
    moved = cloud_edits.transform(cloud, affine(linear))
    expected = linear @ covariances(cloud) @ linear.T
    np.testing.assert_allclose(covariances(moved), expected, atol=2e-6 * np.abs(expected).max())
    np.testing.assert_allclose(moved.means, cloud.means @ linear.T + [0.3, -0.2, 0.1], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(moved.rotations, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("mirror", [1.0, -1.0])
def test_colour_follows_the_turn_and_the_mirror(mirror: float) -> None:
    cloud = cloud_of(50)
    linear = TURN @ np.diag([mirror, 1, 1])
    moved = cloud_edits.transform(cloud, affine(linear * 2))
    directions = np.random.default_rng(1).normal(size=(50, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    before = np.einsum("nk,nkc->nc", sh.basis(directions, 3), cloud.sh)
    after = np.einsum("nk,nkc->nc", sh.basis(directions @ linear.T, 3), moved.sh)
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_a_turned_cloud_looks_as_the_camera_turned_the_other_way() -> None:
    cloud = cloud_of(400)
    camera = coords.orbit_camera(30, 20, 2, coords.Lens.from_field_of_view(40, 64, 64))
    matrix = np.eye(4)
    matrix[:3, :3] = TURN
    there = render(cloud_edits.transform(cloud, matrix), coords.rotate_camera(camera, TURN))
    np.testing.assert_allclose(there.rgb, render(cloud, camera).rgb, atol=1e-4)


def test_a_flat_disc_stays_flat_when_it_is_stretched() -> None:
    flat = GaussianCloud(np.zeros((1, 3)), [[0.1, 0.1, 1e-6]], [[1, 0, 0, 0]], [1], [[[0, 0, 0]]])
    moved = cloud_edits.transform(flat, affine(TURN @ np.diag([3, 1, 1])))
    np.testing.assert_allclose(moved.scales[0], [0.3, 0.1, 1e-6], rtol=1e-5)


@pytest.mark.parametrize("scale", [0.0, np.nan])
def test_flattening_is_refused(scale: float) -> None:
    with pytest.raises(InvalidData):
        cloud_edits.transform(cloud_of(3), affine(np.diag([1, 1, scale])))


def test_merging_keeps_every_splat_and_the_highest_degree() -> None:
    one, two = cloud_of(5, 1), cloud_of(7, 3, seed=1)
    both = cloud_edits.merge([one, two])
    assert len(both) == 12 and both.sh_degree == 3
    np.testing.assert_array_equal(both.sh[:5, :4], one.sh)
    assert not both.sh[:5, 4:].any()
    np.testing.assert_array_equal(both.means[5:], two.means)


def test_cleaning_takes_the_useless_and_nothing_else() -> None:
    cloud = cloud_of(500)
    means, scales = np.array(cloud.means), np.array(cloud.scales)
    opacities = np.array(cloud.opacities)
    means[3], scales[4], opacities[5] = [50, 0, 0], [5, 0.1, 0.1], 0.001
    dirty = GaussianCloud(means, scales, cloud.rotations, opacities, cloud.sh)
    kept, removed = cloud_edits.clean(dirty, 4)
    assert (removed.faint, removed.far, removed.huge) == (1, 1, 1)
    np.testing.assert_array_equal(kept.means, np.delete(means, [3, 4, 5], axis=0))
    assert len(removed.in_words()) == 3
    with pytest.raises(InvalidSettings):
        cloud_edits.clean(dirty, 0.5)


def test_cleaning_never_leaves_nothing() -> None:
    """As where sizes were stored without their logarithm: each is as large as the whole."""
    cloud = cloud_of(50)
    large = np.full((50, 3), 3.0)
    with pytest.raises(InvalidData, match="nothing would be left") as caught:
        cloud_edits.clean(replace(cloud, scales=large), 4)
    assert "logarithm" in caught.value.hint


def test_sizes_without_their_logarithm_are_told_from_large_units() -> None:
    cloud = cloud_of(500)
    assert cloud_edits.lacks_logarithm(replace(cloud, scales=np.exp(cloud.scales)))
    in_millimetres = replace(cloud, means=cloud.means * 1000, scales=np.full((500, 3), 3.0))
    assert not cloud_edits.lacks_logarithm(in_millimetres)
    assert not cloud_edits.lacks_logarithm(cloud)


def test_cleaning_leaves_no_cloud_without_a_splat_that_is_seen() -> None:
    cloud = cloud_of(50)
    with pytest.raises(InvalidData, match="nothing would be left"):
        cloud_edits.clean(replace(cloud, opacities=np.zeros(50)), 4)


def test_fewer_splats_look_more_alike_united_than_left_out() -> None:
    random = np.random.default_rng(0)
    count = 4000
    directions = random.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    colors = 0.5 + 0.4 * np.sin(directions * 4)
    cloud = GaussianCloud(
        directions * 0.4, np.full((count, 3), 0.012), np.tile([1, 0, 0, 0], (count, 1)),
        np.full(count, 0.9), sh.from_color(colors)[:, None],
    )  # fmt: skip
    few = cloud_edits.decimate(cloud, 1000)
    assert 700 < len(few) <= 1000
    camera = coords.orbit_camera(30, 20, 2, coords.Lens.from_field_of_view(30, 96, 96))
    whole = render(cloud, camera)
    left = cloud_edits.pick(cloud, random.permutation(count)[: len(few)])

    def error(other: GaussianCloud) -> float:
        seen = render(other, camera)
        return float(
            ((seen.rgb - whole.rgb) ** 2).mean() + ((seen.alpha - whole.alpha) ** 2).mean()
        )

    assert error(few) < 0.2 * error(left)
    assert cloud_edits.decimate(cloud, count) is cloud
    with pytest.raises(InvalidSettings):
        cloud_edits.decimate(cloud, 0)


def test_splats_in_one_place_become_one() -> None:
    same = cloud_edits.pick(cloud_of(1), np.zeros(9, int))
    assert len(cloud_edits.decimate(same, 2)) == 1
