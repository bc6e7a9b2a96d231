"""From a picture to a mesh in the house frame, with a model whose object is known."""

from pathlib import Path

import numpy as np
import pytest

import glimpse3d
from glimpse3d import coords, mesh_raster, plugins
from glimpse3d.errors import Cancelled, NoForeground
from glimpse3d.progress import Progress
from glimpse3d.reconstructors.triposr import camera
from glimpse3d.reconstructors.triposr.backend import TripoSRReconstructor, TripoSRSettings
from glimpse3d.stages import Detail
from glimpse3d.types import Camera, Image, Mesh, Reconstruction
from tests import shapes
from tests.triposr import ellipsoid

ELEVATION = 25.0
# The ellipsoid's half axes along the house's x (right), y (back), z (up), longest side 1.
HALF = np.array([ellipsoid.HALF[1], ellipsoid.HALF[0], ellipsoid.HALF[2]])
HALF = HALF / (2 * HALF.max())


def true_camera() -> Camera:
    """From above, off the picture's middle."""
    lens = coords.Lens(420.0, 300, 260)
    camera = coords.orbit_camera(0.0, ELEVATION, 1.9 / 1.2, lens)
    aside = np.array([[1, 0, -35], [0, 1, 12], [0, 0, 1.0]])
    return Camera(camera.camera_from_world, aside @ camera.K, lens.width, lens.height)


def true_mesh() -> Mesh:
    ball = shapes.sphere(1.0)
    return Mesh(ball.vertices * HALF, ball.faces)


@pytest.fixture(scope="module")
def cutout() -> Image:
    return mesh_raster.render(true_mesh(), true_camera())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ellipsoid.write(tmp_path_factory.mktemp("ellipsoid"))


def settings(folder: Path, **changes: object) -> TripoSRSettings:
    given = {"weights": str(folder), "device": "cpu", "resolution": 64, "texture": False}
    return TripoSRSettings(**{**given, **changes})  # type: ignore[arg-type]


def made(folder: Path, cutout: Image, detail: Detail, **changes: object) -> Reconstruction:
    backend, own = TripoSRReconstructor(), settings(folder, **changes)
    backend.load(own, Progress())
    return backend(cutout, own, detail, Progress())


@pytest.fixture(scope="module")
def plain(folder: Path, cutout: Image) -> Reconstruction:
    return made(folder, cutout, Detail(0, 64))


def test_the_surface_is_the_ellipsoid_in_the_house_frame(plain: Reconstruction) -> None:
    vertices = plain.mesh.vertices.astype(np.float64)
    shapes.assert_closed(plain.mesh)
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    np.testing.assert_allclose(low + high, 0, atol=1e-6)
    assert (high - low).max() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vertices / HALF, axis=1), 1, atol=0.03)


def test_front_right_and_up_are_where_they_belong(plain: Reconstruction) -> None:
    """The model's front is +X, the house's is -Y; red, green and blue tell."""
    assert plain.mesh.colors is not None
    places = plain.mesh.vertices * (2 * max(ellipsoid.HALF))  # units of the model
    model = np.stack([-places[:, 1], places[:, 0], places[:, 2]], axis=1)
    wanted = 255 / (1 + np.exp(-ellipsoid.TINT * model))
    assert np.abs(plain.mesh.colors[:, :3] - wanted).max() < 6
    assert np.ptp(wanted, axis=0).min() > 100


def test_the_camera_is_found(plain: Reconstruction, cutout: Image) -> None:
    azimuth, elevation = coords.azimuth_elevation(plain.camera)
    assert azimuth == pytest.approx(0, abs=1e-6)
    assert elevation == pytest.approx(ELEVATION, abs=4)
    seen = mesh_raster.render(plain.mesh, plain.camera)
    assert shapes.iou(seen.rgba, cutout.rgba) > 0.98


def test_a_ball_is_seen_from_where_pictures_are_taken() -> None:
    """Its outline says nothing about the height."""
    ball = shapes.sphere(0.5)
    taken = coords.orbit_camera(0.0, 30.0, 2.0, coords.Lens(200.0, 160, 160))
    found = camera.fit(ball, mesh_raster.render(ball, taken), 2.0)
    assert coords.azimuth_elevation(found)[1] == pytest.approx(10, abs=5)


def test_faces_are_as_few_as_asked_for(folder: Path, cutout: Image) -> None:
    few = made(folder, cutout, Detail(500, 64)).mesh
    assert 400 < len(few.faces) <= 500
    shapes.assert_closed(few)
    np.testing.assert_allclose(np.linalg.norm(few.vertices / HALF, axis=1), 1, atol=0.05)


