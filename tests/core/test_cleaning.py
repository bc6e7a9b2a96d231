import numpy as np
import pytest

from glimpse3d import isosurface
from glimpse3d.cleaning import Cleaning, clean, smooth
from glimpse3d.progress import Progress
from glimpse3d.types import Mesh
from tests import shapes


def ball_and_crumb() -> tuple[np.ndarray, np.ndarray]:
    ball, crumb = shapes.sphere(0.5, 40), shapes.sphere(0.02, 8)
    vertices = np.concatenate([ball.vertices, crumb.vertices + np.float32(0.7)])
    return vertices, np.concatenate([ball.faces, crumb.faces + len(ball.vertices)])


def count(vertices: np.ndarray, faces: np.ndarray) -> int:
    return len(np.unique(isosurface.pieces(faces.astype(int), len(vertices))))


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        (Cleaning(), 2),
        (Cleaning(floaters=1e-5), 2),
        (Cleaning(floaters=1e-3), 1),
        (Cleaning(largest_only=True), 1),
    ],
)
def test_floaters_go_as_asked(wanted: Cleaning, left: int) -> None:
    vertices, faces = clean(*ball_and_crumb(), wanted, Progress())
    assert count(vertices, faces) == left
    shapes.assert_closed(Mesh(vertices, faces))


def test_smoothing_takes_the_steps_and_leaves_the_size() -> None:
    axes = np.meshgrid(*[np.arange(40)] * 3, indexing="ij")
    away = np.sqrt(sum((axis - 19.5) ** 2 for axis in axes)) - 15
    rough, faces = isosurface.extract(np.where(away < 0, -1.0, 1.0))
    radii = np.linalg.norm(rough - 19.5, axis=1)
    for passes in (5, 20):
        calm = smooth(rough, faces, passes)
        shapes.assert_closed(Mesh(calm, faces))
        smoothed = np.linalg.norm(calm - 19.5, axis=1)
        assert smoothed.std() < 0.7 * radii.std()
        before, after = (isosurface.signed_volume(each, faces) for each in (rough, calm))
        assert after == pytest.approx(before, rel=5e-3)
    assert np.array_equal(smooth(rough, faces, 0), rough)


def test_all_steps_together_leave_a_closed_solid() -> None:
    knot = shapes.knot()
    wanted = Cleaning(floaters=0.01, smoothing=3, faces=2000)
    vertices, faces = clean(knot.vertices, knot.faces, wanted, Progress())
    assert len(faces) <= 2000
    shapes.assert_closed(Mesh(vertices, faces))
    assert shapes.volume(Mesh(vertices, faces)) == pytest.approx(shapes.volume(knot), rel=0.02)
