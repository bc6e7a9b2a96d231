"""The ROUTER loop: frames in, frames out.

Owns the socket, the routing of replies and who is told of a job's news. Must not know what a job
does. The loop never computes: a request costs a look into the store or a piece of a file.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import zmq

from glimpse3d import __version__
from glimpse3d.errors import Glimpse3DError, unexpected

from . import catalogue, protocol
from .artifacts import MAX_UPLOAD
from .errors import WireError
from .gate import DOMAIN, Gate
from .jobs import Jobs
from .keys import Keys
from .protocol import Message
from .quotas import Pace, busy

log = logging.getLogger(__name__)

TICK_SECONDS = 0.05
MAX_WATCHED = 1000
MAX_WATCHERS = 16
CROWDED_SECONDS = 10.0  # so long may a stranger's handshake take
EDITED_SECONDS = 1.0  # clients ask again by themselves

Answer = tuple[str, dict[str, Any], bytes]


class Transport:
    """One bound port.

    Attributes:
        port: the one that it got.

    Args:
        jobs: what requests are about.
        uploads: answers ``have`` and ``put``.
        keys: the server's key and the list of clients.
        address: host and port to bind; port 0 takes any free one.

    Raises:
        Glimpse3DError: the address cannot be bound.
    """

    def __init__(self, jobs: Jobs, keys: Keys, address: tuple[str, int]) -> None:
        self._jobs = jobs
        self._keys = keys
        self._pace = Pace(jobs.quotas.requests)
        self._context: zmq.Context[Any] = zmq.Context(io_threads=1)
        self._gate = Gate(self._context, keys.clients)
        self._socket = self._router(keys)
        self.port = self._bind(*address)
        self._epoch = os.urandom(16)
        self._catalogue = catalogue.describe_all()
        self._watchers: OrderedDict[bytes, list[bytes]] = OrderedDict()
        self._verbs: dict[str, Callable[[str, dict[str, Any], bytes], Answer]] = {
            "hello": self._hello,
            "ping": lambda owner, body, blob: ("pong", {}, b""),
            "submit": lambda owner, body, blob: (
                "accepted", jobs.submit(owner, body, keys.is_local(owner)), b""),
            "get": self._get,
            "list": lambda owner, body, blob: (
                "jobs", jobs.page(owner, body["after"], body["limit"]), b""),
            "cancel": lambda owner, body, blob: ("job", jobs.cancel(owner, body["job"]), b""),
            "delete": self._delete,
            "have": self._have,
            "put": self._put,
            "fetch": self._fetch,
            "status": lambda owner, body, blob: ("state", self.state(), b""),
        }  # fmt: skip

    def state(self) -> dict[str, Any]:
        """How the server is, as the protocol tells it."""
        return {**self._jobs.status(), "refused": self._gate.refused}

    def _router(self, keys: Keys) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = self._context.socket(zmq.ROUTER)
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)
        socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
        for option, value in (
            (zmq.LINGER, 0), (zmq.SNDTIMEO, 0), (zmq.ROUTER_MANDATORY, 1),
            (zmq.MAXMSGSIZE, protocol.MAX_BLOB + 1024), (zmq.SNDHWM, 64), (zmq.RCVHWM, 64),
            (zmq.HANDSHAKE_IVL, 10_000), (zmq.HEARTBEAT_IVL, 5000),
            (zmq.HEARTBEAT_TIMEOUT, 20_000), (zmq.HEARTBEAT_TTL, 30_000),
            (zmq.TCP_KEEPALIVE, 1), (zmq.BACKLOG, 512),
        ):  # fmt: skip
            socket.setsockopt(option, value)
        return socket

    def _bind(self, host: str, port: int) -> int:
        self._socket.setsockopt(zmq.IPV6, int(":" in host))
        name = f"[{host.strip('[]')}]" if ":" in host else host
        try:
            self._socket.bind(f"tcp://{name}:{port or '*'}")
        except zmq.ZMQError as error:
            raise Glimpse3DError(
                "output_failed",
                f"cannot listen at {host} port {port}: {error.strerror}",
                "another program may use it; choose another with --port, or 0 for any free one",
            ) from error
        return int(self._socket.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])

    def turn(self) -> None:
        """One round: wait a moment for news, answer what came, tell what changed."""
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._gate.socket, zmq.POLLIN)
        for descriptor in self._jobs.dispatcher.executor.descriptors():
            poller.register(descriptor, zmq.POLLIN)
        ready = dict(poller.poll(int(TICK_SECONDS * 1000)))
        if self._gate.socket in ready:
            self._gate.answer()
        for _ in range(32):  # then look after the workers and the gate
            if not self._take():
                break
        try:
            for job, body, preview in self._jobs.step():
                self._tell(job, body, preview)
        except OSError as error:
            if _crowded(error) is None:
                raise
            log.warning("no file can be opened: too many connections")

    def _take(self) -> bool:
        try:
            frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return False
        route, parts = frames[0].bytes, [each.bytes for each in frames[1:4]]
        if len(frames) > 4:
            parts = []  # too many frames; which ones does not matter
        self._reply(route, self._answer(route, str(frames[0].get("User-Id")), parts))
        return True

    def _answer(self, route: bytes, owner: str, parts: list[bytes]) -> Message:
        request = protocol.PUSH
        try:
            message = protocol.decode(parts)
            request = message.request
            kind, body, blob = self._act(route, owner, message)
            return Message(kind, request, body, blob)
        except WireError as error:
            return _refusal(error.request if request == protocol.PUSH else request, error)
        except Glimpse3DError as error:
            return _refusal(request, error)
        except OSError as error:
            return _refusal(request, _crowded(error) or unexpected(error))
        except Exception as error:
            return _refusal(request, unexpected(error))

    def _act(self, route: bytes, owner: str, message: Message) -> Answer:
        if message.kind not in self._verbs:
            raise WireError("bad_message", f"{message.kind} is not a request")
        try:
            let_in = owner.encode() in self._keys.clients()
        except Glimpse3DError as error:
            log.error("the list of keys cannot be read: %s", error)
            raise busy("the server cannot read its list of keys", EDITED_SECONDS) from error
        if not let_in:  # a connection outlives its invitation
            raise WireError(
                "refused_key", "the server took this invitation back", "ask for a new one"
            )
        if message.kind not in ("fetch", "put"):
            self._pace.check(owner)
        answer = self._verbs[message.kind](owner, message.body, message.blob)
        if message.kind in ("submit", "get"):
            self._watch(message.body["job"], route)
        return answer

    def _reply(self, route: bytes, message: Message) -> None:
        try:
            frames = protocol.encode(message)
        except WireError as error:
            frames = protocol.encode(_refusal(message.request, unexpected(error)))
        # A client that is gone or does not read gets nothing; it asks again.
        with contextlib.suppress(zmq.Again, zmq.ZMQError):
            self._socket.send_multipart([route, *frames], zmq.NOBLOCK)

    def _watch(self, job: bytes, route: bytes) -> None:
        routes = self._watchers.setdefault(job, [])
        if route not in routes:
            self._watchers[job] = [*routes, route][-MAX_WATCHERS:]
        self._watchers.move_to_end(job)
        if len(self._watchers) > MAX_WATCHED:
            self._watchers.popitem(last=False)

    def _tell(self, job: bytes, body: dict[str, Any], preview: bytes) -> None:
        if body["state"] in protocol.FINAL:
            body = {key: value for key, value in body.items() if key != "files"}
        for route in self._watchers.get(job, []):
            self._reply(route, Message("event", protocol.PUSH, body, preview))
        if body["state"] in protocol.FINAL:
            self._watchers.pop(job, None)

    # verbs that need more than a line

    def _hello(self, owner: str, body: dict[str, Any], blob: bytes) -> Answer:
        version = protocol.common(body["lo"], body["hi"])
        if not version:
            older = "server" if body["lo"] > protocol.PROTOCOL else "client"
            raise WireError(
                "version",
                f"the client speaks protocol {body['lo']} to {body['hi']},"
                f" this server {protocol.OLDEST} to {protocol.PROTOCOL}",
                f"update the {older}",
            )
        limits = {
            "body": protocol.MAX_BODY, "blob": protocol.MAX_BLOB, "upload": MAX_UPLOAD, "list": 200,
        }  # fmt: skip
        welcome = {
            "protocol": version, "minor": protocol.MINOR, "server": __version__,
            "epoch": self._epoch, "features": list(catalogue.FEATURES),
            "kinds": list(catalogue.supported()), "limits": limits,
        }  # fmt: skip
        now = {**self._catalogue, "weights": catalogue.describe_weights()}
        return "welcome", welcome, protocol.pack(now)

    def _get(self, owner: str, body: dict[str, Any], blob: bytes) -> Answer:
        job, preview = self._jobs.get(owner, body["job"], body["since"])
        return "job", job, preview

    def _delete(self, owner: str, body: dict[str, Any], blob: bytes) -> Answer:
        self._jobs.delete(owner, body["job"])
        return "deleted", {"job": body["job"]}, b""

    def _have(self, owner: str, body: dict[str, Any], blob: bytes) -> Answer:
        return self._held(body, self._jobs.artifacts.held(owner, body["sha256"]))

    def _put(self, owner: str, body: dict[str, Any], blob: bytes) -> Answer:
        return self._held(body, self._jobs.put(owner, body, blob, self._keys.is_local(owner)))

    def _held(self, body: dict[str, Any], held: tuple[int, bool]) -> Answer:
        have, complete = held
        return "held", {"sha256": body["sha256"], "have": have, "complete": complete}, b""

    def _fetch(self, owner: str, body: dict[str, Any], blob: bytes) -> Answer:
        piece = self._jobs.fetch(owner, body)
        place = {"job": body["job"], "name": body["name"], "offset": body["offset"]}
        return "piece", place, piece

    def close(self) -> None:
        """Let go of the port."""
        self._socket.close()
        self._gate.socket.close()
        self._context.term()


def _crowded(error: OSError) -> WireError | None:
    """What to tell if there are more connections than this process may have files open."""
    if error.errno not in (errno.EMFILE, errno.ENFILE):
        return None
    return busy("the server has too many connections", CROWDED_SECONDS)


def _refusal(request: bytes, error: WireError | Glimpse3DError) -> Message:
    body: dict[str, Any] = {
        "code": error.code, "message": error.message[:2000], "hint": error.hint[:2000],
    }  # fmt: skip
    if isinstance(error, WireError) and error.retry_after > 0:
        body["retry_after"] = error.retry_after
    if error.code == "version":
        body.update(lo=protocol.OLDEST, hi=protocol.PROTOCOL)
    return Message("error", request, body)
