"""``glimpse3d generate --server`` gives what ``glimpse3d generate`` gives."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from glimpse3d import cli
from inference_server.client import Client
from inference_server.events import JobList
from tests.server.serving import BACKENDS, ROOT, Server, eventually, picture, pump

SMALL = [
    "--preset", "draft", "--matte", "alpha", "--gaussians", "300", "--faces", "500",
    "--texture-size", "64", "--turntable-frames", "2", "--turntable-resolution", "64",
]  # fmt: skip
SAME = ("mesh.glb", "splats.ply", "cameras.json", "cutout.png", "input.png", "mask.png")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "disc.png"
    path.write_bytes(picture(side=72))
    return path


def test_the_folder_is_the_same_byte_for_byte(
    server: Server,
    photo: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    connect: Callable[..., Client],
) -> None:
    from tests.server.test_jobs import mask

    photo.write_bytes(picture(side=64))
    painted = tmp_path / "mask.png"
    painted.write_bytes(mask())
    flags = [str(photo), *SMALL, "--box", "3,2,60,62", "--mask", str(painted), "--seed", "4"]
    here, there = tmp_path / "here", tmp_path / "there"
    assert cli.main(["generate", *flags, "-o", str(here), "--zip"]) == 0
    said = capsys.readouterr().out
    assert cli.main(["generate", *flags, "-o", str(there), "--zip", "--server", server.string]) == 0
    assert {path.name for path in here.iterdir()} == {path.name for path in there.iterdir()}
    for name in SAME:
        assert (here / name).read_bytes() == (there / name).read_bytes(), name
    assert (tmp_path / "there.zip").is_file()
    facts = [line for line in said.splitlines() if "triangles" in line]
    assert facts and facts[0] in capsys.readouterr().out
    client = connect(server.string)
    client.list_jobs()
    page = pump(client, lambda event: isinstance(event, JobList))
    assert isinstance(page, JobList)
    assert not any(job.name == photo.name for job in page.jobs)  # the files are here: it is gone


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal for one process")
def test_ctrl_c_cancels_the_job_and_leaves_nothing(
    server: Server, photo: Path, tmp_path: Path, connect: Callable[..., Client]
) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(BACKENDS), str(ROOT)])}
    flags = ["--reconstructor", "patient", "--patient-seconds", "60", "-o", str(tmp_path / "out")]
    asking = subprocess.Popen(
        [sys.executable, "-m", "glimpse3d", "generate", str(photo), *SMALL, *flags,
         "--server", server.string],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True,
    )  # fmt: skip
    client = connect(server.string)

    def state() -> str:
        client.list_jobs(limit=1)
        page = pump(client, lambda event: isinstance(event, JobList))
        assert isinstance(page, JobList)
        return page.jobs[0].state if page.jobs and page.jobs[0].name == photo.name else ""

    eventually(lambda: state() == "running")
    asking.send_signal(signal.SIGINT)
    _, said = asking.communicate(timeout=20)
    assert asking.returncode == 130, said
    eventually(lambda: state() == "cancelled", 10)
    assert [path.name for path in tmp_path.iterdir()] == [photo.name]


@pytest.mark.parametrize("damage", ["cut", "empty", "port"])
def test_a_string_that_leads_nowhere_is_refused_and_leaves_nothing(
    server: Server, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    import dataclasses
    import socket

    from inference_server import connection

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    nowhere = dataclasses.replace(connection.read(server.string), port=port)
    string = {"cut": server.string[:-9], "empty": "-", "port": connection.write(nowhere)}[damage]
    began = time.monotonic()
    out = tmp_path / "out"
    assert cli.main(["generate", str(photo), "-o", str(out), "--server", string]) == 2
    assert time.monotonic() - began < 15
    assert "hint:" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [photo.name]


def test_serve_prints_the_string_alone_and_refuses_every_address(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert server.string.startswith("glimpse3d://127.0.0.1:") and " " not in server.string
    assert cli.main(["serve", "--host", "0.0.0.0"]) == 2
    assert "hint:" in capsys.readouterr().err
    for command in (["glimpse3d", "serve"], ["inference_server"]):
        ran = subprocess.run(
            [sys.executable, "-m", *command, "--help"],
            capture_output=True, text=True, check=True, cwd=ROOT,
        )  # fmt: skip
        assert all(flag in ran.stdout for flag in ("--host", "--port", "--data"))


def test_the_log_never_holds_the_key(server: Server) -> None:
    secret = server.string.split(".")[-2]
    assert secret not in server.log.read_text()
