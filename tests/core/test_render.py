"""The rasteriser against the plain one of ``tests/reference_renderer.py``, and its promises."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glimpse3d import coords
from glimpse3d.coords import Lens
from glimpse3d.errors import InvalidData, InvalidSettings
from glimpse3d.splats import tiles
from glimpse3d.splats.rasterization import Cameras, RasterSettings, Splats, rasterize
from glimpse3d.splats.render import RenderSettings, render
from glimpse3d.types import Camera, GaussianCloud
from tests.reference_renderer import draw

ROOT = Path(__file__).resolve().parents[2]
# The eighth power of a polynomial in float32 against exp in float64.
TOLERANCE = 2e-5


def some_splats(count: int, channels: int = 3, seed: int = 0, size: float = 0.08) -> Splats:
    """Splats of all shapes around the origin, some nearly flat, some opaque, some hardly there."""
    random = np.random.default_rng(seed)
    return Splats(
        random.normal(size=(count, 3)).astype(np.float32) * np.float32(0.4),
        random.normal(size=(count, 4)).astype(np.float32),
        (size * np.exp(random.normal(size=(count, 3)))).astype(np.float32),
        random.uniform(0, 1, count).astype(np.float32),
        random.uniform(0, 1, (count, channels)).astype(np.float32),
    )


def cameras(*taken: Camera) -> Cameras:
    return Cameras(
        np.stack([camera.camera_from_world for camera in taken]),
        np.stack([camera.K for camera in taken]),
        taken[0].width,
        taken[0].height,
    )


def orbit(width: int = 75, height: int = 61, azimuth: float = 30.0, radius: float = 2.0) -> Camera:
    return coords.orbit_camera(azimuth, 20.0, radius, Lens.from_field_of_view(45, width, height))


def some_cloud(count: int, degree: int, seed: int = 0) -> GaussianCloud:
    random = np.random.default_rng(seed)
    splats = some_splats(count, seed=seed)
    rotations = splats.quats / np.linalg.norm(splats.quats, axis=1, keepdims=True)
    coefficients = random.normal(size=(count, (degree + 1) ** 2, 3)) * 0.3
    return GaussianCloud(splats.means, splats.scales, rotations, splats.opacities, coefficients)


def assert_like_reference(
    splats: Splats, views: Cameras, settings: RasterSettings, tolerance: float = TOLERANCE
) -> None:
    colors, alphas, _ = rasterize(splats, views, settings)
    wanted_colors, wanted_alphas = draw(splats, views, settings)
    assert colors.dtype == alphas.dtype == np.float32
    assert colors.shape == wanted_colors.shape and alphas.shape == wanted_alphas.shape
    # Where an alpha lies at 1/255 or a transmittance at 1e-4, rounding may decide either way.
    for ours, theirs in ((colors, wanted_colors), (alphas, wanted_alphas)):
        error = np.abs(ours - theirs)
        assert error.max() < 1 / 255 * max(1.0, np.abs(theirs).max())
        assert (error > tolerance * max(1.0, np.abs(theirs).max())).mean() < 2e-3


@pytest.mark.parametrize("mode", ["classic", "antialiased"])
@pytest.mark.parametrize("render_mode", ["RGB", "D", "ED", "RGB+D", "RGB+ED"])
def test_modes(mode: str, render_mode: str) -> None:
    settings = RasterSettings(rasterize_mode=mode, render_mode=render_mode)  # type: ignore[arg-type]
    assert_like_reference(some_splats(300), cameras(orbit(), orbit(azimuth=200.0)), settings)


@pytest.mark.parametrize("channels", range(1, 9))
def test_any_number_of_channels_over_a_background(channels: int) -> None:
    behind = np.random.default_rng(1).uniform(0, 1, (1, channels)).astype(np.float32)
    settings = RasterSettings(backgrounds=behind, render_mode="RGB+D")
    assert_like_reference(some_splats(200, channels), cameras(orbit()), settings)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (16, 16), (17, 15), (8, 40), (33, 1)])
def test_sizes(width: int, height: int) -> None:
    assert_like_reference(some_splats(200), cameras(orbit(width, height)), RasterSettings())


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_spherical_harmonics(degree: int) -> None:
    random = np.random.default_rng(degree)
    splats = replace(some_splats(200), colors=random.normal(size=(200, 16, 3)).astype(np.float32))
    assert_like_reference(splats, cameras(orbit()), RasterSettings(sh_degree=degree))


def test_saturated_opacity_hides_what_is_behind() -> None:
    splats = some_splats(400, size=0.2)
    opaque = replace(splats, opacities=np.ones(400, np.float32))
    assert_like_reference(opaque, cameras(orbit()), RasterSettings())
    stack = Splats(
        np.array([[0, y, 0] for y in np.linspace(-0.2, 0.2, 9)], np.float32),
        np.tile(np.float32([1, 0, 0, 0]), (9, 1)),
        np.full((9, 3), 0.5, np.float32),
        np.ones(9, np.float32),
        np.eye(9, dtype=np.float32),
    )
    front = coords.orbit_camera(0, 0, 2.0, Lens(100.0, 21, 21))
    colors, alphas, _ = rasterize(stack, cameras(front))
    # The first takes 0.999 and the second would leave 1e-6: a pixel stops before that.
    assert np.allclose(colors[0, 10, 10], [0.999, *[0] * 8], atol=1e-6)
    assert np.isclose(alphas[0, 10, 10, 0], 0.999)


def test_splats_behind_beside_before_and_beyond() -> None:
    inside = orbit(radius=0.3)
    assert_like_reference(some_splats(300), cameras(inside), RasterSettings())
    limits = RasterSettings(near_plane=1.9, far_plane=2.2, radius_clip=4.0)
    assert_like_reference(some_splats(300), cameras(orbit()), limits)
    beside = coords.look_at(np.array([0.0, -2, 0]), np.array([2.0, -2, 0]), Lens(50.0, 40, 30))
    assert_like_reference(some_splats(300, size=0.3), cameras(beside), RasterSettings())
    away = coords.look_at(np.array([0.0, -9, 0]), np.array([0.0, -10, 0]), Lens(50.0, 40, 30))
    colors, alphas, meta = rasterize(some_splats(300), cameras(away))
    assert not colors.any() and not alphas.any() and not meta.radii.any()


def test_an_empty_cloud_shows_its_background() -> None:
    behind = np.float32([[0.25, 0.5, 0.75]])
    colors, alphas, meta = rasterize(
        some_splats(0), cameras(orbit()), RasterSettings(backgrounds=behind)
    )
    assert (colors == behind).all() and not alphas.any() and meta.depths.shape == (1, 0)


def test_values_without_sense_are_not_drawn_and_do_no_harm() -> None:
    good = some_splats(100)
    bad = some_splats(30, seed=1)
    arrays = {name: np.array(getattr(bad, name)) for name in ("means", "quats", "scales")}
    arrays["means"][:10] = np.array([np.nan, np.inf, -np.inf, 3e38, 1e30] * 2)[:, None]
    arrays["quats"][10:15] = 0
    arrays["scales"][15:25] = np.array([np.nan, np.inf, 3e38, -np.inf, 1e25] * 2)[:, None]
    opacities = np.array(bad.opacities)
    opacities[25:] = [np.nan, 0, -1, -np.inf, 1 / 256]
    both = Splats(
        *(np.concatenate([getattr(good, name), arrays[name]]) for name in arrays),
        np.concatenate([good.opacities, opacities]),
        np.concatenate([good.colors, bad.colors]),
    )
    colors, alphas, meta = rasterize(both, cameras(orbit()))
    seen = meta.radii[0].any(axis=1)
    assert np.isfinite(colors).all() and np.isfinite(alphas).all() and not seen[110:115].any()
    drawn = Splats(*(getattr(both, name)[seen] for name in Splats.__slots__))
    assert np.array_equal(colors, rasterize(drawn, cameras(orbit()))[0])


def test_equal_depths_are_drawn_in_the_order_given() -> None:
    flat = some_splats(64)
    flat = replace(flat, means=flat.means * np.float32([1, 0, 1]))
    front = coords.orbit_camera(0, 0, 2.0, Lens(60.0, 40, 40))
    assert_like_reference(flat, cameras(front), RasterSettings())


def test_depths_sort_by_every_bit() -> None:
    depths = np.random.default_rng(0).permutation(np.float32(1) + np.arange(5000) * 2.0**-23)
    depths = np.concatenate([depths, [0.02, 3e9, 1.0, 1.0]]).astype(np.float32)
    order = tiles._sorted_by_depth(np.arange(len(depths), dtype=np.int32), depths.view(np.int32))
    assert np.array_equal(order, np.argsort(depths, kind="stable"))


def test_thread_counts_give_the_same_bits() -> None:
    splats, views = some_splats(2000, 5), cameras(orbit(150, 130), orbit(150, 130, 100.0))
    first = rasterize(splats, views, RasterSettings(render_mode="RGB+ED"))
    for threads in (2, 3):
        settings = RasterSettings(render_mode="RGB+ED", threads=threads)
        again = rasterize(splats, views, settings)
        assert first[0].tobytes() == again[0].tobytes()
        assert first[1].tobytes() == again[1].tobytes()


def test_concurrent_calls_give_the_same_bits() -> None:
    views = cameras(orbit(120, 100))
    scenes = [some_splats(1500, seed=seed) for seed in range(4)]
    alone = [rasterize(scene, views)[0].tobytes() for scene in scenes]
    with ThreadPoolExecutor(4) as pool:
        settings = RasterSettings(threads=2)
        together = pool.map(
            lambda k: rasterize(scenes[k % 4], views, settings)[0].tobytes(), range(24)
        )
        assert all(got == alone[k % 4] for k, got in enumerate(together))


DRAW_AND_HASH = """
import hashlib
from tests.core.test_render import RasterSettings, cameras, orbit, rasterize, some_splats
settings = RasterSettings(render_mode="RGB+ED")
colors, alphas, _ = rasterize(some_splats(3000), cameras(orbit(200, 150)), settings)
print(hashlib.sha256(colors.tobytes() + alphas.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_a_plainer_processor_gives_the_same_bits(tmp_path: Path) -> None:
    def drawn(**environment: str) -> bytes:
        inherited = {key: value for key, value in os.environ.items() if "NUMBA" not in key}
        return subprocess.check_output(
            [sys.executable, "-c", DRAW_AND_HASH], env={**inherited, **environment}, cwd=ROOT
        )

    # "generic" has no AVX and no FMA on x86-64: the vectors of eight are split.
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    assert drawn() == drawn(**plain, NUMBA_CACHE_DIR=str(tmp_path))


def test_a_tiny_splat_lands_where_coords_says() -> None:
    camera = orbit(101, 97)
    points = np.random.default_rng(3).uniform(-0.4, 0.4, (20, 3))
    pixels, depth = coords.project(camera, points)
    for point, pixel, z in zip(points, pixels, depth, strict=True):
        cloud = GaussianCloud(
            point[None],
            np.full((1, 3), 1e-4),
            np.array([[1.0, 0, 0, 0]]),
            np.ones(1),
            np.ones((1, 1, 3)),
        )
        pictures = render(cloud, camera, RenderSettings(depth=True))
        rows, columns = np.indices(pictures.alpha.shape) + 0.5
        total = pictures.alpha.sum()
        centre = [(columns * pictures.alpha).sum() / total, (rows * pictures.alpha).sum() / total]
        assert np.allclose(centre, pixel, atol=0.02)
        assert pictures.depth is not None
        assert np.allclose(pictures.depth[pictures.alpha > 0], z, rtol=1e-5)


def test_meta_says_where_splats_are() -> None:
    splats, camera = some_splats(300), orbit()
    _, _, meta = rasterize(splats, cameras(camera))
    seen = meta.radii[0].any(axis=1)
    pixels, depth = coords.project(camera, splats.means)
    assert np.allclose(meta.means2d[0, seen], pixels[seen], rtol=1e-5, atol=1e-4)
    assert np.allclose(meta.depths[0, seen], depth[seen], rtol=1e-6)
    xx, xy, yy = np.moveaxis(meta.conics[0, seen].astype(np.float64), -1, 0)
    # The blur alone is 0.3 square pixels in every direction.
    smallest = 1 / np.linalg.eigvalsh(np.array([[xx, xy], [xy, yy]]).transpose(2, 0, 1))[:, 1]
    assert smallest.min() > 0.2999
    reach = np.sqrt(2 * np.log(255 * splats.opacities[seen].astype(np.float64)))
    assert np.allclose(
        meta.radii[0, seen, 0], np.ceil(reach * np.sqrt(yy / (xx * yy - xy**2))), atol=1
    )


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_turning_the_cloud_is_turning_the_camera_back(degree: int) -> None:
    random = np.random.default_rng(degree)
    cloud, camera = some_cloud(400, degree), orbit(120, 96)
    for _ in range(3):
        turn = coords.rotation_about(random.normal(size=3), random.uniform(20, 340))
        settings = RenderSettings(depth=True)
        turned = render(coords.rotate_cloud(cloud, turn), camera, settings)
        back = render(cloud, coords.rotate_camera(camera, turn.T), settings)
        for ours, theirs in ((turned.rgb, back.rgb), (turned.alpha, back.alpha)):
            error = np.abs(ours - theirs)
            assert np.quantile(error, 0.999) < 1e-4 and error.max() < 5e-3
    plain = render(coords.rotate_cloud(replace(cloud, sh=cloud.sh), turn), camera)
    naive = coords.rotate_cloud(cloud, turn)
    unturned = render(replace(naive, sh=cloud.sh), camera)
    assert (np.abs(plain.rgb - unturned.rgb).max() > 0.05) == (degree > 0)


def test_pictures_become_straight_alpha() -> None:
    cloud = GaussianCloud(
        np.zeros((1, 3)),
        np.full((1, 3), 0.3),
        np.array([[1.0, 0, 0, 0]]),
        np.array([0.5]),
        (np.array([[[1.0, 0.5, 0.0]]]) - 0.5) / 0.28209479177387814,
    )
    camera = coords.orbit_camera(0, 0, 2.0, Lens(50.0, 41, 41))
    image = render(cloud, camera).image()
    assert np.abs(image.rgba[20, 20].astype(int) - [255, 128, 0, 128]).max() <= 1
    assert image.rgba[0, 0, 3] < 10
    opaque = render(cloud, camera, RenderSettings(background=(0.0, 0.0, 1.0))).image()
    assert np.abs(opaque.rgba[20, 20].astype(int) - [128, 64, 128, 255]).max() <= 1
    assert (opaque.rgba[..., 3] == 255).all() and opaque.rgba[0, 0, 2] > 250


def test_refusals() -> None:
    splats, views = some_splats(5), cameras(orbit())
    with pytest.raises(InvalidData, match="opacities"):
        replace(splats, opacities=splats.opacities[:, None])
    with pytest.raises(InvalidData, match="skew"):
        Cameras(views.viewmats, views.Ks + np.eye(3, k=1), 4, 4)
    with pytest.raises(InvalidData, match="sh_degree"):
        rasterize(splats, views, RasterSettings(sh_degree=0))
    with pytest.raises(InvalidData, match="too few"):
        harmonics = replace(splats, colors=np.zeros((5, 4, 3), np.float32))
        rasterize(harmonics, views, RasterSettings(sh_degree=2))
    with pytest.raises(InvalidData, match="backgrounds"):
        rasterize(splats, views, RasterSettings(backgrounds=np.zeros((1, 4))))
    with pytest.raises(InvalidSettings, match="render_mode"):
        RasterSettings(render_mode="depth")  # type: ignore[arg-type]
    with pytest.raises(InvalidSettings, match="background"):
        RenderSettings(background=(1.0, 1.0))
