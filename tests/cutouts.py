"""Cut-outs of known solids and odd ones, and what holds for whatever is made of them."""

import numpy as np
import pytest

from glimpse3d import mesh_raster
from glimpse3d.coords import azimuth_elevation
from glimpse3d.stages import Detail
from glimpse3d.types import Image, Reconstruction
from tests import shapes

DRAFT = Detail(faces=10_000, texture_size=1024)


def assert_house_frame(found: Reconstruction, elevation: float = 17.0) -> None:
    low, high = found.mesh.vertices.min(axis=0), found.mesh.vertices.max(axis=0)
    assert np.abs(low + high).max() < 1e-5
    assert (high - low).max() == pytest.approx(1.0, abs=1e-5)
    assert abs(found.camera.position[0]) < 1e-9
    assert found.camera.position[1] < 0
    assert azimuth_elevation(found.camera) == pytest.approx((0.0, elevation), abs=1e-6)


def assert_gives_the_picture_back(found: Reconstruction, picture: Image) -> None:
    seen = mesh_raster.render(found.mesh, found.camera, 2).rgba
    assert shapes.iou(seen, picture.rgba) > 0.97
    assert shapes.psnr(seen, picture.rgba) > 24


def holes(found: Reconstruction) -> int:
    """Of a surface in one piece: its genus."""
    vertices, faces = shapes.merged(found.mesh)
    return 1 - (len(vertices) - len(faces) // 2) // 2


def moved(picture: Image, width: int, height: int, left: int, top: int) -> Image:
    """The picture pasted into a larger one, or cut by its border."""
    rgba = np.zeros((height, width, 4), np.uint8)
    rows = slice(max(top, 0), min(top + picture.height, height))
    columns = slice(max(left, 0), min(left + picture.width, width))
    rgba[rows, columns] = picture.rgba[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
    return Image(rgba)


CAMERA = shapes.front_camera(size=320)
SPHERE = shapes.photograph(shapes.sphere(), CAMERA)
VASE = shapes.photograph(shapes.vase(), CAMERA)
PICTURES = {
    "sphere": SPHERE,
    "vase": VASE,
    "box": shapes.photograph(shapes.box(0.8, 0.5, 0.6), CAMERA),
    "knot": shapes.photograph(shapes.knot(), CAMERA),
    "turned": shapes.photograph(
        shapes.box(0.8, 0.5, 0.6), shapes.front_camera(size=320, azimuth=35)
    ),
    "star": shapes.drawing(301, 277, shapes.star((150.3, 140.8), 130, 55), []),
    "ring": shapes.drawing(256, 256, shapes.disc((128, 128), 110), [shapes.disc((120.5, 130), 60)]),
    "off-centre": moved(VASE, 777, 401, 430, 60),
    "cut off": moved(SPHERE, 250, 235, -80, -20),
    "wide": shapes.drawing(
        901, 57, np.array([[9, 9], [890, 20], [870, 50], [30, 44]], np.float64), []
    ),
}


def full(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 4), 255, np.uint8)


def speck(height: int, width: int, *rows_columns: slice) -> np.ndarray:
    rgba = np.zeros((height, width, 4), np.uint8)
    rgba[rows_columns] = [200, 120, 40, 255]
    return rgba


ODD = {
    "one pixel": full(1, 1),
    "all of it": full(61, 40),
    "a column": speck(300, 301, slice(None), slice(150, 151)),
    "a row": speck(200, 500, slice(100, 101), slice(3, 490)),
    "a diagonal": np.repeat(np.eye(200, dtype=np.uint8)[..., None] * 255, 4, axis=2),
    "one percent": speck(400, 400, slice(0, 40), slice(360, 400)),
    "99 percent": np.where(speck(200, 200, slice(7, 27), slice(50, 70)) > 0, 0, full(200, 200)),
    "a lattice": np.where(np.indices((96, 128)).sum(axis=0)[..., None] % 8 < 4, full(96, 128), 0),
    "confetti": np.where(np.random.default_rng(3).random((150, 130, 1)) < 0.3, full(150, 130), 0),
    "half there": np.full((50, 90, 4), 140, np.uint8),
}
