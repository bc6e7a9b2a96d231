"""The queue and the history of jobs, on disk before anybody is told.

Owns the database and what a restart makes of it. Must not know files of results, sockets or
processes. A call that changes something returns after its COMMIT (WAL, synchronous FULL).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack

from glimpse3d.errors import Glimpse3DError

from .executors.interface import BESIDE

VERSION = 2
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_BAD = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BESIDE = ", ".join(f"'{kind}'" for kind in BESIDE)
MAX_ATTEMPTS = 3

_SCHEMA = """
CREATE TABLE jobs (
    serial INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    digest BLOB NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    request BLOB NOT NULL,
    state TEXT NOT NULL,
    cancel INTEGER NOT NULL DEFAULT 0,
    attempt INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL,
    started REAL,
    finished REAL,
    code TEXT, message TEXT, hint TEXT,
    files BLOB,
    size INTEGER NOT NULL DEFAULT 0,
    delivered REAL
);
CREATE INDEX jobs_by_state ON jobs (state, serial);
CREATE INDEX jobs_by_owner ON jobs (owner, serial);
"""

# What brings a database of that version to the next one; sizes are counted from the lists of files.
_MIGRATIONS = {
    1: (
        "ALTER TABLE jobs ADD COLUMN size INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE jobs ADD COLUMN delivered REAL",
    ),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One job as it stands on disk."""

    serial: int
    id: bytes
    owner: str
    digest: bytes
    kind: str
    name: str
    request: dict[str, Any]
    state: str
    cancel: bool
    attempt: int
    created: float
    started: float | None
    finished: float | None
    code: str | None
    message: str | None
    hint: str | None
    files: list[dict[str, Any]]
    size: int
    delivered: float | None


class StoreError(Glimpse3DError):
    """The disk does not take a change; nothing of it was done, and it may be tried again."""


