"""``cutout``, ``caption`` and ``depth``: a file, and a JSON that tells what ran."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from glimpse3d import cli, models, pictures, plugins
from glimpse3d.depth import png
from glimpse3d.types import DepthKind
from tests.hub_server import serving
from tests.readers import tiny


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In a folder of its own, with no backend kept from another test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plugins, "_made", {})
    pictures.write_png(tiny.picture(70, 64), tmp_path / "photo.png")
    yield


def told(path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(path).read_text("utf-8"))
    return found


def test_a_cutout_by_points(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tiny.sam(tmp_path / "sam")
    command = ["cutout", "photo.png", "--backend", "sam", "--sam-weights", str(folder)]
    assert cli.main([*command, "--sam-device", "cpu", "--sam-points", "20,20"]) == 0
    found = pictures.read(Path("photo.cutout.png"))
    assert (found.width, found.height) == (70, 64)
    assert 0 < (found.rgba[..., 3] == 255).mean() < 1
    about = told("photo.cutout.json")
    assert about["backend"] == {"stage": "matte", "asked": "sam", "ran": "sam", "why": ""}
    assert about["settings"]["points"] == "20,20"
    assert about["input"]["sha256"] == hashlib.sha256(Path("photo.png").read_bytes()).hexdigest()
    assert about["kept"] == pytest.approx((found.rgba[..., 3] >= 128).mean(), abs=1e-5)
    assert "photo.cutout.png" in capsys.readouterr().out


def test_a_cutout_in_a_box_without_any_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(Path("empty").resolve()))
    rgba = np.full((64, 70, 4), (240, 240, 240, 255), np.uint8)
    rgba[16:48, 20:50, :3] = (180, 30, 20)
    PIL.Image.fromarray(rgba).save("box.png")
    command = ["cutout", "box.png", "--backend", "grabcut", "--box", "10,8,60,56"]
    assert cli.main([*command, "-o", "out/subject.png"]) == 0
    found = pictures.read(Path("out/subject.png")).rgba[..., 3] == 255
    assert found[20:44, 24:46].all() and not found[:8].any() and not found[:, :10].any()
    about = told("out/subject.json")
    assert about["prompt"]["box"] == [10, 8, 60, 56] and about["weights"] is None
    assert about["output"] == "subject.png"


def test_depth_is_written_with_its_kind(tmp_path: Path) -> None:
    folders = {"dpt": tiny.dpt(tmp_path / "dpt"), "glpn": tiny.glpn(tmp_path / "glpn")}
    kinds = {"dpt": DepthKind.DISPARITY, "glpn": DepthKind.METRIC}
    for name, folder in folders.items():
        flags = ["--backend", name, f"--{name}-weights", str(folder), f"--{name}-device", "cpu"]
        assert cli.main(["depth", "photo.png", *flags, "-o", f"{name}.png"]) == 0
        found, about = png.read(Path(f"{name}.png")), told(f"{name}.json")
        assert found.kind is kinds[name] and found.values.shape == (64, 70)
        assert about["kind"] == kinds[name].value
        assert about["weights"] == {"source": str(folder), "revision": ""}
        pixels = np.asarray(PIL.Image.open(f"{name}.png")).astype(float)
        assert about["offset"] + about["step"] * pixels.max() == pytest.approx(
            about["most"], abs=about["step"]
        )


def test_a_caption_is_written_and_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny.blip2(tmp_path / "blip2")
    flags = ["--blip2-weights", str(folder), "--blip2-device", "cpu"]
    flags += ["--blip2-template", "a studio photo of {object}"]
    assert cli.main(["caption", "photo.png", *flags]) == 0
    said = Path("photo.caption.txt").read_text("utf-8")
    assert said.startswith("a studio photo of ") and said.endswith("\n") and said.count("\n") == 1
    assert told("photo.caption.json")["caption"] == said.strip()
    assert said.strip() in capsys.readouterr().out


def test_a_fixed_caption_needs_no_weights() -> None:
    assert cli.main(["caption", "photo.png", "--blip2-fixed", "a cup"]) == 0
    assert Path("photo.caption.txt").read_text("utf-8") == "a cup\n"
    about = told("photo.caption.json")
    assert about["weights"] is None and about["settings"]["fixed"] == "a cup"


def test_the_same_picture_gives_the_same_files(tmp_path: Path) -> None:
    folder = tiny.dpt(tmp_path / "dpt")
    flags = ["--dpt-weights", str(folder), "--dpt-device", "cpu"]
    for name in ("one", "two", "two"):  # a former record is replaced
        assert cli.main(["depth", "photo.png", *flags, "-o", f"{name}/depth.png"]) == 0
    assert Path("one/depth.png").read_bytes() == Path("two/depth.png").read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [
        ["depth", "absent.png"],
        ["depth", "photo.png", "-o", "photo.png"],
        ["depth", "photo.png", "-o", "depth.json"],
        ["depth", "photo.png", "-o", "empty"],
        ["depth", "photo.png", "-o", "list.png"],  # a list.json of somebody's own is there
        ["caption", "photo.png", "--blip2-fixed", "a cup", "-o", "list.txt"],
        ["depth", "photo.png", "--dpt-weights", "empty"],
        ["cutout", "photo.png", "--backend", "grabcut", "--box", "1,2,3"],
        ["cutout", "photo.png", "--backend", "grabcut", "--box", "0,0,99,99"],
        ["cutout", "photo.png", "--backend", "sam", "--sam-points", "x"],
        ["caption", "photo.png", "--blip2-template", "no object"],
    ],
)
def test_a_refusal_leaves_nothing(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    Path("list.json").write_text('{"eggs": 6}', "utf-8")
    before = sorted(Path().rglob("*")), Path("photo.png").read_bytes()
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err
    assert (sorted(Path().rglob("*")), Path("photo.png").read_bytes()) == before


def test_absent_weights_are_fetched_after_a_yes_and_the_record_names_their_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commit = "89abcdef0123456789abcdef0123456789abcdef"
    folder = tiny.dpt(tmp_path / "made")
    contents = {path.name: path.read_bytes() for path in folder.iterdir()}
    files = tuple(models.ModelFile(name, len(content)) for name, content in contents.items())
    model = models.Model("tiny", "Tiny", "MIT", "someone/Tiny", commit, files)
    monkeypatch.setitem(models.KNOWN, "tiny", model)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    command = ["depth", "photo.png", "--dpt-weights", "someone/Tiny", "--dpt-device", "cpu"]
    with serving() as hub, (tmp_path / "nobody").open("w+") as nobody:
        hub.files = {f"someone/Tiny/{commit}/{name}": each for name, each in contents.items()}
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setattr("sys.stdin", nobody)
        assert cli.main(command) == 2
        assert "--yes" in capsys.readouterr().err
        assert hub.requests == [] and not Path("photo.depth.png").exists()
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        assert cli.main([*command, "--yes"]) == 2
        assert hub.requests == []
        monkeypatch.delenv("HF_HUB_OFFLINE")
        assert cli.main([*command, "--yes"]) == 0
        asked = len(hub.requests)
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        plugins.unload_others("", "")
        assert cli.main(command) == 0
        assert len(hub.requests) == asked
    assert told("photo.depth.json")["weights"] == {"source": "someone/Tiny", "revision": commit}
