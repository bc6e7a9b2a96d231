"""Relief from depth that is known exactly, because its pictures are rendered."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from glimpse3d import mesh_raster
from glimpse3d.coords import azimuth_elevation
from glimpse3d.errors import Cancelled, InvalidData, InvalidSettings, NoForeground
from glimpse3d.progress import Progress, Report
from glimpse3d.reconstructors.relief import Relief, ReliefSettings
from glimpse3d.stages import DepthReconstructor, Detail
from glimpse3d.types import Camera, Depth, DepthKind, Image, Mesh, Reconstruction
from tests import shapes
from tests.relief.views import View, view, with_noise

DRAFT = Detail(faces=10_000, texture_size=512)
CAMERA = shapes.front_camera(size=192)
SOLIDS: dict[str, Callable[[], Mesh]] = {
    "sphere": shapes.sphere,
    "vase": shapes.vase,
    "box": lambda: shapes.box(0.8, 0.5, 0.6),
    "knot": shapes.knot,
}


@cache
def seen(name: str) -> View:
    return view(SOLIDS[name](), CAMERA)


def relief(
    cutout: Image, depth: Depth, detail: Detail = DRAFT, **options: object
) -> Reconstruction:
    settings = ReliefSettings(**{"resolution": 64, **options})  # type: ignore[arg-type]
    backend = Relief()
    backend.load(settings, Progress())
    return backend.from_depth(cutout, depth, settings, detail, Progress())


def off_front(found: Reconstruction, of: View) -> np.ndarray:
    """Distance between both fronts along each ray, subject's longest side 1, scales made equal."""
    z = mesh_raster.rasterize(found.mesh.vertices, found.mesh.faces, found.camera).depth
    inner = np.isfinite(z) & (of.cutout.rgba[..., 3] == 255)
    scale = float(np.median(of.metric.values[inner] / z[inner]))
    return np.abs(z[inner] * scale - of.metric.values[inner])


@pytest.mark.parametrize("back", ["mirror", "flat"])
@pytest.mark.parametrize("name", SOLIDS)
def test_it_is_closed_in_the_house_frame_and_gives_the_picture_back(name: str, back: str) -> None:
    of = seen(name)
    found = relief(of.cutout, of.disparity if back == "flat" else of.metric, back=back)
    shapes.assert_closed(found.mesh)
    low, high = found.mesh.vertices.min(axis=0), found.mesh.vertices.max(axis=0)
    assert np.abs(low + high).max() < 1e-5
    assert (high - low).max() == pytest.approx(1.0, abs=1e-5)
    assert azimuth_elevation(found.camera) == pytest.approx((0.0, 17.0), abs=1e-6)
    drawn = mesh_raster.render(found.mesh, found.camera, 2).rgba
    assert shapes.iou(drawn, of.cutout.rgba) > 0.95
    assert shapes.psnr(drawn, of.cutout.rgba) > 30
    assert len(found.mesh.faces) <= DRAFT.faces


@pytest.mark.parametrize("name", SOLIDS)
def test_the_front_is_where_metric_depth_says(name: str) -> None:
    of = seen(name)
    camera = Camera(np.eye(4), CAMERA.K, CAMERA.width, CAMERA.height)
    depth = Depth(of.metric.values, DepthKind.METRIC, camera)
    found = relief(of.cutout, depth, resolution=112)
    np.testing.assert_allclose(found.camera.K, CAMERA.K, rtol=1e-9)
    off = off_front(found, of)
    assert np.median(off) < 0.006
    assert np.quantile(off, 0.9) < 0.03


def test_the_unit_of_relative_depth_does_not_matter() -> None:
    of = seen("vase")
    thousand = Depth(1000 * of.metric.values, DepthKind.RELATIVE)
    one, other = relief(of.cutout, of.metric), relief(of.cutout, thousand)
    np.testing.assert_allclose(
        np.ptp(one.mesh.vertices, axis=0), np.ptp(other.mesh.vertices, axis=0), atol=0.01
    )


