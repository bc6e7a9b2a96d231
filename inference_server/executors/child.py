"""A spawned process and its two-way pipe of msgpack maps.

Owns the process's life and the pipe. Must not know what is said, nor what the process does. Nothing
waits: what takes time is looked at again in the next call.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import msgpack

from .reports import MAX_BYTES

Main = Callable[..., None]


class Child:
    """One process, started at once.

    Args:
        main: what it runs, with its end of the pipe and ``options``; a module's own function.
        name: of the process.
        environment: variables that it gets beside ours; None takes one away.
        options: picklable; nothing pickled ever comes back.
    """

    def __init__(
        self, main: Main, name: str, environment: Mapping[str, str | None], options: Any
    ) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe: Connection | None
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=main, args=(theirs, options), name=name)
        with _environment(environment):
            self._process.start()
        theirs.close()
        self._killed = ""

    @property
    def identity(self) -> int:
        """The process id."""
        return self._process.pid or 0

    def descriptor(self) -> int | None:
        """Readable when it said something or died; on Windows none, sockets alone can wait."""
        if self._pipe is None or os.name == "nt":
            return None
        return self._pipe.fileno()

    def send(self, message: Mapping[str, Any]) -> None:
        """Say something to it; a dead child is noticed by ``receive``."""
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                self._pipe.send_bytes(msgpack.packb(message))

    def receive(self) -> Iterator[bytes]:
        """Messages that came; ends when there is none now. Too long a one is the last."""
        try:
            while self._pipe is not None and self._pipe.poll(0):
                yield self._pipe.recv_bytes(MAX_BYTES)
        except EOFError:
            self._hang_up()
        except OSError as error:
            if error.errno is None:  # too long; a reset connection has a number
                self.kill("was stopped, as it said too much at once")
            self._hang_up()

    def kill(self, why: str) -> None:
        """End it; ``ended`` tells when it has."""
        self._killed = self._killed or why
        self._process.kill()
        self._hang_up()

    def _hang_up(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
            self._process.kill()  # who closes the pipe is of no use any more

    def ended(self) -> str:
        """How it ended, for people; empty while it lives, or has said more than was received."""
        code = self._process.exitcode
        if code is None or (self._pipe is not None and self._pipe.poll(0)):
            return ""
        self._hang_up()
        if self._killed:
            return self._killed
        return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"

    def close(self) -> None:
        """End it and wait until it has; takes a moment."""
        self.kill("was stopped")
        self._process.join(5.0)


@contextmanager
def _environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """These variables for a process that is started meanwhile: it must see them from its start."""
    before = {name: os.environ.get(name) for name in changes}
    _set(changes)
    try:
        yield
    finally:
        _set(before)


def _set(changes: Mapping[str, str | None]) -> None:
    for name, value in changes.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
