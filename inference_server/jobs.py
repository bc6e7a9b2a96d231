"""What each request does, and what is told of a job.

Owns the rules between owners, store and files. Must not know sockets, frames or processes.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping
from typing import Any

import msgpack

from glimpse3d import __version__
from glimpse3d.errors import Glimpse3DError

from . import catalogue
from .artifacts import Artifacts
from .dispatch import Dispatcher
from .memory import resident_bytes
from .protocol import FINAL
from .quotas import Quotas, busy
from .retention import Retention, expired
from .store import UPLOADS, Row, Store, StoreError

log = logging.getLogger(__name__)

PAGE_BYTES = 48 * 1024
_RETRY_SECONDS = 10.0
_TIDY_SECONDS = 60.0
_UPLOADS_SECONDS = 3600.0


class Jobs:
    """The jobs of all owners; an owner sees only their own.

    Args:
        store, artifacts, dispatcher: what it rules over.
        quotas: of everyone but the local user.
        retention: of what is finished.
    """

    def __init__(
        self,
        store: Store,
        artifacts: Artifacts,
        dispatcher: Dispatcher,
        quotas: Quotas,
        retention: Retention,
    ) -> None:
        self.quotas = quotas
        self._retention = retention
        self._tidy_at = 0.0
        self._tidy_uploads_at = time.monotonic() + _UPLOADS_SECONDS
        self.dispatcher = dispatcher
        self.artifacts = artifacts
        self._store = store
        self._started = time.monotonic()
        artifacts.clean(store.succeeded(), store.wanted())

    def submit(self, owner: str, body: Mapping[str, Any], local: bool = True) -> dict[str, Any]:
        """Queue a job; the same id with the same request is the same job.

        Args:
            owner: whose it is.
            body: of the request.
            local: the owner is the user whose machine this is, and has no quota.

        Raises:
            Glimpse3DError: ``conflict``, ``missing_input``, ``disk_full``, or a wrong request.
            WireError: ``busy``, the owner has as many jobs as one may, or the server stops.
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
        if self.dispatcher.draining:
            raise busy("this server is being stopped", _RETRY_SECONDS)
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
        if not local:
            self._check_count(owner)
            self._check_bytes(owner)
        row = self._store.add(owner, digest, request)
        log.info("job %s queued: %s", row.id.hex(), row.kind)
        return self.describe(row)

    def _check_count(self, owner: str) -> None:
        if self._store.unfinished(owner) >= self.quotas.jobs:
            raise busy(f"this key has {self.quotas.jobs} unfinished jobs, which is as many as"
                       " the server takes", _RETRY_SECONDS)  # fmt: skip

    def _check_bytes(self, owner: str) -> None:
        kept = self._store.kept_bytes(owner) + self.artifacts.uploaded_bytes(owner)
        if kept >= self.quotas.bytes:
            raise Glimpse3DError(
                "disk_full",
                f"the files of this key take {kept / 2**30:.1f} GiB on the server's disk,"
                f" of {self.quotas.bytes / 2**30:.1f} that it may have",
                "delete old jobs, then try again",
            )

    def put(
        self, owner: str, body: dict[str, Any], blob: bytes, local: bool = True
    ) -> tuple[int, bool]:
        """Add a piece of an upload; see ``Artifacts.put``, and ``submit`` for quotas."""
        if not local:
            self._check_bytes(owner)
        return self.artifacts.put(owner, body, blob)

    def get(self, owner: str, job: bytes, since: int = 0) -> tuple[dict[str, Any], bytes]:
        """A job, and its preview if that is newer than ``since``."""
        row = self._own(owner, job)
        live = self.dispatcher.live(job)
        return self.describe(row), live.preview if live.preview_seq > since else b""

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
            self.dispatcher.cancel(job)
        return self.describe(self._own(owner, job))

    def delete(self, owner: str, job: bytes) -> None:
        """Forget a finished job and its files.

        Raises:
            Glimpse3DError: ``conflict``, it is not finished.
        """
        if self._own(owner, job).state not in FINAL:
            raise Glimpse3DError("conflict", "the job is not finished", "cancel it first")
        self._forget(job)

    def _forget(self, job: bytes) -> None:
        self._store.delete(job)
        self.artifacts.remove_result(job)
        self.dispatcher.forget(job)

    def _tidy(self) -> None:
        """Once a minute: forget what is expired."""
        if time.monotonic() < self._tidy_at:
            return
        self._tidy_at = time.monotonic() + _TIDY_SECONDS
        for row in expired(self._store.finished(), self._retention, time.time()):
            log.info("job %s is forgotten, with %d bytes", row.id.hex(), row.size)
            self._forget(row.id)
        if time.monotonic() >= self._tidy_uploads_at:
            self._tidy_uploads_at = time.monotonic() + _UPLOADS_SECONDS
            self.artifacts.tidy(self._store.wanted())

    def fetch(self, owner: str, body: Mapping[str, Any]) -> bytes:
        """A piece of a result's file.

        Raises:
            Glimpse3DError: ``not_ready``, ``not_found``.
        """
        row = self._own(owner, body["job"])
        if row.state != "succeeded":
            raise Glimpse3DError("not_ready", f"the job is {row.state}, it has no result")
        file = next((each for each in row.files if each["name"] == body["name"]), None)
        if file is None:
            raise Glimpse3DError("not_found", "the result has no file of that name")
        piece = self.artifacts.read(row.id, body["name"], body["offset"], body["count"])
        whole = body["offset"] + len(piece) >= file["size"]
        last = row.files[-1]["name"]  # clients fetch in the order of the list
        if whole and body["name"] == last and row.delivered is None:
            self._deliver(row.id)
        return piece

    def _deliver(self, job: bytes) -> None:
        try:
            self._store.deliver(job)
        except StoreError as error:  # who has no disk may read all the same
            log.error("that job %s was fetched is not written down: %s", job.hex(), error)

    def status(self) -> dict[str, Any]:
        """How the server is."""
        workers = self.dispatcher.workers()
        counts = self._store.counts()
        return {
            "server": __version__,
            "uptime": time.monotonic() - self._started,
            "queued": counts.get("queued", 0),
            "running": counts.get("running", 0),
            "finished": sum(counts.get(state, 0) for state in FINAL),
            "worker": _overall([each["state"] for each in workers]),
            "workers": workers,
            "trouble": self.dispatcher.trouble[:2000],
            "disk_free": self.artifacts.free_bytes(),
            "waited": self._store.longest_wait(time.time()),
            "memory": resident_bytes(),
        }

    def _own(self, owner: str, job: bytes) -> Row:
        row = self._store.get(job)
        if row is None or row.owner != owner:  # somebody else's is as unknown as none
            raise Glimpse3DError("not_found", "there is no such job", "it may have been deleted")
        return row

    def describe(self, row: Row) -> dict[str, Any]:
        """A job as messages carry it."""
        live = self.dispatcher.live(row.id)
        waits = row.state == "queued"
        said = {"warning": row.message} if row.state == "succeeded" and row.message else {}
        return {
            **_summary(row),
            "seq": self.dispatcher.seq(row.id),
            "fraction": 1.0 if row.state == "succeeded" else live.fraction,
            "stage": live.stage,
            "note": self.dispatcher.trouble[:200] if waits else live.note,
            "ahead": self._store.ahead_of(row) if waits else 0,
            "cancelling": row.cancel and row.state == "running",
            "files": row.files,
            **said,
        }

    def step(self) -> list[tuple[bytes, dict[str, Any], bytes]]:
        """Do what is due.

        Returns:
            job, what to tell of it, and a new preview or nothing; one entry for each change.
        """
        try:
            self._tidy()
        except StoreError as error:  # in a minute again
            log.error("%s", error)
        changed = self.dispatcher.step()
        found = ((job, self._store.get(job), preview) for job, preview in changed.items())
        return [(job, self.describe(row), preview) for job, row, preview in found if row]


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


def _overall(states: list[str]) -> str:
    """One word for all workers: the most hopeful one."""
    found = (state for state in ("idle", "busy", "starting") if state in states)
    return next(found, "none")


def _sorted(value: Any) -> Any:
    """Maps in the order of their keys, so that equal requests have equal bytes."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value
