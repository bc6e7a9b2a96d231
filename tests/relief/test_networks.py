"""The whole way with the real loading code: small random networks in the hub's layout."""

from pathlib import Path

import numpy as np
import pytest

from glimpse3d import cli, pictures
from glimpse3d.formats import manifest
from glimpse3d.types import Image
from tests import shapes
from tests.readers import tiny


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A subject on nothing; what its colours hide is up to random weights."""
    rgba = np.array(tiny.picture(96, 80).rgba)
    rgba[..., 3] = shapes.drawing(96, 80, shapes.disc((50, 38), 30), []).rgba[..., 3]
    pictures.write_png(Image(rgba), tmp_path / "thing.png")
    return tmp_path / "thing.png"


@pytest.mark.parametrize("name", ["dpt", pytest.param("glpn", marks=pytest.mark.slow)])
def test_a_picture_becomes_a_relief_by_the_command_line(
    name: str, picture: Path, tmp_path: Path
) -> None:
    weights = {"dpt": tiny.dpt, "glpn": tiny.glpn}[name](tmp_path / "weights")
    words = [
        "generate", str(picture), "-o", str(tmp_path / "out"), "--preset", "draft",
        "--reconstructor", "relief", "--depth", name, f"--{name}-weights", str(weights),
        f"--{name}-device", "cpu", "--relief-back", "flat", "--relief-resolution", "64",
        "--turntable-frames", "2", "--turntable-resolution", "64", "--gaussians", "500",
    ]  # fmt: skip
    assert cli.main(words) == 0
    about = manifest.read(tmp_path / "out" / "manifest.json")
    assert about.choices["depth"].ran == name
    assert about.choices["reconstructor"].ran == "relief"
    assert about.object.faces > 100
    assert (tmp_path / "out" / "mesh.glb").stat().st_size > 10_000


def test_without_weights_it_is_refused_and_nothing_is_written(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    words = ["generate", str(picture), "-o", str(tmp_path / "out"), "--reconstructor", "relief"]
    assert cli.main(words) == 2
    assert "models fetch" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
