import numpy as np
import pytest

from glimpse3d import mesh_raster, plugins
from glimpse3d.errors import InvalidSettings, NoForeground
from glimpse3d.progress import Progress, Report
from glimpse3d.reconstructors.inflate import Inflate
from glimpse3d.stages import Detail, Reconstructor
from glimpse3d.types import Image, Reconstruction
from tests import shapes
from tests.cutouts import (
    CAMERA,
    DRAFT,
    ODD,
    PICTURES,
    SPHERE,
    VASE,
    assert_gives_the_picture_back,
    assert_house_frame,
    holes,
)


def reconstruct(picture: Image, detail: Detail = DRAFT, **options: object) -> Reconstruction:
    settings = plugins.settings_for("reconstructor", "inflate", "draft", options)
    return Inflate()(picture, settings, detail, Progress())


@pytest.mark.parametrize("name", PICTURES)
def test_its_camera_sees_the_picture_again(name: str) -> None:
    found = reconstruct(PICTURES[name])
    shapes.assert_closed(found.mesh)
    assert_house_frame(found)
    assert len(found.mesh.faces) <= DRAFT.faces
    assert max(found.mesh.texture.width, found.mesh.texture.height) <= DRAFT.texture_size
    assert_gives_the_picture_back(found, PICTURES[name])


def test_a_vase_is_turned_exactly() -> None:
    found = reconstruct(VASE)
    x, y, z = found.mesh.vertices.astype(np.float64).T
    wide = float(2 * shapes.vase_radius(np.linspace(-0.5, 0.5, 99)).max())
    assert np.ptp(found.mesh.vertices, axis=0) == pytest.approx([wide, wide, 1.0], rel=0.025)
    side = np.abs(z) < 0.46
    off = np.abs(np.hypot(x, y) - shapes.vase_radius(z))[side]
    assert side.sum() > 1000
    assert off.mean() < 0.006 and np.quantile(off, 0.99) < 0.02


@pytest.mark.parametrize("revolution", ["always", "never"])
def test_a_ball_becomes_a_ball_either_way(revolution: str) -> None:
    found = reconstruct(SPHERE, revolution=revolution)
    radius = np.linalg.norm(found.mesh.vertices, axis=1)
    assert np.abs(radius - 0.5).mean() < 0.025
    assert np.abs(radius - 0.5).max() < 0.06


def bands(points: np.ndarray) -> np.ndarray:
    """Colours (N, 3) 0..255 of rings around the upright axis."""
    return 128 + 100 * np.sin(points[:, 2:] * [40.0, 25.0, 60.0])


def test_the_bands_of_a_turned_thing_go_all_around_it() -> None:
    found = reconstruct(shapes.photograph(shapes.vase(), CAMERA, bands))
    for azimuth in (90, 180, 270):
        camera = shapes.front_camera(elevation=10.0, size=200, azimuth=azimuth)
        seen = mesh_raster.render(found.mesh, camera, 2).rgba
        assert shapes.psnr(seen, shapes.photograph(shapes.vase(), camera, bands).rgba) > 16


def test_an_upright_box_is_not_turned_but_a_can_is() -> None:
    wide = reconstruct(PICTURES["box"]).mesh.vertices
    turned = reconstruct(PICTURES["box"], revolution="always").mesh.vertices
    assert np.ptp(wide[:, 1]) < 0.9 * np.ptp(turned[:, 1])
    can = shapes.lathe(np.full(40, 0.3), np.linspace(-0.5, 0.5, 40))
    x, y, z = reconstruct(shapes.photograph(can, CAMERA)).mesh.vertices.T
    middle = np.abs(z) < 0.4
    assert np.abs(np.hypot(x, y)[middle] - 0.3).max() < 0.02


def test_holes_and_pieces_are_kept() -> None:
    assert holes(reconstruct(PICTURES["ring"])) == 1
    mug = shapes.drawing(
        300,
        300,
        np.array(
            [
                [60, 60],
                [180, 60],
                [180, 100],
                [250, 110],
                [250, 190],
                [180, 200],
                [180, 250],
                [60, 250],
            ],
            np.float64,
        ),
        [np.array([[180, 125], [225, 130], [225, 170], [180, 175]], np.float64)],
    )
    assert holes(reconstruct(mug)) == 1
    left, right = shapes.star((80, 100), 60, 25), shapes.disc((230, 110), 40)
    one = shapes.drawing(320, 200, left, [])
    two = shapes.drawing(320, 200, right, [])
    both = Image(np.where(one.rgba[..., 3:] > 0, one.rgba, two.rgba))
    found = reconstruct(both)
    shapes.assert_closed(found.mesh)
    assert_gives_the_picture_back(found, both)


