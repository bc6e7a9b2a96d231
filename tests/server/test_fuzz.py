"""Random bytes at every door: nothing crashes, nothing grows."""

import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq

from inference_server import protocol
from inference_server.client import Client
from inference_server.errors import WireError
from tests.server.serving import Server, eventually, ready
from tests.server.strangers import damaged, dealer, knock, message
from tests.server.test_protocol import MESSAGES, example, mutate

MOST_GROWTH = 20 * 2**20
Start = Callable[..., Server]
Connect = Callable[[str], Client]


def resident(process: int) -> int:
    """Linux: bytes of memory that a process holds."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * 4096


def test_frames_are_read_or_refused() -> None:
    feed_frames(20_000)


@pytest.mark.soak
def test_frames_are_read_or_refused_in_full() -> None:
    feed_frames(200_000)


def feed_frames(count: int) -> None:
    """Half of them are messages of the protocol that were damaged, half were never any."""
    rng = random.Random(11)
    originals = [protocol.encode(example(kind)) for kind in MESSAGES]
    read = 0
    for number in range(count):
        if number % 2:
            frames = [bytearray(frame) for frame in rng.choice(originals)]
            for _ in range(rng.randint(1, 4)):
                mutate(rng, rng.choice(frames))
        else:
            frames = [bytearray(frame) for frame in message(rng)]
        try:
            decoded = protocol.decode([bytes(frame) for frame in frames])
        except WireError as error:
            assert error.code in ("bad_message", "not_supported")
            continue
        read += 1
        protocol.encode(decoded)
    assert 0 < read < count / 2


needs_linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")


@needs_linux
def test_garbage_before_anybody_is_known(start: Start, connect: Connect) -> None:
    throw_garbage(start(), connect, 200)


@needs_linux
@pytest.mark.soak
def test_garbage_before_anybody_is_known_in_full(start: Start, connect: Connect) -> None:
    throw_garbage(start(), connect, 2000)


def throw_garbage(server: Server, connect: Connect, count: int) -> None:
    rng = random.Random(5)
    connect(server.string)
    throw(server.port, [damaged(rng) for _ in range(50)])  # what is made once is made now
    before = resident(server.process.pid)
    throw(server.port, [damaged(rng) for _ in range(count)])
    ready(connect(server.string))
    assert server.process.poll() is None
    assert resident(server.process.pid) - before < MOST_GROWTH


def throw(port: int, pieces: list[bytes]) -> None:
    def some(which: int) -> None:
        for piece in pieces[which::8]:
            knock(port, piece)

    throwers = [threading.Thread(target=some, args=(which,)) for which in range(8)]
    for each in throwers:
        each.start()
    for each in throwers:
        each.join()


@needs_linux
def test_random_messages_of_a_peer_that_is_let_in(start: Start, connect: Connect) -> None:
    pour_messages(start(), connect, 5000)


@needs_linux
@pytest.mark.soak
def test_random_messages_of_a_peer_that_is_let_in_in_full(start: Start, connect: Connect) -> None:
    pour_messages(start(), connect, 100_000)


def pour_messages(server: Server, connect: Connect, count: int) -> None:
    rng = random.Random(9)
    with dealer(server.string) as peer:
        answered = pour(peer, rng, 2000)
        before = resident(server.process.pid)
        answered += pour(peer, rng, count)
    assert answered > count / 2
    client = connect(server.string)
    assert client.welcome is not None and server.process.poll() is None
    eventually(lambda: resident(server.process.pid) - before < MOST_GROWTH, 10)


def pour(peer: zmq.Socket[bytes], rng: random.Random, count: int) -> int:
    """Send so many, at most 32 of them unanswered; every answer is a message of the protocol."""
    answered = flying = 0
    for _ in range(count):
        peer.send_multipart(message(rng))
        flying += 1
        while flying > 32 or peer.poll(0):
            if not peer.poll(2000):
                flying = 0  # events and refused headers are not counted one to one
                break
            protocol.decode(peer.recv_multipart())
            answered, flying = answered + 1, max(flying - 1, 0)
    return answered
