"""The sockets that files move over, and how much is on its way at once.

Owns their number, the window that all files share and the size of pieces. Must not know files.

A near server gets one socket beside the one for control, so that no ping waits behind megabytes. A
far one gets four: where packets are lost, each TCP connection is held to a few of them in flight.
The window is what the link moves in two seconds: more would only wait in somebody's queue.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from .errors import WireError
from .exchange import Done, Exchange
from .link import Link
from .protocol import CHUNK, Message

FAR_SECONDS = 0.02
FAR_SOCKETS = 4
FIRST_WINDOW = 2**20  # bytes; at a tenth of a second there and back that is 10 MB/s
MAX_WINDOW = 8 * 2**20
SECONDS_IN_FLIGHT = 2.0
MEASURED_SECONDS = 0.2
IDLE_SECONDS = 30.0
MAX_PIECE = 2 * CHUNK  # a tenth of a millisecond to receive

Late = Callable[[], bool]  # whether the caller's time is up


class Lanes:
    """One to four exchanges that share a window; opened by the first request.

    Attributes:
        window: bytes that may be on their way.

    Args:
        connect: makes one more socket to the server.
        round_trip: seconds there and back, as far as known.
        clock: seconds that never jump.
    """

    def __init__(
        self,
        connect: Callable[[], Link],
        round_trip: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.window = FIRST_WINDOW
        self._connect = connect
        self._round_trip = round_trip
        self._clock = clock
        self._exchanges: list[Exchange] = []
        self._turn = 0  # which of them is served first
        self._flying = 0
        self._moved = 0
        self._rate = 0.0
        self._measured = (clock(), 0)
        self._used = clock()

    @property
    def links(self) -> list[Link]:
        """The open sockets."""
        return [each.link for each in self._exchanges]

    @property
    def piece(self) -> int:
        """How many bytes to move with one request: many small ones cost, large ones are late."""
        return MAX_PIECE if self.window >= MAX_WINDOW else CHUNK

    @property
    def room(self) -> bool:
        """Whether one piece more may be on its way."""
        return self._flying < self.window

    @property
    def problem(self) -> WireError | None:
        """What is wrong with the first socket, or None."""
        return self._exchanges[0].link.problem if self._exchanges else None

    def ask(
        self, kind: str, body: dict[str, Any], done: Done, blob: bytes = b"", size: int = 0
    ) -> None:
        """Send a request over the least busy socket; with a blob, over the first one.

        Pieces of an upload must arrive in their order, which only one socket keeps. The arguments
        are those of ``Exchange.ask``, and ``size``: bytes that move, up or down.

        Raises:
            WireError: the request itself breaks the protocol.
        """
        self._flying += size
        self._used = self._clock()
        if not self._exchanges:
            self._open()
        up = [each for each in self._exchanges if each.link.state == "up"]
        chosen = self._exchanges[0] if blob or not up else min(up, key=len)
        chosen.ask(kind, body, partial(self._done, done, size), blob)

    def _open(self) -> None:
        self._exchanges.append(Exchange(self._connect(), self._clock))

    def _done(self, done: Done, size: int, answer: Message | WireError) -> None:
        self._flying -= size
        self._moved += size
        done(answer)

    def step(self, late: Late) -> bool:
        """Send, and receive one message a socket: then more is asked for, ere the window is empty.

        Who was not served because it got late comes first the next time.

        Returns:
            whether anything came.
        """
        there = [(each, each.link.heard) for each in self._exchanges]
        for _ in there:
            there[self._turn % len(there)][0].step(until=0.0)
            self._turn += 1
            if late():
                break
        if 0 < len(there) < FAR_SOCKETS and self._round_trip() > FAR_SECONDS and not late():
            self._open()
        now = self._clock()
        self._adapt(now)
        came = any(each.link.heard != then for each, then in there)
        if came or self._flying:
            self._used = now
        elif now - self._used > IDLE_SECONDS:
            self.close()
        return came

    def _adapt(self, now: float) -> None:
        since, before = self._measured
        if now - since < MEASURED_SECONDS:
            return
        full = 2 * self._flying >= self.window  # else it was not the window that held us
        if full and self._moved > before:
            rate = (self._moved - before) / (now - since)
            self._rate = 0.5 * (self._rate + rate) if self._rate else rate
            wanted = int(self._rate * SECONDS_IN_FLIGHT)
            self.window = max(CHUNK, min(MAX_WINDOW, wanted))
        self._measured = now, self._moved

    def close(self) -> None:
        """Give the sockets back; the next request opens new ones."""
        for each in self._exchanges:
            each.link.close()
        self._exchanges.clear()
