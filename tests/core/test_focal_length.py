"""The focal length of a photograph: told two ways, kept by our own PNGs, doubted where it lies."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest

from glimpse3d import pictures
from glimpse3d.types import Image

EXIF, FOCAL, FILM, WIDTH, HEIGHT = 0x8769, 0x920A, 0xA405, 0xA002, 0xA003
PLANE_X, PLANE_UNIT, ORIENTATION = 0xA20E, 0xA210, 0x0112


def photograph(tags: dict[int, object], size: tuple[int, int] = (400, 300), turn: int = 1) -> Image:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = turn
    exif[EXIF] = tags
    stream = io.BytesIO()
    PIL.Image.new("RGB", size, (90, 120, 150)).save(stream, "JPEG", exif=exif)
    return pictures.read(stream.getvalue())


def test_film_equivalent_is_measured_along_the_diagonal() -> None:
    # 43.27 mm is the film's diagonal: as far as the picture's own is long, 500 pixels.
    assert photograph({FILM: 43}).focal_length == pytest.approx(500 * 43 / 43.2666, rel=1e-4)


def test_turning_the_picture_upright_keeps_it() -> None:
    upright = photograph({FILM: 43}, turn=6)
    assert (upright.width, upright.height) == (300, 400)
    assert upright.focal_length == photograph({FILM: 43}).focal_length


def test_sensor_resolution_scales_with_the_picture() -> None:
    # 100 pixels a millimetre, 8 mm, on 800 pixels; the picture was halved since.
    tags = {FOCAL: 8.0, PLANE_X: 100.0, PLANE_UNIT: 4, WIDTH: 800, HEIGHT: 600, FILM: 99}
    assert photograph(tags).focal_length == pytest.approx(400)


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {FOCAL: 8.0},  # of a sensor whose size is unknown
        {FILM: 0},
        {FILM: 2},  # a lens of 170 degrees
        {FILM: 43, WIDTH: 800, HEIGHT: 800},  # cropped since
    ],
)
def test_nothing_is_better_than_a_guess(tags: dict[int, object]) -> None:
    assert photograph(tags).focal_length == 0


def test_our_png_keeps_it_and_is_the_same_without() -> None:
    rgba = np.full((30, 40, 4), 200, np.uint8)
    assert pictures.read(pictures.write_png(Image(rgba, 123.456))).focal_length == pytest.approx(
        123.456, abs=1e-3
    )
    plain = pictures.read(pictures.write_png(Image(rgba)))
    assert plain.focal_length == 0
