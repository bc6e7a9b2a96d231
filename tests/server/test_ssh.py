"""The way that ``docs/remote.md`` tells: a server on loopback, and SSH carries its port."""

import contextlib
import dataclasses
import functools
import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inference_server import connection, doctor
from inference_server.client import Client
from inference_server.events import ConnectionChanged
from tests.server.serving import Server, downloaded, ended, patient, picture, pump

Connect = Callable[[str], Client]


@functools.cache
def sshd() -> str:
    """Where OpenSSH's daemon is, or nothing; it stands outside the path of plain users."""
    for place in ("/usr/sbin", "/usr/local/sbin", *os.environ.get("PATH", "").split(os.pathsep)):
        if found := shutil.which("sshd", path=place):
            said = subprocess.run([found, "-V"], capture_output=True, text=True, check=False)
            if "OpenSSH" in said.stdout + said.stderr:  # old ones say so in a complaint about -V
                return found
    return ""


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="needs OpenSSH as POSIX systems have it"),
    pytest.mark.skipif(
        not sshd(), reason="no OpenSSH daemon is installed: apt install openssh-server"
    ),
    pytest.mark.skipif(not shutil.which("ssh"), reason="no ssh is installed"),
]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def listens(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@contextlib.contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that listens at a port, for as long as it is wanted."""
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, stdin=subprocess.DEVNULL)
    try:
        listens(port, process, log)
        yield process
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def login(tmp_path: Path) -> Iterator[list[str]]:
    """A daemon of our own that lets one new key in; the words of ``ssh`` that lead to it."""
    port = free_port()
    for name in ("host", "user"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(words, check=True)
    shutil.copy(tmp_path / "user.pub", tmp_path / "authorized_keys")
    (tmp_path / "authorized_keys").chmod(0o600)
    (tmp_path / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path / 'host'}\n"
        f"AuthorizedKeysFile {tmp_path / 'authorized_keys'}\nPidFile none\nStrictModes no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n"
        "AllowTcpForwarding local\n"
    )
    if os.getuid() == 0:  # where the daemon shuts its unprivileged half in
        Path("/run/sshd").mkdir(mode=0o755, parents=True, exist_ok=True)
    command = [sshd(), "-D", "-e", "-f", str(tmp_path / "sshd_config")]
    with running(command, port, tmp_path / "sshd.log"):
        yield [
            "ssh", "-F", "none", "-p", str(port), "-i", str(tmp_path / "user"),
            "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
            "-o", f"UserKnownHostsFile={tmp_path / 'known'}", "-o", "ExitOnForwardFailure=yes",
            f"{getpass.getuser()}@127.0.0.1",
        ]  # fmt: skip


def tunnel(login: list[str], here: int, there: int) -> list[str]:
    return [*login[:-1], "-N", "-L", f"127.0.0.1:{here}:127.0.0.1:{there}", login[-1]]


def test_a_job_through_ssh(
    login: list[str], server: Server, connect: Connect, tmp_path: Path
) -> None:
    here = free_port()
    where = dataclasses.replace(connection.read(server.string), port=here)
    string = connection.write(where)
    with running(tunnel(login, here, server.port), here, tmp_path / "ssh.log"):
        assert all(verdict.well for verdict in doctor.examine(string))
        client = connect(string)
        job = ended(client, client.generate(picture(), patient()), 240)  # it may have to compile
        through = downloaded(client, job.id, tmp_path / "through")
    direct = downloaded(connect(server.string), job.id, tmp_path / "direct")
    names = {path.name for path in direct.iterdir()}
    assert names == {path.name for path in through.iterdir()}
    for name in names:
        assert (through / name).read_bytes() == (direct / name).read_bytes()


def test_a_tunnel_that_breaks_costs_time_and_no_job(
    login: list[str], server: Server, connect: Connect, tmp_path: Path
) -> None:
    here = free_port()
    where = dataclasses.replace(connection.read(server.string), port=here)
    with running(tunnel(login, here, server.port), here, tmp_path / "one.log"):
        client = connect(connection.write(where))
        job = client.generate(picture(), patient(seconds=4))
        client.poll(500, wait=True)
    down = pump(client, lambda each: isinstance(each, ConnectionChanged) and each.state == "down")
    assert isinstance(down, ConnectionChanged) and down.problem is not None
    with running(tunnel(login, here, server.port), here, tmp_path / "two.log"):
        assert ended(client, job).state == "succeeded"
