import numpy as np
import pytest
import skimage.measure
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from glimpse3d import coarse_to_fine, marching_cubes
from glimpse3d.coarse_to_fine import Extraction, Grid, Surface
from glimpse3d.errors import Cancelled, InvalidData, InvalidSettings, NoForeground
from glimpse3d.isosurface import pieces, signed_volume
from glimpse3d.progress import Progress
from glimpse3d.types import Mesh
from tests import shapes

HALF = 0.87


def grid(resolution: int) -> Grid:
    return Grid(resolution, (-HALF,) * 3, (HALF,) * 3)


def box(points: np.ndarray, half: list[float]) -> np.ndarray:
    """Distance to a box, positive inside."""
    away = np.abs(points) - half
    return -np.linalg.norm(np.maximum(away, 0), axis=1) - np.minimum(away.max(axis=1), 0)


def turned(points: np.ndarray) -> np.ndarray:
    """The points in axes along which no grid runs."""
    rotation, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))
    return points @ rotation


def ball(points: np.ndarray) -> np.ndarray:
    return 0.4 - np.linalg.norm(points - [0.05, 0.02, -0.03], axis=1)


def torus(points: np.ndarray) -> np.ndarray:
    x, y, z = turned(points).T
    return 0.06 - np.hypot(np.hypot(x, y) - 0.4, z)


def plate(points: np.ndarray) -> np.ndarray:
    return box(turned(points), [0.4, 0.3, 0.006])


def rod(points: np.ndarray) -> np.ndarray:
    x, y, z = turned(points).T
    return 0.010 - np.hypot(np.hypot(x, y), np.maximum(np.abs(z) - 0.5, 0))


def touching(points: np.ndarray) -> np.ndarray:
    one, other = (np.linalg.norm(points - [0, 0, side], axis=1) for side in (0.2, -0.2))
    return 0.2 - np.minimum(one, other)


def through_the_side(points: np.ndarray) -> np.ndarray:
    return 0.2 - np.hypot(points[:, 1] - 0.31, points[:, 2] - 0.1)


SHAPES = (ball, torus, plate, rod, touching, through_the_side)


def extracted(field, resolution: int, **options) -> Surface:
    where = grid(resolution)
    of_indices = coarse_to_fine.on_positions(field, where)
    return coarse_to_fine.extract(of_indices, where, Extraction(**options))


def both(field, resolution: int, **options) -> tuple[Surface, Surface]:
    dense = extracted(field, resolution, mode="dense", **options)
    return extracted(field, resolution, **options), dense


def assert_same(sparse: Surface, dense: Surface) -> None:
    assert np.array_equal(sparse.faces, dense.faces)
    assert np.abs(sparse.vertices - dense.vertices).max() < 1e-9


def values_on(field, where: Grid) -> np.ndarray:
    count = where.resolution
    indices = np.stack(np.indices((count,) * 3), axis=-1).reshape(-1, 3)
    return coarse_to_fine.on_positions(field, where)(indices).reshape((count,) * 3)


@pytest.mark.parametrize(
    ("shape", "steepness"), list(zip(SHAPES, (80, 200, 400, 400, 80, 200), strict=True))
)
def test_few_samples_give_the_dense_surface(shape, steepness: int) -> None:
    sparse, dense = both(lambda points: steepness * shape(points), 128)
    assert sparse.mode == "sparse" and dense.mode == "dense"
    assert sparse.queries < dense.queries / 4
    assert_same(sparse, dense)


@pytest.mark.slow
@pytest.mark.parametrize("steepness", [80, 200, 400])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda each: each.__name__)
def test_few_samples_give_the_dense_surface_at_full_resolution(shape, steepness: int) -> None:
    sparse, dense = both(lambda points: steepness * shape(points), 256)
    assert sparse.mode == "sparse"
    assert sparse.queries < dense.queries / 10
    assert_same(sparse, dense)


