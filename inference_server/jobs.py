"""What each request does: the queue, the one worker, and what is told of both.

Owns the rules between store, files and worker. Must not know sockets or frames. Nothing here
computes or waits; ``step`` does what is due.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgpack

from glimpse3d import __version__
from glimpse3d.errors import Glimpse3DError

from . import catalogue
from .artifacts import Artifacts
from .protocol import FINAL
from .store import MAX_ATTEMPTS, UPLOADS, Row, Store
from .worker import Worker

log = logging.getLogger(__name__)

CANCEL_SECONDS = 5.0  # a job that does not heed a cancel is ended with its process
MAX_STARTS = 3  # a worker that never gets ready is an error and not a loop
PAGE_BYTES = 48 * 1024


@dataclass(slots=True)
class _Live:
    """What is known of a running job beyond the store."""

    fraction: float = 0.0
    stage: str = ""
    note: str = ""
    preview: bytes = b""
    preview_seq: int = 0


class Jobs:
    """The jobs of all owners; an owner sees only their own.

    Args:
        store, artifacts, worker: what it rules over; the worker is started here.
    """

    def __init__(self, store: Store, artifacts: Artifacts, worker: Worker) -> None:
        self.worker = worker
        self._store = store
        self.artifacts = artifacts
        self._started = time.monotonic()
        self._seq = 0
        self._seqs: dict[bytes, int] = {}
        self._running: Row | None = None
        self._live = _Live()
        self._kill_at: float | None = None
        self._start_at = 0.0
        self._bad_starts = 0
        self._recover()

    def _recover(self) -> None:
        """After a start: whatever ran when the former server died is put back or given up."""
        for row in self._store.running():
            self._died(row, "was lost with the server")
        self.artifacts.clean(self._store.succeeded(), self._store.wanted())

    # requests

    def submit(self, owner: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Queue a job; the same id with the same request is the same job.

        Raises:
            Glimpse3DError: ``conflict``, ``missing_input``, ``disk_full``, or a wrong request.
        """
        request = {key: value for key, value in body.items() if not key.startswith("x_")}
        digest = hashlib.sha256(msgpack.packb(_sorted(request))).digest()
        known = self._store.get(request["job"])
        if known is not None:
            if (known.owner, known.digest) != (owner, digest):
                raise Glimpse3DError(
                    "conflict", "that job id is taken by another request", "take a new id"
                )
            return self.describe(known)
        catalogue.check_request(request)
        for field in UPLOADS:
            if field in request and not self.artifacts.held(owner, request[field])[1]:
                raise Glimpse3DError(
                    "missing_input", f"the job's {field} was not uploaded", "upload it first"
                )
        if not self.artifacts.has_room():
            raise Glimpse3DError(
                "disk_full", "the server's disk is almost full", "delete old jobs, or free space"
            )
        row = self._store.add(owner, digest, request)
        log.info("job %s queued: %s", row.id.hex(), row.kind)
        return self.describe(row)

    def get(self, owner: str, job: bytes, since: int = 0) -> tuple[dict[str, Any], bytes]:
        """A job, and its preview if that is newer than ``since``."""
        row = self._own(owner, job)
        running = self._running is not None and self._running.id == job
        fresh = running and self._live.preview_seq > since
        return self.describe(row), self._live.preview if fresh else b""

    def page(self, owner: str, after: int, limit: int) -> dict[str, Any]:
        """A page of an owner's jobs, newest first; fewer than asked if they are wordy."""
        rows, size, jobs = self._store.page(owner, after, limit + 1), 0, []
        for row in rows[:limit]:
            summary = _summary(row)
            size += len(msgpack.packb(summary))
            if size > PAGE_BYTES:
                break
            jobs.append(summary)
        more = len(jobs) < len(rows)
        return {"jobs": jobs, "next": rows[len(jobs) - 1].serial if more else 0}

    def cancel(self, owner: str, job: bytes) -> dict[str, Any]:
        """Stop a job; one that is finished stays as it is."""
        row = self._own(owner, job)
        if row.state not in FINAL and not row.cancel:
            self._store.ask_to_cancel(job)
            self._changed(job)
            if self._running is not None and self._running.id == job:
                self.worker.cancel(job)
                self._kill_at = time.monotonic() + CANCEL_SECONDS
        return self.describe(self._own(owner, job))

    def delete(self, owner: str, job: bytes) -> None:
        """Forget a finished job and its files.

        Raises:
            Glimpse3DError: ``conflict``, it is not finished.
        """
        if self._own(owner, job).state not in FINAL:
            raise Glimpse3DError("conflict", "the job is not finished", "cancel it first")
        self._store.delete(job)
        self.artifacts.remove_result(job)
        self._seqs.pop(job, None)

    def fetch(self, owner: str, body: Mapping[str, Any]) -> bytes:
        """A piece of a result's file.

        Raises:
            Glimpse3DError: ``not_ready``, ``not_found``.
        """
        row = self._own(owner, body["job"])
        if row.state != "succeeded":
            raise Glimpse3DError("not_ready", f"the job is {row.state}, it has no result")
        if not any(each["name"] == body["name"] for each in row.files):
            raise Glimpse3DError("not_found", "the result has no file of that name")
        return self.artifacts.read(row.id, body["name"], body["offset"], body["count"])

    def status(self) -> dict[str, Any]:
        """How the server is."""
        counts = self._store.counts()
        return {
            "server": __version__,
            "uptime": time.monotonic() - self._started,
            "queued": counts.get("queued", 0),
            "running": counts.get("running", 0),
            "finished": sum(counts.get(state, 0) for state in FINAL),
            "worker": self.worker.state,
            "disk_free": self.artifacts.free_bytes(),
        }

    def _own(self, owner: str, job: bytes) -> Row:
        row = self._store.get(job)
        if row is None or row.owner != owner:  # somebody else's is as unknown as none
            raise Glimpse3DError("not_found", "there is no such job", "it may have been deleted")
        return row

    def describe(self, row: Row) -> dict[str, Any]:
        """A job as messages carry it."""
        live = self._live if self._running and self._running.id == row.id else _Live()
        return {
            **_summary(row),
            "seq": self._seqs.get(row.id, 0),
            "fraction": 1.0 if row.state == "succeeded" else live.fraction,
            "stage": live.stage,
            "note": live.note,
            "ahead": self._store.ahead_of(row) if row.state == "queued" else 0,
            "cancelling": row.cancel and row.state == "running",
            "files": row.files,
        }

    # what is due

    def step(self) -> list[tuple[bytes, dict[str, Any], bytes]]:
        """Hear the worker, end what must end, hand out the next job.

        Returns:
            job, what to tell of it, and a new preview or nothing; one entry for each change.
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
        found = ((job, self._store.get(job), preview) for job, preview in changed.items())
        return [(job, self.describe(row), preview) for job, row, preview in found if row]

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
        self._running, self._live = row, _Live()
        request = row.request
        uploads = {
            field: str(self.artifacts.upload_path(row.owner, request[field]))
            for field in UPLOADS
            if field in request
        }
        folder = str(self.artifacts.result(row.id))
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


def _summary(row: Row) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "job": row.id, "kind": row.kind, "name": row.name, "state": row.state,
        "attempt": row.attempt, "created": row.created,
    }  # fmt: skip
    for name in ("started", "finished"):
        if getattr(row, name) is not None:
            summary[name] = getattr(row, name)
    if row.code is not None:
        summary["problem"] = {"code": row.code, "message": row.message, "hint": row.hint}
    return summary


def _sorted(value: Any) -> Any:
    """Maps in the order of their keys, so that equal requests have equal bytes."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value
