"""The doctor beside Blender: what it finds, that nothing waits for it, and that no key leaks."""

import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from blender_addon._vendor.inference_server import connection
from blender_addon._vendor.inference_server.connection import Connection
from blender_addon._vendor.inference_server.doctor import STEPS
from blender_addon.checkup import Checkup
from tests.server.serving import Server

LONGEST_TICK = 0.005  # seconds of processor time
KEY = bytes(range(32))


@pytest.fixture
def examined(tmp_path: Path) -> Iterator[list[Checkup]]:
    """All that a test began; none is left."""
    begun: list[Checkup] = []
    yield begun
    for each in begun:
        each.close()


def pumped(checkup: Checkup, seconds: float = 120.0) -> float:
    """Poll until it is over; returns the longest poll."""
    limit, longest = time.monotonic() + seconds, 0.0
    while checkup.running:
        assert time.monotonic() < limit, checkup.verdicts
        begun = time.thread_time()
        checkup.poll()
        longest = max(longest, time.thread_time() - begun)
        time.sleep(0.02)
    return longest


def test_a_server_that_is_well_passes_every_step(
    server: Server, tmp_path: Path, examined: list[Checkup]
) -> None:
    examined.append(checkup := Checkup(tmp_path, server.string, Path(sys.executable)))
    assert checkup.running and checkup.pending == STEPS
    secret = server.string.rpartition("#")[2].split(".")[2]
    command = Path(f"/proc/{checkup._child.pid}/cmdline")
    assert not command.exists() or secret.encode() not in command.read_bytes()
    longest = pumped(checkup)
    steps = [each.step for each in checkup.verdicts]
    assert tuple(dict.fromkeys(steps)) == STEPS and checkup.pending == ()
    assert checkup.fault is None and longest < LONGEST_TICK
    assert list(tmp_path.glob("checkup*")) == []


def test_the_first_step_that_fails_says_what_to_do(tmp_path: Path, examined: list[Checkup]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    string = connection.write(Connection("127.0.0.1", port, KEY, KEY))
    examined.append(checkup := Checkup(tmp_path, string, Path(sys.executable)))
    pumped(checkup)
    assert [(each.step, each.well) for each in checkup.verdicts] == [
        ("string", True), ("name", True), ("port", False),
    ]  # fmt: skip
    assert checkup.fault is not None and checkup.fault.code == "nothing_listening"
    assert "start the server" in checkup.fault.hint
    assert checkup.pending == STEPS[3:]


def test_what_answers_nothing_is_found_out_without_waiting_here(
    tmp_path: Path, examined: list[Checkup]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = Connection("127.0.0.1", silent.getsockname()[1], KEY, KEY)
        examined.append(checkup := Checkup(tmp_path, connection.write(where), Path(sys.executable)))
        longest = pumped(checkup)
    assert checkup.fault is not None and checkup.fault.step == "server"
    assert longest < LONGEST_TICK


def test_an_examination_can_be_ended(tmp_path: Path, examined: list[Checkup]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = Connection("127.0.0.1", silent.getsockname()[1], KEY, KEY)
        examined.append(checkup := Checkup(tmp_path, connection.write(where), Path(sys.executable)))
        checkup.close()
    assert not checkup.running and checkup._child.code is not None
    assert not checkup.poll() and list(tmp_path.glob("checkup*")) == []


def test_a_doctor_that_breaks_is_told(tmp_path: Path, examined: list[Checkup]) -> None:
    folder = tmp_path / "no python here"
    folder.mkdir()
    false = folder / "python"
    false.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    false.chmod(0o755)
    examined.append(checkup := Checkup(tmp_path, "glimpse3d://", false))
    pumped(checkup)
    assert checkup.fault is not None and "broken" in checkup.fault.sentence