def test_thin_parts_survive_a_coarse_grid() -> None:
    rgba = np.zeros((1100, 1000, 4), np.uint8)
    rgba[..., :3] = [40, 90, 160]
    rgba[100:400, 300:700, 3] = 255
    for left in (330, 500, 660):
        rgba[400:1000, left : left + 3, 3] = 255
    found = reconstruct(Image(rgba))
    shapes.assert_closed(found.mesh)
    seen = mesh_raster.render(found.mesh, found.camera, 1).rgba[..., 3] > 0
    for left in (330, 500, 660):
        leg = seen[400:990, left - 8 : left + 11].any(axis=1)
        assert leg.mean() > 0.99


@pytest.mark.parametrize("name", ODD)
def test_whatever_is_cut_out_becomes_a_solid(name: str) -> None:
    found = reconstruct(Image(ODD[name].astype(np.uint8)))
    shapes.assert_closed(found.mesh)
    assert_house_frame(found)


@pytest.mark.parametrize(
    "options",
    [
        {"elevation": 45.0, "field_of_view": 75.0},
        {"elevation": -30.0, "field_of_view": 75.0, "revolution": "always"},
        {"elevation": 0.0, "field_of_view": 5.0, "thickness": 3.0},
        {"resolution": 32, "thickness": 0.05},
    ],
)
@pytest.mark.parametrize("name", ["vase", "star", "off-centre"])
def test_every_setting_gives_a_solid_seen_as_asked(name: str, options: dict[str, float]) -> None:
    found = reconstruct(PICTURES[name], **options)
    shapes.assert_closed(found.mesh)
    assert_house_frame(found, options.get("elevation", 17.0))
    seen = mesh_raster.render(found.mesh, found.camera, 1).rgba
    assert options.get("revolution") == "always" or shapes.iou(seen, PICTURES[name].rgba) > 0.94


def test_thickness_is_depth_over_width() -> None:
    badge, solid = (
        reconstruct(PICTURES["star"], thickness=value, elevation=0.0).mesh.vertices
        for value in (0.25, 1.0)
    )
    assert np.ptp(badge[:, 1]) / np.ptp(solid[:, 1]) == pytest.approx(0.25, abs=0.03)
    assert np.ptp(badge[:, 0]) == pytest.approx(np.ptp(solid[:, 0]), rel=0.02)


@pytest.mark.parametrize("faces", [64, 500, 20_000])
def test_the_number_of_faces_is_kept(faces: int) -> None:
    for name in ("vase", "knot", "ring"):
        found = reconstruct(PICTURES[name], Detail(faces, 512))
        shapes.assert_closed(found.mesh)
        assert len(found.mesh.faces) <= faces
    confetti = reconstruct(Image(ODD["confetti"]), Detail(faces, 512))
    assert len(confetti.mesh.faces) <= faces


def test_the_same_bytes_twice() -> None:
    first, second = (reconstruct(PICTURES["knot"]) for _ in range(2))
    assert first.mesh.vertices.tobytes() == second.mesh.vertices.tobytes()
    assert first.mesh.faces.tobytes() == second.mesh.faces.tobytes()
    assert first.mesh.uvs.tobytes() == second.mesh.uvs.tobytes()
    assert first.mesh.texture.rgba.tobytes() == second.mesh.texture.rgba.tobytes()
    assert first.camera.camera_from_world.tobytes() == second.camera.camera_from_world.tobytes()


def test_an_empty_cut_out_is_refused() -> None:
    with pytest.raises(NoForeground) as caught:
        reconstruct(Image(np.full((40, 50, 4), 90)))
    assert caught.value.hint


def test_it_is_a_backend_that_reports_and_refuses_bad_settings() -> None:
    reports: list[Report] = []
    backend = Inflate()
    assert isinstance(backend, Reconstructor)
    progress = Progress(reports.append)
    backend.load(backend.Settings(), Progress())
    backend(PICTURES["star"], backend.Settings(resolution=64), DRAFT, progress)
    fractions = [report.fraction for report in reports]
    assert fractions == sorted(fractions) and fractions[-1] == pytest.approx(1.0)
    assert len(fractions) >= 6
    for bad in ({"elevation": 80}, {"revolution": "maybe"}, {"resolution": 7}, {"thickness": 0}):
        with pytest.raises(InvalidSettings):
            reconstruct(PICTURES["star"], **bad)
