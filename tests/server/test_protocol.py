"""The bytes on the wire: golden ones for every message, and nothing but refusals for all others."""

import json
import math
import random
from pathlib import Path
from typing import Any

import msgpack
import pytest

from glimpse3d import errors as core
from inference_server import errors, protocol
from inference_server.errors import WireError
from inference_server.events import Welcome
from inference_server.protocol import HEADER, MAGIC, MESSAGES, Message, decode, encode

GOLDEN = Path(__file__).with_name("golden.json")
JOB, SHA = bytes(range(16)), bytes(range(32))
SUMMARY: dict[str, Any] = {
    "job": JOB, "kind": "generate", "name": "cup.png", "state": "failed", "attempt": 3,
    "created": 1700000000.5, "started": 1700000001.0, "finished": 1700000002.0,
    "problem": {"code": "worker_lost", "message": "it died", "hint": "take less"},
}  # fmt: skip
NEWS = {"seq": 7, "fraction": 0.25, "stage": "matte", "note": "", "ahead": 0, "cancelling": False}
FILES = {"files": [{"name": "mesh.glb", "size": 123, "sha256": SHA}]}
LIMITS = {"body": 65536, "blob": 1048576, "upload": 67108864, "list": 200}
EXAMPLES: dict[str, tuple[dict[str, Any], bytes]] = {
    "hello": ({"lo": 1, "hi": 1, "client": "blender 4.5", "instance": JOB}, b""),
    "ping": ({}, b""),
    "submit": (
        {"job": JOB, "kind": "generate", "name": "cup.png", "image": SHA, "mask": SHA,
         "box": [1.0, 2.0, 30.5, 40.0], "settings": {"preset": "draft", "size": 0.5}}, b""),
    "get": ({"job": JOB, "since": 6}, b""),
    "list": ({"after": 0, "limit": 50}, b""),
    "cancel": ({"job": JOB}, b""),
    "delete": ({"job": JOB}, b""),
    "have": ({"sha256": SHA, "size": 5}, b""),
    "put": ({"sha256": SHA, "size": 5, "offset": 0}, b"hello"),
    "fetch": ({"job": JOB, "name": "mesh.glb", "offset": 0, "count": 262144}, b""),
    "status": ({}, b""),
    "welcome": (
        {"protocol": 1, "minor": 0, "server": "0.1.0", "epoch": JOB, "features": [],
         "kinds": ["generate"], "limits": LIMITS}, msgpack.packb({"settings": []})),
    "pong": ({}, b""),
    "accepted": ({**SUMMARY, **NEWS}, b""),
    "job": ({**SUMMARY, **NEWS, **FILES}, b"\x89PNG"),
    "jobs": ({"jobs": [SUMMARY], "next": 41}, b""),
    "deleted": ({"job": JOB}, b""),
    "held": ({"sha256": SHA, "have": 5, "complete": True}, b""),
    "piece": ({"job": JOB, "name": "mesh.glb", "offset": 0}, b"glTF"),
    "state": ({"server": "0.1.0", "uptime": 1.5, "queued": 1, "running": 0, "finished": 2,
               "worker": "idle", "disk_free": 10**12}, b""),
    "error": ({"code": "version", "message": "too old", "hint": "update", "retry_after": 1.5,
               "lo": 1, "hi": 1}, b""),
    "event": ({**SUMMARY, **NEWS}, b""),
}  # fmt: skip


# What came with a later minor version, in messages of the first.
WEIGHTS = {
    "stage": "reconstructor", "backend": "triposr", "model": "triposr", "title": "TripoSR",
    "licence": "MIT", "source": "https://example.org/TripoSR", "bytes": 1_677_247_729,
    "left": 1_677_247_729, "lacks": "",
}  # fmt: skip
LATER: dict[str, tuple[str, dict[str, Any], bytes]] = {
    "submit, cutout": ("submit", {"job": JOB, "kind": "cutout", "name": "cup.png", "image": SHA,
                                  "box": [1.0, 2.0, 30.5, 40.0],
                                  "settings": {"matte": "grabcut"}}, b""),
    "submit, splats": ("submit", {"job": JOB, "kind": "splats", "name": "cup.glb", "mesh": SHA,
                                  "settings": {"gaussians": 50_000, "seed": 3}}, b""),
    "submit, 1.1": ("submit", {"job": JOB, "kind": "fetch_weights", "name": "weights of triposr",
                               "stage": "reconstructor", "backend": "triposr"}, b""),
    "welcome, 1.1": (
        "welcome", {**EXAMPLES["welcome"][0], "minor": 1, "features": ["weights"],
                    "kinds": ["generate", "fetch_weights"]},
        msgpack.packb({"settings": [], "weights": [WEIGHTS]})),
}  # fmt: skip


def example(kind: str) -> Message:
    request = protocol.PUSH if kind == "event" else bytes(range(8, 16))
    return Message(kind, request, *EXAMPLES[kind])


@pytest.mark.parametrize("kind", MESSAGES)
def test_every_message_has_its_golden_bytes(kind: str) -> None:
    frames = encode(example(kind))
    assert [frame.hex() for frame in frames] == json.loads(GOLDEN.read_text())[kind]
    assert decode(frames) == example(kind)


@pytest.mark.parametrize("name", list(LATER))
def test_what_came_later_changes_no_frame(name: str) -> None:
    kind, body, blob = LATER[name]
    message = Message(kind, bytes(range(8, 16)), body, blob)
    frames = encode(message)
    assert [frame.hex() for frame in frames] == json.loads(GOLDEN.read_text())[name]
    assert decode(frames) == message
    if kind == "welcome":
        assert Welcome.read(message).catalogue["weights"] == [WEIGHTS]


