import numpy as np
import pytest

from glimpse3d import coords
from glimpse3d.formats import sh

P = np.array([[0.0, -1, 0], [0, 0, 1], [-1, 0, 0]])  # degree 1 is P d, times a constant
FLIPPED = {1: [-1, -1, 1], 2: [-1, 1, 1, -1, 1], 3: [-1, 1, -1, -1, 1, -1, 1]}


def directions(count: int, seed: int = 0) -> np.ndarray:
    d = np.random.default_rng(seed).normal(size=(count, 3))
    return d / np.linalg.norm(d, axis=1, keepdims=True)


def rotation(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return coords.rotation_about(random.normal(size=3), random.uniform(0, 360))


def test_the_basis_is_orthonormal_on_the_sphere() -> None:
    # A product of two of degree 3 has degree 6: 8 Gauss nodes in z and 16 angles are exact.
    z, weights = np.polynomial.legendre.leggauss(8)
    angles = np.arange(16) * 2 * np.pi / 16
    ring = np.sqrt(1 - z * z)
    d = np.stack(
        [np.outer(ring, np.cos(angles)), np.outer(ring, np.sin(angles)), np.outer(z, np.ones(16))],
        axis=-1,
    ).reshape(-1, 3)
    values = sh.basis(d, 3)
    gram = (values * np.repeat(weights * 2 * np.pi / 16, 16)[:, None]).T @ values
    assert np.allclose(gram, np.eye(16), atol=1e-12)


def test_degree_one_carries_the_condon_shortley_sign() -> None:
    values = sh.basis(np.eye(3), 1)[:, 1:]
    assert np.allclose(values, 0.4886025119029199 * P.T)


@pytest.mark.parametrize("seed", range(5))
def test_degree_one_turns_by_the_closed_form(seed: int) -> None:
    turn = rotation(seed)
    assert np.allclose(sh.band_rotations(turn, 1)[0], P @ turn @ P.T, atol=1e-12)


def test_the_half_turn_about_x_only_changes_signs() -> None:
    bands = sh.band_rotations(np.diag([1.0, -1, -1]), 3)
    for degree, signs in FLIPPED.items():
        assert np.allclose(bands[degree - 1], np.diag(signs), atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_rotations_are_orthogonal_and_compose(seed: int) -> None:
    one, two = rotation(seed), rotation(seed + 100)
    together = sh.band_rotations(two @ one, 3)
    parts = zip(sh.band_rotations(one, 3), sh.band_rotations(two, 3), strict=True)
    for whole, (first, second) in zip(together, parts, strict=True):
        assert np.allclose(whole @ whole.T, np.eye(len(whole)), atol=1e-12)
        assert np.allclose(whole, second @ first, atol=1e-12)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_a_turned_object_shows_what_it_showed_before(degree: int) -> None:
    random = np.random.default_rng(degree)
    coefficients = random.normal(size=(7, (degree + 1) ** 2, 3))
    turn, seen_from = rotation(degree), directions(50)
    before = np.einsum("dk,nkc->ndc", sh.basis(seen_from, degree), coefficients)
    turned = sh.rotate(coefficients, turn)
    after = np.einsum("dk,nkc->ndc", sh.basis(seen_from @ turn.T, degree), turned)
    assert np.allclose(before, after, atol=1e-12)
    assert np.array_equal(turned[:, 0], coefficients[:, 0])


def test_colour_and_coefficient_are_inverse() -> None:
    colors = np.linspace(0, 1, 11)
    assert np.allclose(sh.to_color(sh.from_color(colors)), colors)
    assert sh.from_color(np.array(0.5)) == 0
    assert np.allclose(sh.basis(directions(1), 0) * sh.from_color(np.array(0.9)) + 0.5, 0.9)