class Store:
    """The database of one server; a second server on the same file is refused.

    Args:
        path: of the database.

    Raises:
        Glimpse3DError: another server uses the file, it is damaged, of a newer version, or the disk
            does not take it.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        try:
            self._open()
        except sqlite3.Error as error:
            raise _refusal(error, str(path), str(path.parent)) from error

    def _open(self) -> None:
        # A file of its own is the lock against a second server, so that a backup can read this one.
        self._lock = sqlite3.connect(
            self._path.with_suffix(".lock"), timeout=1.0, isolation_level=None
        )
        self._lock.execute("BEGIN EXCLUSIVE")  # until close, or the end of the process
        self._base = sqlite3.connect(self._path, timeout=1.0, isolation_level=None)
        self._base.row_factory = sqlite3.Row
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            self._base.execute(f"PRAGMA {pragma}")
        for (found,) in self._base.execute("PRAGMA quick_check(1)"):
            if found != "ok":
                raise _damaged(str(self._path), found)
        with self._change():
            self._migrate()

    def _migrate(self) -> None:
        (version,) = self._base.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise Glimpse3DError(
                "bad_file",
                f"{self._path} was written by a newer Glimpse3D",
                "update this one, or give it another folder with --data",
            )
        if version == 0:
            for statement in _SCHEMA.split(";"):
                self._base.execute(statement)
        elif version < VERSION:
            for older in range(version, VERSION):
                for statement in _MIGRATIONS[older]:
                    self._base.execute(statement)
            self._count_sizes()
        self._base.execute(f"PRAGMA user_version = {VERSION}")

    def _count_sizes(self) -> None:
        found = self._base.execute("SELECT serial, files FROM jobs WHERE files IS NOT NULL")
        for serial, files in found.fetchall():
            total = _total(msgpack.unpackb(files))
            self._base.execute("UPDATE jobs SET size = ? WHERE serial = ?", (total, serial))

    @contextmanager
    def _change(self) -> Iterator[None]:
        try:
            self._base.execute("BEGIN IMMEDIATE")
            yield
            self._base.execute("COMMIT")
        except BaseException as error:
            if self._base.in_transaction:  # of a full disk SQLite goes back by itself
                self._base.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise _refusal(error) from error  # strangers read it: no path
            raise

    def close(self) -> None:
        """Write the log back into the file and let go of it."""
        self._base.close()
        self._lock.close()

    def synchronous(self) -> int:
        """SQLite's own word on durability; 2 is FULL."""
        (level,) = self._base.execute("PRAGMA synchronous").fetchone()
        return int(level)

    def add(self, owner: str, digest: bytes, request: Mapping[str, Any]) -> Row:
        """Queue a job. It is on disk when this returns."""
        packed = msgpack.packb(dict(request), use_bin_type=True)
        values = (request["job"], owner, digest, request["kind"], request.get("name", ""), packed)
        with self._change():
            self._base.execute(
                "INSERT INTO jobs (id, owner, digest, kind, name, request, state, created)"
                " VALUES (?, ?, ?, ?, ?, ?, 'queued', ?)",
                (*values, time.time()),
            )
        row = self.get(request["job"])
        assert row is not None
        return row

    def get(self, job: bytes) -> Row | None:
        """One job, or None."""
        return self._one("SELECT * FROM jobs WHERE id = ?", job)

    def page(self, owner: str, after: int, limit: int) -> list[Row]:
        """An owner's jobs, newest first, older than the serial ``after``; 0 is the newest."""
        found = self._base.execute(
            "SELECT * FROM jobs WHERE owner = ? AND (? = 0 OR serial < ?)"
            " ORDER BY serial DESC LIMIT ?",
            (owner, after, after, limit),
        )
        return [_row(each) for each in found]

    def claim(self, beside: bool | None = None) -> Row | None:
        """The oldest queued job, now running, or None.

        Args:
            beside: of those that run beside the workers, of the others, or of all (None).
        """
        with self._change():
            return self._one(
                "UPDATE jobs SET state = 'running', attempt = attempt + 1, started = ?"
                " WHERE serial = (SELECT min(serial) FROM jobs WHERE state = 'queued'"
                " AND (? IS NULL OR (kind IN (" + _BESIDE + ")) = ?)) RETURNING *",
                time.time(), beside, beside,
            )  # fmt: skip

    def queued(self) -> list[bytes]:
        """The ids of jobs that wait, oldest first."""
        return [each["id"] for each in self._base.execute(_IN_STATE, ("queued",))]

    def ask_to_cancel(self, job: bytes) -> None:
        """Queued becomes cancelled; running is marked, so that a restart knows; else nothing."""
        with self._change():
            self._base.execute(
                "UPDATE jobs SET state = 'cancelled', finished = ?"
                " WHERE id = ? AND state = 'queued'",
                (time.time(), job),
            )
            self._base.execute(
                "UPDATE jobs SET cancel = 1 WHERE id = ? AND state = 'running'", (job,)
            )

    def succeed(self, job: bytes, files: list[dict[str, Any]], warning: str = "") -> None:
        """A running job's files stand in place; ``warning`` is what is to be said of them."""
        packed = msgpack.packb(files, use_bin_type=True)
        said = {"message": warning} if warning else {}
        self._finish(job, "succeeded", files=packed, size=_total(files), **said)

    def fail(self, job: bytes, error: Glimpse3DError) -> None:
        """A running job ended with an error."""
        self._finish(job, "failed", code=error.code, message=error.message, hint=error.hint)

    def cancelled(self, job: bytes) -> None:
        """A running job stopped because it was asked to."""
        self._finish(job, "cancelled")

    def _finish(self, job: bytes, state: str, **values: Any) -> None:
        columns = {"state": state, "finished": time.time(), **values}
        names = ", ".join(f"{name} = ?" for name in columns)
        with self._change():
            self._base.execute(
                f"UPDATE jobs SET {names} WHERE id = ? AND state = 'running'",
                (*columns.values(), job),
            )

    def put_back(self, job: bytes, counts: bool = True) -> None:
        """A running job waits again; it keeps its place, as it is older than the rest.

        Args:
            job: its id.
            counts: False gives the attempt back, as when the server was stopped on purpose.
        """
        with self._change():
            self._base.execute(
                "UPDATE jobs SET state = 'queued', started = NULL, attempt = attempt - ?"
                " WHERE id = ? AND state = 'running'",
                (0 if counts else 1, job),
            )

    def running(self) -> list[Row]:
        """Jobs that run, or ran when a former server died."""
        return [_row(each) for each in self._base.execute(_IN_STATE, ("running",))]

    def delete(self, job: bytes) -> None:
        """Forget a job."""
        with self._change():
            self._base.execute("DELETE FROM jobs WHERE id = ?", (job,))

    def ahead_of(self, row: Row) -> int:
        """Jobs that come before a queued one."""
        (count,) = self._base.execute(
            "SELECT count(*) FROM jobs WHERE serial < ? AND state IN ('queued', 'running')",
            (row.serial,),
        ).fetchone()
        return int(count)

    def unfinished(self, owner: str) -> int:
        """How many jobs of an owner wait or run."""
        (count,) = self._base.execute(
            "SELECT count(*) FROM jobs WHERE owner = ? AND state IN ('queued', 'running')", (owner,)
        ).fetchone()
        return int(count)

    def kept_bytes(self, owner: str) -> int:
        """The size of all results of an owner."""
        (total,) = self._base.execute(
            "SELECT coalesce(sum(size), 0) FROM jobs WHERE owner = ?", (owner,)
        ).fetchone()
        return int(total)

    def deliver(self, job: bytes) -> None:
        """The whole result was fetched; the first time counts."""
        with self._change():
            self._base.execute(
                "UPDATE jobs SET delivered = ? WHERE id = ? AND delivered IS NULL",
                (time.time(), job),
            )

    def finished(self) -> list[Row]:
        """Jobs in a final state, oldest first."""
        found = self._base.execute(
            "SELECT * FROM jobs WHERE finished IS NOT NULL"
            " AND state NOT IN ('queued', 'running') ORDER BY finished, serial"
        )
        return [_row(each) for each in found]

    def counts(self) -> dict[str, int]:
        """State -> how many jobs."""
        return dict(self._base.execute("SELECT state, count(*) FROM jobs GROUP BY state"))

    def longest_wait(self, now: float) -> float:
        """Seconds since the oldest job that waits was submitted; 0 if none does."""
        (oldest,) = self._base.execute(
            "SELECT min(created) FROM jobs WHERE state = 'queued'"
        ).fetchone()
        return max(now - oldest, 0.0) if oldest is not None else 0.0

    def succeeded(self) -> set[bytes]:
        """The ids of jobs whose results must be kept."""
        return {each["id"] for each in self._base.execute(_IN_STATE, ("succeeded",))}

    def wanted(self) -> set[bytes]:
        """The hashes of uploads that waiting jobs name."""
        rows = [each for state in ("queued", "running")
                for each in self._base.execute(_IN_STATE, (state,))]  # fmt: skip
        requests = [_row(each).request for each in rows]
        return {each[field] for each in requests for field in UPLOADS if field in each}

    def _one(self, statement: str, *values: Any) -> Row | None:
        found = self._base.execute(statement, values).fetchone()
        return _row(found) if found else None


