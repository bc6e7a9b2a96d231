import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from glimpse3d import isosurface
from glimpse3d.simplify import simplify
from glimpse3d.types import Mesh
from tests import shapes


def euler(mesh: Mesh) -> int:
    vertices, faces = shapes.merged(mesh)
    return len(vertices) - len(faces) // 2


@pytest.mark.parametrize("target", [3000, 400, 64])
def test_a_ball_stays_a_ball(target: int) -> None:
    mesh = shapes.sphere(0.5, 80)
    small = Mesh(*simplify(mesh.vertices, mesh.faces, target))
    assert 0.9 * target <= len(small.faces) <= target
    shapes.assert_closed(small)
    assert euler(small) == 2
    assert shapes.volume(small) == pytest.approx(shapes.volume(mesh), rel=8 / target)
    off = np.abs(np.linalg.norm(small.vertices, axis=1) - 0.5)
    assert off.max() < 2.5 / target + 1e-4


def test_a_knot_keeps_its_hole() -> None:
    mesh = shapes.knot()
    small = Mesh(*simplify(mesh.vertices, mesh.faces, 1200))
    assert len(small.faces) <= 1200
    shapes.assert_closed(small)
    assert euler(small) == 0
    assert shapes.volume(small) == pytest.approx(shapes.volume(mesh), rel=0.03)


def test_a_box_keeps_its_corners_with_few_faces() -> None:
    mesh = shapes.box(1.0, 0.6, 0.4)
    small = Mesh(*simplify(mesh.vertices, mesh.faces, 64))
    shapes.assert_closed(small)
    assert shapes.volume(small) == pytest.approx(0.24, rel=2e-3)
    for sign in np.ndindex(2, 2, 2):
        corner = (np.array(sign) - 0.5) * [1.0, 0.6, 0.4]
        assert np.linalg.norm(small.vertices - corner, axis=1).min() < 4e-3


@pytest.mark.parametrize("seed", range(4))
def test_the_wildest_surface_stays_manifold(seed: int) -> None:
    field = gaussian_filter(np.random.default_rng(seed).normal(size=(30, 30, 30)), 0.8)
    vertices, faces = isosurface.extract(field / field.std() - 0.3)
    pieces = len(np.unique(isosurface.pieces(faces, len(vertices))))
    holes = euler(Mesh(vertices, faces))
    for share in (0.5, 0.1):
        small = Mesh(*simplify(vertices, faces, int(share * len(faces))))
        assert len(small.faces) <= share * len(faces)
        shapes.assert_closed(small)
        assert euler(small) == holes
        assert (
            len(np.unique(isosurface.pieces(small.faces.astype(int), len(small.vertices))))
            == pieces
        )


def test_far_away_and_tiny_is_no_harder() -> None:
    mesh = shapes.sphere(0.5, 40)
    near, _ = simplify(mesh.vertices, mesh.faces, 500)
    shifted = mesh.vertices.astype(np.float64) * 1e-3 + 1e3
    far, faces = simplify(shifted, mesh.faces, 500)
    assert len(far) == pytest.approx(len(near), abs=10)
    assert np.abs(np.linalg.norm((far - 1e3) * 1e3, axis=1) - 0.5).max() < 0.006
    assert len(faces) <= 500


def test_the_same_arrays_twice_and_the_input_untouched() -> None:
    mesh = shapes.knot()
    before = mesh.vertices.copy(), mesh.faces.copy()
    first, second = (simplify(mesh.vertices, mesh.faces, 900) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert np.array_equal(before[0], mesh.vertices) and np.array_equal(before[1], mesh.faces)


def test_nothing_to_do_changes_nothing() -> None:
    mesh = shapes.box(1.0, 1.0, 1.0, 4)
    for target in (0, len(mesh.faces), 10_000):
        vertices, faces = simplify(mesh.vertices, mesh.faces, target)
        assert np.array_equal(faces, mesh.faces)
        assert np.abs(vertices - mesh.vertices).max() < 1e-7


def test_it_stops_at_the_smallest_solid() -> None:
    mesh = shapes.sphere(0.5, 10)
    small = Mesh(*simplify(mesh.vertices, mesh.faces, 1))
    shapes.assert_closed(small)
    assert 4 <= len(small.faces) <= 20
