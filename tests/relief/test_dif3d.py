"""DIF3D's documented interface: its example, its folders, and errors where windows opened."""

import json
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import PIL.Image
import pytest
import trimesh

from glimpse3d import dif3d, mesh_raster, pictures, plugins, settings
from glimpse3d.depth import png as depth_png
from glimpse3d.depth.glpn import GLPN
from glimpse3d.dif3d import Runtime
from glimpse3d.errors import BadImage, InvalidData, InvalidSettings, WeightsMissing
from glimpse3d.stages import Detail
from glimpse3d.types import Depth, DepthKind, Image, Mesh, Reconstruction
from tests import shapes
from tests.readers import tiny
from tests.triposr import ellipsoid

HALF = np.array([ellipsoid.HALF[1], ellipsoid.HALF[0], ellipsoid.HALF[2]]) / 1.2
FILES = {
    "images": {"Removed_BG.png", "depth.png"},
    "renderfiles": {*(f"render_{index:03d}.png" for index in range(30)), "render.mp4"},
    "3dfiles": {
        "pointcloud_raw.pcd", "pointcloud.pcd", "forfront_raw_mesh.obj", "forfront_raw_mesh.mtl",
        "forfront_raw_mesh.png", "mesh.obj", "mesh.mtl", "mesh.png",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of an ellipsoid, a TripoSR that sees one in every picture, and a random GLPN."""
    folder = tmp_path_factory.mktemp("dif3d")
    ball = shapes.sphere()
    seen = shapes.photograph(Mesh(ball.vertices * 2 * HALF, ball.faces), shapes.front_camera(0.0))
    (folder / "input").mkdir()
    pictures.write_png(seen, folder / "input" / "ball.png")
    (folder / "triposr").mkdir()
    ellipsoid.write(folder / "triposr")
    tiny.glpn(folder / "glpn")
    return folder


@pytest.fixture(autouse=True)
def _coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dif3d, "DETAIL", Detail(faces=2000, texture_size=256))


@pytest.fixture
def runtime(place: Path, tmp_path: Path) -> Runtime:
    made = Runtime()
    made.set_variables(
        input_path=str(place / "input" / "ball.png"),
        output_path=f"{tmp_path}/output/",
        pretrained_model=str(place / "triposr"),
        chunk_size=8192,
        padding=16,
        foreground_ratio=0.85,
        mc_resolution=48,
        model_save_format="obj",
        depth_model=str(place / "glpn"),
        fusion=False,
    )
    return made


def written(folder: Path) -> dict[str, set[str]]:
    return {each.name: {file.name for file in each.iterdir()} for each in folder.iterdir()}


def test_the_published_example_works(runtime: Runtime, tmp_path: Path) -> None:
    assert written(tmp_path / "output") == {name: set() for name in FILES}
    runtime.initilize()
    runtime.img_process()
    runtime.modelRun()
    runtime.render()
    runtime.export_mesh()
    assert written(tmp_path / "output") == FILES
    video = str(tmp_path / "output" / "renderfiles" / "render.mp4")
    assert imageio_ffmpeg.count_frames_and_secs(video) == (30, pytest.approx(1.0, abs=0.05))
    first, opposite = (
        pictures.read(tmp_path / "output" / "renderfiles" / f"render_{index:03d}.png").rgba
        for index in (0, 15)
    )
    assert first.shape == (256, 256, 4) and (first != opposite).any()
    mesh = trimesh.load(tmp_path / "output" / "3dfiles" / "mesh.obj", process=False)
    assert np.ptp(mesh.vertices, axis=0) / 2 == pytest.approx(HALF[[0, 2, 1]], abs=0.03)
    front = trimesh.load(tmp_path / "output" / "3dfiles" / "forfront_raw_mesh.obj", process=True)
    front.merge_vertices(merge_tex=True, merge_norm=True)
    assert front.is_watertight


def test_pictures_hold_what_their_names_say(runtime: Runtime, tmp_path: Path) -> None:
    plain_path, depth_path = runtime.img_process()
    plain = pictures.read(plain_path)
    assert (plain.rgba[..., 3] == 255).all()
    assert tuple(plain.rgba[0, 0, :3]) == (128, 128, 128)
    subject = (plain.rgba[..., :3] != 128).any(axis=2)
    rows = np.ptp(np.flatnonzero(subject.any(axis=1))) + 1
    assert rows / plain.height == pytest.approx(0.85, abs=0.02)
    with PIL.Image.open(depth_path) as picture:
        assert picture.mode == "I;16" and picture.size == (plain.width, plain.height)
        steps = np.asarray(picture)
    assert (steps[:16] == 0).all() and (steps[:, -16:] == 0).all() and (steps[16:-16, 16:-16]).all()
    found = depth_png.read(depth_path)
    assert found.kind is DepthKind.METRIC
    np.testing.assert_allclose(found.z[found.valid], steps[found.valid] * 0.001, rtol=1e-6)
    assert len(np.unique(steps)) > 256  # what 8 bits could not hold


@pytest.mark.slow
def test_clouds_are_the_subject_alone_in_metres(runtime: Runtime) -> None:
    raw, cleaned, *_ = runtime.modelRun()
    for path, columns in ((raw, 4), (cleaned, 7)):
        lines = path.read_text("ascii").splitlines()
        data = lines.index("DATA ascii")
        points = np.loadtxt(lines[data + 1 :])
        assert points.shape[1] == columns and f"POINTS {len(points)}" in lines
        assert (points[:, 2] < 0).all()  # before the camera, which looks along -z
    subject = pictures.read(runtime.img_process()[0]).rgba[..., :3] != 128
    assert 0.8 < len(points) / subject.any(axis=2).sum() < 1.2
    assert np.linalg.norm(points[:, 4:], axis=1) == pytest.approx(1, abs=1e-3)
    assert np.einsum("ij,ij->i", points[:, :3], points[:, 4:]).max() < 1e-3


def dif3d_result(runtime: Runtime) -> Reconstruction:
    runtime.modelRun()
    assert runtime.result is not None
    return runtime.result


ORDERS: dict[str, Callable[[Runtime], object]] = {
    "only the last": lambda runtime: runtime.export_mesh(),
    "no initialize": lambda runtime: (runtime.img_process(), runtime.export_mesh()),
    "mesh before views": lambda runtime: (runtime.export_mesh(), runtime.initialize()),
    "twice": lambda runtime: (runtime.modelRun(), runtime.modelRun(), runtime.export_mesh()),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ORDERS)
def test_any_sensible_order_gives_the_same_mesh(name: str, runtime: Runtime, place: Path) -> None:
    ORDERS[name](runtime)
    mesh = Path(runtime.variables.output_path) / "3dfiles" / "mesh.obj"
    kept = place / "mesh.obj"
    if not kept.exists():
        kept.write_bytes(mesh.read_bytes())
    assert mesh.read_bytes() == kept.read_bytes()


def test_depth_is_blended_into_the_mesh_as_was_promised(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a depth that knows of a dent in the middle, of which the network knows nothing."""

    def dented(self: GLPN, image: Image, settings: object, progress: object) -> Depth:
        rows, columns = (np.indices((image.height, image.width)) + 0.5) / image.height - 0.5
        inside = 1 - (columns / HALF[0]) ** 2 - (rows / HALF[2]) ** 2
        ball = 2.0 - HALF[1] * np.sqrt(np.maximum(inside, 0))
        return Depth(ball + 0.04 * np.exp(-(columns**2 + rows**2) / 0.1**2), DepthKind.METRIC)

    monkeypatch.setattr(GLPN, "__call__", dented)
    depths = []
    for fusion in (False, True):
        runtime.set_variables(**{**settings.to_dict(runtime.variables), "fusion": fusion})
        made = dif3d_result(runtime)
        shapes.assert_closed(made.mesh)
        z = mesh_raster.rasterize(made.mesh.vertices, made.mesh.faces, made.camera).depth
        rows, columns = np.nonzero(np.isfinite(z))
        row, column, aside = int(rows.mean()), int(columns.mean()), np.ptp(columns) // 4
        depths.append(z[row, column] - (z[row, column - aside] + z[row, column + aside]) / 2)
    plain, fused = depths
    assert plain < 0  # a ball's middle is its nearest point
    assert fused > plain + 0.01


def test_errors_stand_where_windows_were(runtime: Runtime, place: Path, tmp_path: Path) -> None:
    out = f"{tmp_path}/other"
    empty = Runtime()
    empty.set_variables(str(tmp_path / "nowhere.png"), out)
    with pytest.raises(BadImage, match="no file"):
        empty.export_mesh()
    (tmp_path / "several").mkdir()
    for name in ("a.png", "b.png"):
        pictures.write_png(tiny.picture(), tmp_path / "several" / name)
    empty.set_variables(str(tmp_path / "several"), out)
    with pytest.raises(BadImage, match="2 files") as caught:
        empty.img_process()
    assert caught.value.hint
    empty.set_variables(str(place / "input"), out, depth_model=str(place / "glpn"), padding=5000)
    with pytest.raises(InvalidData, match="padding"):
        empty.img_process()
    for bad in (
        {"model_save_format": "fbx"}, {"foreground_ratio": 0}, {"padding": -1}, {"chunk_size": 0},
        {"mc_resolution": "256"},
    ):  # fmt: skip
        with pytest.raises(InvalidSettings):
            empty.set_variables(**bad)


def test_missing_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    for stage, name in (("depth", "glpn"), ("reconstructor", "triposr")):
        plugins.backend(stage, name).unload()
    made = Runtime()
    made.set_variables()
    assert {each.name for each in (tmp_path / "output").iterdir()} == set(FILES)
    with pytest.raises(WeightsMissing) as caught:
        made.initialize()
    assert "fetch" in caught.value.hint


def test_names_and_defaults_are_those_of_dif3d() -> None:
    import inspect

    given = inspect.signature(Runtime.set_variables).parameters
    published = {
        "input_path": "input/", "output_path": "output/",
        "pretrained_model": "stabilityai/TripoSR", "chunk_size": 8192, "padding": 16,
        "foreground_ratio": 0.85, "mc_resolution": 256, "model_save_format": "obj",
    }  # fmt: skip
    ours = {name: each.default for name, each in given.items() if name != "self"}
    assert json.dumps(list(ours.items())[:8]) == json.dumps(list(published.items()))
    assert ours == {each: getattr(dif3d.Variables(), each) for each in ours}
