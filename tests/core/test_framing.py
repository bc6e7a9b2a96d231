import numpy as np
import pytest

from glimpse3d.coords import Lens, orbit_camera, project
from glimpse3d.errors import NoForeground
from glimpse3d.framing import frame, subject_box
from glimpse3d.types import Image


def disc(width: int, height: int, middle: np.ndarray, radius: float) -> Image:
    """A white disc whose edge is 6 pixels soft, so that 8 bits say where it is."""
    y, x = np.mgrid[:height, :width] + 0.5
    t = np.clip((radius - np.hypot(x - middle[0], y - middle[1])) / 6 + 0.5, 0, 1)
    alpha = np.rint(255 * t * t * (3 - 2 * t))
    return Image(np.dstack([np.full((height, width, 3), 255), alpha]).astype(np.uint8))


def centroid(alpha: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: alpha.shape[0], : alpha.shape[1]] + 0.5
    weights = alpha.astype(np.float64)
    return np.array([(x * weights).sum(), (y * weights).sum()]) / weights.sum()


@pytest.mark.parametrize(("width", "height"), [(501, 403), (344, 517)])
@pytest.mark.parametrize("resolution", [160, 257, 512])
def test_a_disc_comes_to_lie_where_the_arithmetic_says(
    width: int, height: int, resolution: int
) -> None:
    rng = np.random.default_rng(width + resolution)
    errors = []
    for _ in range(24):
        middle = rng.uniform(-9, 9, 2) + np.array([width / 2, height / 2])
        picture = disc(width, height, middle, rng.uniform(130, 155))
        crop = frame(picture, resolution)
        found = centroid(crop.image.rgba[..., 3]) * crop.scale + [crop.left, crop.top]
        errors.append((found - middle) / crop.scale)
    # Rounding alpha to 8 bits moves a single centroid by some 3e-4; there is no bias beyond it.
    assert np.abs(errors).max() < 2e-3
    assert np.abs(np.mean(errors, axis=0)).max() < 2e-4


def test_the_box_is_centred_and_takes_the_ratio() -> None:
    rgba = np.zeros((301, 203, 4), np.uint8)
    rgba[17:280, 100:190] = 255
    crop = frame(Image(rgba), 200, 0.8)
    assert subject_box(Image(rgba)) == (100, 17, 190, 280)
    middle = (np.array([145.0, 148.5]) - [crop.left, crop.top]) / crop.scale
    assert np.abs(middle - 100).max() < 1e-9
    assert 263 / crop.scale == pytest.approx(160, abs=1e-9)
    assert subject_box(crop.image)[1::2] == (20, 180)


@pytest.mark.parametrize("box", [(0, 0, 20, 30), (43, 10, 64, 48), (0, 0, 64, 48), (5, 30, 23, 48)])
def test_a_subject_at_the_border_is_whole_in_its_crop(box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    rgba = np.zeros((48, 64, 4), np.uint8)
    rgba[top:bottom, left:right] = [200, 100, 50, 255]
    crop = frame(Image(rgba), 100)
    alpha = crop.image.rgba[..., 3].astype(float)
    area = (right - left) * (bottom - top) / crop.scale**2
    assert alpha.sum() / 255 == pytest.approx(area, rel=0.03)
    assert not alpha[[0, -1]].any() and not alpha[:, [0, -1]].any()
    solid = alpha > 250
    assert solid.any() and np.abs(crop.image.rgba[solid][:, :3] - [200.0, 100, 50]).max() <= 1


def test_crop_and_picture_see_a_point_in_the_same_place() -> None:
    rng = np.random.default_rng(5)
    crop = frame(disc(517, 389, np.array([211.3, 180.9]), 97.7), 131)
    camera = orbit_camera(12, 21, 2.0, Lens.from_field_of_view(40, 131, 131))
    points = rng.uniform(-0.5, 0.5, (50, 3))
    in_crop, depth = project(camera, points)
    whole = crop.picture_camera(camera)
    in_picture, same_depth = project(whole, points)
    assert (whole.width, whole.height) == (517, 389)
    assert np.abs(in_crop * crop.scale + [crop.left, crop.top] - in_picture).max() < 1e-9
    assert np.array_equal(depth, same_depth)
    assert np.abs((in_picture - [crop.left, crop.top]) / crop.scale - in_crop).max() < 1e-9


def test_an_empty_cut_out_is_refused() -> None:
    with pytest.raises(NoForeground) as caught:
        frame(Image(np.full((9, 9, 4), 100)), 64)
    assert caught.value.hint
