"""A copy of a server's data folder, taken while the server runs.

Owns the order in which things are copied, and the proof of every file. Must not know sockets or
processes. A copy is itself a data folder: a server started on it goes on from there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from glimpse3d.errors import Glimpse3DError
from glimpse3d.export.folder import output_errors
from glimpse3d.progress import Progress

from .artifacts import Artifacts
from .durable import sync_names
from .store import UPLOADS, Row, read_rows

DATABASE, KEYS = "jobs.sqlite3", "keys"


@dataclass(frozen=True, slots=True)
class Copied:
    """What a backup holds.

    Attributes:
        jobs: in the queue and the history.
        files: of results and of pictures that wait, in bytes ``bytes``.
        gone: jobs that were deleted while the copy was made, and are not in it.
    """

    jobs: int
    files: int
    bytes: int
    gone: int


def back_up(data: Path, target: Path, progress: Progress) -> Copied:
    """Copy a data folder to ``target``, whole or not at all.

    The database first, by SQLite's own means, as of one moment; then the files that it names,
    each held against its size and SHA-256; then the keys.

    Args:
        data: the server's folder.
        target: a folder that is not there yet.
        progress: reports and cancels.

    Raises:
        Glimpse3DError: ``bad_file``, there is no server's data, or a file is damaged;
            ``output_failed``, ``disk_full``, the copy cannot be written.
        Cancelled: ``progress`` was told to stop.
    """
    if not (data / DATABASE).is_file():
        raise Glimpse3DError("bad_file", f"{data} is not a server's data folder", "name it: --data")
    if target.exists():
        raise Glimpse3DError("output_failed", f"{target} is there already", "name a new folder")
    new = target.with_name(f".{target.name}.{os.urandom(4).hex()}.part")
    try:
        with output_errors(target):
            new.mkdir(mode=0o700, parents=True)
            _copy_database(data / DATABASE, new / DATABASE)
            copied = _copy_files(data, new, progress)
            _copy_keys(data / KEYS, new / KEYS)
            sync_names(new)
            new.rename(target)
            sync_names(target.parent)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    return copied


def _copy_database(source: Path, target: Path) -> None:
    try:
        address = f"{source.absolute().as_uri()}?mode=ro"
        with (
            closing(sqlite3.connect(address, uri=True, timeout=10.0)) as read,
            closing(sqlite3.connect(target)) as written,
        ):
            read.backup(written)
    except sqlite3.Error as error:
        raise Glimpse3DError(
            "bad_file", f"{source} cannot be read: {error}", "see its log"
        ) from error
    target.chmod(0o600)


def _copy_files(data: Path, new: Path, progress: Progress) -> Copied:
    """The results of jobs that succeeded, and the uploads of those that wait."""
    here, there = Artifacts(data), Artifacts(new)
    with closing(sqlite3.connect(new / DATABASE)) as base:
        rows = read_rows(base)
        _check_room(rows, new)
        files = size = gone = 0
        for row in progress.track(rows, "copying"):
            try:
                copied = _copy_result(row, here, there) + _copy_uploads(row, here, there)
            except FileNotFoundError:  # deleted meanwhile: the row goes first, then the files
                shutil.rmtree(there.result(row.id), ignore_errors=True)
                base.execute("DELETE FROM jobs WHERE id = ?", (row.id,))
                gone += 1
                continue
            files, size = files + len(copied), size + sum(copied)
        base.commit()
    return Copied(len(rows) - gone, files, size, gone)


def _check_room(rows: Iterable[Row], new: Path) -> None:
    needed, free = sum(row.size for row in rows), shutil.disk_usage(new).free
    if needed > free:
        raise Glimpse3DError(
            "disk_full", f"the results take {needed / 1e9:.1f} GB", "choose another disk"
        )


def _copy_result(row: Row, here: Artifacts, there: Artifacts) -> list[int]:
    if row.state != "succeeded":
        return []
    source, target = here.result(row.id), there.result(row.id)
    target.mkdir(mode=0o700)
    for file in row.files:
        _copy(source / file["name"], target / file["name"], file["sha256"])
    sync_names(target)
    return [file["size"] for file in row.files]


def _copy_uploads(row: Row, here: Artifacts, there: Artifacts) -> list[int]:
    sizes = []
    for field in UPLOADS if row.state in ("queued", "running") else ():
        if field in row.request:
            source = here.upload_path(row.owner, row.request[field])
            target = there.upload_path(row.owner, row.request[field])
            target.parent.mkdir(mode=0o700, exist_ok=True)
            _copy(source, target, row.request[field])
            sizes.append(source.stat().st_size)
    return sizes


def _copy(source: Path, target: Path, sha256: bytes) -> None:
    """Copy a file to the disk and prove what arrived there."""
    digest = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as written:
        while piece := read.read(2**20):
            digest.update(piece)
            written.write(piece)
        written.flush()
        os.fsync(written.fileno())
    if digest.digest() != sha256:
        raise Glimpse3DError(
            "bad_file",
            f"{source} is not the file that the server wrote",
            "the disk may be failing; delete the job, then try again",
        )


def _copy_keys(source: Path, target: Path) -> None:
    target.mkdir(mode=0o700)
    for path in sorted(source.iterdir()):
        near = target / path.name
        near.touch(mode=0o600)
        near.write_bytes(path.read_bytes())
