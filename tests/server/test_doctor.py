"""The doctor names the step that is ill, and only that one."""

from __future__ import annotations

import dataclasses
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from inference_server import connection, doctor, invites
from tests.server.serving import Server

Start = Callable[..., Server]
STEPS = ["string", "name", "port", "server", "key", "version", "worker"]


def ill(string: str) -> str:
    verdicts = list(doctor.examine(string))
    assert all(each.well for each in verdicts[:-1])
    last = verdicts[-1]
    assert not last.well and last.sentence and last.hint
    return last.step


def changed(server: Server, **changes: object) -> str:
    return connection.write(dataclasses.replace(connection.read(server.string), **changes))


def test_a_well_server(server: Server) -> None:
    verdicts = list(doctor.examine(server.string))
    assert all(each.well for each in verdicts)
    assert [each.step for each in verdicts if each.step != "model"] == STEPS
    assert any("triposr" in each.sentence for each in verdicts)
    assert any("inflate" in each.sentence for each in verdicts)


def test_each_illness_has_its_step(server: Server) -> None:
    assert ill(server.string[:-1]) == "string"
    assert ill(changed(server, host="no-such-machine.invalid")) == "name"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert ill(changed(server, port=port)) == "port"
    assert ill(changed(server, client_secret=bytes(range(32)))) == "key"
    other = bytes([*connection.read(server.string).server_public[:-1], 7])
    assert ill(changed(server, server_public=other)) == "server"


def test_an_invitation_taken_back(start: Start, tmp_path: Path) -> None:
    start()
    string = connection.write(invites.invite(tmp_path / "data", "laptop"))
    invites.revoke(tmp_path / "data", "laptop")
    assert ill(string) == "key"


def test_command(server: Server) -> None:
    def run(string: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "glimpse3d", "doctor", string]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    well = run(server.string)
    assert well.returncode == 0 and well.stdout.count("ok ") >= len(STEPS), well.stderr
    bad = run(server.string.replace("127.0.0.1", "127.0.0.2"))
    assert bad.returncode == 2 and "NO  string" in bad.stdout
    secret = server.string.split(".")[-2]
    assert secret not in well.stdout + well.stderr + bad.stdout + bad.stderr


def test_on_the_servers_own_machine_its_folder_will_do(start: Start, tmp_path: Path) -> None:
    start()

    def run(folder: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "glimpse3d", "doctor", "--data", str(folder)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    well = run(tmp_path / "data")
    assert well.returncode == 0 and "worker" in well.stdout, well.stderr
    nowhere = run(tmp_path / "typo")
    assert nowhere.returncode == 2 and "hint:" in nowhere.stderr
    assert not (tmp_path / "typo").exists()
