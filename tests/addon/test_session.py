"""The session without Blender: one connection at a time, and none at all while the gate is shut."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blender_addon._vendor.inference_server.errors import WireError
from blender_addon.history import Problem
from blender_addon.launcher import Launcher
from blender_addon.session import Session
from tests.server.serving import QUICK, Server, picture

SHUT = Problem("offline", "online access is off", "switch it on")


class Gate:
    """Open until it is shut."""

    def __init__(self) -> None:
        self.problem: Problem | None = None

    def __call__(self) -> Problem | None:
        return self.problem


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def session(tmp_path: Path, gate: Gate) -> Iterator[Session]:
    """Its local server's wheel is no wheel."""
    wheel = tmp_path / "glimpse3d-0-py3-none-any.whl"
    wheel.write_bytes(b"no wheel")
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("")
    launcher = Launcher(tmp_path / "local", Path(sys.executable), wheel, constraints)
    made = Session(tmp_path / "user", launcher, gate)
    yield made
    made.close()


def until(session: Session, done: Callable[[], object], seconds: float = 30.0) -> None:
    limit = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < limit, (session.state, session.problem)
        session.pump(8.0)
        time.sleep(0.005)


def test_it_connects_and_says_so(session: Session, server: Server) -> None:
    assert session.state == "none" and session.address == ""
    session.connect(server.string)
    assert session.state == "connecting" and session.address == f"127.0.0.1:{server.port}"
    until(session, lambda: session.state == "ready")
    assert session.was_ready and session.problem is None and not session.is_local
    session.disconnect()
    assert session.state == "none" and session.address == "" and session.client is None


def test_a_damaged_string_changes_nothing_but_is_noted(session: Session, server: Server) -> None:
    session.connect(server.string)
    until(session, lambda: session.state == "ready")
    with pytest.raises(WireError):
        session.connect(server.string[:-3])
    assert session.state == "ready"
    assert session.refused is not None and session.refused.code == "bad_connection_string"
    session.reconnect()
    until(session, lambda: session.state == "ready")


def test_a_shut_gate_ends_the_connection_and_an_open_one_brings_it_back(
    session: Session, gate: Gate, server: Server
) -> None:
    session.connect(server.string)
    until(session, lambda: session.state == "ready")
    job = session.book.add(picture(), QUICK, "disc")
    gate.problem = SHUT
    assert session.pump(8.0)
    assert session.client is None and session.state == "offline" and session.problem == SHUT
    assert job.state == "interrupted"
    session.connect(server.string)
    assert session.client is None and session.state == "offline"
    gate.problem = None
    until(session, lambda: job.state == "importing")


def test_a_connection_takes_up_where_the_other_client_stopped(
    session: Session, server: Server, start: Callable[..., Server]
) -> None:
    session.connect(server.string)
    until(session, lambda: session.state == "ready")
    job = session.book.add(picture(), QUICK, "disc")
    other = start()
    session.connect(other.string)
    until(session, lambda: session.state == "ready")
    for _ in range(50):
        session.pump(8.0)
    assert job.state == "interrupted"  # not sent to a server that it was not meant for
    session.connect(server.string)
    until(session, lambda: job.state == "importing")


def test_a_local_server_that_cannot_be_installed_is_tried_once(session: Session) -> None:
    session.start_local()
    assert session.launcher.state in ("installing", "failed")
    until(session, lambda: session.launcher.state == "failed", 60)
    assert session.launcher.problem and session.launcher.hint
    for _ in range(20):
        session.pump(8.0)
    assert session.launcher.state == "failed" and session.client is None


def test_a_shut_gate_stops_an_installation(session: Session, gate: Gate) -> None:
    session.start_local()
    assert session.launcher.state == "installing"
    gate.problem = SHUT
    session.pump(8.0)
    assert session.launcher.state in ("absent", "incomplete")
    gate.problem = None
    for _ in range(20):
        session.pump(8.0)
    assert session.launcher.state in ("absent", "incomplete")  # not again by itself
