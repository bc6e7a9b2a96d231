"""Hostile clients: what the table of ``docs/security.md`` says of them, played against a server."""

import contextlib
import dataclasses
import json
import socket
import struct
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from inference_server import connection, protocol
from inference_server.client import Client
from inference_server.events import JobList, Refused, Status
from inference_server.protocol import Message
from tests.server.serving import Server, ended, patient, picture, pump, ready, refusal
from tests.server.strangers import GARBAGE, dealer, framed

Start = Callable[..., Server]
Connect = Callable[[str], Client]
REQUEST = b"12345678"


def ask(peer: zmq.Socket[bytes], frames: list[bytes]) -> Message:
    peer.send_multipart(frames)
    return protocol.decode(peer.recv_multipart())


def jobs_of(client: Client) -> int:
    client.list_jobs(limit=200)
    page = pump(client, lambda event: isinstance(event, JobList))
    assert isinstance(page, JobList)
    return len(page.jobs)


@pytest.mark.parametrize("kind", list(GARBAGE))
def test_garbage_gets_no_word_of_the_protocol(kind: str, server: Server) -> None:
    """Each connection hears at most the greeting of ZMTP, and is cut once it is wrong."""
    with socket.create_connection(("127.0.0.1", server.port), 5) as line:
        line.settimeout(0.3)
        heard = b""
        with contextlib.suppress(OSError):
            line.sendall(GARBAGE[kind])
            while piece := line.recv(4096):
                heard += piece
        assert len(heard) <= 64 and protocol.MAGIC not in heard
    assert server.process.poll() is None


@pytest.mark.parametrize("mechanism", ["null", "plain"])
def test_a_socket_without_a_key_is_never_heard(
    mechanism: str, server: Server, connect: Connect
) -> None:
    context = zmq.Context()
    stranger = context.socket(zmq.DEALER)
    stranger.setsockopt(zmq.LINGER, 0)
    if mechanism == "plain":
        stranger.setsockopt(zmq.PLAIN_USERNAME, b"admin")
        stranger.setsockopt(zmq.PLAIN_PASSWORD, b"admin")
    stranger.connect(f"tcp://127.0.0.1:{server.port}")
    with contextlib.suppress(zmq.Again):
        stranger.send_multipart(framed("status", {}), zmq.NOBLOCK)
    assert not stranger.poll(800)
    stranger.close()
    context.term()
    connect(server.string)


def test_a_recorded_session_says_nothing_twice(start: Start, connect: Connect) -> None:
    """What a client sent, byte by byte, once more: no message comes out of it."""
    server = start()
    sent: list[bytes] = []
    own = connect(server.string)
    ended(own, own.cutout(picture(), {"matte": "alpha"}))
    with recorder(server.port, sent) as port, dealer_at(server.string, port) as peer:
        body = {"job": bytes(16), "kind": "fetch_weights", "stage": "matte", "backend": "x"}
        assert ask(peer, framed("submit", body)).kind == "error"
        body = {"lo": 1, "hi": 1, "client": "recorded", "instance": bytes(16)}
        assert ask(peer, framed("hello", body)).kind == "welcome"
    assert len(sent) > 0
    with socket.create_connection(("127.0.0.1", server.port), 5) as line:
        line.settimeout(1.0)
        heard = b""
        with contextlib.suppress(OSError):
            line.sendall(b"".join(sent))
            while piece := line.recv(4096):
                heard += piece
    assert len(heard) < 500  # greeting, its welcome to the handshake, and no reply to any request
    assert jobs_of(own) == 1


