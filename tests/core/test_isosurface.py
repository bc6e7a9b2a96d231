import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from glimpse3d import isosurface
from glimpse3d.errors import InvalidData, NoForeground
from glimpse3d.types import Mesh
from tests import shapes


def ball(size: int = 32, radius: float = 10.0, middle: float = 15.5) -> np.ndarray:
    axes = np.meshgrid(*[np.arange(size)] * 3, indexing="ij")
    return np.sqrt(sum((axis - middle) ** 2 for axis in axes)) - radius


def noise(seed: int, sigma: float) -> np.ndarray:
    field = gaussian_filter(np.random.default_rng(seed).normal(size=(24, 26, 28)), sigma)
    return field / field.std()


def test_a_ball_is_found_where_it_is() -> None:
    vertices, faces = isosurface.extract(ball())
    shapes.assert_closed(Mesh(vertices, faces))
    distance = np.linalg.norm(vertices - 15.5, axis=1)
    assert np.abs(distance - 10).max() < 0.02
    assert isosurface.signed_volume(vertices, faces) == pytest.approx(
        4 / 3 * np.pi * 1000, rel=1e-2
    )


@pytest.mark.parametrize("sigma", [0.0, 0.6, 1.2])
def test_any_noise_gives_a_manifold(sigma: float) -> None:
    for seed in range(3):
        shapes.assert_closed(Mesh(*isosurface.extract(noise(seed, sigma))))


def test_values_of_exactly_zero_pinch_nothing() -> None:
    coarse = np.round(noise(1, 1.0) * 2) / 2
    assert (coarse == 0).sum() > 1000
    shapes.assert_closed(Mesh(*isosurface.extract(coarse)))
    shapes.assert_closed(Mesh(*isosurface.extract(np.where(ball() < 0, -1.0, 0.0))))


def test_what_reaches_the_border_is_closed_there() -> None:
    vertices, faces = isosurface.extract(np.full((3, 4, 5), -1.0))
    shapes.assert_closed(Mesh(vertices, faces))
    assert (vertices.min(axis=0) >= -1).all() and (vertices.max(axis=0) <= [3, 4, 5]).all()


def test_nothing_inside_is_refused() -> None:
    with pytest.raises(NoForeground):
        isosurface.extract(np.ones((4, 4, 4)))
    with pytest.raises(InvalidData):
        isosurface.extract(np.full((4, 4, 4), np.nan))
    with pytest.raises(InvalidData):
        isosurface.extract(np.ones((4, 4)))


def test_debris_goes_and_real_pieces_stay() -> None:
    size = 48
    field = np.minimum(ball(size, 9.0, 13.0), ball(size, 6.0, 33.0))
    field = np.minimum(field, ball(size, 0.8, 43.0))
    vertices, faces = isosurface.extract(field)
    assert len(np.unique(isosurface.pieces(faces, len(vertices)))) == 3
    kept, rest = isosurface.drop_debris(vertices, faces, 0.01, 10)
    assert len(np.unique(isosurface.pieces(rest, len(kept)))) == 2
    shapes.assert_closed(Mesh(kept, rest))
    one, alone = isosurface.drop_debris(vertices, faces, 0.0, 1)
    assert np.linalg.norm(one - 13.0, axis=1).max() < 9.1
    assert len(alone) < len(rest)
