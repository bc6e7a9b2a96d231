"""A depth written with 16 true bits, and read back."""

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from glimpse3d.depth import png
from glimpse3d.errors import BadFile, InvalidData
from glimpse3d.types import Depth, DepthKind
from tests.readers import scene

TRUE = scene.depth_of(scene.camera(0))


def test_metres_are_millimetres_that_any_program_reads(tmp_path: Path) -> None:
    png.write(TRUE, tmp_path / "depth.png")
    with PIL.Image.open(tmp_path / "depth.png") as picture:
        assert picture.mode == "I;16"
        pixels = np.asarray(picture)
    np.testing.assert_array_equal(pixels == 0, ~TRUE.valid)
    assert np.abs(pixels / 1000 - TRUE.z)[TRUE.valid].max() <= 0.0005001
    assert pixels.max() > 256  # more than a byte could hold, and it did not wrap


def test_far_depth_is_written_in_centimetres(tmp_path: Path) -> None:
    far = Depth(np.array([[2.0, 80.0], [300.0, 655.0]]), DepthKind.METRIC)
    png.write(far, tmp_path / "far.png")
    np.testing.assert_allclose(png.read(tmp_path / "far.png").z, far.z, atol=0.00501)
    with pytest.raises(InvalidData, match="16 bits"):
        png.write(Depth(np.array([[1.0, 700.0]]), DepthKind.METRIC), tmp_path / "no.png")
    assert not (tmp_path / "no.png").exists()


@pytest.mark.parametrize("kind", [DepthKind.DISPARITY, DepthKind.RELATIVE])
def test_other_kinds_use_every_step(kind: DepthKind, tmp_path: Path) -> None:
    values = np.where(TRUE.valid, 1000 * TRUE.z - (1e3 if kind is DepthKind.DISPARITY else 0), 0)
    depth = Depth(values, kind, valid=TRUE.valid)
    pixels = np.asarray(PIL.Image.open(io.BytesIO(png.write(depth, tmp_path / "depth.png"))))
    assert pixels[TRUE.valid].min() == 1 and pixels.max() == 65535
    back = png.read(tmp_path / "depth.png")
    assert back.kind is kind
    np.testing.assert_array_equal(back.valid, depth.valid)
    step = np.ptp(values[TRUE.valid]) / 65534
    assert np.abs(back.values - depth.values)[TRUE.valid].max() <= 0.51 * step


def test_the_same_depth_gives_the_same_bytes() -> None:
    assert png.write(TRUE) == png.write(TRUE)


def test_other_pictures_are_no_depth(tmp_path: Path) -> None:
    PIL.Image.new("L", (20, 20)).save(tmp_path / "grey.png")
    (tmp_path / "text.png").write_text("nothing")
    for name in ("grey.png", "text.png", "absent.png"):
        with pytest.raises(BadFile, match="no depth"):
            png.read(tmp_path / name)


def test_a_depth_that_is_known_nowhere_is_not_written() -> None:
    with pytest.raises(InvalidData, match="nowhere"):
        png.write(Depth(np.zeros((4, 4)), DepthKind.METRIC, valid=np.zeros((4, 4), bool)))
