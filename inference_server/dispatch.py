"""Who computes next, and what becomes of it.

Owns the running jobs: what is known of them, patience with them, attempts, and their ends. Must not
know requests, owners or processes. Nothing here computes or waits; ``step`` does what is due.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import Any

from glimpse3d.errors import Glimpse3DError

from .artifacts import Artifacts
from .executors.interface import BESIDE, Event, Executor, Task
from .store import MAX_ATTEMPTS, UPLOADS, Row, Store, StoreError

log = logging.getLogger(__name__)

LANES = (False, True)  # among the workers, and beside them
PAUSE_SECONDS = 1.0  # between two tries to write to a disk that takes nothing


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a job may say nothing.

    Attributes:
        cancel: seconds that it has to heed a cancel before its process is ended.
        stall: seconds between two reports before its process is ended.
    """

    cancel: float = 2.0
    stall: float = 900.0


DEFAULT_PATIENCE = Patience()


@dataclass(slots=True)
class Live:
    """What is known of a running job beyond the store."""

    fraction: float = 0.0
    stage: str = ""
    note: str = ""
    preview: bytes = b""
    preview_seq: int = 0


@dataclass(slots=True)
class Running:
    """A job that an executor has.

    Attributes:
        row: as it was claimed.
        heard: monotonic seconds of its last report.
        kill_at: when a cancel becomes one by force, or None.
        stalled: it was ended because it said nothing.
    """

    row: Row
    heard: float
    live: Live = field(default_factory=Live)
    kill_at: float | None = None
    stalled: bool = False


