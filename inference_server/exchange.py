"""Requests and their replies over one link.

Owns request ids, resending and what happens when a server falls silent. Must not know what a
request is for: every request of the protocol may be sent twice without harm.
"""

from __future__ import annotations

import itertools
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import protocol
from .errors import WireError
from .link import Link
from .protocol import Message

RESEND_SECONDS = 5.0
SILENCE_SECONDS = 15.0
PATIENCE_SECONDS = 30.0  # for one reply while others do come
PAUSE_SECONDS = 1.0  # a server that is busy for no longer is asked again without a word

_NAMES = {"job", "sha256"}  # whom a request is about, and its answer too

Done = Callable[["Message | WireError"], None]


@dataclass(slots=True, eq=False)
class _Request:
    kind: str
    body: dict[str, Any]
    blob: bytes
    done: Done
    sent: float | None = None  # the last time, on this connection
    first: float = 0.0  # the first time, on this connection
    due: float = 0.0  # not to be sent before
    ids: list[bytes] = field(default_factory=list)


class Exchange:
    """Asks, resends and matches; ``step`` does what is due and never waits.

    Attributes:
        round_trip: the shortest time there and back, in seconds; 0 until one is known. What the
            caller's own pauses may have added is taken off.

    Args:
        link: the socket.
        clock: seconds that never jump.
    """

    def __init__(self, link: Link, clock: Callable[[], float] = time.monotonic) -> None:
        self.link = link
        self.round_trip = 0.0
        self._clock = clock
        self._stepped = clock()
        self._prefix = os.urandom(4)
        self._numbers = itertools.count(1)
        self._open: list[_Request] = []
        self._by_id: dict[bytes, _Request] = {}
        self._generation = 0

    def __len__(self) -> int:
        return len(self._open)

    def ask(self, kind: str, body: dict[str, Any], done: Done, blob: bytes = b"") -> None:
        """Send a request; ``done`` is called once, from a later ``step``, with what came back.

        Raises:
            WireError: the request itself breaks the protocol.
        """
        protocol.encode(Message(kind, protocol.PUSH, body, blob))
        request = _Request(kind, body, blob, done)
        self._open.append(request)
        self._send(request)

    def step(self, until: float) -> list[Message]:
        """Send and receive until nothing is there or the clock shows ``until``.

        Returns:
            what the server sent unasked.
        """
        self.link.tick()
        if self.link.generation != self._generation:
            self._generation = self.link.generation
            for request in self._open:
                request.sent = None
        pushed = self._receive(until)
        self._resend()
        self._stepped = self._clock()
        return pushed

    def woke(self) -> None:
        """The caller slept until something came, so what comes now is not late."""
        self._stepped = self._clock()

    def _receive(self, until: float) -> list[Message]:
        pushed: list[Message] = []
        while True:
            frames = self.link.receive()
            if frames is None:
                return pushed
            self._take(frames, pushed)
            if self._clock() >= until:
                return pushed

    def _take(self, frames: list[bytes], pushed: list[Message]) -> None:
        try:
            message = protocol.decode(frames)
        except WireError as error:
            self._finish(error.request, error)
            return
        if message.request == protocol.PUSH:
            if message.kind == "event":
                pushed.append(message)
            return
        self._finish(message.request, _failure(message) if message.kind == "error" else message)

    def _finish(self, identity: bytes, answer: Message | WireError) -> None:
        request = self._by_id.get(identity)
        if request is None:
            return  # the reply to a request that was sent twice
        if identity == request.ids[-1] and request.sent is not None:
            self._time(request.sent)
        for each in request.ids:
            del self._by_id[each]
        request.ids.clear()
        if isinstance(answer, WireError) and 0 < answer.retry_after <= PAUSE_SECONDS:
            request.sent = None
            request.due = self._clock() + answer.retry_after + PAUSE_SECONDS * random.random()
            return
        self._open.remove(request)
        request.done(_fitting(request, answer))

    def _time(self, sent: float) -> None:
        # It came after the last step; a program that polls seldom is not a long way off.
        took = max(self._stepped - sent, 1e-6)
        self.round_trip = min(self.round_trip or took, took)

    def _send(self, request: _Request) -> bool:
        if self.link.state != "up":
            return False
        identity = self._prefix + next(self._numbers).to_bytes(4, "big")
        message = Message(request.kind, identity, request.body, request.blob)
        if not self.link.send(protocol.encode(message)):
            return False
        request.ids.append(identity)
        self._by_id[identity] = request
        now = self._clock()
        request.first = now if request.sent is None else request.first
        request.sent = now
        return True

    def _resend(self) -> None:
        if self.link.state != "up":
            return
        now = self._clock()
        for request in list(self._open):
            if request.sent is None:
                if now < request.due:
                    continue
                if not self._send(request):
                    return  # the socket is full; later requests must not overtake
                continue
            quiet = now - max(self.link.heard, request.first)
            if quiet > SILENCE_SECONDS:
                self.link.renew(self.link.refusal("no_answer"))
                return
            patience = RESEND_SECONDS if quiet > RESEND_SECONDS else PATIENCE_SECONDS
            if now - request.sent > patience:
                self._send(request)


def _fitting(request: _Request, answer: Message | WireError) -> Message | WireError:
    """The answer, if it is one to what was asked."""
    if isinstance(answer, WireError):
        return answer
    same = all(answer.body.get(name) == request.body[name] for name in _NAMES & request.body.keys())
    if answer.kind == protocol.ANSWERS[request.kind] and same:
        return answer
    return WireError(
        "bad_message", f"the server answered {request.kind} with something else",
        "it is of another version, or not a Glimpse3D server",
    )  # fmt: skip


def _failure(message: Message) -> WireError:
    error = WireError(message.body["code"], message.body["message"], message.body["hint"])
    error.retry_after = message.body.get("retry_after", 0.0)
    return error
