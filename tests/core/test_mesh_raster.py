import numpy as np
import pytest

from glimpse3d.coords import Lens, look_at, project
from glimpse3d.mesh_raster import rasterize, render, sample_texture, surface_colors
from glimpse3d.types import Image, Mesh
from tests import shapes


def test_the_outline_and_depth_of_a_ball() -> None:
    camera = shapes.front_camera(size=300, radius=2.0)
    raster = rasterize(shapes.sphere(0.5, 90).vertices, shapes.sphere(0.5, 90).faces, camera)
    seen = raster.face >= 0
    y, x = np.mgrid[:300, :300] + 0.5
    tangent = np.hypot(x - 150, y - 150) / camera.K[0, 0]
    inside = tangent < np.tan(np.arcsin(0.5 / 2.0))
    assert (seen != inside).sum() < 60
    assert np.isinf(raster.depth[~seen]).all()
    # Where a ray at angle t meets a ball: depth along the axis, from the law of cosines.
    t = np.arctan(tangent[140:160, 140:160])
    along = 2.0 * np.cos(t) - np.sqrt(0.25 - (2.0 * np.sin(t)) ** 2)
    assert np.abs(raster.depth[140:160, 140:160] - along * np.cos(t)).max() < 1e-3


def test_barycentrics_name_the_point_under_the_pixel() -> None:
    mesh, camera = shapes.knot(), shapes.front_camera(size=200)
    raster = rasterize(mesh.vertices, mesh.faces, camera)
    seen = raster.face >= 0
    corners = mesh.vertices[mesh.faces[raster.face[seen]]].astype(np.float64)
    points = np.einsum("nk,nkc->nc", raster.barycentric[seen].astype(np.float64), corners)
    pixels, depth = project(camera, points)
    rows, columns = np.nonzero(seen)
    assert np.abs(pixels - np.stack([columns, rows], axis=1) - 0.5).max() < 2e-3
    assert np.abs(depth - raster.depth[seen]).max() < 1e-5
    assert np.abs(raster.barycentric[seen].sum(axis=1) - 1).max() < 1e-5


def test_the_nearer_of_two_wins_whatever_the_order() -> None:
    square = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]], np.float64)
    vertices = np.concatenate([square + np.array([0, 1, 0]), square + np.array([0, 3, 0])])
    faces = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    camera = look_at(np.array([0, -4.0, 0]), np.zeros(3), Lens(100, 64, 64))
    for order in (faces, faces[::-1]):
        raster = rasterize(vertices, order, camera)
        assert np.abs(raster.depth[20:44, 20:44] - 5.0).max() < 1e-5


def test_what_is_behind_the_camera_is_left_out() -> None:
    vertices = np.array([[-1.0, -6, -1], [1, -6, -1], [0, -6, 1], [0.2, 3, 0.3]])
    camera = look_at(np.array([0, -4.0, 0]), np.zeros(3), Lens(100, 64, 64))
    assert (rasterize(vertices, [[0, 1, 2], [0, 1, 3]], camera).face == -1).all()


def test_interpolation_is_perspective_correct() -> None:
    # A floor that runs away from the camera: its texture stripe lies where geometry says.
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 9, 0], [-1, 9, 0]], np.float32)
    uvs = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    ramp = np.zeros((1000, 4, 4), np.uint8)
    ramp[..., 3] = 255
    ramp[:500, :, 0] = 255  # far half red: v above one half
    mesh = Mesh(corners, [[0, 1, 2], [0, 2, 3]], uvs=uvs, texture=Image(ramp))
    camera = look_at(np.array([0, -3.0, 1.0]), np.array([0, 4.0, 0]), Lens(200, 200, 200))
    column = render(mesh, camera, 1).rgba[:, 100]
    row, _ = project(camera, np.array([[0, 4.0, 0]]))
    red = np.flatnonzero((column[:, 0] > 128) & (column[:, 3] == 255))
    assert abs(red.max() + 1 - row[0, 1]) <= 1


def test_texture_samples_are_bilinear_and_v_is_up() -> None:
    texture = Image(np.arange(2 * 2 * 4).reshape(2, 2, 4) * 10)
    uvs = np.array([[0.25, 0.75], [0.75, 0.25], [0.5, 0.5], [-3, 9]])
    expected = [
        texture.rgba[0, 0],
        texture.rgba[1, 1],
        texture.rgba.mean((0, 1)),
        texture.rgba[0, 0],
    ]
    assert np.abs(sample_texture(texture, uvs) - np.array(expected)).max() < 1e-4


def test_alpha_is_coverage_and_colour_is_not_darkened_by_it() -> None:
    mesh = shapes.sphere(0.5, 60)
    white = Mesh(mesh.vertices, mesh.faces, colors=np.full((len(mesh.vertices), 4), 255))
    camera = shapes.front_camera(size=101, radius=2.0)
    picture = render(white, camera, 4).rgba
    area = np.pi * (np.tan(np.arcsin(0.25)) * camera.K[0, 0]) ** 2
    assert picture[..., 3].sum() / 255 == pytest.approx(area, rel=2e-3)
    assert (picture[picture[..., 3] > 0][:, :3] == 255).all()


def test_colours_fall_back_from_texture_to_vertices_to_grey() -> None:
    mesh = shapes.box(1, 1, 1, 1)
    weights = np.full((1, 3), 1 / 3)
    assert (surface_colors(mesh, np.array([0]), weights) == 200).all()
    colors = np.zeros((len(mesh.vertices), 4), np.uint8)
    colors[mesh.faces[0], 1] = [30, 60, 90]
    tinted = Mesh(mesh.vertices, mesh.faces, colors=colors)
    assert np.abs(surface_colors(tinted, np.array([0]), weights) - [0, 60, 0]).max() < 1e-4