def test_a_texture_is_sharper_than_its_vertices(folder: Path, cutout: Image) -> None:
    textured = made(folder, cutout, Detail(300, 256), texture=True).mesh
    assert textured.texture is not None and textured.texture.width == 256
    assert textured.colors is None
    shapes.assert_closed(textured)
    view = coords.orbit_camera(30.0, 10.0, 2.2, coords.Lens.from_field_of_view(40, 96, 96))
    drawn = mesh_raster.rasterize(textured.vertices, textured.faces, view)
    seen = drawn.face >= 0
    painted = mesh_raster.surface_colors(textured, drawn.face[seen], drawn.barycentric[seen])
    corners = textured.vertices[textured.faces[drawn.face[seen]]]
    places = np.einsum("nk,nkc->nc", drawn.barycentric[seen], corners) * 2 * max(ellipsoid.HALF)
    model = np.stack([-places[:, 1], places[:, 0], places[:, 2]], axis=1)
    assert np.abs(painted - 255 / (1 + np.exp(-ellipsoid.TINT * model))).max() < 8


def test_a_texture_bounds_the_faces_and_vertex_colours_do_not(folder: Path, cutout: Image) -> None:
    many = Detail(2000, 128)
    assert len(made(folder, cutout, many, texture=True, texture_faces=300).mesh.faces) <= 300
    assert len(made(folder, cutout, many, texture_faces=300).mesh.faces) > 1000
    own = plugins.settings_for("reconstructor", "triposr", "high", {})
    assert own.texture and own.texture_faces < glimpse3d.preset("high").faces


def test_density_interpolation_is_the_published_one(folder: Path, cutout: Image) -> None:
    terraced = made(folder, cutout, Detail(0, 64), interpolation="density").mesh
    error = np.abs(np.linalg.norm(terraced.vertices / HALF, axis=1) - 1)
    smooth = made(folder, cutout, Detail(0, 64)).mesh
    assert error.mean() > 1.2 * np.abs(np.linalg.norm(smooth.vertices / HALF, axis=1) - 1).mean()


def test_nothing_solid_is_said_so(tmp_path: Path, cutout: Image) -> None:
    with pytest.raises(NoForeground):
        made(ellipsoid.write(tmp_path, -5.0), cutout, Detail(0, 64))
    with pytest.raises(NoForeground):
        made(tmp_path, Image(np.zeros((40, 40, 4), np.uint8)), Detail(0, 64))


def test_it_stops_where_it_is_told_to(folder: Path, cutout: Image) -> None:
    backend, own = TripoSRReconstructor(), settings(folder)
    backend.load(own, Progress())
    for moment in (0.1, 0.5, 0.75):
        reached = [0.0]
        progress = Progress(
            lambda report, reached=reached: reached.append(report.fraction),
            lambda reached=reached, moment=moment: reached[-1] >= moment,
        )
        with pytest.raises(Cancelled):
            backend(cutout, own, Detail(0, 64), progress)
        assert reached[-1] < 0.98


def test_the_whole_line_gives_the_same_twice(folder: Path, cutout: Image) -> None:
    chosen = {"weights": str(folder), "device": "cpu", "resolution": 48}
    wanted = glimpse3d.preset(
        "standard", reconstructor="triposr", faces=400, texture_size=128, gaussians=500,
        options={"triposr": chosen}, size=0.2,
    )  # fmt: skip
    first, second = (glimpse3d.generate(cutout, wanted) for _ in range(2))
    np.testing.assert_array_equal(first.mesh.vertices, second.mesh.vertices)
    np.testing.assert_array_equal(first.mesh.texture.rgba, second.mesh.texture.rgba)
    assert np.ptp(first.mesh.vertices, axis=0).max() == pytest.approx(0.2)
    assert first.choices["reconstructor"].ran == "triposr"
    # Splats carry the surface's colours: those of the front are redder.
    front = first.gaussians.means[:, 1] < -0.02
    red = first.gaussians.sh[:, 0, 0]
    assert red[front].mean() > red[~front].mean() + 0.3


@pytest.mark.parametrize("preset", ["draft", "standard", "high"])
def test_presets_are_settings(preset: str) -> None:
    own = plugins.settings_for("reconstructor", "triposr", preset, {})
    assert own.texture == (preset != "draft")