@pytest.mark.parametrize("interpolation", ["log", "density"])
def test_it_is_what_scikit_image_makes_of_the_dense_grid(interpolation: str) -> None:
    def field(points: np.ndarray) -> np.ndarray:
        return np.asarray(40 * through_the_side(points) * (1 + points[:, 0] ** 2), np.float32)

    sparse = extracted(field, 128, interpolation=interpolation, closed=False)
    values = values_on(field, grid(128)).astype(np.float64)
    values = values if interpolation == "log" else np.expm1(values)
    vertices, faces, _, _ = skimage.measure.marching_cubes(values, 0.0, method="lorensen")
    found = (sparse.vertices + HALF) * 127 / (2 * HALF)
    assert len(found) == len(vertices) and len(sparse.faces) == len(faces)
    assert cKDTree(vertices).query(found)[0].max() < 1e-4
    assert cKDTree(found).query(vertices)[0].max() < 1e-4
    triangle = {tuple(sorted(each)) for each in cKDTree(found).query(vertices)[1][faces].tolist()}
    assert triangle == {tuple(sorted(each)) for each in sparse.faces.tolist()}


@pytest.mark.parametrize("shape", SHAPES, ids=lambda each: each.__name__)
def test_every_surface_is_closed_and_where_it_should_be(shape) -> None:
    surface = extracted(lambda points: 200 * shape(points), 128)
    shapes.assert_closed(Mesh(surface.vertices, surface.faces))
    inner = np.abs(surface.vertices).max(axis=1) < HALF - 0.01
    away = np.abs(shape(surface.vertices[inner]))
    voxel = 2 * HALF / 127
    assert away.mean() < 0.1 * voxel and away.max() < 0.6 * voxel


def test_thin_parts_stay_whole() -> None:
    surface = extracted(lambda points: 400 * rod(points), 256)
    assert surface.mode == "sparse"
    assert len(np.unique(pieces(surface.faces, len(surface.vertices)))) == 1
    assert np.ptp(turned(surface.vertices)[:, 2]) == pytest.approx(1.02, abs=0.01)
    surface = extracted(lambda points: 400 * plate(points), 256)
    assert len(np.unique(pieces(surface.faces, len(surface.vertices)))) == 1
    size = signed_volume(surface.vertices, surface.faces)
    assert size == pytest.approx(0.8 * 0.6 * 0.012, rel=0.05)


def test_a_narrow_margin_loses_thin_parts_and_the_audit_finds_out() -> None:
    def field(points: np.ndarray) -> np.ndarray:
        return 400 * rod(points)

    whole = extracted(field, 128)
    lost = extracted(field, 128, mode="sparse", margin=0.4)
    assert len(lost.faces) < len(whole.faces)
    found = extracted(field, 128, margin=0.4)
    assert found.margin != 0.4
    assert_same(found, whole)


def random_field(side: int, amplitude: float, seed: int = 0):
    """Noise on ``side`` samples along an axis, linear between them, empty near the box."""
    values = np.random.default_rng(seed).normal(size=(side, side, side)) * amplitude

    def field(points: np.ndarray) -> np.ndarray:
        at = (points.T / HALF + 1) / 2 * (side - 1)
        noise = map_coordinates(values, at, order=1)
        return noise - 20 * np.maximum(np.linalg.norm(points, axis=1) - 0.7, 0) / 0.17

    return field


def test_smooth_noise_is_the_same_as_dense() -> None:
    sparse, dense = both(random_field(10, 30.0), 128)
    assert_same(sparse, dense)
    shapes.assert_closed(Mesh(sparse.vertices, sparse.faces))


def test_foam_goes_dense() -> None:
    found = extracted(random_field(96, 8.0), 128)
    assert found.mode == "dense"
    assert found.queries < 1.2 * 130**3


def test_foam_in_a_corner_is_audited() -> None:
    foam = random_field(100, 400.0, 3)

    def field(points: np.ndarray) -> np.ndarray:
        here = np.abs(points - 0.35).max(axis=1) < 0.12
        return np.where(here, foam(points), 200 * ball(points))

    found, dense = both(field, 128)
    assert_same(found, dense)


