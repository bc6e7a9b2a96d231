"""Who is let in: the answers to ZeroMQ's authentication questions (ZAP, RFC 27).

Owns the ZAP socket. Must not know messages or jobs. The identity of a request is the key that
its connection proved, never what it says of itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import zmq
from zmq.utils import z85

from glimpse3d.errors import Glimpse3DError

log = logging.getLogger(__name__)

ADDRESS = "inproc://zeromq.zap.01"
DOMAIN = b"glimpse3d"


class Gate:
    """Lets in the clients on the list, and nobody else.

    Args:
        context: the ZeroMQ context of the socket to guard.
        clients: gives public key (Z85) -> name, asked at every connection.
    """

    def __init__(
        self, context: zmq.Context[Any], clients: Callable[[], Mapping[bytes, str]]
    ) -> None:
        self.socket: zmq.Socket[bytes] = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind(ADDRESS)
        self.refused = 0
        self._clients = clients

    def answer(self) -> None:
        """Answer one question that is waiting."""
        frames = self.socket.recv_multipart()
        version, request, domain, _, _, mechanism, *credentials = (*frames, *[b""] * 6)[:7]
        key = z85.encode(credentials[0]) if len(credentials[0]) == 32 else b""
        known = version == b"1.0" and domain == DOMAIN and mechanism == b"CURVE"
        try:
            name = self._clients().get(key) if known else None
        except (
            Glimpse3DError,
            OSError,
        ) as error:  # somebody edits it: nobody new comes in meanwhile
            log.error("the list of keys cannot be read: %s", error)
            self.socket.send_multipart([b"1.0", request, b"300", b"try again", b"", b""])
            return
        if name is None:
            self.refused += 1
            log.warning("refused a client whose key is not on the list")
            self.socket.send_multipart([b"1.0", request, b"400", b"refused", b"", b""])
        else:
            log.debug("let in %s", name)
            self.socket.send_multipart([b"1.0", request, b"200", b"OK", key, b""])
