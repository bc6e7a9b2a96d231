"""What the server believes of a process that computes: known maps of bounded size, no more."""

from typing import Any

import msgpack
import pytest

from inference_server.executors import reports

JOB = bytes(16)
FILE = {"name": "mesh.glb", "size": 12, "sha256": bytes(32)}
GOOD: list[dict[str, Any]] = [
    {"type": "ready"},
    {"type": "progress", "job": JOB, "fraction": 0.5, "stage": "x", "note": "", "preview": b""},
    {"type": "done", "job": JOB, "files": [FILE], "warning": ""},
    {"type": "failed", "job": JOB, "code": "internal", "message": "m", "hint": ""},
    {"type": "cancelled", "job": JOB},
    {"type": "broken", "job": JOB, "how": "lost its GPU"},
]


@pytest.mark.parametrize("message", GOOD)
def test_what_workers_say_is_taken_as_it_is(message: dict[str, Any]) -> None:
    assert reports.read(msgpack.packb(message)) == message
    assert reports.read(msgpack.packb({**message, "more": 1})) == message


@pytest.mark.parametrize("message", GOOD)
def test_no_field_may_lack_or_be_of_another_type(message: dict[str, Any]) -> None:
    for name in message:
        lacking = {key: value for key, value in message.items() if key != name}
        for wrong in (lacking, {**message, name: None}, {**message, name: {"a": []}}):
            with pytest.raises(reports.BadReportError):
                reports.read(msgpack.packb(wrong))


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../jobs.sqlite3"},
        {"name": "a/b"},
        {"name": "con"},
        {"name": ""},
        {"name": "x" * 200},
        {"size": -1},
        {"size": 2**60},
        {"size": True},
        {"sha256": bytes(31)},
        {"path": "/etc/passwd"},
    ],
)
def test_files_have_flat_names_and_true_sizes(change: dict[str, Any]) -> None:
    message = {"type": "done", "job": JOB, "files": [FILE, {**FILE, **change}], "warning": ""}
    with pytest.raises(reports.BadReportError):
        reports.read(msgpack.packb(message))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        msgpack.packb([1, 2]),
        msgpack.packb({"type": ["ready"]}),
        msgpack.packb({"type": "exec"}),
        msgpack.packb({1: 2}),
        b"\x91" * 100_000,
        b"\xdf\xff\xff\xff\xff",
        b"\xc7\x04\x01abcd",
        msgpack.packb({**GOOD[1], "fraction": float("nan")}),
        msgpack.packb({**GOOD[1], "preview": bytes(2**18)}),
        msgpack.packb({**GOOD[3], "message": "x" * 10_000}),
        msgpack.packb({**GOOD[2], "files": [FILE] * 300}),
    ],
)
def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(reports.BadReportError):
        reports.read(data)
