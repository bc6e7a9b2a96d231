"""Numbers for Prometheus: on loopback alone, and true."""

from __future__ import annotations

import dataclasses
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest

from inference_server import connection
from inference_server.client import Client
from tests.server.serving import QUICK, Server, ended, eventually, picture

Start = Callable[..., Server]
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy is set
LINE = re.compile(r'(?:# (?:HELP|TYPE) .+|[a-z0-9_]+(?:\{state="[a-z]+"\})? [0-9.e+-]+)')


def numbers(port: int) -> dict[str, float]:
    with DIRECT.open(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        lines = answer.read().decode().splitlines()
    assert all(LINE.fullmatch(line) for line in lines)
    pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def test_they_are_what_the_server_does(
    start: Start, connect: Callable[..., Client], port: int
) -> None:
    server = start(0, "--metrics", str(port))
    client = connect(server.string)
    slow = client.generate(picture(), {**QUICK, "options": {"patient": {"seconds": 30.0}}})
    waits = client.generate(picture(1), QUICK)

    def both() -> bool:
        client.poll(10)
        found = numbers(port)
        kinds = [found[f'glimpse3d_jobs{{state="{name}"}}'] for name in ("running", "queued")]
        return kinds == [1.0, 1.0] and found["glimpse3d_queue_wait_seconds"] > 1

    eventually(both, 60)
    assert numbers(port)['glimpse3d_worker{state="busy"}'] == 1
    client.cancel(slow)
    assert ended(client, waits).state == "succeeded"
    eventually(lambda: numbers(port)['glimpse3d_jobs{state="finished"}'] == 2)
    found = numbers(port)
    assert found["glimpse3d_queue_wait_seconds"] == 0
    assert found["glimpse3d_memory_bytes"] > 10e6 and found["glimpse3d_disk_free_bytes"] > 0
    with pytest.raises(urllib.error.HTTPError) as missing:
        DIRECT.open(f"http://127.0.0.1:{port}/", timeout=10)
    with missing.value as answer:
        assert answer.code == 404


def test_a_refused_key_is_counted(start: Start, port: int) -> None:
    server = start(0, "--metrics", str(port))
    assert numbers(port)["glimpse3d_refused_total"] == 0
    stranger = dataclasses.replace(connection.read(server.string), client_secret=bytes(range(32)))
    client = Client(connection.write(stranger), name="stranger")
    eventually(lambda: (client.poll(20, wait=True), client.problem)[1])
    client.close()
    eventually(lambda: numbers(port)["glimpse3d_refused_total"] >= 1)


def test_a_silent_reader_holds_up_nobody(
    start: Start, connect: Callable[..., Client], port: int
) -> None:
    server = start(0, "--metrics", str(port))
    with socket.create_connection(("127.0.0.1", port)):
        assert numbers(port)["glimpse3d_uptime_seconds"] >= 0
        assert connect(server.string).state == "ready"
