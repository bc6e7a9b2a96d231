"""Unwrapping needs xatlas, which comes with the extra ``triposr`` alone."""

import numpy as np
import pytest

from glimpse3d import mesh_raster, unwrap
from glimpse3d.errors import InvalidData
from glimpse3d.progress import Progress
from glimpse3d.simplify import simplify
from glimpse3d.types import Image, Mesh
from tests import shapes

SIZE = 512


def painted(points: np.ndarray) -> np.ndarray:
    return shapes.checks(points) / 255


@pytest.fixture(scope="module")
def knot() -> Mesh:
    full = shapes.knot()
    return Mesh(*simplify(full.vertices, full.faces, 3000))


@pytest.fixture(scope="module")
def baked(knot: Mesh) -> Mesh:
    return unwrap.textured(knot, painted, SIZE, Progress())


def test_the_same_triangles_in_the_same_order(knot: Mesh, baked: Mesh) -> None:
    assert np.array_equal(baked.vertices[baked.faces], knot.vertices[knot.faces])
    shapes.assert_closed(baked)
    assert baked.texture is not None and baked.uvs is not None and baked.colors is None
    assert baked.texture.width == baked.texture.height == SIZE
    assert baked.uvs.min() >= 0 and baked.uvs.max() <= 1


def test_charts_do_not_overlap(baked: Mesh) -> None:
    assert baked.uvs is not None
    covered = np.zeros((SIZE, SIZE), int)
    a, b, c = (baked.uvs[baked.faces[:, corner]].astype(float) * SIZE for corner in range(3))
    area = 0.5 * np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    middle = (a + b + c) / 3
    flat = np.column_stack([baked.uvs * [SIZE, -SIZE] + [0, SIZE], np.ones(len(baked.uvs))])
    camera = unwrap.Camera(np.eye(4), np.eye(3), SIZE, SIZE)
    raster = mesh_raster.rasterize(flat, baked.faces, camera)
    covered = raster.face >= 0
    assert area.sum() == pytest.approx(covered.sum(), rel=0.02)
    assert covered.mean() > 0.25
    large = np.flatnonzero(area > 6)
    column, row = np.floor(middle[large, 0]), np.floor(SIZE - middle[large, 1])
    seen = raster.face[row.astype(int), column.astype(int)]
    assert (seen == large).mean() > 0.97


def test_the_texture_is_sharper_than_the_vertices(knot: Mesh, baked: Mesh) -> None:
    camera = shapes.front_camera(size=256)
    true = shapes.photograph(knot, camera).rgba.astype(float)
    colors = np.full((len(knot.vertices), 4), 255, np.uint8)
    colors[:, :3] = np.rint(shapes.checks(knot.vertices))
    by_vertex = Mesh(knot.vertices, knot.faces, colors)

    def psnr(mesh: Mesh) -> float:
        drawn = mesh_raster.render(mesh, camera).rgba.astype(float)
        solid = (drawn[..., 3] == 255) & (true[..., 3] == 255)
        assert solid.sum() > 5000
        return 10 * np.log10(255**2 / np.square(drawn - true)[solid][:, :3].mean())

    assert psnr(baked) > 26
    assert psnr(baked) > psnr(by_vertex) + 6


def test_seams_show_nothing_between_the_charts(baked: Mesh) -> None:
    smooth = unwrap.bake(baked, lambda points: 0.5 + 0.4 * np.sin(3 * points), SIZE, Progress())
    assert smooth.uvs is not None and smooth.texture is not None
    assert (smooth.texture.rgba[..., 3] == 255).all()
    corner = np.repeat(np.eye(3), len(smooth.faces), axis=0)
    faces = np.tile(np.arange(len(smooth.faces)), 3)
    found = mesh_raster.surface_colors(smooth, faces, corner)
    points = smooth.vertices[smooth.faces[faces, np.repeat(np.arange(3), len(smooth.faces))]]
    assert np.abs(found - 255 * (0.5 + 0.4 * np.sin(3 * points))).max() < 8


def test_what_cannot_be_unwrapped_is_refused(knot: Mesh) -> None:
    with pytest.raises(InvalidData):
        unwrap.textured(Mesh(np.zeros((3, 3)), np.zeros((0, 3), int)), painted, SIZE, Progress())
    with pytest.raises(InvalidData):
        unwrap.bake(knot, painted, SIZE, Progress())
    with pytest.raises(InvalidData):
        unwrap.unwrap(knot, 8)


def test_colours_beyond_white_stay_white(knot: Mesh) -> None:
    white = unwrap.textured(knot, lambda points: np.full(points.shape, 1.5), 256, Progress())
    assert isinstance(white.texture, Image) and (white.texture.rgba == 255).all()