@contextlib.contextmanager
def recorder(target: int, sent: list[bytes]) -> Iterator[int]:
    """A port that passes one connection on to ``target`` and keeps what the client says."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pass_on(source: socket.socket, sink: socket.socket, keep: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                if keep:
                    sent.append(piece)
                sink.sendall(piece)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", target))
                for pair in ((near, far, True), (far, near, False)):
                    threading.Thread(target=pass_on, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.close()


@contextlib.contextmanager
def dealer_at(string: str, port: int) -> Iterator[zmq.Socket[bytes]]:
    where = dataclasses.replace(connection.read(string), port=port)
    with dealer(connection.write(where)) as peer:
        yield peer


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="sets another process's limits")
def test_idle_connections_up_to_the_limit_harm_nobody_inside(
    start: Start, connect: Connect
) -> None:
    """A server that may open 128 files, and 300 who connect and say nothing."""
    import resource

    server = start()
    inside = connect(server.string)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (128, 128))
    with contextlib.ExitStack() as idle:
        for _ in range(300):
            line = idle.enter_context(socket.socket())
            line.setblocking(False)
            line.connect_ex(("127.0.0.1", server.port))
        time.sleep(0.5)
        for _ in range(5):
            assert jobs_of(inside) == 0
            inside.status()  # needs to open a file, which cannot be had now
            told = pump(inside, lambda event: isinstance(event, Status | Refused), 5)
            assert isinstance(told, Status) or told.problem.code == "busy"
    ready(connect(server.string), 30)  # the server recovers by itself
    assert ended(inside, inside.generate(picture(), patient())).state == "succeeded"


NAMES = [
    "../../keys/server.json", "..\\x", "a/b", "CON", "mesh.glb\0", "...", "mesh.glb ",
    "/etc/passwd", "C:x", "mesh.glb:stream", ".", "%2e%2e/keys", "mesh.GLB",
]  # fmt: skip


def test_a_clients_words_never_become_a_path(server: Server, connect: Connect) -> None:
    client = connect(server.string)
    job = ended(client, client.generate(picture(), patient()))
    with dealer(server.string) as peer:
        for name in NAMES:
            body = {"job": bytes.fromhex(job.id), "name": name, "offset": 0, "count": 100}
            answer = ask(peer, framed("fetch", body))
            assert answer.kind == "error" and answer.body["code"] == "not_found", name
            assert answer.request == REQUEST
        for ours in (bytes(16), b"../../../../keys"):
            body = {"job": ours, "name": "server.json", "offset": 0, "count": 100}
            assert ask(peer, framed("fetch", body)).body["code"] == "not_found"
        body = {"job": bytes.fromhex(job.id), "name": "mesh.glb", "offset": 2**53, "count": 100}
        assert ask(peer, framed("fetch", body)).blob == b""


def test_a_message_of_many_frames_is_refused(server: Server) -> None:
    with dealer(server.string) as peer:
        answer = ask(peer, [*framed("ping", {}), *[b"x"] * 20_000])
        assert answer.kind == "error" and answer.body["code"] == "bad_message"
        assert ask(peer, framed("ping", {})).kind == "pong"


def test_an_upload_is_no_longer_than_announced(server: Server) -> None:
    with dealer(server.string) as peer:
        for size, piece in ((10, bytes(11)), (2**40, bytes(100))):
            body = {"sha256": bytes(32), "size": size, "offset": 0}
            answer = ask(peer, [*framed("put", body), piece])
            assert answer.kind == "error" and answer.body["code"] == "too_large"
        body = {"sha256": bytes(31) + b"a", "size": 3, "offset": 0}
        assert ask(peer, [*framed("put", body), b"abc"]).body["code"] == "bad_hash"


def flat_png(width: int, height: int) -> bytes:
    """A PNG of one bit a pixel that says nothing in very few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(
            ">I", zlib.crc32(kind + data)
        )  # fmt: skip

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packer, packed = zlib.compressobj(9), b""
    for _ in range(height):
        packed += packer.compress(bytes(1 + (width + 7) // 8))
    packed += packer.flush()
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


BOMBS = {
    "81 billion claimed": b"\x89PNG\r\n\x1a\n" + flat_png(8, 8)[8:16]
    + struct.pack(">II", 300_000, 270_000) + flat_png(8, 8)[24:],
    "400 million pixels in 50 kB": flat_png(20_000, 20_000),
    "a line of a million pixels": flat_png(1_048_576, 64),
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n" * 20,
    "cut short": picture()[:200],
    "a text": b"GIF89a is what I am not",
}  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kind", [pytest.param("generate", marks=pytest.mark.slow), "cutout"])
def test_picture_bombs_fail_as_jobs_and_the_worker_lives(
    kind: str, server: Server, connect: Connect
) -> None:
    client = connect(server.string)
    ended(client, client.cutout(picture(), patient()))
    worker = server.worker()
    before = peak(worker)
    ask_for = client.generate if kind == "generate" else client.cutout
    for name, data in BOMBS.items():
        job = ended(client, ask_for(data, patient()))
        assert job.problem is not None and job.problem.code == "bad_image", name
    assert server.worker() == worker
    assert peak(worker) - before < 150 * 2**20


def peak(process: int) -> int:
    """Linux: the most bytes that a process ever held."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no such line")


def test_one_key_cannot_keep_the_server_from_others(
    start: Start, connect: Connect, tmp_path: Path
) -> None:
    """Who floods is told to wait; everybody else is answered meanwhile."""
    from tests.server.test_invites import invited

    server = start()
    friend = connect(invited(server, tmp_path / "data", "friend"))
    with dealer(server.string) as flood:
        codes: list[str] = []
        for _ in range(1000):
            flood.send_multipart(framed("list", {"after": 0, "limit": 200}))
            while flood.poll(0):
                answer = protocol.decode(flood.recv_multipart())
                codes.append(answer.body.get("code", ""))
        began = time.monotonic()
        friend.status()
        assert isinstance(pump(friend, lambda event: isinstance(event, Status)), Status)
        assert time.monotonic() - began < 5
        while flood.poll(1000):
            answer = protocol.decode(flood.recv_multipart())
            codes.append(answer.body.get("code", ""))
            assert answer.body.get("retry_after", 1) > 0
    assert codes.count("busy") > 500


def test_refusals_carry_no_secret_and_no_path(start: Start, tmp_path: Path) -> None:
    server = start()
    keys = json.loads((tmp_path / "data" / "keys" / "server.json").read_text())
    with dealer(server.string) as peer:
        for kind in protocol.REQUESTS:
            answer = ask(peer, framed(kind, {"more": 1}))
            told = str(answer.body)
            assert keys["secret"] not in told and str(tmp_path) not in told


def test_a_result_that_cannot_be_written_names_no_folder(
    start: Start, connect: Connect, tmp_path: Path
) -> None:
    client = connect(start().string)
    (tmp_path / "data" / "results").rmdir()
    (tmp_path / "data" / "results").write_text("a file where the folder was")
    job = ended(client, client.generate(picture(), patient()), 120)
    assert job.state == "failed" and job.problem is not None
    assert job.problem.code == "output_failed"
    assert str(tmp_path) not in job.problem.message + job.problem.hint


def test_a_string_full_of_commands_is_only_a_string(server: Server, connect: Connect) -> None:
    client = connect(server.string)
    for evil in ("$(touch x)", "'; DROP TABLE jobs; --", "\x1b[2J", "{0.__class__}", "%s%n"):
        job = ended(client, client.cutout(picture(), {"matte": "alpha"}, name=evil))
        assert job.name == evil.replace("\x1b", "") and job.state == "succeeded"
    client.generate(picture(), {"matte": "'; DROP TABLE jobs; --"})
    assert refusal(client, "submit").problem.code == "unknown_backend"
    assert jobs_of(client) >= 5
