"""Workers on this machine: one process for each device, and one beside them that fetches.

Owns the processes, what each is at, and their restarts. Must not know the store, sockets, or what a
job means.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from .. import worker
from ..devices import VISIBLE, Device
from ..memory import resident_bytes
from . import reports
from .child import Child
from .interface import Backoff, Event, Task, WorkerOptions, WorkerState

log = logging.getLogger(__name__)

START_SECONDS = 300.0  # a process that does not get ready in this time never will
STAND_IN_SECONDS = 0.25  # after a cancel that is not heeded another process warms up meanwhile
MAX_STARTS = 3  # processes that never get ready are an error and not a loop


class Slot:
    """A place for one worker process, and the process in it if there is one.

    Args:
        device: where it computes.
        options: of its processes.

    Attributes:
        state: ``none``, ``starting``, ``idle``, ``busy`` or ``ending``.
        job: that it is at, or nothing.
        backoff: of processes that never got ready.
    """

    def __init__(self, device: Device, options: WorkerOptions) -> None:
        self.name = device.name
        self.state = "none"
        self.backoff = Backoff()
        self.job = b""
        self._device = device
        self._options = replace(options, share=device.share)
        self._child: Child | None = None
        self._since = 0.0
        self._asked: float | None = None  # when the job was asked to stop
        self._stand_in: Child | None = None
        self._leaving: list[Child] = []

    def spawn(self) -> None:
        """Start its process, if there is none and it is time."""
        if self._child is None and self.may_start():
            self._child = self._started()
            self.state = "starting" if self._child else "none"

    def _started(self) -> Child | None:
        name = f"glimpse3d worker {self.name}"
        try:
            child = Child(worker.main, name, self._device.environment, self._options)
        except OSError as error:  # no memory or no processes left
            self.backoff.failed(time.monotonic())
            log.error("the worker %s cannot be started: %s", self.name, error)
            return None
        self._since = time.monotonic()
        return child

    def may_start(self) -> bool:
        """Whether enough time went by since the last process that never got ready."""
        return time.monotonic() >= self.backoff.again

    def give(self, task: Task) -> None:
        """Hand a task to the process; without one it is lost."""
        self.state, self.job = "busy", task.job
        if self._child is None:
            return
        self._child.send({
            "type": "job", "job": task.job, "request": task.request,
            "uploads": {field: str(path) for field, path in task.uploads.items()},
            "folder": str(task.folder),
        })  # fmt: skip

    def cancel(self, by_force: bool) -> None:
        """Ask it to stop what it does, or end it."""
        assert self._child is not None
        if by_force:
            self._child.kill("was stopped")
        else:
            self._child.send({"type": "cancel", "job": self.job})
            self._asked = self._asked or time.monotonic()

    def retire(self) -> None:
        """End its process if that is idle."""
        if self._child is not None and self.state == "idle":
            self._child.kill("was not needed any more")
            self.state = "ending"

    def events(self) -> list[Event]:
        """What its process said, and whether it ended."""
        found: list[Event] = []
        self._look_after_stand_in()
        if self._child is None:
            return self._ended("could not be started") if self.job else found
        for data in self._child.receive():
            try:
                found += self._heard(reports.read(data))
            except reports.BadReportError as error:
                self._child.kill(f"was stopped, as it said something {error}")
        if self.state == "starting" and time.monotonic() - self._since > START_SECONDS:
            self._child.kill(f"was stopped, as it did not get ready in {START_SECONDS:.0f} s")
        if how := self._child.ended():
            found += self._ended(how)
        return found

    def _look_after_stand_in(self) -> None:
        """Have another process ready by the time at which this one is ended for not stopping."""
        self._leaving = [each for each in self._leaving if not each.ended()]
        asked = self._asked is not None and time.monotonic() - self._asked >= STAND_IN_SECONDS
        if asked and self._stand_in is None and self._options.warm:
            self._stand_in = self._started()
        if self._asked is None and self._stand_in is not None:  # it stopped after all
            self._stand_in.kill("was not needed")
            self._leaving.append(self._stand_in)
            self._stand_in = None

    def _heard(self, message: Event) -> list[Event]:
        kind = message["type"]
        if kind == "ready":
            self.backoff = Backoff()
            self.state = "busy" if self.job else "idle"
            return []
        if not self.job or message["job"] != self.job:
            raise reports.BadReportError("of a job that it does not have")
        if kind == "broken":
            assert self._child is not None
            self._child.kill(message["how"])
            return []
        if kind in reports.ENDS:
            self.state, self.job, self._asked = "idle", b"", None
        return [message]

    def _ended(self, how: str) -> list[Event]:
        job, was, self.job = self.job, self.state, b""
        self._child, self._stand_in, self._asked = self._stand_in, None, None
        self.state = "starting" if self._child else "none"
        if job:
            log.warning("the worker %s %s at job %s", self.name, how, job.hex())
            return [{"type": "lost", "job": job, "how": how, "counts": True}]
        if was != "ending":
            self.backoff.failed(time.monotonic())
            log.error("the worker %s %s while it was %s", self.name, how, was)
        return []

    def stop(self) -> None:
        """End its process, if there is one, and wait until it has."""
        for each in (self._child, self._stand_in, *self._leaving):
            if each is not None:
                each.close()
        self._child, self._stand_in, self.state, self.job = None, None, "none", b""

    def descriptor(self) -> int | None:
        """See ``Child.descriptor``."""
        return self._child.descriptor() if self._child else None

    def seen(self) -> WorkerState:
        """For people."""
        held = resident_bytes(self._child.identity) if self._child else 0
        return WorkerState(self.name, self.state, held)


class LocalExecutor:
    """See ``Executor``.

    Args:
        devices: one for each worker; none computes nothing, and fetches only.
        options: of the workers.
    """

    def __init__(self, devices: Sequence[Device], options: WorkerOptions) -> None:
        self._slots = [Slot(device, options) for device in devices]
        # Fetching needs no GPU and no packages: its process comes and goes.
        self._beside = Slot(Device("beside", {VISIBLE: ""}), replace(options, warm=False))

    @property
    def trouble(self) -> str:
        """See ``Executor``."""
        return "the computing process cannot start; see the server's log" if self.hopeless else ""

    @property
    def hopeless(self) -> bool:
        """See ``Executor``."""
        return bool(self._slots) and all(
            slot.state == "none" and slot.backoff.failures >= MAX_STARTS for slot in self._slots
        )

    def room(self, beside: bool) -> bool:
        """See ``Executor``."""
        if beside:
            return self._beside.state == "none" and self._beside.may_start()
        return any(slot.state == "idle" for slot in self._slots)

    def start(self, task: Task) -> None:
        """See ``Executor``."""
        if task.beside:
            self._beside.spawn()
            self._beside.give(task)
        else:
            next(slot for slot in self._slots if slot.state == "idle").give(task)

    def cancel(self, job: bytes, by_force: bool = False) -> None:
        """See ``Executor``."""
        for slot in (*self._slots, self._beside):
            if slot.job == job:
                slot.cancel(by_force)

    def events(self) -> list[Event]:
        """See ``Executor``."""
        found: list[Event] = []
        for slot in (*self._slots, self._beside):
            found += slot.events()
        for slot in self._slots:
            slot.spawn()
        self._beside.retire()
        return found

    def close(self) -> None:
        """See ``Executor``."""
        for slot in (*self._slots, self._beside):
            slot.stop()

    def workers(self) -> list[WorkerState]:
        """See ``Executor``."""
        return [slot.seen() for slot in self._slots]

    def descriptors(self) -> list[int]:
        """See ``Executor``."""
        found = (slot.descriptor() for slot in (*self._slots, self._beside))
        return [each for each in found if each is not None]
