"""The whole line: what a picture becomes, seen from outside."""

import json
from pathlib import Path

import numpy as np
import pytest

import glimpse3d
from glimpse3d import cli, coords, mesh_raster, pipeline
from glimpse3d.errors import Cancelled, InvalidData
from glimpse3d.formats import splat_ply
from glimpse3d.progress import Progress, Report
from glimpse3d.splats.render import RenderSettings, render
from glimpse3d.types import Image, Prompt, Result

EXAMPLES = Path(__file__).parents[2] / "examples"
QUICK = {"turntable": {"frames": 6, "resolution": 64}}
FILES = {
    "mesh.glb",
    "splats.ply",
    "cameras.json",
    "turntable.mp4",
    "preview.png",
    "cutout.png",
    "input.png",
    "manifest.json",
}
SAME = ("mesh.glb", "splats.ply", "cameras.json")


def drawn_vase(width: int = 301, height: int = 240, left: int = 37) -> Image:
    """A striped vase, off the picture's middle, on nothing."""
    rgba = np.zeros((height, width, 4), np.uint8)
    y, x = np.mgrid[:height, :width] + 0.5
    along = (y - 20) / 190
    radius = 38 + 22 * np.sin(along * 5.5)
    across = (x - left - 80) / radius
    inside = (along > 0) & (along < 1) & (abs(across) < 1)
    light = 0.6 + 0.4 * np.sqrt(np.clip(1 - across**2, 0, 1))
    stripes = 0.5 + 0.5 * np.sin(along * 40)
    rgba[..., 0] = light * (90 + 150 * stripes)
    rgba[..., 1] = light * (160 - 90 * stripes)
    rgba[..., 2] = light * 110
    rgba[..., 3] = inside * 255
    return Image(rgba)


@pytest.fixture(scope="module")
def result() -> Result:
    return glimpse3d.generate(
        drawn_vase(), glimpse3d.preset("draft", size=0.3, gaussians=30_000, **QUICK)
    )


def over_white(image: Image) -> np.ndarray:
    alpha = image.rgba[..., 3:] / 255
    return image.rgba[..., :3] * alpha + 255 * (1 - alpha)


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((first - second) ** 2) / 255**2))


def test_the_object_has_the_size_asked_for_and_stands_in_the_middle(result: Result) -> None:
    low, high = result.mesh.vertices.min(axis=0), result.mesh.vertices.max(axis=0)
    assert (high - low).max() == pytest.approx(0.3, rel=1e-5)
    assert np.abs(low + high).max() < 1e-6
    assert (high - low).argmax() == 2  # a vase is taller than wide, and up is +Z
    assert np.linalg.norm(result.gaussians.means, axis=1).max() < 0.2


def test_the_picture_camera_sees_the_picture_again(result: Result) -> None:
    assert coords.azimuth_elevation(result.camera)[0] == pytest.approx(0, abs=1e-9)
    drawn = mesh_raster.render(result.mesh, result.camera)
    assert drawn.rgba.shape == result.input.rgba.shape
    have, want = drawn.rgba[..., 3] > 127, result.cutout.rgba[..., 3] > 127
    assert (have & want).sum() / (have | want).sum() > 0.97
    both = have & want
    assert psnr(over_white(drawn)[both], over_white(result.cutout)[both]) > 24


def test_splats_show_the_same_object_as_the_mesh(result: Result) -> None:
    smooth = RenderSettings(antialiased=True)
    for camera in (result.camera, result.turntable[1], result.turntable[3]):
        mesh = over_white(mesh_raster.render(result.mesh, camera))
        splats = over_white(render(result.gaussians, camera, smooth).image())
        assert psnr(mesh, splats) > 24


def test_the_turntable_goes_once_around_from_the_front(result: Result) -> None:
    azimuths = [coords.azimuth_elevation(camera)[0] % 360 for camera in result.turntable]
    assert np.allclose(azimuths, np.arange(6) * 60)


