"""Files on their way: resumed, proved, and never in anybody's way."""

import dataclasses
import hashlib
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq

from inference_server import connection
from inference_server.artifacts import Artifacts
from inference_server.client import Client
from inference_server.events import Downloaded, Event, JobChanged, Refused
from inference_server.keys import Keys
from inference_server.lanes import Lanes
from inference_server.link import Link
from inference_server.store import Store
from inference_server.transfers import SLICE, Upload, is_file_name
from tests.server.proxy import Proxy
from tests.server.serving import ROOT, Server, downloaded, eventually, pump

Connect = Callable[..., Client]
JOB = bytes(range(16))
MEGABYTE = 2**20


def plant(data: Path, size: int, seed: int = 0) -> bytes:
    """A finished job with one big file, as a server that is stopped would have left it."""
    content = random.Random(seed).randbytes(size)
    files = [{"name": "splats.ply", "size": size, "sha256": hashlib.sha256(content).digest()}]
    owner = next(iter(Keys(data / "keys").clients())).decode()
    store, artifacts = Store(data / "jobs.sqlite3"), Artifacts(data)
    store.add(owner, bytes(32), {"job": JOB, "kind": "generate"})
    store.claim()
    artifacts.result(JOB).mkdir(exist_ok=True)
    (artifacts.result(JOB) / "splats.ply").write_bytes(content)
    store.succeed(JOB, files)
    store.close()
    return content


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def polled(client: Client, end: type[Event]) -> list[float]:
    """CPU seconds of each ``poll`` until that event; what else the machine does is not counted."""
    times, done = [], False
    while not done:
        before = time.thread_time()
        events = client.poll(5, wait=True)
        times.append(time.thread_time() - before)
        done = any(isinstance(event, end) for event in events)
        assert not any(isinstance(event, Refused) for event in events), events
    return sorted(times)


@pytest.mark.parametrize("delay", [0.0, 0.05], ids=["near", "far"])
def test_a_transfer_does_not_hold_its_caller(
    delay: float, data: Path, start: Callable[..., Server], connect: Connect, tmp_path: Path
) -> None:
    content = plant(data, 24 * MEGABYTE)
    here = connection.read(start().string)
    with Proxy(here.port, delay=delay) as proxy:
        client = connect(connection.write(dataclasses.replace(here, port=proxy.port)))
        client.download(JOB.hex(), tmp_path / "out")
        down = polled(client, Downloaded)
        # Four sockets at once, more to hash than one step does, and a window full of requests.
        client.submit("generate", {}, {"image": content[: 6 * MEGABYTE]})
        up = polled(client, JobChanged)
    # The disk may take its own time for a few; the rest is ours, and 5 ms where nothing is slow.
    for times in (down, up):
        assert times[-3] < 0.015 and times[-1] < 0.1
        assert statistics.median(times) < 0.006
    assert (tmp_path / "out" / "splats.ply").read_bytes() == content
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["splats.ply"]


def test_a_step_ends_with_the_time_and_still_gets_on() -> None:
    """Where a slice takes longer than the caller has, each step is one slice, and all is hashed."""
    upload = Upload(bytes(MEGABYTE))
    lanes = Lanes(lambda: pytest.fail("nothing is to be sent yet"), lambda: 0.0)
    steps = 0
    while not upload.sha256:
        assert upload.step(lanes, lambda: True)
        steps += 1
    assert steps == MEGABYTE // SLICE
    assert upload.sha256 == hashlib.sha256(bytes(MEGABYTE)).digest()
    upload = Upload(bytes(MEGABYTE))
    assert upload.step(lanes, lambda: False) and upload.sha256  # with time, in one go


def test_a_download_goes_on_where_another_process_was_killed(
    data: Path, start: Callable[..., Server], connect: Connect, tmp_path: Path
) -> None:
    content = plant(data, 48 * MEGABYTE)
    server, out = start(), tmp_path / "out"
    code = (
        "import sys; from inference_server.client import Client\n"
        "client = Client(sys.argv[1]); client.download(sys.argv[2], sys.argv[3])\n"
        "while True: client.poll(5, wait=True)\n"
    )
    command = [sys.executable, "-c", code, server.string, JOB.hex(), str(out)]
    killed = subprocess.Popen(command, cwd=ROOT)
    part = out / "splats.ply.part"
    eventually(lambda: part.exists() and part.stat().st_size > 8 * MEGABYTE)
    killed.kill()
    killed.wait()
    there = part.stat().st_size
    assert there < len(content) and not (out / "splats.ply").exists()
    client = connect(server.string)
    asked = count_asked(client)
    downloaded(client, JOB.hex(), out)
    assert (out / "splats.ply").read_bytes() == content
    assert sum(asked) == len(content) - there


def count_asked(client: Client) -> list[int]:
    """Bytes that the client asks for from now on, in the order of its requests."""
    asked: list[int] = []
    lanes = client._lanes
    ask = lanes.ask

    def counted(kind: str, body: dict[str, int], *rest: object, size: int = 0) -> None:
        if kind == "fetch":
            asked.append(body["count"])
        ask(kind, body, *rest, size=size)  # type: ignore[arg-type]

    lanes.ask = counted  # type: ignore[method-assign,assignment]
    return asked


def test_a_part_that_rotted_is_found_and_fetched_again(
    data: Path, start: Callable[..., Server], connect: Connect, tmp_path: Path
) -> None:
    content = plant(data, 2 * MEGABYTE)
    client, out = connect(start().string), tmp_path / "out"
    downloaded(client, JOB.hex(), out)
    final = out / "splats.ply"
    final.write_bytes(content[:1000] + b"X" + content[1001:])
    downloaded(client, JOB.hex(), out)
    assert final.read_bytes() == content


