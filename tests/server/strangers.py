"""What strangers send: raw bytes before anybody knows them, and messages of who is let in."""

import contextlib
import random
import socket
import struct
from collections.abc import Iterator

import msgpack
import zmq
from zmq.utils import z85

from inference_server import connection, protocol
from inference_server.protocol import HEADER, MAGIC, MESSAGES

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00"


def greeting(mechanism: bytes, major: bytes = b"\x03") -> bytes:
    """The 64 bytes with which a ZMTP peer begins."""
    return b"\xff" + bytes(8) + b"\x7f" + major + b"\0" + mechanism.ljust(20, b"\0") + bytes(32)


# One of each kind: other protocols, other mechanisms, lengths that nobody has, and noise.
GARBAGE: dict[str, bytes] = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "zeros": bytes(4096),
    "ones": b"\xff" * 4096,
    "noise": random.Random(1).randbytes(1_000_000),
    "nothing": b"",
    "one byte": b"\xff",
    "null mechanism": greeting(b"NULL") + b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\6DEALER",
    "plain mechanism": greeting(b"PLAIN") + b"\x04\x0b\x05HELLO\x01a\x01b",
    "unknown mechanism": greeting(b"MAGIC"),
    "version 9": greeting(b"CURVE", b"\x09"),
    "a command of 2^40": greeting(b"CURVE") + b"\x06" + struct.pack(">Q", 2**40),
    "a command of 2^64": greeting(b"CURVE") + b"\x06" + struct.pack(">Q", 2**64 - 1),
    "a message before the handshake": greeting(b"CURVE") + b"\x00\x05hello",
    "a bad hello": greeting(b"CURVE") + b"\x04\xc8\x05HELLO" + bytes(194),
    "half a hello": greeting(b"CURVE") + b"\x04\xc8\x05HELLO" + bytes(20),
    "an empty command": greeting(b"CURVE") + b"\x04\x00",
}


def knock(port: int, data: bytes) -> None:
    """Connect, send, hear a little, go."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as line:
        line.settimeout(0.05)
        line.sendall(data)
        while line.recv(4096):
            pass


def damaged(rng: random.Random) -> bytes:
    """Garbage of one kind with some of its bytes changed or cut off."""
    data = bytearray(rng.choice([each[:2000] for each in GARBAGE.values() if each]))
    for _ in range(rng.randrange(8)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data[: rng.randrange(1, len(data) + 1)])


@contextlib.contextmanager
def dealer(string: str) -> Iterator[zmq.Socket[bytes]]:
    """A socket that the server lets in, without our client around it."""
    where = connection.read(string)
    secret = z85.encode(where.client_secret)
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.CURVE_SERVERKEY, z85.encode(where.server_public))
    socket.setsockopt(zmq.CURVE_PUBLICKEY, zmq.curve_public(secret))
    socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
    for option, value in ((zmq.LINGER, 0), (zmq.SNDTIMEO, 5000), (zmq.RCVTIMEO, 5000)):
        socket.setsockopt(option, value)
    socket.connect(where.address)
    try:
        yield socket
    finally:
        socket.close()
        context.term()


def framed(kind: str, body: object, request: bytes = b"12345678") -> list[bytes]:
    """The frames of a body that nobody has checked."""
    return [HEADER.pack(MAGIC, MESSAGES[kind].number, 0, request), msgpack.packb(body)]


def value(rng: random.Random, depth: int = 3) -> object:
    """Anything that msgpack can say."""
    kind = rng.randrange(11 if depth else 8)
    if kind == 8:
        return [value(rng, depth - 1) for _ in range(rng.randrange(5))]
    if kind == 9:
        return {rng.choice("abcxyz"): value(rng, depth - 1) for _ in range(rng.randrange(5))}
    if kind == 10:
        return {str(value(rng, 0)): value(rng, depth - 1)}
    plain = (None, True, -1, 2**63, float("nan"), "x" * rng.randrange(300), b"", 0.5)
    return rng.randbytes(rng.choice((16, 32, 33))) if rng.random() < 0.3 else plain[kind]


def message(rng: random.Random) -> list[bytes]:
    """A message of somebody who is let in and means no good: almost right, or not at all."""
    if rng.random() < 0.05:
        return [rng.randbytes(rng.randrange(40)) for _ in range(rng.randrange(1, 6))]
    kind = rng.choice(list(MESSAGES))
    body = {name: right(rng, about) for name, about in MESSAGES[kind].body.items()
            if about.required or rng.random() < 0.5}  # fmt: skip
    if body and rng.random() < 0.5:
        body[rng.choice(list(body))] = value(rng)
    if rng.random() < 0.1:
        body[rng.choice(("x_y", "more", ""))] = value(rng)
    frames = framed(kind, body, rng.randbytes(8))
    if rng.random() < 0.3:
        frames.append(rng.randbytes(rng.randrange(2000)))
    return frames


def right(rng: random.Random, about: protocol.Field) -> object:
    """A value that the table allows, more or less."""
    if about.among:
        return rng.choice(about.among)
    size = int(min(about.high, about.low + rng.randrange(40)))
    if about.kind is bytes:
        return bytes(size) if rng.random() < 0.5 else rng.randbytes(size)
    made = {int: size, float: float(size), str: "n" * size, bool: True, dict: {}, list: []}
    return value(rng, 2) if about.kind is dict else made[about.kind]
