"""The embedded default: what holds whatever the network says, and what it says of known solids."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from glimpse3d import mesh_raster, pictures, pipeline, plugins
from glimpse3d.coords import azimuth_elevation
from glimpse3d.errors import InvalidSettings, NoForeground
from glimpse3d.progress import Progress, Report
from glimpse3d.reconstructors.embedded import volume
from glimpse3d.reconstructors.embedded.backend import Embedded
from glimpse3d.reconstructors.embedded.network import Network
from glimpse3d.reconstructors.embedded.solid import SURER
from glimpse3d.settings import preset
from glimpse3d.stages import Detail, Reconstructor
from glimpse3d.types import Image, Reconstruction
from tests import shapes
from tests.cutouts import (
    CAMERA,
    DRAFT,
    ODD,
    PICTURES,
    VASE,
    assert_gives_the_picture_back,
    assert_house_frame,
)

BACKEND = Embedded()


def reconstruct(picture: Image, detail: Detail = DRAFT, **options: object) -> Reconstruction:
    settings = plugins.settings_for("reconstructor", "embedded", "draft", options)
    return BACKEND(picture, settings, detail, Progress())


def elevation_of(found: Reconstruction) -> float:
    return azimuth_elevation(found.camera)[1]


@pytest.mark.parametrize("name", PICTURES)
def test_its_camera_sees_the_picture_again(name: str) -> None:
    found = reconstruct(PICTURES[name])
    shapes.assert_closed(found.mesh)
    assert_house_frame(found, elevation_of(found))
    assert found.estimates["elevation"] == pytest.approx(elevation_of(found), abs=0.06)
    assert len(found.mesh.faces) <= DRAFT.faces
    assert max(found.mesh.texture.width, found.mesh.texture.height) <= DRAFT.texture_size
    assert_gives_the_picture_back(found, PICTURES[name])


@pytest.mark.parametrize("name", ODD)
def test_whatever_is_cut_out_becomes_a_solid(name: str) -> None:
    found = reconstruct(Image(ODD[name].astype(np.uint8)))
    shapes.assert_closed(found.mesh)
    assert np.isfinite(found.mesh.vertices).all()
    assert_house_frame(found, elevation_of(found))
    assert found.estimates["elevation"] == pytest.approx(elevation_of(found), abs=0.06)


@pytest.mark.parametrize(
    "options",
    [
        {"tilt": 30.0, "field_of_view": 75.0},
        {"tilt": -40.0, "field_of_view": 10.0, "revolution": "always"},
        {"resolution": 32, "passes": 1, "revolution": "never"},
        {"resolution": 200, "passes": 10},
    ],
)
@pytest.mark.parametrize("name", ["vase", "star", "off-centre"])
def test_every_setting_gives_a_solid(name: str, options: dict[str, float]) -> None:
    found = reconstruct(PICTURES[name], **options)
    shapes.assert_closed(found.mesh)
    assert_house_frame(found, elevation_of(found))
    seen = mesh_raster.render(found.mesh, found.camera, 1).rgba
    assert options.get("revolution") == "always" or shapes.iou(seen, PICTURES[name].rgba) > 0.92


def test_a_vase_is_turned() -> None:
    x, y, z = reconstruct(VASE).mesh.vertices.astype(np.float64).T
    off = np.abs(np.hypot(x, y) - shapes.vase_radius(z))[np.abs(z) < 0.46]
    assert off.mean() < 0.02


def test_a_tilt_leans_the_object_and_turns_nothing_else() -> None:
    plain, leant = (reconstruct(PICTURES["turned"], tilt=value) for value in (0.0, 20.0))
    assert elevation_of(leant) - elevation_of(plain) == pytest.approx(20.0, abs=1e-6)


def test_a_long_lens_sees_the_back_as_large_as_the_front() -> None:
    """A box whose sides a wide lens must have seen, were they not smaller behind."""
    picture = PICTURES["box"]
    near, far = (
        reconstruct(picture, field_of_view=value, revolution="never").mesh.vertices
        for value in (60.0, 12.0)
    )

    def behind_over_before(vertices: np.ndarray) -> float:
        behind = vertices[vertices[:, 1] > np.quantile(vertices[:, 1], 0.9)]
        before = vertices[vertices[:, 1] < np.quantile(vertices[:, 1], 0.1)]
        return float(np.ptp(behind[:, 0]) / np.ptp(before[:, 0]))

    assert behind_over_before(near) > 1.1 * behind_over_before(far)


def test_the_lens_is_taken_from_the_photograph() -> None:
    picture = PICTURES["box"]
    taken = Image(picture.rgba, focal_length=float(CAMERA.K[0, 0]))
    known, guessed = reconstruct(taken), reconstruct(picture)
    assert guessed.estimates["field_of_view"] == 40.0
    rows = np.flatnonzero((picture.rgba[..., 3] > 127).any(axis=1))
    columns = np.flatnonzero((picture.rgba[..., 3] > 127).any(axis=0))
    side = max(np.ptp(rows), np.ptp(columns)) + 1
    seen = 2 * np.degrees(np.arctan(side / 0.85 / 2 / CAMERA.K[0, 0]))
    assert known.estimates["field_of_view"] == pytest.approx(seen, rel=0.03)


def test_the_same_bytes_twice() -> None:
    first, second = (reconstruct(PICTURES["knot"]) for _ in range(2))
    assert first.mesh.vertices.tobytes() == second.mesh.vertices.tobytes()
    assert first.mesh.faces.tobytes() == second.mesh.faces.tobytes()
    assert first.mesh.texture.rgba.tobytes() == second.mesh.texture.rgba.tobytes()
    assert first.estimates == second.estimates


def noise_cutout(seed: int) -> Image:
    """A picture as nobody takes one: any size, colours of noise, any kind of silhouette."""
    random = np.random.default_rng(seed)
    height, width = (int(each) for each in np.exp(random.uniform(np.log(3), np.log(500), 2)))
    rgba = random.integers(0, 256, (height, width, 4)).astype(np.uint8)
    kind = seed % 5
    rows, columns = np.indices((height, width))
    if kind == 1:  # one thin line
        rgba[..., 3] = 255 * (np.abs(rows * width - columns * height) < max(height, width))
    elif kind == 2:  # bars that touch all borders, as letters do
        rgba[..., 3] = 255 * ((columns // 3 % 3 == 0) | (rows // 5 % 4 == 0))
    elif kind == 3:  # two subjects, black or white
        rgba[..., :3] = 255 * (seed // 5 % 2)
        rgba[..., 3] = 255 * (np.abs(columns - width / 2) > width / 5)
    elif kind == 4:  # next to nothing, or all but that
        share = (0.01, 0.99)[seed // 5 % 2]
        rgba[..., 3] = 255 * (random.random((height, width)) < share)
        rgba[height // 2, width // 2, 3] = 255
    return Image(rgba)


def assert_solid_whatever_it_is(seed: int) -> None:
    found = reconstruct(noise_cutout(seed), Detail(faces=3000, texture_size=256), resolution=64)
    shapes.assert_closed(found.mesh)
    assert np.isfinite(found.mesh.vertices).all()
    assert 0 <= found.estimates["confidence"] <= 1


@pytest.mark.parametrize("seed", list(range(50)))
def test_nonsense_becomes_a_solid(seed: int) -> None:
    assert_solid_whatever_it_is(seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", list(range(50, 550)))
def test_much_more_nonsense_becomes_a_solid(seed: int) -> None:
    assert_solid_whatever_it_is(seed)


def test_an_empty_cut_out_is_refused() -> None:
    with pytest.raises(NoForeground) as caught:
        reconstruct(Image(np.full((40, 50, 4), 90)))
    assert caught.value.hint


def test_it_is_a_backend_that_reports_and_refuses_bad_settings() -> None:
    reports: list[Report] = []
    backend = Embedded()
    assert isinstance(backend, Reconstructor)
    backend.load(backend.Settings(), Progress())
    backend(PICTURES["star"], backend.Settings(resolution=64), DRAFT, Progress(reports.append))
    fractions = [report.fraction for report in reports]
    assert fractions == sorted(fractions) and fractions[-1] == pytest.approx(1.0)
    assert len(fractions) >= 6
    for bad in ({"tilt": 80}, {"revolution": "maybe"}, {"resolution": 7}, {"passes": 0}):
        with pytest.raises(InvalidSettings):
            reconstruct(PICTURES["star"], **bad)


def logits_of(chance: np.ndarray) -> np.ndarray:
    return np.log(chance / (1 - chance)).astype(np.float32)


def test_the_solid_is_the_set_of_greatest_expected_overlap() -> None:
    """Against all intervals of a ray, tried one by one."""
    random = np.random.default_rng(4)
    depth = np.arange(40.0)
    for _ in range(30):
        middle, half, steep = random.uniform(12, 28), random.uniform(2, 9), random.uniform(0.3, 2)
        chance = random.uniform(0.15, 0.95) / (1 + np.exp(steep * (np.abs(depth - middle) - half)))
        rays = np.broadcast_to(logits_of(chance)[:, None, None] / SURER, (40, 8, 8))
        solid = volume.solid_rays(rays, np.ones((32, 32), np.float32))[:, 4, 4] > 0
        assert solid.sum() >= 2

        def overlap(chosen: np.ndarray, chance: np.ndarray = chance) -> float:
            return float(chance[chosen].sum() / (chosen.sum() + chance[~chosen].sum()))

        every = [(depth >= a) & (depth < b) for a in range(40) for b in range(a + 2, 41)]
        assert overlap(solid) > max(overlap(each) for each in every) - 0.01


def test_no_ray_is_empty_and_none_is_solid_all_along() -> None:
    """Flat logits, of which nothing is likely: something thin is there, not a wall of fog."""
    random = np.random.default_rng(5)
    logits = (-3 + 0.1 * random.standard_normal((80, 64, 64))).astype(np.float32)
    logits[37:43] += 1.0
    solid = volume.solid_rays(logits, np.ones((160, 160), np.float32)) > 0
    assert solid.any(axis=0).all()
    assert solid.sum(axis=0).max() <= 20


def test_mirrored_pictures_become_mirrored_solids() -> None:
    """An even number of looks knows no left and right."""
    network = Network.shipped()
    rgba = np.zeros((network.grid.image, network.grid.image, 4), np.uint8)
    rgba[20:100, 30:90] = [200, 80, 40, 255]
    rgba[50:70, 90:110] = [20, 80, 140, 255]
    plain, mirrored = (
        network.look(np.ascontiguousarray(each), 0.36, 2) for each in (rgba, rgba[:, ::-1])
    )
    assert np.abs(plain.logits - mirrored.logits[..., ::-1]).max() < 1e-3
    assert plain.elevation == pytest.approx(mirrored.elevation, abs=1e-3)
    assert plain.confidence == pytest.approx(mirrored.confidence, abs=1e-3)


def test_the_result_tells_confidence_lens_and_height() -> None:
    result = pipeline.run(PICTURES["knot"], preset("draft"), progress=Progress())
    assert result.choices["reconstructor"].ran == "embedded"
    assert set(result.estimates) == {"confidence", "elevation", "field_of_view"}
    assert 0 < result.estimates["confidence"] <= 1


def test_without_onnxruntime_the_classical_way_is_named(tmp_path: Path) -> None:
    """In an interpreter whose onnxruntime does not import."""
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('no DLL')\n", "utf-8")
    picture = tmp_path / "picture.png"
    pictures.write_png(PICTURES["star"], picture)
    command = [sys.executable, "-m", "glimpse3d", "generate", str(picture), "--preset", "draft"]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    }
    done = subprocess.run(
        [*command, "--output", str(tmp_path / "out")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "--reconstructor inflate" in done.stderr and "no DLL" in done.stderr
    assert not (tmp_path / "out").exists()