def test_a_file_that_is_not_what_was_announced_never_gets_its_name(
    data: Path, start: Callable[..., Server], connect: Connect, tmp_path: Path
) -> None:
    plant(data, MEGABYTE)
    client, out = connect(start().string), tmp_path / "out"
    with (data / "results" / JOB.hex() / "splats.ply").open("r+b") as file:
        file.seek(1000)
        file.write(b"X")
    client.download(JOB.hex(), out)
    event = pump(client, lambda event: isinstance(event, Refused))
    assert isinstance(event, Refused) and event.problem.code == "bad_result"
    assert event.problem.hint
    assert not (out / "splats.ply").exists()


@pytest.mark.parametrize(("harm", "every"), [("flip", 3 * MEGABYTE), ("cut", 2 * MEGABYTE)])
def test_a_bad_network_costs_time_and_nothing_else(
    data: Path,
    start: Callable[..., Server],
    connect: Connect,
    tmp_path: Path,
    harm: str,
    every: int,
) -> None:
    content = plant(data, 12 * MEGABYTE)
    server = start()
    with Proxy(server.port, harm, every, times=3) as proxy:
        where = dataclasses.replace(connection.read(server.string), port=proxy.port)
        client = connect(where)
        downloaded(client, JOB.hex(), tmp_path / "out", 60)
        assert proxy.left == 0
        client.close()
    assert (tmp_path / "out" / "splats.ply").read_bytes() == content


@pytest.mark.slow
def test_a_network_that_falls_silent_is_left(
    data: Path, start: Callable[..., Server], connect: Connect, tmp_path: Path
) -> None:
    content = plant(data, 12 * MEGABYTE)
    server = start()
    with Proxy(server.port, "stall", 4 * MEGABYTE, times=1) as proxy:
        where = dataclasses.replace(connection.read(server.string), port=proxy.port)
        client = connect(where)
        downloaded(client, JOB.hex(), tmp_path / "out", 90)
        client.close()
    assert (tmp_path / "out" / "splats.ply").read_bytes() == content


def test_an_upload_goes_on_where_another_stopped(server: Server) -> None:
    content = random.Random(3).randbytes(24 * MEGABYTE)
    sha256 = hashlib.sha256(content).digest()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()

    def uploaded(stop_at: int) -> list[int]:
        where = connection.read(server.string)
        lanes, upload, offsets = (
            Lanes(lambda: Link(where, context), lambda: 0.0),
            Upload(content),
            [],
        )
        ask = lanes.ask

        def noted(kind: str, body: dict[str, int], *rest: object) -> None:
            if kind == "put":
                offsets.append(body["offset"])
            ask(kind, body, *rest)  # type: ignore[arg-type]

        lanes.ask = noted  # type: ignore[method-assign,assignment]
        until = time.monotonic() + 20
        while not upload.done and upload.sent < stop_at and time.monotonic() < until:
            upload.step(lanes, lambda: False)
            lanes.step(lambda: False)
        assert upload.problem is None
        lanes.close()
        return offsets

    first = uploaded(stop_at=MEGABYTE)
    second = uploaded(stop_at=len(content) + 1)
    assert first[0] == 0 and min(second) >= MEGABYTE
    assert uploaded(stop_at=len(content) + 1) == []  # it is there, and named by its hash
    assert hashlib.sha256(content).digest() == sha256


@pytest.mark.parametrize(
    "name",
    ["../keys.json", "..\\x", "a/b", "CON", "nul.txt", "x\0", "...", "mesh.glb ", "/etc/passwd",
     "C:x", "a:stream", "", ".hidden", "mesh.", "x" * 101, "com1.glb", "m\u00e9sh.glb"],
)  # fmt: skip
def test_names_that_are_not_fit_for_a_disk(name: str) -> None:
    assert not is_file_name(name)


@pytest.mark.parametrize("name", ["mesh.glb", "view_000.png", "cameras.json", "a", "x-1.tar.gz"])
def test_names_that_are_fit(name: str) -> None:
    assert is_file_name(name)


def test_an_upload_whose_last_piece_came_before_a_kill_is_whole(tmp_path: Path) -> None:
    content, owner = random.Random(6).randbytes(MEGABYTE), "somebody"
    sha256 = hashlib.sha256(content).digest()
    path = Artifacts(tmp_path).upload_path(owner, sha256)
    path.parent.mkdir()
    path.with_suffix(".part").write_bytes(content)
    other = path.with_name("0" * 64 + ".part")
    other.write_bytes(content)
    again = Artifacts(tmp_path)
    assert again.held(owner, sha256) == (len(content), False)
    again.clean(set(), set())
    assert again.held(owner, sha256) == (len(content), True)
    assert other.is_file()  # not what its name says, so not whole


def test_a_piece_that_overlaps_what_is_there_adds_the_rest(tmp_path: Path) -> None:
    content = random.Random(7).randbytes(1000)
    body = {"sha256": hashlib.sha256(content).digest(), "size": len(content)}
    artifacts = Artifacts(tmp_path)
    for offset, end, have in [(0, 400, 400), (300, 600, 600), (0, 500, 600), (700, 1000, 600)]:
        held = artifacts.put("somebody", {**body, "offset": offset}, content[offset:end])
        assert held == (have, False)
    assert artifacts.put("somebody", {**body, "offset": 100}, content[100:]) == (1000, True)