def test_codes_mirror_the_core_and_are_told_apart() -> None:
    assert errors.CORE_CODES.keys() == core.CODES.keys()
    tables = (errors.CORE_CODES, errors.WIRE_CODES, errors.CLIENT_CODES)
    assert len(errors.CODES) == sum(map(len, tables))
    assert {kind.number for kind in MESSAGES.values()} <= set(range(1, 256))


def refused(frames: list[bytes]) -> WireError:
    with pytest.raises(WireError) as caught:
        decode(frames)
    return caught.value


def framed(kind: str, body: Any, request: bytes = b"12345678") -> list[bytes]:
    return [HEADER.pack(MAGIC, MESSAGES[kind].number, 0, request), msgpack.packb(body)]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("get", {"job": JOB}),
        ("get", {"job": JOB, "since": True}),
        ("get", {"job": JOB, "since": -1}),
        ("get", {"job": JOB, "since": 2**60}),
        ("get", {"job": JOB, "since": 0.0}),
        ("get", {"job": JOB[:-1], "since": 0}),
        ("get", {"job": JOB.decode("latin1"), "since": 0}),
        ("get", {"job": JOB, "since": 0, "more": 1}),
        ("get", {"job": JOB, "since": 0, b"x_more": 1}),
        ("get", {1: 2}),
        ("get", [1]),
        ("submit", {"job": JOB, "kind": "format_disk"}),
        ("submit", {"job": JOB, "kind": "generate", "box": [1, 2, 3]}),
        ("submit", {"job": JOB, "kind": "generate", "box": [1, 2, 3, math.nan]}),
        ("submit", {"job": JOB, "kind": "generate", "settings": {"a": {"b": b"bytes"}}}),
        ("submit", {"job": JOB, "kind": "generate", "settings": {"a": math.inf}}),
        ("submit", {"job": JOB, "kind": "generate", "settings": {"a": [[[[[[[1]]]]]]]}}),
        ("submit", {"job": JOB, "kind": "generate", "name": "x" * 201}),
        ("error", {"code": "internal", "message": "", "hint": "", "retry_after": math.nan}),
        ("jobs", {"jobs": [1], "next": 0}),
        ("jobs", {"jobs": [{**SUMMARY, "state": "lost"}], "next": 0}),
        ("put", {"sha256": SHA, "size": 5, "offset": 0}),
    ],
)
def test_a_body_that_breaks_its_table_is_refused(kind: str, body: Any) -> None:
    error = refused(framed(kind, body))
    assert error.code == "bad_message"
    assert error.request == b"12345678"  # so that the one who asked hears of it


def test_frames_of_another_kind_are_refused() -> None:
    good = encode(example("ping"))
    for frames in ([], good[:1], [*good, b"", b""], [b"G3D2" + good[0][4:], good[1]],
                   [good[0] + b"x", good[1]], [good[0], b""], [good[0], good[1] + b"\xc0"],
                   [*good, b"blob"], [good[0], bytes(65537)]):  # fmt: skip
        assert refused(frames).code == "bad_message"
    unknown = HEADER.pack(MAGIC, 42, 0, b"12345678")
    assert refused([unknown, good[1]]).code == "not_supported"
    flagged = HEADER.pack(MAGIC, MESSAGES["ping"].number, 1, b"12345678")
    assert refused([flagged, good[1]]).code == "bad_message"


def test_fields_for_experiments_pass_and_whole_numbers_are_numbers() -> None:
    message = decode(framed("get", {"job": JOB, "since": 0, "x_trace": "abc"}))
    assert message.body["x_trace"] == "abc"
    body = {**SUMMARY, **NEWS, "fraction": 1, "created": 17}
    read = decode(framed("accepted", body)).body
    assert type(read["fraction"]) is float and type(read["created"]) is float


def test_a_message_that_is_too_large_never_leaves() -> None:
    settings = {"text": ["x" * 8000] * 9}
    with pytest.raises(WireError, match="larger"):
        encode(Message("submit", bytes(8), {"job": JOB, "kind": "generate", "settings": settings}))
    with pytest.raises(WireError, match="blob"):
        encode(Message("piece", bytes(8), EXAMPLES["piece"][0], bytes(protocol.MAX_BLOB + 1)))


BOMBS = [
    b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\x91" * 60_000,
    b"\x81\xa1a" * 20_000, b"\xc9\x00\x00\x00\x01\x05x", b"\xd6\xff\x00\x00\x00\x00",
    b"\x81\xa1\xff\x01", b"\xc1", b"\x81", b"\xd9\xff" + b"a" * 100,
]  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_msgpack_bombs_are_refused(bomb: bytes) -> None:
    assert refused([encode(example("ping"))[0], bomb]).code == "bad_message"


def test_mutated_frames_are_read_or_refused_and_nothing_else() -> None:
    rng = random.Random(7)
    originals = [encode(example(kind)) for kind in MESSAGES]
    read = 0
    for _ in range(20_000):
        frames = [bytearray(frame) for frame in rng.choice(originals)]
        for _ in range(rng.randint(1, 4)):
            mutate(rng, rng.choice(frames))
        try:
            message = decode([bytes(frame) for frame in frames])
        except WireError:
            continue
        read += 1
        assert decode(encode(message)) == message or "x_" in str(message.body)
    assert 0 < read < 10_000


def mutate(rng: random.Random, frame: bytearray) -> None:
    kind = rng.randrange(4)
    place = rng.randrange(len(frame) + 1)
    if kind == 0 and place < len(frame):
        frame[place] = rng.randrange(256)
    elif kind == 1:
        frame.insert(place, rng.randrange(256))
    elif kind == 2:
        del frame[place : place + rng.randint(1, 5)]
    else:
        frame[place:place] = rng.randbytes(rng.randint(1, 9))
