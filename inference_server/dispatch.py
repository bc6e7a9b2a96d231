"""The one worker, and who gets it next.

Owns the running job: what is known of it, its end, and the worker's life. Must not know requests
or owners. Nothing here computes or waits; ``step`` does what is due.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any

from glimpse3d.errors import Glimpse3DError

from .artifacts import Artifacts
from .store import MAX_ATTEMPTS, UPLOADS, Row, Store
from .worker import Worker

log = logging.getLogger(__name__)

CANCEL_SECONDS = 5.0  # a job that does not heed a cancel is ended with its process
MAX_STARTS = 3  # a worker that never gets ready is an error and not a loop


@dataclass(slots=True)
class Live:
    """What is known of a running job beyond the store."""

    fraction: float = 0.0
    stage: str = ""
    note: str = ""
    preview: bytes = b""
    preview_seq: int = 0


class Dispatcher:
    """Hands queued jobs to the worker, one at a time, and writes down how they end.

    Args:
        store, artifacts, worker: what it works with; the worker is started by ``step``.
    """

    def __init__(self, store: Store, artifacts: Artifacts, worker: Worker) -> None:
        self.worker = worker
        self._store = store
        self._artifacts = artifacts
        self._seq = 0
        self._seqs: dict[bytes, int] = {}
        self._running: Row | None = None
        self._live = Live()
        self._kill_at: float | None = None
        self._start_at = 0.0
        self._bad_starts = 0
        for row in self._store.running():
            self._died(row, "was lost with the server")

    def live(self, job: bytes) -> Live:
        """What is known of a job beyond the store; nothing, if it does not run."""
        return self._live if self._running and self._running.id == job else Live()

    def seq(self, job: bytes) -> int:
        """Grows with everything that happens to the job, as long as this server runs."""
        return self._seqs.get(job, 0)

    def forget(self, job: bytes) -> None:
        """The job was deleted."""
        self._seqs.pop(job, None)

    def cancel(self, job: bytes) -> None:
        """The store says that this job is to stop: see to it if it runs."""
        self._changed(job)
        if self._running is not None and self._running.id == job:
            self.worker.cancel(job)
            self._kill_at = time.monotonic() + CANCEL_SECONDS

    def step(self) -> dict[bytes, bytes]:
        """Hear the worker, end what must end, hand out the next job.

        Returns:
            jobs to which something happened, each with a new preview or nothing.
        """
        changed: dict[bytes, bytes] = {}
        for message in self.worker.receive():
            self._hear(message, changed)
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._kill_at = None
            self._hear({"type": "died", "how": self.worker.kill()}, changed)
        self._keep_worker(changed)
        if self.worker.state == "idle":
            self._hand_out(changed)
        return changed

    def _keep_worker(self, changed: dict[bytes, bytes]) -> None:
        if self.worker.state == "none" and time.monotonic() >= self._start_at:
            if self._bad_starts >= MAX_STARTS:
                self._give_up(changed)
            self.worker.start()

    def _give_up(self, changed: dict[bytes, bytes]) -> None:
        """The worker cannot start: say so to whoever waits."""
        while (row := self._store.claim()) is not None:
            problem = Glimpse3DError(
                "worker_lost", "the computing process cannot start", "see the server's log"
            )
            self._store.fail(row.id, problem)
            self._tell(row.id, changed)

    def _hand_out(self, changed: dict[bytes, bytes]) -> None:
        row = self._store.claim()
        if row is None:
            return
        self._running, self._live = row, Live()
        request = row.request
        uploads = {
            field: str(self._artifacts.upload_path(row.owner, request[field]))
            for field in UPLOADS
            if field in request
        }
        folder = str(self._artifacts.result(row.id))
        self.worker.give({"job": row.id, "request": request, "uploads": uploads, "folder": folder})
        log.info("job %s runs, attempt %d", row.id.hex(), row.attempt)
        self._tell(row.id, changed)

    def _hear(self, message: dict[str, Any], changed: dict[bytes, bytes]) -> None:
        kind, row = message["type"], self._running
        if kind == "ready":
            self._bad_starts = 0
        elif kind == "died":
            self._worker_died(message["how"], changed)
        elif row is not None and message["job"] == row.id:
            if kind == "progress":
                self._progress(row, message, changed)
            else:
                self._finish(row, message)
                self._tell(row.id, changed)

    def _progress(self, row: Row, message: dict[str, Any], changed: dict[bytes, bytes]) -> None:
        live = self._live
        live.fraction, live.stage = message["fraction"], message["stage"]
        live.note = message["note"]
        preview = message["preview"]
        self._tell(row.id, changed, preview)
        if preview:
            live.preview, live.preview_seq = preview, self._seqs[row.id]

    def _finish(self, row: Row, message: dict[str, Any]) -> None:
        self._running, self._kill_at = None, None
        if message["type"] == "done":
            self._store.succeed(row.id, message["files"])
        elif message["type"] == "cancelled":
            self._store.cancelled(row.id)
        else:
            error = Glimpse3DError(
                message["code"], message["message"][:2000], message["hint"][:2000]
            )
            self._store.fail(row.id, error)
        log.info("job %s: %s", row.id.hex(), message["type"])

    def _worker_died(self, how: str, changed: dict[bytes, bytes]) -> None:
        row, self._running, self._kill_at = self._running, None, None
        if row is None:
            self._bad_starts += 1
            self._start_at = time.monotonic() + min(30.0, 0.5 * 2**self._bad_starts)
            log.error("the worker process %s before it was ready", how)
            return
        current = self._store.get(row.id)
        if current is not None:
            log.warning("the worker process %s at job %s", how, row.id.hex())
            self._died(current, how)
            self._tell(row.id, changed)

    def _died(self, row: Row, how: str) -> None:
        if row.cancel:
            self._store.cancelled(row.id)
        elif row.attempt < MAX_ATTEMPTS:
            self._store.put_back(row.id)
        else:
            self._store.fail(row.id, Glimpse3DError(
                "worker_lost",
                f"the computing process {how}, {row.attempt} times at this job",
                "take a smaller preset: most often the memory was too small; see the server's log",
            ))  # fmt: skip

    def stop(self) -> None:
        """End the worker; a running job waits for the next start and loses no attempt."""
        self.worker.kill()
        for row in self._store.running():
            if row.cancel:
                self._store.cancelled(row.id)
            else:
                self._store.put_back(row.id, counts=False)

    def _changed(self, job: bytes) -> None:
        self._seq += 1
        self._seqs[job] = self._seq

    def _tell(self, job: bytes, changed: dict[bytes, bytes], preview: bytes = b"") -> None:
        self._changed(job)
        changed[job] = preview or changed.get(job, b"")
