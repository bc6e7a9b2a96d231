"""One DEALER socket to the server, and what its monitor says about it.

Owns connecting, the sentences for each way in which that fails, and the socket's rebirth. Must not
know requests. Nothing here waits: sends and receives are tried once.

A ZeroMQ socket that connects stays dead for ever after a refused key or a broken byte, and its
next send blocks (libzmq issues 2329 and 4196). So sends never wait, the monitor is always on, and
a socket that failed or fell silent is replaced by a new one, ever more slowly.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from typing import Any

import zmq
from zmq.utils import z85
from zmq.utils.monitor import parse_monitor_message

from .connection import Connection
from .errors import WireError

HANDSHAKE_SECONDS = 4.0
MAX_BACKOFF_SECONDS = 30.0
KNOWN_BACKOFF_SECONDS = 2.0  # it was our server before: the way to it is bad, not the place
_DEADLY = (zmq.EVENT_HANDSHAKE_FAILED_AUTH, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)


class Link:
    """A socket that is ``connecting``, ``up`` or ``down``; ``down`` keeps trying.

    Attributes:
        state: see above.
        problem: why it is down, or None.
        generation: grows with every connection that came up; what was sent before may be lost.
        heard: when the last message came, by ``clock``.

    Args:
        connection: where to, and the keys.
        context: the ZeroMQ context to make sockets in.
        clock: seconds that never jump.
    """

    def __init__(
        self,
        connection: Connection,
        context: zmq.Context[Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = "connecting"
        self.problem: WireError | None = None
        self.generation = 0
        self.heard = clock()
        self._connection = connection
        self._context = context
        self._clock = clock
        self._failures = 0
        self._reached: float | None = None  # when TCP connected, until the handshake ends
        self._rebirth: float | None = None  # when to make a new socket
        self._open()

    def _open(self) -> None:
        keys = self._connection
        socket = self._context.socket(zmq.DEALER)
        secret = z85.encode(keys.client_secret)
        socket.setsockopt(zmq.CURVE_SERVERKEY, z85.encode(keys.server_public))
        socket.setsockopt(zmq.CURVE_PUBLICKEY, zmq.curve_public(secret))
        socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
        for option, value in (
            (zmq.LINGER, 0), (zmq.SNDTIMEO, 0), (zmq.RCVTIMEO, 0),
            (zmq.SNDHWM, 64), (zmq.RCVHWM, 128), (zmq.IPV6, keys.host.startswith("[")),
            (zmq.RECONNECT_IVL, 200), (zmq.RECONNECT_IVL_MAX, 5000),
            (zmq.CONNECT_TIMEOUT, 10_000), (zmq.HANDSHAKE_IVL, int(HANDSHAKE_SECONDS * 1000)),
            (zmq.HEARTBEAT_IVL, 5000), (zmq.HEARTBEAT_TIMEOUT, 20_000),
            (zmq.HEARTBEAT_TTL, 30_000), (zmq.TCP_KEEPALIVE, 1),
        ):  # fmt: skip
            socket.setsockopt(option, int(value))
        self._monitor = socket.get_monitor_socket()
        self._socket = socket
        self._reached = self._rebirth = None
        self.heard = self._clock()
        socket.connect(keys.address)

    def _shut(self) -> None:
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close(0)

    def close(self) -> None:
        """Give the socket back; the link must not be used afterwards."""
        self._shut()
        self.state = "down"

    def send(self, frames: list[bytes]) -> bool:
        """Hand over a message; False if the socket cannot take it now."""
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def receive(self) -> list[bytes] | None:
        """The next message's frames, or None."""
        try:
            frames: list[bytes] = self._socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None
        self.heard = self._clock()
        self._failures = 0
        return frames

    def register(self, poller: zmq.Poller) -> None:
        """Have ``poller`` wake up when something arrives, also news of the connection."""
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)

    def tick(self) -> None:
        """Read the monitor and do what is due; call it often."""
        while self._monitor.poll(0):
            said = parse_monitor_message(self._monitor.recv_multipart())
            self._hear(said["event"], self._clock())
        if self._rebirth is not None and self._clock() >= self._rebirth:
            self._shut()
            self._open()

    def renew(self, problem: WireError) -> None:
        """Replace the socket at once: it is connected and yet nothing comes."""
        self._failures += 1
        self._shut()
        self._open()
        self._fail(problem)

    def _hear(self, event: int, now: float) -> None:
        if event == zmq.EVENT_CONNECT_DELAYED:
            self._reached = None
        elif event == zmq.EVENT_CONNECTED:
            self._reached = now
        elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._reached = self._rebirth = None
            self.state, self.problem, self.heard = "up", None, now
            self.generation += 1
        elif event == zmq.EVENT_CLOSED:
            self._fail(self.refusal("nothing_listening"))
        elif event == zmq.EVENT_CONNECT_RETRIED and self._never_tried():
            self._fail(self.refusal("unknown_host"))
        elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            late = self._reached is not None and now - self._reached > 0.8 * HANDSHAKE_SECONDS
            self._fail(self.refusal("not_a_server" if late else "wrong_server"))
            self._reached = None
        elif event in _DEADLY:
            refused = event == zmq.EVENT_HANDSHAKE_FAILED_AUTH
            self._die(self.refusal("refused_key" if refused else "not_a_server"), now)
        elif event == zmq.EVENT_DISCONNECTED:
            self._disconnected(now)

    def _never_tried(self) -> bool:
        # A name that resolves is tried, and then CONNECT_DELAYED or CONNECTED came first.
        return self.state == "connecting" and self.problem is None and self._reached is None

    def _disconnected(self, now: float) -> None:
        if self.state == "up":  # also after a broken byte, which kills the socket silently
            self._fail(self.refusal("nothing_listening"))
            self._rebirth = now + 0.2
        elif self._reached is not None and self._rebirth is None:
            self._die(self.refusal("not_a_server"), now)

    def _fail(self, problem: WireError) -> None:
        self.state, self.problem = "down", problem

    def _die(self, problem: WireError, now: float) -> None:
        """The socket will never connect again: a new one after a while."""
        self._fail(problem)
        self._failures += 1
        known = self.generation > 0 and problem.code != "refused_key"
        most = KNOWN_BACKOFF_SECONDS if known else MAX_BACKOFF_SECONDS
        backoff = min(most, 0.5 * 2 ** min(self._failures, 10))
        self._rebirth = now + backoff * random.uniform(0.7, 1.3)

    def refusal(self, code: str) -> WireError:
        """The sentence for a code, with the place in it."""
        place = f"{self._connection.host}:{self._connection.port}"
        message, hint = _SENTENCES[code]
        return WireError(code, message.format(place=place), hint)


def wait_for(links: Iterable[Link], seconds: float) -> None:
    """Sleep until something arrives at one of them, at most so long."""
    poller = zmq.Poller()
    for link in links:
        link.register(poller)
    poller.poll(max(0, int(seconds * 1000)))


_SENTENCES = {
    "nothing_listening": (
        "nothing listens at {place}",
        "start the server, or copy the connection string of the server that runs",
    ),
    "unknown_host": (
        "the machine of {place} cannot be found",
        "check the network, or copy the connection string again",
    ),
    "wrong_server": (
        "what answers at {place} is not the server that the connection string was made for",
        "copy the string from the server's window again; a tunnel must lead to that server",
    ),
    "not_a_server": (
        "something listens at {place}, but it does not answer as a Glimpse3D server does",
        "check the port: another program may have taken it, or the server hangs",
    ),
    "refused_key": (
        "the server at {place} does not know this invitation",
        "copy its present connection string, or ask its owner for a new invitation",
    ),
    "no_answer": (
        "the server at {place} is connected but does not answer",
        "it may be stopped or overloaded; this program keeps trying",
    ),
}
