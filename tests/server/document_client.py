"""A small client, written from docs/protocol.md alone; ZeroMQ and msgpack are all that it uses.

It is not the project's client and shares nothing with it: what somebody needs who writes one in
another language must stand in that document, or this here does not work.
"""

import base64
import hashlib
import os
import time
from pathlib import Path
from typing import Any

import msgpack
import zmq

HELLO, SUBMIT, GET, HAVE, PUT, FETCH = 1, 3, 4, 8, 9, 10
REPLY_TO = {HELLO: 65, SUBMIT: 67, GET: 68, HAVE: 72, PUT: 72, FETCH: 74}
ERROR = 127
PIECE = 256 * 1024


class RefusalError(Exception):
    """The server's ``error``: code, message, hint."""


class DocumentClient:
    """One question at a time."""

    def __init__(self, string: str) -> None:
        whole, _, check = string.rpartition(".")
        digest = hashlib.sha256(whole.encode()).digest()
        if base64.urlsafe_b64encode(digest)[:6].decode() != check:
            raise ValueError("the connection string is damaged")
        place, _, keys = whole.removeprefix("glimpse3d://").partition("/#")
        version, server, client = keys.split(".")
        if version != "1":
            raise ValueError("the connection string is of another version")
        self._address = f"tcp://{place}"
        self._server, self._client = (
            base64.urlsafe_b64decode(key + "=") for key in (server, client)
        )
        self._context = zmq.Context()
        self._socket = self._connect()

    def _connect(self) -> "zmq.Socket[bytes]":
        socket: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        socket.linger = 0
        socket.curve_serverkey = self._server
        socket.curve_secretkey = self._client
        socket.curve_publickey = zmq.utils.z85.decode(
            zmq.curve_public(zmq.utils.z85.encode(self._client))
        )
        socket.connect(self._address)
        return socket

    def close(self) -> None:
        self._socket.close()
        self._context.term()

    def ask(
        self, kind: int, body: dict[str, Any], blob: bytes = b""
    ) -> tuple[dict[str, Any], bytes]:
        """The reply's body and blob; asked again, as the document says, where none comes."""
        for _ in range(9):
            if self._silent():
                self._socket.close()
                self._socket = self._connect()
            identity = os.urandom(8)
            header = b"G3D1" + bytes([kind, 0]) + identity
            frames = [header, msgpack.packb(body)] + ([blob] if blob else [])
            self._socket.send_multipart(frames)
            answer = self._answer(identity)
            if answer is not None:
                return self._read(kind, answer)
        raise TimeoutError("the server does not answer")

    _asked_since = 0.0

    def _silent(self) -> bool:
        now = time.monotonic()
        if not self._asked_since:
            self._asked_since = now
        if now - self._asked_since < 15:
            return False
        self._asked_since = now
        return True

    def _answer(self, identity: bytes) -> list[bytes] | None:
        until = time.monotonic() + 5
        while (left := until - time.monotonic()) > 0:
            if not self._socket.poll(int(left * 1000) + 1):
                return None
            frames = self._socket.recv_multipart()
            if frames[0][6:14] == identity:  # all else are events, or answers to older questions
                self._asked_since = 0.0
                return frames
        return None

    def _read(self, kind: int, frames: list[bytes]) -> tuple[dict[str, Any], bytes]:
        body = msgpack.unpackb(frames[1])
        if frames[0][4] == ERROR:
            raise RefusalError(body["code"], body["message"], body["hint"])
        assert frames[0][4] == REPLY_TO[kind]
        return body, frames[2] if len(frames) == 3 else b""

    def hello(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the server is, and its catalogue."""
        body, blob = self.ask(
            HELLO, {"lo": 1, "hi": 1, "client": "document", "instance": os.urandom(16)}
        )
        return body, msgpack.unpackb(blob)

    def upload(self, content: bytes) -> bytes:
        """Bring a file up, from where an earlier attempt stopped; its hash."""
        name = {"sha256": hashlib.sha256(content).digest(), "size": len(content)}
        held, _ = self.ask(HAVE, name)
        while not held["complete"]:
            offset = held["have"]
            held, _ = self.ask(PUT, {**name, "offset": offset}, content[offset : offset + PIECE])
        return name["sha256"]

    def wait(self, job: bytes) -> dict[str, Any]:
        """The job in its final state."""
        seq = 0
        while True:
            found, _ = self.ask(GET, {"job": job, "since": seq})
            if found["state"] in ("succeeded", "failed", "cancelled"):
                return found
            seq = found["seq"]
            time.sleep(0.1)

    def fetch(self, job: bytes, about: dict[str, Any], folder: Path, most: int = 2**60) -> bool:
        """Bring a file down, from where an earlier attempt stopped; at most so many pieces."""
        part = folder / (about["name"] + ".part")
        part.touch()
        while (offset := part.stat().st_size) < about["size"]:
            if most == 0:
                return False
            most -= 1
            count = min(PIECE, about["size"] - offset)
            question = {"job": job, "name": about["name"], "offset": offset, "count": count}
            body, blob = self.ask(FETCH, question)
            assert body["offset"] == offset and len(blob) == count
            with part.open("ab") as file:
                file.write(blob)
        if hashlib.sha256(part.read_bytes()).digest() != about["sha256"]:
            part.unlink()
            raise ValueError(f"{about['name']} is damaged")
        part.rename(folder / about["name"])
        return True