def _damaged(file: str, how: object) -> StoreError:
    hint = "restore it from a backup, or move it away to start with an empty queue"
    return StoreError("bad_file", f"{file} is damaged: {how}", hint)


def _refusal(
    error: sqlite3.Error, file: str = "the server's database", folder: str = "the server's folder"
) -> StoreError:
    """What SQLite says, in our words; its own have no names for whose fault it is."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without its subdivisions
    if code in _BAD:
        return _damaged(file, error)
    if code in _BUSY:
        return StoreError(
            "conflict",
            f"another server uses {folder}: {error}",
            "stop it, or give this one a folder of its own with --data",
        )
    if code == sqlite3.SQLITE_FULL:
        return StoreError("disk_full", f"the server's disk is full: {error}", "free space there")
    return StoreError(
        "output_failed",
        f"{file} cannot be written: {error}",
        "see that its user may write there, or give it another one with --data",
    )


UPLOADS = ("image", "mask", "mesh")


def _total(files: list[dict[str, Any]]) -> int:
    return sum(file["size"] for file in files)


def read_rows(base: sqlite3.Connection) -> list[Row]:
    """All jobs of a database that no server uses, oldest first."""
    base.row_factory = sqlite3.Row
    return [_row(each) for each in base.execute("SELECT * FROM jobs ORDER BY serial")]


_IN_STATE = "SELECT * FROM jobs WHERE state = ? ORDER BY serial"


def _row(found: sqlite3.Row) -> Row:
    values = dict(found)
    values["request"] = msgpack.unpackb(values["request"])
    values["files"] = msgpack.unpackb(values["files"]) if values["files"] else []
    values["cancel"] = bool(values["cancel"])
    return Row(**values)
