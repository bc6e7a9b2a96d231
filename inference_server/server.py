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
from .metrics import Metrics
from .quotas import Quotas
from .retention import Retention
from .store import Store
from .transport import Transport
from .worker import Worker

log = logging.getLogger(__name__)

METRICS_SECONDS = 1.0
LAST_SECONDS = 10.0  # an attached server that hangs is ended after this
STANDARD_INPUT = 0


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens.

    Attributes:
        host: to bind.
        port: to bind; 0 takes any free one.
        name: of the machine in connection strings; empty is ``host``.
        metrics: port on loopback for ``metrics``; None does without, 0 takes any free one.
    """

    host: str = "127.0.0.1"
    port: int = 0
    name: str = ""
    metrics: int | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """How a server behaves.

    Attributes:
        quotas: of invited clients.
        retention: of what is finished.
        attached: stop also when standard input closes.
    """

    quotas: Quotas = field(default_factory=Quotas)
    retention: Retention = field(default_factory=Retention)
    attached: bool = False


DEFAULT_RULES = Rules()


def serve(
    folder: Path, address: Address, ready: Callable[[str], None], rules: Rules = DEFAULT_RULES
) -> None:
    """Run a server until it is told to stop by ctrl-C or SIGTERM.

    Args:
        folder: its data; made if missing, used by one server at a time.
        address: where to listen.
        ready: called with the connection string once clients may come.
        rules: how it behaves there.

    Raises:
        Glimpse3DError: the folder or the port cannot be used.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _raise_file_limit()
    keys = Keys(folder / "keys")
    store = Store(folder / "jobs.sqlite3")
    with contextlib.closing(store), _stop_signals(rules.attached) as stopped:
        artifacts = Artifacts(folder)
        dispatcher = Dispatcher(store, artifacts, Worker())
        jobs = Jobs(store, artifacts, dispatcher, rules.quotas, rules.retention)
        transport = Transport(jobs, keys, (address.host, address.port))
        metrics = None if address.metrics is None else Metrics(address.metrics)
        try:
            if metrics is not None:
                metrics.tell(transport.state())
            name = address.name or address.host
            invites.remember_address(folder, name, transport.port)
            ready(connection.write(keys.connection(invites.bracketed(name), transport.port)))
            _run(transport, metrics, stopped)
        finally:
            if metrics is not None:
                metrics.close()
            log.info("stopping")
            dispatcher.stop()
            transport.close()


def _run(transport: Transport, metrics: Metrics | None, stopped: Callable[[], bool]) -> None:
    """Serve, and tell of it now and then, until ``stopped`` says so."""
    due = time.monotonic()
    if metrics is not None:
        log.warning("metrics at http://127.0.0.1:%d/metrics", metrics.port)
    while not stopped():
        transport.turn()
        if metrics is not None and time.monotonic() >= due:
            metrics.tell(transport.state())
            due = time.monotonic() + METRICS_SECONDS


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
