"""Every message that crosses the wire, and the only way in and out of bytes.

Owns the frames, the tables of messages and the limits. Must not know sockets, jobs
or what a setting means. Standard library and msgpack only; the same file travels in the add-on.

A message is two or three frames: a header of 14 bytes (``G3D1``, type, flags, request id), a body
(one msgpack map of at most 64 KiB) and at most one blob of at most 1 MiB. Anything else raises.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import msgpack

from .errors import WireError

PROTOCOL, MINOR = 1, 1
OLDEST = 1  # version that is still spoken: the one before ``PROTOCOL``, once there is one
MAGIC = b"G3D1"
HEADER = struct.Struct(">4sBB8s")
MAX_BODY = 64 * 1024
MAX_BLOB = 1024 * 1024
CHUNK = 256 * 1024
PUSH = bytes(8)  # the request id of what the server sends unasked

KINDS = ("generate", "cutout", "splats", "fetch_weights")
STATES = ("queued", "running", "succeeded", "failed", "cancelled")
FINAL = STATES[2:]


@dataclass(frozen=True, slots=True)
class Field:
    """What a value may be. ``low`` and ``high`` bound numbers, and lengths of all else.

    ``told`` marks words that people read: they become one line that a screen can show.
    """

    kind: type
    low: float = 0
    high: float = 0
    required: bool = True
    among: tuple[str, ...] = ()
    rows: Mapping[str, Field] | None = None  # a list of maps, or the map's own fields
    told: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of message: its number, its body and the longest blob that it may carry."""

    number: int
    body: Mapping[str, Field]
    blob: int = 0
    needs_blob: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One decoded message."""

    kind: str
    request: bytes
    body: dict[str, Any] = field(default_factory=dict)
    blob: bytes = b""


def _maybe(kind: type, low: float = 0, high: float = 0, **more: Any) -> Field:
    return Field(kind, low, high, required=False, **more)


_JOINERS = "\u200c\u200d"  # scripts of India and Persia, and emoji, are spelled with them
_BIG = 2**53
_TIME = _maybe(float, 0, 1e11)
JOB_ID = Field(bytes, 16, 16)
SHA256 = Field(bytes, 32, 32)
_SIZE = Field(int, 0, _BIG)
_NAME = Field(str, 1, 100)
_SENTENCE = Field(str, 0, 2000, told=True)
_PROBLEM: dict[str, Field] = {
    "code": Field(str, 1, 40, told=True),
    "message": _SENTENCE,
    "hint": _SENTENCE,
}
_FILE = {"name": _NAME, "size": _SIZE, "sha256": SHA256}
_SUMMARY: dict[str, Field] = {
    "job": JOB_ID,
    "kind": Field(str, among=KINDS),
    "name": Field(str, 0, 200, told=True),
    "state": Field(str, among=STATES),
    "attempt": Field(int, 0, 1000),
    "created": Field(float, 0, 1e11),
    "started": _TIME,
    "finished": _TIME,
    "problem": _maybe(dict, rows=_PROBLEM),
}
_NEWS: dict[str, Field] = {
    "seq": Field(int, 0, _BIG),
    "fraction": Field(float, 0, 1),
    "stage": Field(str, 0, 64, told=True),
    "note": Field(str, 0, 200, told=True),
    "ahead": Field(int, 0, 1_000_000),
    "cancelling": Field(bool),
}
_JOB = {**_SUMMARY, **_NEWS, "files": _maybe(list, 0, 256, rows=_FILE),
        "warning": _maybe(str, 0, 2000, told=True)}  # fmt: skip
_WORKER_STATES = ("none", "starting", "idle", "busy")
_WORKER = {"name": _NAME, "state": Field(str, among=_WORKER_STATES), "memory": _SIZE}
_LIMITS = {
    "body": Field(int, 1024, MAX_BODY),
    "blob": Field(int, 1024, MAX_BLOB),
    "upload": Field(int, 1024, 2**40),
    "list": Field(int, 1, 200),
}
_PREVIEW = 128 * 1024

MESSAGES: dict[str, Kind] = {
    # asked by the client
    "hello": Kind(1, {"lo": Field(int, 1, 255), "hi": Field(int, 1, 255),
                      "client": Field(str, 1, 100, told=True), "instance": Field(bytes, 16, 16)}),
    "ping": Kind(2, {}),
    "submit": Kind(3, {"job": JOB_ID, "kind": Field(str, among=KINDS),
                       "name": _maybe(str, 0, 200, told=True), "image": _maybe(bytes, 32, 32),
                       "mask": _maybe(bytes, 32, 32), "mesh": _maybe(bytes, 32, 32),
                       "box": _maybe(list, 4, 4), "settings": _maybe(dict),
                       "stage": _maybe(str, 1, 64), "backend": _maybe(str, 1, 64)}),
    "get": Kind(4, {"job": JOB_ID, "since": Field(int, 0, _BIG)}),
    "list": Kind(5, {"after": Field(int, 0, _BIG), "limit": Field(int, 1, 200)}),
    "cancel": Kind(6, {"job": JOB_ID}),
    "delete": Kind(7, {"job": JOB_ID}),
    "have": Kind(8, {"sha256": SHA256, "size": Field(int, 1, _BIG)}),
    "put": Kind(9, {"sha256": SHA256, "size": Field(int, 1, _BIG), "offset": _SIZE},
                blob=MAX_BLOB, needs_blob=True),
    "fetch": Kind(10, {"job": JOB_ID, "name": _NAME, "offset": _SIZE,
                       "count": Field(int, 1, MAX_BLOB)}),
    "status": Kind(11, {}),
    # answered by the server
    "welcome": Kind(65, {"protocol": Field(int, 1, 255), "minor": Field(int, 0, 255),
                         "server": Field(str, 1, 100, told=True), "epoch": Field(bytes, 16, 16),
                         "features": Field(list, 0, 64), "kinds": Field(list, 0, 64),
                         "limits": Field(dict, rows=_LIMITS)}, blob=MAX_BLOB, needs_blob=True),
    "pong": Kind(66, {}),
    "accepted": Kind(67, _JOB),
    "job": Kind(68, _JOB, blob=_PREVIEW),
    "jobs": Kind(69, {"jobs": Field(list, 0, 200, rows=_SUMMARY), "next": _SIZE}),
    "deleted": Kind(71, {"job": JOB_ID}),
    "held": Kind(72, {"sha256": SHA256, "have": _SIZE, "complete": Field(bool)}),
    "piece": Kind(74, {"job": JOB_ID, "name": _NAME, "offset": _SIZE}, blob=MAX_BLOB),
    "state": Kind(75, {"server": Field(str, 1, 100, told=True), "uptime": Field(float, 0, 1e11),
                       "queued": _SIZE, "running": _SIZE, "finished": _SIZE,
                       "worker": Field(str, among=_WORKER_STATES),
                       "workers": _maybe(list, 0, 1024, rows=_WORKER),
                       "trouble": _maybe(str, 0, 2000, told=True),
                       "disk_free": _SIZE, "waited": _maybe(float, 0, 1e11),
                       "memory": _maybe(int, 0, 2**53), "refused": _maybe(int, 0, 2**53)}),
    "error": Kind(127, {**_PROBLEM, "retry_after": _maybe(float, 0, 86400),
                        "lo": _maybe(int, 1, 255), "hi": _maybe(int, 1, 255)}),
    # pushed by the server, with request id 0
    "event": Kind(128, _JOB, blob=_PREVIEW),
}  # fmt: skip
ANSWERS = {
    "hello": "welcome", "ping": "pong", "submit": "accepted", "get": "job", "list": "jobs",
    "cancel": "job", "delete": "deleted", "have": "held", "put": "held", "fetch": "piece",
    "status": "state",
}  # fmt: skip
REQUESTS = tuple(name for name, kind in MESSAGES.items() if kind.number < 64)
_BY_NUMBER = {kind.number: name for name, kind in MESSAGES.items()}
_LIMIT = {
    "raw": False, "strict_map_key": True, "max_ext_len": 0, "max_str_len": 8192,
    "max_bin_len": 8192, "max_array_len": 4096, "max_map_len": 1024,
}  # fmt: skip


def common(low: int, high: int) -> int:
    """The newest version that is spoken here and by who speaks ``low`` to ``high``; 0 is none."""
    newest = min(high, PROTOCOL)
    return newest if newest >= max(low, OLDEST) else 0


def encode(message: Message) -> list[bytes]:
    """The frames of a message; equal messages give equal bytes.

    Raises:
        WireError: the message breaks its own table, or is too large.
    """
    kind = MESSAGES[message.kind]
    body = _checked(message.body, kind.body, message.kind)
    packed = pack(body)
    if len(packed) > MAX_BODY:
        _refuse(f"{message.kind} is larger than {MAX_BODY} bytes")
    _check_blob(kind, message.kind, len(message.blob))
    frames = [HEADER.pack(MAGIC, kind.number, 0, message.request), packed]
    return [*frames, message.blob] if message.blob or kind.needs_blob else frames


def decode(frames: Sequence[bytes]) -> Message:
    """The message in ``frames``.

    Raises:
        WireError: anything that the tables do not allow; ``request`` says whose it was.
    """
    if not 2 <= len(frames) <= 3:
        _refuse(f"a message has 2 or 3 frames, not {len(frames)}")
    if len(frames[0]) != HEADER.size or frames[0][:4] != MAGIC:
        _refuse("the header is not one of this protocol")
    _, number, flags, request = HEADER.unpack(frames[0])
    try:
        return _decode_rest(number, flags, request, frames)
    except WireError as error:
        error.request = request
        raise


def _decode_rest(number: int, flags: int, request: bytes, frames: Sequence[bytes]) -> Message:
    if number not in _BY_NUMBER:
        raise WireError("not_supported", f"message type {number} is unknown", "update the server")
    if flags:
        _refuse(f"flags {flags} are unknown")
    name = _BY_NUMBER[number]
    blob = frames[2] if len(frames) == 3 else b""
    _check_blob(MESSAGES[name], name, len(blob) if len(frames) == 3 else 0)
    body = _checked(unpack(frames[1], MAX_BODY), MESSAGES[name].body, name)
    return Message(name, request, body, blob)


def pack(value: Mapping[str, Any]) -> bytes:
    """A map as msgpack bytes, in the order that it has."""
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed


def unpack(data: bytes, limit: int) -> dict[str, Any]:
    """The one map in ``data``, which a stranger wrote.

    Raises:
        WireError: it is no map, too large, too deep, or has bytes left over.
    """
    if len(data) > limit:
        _refuse(f"a map has more than {limit} bytes")
    try:
        value = msgpack.unpackb(data, **_LIMIT)
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        _refuse(f"the body is not msgpack as it should be: {type(error).__name__}")
    if type(value) is not dict:
        _refuse("the body is not a map")
    return value


def _check_blob(kind: Kind, name: str, size: int) -> None:
    if size > kind.blob:
        _refuse(f"{name} carries {size} bytes of blob, {kind.blob} are allowed")
    if kind.needs_blob and size == 0:
        _refuse(f"{name} lacks its blob")


def _checked(body: Mapping[str, Any], table: Mapping[str, Field], where: str) -> dict[str, Any]:
    """``body`` in the table's order, every value checked."""
    if not all(type(name) is str for name in body):
        _refuse(f"{where} has a key that is no string")
    out: dict[str, Any] = {}
    for name, about in table.items():
        if name in body:
            out[name] = _value(body[name], about, f"{where}.{name}")
        elif about.required:
            _refuse(f"{where} lacks {name}")
    for name in sorted(body.keys() - table.keys()):
        if not name.startswith("x_"):
            _refuse(f"{where} has an unknown field {name[:40]!r}")
        out[name] = body[name]
    return out