def test_a_box_gets_its_depth_from_its_visible_top() -> None:
    taken = shapes.front_camera(size=320)
    of = view(SOLIDS["box"](), taken)
    wide, deep, high = 0.8, 0.5, 0.6
    camera = Camera(np.eye(4), taken.K, taken.width, taken.height)
    depth = Depth(of.metric.values, DepthKind.METRIC, camera)
    for back in ("mirror", "flat"):
        found = relief(of.cutout, depth, back=back, resolution=128, thickness=0.05)
        size = np.ptp(found.mesh.vertices, axis=0)
        assert size[1] / size[0] == pytest.approx(deep / wide, abs=0.08)
        assert size[2] / size[0] == pytest.approx(high / wide, abs=0.05)


def test_a_ball_mirrored_is_a_ball_and_flat_it_is_half_of_one() -> None:
    of = seen("sphere")
    whole, half = (
        np.ptp(relief(of.cutout, of.metric, back=back).mesh.vertices, axis=0)
        for back in ("mirror", "flat")
    )
    assert 0.75 < whole[1] < 1.0
    assert 0.45 < half[1] < 0.65
    thin = relief(of.cutout, of.metric, back="flat", thickness=0.05).mesh.vertices
    assert np.ptp(thin[:, 1]) < half[1]


def test_the_back_of_a_flat_one_is_flat_and_upright() -> None:
    found = relief(seen("vase").cutout, seen("vase").metric, back="flat", resolution=96)
    y = found.mesh.vertices[:, 1]
    wall = y > y.max() - 0.02
    assert wall.sum() > 300
    assert np.ptp(found.mesh.vertices[wall], axis=0)[2] > 0.75


def test_the_range_of_a_disparity_is_a_choice() -> None:
    of = seen("sphere")
    shallow, deep = (
        np.ptp(relief(of.cutout, of.disparity, back="flat", depth_range=each).mesh.vertices[:, 1])
        for each in (0.1, 0.6)
    )
    assert deep > shallow + 0.25


def test_a_disparity_keeps_what_is_near_near() -> None:
    """Larger disparities are nearer: a ball bulges towards the camera, not away from it."""
    found = relief(seen("sphere").cutout, seen("sphere").disparity, back="flat")
    z = mesh_raster.rasterize(found.mesh.vertices, found.mesh.faces, found.camera).depth
    rows, columns = np.nonzero(np.isfinite(z))
    middle = z[int(rows.mean()), int(columns.mean())]
    assert middle < np.quantile(z[rows, columns], 0.05) + 0.01


def test_the_background_is_never_part_of_it() -> None:
    of = seen("vase")
    alpha = of.cutout.rgba[..., 3]
    plain = relief(of.cutout, of.metric).mesh
    for wall in (0.3, 50.0):
        values = np.where(alpha >= 128, of.metric.values, wall)
        other = relief(of.cutout, Depth(values, DepthKind.METRIC)).mesh
        assert other.vertices.tobytes() == plain.vertices.tobytes()
    unknown = Depth(of.metric.values, DepthKind.METRIC, None, alpha >= 128)
    assert relief(of.cutout, unknown).mesh.vertices.tobytes() == plain.vertices.tobytes()


def test_noise_and_stray_pixels_are_borne() -> None:
    of = seen("sphere")
    spoilt = with_noise(of.metric, 0.01, 0.02)
    smooth = relief(of.cutout, spoilt, smoothing=2.5)
    shapes.assert_closed(smooth.mesh)
    assert np.median(off_front(smooth, of)) < 0.012
    drawn = mesh_raster.render(smooth.mesh, smooth.camera, 2).rgba
    assert shapes.iou(drawn, of.cutout.rgba) > 0.95


def test_a_field_of_view_is_the_crops_and_vertical() -> None:
    of = seen("vase")
    for degrees in (20.0, 60.0):
        found = relief(of.cutout, of.metric, field_of_view=degrees)
        rows = np.flatnonzero((of.cutout.rgba[..., 3] >= 128).any(axis=1))
        columns = np.flatnonzero((of.cutout.rgba[..., 3] >= 128).any(axis=0))
        side = max(np.ptp(rows), np.ptp(columns)) + 1
        focal = 0.5 * side / 0.85 / np.tan(np.radians(degrees) / 2)
        assert found.camera.K[1, 1] == pytest.approx(focal, rel=1e-9)


