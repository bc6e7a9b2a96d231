"""Workers on a Ray cluster, seen from the server.

Owns the process that speaks to the cluster, and what is said when the cluster is away. Must not
know Ray itself: its client ends the process it lives in when the cluster's head is lost, and so it
gets one of its own (``ray_driver``), which can be started again.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

from glimpse3d.errors import BackendUnavailable, Glimpse3DError

from . import ray_driver, reports
from .child import Child
from .interface import Backoff, Event, Task, WorkerOptions, WorkerState
from .local import LocalExecutor

log = logging.getLogger(__name__)

SILENT_SECONDS = 60.0  # the driver tells how it is every second
AUTH_MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
DEFAULT_TOKEN = Path("~/.ray/auth_token")


@dataclass(frozen=True, slots=True)
class Order:
    """What the driver is told at its start.

    Attributes:
        address: host and port of the cluster's head.
        workers: how many; 0 is one for each GPU, or one for each node where there is none.
        options: of each worker.
    """

    address: str
    workers: int
    options: WorkerOptions


class RayExecutor:
    """See ``Executor``.

    Args:
        address, workers, options: see ``Order``.

    Raises:
        Glimpse3DError: Ray is not installed, or there is no address or no token.
    """

    def __init__(self, address: str, workers: int, options: WorkerOptions) -> None:
        if importlib.util.find_spec("ray") is None:
            raise BackendUnavailable("Ray is not installed", 'pip install "glimpse3d[ray]"')
        if not address:
            raise Glimpse3DError(
                "invalid_settings", "a Ray cluster has an address", "add --address HOST:6379"
            )
        self._environment = _authentication()
        self._order = Order(address, workers, options)
        self._beside = LocalExecutor((), options)
        self._driver: Child | None = None
        self._jobs: set[bytes] = set()
        self._workers: list[WorkerState] = []
        self._backoff = Backoff()
        self._heard = 0.0
        self._why = "connecting"

    @property
    def trouble(self) -> str:
        """See ``Executor``."""
        if not self._why:
            return ""
        return f"the Ray cluster at {self._order.address} cannot be used now: {self._why}"

    @property
    def hopeless(self) -> bool:
        """A cluster may always come back."""
        return False

    def room(self, beside: bool) -> bool:
        """See ``Executor``."""
        if beside:
            return self._beside.room(beside)
        usable = sum(each.state in ("idle", "busy") for each in self._workers)
        return self._driver is not None and usable > len(self._jobs)

    def start(self, task: Task) -> None:
        """See ``Executor``."""
        if task.beside:
            self._beside.start(task)
            return
        assert self._driver is not None
        self._jobs.add(task.job)
        self._driver.send({
            "type": "job", "job": task.job, "request": task.request,
            "uploads": {field: str(path) for field, path in task.uploads.items()},
            "folder": str(task.folder),
        })  # fmt: skip

    def cancel(self, job: bytes, by_force: bool = False) -> None:
        """See ``Executor``."""
        if job in self._jobs and self._driver is not None:
            self._driver.send({"type": "cancel", "job": job, "by_force": by_force})
        else:
            self._beside.cancel(job, by_force)

    def events(self) -> list[Event]:
        """See ``Executor``."""
        found = self._beside.events()
        now = time.monotonic()
        if self._driver is None:
            if now >= self._backoff.again:
                self._driver = Child(
                    ray_driver.main, "glimpse3d ray driver", self._environment, self._order
                )
                self._heard = now
            return found
        for data in self._driver.receive():
            self._heard = now
            try:
                found += self._told(reports.read(data, reports.DRIVER_FIELDS))
            except reports.BadReportError as error:
                self._driver.kill(f"said something {error}")
        if now - self._heard > SILENT_SECONDS:
            self._driver.kill("the cluster's head does not answer")
        if how := self._driver.ended():
            found += self._lost(how)
        return found

    def _told(self, message: Event) -> list[Event]:
        kind = message["type"]
        if kind == "workers":
            self._workers = [WorkerState(**each) for each in message["rows"]]
            self._why = message["trouble"]
            if self._workers:
                self._backoff = Backoff()
            return []
        if message["job"] not in self._jobs:
            return []  # told twice, such as an end and a loss
        if kind in (*reports.ENDS, "lost"):
            self._jobs.discard(message["job"])
        return [message]

    def _lost(self, how: str) -> list[Event]:
        """The driver ended: by itself it does that when the cluster is lost."""
        jobs, self._jobs = self._jobs, set()
        log.warning("the process that speaks to the cluster %s", how)
        self._driver, self._workers = None, []
        self._why = self._why or "its head does not answer any more"
        self._backoff.failed(time.monotonic())
        return [
            {"type": "lost", "job": job, "how": "was lost with the cluster", "counts": False}
            for job in jobs
        ]

    def close(self) -> None:
        """See ``Executor``; the cluster ends the workers of a driver that is gone."""
        self._beside.close()
        if self._driver is not None:
            self._driver.close()
        self._driver, self._workers = None, []
        self._jobs.clear()

    def workers(self) -> list[WorkerState]:
        """See ``Executor``."""
        return self._workers

    def descriptors(self) -> list[int]:
        """See ``Executor``."""
        own = self._driver.descriptor() if self._driver else None
        return [*self._beside.descriptors(), *([] if own is None else [own])]


def _authentication() -> dict[str, str | None]:
    """Who reaches a cluster's ports runs code there: a token is asked for unless somebody says no.

    Raises:
        Glimpse3DError: there is no token.
    """
    mode = os.environ.get(AUTH_MODE)
    if mode is not None and mode != "token":
        log.warning("%s=%s: whoever reaches the cluster's ports runs code there", AUTH_MODE, mode)
        return {}
    path = Path(os.environ.get(TOKEN_PATH) or DEFAULT_TOKEN).expanduser()
    if not os.environ.get(TOKEN) and not path.is_file():
        raise Glimpse3DError(
            "invalid_settings",
            f"there is no token for the Ray cluster: neither {TOKEN} nor {path}",
            "ray get-auth-token --generate makes one; copy it to every node, see docs/scaling.md",
        )
    return {AUTH_MODE: "token"}
