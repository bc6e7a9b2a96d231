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
from functools import partial
from pathlib import Path
from types import FrameType

from glimpse3d.export.folder import output_errors

from . import connection, invites
from .artifacts import Artifacts
from .dispatch import DEFAULT_PATIENCE, Dispatcher, Patience
from .executors.interface import Executor
from .jobs import Jobs
from .keys import Keys
from .metrics import Metrics
from .quotas import Quotas
from .retention import Retention
from .store import Store
from .transport import Transport

log = logging.getLogger(__name__)

METRICS_SECONDS = 1.0
LAST_SECONDS = 10.0  # an attached server that hangs is ended after this
FAREWELL_SECONDS = 1.0  # after the last job of a drain, for clients to hear of its end
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
        patience: with jobs that say nothing.
        drain: seconds that SIGTERM leaves to jobs that run; none is left by ctrl-C, a second
            SIGTERM, or the end of standard input.
    """

    quotas: Quotas = field(default_factory=Quotas)
    retention: Retention = field(default_factory=Retention)
    attached: bool = False
    patience: Patience = DEFAULT_PATIENCE
    drain: float = 60.0


DEFAULT_RULES = Rules()


def serve(
    folder: Path,
    address: Address,
    ready: Callable[[str], None],
    executor: Executor,
    rules: Rules = DEFAULT_RULES,
) -> None:
    """Run a server until it is told to stop by ctrl-C or SIGTERM.

    Args:
        folder: its data; made if missing, used by one server at a time.
        address: where to listen.
        ready: called with the connection string once clients may come.
        executor: what computes.
        rules: how it behaves there.

    Raises:
        Glimpse3DError: the folder or the port cannot be used.
    """
    _raise_file_limit()
    with output_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        keys, artifacts = Keys(folder / "keys"), Artifacts(folder)
        store = Store(folder / "jobs.sqlite3")
    with contextlib.closing(store), _stop_signals(rules.attached) as wishes:
        dispatcher = Dispatcher(store, artifacts, executor, rules.patience)
        jobs = Jobs(store, artifacts, dispatcher, rules.quotas, rules.retention)
        transport = Transport(jobs, keys, (address.host, address.port))
        metrics = None if address.metrics is None else Metrics(address.metrics)
        try:
            if metrics is not None:
                metrics.tell(transport.state())
            name = address.name or address.host
            invites.remember_address(folder, name, transport.port)
            ready(connection.write(keys.connection(invites.bracketed(name), transport.port)))
            _run(transport, metrics, partial(_over, wishes, dispatcher, rules.drain))
        finally:
            if metrics is not None:
                metrics.close()
            log.info("stopping")
            dispatcher.stop()
            transport.close()


@dataclass(slots=True)
class _Wishes:
    """How often, and how urgently, we were asked to stop."""

    terms: int = 0
    now: bool = False
    until: float = float("inf")  # monotonic seconds; the drain's end


def _over(wishes: _Wishes, dispatcher: Dispatcher, drain: float) -> bool:
    """Whether to stop now; the first SIGTERM begins a drain, which has an end."""
    if wishes.now or wishes.terms > 1:
        return True
    if wishes.terms and not dispatcher.draining:
        dispatcher.draining = True
        wishes.until = time.monotonic() + drain
        log.warning("stopping: nothing new is taken, and jobs that run have %.0f s", drain)
    if dispatcher.draining and not dispatcher.busy:
        wishes.until = min(wishes.until, time.monotonic() + FAREWELL_SECONDS)
    return time.monotonic() >= wishes.until


def _run(transport: Transport, metrics: Metrics | None, over: Callable[[], bool]) -> None:
    """Serve, and tell of it now and then, until it is over."""
    due = time.monotonic()
    if metrics is not None:
        log.warning("metrics at http://127.0.0.1:%d/metrics", metrics.port)
    while not over():
        transport.turn()
        if metrics is not None and time.monotonic() >= due:
            metrics.tell(transport.state())
            due = time.monotonic() + METRICS_SECONDS


@contextmanager
def _stop_signals(attached: bool) -> Iterator[_Wishes]:
    """What ctrl-C, SIGTERM and the end of our input ask for, as it comes in."""
    wishes = _Wishes()

    def ask(number: int, frame: FrameType | None) -> None:
        wishes.terms += 1
        wishes.now = wishes.now or number == signal.SIGINT

    if attached:
        threading.Thread(target=_watch_input, args=(wishes,), daemon=True).start()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield wishes
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch_input(wishes: _Wishes) -> None:
    """Ask to stop once whoever started us is gone, however it went; then see that it happens.

    The end of a pipe is the one sign of that which Linux, macOS and Windows all give.
    """
    with contextlib.suppress(OSError):
        while os.read(STANDARD_INPUT, 4096):
            pass
    wishes.now = True
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
