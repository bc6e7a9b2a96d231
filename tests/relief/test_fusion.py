"""Detail from depth on meshes that lack it: the front gains, the back stays."""

import numpy as np
import pytest

from glimpse3d import fusion, mesh_raster
from glimpse3d.coords import azimuth_elevation, project
from glimpse3d.errors import InvalidData
from glimpse3d.progress import Progress
from glimpse3d.types import Depth, DepthKind, Image, Mesh, Reconstruction
from tests import shapes
from tests.relief.views import View, view, with_noise

CAMERA = shapes.front_camera(size=320)


def directions(mesh: Mesh) -> np.ndarray:
    points = mesh.vertices.astype(np.float64)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def dented(outward: np.ndarray) -> np.ndarray:
    """(N,) the radius of a ball with dents and bumps on its front, and none behind."""
    front = np.clip(-3 * outward[:, 1], 0, 1)
    return 0.5 + 0.03 * front * np.sin(9 * outward[:, 0]) * np.sin(8 * outward[:, 2])


def truth() -> Mesh:
    ball = shapes.sphere()
    outward = directions(ball)
    return Mesh(outward * dented(outward)[:, None], ball.faces)


def smooth() -> Mesh:
    """What a reconstructor made of it."""
    return shapes.sphere()


@pytest.fixture(scope="module")
def seen() -> View:
    return view(truth(), CAMERA)


def error(mesh: Mesh, cosine: float, facing: float = 1.0) -> float:
    """Mean distance to the dented ball, of its vertices that look at the camera, or away."""
    outward = directions(mesh)
    off = np.abs(np.linalg.norm(mesh.vertices, axis=1) - dented(outward))
    sight = CAMERA.position / np.linalg.norm(CAMERA.position)
    return float(off[facing * (outward @ sight) > cosine].mean())


@pytest.mark.parametrize("kind", list(DepthKind))
def test_the_error_of_the_front_falls_by_a_third_and_the_back_stays(
    seen: View, kind: DepthKind
) -> None:
    depth = {
        DepthKind.METRIC: Depth(1.3 * seen.metric.values, kind),
        DepthKind.RELATIVE: Depth(40 * seen.metric.values, kind),
        DepthKind.DISPARITY: seen.disparity,
    }[DepthKind(kind)]
    before = smooth()
    after = fusion.blended(before, CAMERA, seen.cutout, with_noise(depth, 0.005, 0.01))
    shapes.assert_closed(after)
    assert error(after, 0.5) < 0.6 * error(before, 0.5)
    assert error(after, 0.8) < 0.45 * error(before, 0.8)
    sight = CAMERA.position - before.vertices
    behind = np.einsum("ij,ij->i", directions(before), sight) < 0
    assert behind.sum() > len(behind) / 3
    np.testing.assert_array_equal(after.vertices[behind], before.vertices[behind])


def test_vertices_move_on_their_rays_so_the_picture_stays_on_the_surface(seen: View) -> None:
    before = smooth()
    after = fusion.blended(before, CAMERA, seen.cutout, seen.disparity)
    moved = (after.vertices != before.vertices).any(axis=1)
    assert moved.mean() > 0.2
    was, now = (project(CAMERA, each.vertices.astype(float))[0] for each in (before, after))
    np.testing.assert_allclose(now, was, atol=0.01)


def test_seams_stay_closed_and_colours_stay(seen: View) -> None:
    ball = smooth()
    apart = Mesh(
        ball.vertices[ball.faces.ravel()],
        np.arange(3 * len(ball.faces)).reshape(-1, 3),
        np.full((3 * len(ball.faces), 4), 77),
    )
    after = fusion.blended(apart, CAMERA, seen.cutout, seen.disparity)
    shapes.assert_closed(after)
    assert (after.colors == 77).all()
    together = fusion.blended(ball, CAMERA, seen.cutout, seen.disparity)
    np.testing.assert_allclose(after.vertices, together.vertices[ball.faces.ravel()], atol=1e-6)


def test_the_outcome_is_a_reconstruction_again(seen: View) -> None:
    made = Reconstruction(smooth(), CAMERA)
    found = fusion.fuse(made, seen.cutout, seen.disparity, Progress())
    low, high = found.mesh.vertices.min(axis=0), found.mesh.vertices.max(axis=0)
    assert np.abs(low + high).max() < 1e-5
    assert (high - low).max() == pytest.approx(1.0, abs=1e-5)
    assert azimuth_elevation(found.camera) == pytest.approx((0.0, 17.0), abs=1e-6)
    drawn = mesh_raster.render(found.mesh, found.camera, 1).rgba
    assert shapes.iou(drawn, mesh_raster.render(made.mesh, CAMERA, 1).rgba) > 0.99


def test_depth_that_agrees_moves_nothing_much() -> None:
    ball = shapes.sphere()
    exact = view(ball, CAMERA)
    after = fusion.blended(ball, CAMERA, exact.cutout, exact.disparity)
    assert np.linalg.norm(after.vertices - ball.vertices, axis=1).max() < 0.006


def test_no_vertex_goes_through_the_back() -> None:
    """A plate as thin as a coin, and a depth that wants to press into it far beyond its back."""
    plate = shapes.box(0.9, 0.02, 0.9)
    camera = shapes.front_camera(elevation=0.0, size=256)
    seen = view(plate, camera)
    rows, columns = np.indices(seen.metric.values.shape)
    pressed = seen.metric.values + 0.08 * np.exp(
        -((rows - 128) ** 2 + (columns - 128) ** 2) / 30.0**2
    )
    tilted = Depth(pressed + 0.001 * columns, DepthKind.METRIC)
    slanted = Mesh(plate.vertices + plate.vertices[:, :1] * [[0, 0.2, 0]], plate.faces)
    after = fusion.blended(slanted, camera, seen.cutout, tilted)
    shapes.assert_closed(after)
    front = plate.vertices[:, 1] < 0
    depths = after.vertices[:, 1] - 0.2 * after.vertices[:, 0]
    assert depths[front].max() < 0.01
    assert depths[front].max() > -0.005  # it was pressed, as far as there was room


def test_depth_of_the_wrong_sign_or_size_is_refused(seen: View) -> None:
    backwards = Depth(-seen.disparity.values, DepthKind.DISPARITY)
    with pytest.raises(InvalidData, match="against") as caught:
        fusion.blended(smooth(), CAMERA, seen.cutout, backwards)
    assert caught.value.hint
    smaller = Depth(seen.metric.values[1:], DepthKind.METRIC)
    with pytest.raises(InvalidData, match="pixels"):
        fusion.blended(smooth(), CAMERA, seen.cutout, smaller)
    level = Depth(np.full(seen.metric.values.shape, 2.0), DepthKind.METRIC)
    with pytest.raises(InvalidData, match="everywhere"):
        fusion.blended(smooth(), CAMERA, seen.cutout, level)
    elsewhere = Image(np.roll(seen.cutout.rgba, 160, axis=1))
    corner = np.zeros_like(elsewhere.rgba)
    corner[:20, :20] = 255
    with pytest.raises(InvalidData, match="share"):
        fusion.blended(smooth(), CAMERA, Image(corner), seen.metric)
