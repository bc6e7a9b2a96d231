from dataclasses import replace

import numpy as np
import pytest

from glimpse3d import coords
from glimpse3d.errors import Cancelled
from glimpse3d.export import contact_sheet as sheet
from glimpse3d.progress import Progress, Report
from glimpse3d.types import Image
from tests.results import SIDES, box, cutout, result, splats

COLUMNS = {side: index for index, side in enumerate(sheet.SIDES)}


def cell(image: Image, row: int, column: int) -> np.ndarray:
    """(CELL, CELL, 3) of the mesh, shape and splat rows."""
    x = sheet.MARGIN + sheet.LEFT + sheet.GAP + column * (sheet.CELL + sheet.GAP)
    y = sheet.MARGIN - sheet.CAPTION // 3 + row * (sheet.CAPTION + sheet.CELL) + sheet.CAPTION
    return image.rgba[y : y + sheet.CELL, x : x + sheet.CELL, :3]


@pytest.fixture(scope="module")
def drawn() -> Image:
    return sheet.contact_sheet(replace(result(), gaussians=splats(3000)))


def test_it_is_opaque_and_of_a_page_size(drawn: Image) -> None:
    assert drawn.width == 1600 and 800 < drawn.height < 1100
    assert (drawn.rgba[..., 3] == 255).all()
    assert (drawn.rgba[:8] == 255).all() and (drawn.rgba[:, -8:] == 255).all()  # a margin


@pytest.mark.parametrize("side", sheet.SIDES)
def test_each_column_shows_its_side_of_mesh_and_splats(side: str, drawn: Image) -> None:
    color = np.array(SIDES[side][1])
    middle = np.s_[sheet.CELL // 2 - 10 : sheet.CELL // 2 + 10]
    mesh = cell(drawn, 0, COLUMNS[side])[middle, middle]
    assert np.abs(mesh.astype(int) - color).max() <= 1
    splat = cell(drawn, 2, COLUMNS[side])[middle, middle].mean(axis=(0, 1))
    assert np.abs(splat - color).max() < 25


@pytest.mark.parametrize("row", [0, 1])
def test_the_object_fills_its_cells_and_fits(row: int, drawn: Image) -> None:
    for column in range(4):
        picture = cell(drawn, row, column).astype(int)
        inside = np.s_[:, 10:-10]  # the corners are round
        seen = np.abs(picture - sheet.PAPER)[inside].max(axis=2) > 12
        rows = np.flatnonzero(seen.any(axis=1))
        assert rows[0] > 2 and rows[-1] < sheet.CELL - 3
        assert rows[-1] - rows[0] > 0.8 * sheet.CELL


def test_clay_shows_shape_and_no_colour(drawn: Image) -> None:
    clay = cell(drawn, 1, 0)[40:-40, 70:-70].astype(int)
    assert (clay.max(axis=2) - clay.min(axis=2)).max() < 40
    assert clay.mean(axis=2).std() > 10


def test_the_cut_out_lies_on_light_checks(drawn: Image) -> None:
    half = sheet.BLOCK // 2 - sheet.CAPTION
    top = sheet.MARGIN - sheet.CAPTION // 3 + sheet.BLOCK // 2 + sheet.CAPTION
    area = drawn.rgba[top : top + half, sheet.MARGIN : sheet.MARGIN + sheet.LEFT, :3]
    colors = {tuple(int(c) for c in each) for each in area.reshape(-1, 3)}
    assert set(sheet.CHECKS) <= colors and SIDES["front"][1] in colors
    assert (128, 130, 132) not in colors  # the wall behind it is gone


def test_captions_are_written(drawn: Image) -> None:
    top = sheet.MARGIN - sheet.CAPTION // 3
    band = drawn.rgba[top : top + sheet.CAPTION, :, :3].astype(int)
    assert (band.sum(axis=2) < 300).sum() > 100


def test_one_lens_takes_in_every_side() -> None:
    mesh = coords.scale_mesh(box(), 0.003)
    cameras = sheet.side_cameras(mesh, 200)
    for camera in cameras.values():
        pixels, depth = coords.project(camera, mesh.vertices)
        assert depth.min() > 0 and pixels.min() > 5 and pixels.max() < 195
    assert len({camera.K.tobytes() for camera in cameras.values()}) == 1
    assert coords.azimuth_elevation(cameras["right"])[0] == pytest.approx(90)


@pytest.mark.parametrize("size", [(16, 900), (1200, 20)], ids=["tall", "wide"])
def test_pictures_of_any_shape_are_fitted(size: tuple[int, int]) -> None:
    image = Image(np.full((size[1], size[0], 4), 255, np.uint8))
    odd = replace(result(), input=image, cutout=cutout(image))
    assert sheet.contact_sheet(odd).width == 1600


def test_it_can_be_cancelled() -> None:
    seen: list[Report] = []
    with pytest.raises(Cancelled):
        sheet.contact_sheet(result(), Progress(seen.append, lambda: len(seen) == 2))
