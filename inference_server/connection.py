"""The one string that a user copies from the server's window into a client.

Owns reading and writing ``glimpse3d://host:port/#1.SERVER.CLIENT.CHECK``: the server's public key,
the client's secret key and a checksum, so that a mangled string is refused by name and not by a
connection that never comes. Must not know sockets or files. Never log the string: it is a key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field

from .errors import WireError

SCHEME = "glimpse3d://"
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])")
_KEY = re.compile(r"[A-Za-z0-9_-]{43}")
# What chats, terminals and shells put into or around a pasted line.
_NOISE = re.compile("[\\s\u00ad\u200b-\u200f\u2028\u2029\u2060\ufeff]+")
_HINT = "copy the whole line again from the server's window, from glimpse3d:// to its end"


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a server is, how to know it, and the key that it lets in.

    Attributes:
        host: a name, an IPv4 address, or an IPv6 address in brackets; lower case.
        port: 1 to 65535.
        server_public: 32 bytes, CURVE25519.
        client_secret: 32 bytes, CURVE25519; whoever has it may use the server.
    """

    host: str
    port: int
    server_public: bytes
    client_secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host):
            raise _refusal(f"{self.host[:60]!r} is not the name of a machine")
        if not 1 <= self.port <= 65535:
            raise _refusal(f"{self.port} is not a port")
        if len(self.server_public) != 32 or len(self.client_secret) != 32:
            raise _refusal("a key has not 32 bytes")

    @property
    def address(self) -> str:
        """``tcp://host:port``."""
        return f"tcp://{self.host}:{self.port}"


def write(connection: Connection) -> str:
    """The string, 130 characters for a host and port of 22."""
    keys = f"{_text(connection.server_public)}.{_text(connection.client_secret)}"
    body = f"{SCHEME}{connection.host}:{connection.port}/#1.{keys}"
    return f"{body}.{_checksum(body)}"


def read(text: str) -> Connection:
    """The connection in ``text``; white space anywhere and quotes around it do not matter.

    Raises:
        WireError: ``bad_connection_string``, saying what is wrong and what to do.
    """
    line = _NOISE.sub("", text).strip("\"'`<>")
    if not line:
        raise _refusal("there is no connection string")
    if not line.startswith(SCHEME):
        raise _refusal(f"the connection string does not begin with {SCHEME}")
    place, found, secret = line[len(SCHEME) :].partition("/#")
    parts = secret.split(".")
    if not found or len(parts) < 4:
        raise _refusal("the connection string is cut off")
    if parts[0] != "1":
        raise WireError(
            "bad_connection_string",
            f"the connection string is of version {parts[0][:8]!r}, this program reads 1",
            "update the older of the two, client or server",
        )
    if len(parts) != 4 or _checksum(line.rpartition(".")[0]) != parts[3]:
        raise _refusal("the connection string was changed on its way")
    host, _, port = place.rpartition(":")
    if not (port.isascii() and port.isdigit()) or len(port) > 5:
        raise _refusal("the connection string has no port")
    return Connection(host, int(port), _bytes(parts[1]), _bytes(parts[2]))


def _refusal(message: str) -> WireError:
    return WireError("bad_connection_string", message, _HINT)


def _checksum(body: str) -> str:
    digest = hashlib.sha256(body.encode()).digest()
    return base64.urlsafe_b64encode(digest)[:6].decode()


def _text(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    try:
        key = base64.urlsafe_b64decode(text + "=")
    except (ValueError, binascii.Error):
        key = b""
    if not _KEY.fullmatch(text) or _text(key) != text:  # also the two bits that mean nothing
        raise _refusal("a key in the connection string is damaged")
    return key
