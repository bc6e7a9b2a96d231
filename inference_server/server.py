"""A server put together, from its folder to its port, and taken apart again.

Owns the order of starting and stopping. Must not know arguments or what is printed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from . import connection, invites
from .artifacts import Artifacts
from .dispatch import Dispatcher
from .jobs import Jobs
from .keys import Keys
from .quotas import Quotas
from .retention import Retention
from .store import Store
from .transport import Transport
from .worker import Worker

log = logging.getLogger(__name__)

LAST_SECONDS = 10.0  # an attached server that hangs is ended after this
STANDARD_INPUT = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """What clients may take, and what is kept of what they made."""

    quotas: Quotas = field(default_factory=Quotas)
    retention: Retention = field(default_factory=Retention)


DEFAULT_RULES = Rules()


def serve(
    folder: Path,
    address: tuple[str, int],
    ready: Callable[[str], None],
    attached: bool = False,
    rules: Rules = DEFAULT_RULES,
) -> None:
    """Run a server until it is told to stop by ctrl-C or SIGTERM.

    Args:
        folder: its data; made if missing, used by one server at a time.
        address: host to bind, also the one in the connection string, and port; 0 takes a free one.
        ready: called with the connection string once clients may come.
        attached: stop also when standard input closes.
        rules: of what clients may take and what is kept.

    Raises:
        Glimpse3DError: the folder or the port cannot be used.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _raise_file_limit()
    keys = Keys(folder / "keys")
    store = Store(folder / "jobs.sqlite3")
    with contextlib.closing(store), _stop_signals(attached) as stopped:
        artifacts = Artifacts(folder)
        dispatcher = Dispatcher(store, artifacts, Worker())
        jobs = Jobs(store, artifacts, dispatcher, rules.quotas, rules.retention)
        transport = Transport(jobs, keys, address)
        try:
            invites.remember_address(folder, address[0], transport.port)
            host = invites.bracketed(address[0])
            ready(connection.write(keys.connection(host, transport.port)))
            transport.run(stopped)
        finally:
            log.info("stopping")
            dispatcher.stop()
            transport.close()


@contextmanager
def _stop_signals(attached: bool) -> Iterator[Callable[[], bool]]:
    """A question that turns true with the first ctrl-C or SIGTERM, or the end of our input."""
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    if attached:
        threading.Thread(target=_watch_input, args=(asked,), daemon=True).start()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch_input(asked: list[int]) -> None:
    """Ask to stop once whoever started us is gone, however it went; then see that it happens.

    The end of a pipe is the one sign of that which Linux, macOS and Windows all give.
    """
    with contextlib.suppress(OSError):
        while os.read(STANDARD_INPUT, 4096):
            pass
    asked.append(0)
    time.sleep(LAST_SECONDS)
    os._exit(1)


def _raise_file_limit() -> None:
    """Connections cost descriptors, and running out of them harms everybody."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
