"""A server that means no good: nothing that it says harms who connected to it."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq
from zmq.utils import z85

from inference_server import connection, protocol
from inference_server.client import Client
from inference_server.connection import Connection
from inference_server.events import Downloaded, JobChanged, Refused, Welcome
from inference_server.protocol import Message
from tests.server.serving import pump, ready
from tests.server.strangers import framed

JOB = bytes(range(16))
CONTENT = b"glTF" * 1000
Answer = Callable[[Message], list[list[bytes]]]


@contextmanager
def evil(answer: Answer) -> Iterator[str]:
    """A server with the right key that answers as ``answer`` says; its connection string."""
    public, secret = zmq.curve_keypair()
    _, theirs = zmq.curve_keypair()
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.setsockopt(zmq.CURVE_SERVER, 1)
    router.setsockopt(zmq.CURVE_SECRETKEY, secret)
    router.setsockopt(zmq.LINGER, 0)
    port = router.bind_to_random_port("tcp://127.0.0.1")
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            if router.poll(50):
                route, *frames = router.recv_multipart()
                for each in answer(protocol.decode(frames)):
                    router.send_multipart([route, *each])

    serving = threading.Thread(target=serve)
    serving.start()
    where = Connection("127.0.0.1", port, z85.decode(public), z85.decode(theirs))
    try:
        yield connection.write(where)
    finally:
        stop.set()
        serving.join()
        router.close()
        context.term()


WELCOME = {
    "protocol": 1, "minor": 1, "server": "0.1.0", "epoch": JOB, "features": [], "kinds": [],
    "limits": {"body": 65536, "blob": 2**20, "upload": 2**26, "list": 200},
}  # fmt: skip


def file_of(name: str = "mesh.glb", **changes: Any) -> dict[str, Any]:
    sha256 = hashlib.sha256(CONTENT).digest()
    return {"name": name, "size": len(CONTENT), "sha256": sha256, **changes}


def job_of(files: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "job": JOB, "kind": "generate", "name": "", "state": "succeeded", "attempt": 1,
        "created": 1.0, "seq": 1, "fraction": 1.0, "stage": "", "note": "", "ahead": 0,
        "cancelling": False, "files": files,
    }  # fmt: skip


def piece_of(request: Message, **changes: Any) -> list[bytes]:
    """What ``fetch`` asked for, with changes to its body; ``blob`` in place of the bytes."""
    asked = request.body
    blob = changes.pop("blob", CONTENT[asked["offset"] : asked["offset"] + asked["count"]])
    body = {name: asked[name] for name in ("job", "name", "offset")} | changes
    return [*framed("piece", body, request.request), blob]


def answering(files: list[dict[str, Any]], fetch: Answer) -> Answer:
    """As a good server would, but for what ``fetch`` answers."""

    def answer(request: Message) -> list[list[bytes]]:
        if request.kind == "hello":
            return [[*framed("welcome", WELCOME, request.request), msgpack.packb({})]]
        if request.kind == "get":
            return [framed("job", job_of(files), request.request)]
        return fetch(request) if request.kind == "fetch" else []

    return answer


def everything_under(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")}


def outcome(string: str, folder: Path, seconds: float = 20) -> Downloaded | Refused:
    client = Client(string)
    try:
        ready(client)
        client.download(JOB.hex(), folder / "out" / "job")
        event = pump(client, lambda each: isinstance(each, Downloaded | Refused), seconds)
        assert isinstance(event, Downloaded | Refused)
        return event
    finally:
        client.close()


def test_a_server_that_is_honest_is_believed(tmp_path: Path) -> None:
    with evil(answering([file_of()], lambda request: [piece_of(request)])) as string:
        assert isinstance(outcome(string, tmp_path), Downloaded)
    assert (tmp_path / "out" / "job" / "mesh.glb").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "files",
    [
        [file_of("../evil")], [file_of("/tmp/evil")], [file_of("a\\b")], [file_of("CON.glb")],
        [file_of(".bashrc")], [file_of("mesh.glb"), file_of("MESH.GLB")],
        [file_of(size=2**50)], [file_of(f"v{n}.png", size=2**26) for n in range(200)],
    ],
    ids=["up", "absolute", "backslash", "device", "hidden", "twice", "size", "sum"],
)  # fmt: skip
def test_a_list_of_files_that_makes_no_sense_is_refused(
    files: list[dict[str, Any]], tmp_path: Path
) -> None:
    with evil(answering(files, lambda request: [piece_of(request)])) as string:
        event = outcome(string, tmp_path)
    assert isinstance(event, Refused) and event.problem.code in ("bad_result", "disk_full")
    assert everything_under(tmp_path) <= {"out", "job"}


PIECES: dict[str, Answer] = {
    "other bytes": lambda request: [piece_of(request, blob=bytes(len(CONTENT)))],
    "too long": lambda request: [piece_of(request, blob=CONTENT + b"more")],
    "far too long": lambda request: [piece_of(request, blob=bytes(2**20))],
    "empty": lambda request: [piece_of(request, blob=b"")[:2]],
}


@pytest.mark.parametrize("kind", list(PIECES))
def test_wrong_pieces_never_become_a_file(kind: str, tmp_path: Path) -> None:
    with evil(answering([file_of()], PIECES[kind])) as string:
        event = outcome(string, tmp_path, 60)
    assert isinstance(event, Refused) and event.problem.message
    assert "mesh.glb" not in everything_under(tmp_path)
    for path in tmp_path.rglob("*.part"):  # never beyond the size that was announced
        assert path.stat().st_size <= len(CONTENT)


def test_noise_and_news_of_nobody_are_passed_over(tmp_path: Path) -> None:
    """Frames of no protocol, replies nobody waits for, events of jobs that nobody has."""

    def noisy(request: Message) -> list[list[bytes]]:
        stray = [
            [b"noise"], [b"", b"", b"", b""], [b"G3D1" + bytes(10), b"\xdd\xff\xff\xff\xff"],
            framed("pong", {}), framed("event", {**job_of([]), "job": bytes(16)}, protocol.PUSH),
            [*framed("event", job_of([]), protocol.PUSH), bytes(128 * 1024 + 1)],
            framed("ping", {}), framed("error", {"code": "x"}),
        ]  # fmt: skip
        good = answering([file_of()], lambda each: [piece_of(each)])(request)
        return [*stray, *good, *stray]

    with evil(noisy) as string:
        assert isinstance(outcome(string, tmp_path), Downloaded)


def bombs() -> list[bytes]:
    deep: Any = 1
    for _ in range(50):
        deep = [deep]
    return [
        b"\xdd\xff\xff\xff\xff", b"\x91" * 60_000, msgpack.packb({"settings": deep}),
        msgpack.packb({"settings": float("nan")}), msgpack.packb([1]), b"\xc1",
        msgpack.packb({"presets": {"x": b"bytes"}}),
    ]  # fmt: skip


@pytest.mark.parametrize("blob", bombs(), ids=range(7))
def test_a_welcome_that_is_a_bomb_is_no_welcome(blob: bytes, tmp_path: Path) -> None:
    def answer(request: Message) -> list[list[bytes]]:
        return [[*framed("welcome", WELCOME, request.request), blob]]

    with evil(answer) as string:
        client = Client(string)
        try:
            for _ in range(100):
                client.poll(50, wait=True)
                if client.problem is not None:
                    break
            assert client.state == "down" and client.welcome is None
            assert client.problem is not None and client.problem.code == "bad_message"
        finally:
            client.close()


def test_a_flood_of_events_costs_no_more_than_the_budget(tmp_path: Path) -> None:
    """Events without end: each poll comes back in time, and the job is told of once in a while."""
    import time

    flood = [framed("event", {**job_of([]), "state": "running"}, protocol.PUSH)] * 50

    def answer(request: Message) -> list[list[bytes]]:
        return [*answering([], lambda each: [])(request), *flood]

    with evil(answer) as string:
        client = Client(string)
        try:
            ready(client)
            client.watch(JOB.hex())
            longest, told = 0.0, 0
            for _ in range(200):
                began = time.thread_time()
                told += sum(isinstance(each, JobChanged) for each in client.poll(5))
                longest = max(longest, time.thread_time() - began)
            assert longest < 0.1 and told < 2000
        finally:
            client.close()


OTHER_JOB = {**job_of([]), "job": bytes(16)}
ANSWERS: dict[str, tuple[str, dict[str, Any]]] = {
    "pong": ("pong", {}),
    "deleted": ("deleted", {"job": JOB}),
    "held": ("held", {"sha256": bytes(32), "have": 1, "complete": True}),
    "piece": ("piece", {"job": JOB, "name": "x", "offset": 0}),
    "another job": ("job", OTHER_JOB),
}


@pytest.mark.parametrize("kind", list(ANSWERS))
def test_an_answer_to_another_request_is_a_refusal(kind: str) -> None:
    """Never an error of ours: a caller reads its fields without another look."""

    def answer(request: Message) -> list[list[bytes]]:
        if request.kind == "hello":
            return answering([], lambda each: [])(request)
        return [framed(*ANSWERS[kind], request.request)]

    with evil(answer) as string:
        client = Client(string)
        try:
            ready(client)
            asked = {"get": client.get, "cancel": client.cancel, "delete": client.delete}
            if kind == "deleted":
                del asked["delete"]
            for name, ask in asked.items():
                ask(JOB.hex())
                event = pump(client, lambda each: isinstance(each, Refused), 10)
                assert isinstance(event, Refused) and event.asked == name
                assert event.problem.code == "bad_message" and event.problem.hint
            client.generate(b"picture", {})
            event = pump(client, lambda each: isinstance(each, Refused), 10)
            assert isinstance(event, Refused) and event.problem.code == "bad_message"
        finally:
            client.close()


def test_words_are_one_line_that_steers_nothing() -> None:
    """Neither a panel nor a terminal is at the mercy of who wrote a message."""
    told = "a\x00b\x1b[31m\r\n\tc\u202ed\u2066e\u2028f\ufeffg"
    body = {"code": "internal", "message": told, "hint": "Größe 大小 👩‍🚀  e\u0301"}
    read = protocol.decode(framed("error", body)).body
    assert read["message"] == "a b [31m cde fg"
    assert read["hint"] == "Größe 大小 👩‍🚀 e\u0301"
    welcome = Message("welcome", b"", WELCOME, msgpack.packb({"settings": [{"help": told}]}))
    assert Welcome.read(welcome).catalogue["settings"] == [{"help": "a b [31m cde fg"}]
