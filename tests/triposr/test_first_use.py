"""The first picture given to a model whose weights are not there yet."""

import hashlib
import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import glimpse3d
from glimpse3d import cli, models, weights
from glimpse3d.errors import BadFile, WeightsMissing
from glimpse3d.progress import Progress, Report
from glimpse3d.types import Image
from tests.hub_server import serving
from tests.triposr.goldens import FOLDER, PARTS

COMMIT = "89abcdef0123456789abcdef0123456789abcdef"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A red ball on nothing."""
    rows, columns = np.mgrid[:96, :96]
    rgba = np.full((96, 96, 4), (200, 60, 40, 0), np.uint8)
    rgba[np.hypot(rows - 48, columns - 48) < 36, 3] = 255
    PIL.Image.fromarray(rgba).save(tmp_path / "ball.png")
    return tmp_path / "ball.png"


def test_weights_are_fetched_only_when_someone_says_yes_and_then_the_picture_is_done(
    picture: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    contents = {name: (FOLDER / name).read_bytes() for name in PARTS}
    files = tuple(
        models.ModelFile(name, len(content), hashlib.sha256(content).hexdigest())
        for name, content in contents.items()
    )
    tiny = models.Model("tiny", "Tiny", "MIT", "someone/Tiny", COMMIT, files)
    monkeypatch.setitem(models.KNOWN, "tiny", tiny)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    out = tmp_path / "out"
    command = ["generate", str(picture), "-o", str(out), "--reconstructor", "triposr"]
    command += ["--triposr-weights", "someone/Tiny", "--preset", "draft"]
    command += ["--triposr-resolution", "24", "--gaussians", "200"]
    command += ["--turntable-frames", "2", "--turntable-resolution", "64"]
    with serving() as hub, (tmp_path / "nobody").open("w+") as nobody:
        hub.files = {f"someone/Tiny/{COMMIT}/{name}": each for name, each in contents.items()}
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setattr("sys.stdin", nobody)
        assert cli.main(command) == 2
        assert "--yes" in capsys.readouterr().err
        assert hub.requests == [] and not out.exists()

        assert cli.main([*command, "--yes"]) == 0
        asked = len(hub.requests)
        assert weights.missing(tiny) == ()
        assert cli.main([*command, "-o", str(tmp_path / "again")]) == 0
        assert len(hub.requests) == asked
    about = json.loads((out / "manifest.json").read_text("utf-8"))
    assert about["choices"]["reconstructor"]["ran"] == "triposr"
    assert (out / "mesh.glb").read_bytes() == (tmp_path / "again" / "mesh.glb").read_bytes()


def test_missing_weights_are_said_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    reports: list[Report] = []
    settings = glimpse3d.preset("draft", reconstructor="triposr", matte="grabcut")
    image = Image(np.full((40, 40, 4), 200, np.uint8))
    with pytest.raises(WeightsMissing) as caught:
        glimpse3d.generate(image, settings, Progress(reports.append))
    assert caught.value.model == "triposr" and reports == []


def test_a_file_cut_short_is_said_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    model = models.TRIPOSR
    folder = weights.snapshot(model.repo_id, model.revision)
    folder.mkdir(parents=True)
    for file in model.files:
        (folder / file.name).write_bytes(b"x" * 100)
    reports: list[Report] = []
    settings = glimpse3d.preset("draft", reconstructor="triposr", matte="grabcut")
    image = Image(np.full((40, 40, 4), 200, np.uint8))
    with pytest.raises(BadFile, match="100 bytes instead of"):
        glimpse3d.generate(image, settings, Progress(reports.append))
    assert reports == []
