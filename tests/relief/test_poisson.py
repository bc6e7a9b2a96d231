"""Surfaces through points of solids that have a formula."""

from collections.abc import Callable

import numpy as np
import pytest

from glimpse3d import oriented_points, poisson
from glimpse3d.errors import InvalidData, NoForeground
from glimpse3d.poisson import Grid, PoissonSettings
from glimpse3d.types import Mesh
from tests import shapes

Distance = Callable[[np.ndarray], np.ndarray]
FAR = 1000.0


def ball(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points of a sphere of radius 0.5, and its normals."""
    normals = np.random.default_rng(seed).normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return 0.5 * normals, normals


def ring(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points of a torus with radii 0.35 and 0.15, denser inside the hole than outside."""
    around, across = np.random.default_rng(seed).random((2, count)) * 2 * np.pi
    outward = np.stack([np.cos(around), np.sin(around), np.zeros(count)], 1)
    normals = outward * np.cos(across)[:, None]
    normals[:, 2] = np.sin(across)
    return 0.35 * outward + 0.15 * normals, normals


def from_ball(points: np.ndarray) -> np.ndarray:
    return np.abs(np.linalg.norm(points, axis=1) - 0.5)


def from_ring(points: np.ndarray) -> np.ndarray:
    return np.abs(np.hypot(np.hypot(points[:, 0], points[:, 1]) - 0.35, points[:, 2]) - 0.15)


def noisy(points: np.ndarray, share: float, seed: int = 1) -> np.ndarray:
    """Moved by a normal deviation of ``share`` of the size, which is 1."""
    return points + share * np.random.default_rng(seed).normal(size=points.shape)


SOLIDS = {"ball": (ball, from_ball, 0), "ring": (ring, from_ring, 1)}


@pytest.mark.parametrize("resolution", [48, 96])
@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("name", SOLIDS)
def test_the_surface_is_closed_and_less_than_a_voxel_away(
    name: str, noise: float, resolution: int
) -> None:
    solid, distance, holes = SOLIDS[name]
    points, normals = solid(15_000)
    points = noisy(points, noise)
    mesh = Mesh(*poisson.surface(points, normals, PoissonSettings(resolution, 2.0)))
    shapes.assert_closed(mesh)
    voxel = Grid.around(points, resolution).voxel
    off = distance(mesh.vertices.astype(np.float64)) / voxel
    assert off.max() < 1.0
    assert off.mean() < 0.2
    assert len(mesh.vertices) - len(mesh.faces) // 2 == 2 - 2 * holes


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_half_a_ball_is_closed_by_a_smooth_floor(noise: float) -> None:
    points, normals = ball(40_000)
    points = noisy(points, noise)
    half = normals[:, 1] < 0
    found = oriented_points.normals(points[half], np.array([0.0, -FAR, 0.0]), 30)
    mesh = Mesh(*poisson.surface(points[half], found, PoissonSettings(64, 2.0)))
    shapes.assert_closed(mesh)
    voxel = Grid.around(points[half], 64).voxel
    vertices = mesh.vertices.astype(np.float64)
    dome = vertices[vertices[:, 1] < -0.1]
    off = from_ball(dome) / voxel
    assert off.mean() < 0.35 and off.max() < 1.0
    assert -0.05 < vertices[:, 1].max() < 0.3


def test_normals_are_those_of_the_surface_and_look_where_they_should() -> None:
    points, normals = ball(20_000)
    found = oriented_points.normals(points, 2 * points)
    assert np.einsum("ij,ij->i", found, normals).min() > 0.99
    inward = oriented_points.normals(points, np.zeros(3))
    np.testing.assert_allclose(inward, -found, atol=1e-9)
    noise = oriented_points.normals(noisy(points, 0.005), 2 * points)
    assert np.einsum("ij,ij->i", noise, normals).mean() > 0.95


def test_dense_and_sparse_halves_weigh_alike() -> None:
    few, _ = ball(4_000, 1)
    many, _ = ball(40_000, 2)
    points = np.concatenate([few[few[:, 2] > 0], many[many[:, 2] < 0]])
    areas = oriented_points.areas(points)
    upper, lower = areas[points[:, 2] > 0].sum(), areas[points[:, 2] < 0].sum()
    assert upper == pytest.approx(lower, rel=0.1)
    assert areas.sum() == pytest.approx(np.pi, rel=0.1)  # of a sphere of radius 1/2
    mesh = Mesh(*poisson.surface(points, 2 * points, PoissonSettings(64)))
    shapes.assert_closed(mesh)
    assert from_ball(mesh.vertices.astype(np.float64)).max() < Grid.around(points, 64).voxel


def test_the_field_counts_voxels_beside_the_surface() -> None:
    points, normals = ball(20_000)
    grid = Grid.around(points, 96)
    field = poisson.distance(points, normals, grid, 2.0)
    middle = 47
    inside = grid.points(np.array([[middle, middle, middle]]))
    assert np.linalg.norm(inside) < grid.voxel and field[middle, middle, middle] < -2
    line = np.linalg.norm(
        grid.points(np.stack([[middle] * 96, [middle] * 96, range(96)], axis=1)), axis=1
    )
    near = np.abs(line - 0.5) < 1.2 * grid.voxel
    np.testing.assert_allclose(
        field[middle, middle][near], (line[near] - 0.5) / grid.voxel, atol=0.15
    )


def test_pieces_are_kept_as_many_as_asked_for() -> None:
    points, normals = ball(8_000)
    both = np.concatenate([points, 0.6 * points + [0.0, 1.0, 0.0]])
    facing = np.concatenate([normals, normals])
    one, two = (
        poisson.surface(both, facing, PoissonSettings(96, 1.5, pieces)) for pieces in (1, 2)
    )
    assert len(two[1]) > 1.2 * len(one[1])
    assert two[0][:, 1].max() == pytest.approx(1.3, abs=0.03)
    assert one[0][:, 1].max() == pytest.approx(0.5, abs=0.03)


def test_what_is_no_surface_is_refused() -> None:
    points, normals = ball(500)
    with pytest.raises(InvalidData, match="shape"):
        poisson.surface(points, normals[:-1])
    with pytest.raises(InvalidData, match="finite"):
        poisson.surface(np.where(points > 0.49, np.nan, points), normals)
    with pytest.raises(InvalidData, match="few") as caught:
        poisson.surface(points[:9], normals[:9])
    assert caught.value.hint
    with pytest.raises(InvalidData, match="one place"):
        poisson.surface(np.zeros((50, 3)), normals[:50])
    with pytest.raises(NoForeground):
        poisson.surface(points, np.zeros_like(normals))
