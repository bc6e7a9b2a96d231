"""kill -9 of client, server and worker in mid-transfer: it goes on, and what arrived stays."""

import hashlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from inference_server import connection
from inference_server.client import Client
from inference_server.lanes import MAX_WINDOW
from tests.server.proxy import Proxy
from tests.server.serving import ROOT, Server, downloaded, ended, eventually, ready
from tests.server.test_bad_networks import uploaded
from tests.server.test_transfers import JOB, MEGABYTE, count_asked, plant

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL"),
]

SIZE = 48 * MEGABYTE
SHARES = (0.25, 0.5, 0.75)
# Each killing costs what was under way, at most a window, and there are some headers.
MOST = SIZE + len(SHARES) * MAX_WINDOW + SIZE // 20
# A client that kills itself once a file that grows has a size.
DOOMED = """
import os, signal, sys
from pathlib import Path
from inference_server.client import Client
string, act, first, second, watched, size = sys.argv[1:]
client = Client(string)
if act == "down":
    client.download(first, second)
else:
    client.submit("generate", {}, {"image": Path(second).read_bytes()}, job=first)
while True:
    client.poll(1, wait=True)
    if Path(watched).exists() and Path(watched).stat().st_size >= float(size):
        os.kill(os.getpid(), signal.SIGKILL)
"""


def doomed(where: connection.Connection, *arguments: str | Path | float) -> None:
    text = connection.write(where)
    command = [sys.executable, "-c", DOOMED, text, *map(str, arguments)]
    died = subprocess.run(command, cwd=ROOT, timeout=120)
    assert died.returncode == -signal.SIGKILL


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def behind(server: Server, proxy: Proxy) -> connection.Connection:
    return replace(connection.read(server.string), port=proxy.port)


def test_a_client_killed_in_mid_download(start: Callable[..., Server], tmp_path: Path) -> None:
    content = plant(tmp_path / "data", SIZE)
    server, out = start(), tmp_path / "out"
    part = out / "splats.ply.part"
    with Proxy(server.port) as proxy:
        where = behind(server, proxy)
        for share in SHARES:
            doomed(where, "down", JOB.hex(), out, part, share * SIZE)
            assert share * SIZE <= size_of(part) < SIZE
        there, client = size_of(part), ready(Client(where))
        asked = count_asked(client)
        downloaded(client, JOB.hex(), out)
        client.close()
        assert sum(asked) == SIZE - there
        assert SIZE <= proxy.passed["down"] < MOST
    assert (out / "splats.ply").read_bytes() == content


def test_a_client_killed_in_mid_upload(start: Callable[..., Server], tmp_path: Path) -> None:
    content, job = random.Random(4).randbytes(SIZE), bytes(range(1, 17)).hex()
    server, picture = start(), tmp_path / "picture"
    picture.write_bytes(content)
    whole = uploaded(tmp_path / "data", content)
    part = whole.with_suffix(".part")
    with Proxy(server.port) as proxy:
        where = behind(server, proxy)
        for share in SHARES:
            doomed(where, "up", job, picture, part, share * SIZE)
            assert share * SIZE <= size_of(part) < SIZE
        client = ready(Client(where))
        client.submit("generate", {}, {"image": content}, job=job)
        assert ended(client, job).problem is not None  # it is no picture, but it arrived
        client.close()
        assert SIZE <= proxy.passed["up"] < MOST
    assert hashlib.sha256(whole.read_bytes()).digest() == hashlib.sha256(content).digest()


def test_a_server_killed_in_mid_download(start: Callable[..., Server], tmp_path: Path) -> None:
    content = plant(tmp_path / "data", SIZE)
    server, out = start(), tmp_path / "out"
    with Proxy(server.port) as proxy:
        client = ready(Client(behind(server, proxy)))
        client.download(JOB.hex(), out)

        def reached(share: float) -> bool:
            client.poll(1)
            return size_of(out / "splats.ply.part") >= share * SIZE

        for share in SHARES:
            eventually(partial(reached, share), 60)
            server.stop(signal.SIGKILL)
            server = start(server.port)
        eventually(lambda: client.poll(5) is not None and (out / "splats.ply").exists(), 60)
        client.close()
        assert SIZE <= proxy.passed["down"] < MOST
    assert (out / "splats.ply").read_bytes() == content


def test_a_server_killed_in_mid_upload(start: Callable[..., Server], tmp_path: Path) -> None:
    content = random.Random(5).randbytes(SIZE)
    server = start()
    whole = uploaded(tmp_path / "data", content)
    with Proxy(server.port) as proxy:
        client = ready(Client(behind(server, proxy)))
        job = client.submit("generate", {}, {"image": content})

        def reached(share: float) -> bool:
            client.poll(1)
            return size_of(whole.with_suffix(".part")) >= share * SIZE

        for share in SHARES:
            eventually(partial(reached, share), 60)
            server.stop(signal.SIGKILL)
            server = start(server.port)
        assert ended(client, job).problem is not None
        client.close()
        assert SIZE <= proxy.passed["up"] < MOST
    assert whole.read_bytes() == content


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_a_worker_killed_in_mid_download(start: Callable[..., Server], tmp_path: Path) -> None:
    content = plant(tmp_path / "data", SIZE)
    server, out = start(), tmp_path / "out"
    with Proxy(server.port) as proxy:
        client = ready(Client(behind(server, proxy)))
        client.download(JOB.hex(), out)

        def reached(share: float) -> bool:
            client.poll(1)
            return size_of(out / "splats.ply.part") >= share * SIZE

        eventually(partial(reached, 0.5), 60)
        os.kill(server.worker(), signal.SIGKILL)
        eventually(lambda: client.poll(5) is not None and (out / "splats.ply").exists(), 60)
        client.close()
        assert SIZE <= proxy.passed["down"] < SIZE + SIZE // 20  # it noticed nothing
    assert (out / "splats.ply").read_bytes() == content
