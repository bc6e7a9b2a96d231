"""What can go wrong on a user's machine: one clear sentence, a hint, exit code 2, nothing left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from glimpse3d import cli


def ball(path: Path, size: int = 96) -> Path:
    """A shaded ball on nothing: the smallest picture that makes a good object."""
    y, x = np.mgrid[:size, :size] + 0.5 - size / 2
    inside = x * x + y * y < (0.4 * size) ** 2
    rgba = np.zeros((size, size, 4), np.uint8)
    rgba[..., 0] = np.clip(150 + x, 0, 255)
    rgba[..., 1] = np.clip(120 - y, 0, 255)
    rgba[..., 3] = inside * 255
    PIL.Image.fromarray(rgba).save(path)
    return path


def quick(picture: Path, folder: Path) -> list[str]:
    turntable = ["--turntable-frames", "4", "--turntable-resolution", "64"]
    return ["generate", str(picture), "-o", str(folder), "--preset", "draft", *turntable]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def text_file(folder: Path) -> Path:
    path = folder / "notes.png"
    path.write_text("this is not a picture, whatever it is called\n" * 9)
    return path


def truncated(folder: Path) -> Path:
    path = ball(folder / "whole.png")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def one_pixel(folder: Path) -> Path:
    path = folder / "dot.png"
    PIL.Image.new("RGB", (1, 1)).save(path)
    return path


def huge_claim(folder: Path) -> Path:
    path = folder / "huge.bmp"
    PIL.Image.new("RGB", (4, 4)).save(path)
    data = bytearray(path.read_bytes())
    data[18:26] = (30000).to_bytes(4, "little") * 2
    path.write_bytes(data)
    return path


def animated(folder: Path) -> Path:
    path = folder / "moving.gif"
    frames = [PIL.Image.new("L", (64, 64), level) for level in (0, 99, 200)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    return path


def all_background(folder: Path) -> Path:
    path = folder / "wall.png"
    PIL.Image.new("RGB", (128, 96), (200, 200, 200)).save(path)
    return path


def missing(folder: Path) -> Path:
    return folder / "nowhere.png"


BAD_PICTURES = {
    each.__name__: each
    for each in (text_file, truncated, one_pixel, huge_claim, animated, all_background, missing)
}


@pytest.mark.parametrize("case", BAD_PICTURES)
def test_a_bad_picture_is_refused_in_one_sentence(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = BAD_PICTURES[case](tmp_path)
    before = sorted(tmp_path.iterdir())
    assert cli.main(quick(picture, tmp_path / "out")) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 2, said
    assert said[1].strip().startswith("hint: ")
    assert sorted(tmp_path.iterdir()) == before


def test_a_bad_picture_leaves_a_former_result_untouched(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert cli.main(quick(ball(tmp_path / "ball.png"), out)) == 0
    before = snapshot(out)
    assert cli.main(quick(all_background(tmp_path), out)) == 2
    assert snapshot(out) == before


@pytest.mark.parametrize("target", ["a file", "below a file", "somebody's folder"])
def test_an_impossible_output_folder_is_refused_before_any_work(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = ball(tmp_path / "ball.png")
    home = tmp_path / "home"
    home.mkdir()
    (home / "diary.txt").write_text("mine")
    folder = {"a file": picture, "below a file": picture / "out", "somebody's folder": home}
    start = time.process_time()
    assert cli.main(quick(picture, folder[target])) == 2
    assert time.process_time() - start < 1
    assert "hint: " in capsys.readouterr().err
    assert snapshot(home) == {"diary.txt": b"mine"}


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="needs POSIX users")
def test_an_unwritable_output_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = ball(tmp_path / "ball.png")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    # Import all that it takes: an ordinary user may not read where root keeps its Python.
    assert cli.main(quick(missing(tmp_path), tmp_path / "out")) == 2
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        code = cli.main(quick(picture, locked / "out"))
    finally:
        if root:
            os.seteuid(0)
    assert code == 2
    said = capsys.readouterr().err
    assert "cannot be written" in said or "may not be written" in said
    assert "hint: " in said
    assert list(locked.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for a child alone")
@pytest.mark.parametrize("stage", ["matte", "reconstructor", "turntable"])
def test_ctrl_c_leaves_nothing_and_exits_130(stage: str, tmp_path: Path) -> None:
    picture = ball(tmp_path / "ball.png")
    stopper = tmp_path / "stopper.py"
    stopper.write_text(
        "import os, signal, sys\n"
        "from glimpse3d import cli, progress\n"
        "report = progress.Progress.__call__\n"
        "def stop(self, fraction, note='', preview=None):\n"
        "    report(self, fraction, note, preview)\n"
        f"    if self._name == {stage!r} and fraction > 0:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "progress.Progress.__call__ = stop\n"
        "sys.exit(cli.main(sys.argv[1:]))\n"
    )
    command = [sys.executable, str(stopper), *quick(picture, tmp_path / "out")]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 130, said.stderr
    assert said.stderr.strip() == "stopped; no result was left half-written"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ball.png", "stopper.py"]


def test_ctrl_c_from_outside_while_it_works(tmp_path: Path) -> None:
    if os.name == "nt":
        pytest.skip("Windows has no SIGINT for a child alone")
    picture = ball(tmp_path / "ball.png")
    command = [sys.executable, "-m", "glimpse3d", *quick(picture, tmp_path / "out")]
    command[command.index("--turntable-frames") + 1] = "1440"
    child = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline().startswith(str(picture))
    time.sleep(3)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130, said
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["ball.png"]


def test_one_failing_picture_does_not_stop_a_batch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = ball(tmp_path / "good.png"), text_file(tmp_path)
    arguments = quick(bad, tmp_path / "out")
    arguments.insert(2, str(good))
    assert cli.main(arguments) == 2
    assert "1 of 2 pictures done" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good"]
    assert (tmp_path / "out" / "good" / "mesh.glb").stat().st_size > 1000


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--size", "0"], "size"),
        (["--matte", "magic"], "magic"),
        (["--reconstructor", "magic"], "inflate"),
        (["--box", "1,2,3"], "box"),
        (["--box", "50,50,5000,90"], "beyond the picture"),
        (["--faces", "3"], "faces"),
    ],
    ids=["size", "matte", "reconstructor", "box", "large box", "faces"],
)
def test_bad_settings_are_refused(
    flags: list[str], word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = ball(tmp_path / "ball.png")
    assert cli.main([*quick(picture, tmp_path / "out"), *flags]) == 2
    said = capsys.readouterr().err
    assert word in said and "hint: " in said
    assert not (tmp_path / "out").exists()