def test_the_logarithm_makes_smoother_surfaces() -> None:
    def errors(interpolation: str) -> tuple[float, float]:
        surface = extracted(lambda points: 200 * ball(points), 96, interpolation=interpolation)
        a, b, c = (surface.vertices[surface.faces[:, corner]] for corner in range(3))
        normals = np.cross(b - a, c - a)
        true = (a + b + c) / 3 - [0.05, 0.02, -0.03]
        area = np.linalg.norm(normals, axis=1)
        cosine = (normals * true).sum(axis=1) / (area * np.linalg.norm(true, axis=1))
        order = np.argsort(cosine)
        middle = order[np.searchsorted(np.cumsum(area[order]), area.sum() / 2)]
        distance = np.sqrt((ball(surface.vertices) ** 2).mean())
        return float(np.degrees(np.arccos(cosine[middle]))), float(distance)

    smooth, terraced = errors("log"), errors("density")
    assert smooth[0] < terraced[0] / 1.4
    assert smooth[1] < terraced[1] / 3


def test_what_reaches_the_box_is_closed_half_a_voxel_outside() -> None:
    where = grid(64)

    def solid(indices: np.ndarray) -> np.ndarray:
        return np.full(len(indices), 3.0)

    for interpolation in ("log", "density"):
        how = Extraction(interpolation=interpolation)
        surface = coarse_to_fine.extract(solid, where, how)
        shapes.assert_closed(Mesh(surface.vertices, surface.faces))
        assert np.abs(surface.vertices).max() == pytest.approx(HALF + HALF / 63)
    with pytest.raises(NoForeground):
        coarse_to_fine.extract(solid, where, Extraction(closed=False))


def test_the_level_moves_the_surface() -> None:
    for level in (-20.0, 0.0, 20.0):
        surface = extracted(lambda points: 200 * ball(points), 128, level=level)
        radius = np.linalg.norm(surface.vertices - [0.05, 0.02, -0.03], axis=1)
        assert np.abs(radius - (0.4 - level / 200)).max() < 1e-3


def test_values_of_exactly_the_level_pinch_nothing() -> None:
    def steps(points: np.ndarray) -> np.ndarray:
        return np.round(40 * ball(points)) * 4

    surface, dense = both(steps, 128)
    assert_same(surface, dense)
    shapes.assert_closed(Mesh(surface.vertices, surface.faces))
    a, b, c = (surface.vertices[surface.faces[:, corner]] for corner in range(3))
    assert np.linalg.norm(np.cross(b - a, c - a), axis=1).min() > 0


def test_the_table_holds_every_case() -> None:
    corner = np.arange(256)[:, None] >> np.arange(8) & 1
    for case in range(1, 255):
        cells = marching_cubes.Cells(
            np.ones((1, 3), np.int64), np.where(corner[case], 1.0, -1.0)[None].astype(np.float32)
        )
        vertices, faces = marching_cubes.triangles(cells, "log", 8)
        crossed = sum(corner[case, low] != corner[case, up] for low, up in EDGES)
        assert len(vertices) == crossed and len(faces) >= 1


EDGES = [(c, c | bit) for bit in (1, 2, 4) for c in range(8) if not c & bit]


def test_nothing_and_nonsense_are_refused() -> None:
    where = grid(128)
    for mode in ("auto", "sparse", "dense"):
        with pytest.raises(NoForeground):
            coarse_to_fine.extract(
                lambda indices: np.full(len(indices), -9.0), where, Extraction(mode=mode)
            )
    with pytest.raises(InvalidData):
        coarse_to_fine.extract(lambda indices: np.full(len(indices), np.nan), where, Extraction())
    with pytest.raises(InvalidData):
        coarse_to_fine.extract(lambda indices: np.zeros((len(indices), 2)), where, Extraction())
    with pytest.raises(InvalidSettings):
        Extraction(mode="fast")
    with pytest.raises(InvalidSettings):
        Extraction(interpolation="cubic")
    with pytest.raises(InvalidSettings):
        Grid(1)
    with pytest.raises(InvalidData):
        Grid(8, (0.0, 0.0, 0.0), (1.0, 1.0, 0.0))


def test_each_batch_can_be_stopped() -> None:
    asked = iter([False, False, True])

    def field(indices: np.ndarray) -> np.ndarray:
        return np.full(len(indices), -9.0)

    progress = Progress(cancelled=lambda: next(asked))
    with pytest.raises(Cancelled):
        coarse_to_fine.extract(field, grid(128), Extraction(mode="dense"), progress)