def _value(value: Any, about: Field, where: str) -> Any:
    if about.kind is float and type(value) is int and abs(value) <= _BIG:
        value = float(value)  # other languages write 1.0 as 1
    kind: type = type(value)
    if kind is not about.kind:
        _refuse(f"{where} is not of type {about.kind.__name__}")
    if about.among:
        return value if value in about.among else _refuse(f"{where} is none of {about.among}")
    if about.kind is dict:
        return _checked(value, about.rows, where) if about.rows else plain(value, where)
    if about.told:
        value = one_line(value)
    if about.kind is not bool:
        size = value if about.kind in (int, float) else len(value)
        if not about.low <= size <= about.high:
            _refuse(f"{where} is out of range {about.low} to {about.high}")
    if about.kind is list:
        return _items(value, about, where)
    return value


def _items(values: list[Any], about: Field, where: str) -> list[Any]:
    if about.rows is None:
        return list(plain({"items": values}, where)["items"])
    if not all(type(item) is dict for item in values):
        _refuse(f"{where} holds something that is not a map")
    return [_checked(item, about.rows, where) for item in values]


def one_line(text: str) -> str:
    """``text`` without what breaks a line, steers a terminal or turns the way of reading.

    Whatever of it is white becomes one blank; other languages and joined pictures stay.
    """
    if text.isprintable():
        return text
    return " ".join("".join(map(_drawn, text)).split())


def _drawn(character: str) -> str:
    kind = unicodedata.category(character)
    if kind in ("Cc", "Zl", "Zp"):
        return " "
    return "" if kind == "Cf" and character not in _JOINERS else character


def plain(value: Any, where: str, depth: int = 5) -> Any:
    """``value`` if it is made of maps, lists, strings, finite numbers, booleans and None only.

    Raises:
        WireError: it is not, or is nested deeper than ``depth``.
    """
    if depth < 0:
        _refuse(f"{where} is nested too deep")
    if type(value) is dict:
        if not all(type(key) is str for key in value):
            _refuse(f"{where} has a key that is no string")
        return {key: plain(item, where, depth - 1) for key, item in value.items()}
    if type(value) is list:
        return [plain(item, where, depth - 1) for item in value]
    if type(value) is float and not abs(value) < float("inf"):
        _refuse(f"{where} holds a number that is not finite")
    if value is not None and type(value) not in (str, int, float, bool):
        _refuse(f"{where} holds a {type(value).__name__}")
    return value


def _refuse(why: str) -> NoReturn:
    raise WireError("bad_message", why, "client and server may be of different versions")