def test_the_same_bytes_twice() -> None:
    of = seen("knot")
    first, second = (relief(of.cutout, of.disparity).mesh for _ in range(2))
    for name in ("vertices", "faces", "uvs"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()


@pytest.mark.parametrize("faces", [200, 3000])
def test_the_number_of_faces_is_kept(faces: int) -> None:
    for name in ("vase", "knot"):
        found = relief(seen(name).cutout, seen(name).metric, Detail(faces, 256))
        shapes.assert_closed(found.mesh)
        assert len(found.mesh.faces) <= faces


def test_depth_that_says_nothing_is_refused_with_a_hint() -> None:
    of = seen("vase")
    height, width = of.metric.values.shape
    level = np.where(of.cutout.rgba[..., 3] >= 128, 1.5, of.metric.values)
    bad = {
        "pixels": Depth(np.ones((height, width - 1)), DepthKind.METRIC),
        "everywhere": Depth(level, DepthKind.METRIC),
        "5 everywhere": Depth(np.full((height, width), 5.0), DepthKind.DISPARITY),
        "nowhere": Depth(of.metric.values, DepthKind.METRIC, None, of.cutout.rgba[..., 3] == 0),
    }
    for said, depth in bad.items():
        with pytest.raises(InvalidData, match=said) as caught:
            relief(of.cutout, depth)
        assert caught.value.hint
    with pytest.raises(NoForeground):
        relief(Image(np.zeros((height, width, 4), np.uint8)), of.metric)


ODD = {
    "a pixel": (np.s_[20:21, 30:31], (40, 50)),
    "a column": (np.s_[:, 25:26], (60, 50)),
    "a corner": (np.s_[:6, 44:], (40, 50)),
    "all of it": (np.s_[:, :], (33, 64)),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_subjects_become_solids(name: str) -> None:
    where, size = ODD[name]
    rgba = np.zeros((*size, 4), np.uint8)
    rgba[where] = [200, 90, 40, 255]
    rows, columns = np.indices(size)
    depth = Depth(2 + 0.01 * rows + 0.02 * columns, DepthKind.METRIC)
    if name == "a pixel":
        with pytest.raises(InvalidData, match="everywhere"):
            relief(Image(rgba), depth)
        return
    shapes.assert_closed(relief(Image(rgba), depth).mesh)


@pytest.mark.parametrize("seed", list(range(4)))
def test_wild_depth_is_a_solid_or_a_refusal(seed: int) -> None:
    chance = np.random.default_rng(seed)
    height, width = chance.integers(30, 90, 2)
    star = shapes.star((width / 2, height / 2), 0.45 * min(width, height), 8)
    cutout = shapes.drawing(int(width), int(height), star, [])
    values = np.exp((1 + seed) * chance.normal(size=(height, width)))
    depth = Depth(values, DepthKind.RELATIVE, None, chance.random((height, width)) < 0.7)
    try:
        found = relief(cutout, depth, resolution=48)
    except NoForeground as error:
        assert error.hint
    else:
        shapes.assert_closed(found.mesh)


def test_it_is_a_backend_that_reports_stops_and_refuses_bad_settings() -> None:
    of = seen("vase")
    backend, reports = Relief(), list[Report]()
    assert isinstance(backend, DepthReconstructor)
    settings = ReliefSettings(resolution=64)
    backend.from_depth(of.cutout, of.metric, settings, DRAFT, Progress(reports.append))
    fractions = [report.fraction for report in reports]
    assert fractions == sorted(fractions) and len(fractions) >= 6
    assert fractions[-1] == pytest.approx(1.0)
    with pytest.raises(Cancelled):
        backend.from_depth(of.cutout, of.metric, settings, DRAFT, Progress(cancelled=lambda: True))
    for bad in ({"back": "none"}, {"resolution": 8}, {"field_of_view": 0}, {"thickness": 0}):
        with pytest.raises(InvalidSettings):
            ReliefSettings(**bad)  # type: ignore[arg-type]