def test_saved_files_hold_the_result(result: Result, tmp_path: Path) -> None:
    glimpse3d.save(result, tmp_path / "vase")
    assert {path.name for path in (tmp_path / "vase").iterdir()} == FILES
    cloud = splat_ply.read(tmp_path / "vase" / "splats.ply")
    assert np.allclose(cloud.means, result.gaussians.means, atol=1e-6)


def test_a_rerun_gives_the_same_bytes(tmp_path: Path) -> None:
    picture = EXAMPLES / "vase.png"
    flags = ["--preset", "draft", "--turntable-frames", "4", "--turntable-resolution", "64"]
    where = ["-o", str(tmp_path / "first"), "--box", "5,5,400,400", "--seed", "5"]
    assert cli.main(["generate", str(picture), *flags, *where]) == 0
    manifest = tmp_path / "first" / "manifest.json"
    assert cli.main(["rerun", str(manifest), "-o", str(tmp_path / "second")]) == 0
    for name in SAME:
        first, second = (tmp_path / run / name for run in ("first", "second"))
        assert first.read_bytes() == second.read_bytes(), name
    before = {name: (tmp_path / "first" / name).read_bytes() for name in SAME}
    assert cli.main(["rerun", str(manifest)]) == 0
    assert before == {name: (tmp_path / "first" / name).read_bytes() for name in SAME}


def test_auto_takes_alpha_if_there_is_one_and_says_what_ran(result: Result) -> None:
    assert result.choices["matte"].ran == "alpha"
    assert result.choices["matte"].asked == "auto"
    assert result.settings.matte == "alpha"  # so that a rerun does the same


def test_auto_falls_to_the_embedded_network_without_alpha_and_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    opaque = np.array(drawn_vase().rgba)
    opaque[opaque[..., 3] == 0] = 240
    opaque[..., 3] = 255
    choice = pipeline.choose_matte(Image(opaque), glimpse3d.preset("draft"))
    assert choice.ran == "embedded"
    assert "alpha" in choice.why and "rembg" in choice.why


@pytest.mark.parametrize("stage", ["matte", "reconstructor", "splats"])
def test_cancelling_stops_at_the_next_report(stage: str) -> None:
    seen: list[Report] = []

    def cancelled() -> bool:
        return bool(seen) and seen[-1].stage == stage

    with pytest.raises(Cancelled):
        pipeline.run(drawn_vase(), glimpse3d.preset("draft"), Progress(seen.append, cancelled))
    assert seen[-1].stage == stage
    assert [report.fraction for report in seen] == sorted(report.fraction for report in seen)


def test_what_the_user_said_holds() -> None:
    picture = drawn_vase()
    mask = np.full((picture.height, picture.width), 128, np.uint8)
    mask[30:60, 100:140], mask[150:200] = 255, 0
    box = (60.0, 0.0, 301.0, 240.0)
    held = pipeline.hold_to_prompt(picture, Prompt(box, mask)).rgba[..., 3]
    assert (held[30:60, 100:140] == 255).all()
    assert (held[150:200] == 0).all()
    assert (held[:, :60] == 0).all()
    untouched = np.s_[70:140, 60:]
    assert np.array_equal(held[untouched], picture.rgba[..., 3][untouched])


def test_a_mask_of_another_size_is_refused() -> None:
    prompt = Prompt(mask=np.full((5, 5), 128, np.uint8))
    with pytest.raises(InvalidData, match="5 x 5"):
        pipeline.run(drawn_vase(), prompt=prompt)


def test_the_manifest_tells_what_ran_and_how_long_it_took(result: Result, tmp_path: Path) -> None:
    glimpse3d.save(result, tmp_path / "vase")
    manifest = json.loads((tmp_path / "vase" / "manifest.json").read_text())
    assert manifest["settings"]["size"] == 0.3
    assert manifest["choices"]["matte"]["ran"] == "alpha"
    assert set(manifest["files"]) == FILES - {"manifest.json"}
    stages = {"matte", "reconstructor", "splats", "turntable"}
    assert stages <= set(manifest["timings"])
