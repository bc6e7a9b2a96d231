"""The networks inside the package: each is the file that its card describes, or is refused."""

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from glimpse3d import embedded_weights
from glimpse3d.errors import BackendUnavailable, BadFile, WeightsMissing

ROOT = Path(__file__).resolve().parents[2]
INSTEAD = "--matte grabcut"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(embedded_weights, "FOLDER", tmp_path)
    return tmp_path


def put(folder: Path, content: bytes, sha256: str = "") -> None:
    (folder / "net.onnx").write_bytes(content)
    digest = sha256 or hashlib.sha256(content).hexdigest()
    (folder / "net.json").write_text(json.dumps({"sha256": digest}), "utf-8")


def test_what_the_card_describes_is_read(folder: Path) -> None:
    put(folder, b"weights")
    assert embedded_weights.read("net", INSTEAD) == b"weights"


def test_a_changed_byte_is_refused(folder: Path) -> None:
    put(folder, b"weights")
    (folder / "net.onnx").write_bytes(b"weightz")
    with pytest.raises(BadFile, match="SHA-256") as caught:
        embedded_weights.read("net", INSTEAD)
    assert INSTEAD in caught.value.hint


@pytest.mark.parametrize("absent", ["net.onnx", "net.json"])
def test_an_absent_file_is_named(folder: Path, absent: str) -> None:
    put(folder, b"weights")
    (folder / absent).unlink()
    with pytest.raises(WeightsMissing, match=absent) as caught:
        embedded_weights.read("net", INSTEAD)
    assert INSTEAD in caught.value.hint


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sha256": 1}'])
def test_a_card_that_is_none_is_refused(folder: Path, text: str) -> None:
    put(folder, b"weights")
    (folder / "net.json").write_text(text, "utf-8")
    with pytest.raises(BadFile, match=r"net\.json"):
        embedded_weights.read("net", INSTEAD)


@pytest.mark.parametrize("content", [b"", b"no network at all", b"\x08\x07"])
def test_what_the_runtime_refuses_names_another_way(folder: Path, content: bytes) -> None:
    put(folder, content)
    with pytest.raises(BackendUnavailable, match="refuses the network net") as caught:
        embedded_weights.session("net", INSTEAD)
    assert INSTEAD in caught.value.hint


def test_without_the_runtime_it_names_another_way(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, b"weights")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BackendUnavailable, match="onnxruntime") as caught:
        embedded_weights.session("net", INSTEAD)
    assert INSTEAD in caught.value.hint


@pytest.mark.slow
def test_the_wheel_holds_every_network_with_its_card(tmp_path: Path) -> None:
    """Slow: pip fetches what builds the wheel."""
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", str(tmp_path), "."]
    subprocess.run(command, check=True, timeout=600, cwd=ROOT)
    (wheel,) = tmp_path.glob("glimpse3d-*.whl")
    with zipfile.ZipFile(wheel) as file:
        packed = {name: file.read(name) for name in file.namelist() if "/data/" in name}
    networks = sorted(embedded_weights.FOLDER.glob("*.onnx"))
    assert networks
    for path in networks:
        card = json.loads(packed[f"glimpse3d/data/{path.stem}.json"])
        content = packed[f"glimpse3d/data/{path.name}"]
        assert hashlib.sha256(content).hexdigest() == card["sha256"]