class Dispatcher:
    """Hands queued jobs to the executor, oldest first, and writes down how they end.

    Args:
        store, artifacts, executor: what it works with.
        patience: with jobs that say nothing.

    Attributes:
        draining: no job is handed out any more.
    """

    def __init__(
        self,
        store: Store,
        artifacts: Artifacts,
        executor: Executor,
        patience: Patience = DEFAULT_PATIENCE,
    ) -> None:
        self.executor = executor
        self.draining = False
        self._patience = patience
        self._store = store
        self._artifacts = artifacts
        self._seq = 0
        self._seqs: dict[bytes, int] = {}
        self._running: dict[bytes, Running] = {}
        self._trouble = ""
        self._unheard: list[Event] = []  # what happened and could not be written down yet
        self._again_at = 0.0
        self._stuck = ""  # what the disk said at the last try
        for row in self._store.running():
            self._lost(row, "was lost with the server")

    def live(self, job: bytes) -> Live:
        """What is known of a job beyond the store; nothing, if it does not run."""
        return self._running[job].live if job in self._running else Live()

    def seq(self, job: bytes) -> int:
        """Grows with everything that happens to the job, as long as this server runs."""
        return self._seqs.get(job, 0)

    def forget(self, job: bytes) -> None:
        """The job was deleted."""
        self._seqs.pop(job, None)

    def cancel(self, job: bytes) -> None:
        """The store says that this job is to stop: see to it if it runs."""
        self._changed(job)
        if job in self._running:
            self.executor.cancel(job)
            self._running[job].kill_at = time.monotonic() + self._patience.cancel

    @property
    def busy(self) -> bool:
        """Whether anything is computed; what fetches goes on later where it was."""
        return any(running.row.kind not in BESIDE for running in self._running.values())

    def step(self) -> dict[bytes, bytes]:
        """Hear the executor, end what must end, hand out the next jobs.

        Returns:
            jobs to which something happened, each with a new preview or nothing.
        """
        changed: dict[bytes, bytes] = {}
        self._unheard += self.executor.events()
        self._end_overdue(time.monotonic())
        if time.monotonic() < self._again_at:
            return changed
        try:
            self._do_due(changed)
            self._stuck = ""
        except StoreError as error:  # nothing is lost: it is tried again, and not said before
            log.error("%s", error)
            self._again_at, self._stuck = time.monotonic() + PAUSE_SECONDS, error.message
        return changed

    @property
    def trouble(self) -> str:
        """Why nothing can begin or end now; empty if all is well."""
        return self._stuck or self.executor.trouble

    def _do_due(self, changed: dict[bytes, bytes]) -> None:
        while self._unheard:
            self._hear(self._unheard[0], changed)
            self._unheard.pop(0)
        self._heed_trouble(changed)
        for beside in LANES:
            while not self.draining and self.executor.room(beside):
                if not self._hand_out(beside, changed):
                    break

    def _end_overdue(self, now: float) -> None:
        for job, running in self._running.items():
            if running.kill_at is not None and now >= running.kill_at:
                running.kill_at = None
                self.executor.cancel(job, by_force=True)
            if now - running.heard >= self._patience.stall and not running.stalled:
                log.warning("job %s said nothing for %g s", job.hex(), self._patience.stall)
                running.stalled = True
                self.executor.cancel(job, by_force=True)

    def _heed_trouble(self, changed: dict[bytes, bytes]) -> None:
        """Who waits is told why; where there is no hope, that it is over."""
        if self.executor.hopeless and not self.draining:
            while (row := self._store.claim()) is not None:
                problem = Glimpse3DError("worker_lost", self.executor.trouble, "restart the server")
                self._store.fail(row.id, problem)
                self._tell(row.id, changed)
        if self.executor.trouble != self._trouble:
            self._trouble = self.executor.trouble
            log.warning("%s", self._trouble or "the workers can be reached again")
            for job in self._store.queued():
                self._tell(job, changed)

    def _hand_out(self, beside: bool, changed: dict[bytes, bytes]) -> bool:
        row = self._store.claim(beside)
        if row is None:
            return False
        uploads = {
            name: self._artifacts.upload_path(row.owner, row.request[name])
            for name in UPLOADS
            if name in row.request
        }
        self._running[row.id] = Running(row, time.monotonic())
        self.executor.start(Task(row.id, row.request, uploads, self._artifacts.result(row.id)))
        log.info("job %s runs, attempt %d", row.id.hex(), row.attempt)
        self._tell(row.id, changed)
        return True

    def _hear(self, event: Event, changed: dict[bytes, bytes]) -> None:
        running = self._running.get(event["job"])
        if running is None:
            return
        running.heard = time.monotonic()
        if event["type"] == "progress":
            self._progress(running, event, changed)
            return
        if event["type"] == "lost":
            current = self._store.get(running.row.id)
            if current is not None:
                self._lost(current, event["how"], running.stalled, event["counts"])
        else:
            self._finish(running.row, event)
        del self._running[event["job"]]  # only now: until it is written down it is not over
        self._tell(running.row.id, changed)

    def _progress(self, running: Running, event: Event, changed: dict[bytes, bytes]) -> None:
        live, job = running.live, running.row.id
        live.fraction, live.stage, live.note = event["fraction"], event["stage"], event["note"]
        self._tell(job, changed, event["preview"])
        if event["preview"]:
            live.preview, live.preview_seq = event["preview"], self._seqs[job]

    def _finish(self, row: Row, event: Event) -> None:
        if event["type"] == "done":
            self._store.succeed(row.id, event["files"], event["warning"])
        elif event["type"] == "cancelled":
            self._store.cancelled(row.id)
        else:
            error = Glimpse3DError(event["code"], event["message"][:2000], event["hint"][:2000])
            self._store.fail(row.id, error)
        log.info("job %s: %s", row.id.hex(), event["type"])

    def _lost(self, row: Row, how: str, stalled: bool = False, counts: bool = True) -> None:
        """Its process is gone: cancelled, again, or the end of its attempts."""
        self._artifacts.remove_result(row.id)  # it may have died between two files
        if row.cancel:
            self._store.cancelled(row.id)
        elif row.attempt < MAX_ATTEMPTS or not counts:
            log.warning("job %s: its process %s; it waits again", row.id.hex(), how)
            self._store.put_back(row.id, counts)
        else:
            self._store.fail(row.id, _given_up(row, how, stalled, self._patience))

    def stop(self) -> None:
        """End the executor; jobs that run wait for the next start and lose no attempt."""
        self.executor.close()
        self._running.clear()
        try:
            for row in self._store.running():
                if row.cancel:
                    self._store.cancelled(row.id)
                else:
                    self._store.put_back(row.id, counts=False)
        except StoreError as error:
            log.error("jobs that run are put back at the next start: %s", error)

    def workers(self) -> list[dict[str, Any]]:
        """How each worker is, as the protocol tells it."""
        return [
            {"name": each.name, "state": each.state, "memory": each.memory}
            for each in self.executor.workers()
        ]

    def _changed(self, job: bytes) -> None:
        self._seq += 1
        self._seqs[job] = self._seq

    def _tell(self, job: bytes, changed: dict[bytes, bytes], preview: bytes = b"") -> None:
        self._changed(job)
        changed[job] = preview or changed.get(job, b"")


def _given_up(row: Row, how: str, stalled: bool, patience: Patience) -> Glimpse3DError:
    if stalled:
        return Glimpse3DError(
            "stalled",
            f"the job said nothing for {patience.stall:g} seconds, {row.attempt} times",
            "take a smaller preset, or let the server wait longer with serve --stall",
        )
    return Glimpse3DError(
        "worker_lost",
        f"the computing process {how}, {row.attempt} times at this job",
        "take a smaller preset: most often the memory was too small; see the server's log",
    )
