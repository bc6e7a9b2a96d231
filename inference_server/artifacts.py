"""Files of jobs on the server's disk: uploads named by their content, and results.

Owns the two folders and everything that reaches a disk by a client's doing. Must not know jobs'
states or sockets. A client's words never become a path: uploads are named by their hash, results
by their job's id, and a file of a result is only found if the store lists it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path
from typing import Any

from glimpse3d.errors import Glimpse3DError
from glimpse3d.export.folder import output_errors

from .durable import sync_file, sync_names

MAX_UPLOAD = 64 * 1024 * 1024
SPARE_BYTES = 1024**3  # the disk is not filled further
KEPT_SECONDS = 7 * 86400
PART = ".part"


class Artifacts:
    """The folders ``uploads`` and ``results``.

    Args:
        folder: the server's data folder.
    """

    def __init__(self, folder: Path) -> None:
        self._uploads = folder / "uploads"
        self._results = folder / "results"
        for each in (self._uploads, self._results):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._hashes: dict[Path, Any] = {}  # of uploads under way, as far as they lie there

    def upload_path(self, owner: str, sha256: bytes) -> Path:
        """Where an owner's upload of that content lies, or would."""
        return self._uploads / _owner_folder(owner) / sha256.hex()

    def held(self, owner: str, sha256: bytes) -> tuple[int, bool]:
        """Bytes that are here, and whether that is all."""
        path = self.upload_path(owner, sha256)
        if path.is_file():
            return path.stat().st_size, True
        part = path.with_suffix(PART)
        return (part.stat().st_size if part.is_file() else 0), False

    def put(self, owner: str, body: dict[str, Any], blob: bytes) -> tuple[int, bool]:
        """Add a piece of an upload, but for what is here; one beyond its end changes nothing.

        Raises:
            Glimpse3DError: ``too_large``, ``disk_full``, ``bad_hash`` (and the upload is gone).
        """
        path = self.upload_path(owner, body["sha256"])
        have, complete = self.held(owner, body["sha256"])
        blob = blob[max(0, have - body["offset"]) :]
        if complete or body["offset"] > have or not blob:
            return have, complete
        self._check_room(body["size"], have + len(blob))
        part = path.with_suffix(PART)
        with output_errors(part):
            part.parent.mkdir(mode=0o700, exist_ok=True)
            digest = self._digest(part, have)
            try:
                with part.open("ab") as file:
                    file.write(blob)
                    digest.update(blob)
                    if have + len(blob) == body["size"]:
                        file.flush()
                        os.fsync(file.fileno())
            except OSError:
                del self._hashes[part]  # some of it may lie there: read again, then go on
                raise
        if have + len(blob) < body["size"]:
            return have + len(blob), False
        self._settle(part, path, digest.digest() == body["sha256"])
        return body["size"], True

    def _check_room(self, size: int, so_far: int) -> None:
        if size > MAX_UPLOAD or so_far > size:
            raise Glimpse3DError(
                "too_large",
                f"a file of {max(size, so_far)} bytes is larger than the server takes",
                f"the largest is {MAX_UPLOAD // 2**20} MiB; scale the picture down",
            )
        if not self.has_room():
            raise Glimpse3DError(
                "disk_full", "the server's disk is almost full", "delete old jobs, or free space"
            )

    def has_room(self) -> bool:
        """Whether another result may be begun."""
        return shutil.disk_usage(self._results).free > SPARE_BYTES

    def free_bytes(self) -> int:
        """Free on the disk of the results."""
        return shutil.disk_usage(self._results).free

    def _digest(self, part: Path, have: int) -> Any:
        """The running hash of a part; after a restart it is made again from what lies there."""
        if have == 0:
            self._hashes[part] = hashlib.sha256()
        elif part not in self._hashes:
            self._hashes[part] = hashlib.sha256(part.read_bytes())
        return self._hashes[part]

    def _settle(self, part: Path, path: Path, right: bool) -> None:
        del self._hashes[part]
        if not right:
            part.unlink()
            raise Glimpse3DError(
                "bad_hash", "what arrived is not what was announced", "send it again"
            )
        part.replace(path)
        sync_names(path.parent)

    def uploaded_bytes(self, owner: str) -> int:
        """The size of all uploads of an owner."""
        folder = self._uploads / _owner_folder(owner)
        return sum(path.stat().st_size for path in folder.iterdir()) if folder.is_dir() else 0

    def result(self, job: bytes) -> Path:
        """The folder of a job's result."""
        return self._results / job.hex()

    def read(self, job: bytes, name: str, offset: int, count: int) -> bytes:
        """A piece of a result's file. ``name`` must come from the store's list.

        Raises:
            Glimpse3DError: ``internal``, the file is gone or shorter than it was.
        """
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        try:
            descriptor = os.open(self.result(job) / name, flags)
            try:
                os.lseek(descriptor, offset, os.SEEK_SET)
                return os.read(descriptor, count)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise Glimpse3DError(
                "not_found", f"{name} is gone from the server's disk", "generate it again"
            ) from error

    def remove_result(self, job: bytes) -> None:
        """Delete a job's files, if there are any, and what a process left that was killed."""
        for path in (self.result(job), *self._results.glob(f".{job.hex()}.*")):
            shutil.rmtree(path, ignore_errors=True)

    def clean(self, succeeded: set[bytes], wanted: set[bytes]) -> None:
        """After a restart: drop what no job owns, and uploads that nobody asked for in a week."""
        keep = {job.hex() for job in succeeded}
        for path in self._results.iterdir():
            if path.name not in keep:
                shutil.rmtree(path, ignore_errors=True)
        for part in self._uploads.glob(f"*/*{PART}"):
            _finish(part)
        self.tidy(wanted)

    def tidy(self, wanted: set[bytes]) -> None:
        """Drop uploads that nobody sent or asked for in a week."""
        names = {sha256.hex() for sha256 in wanted}
        for path in self._uploads.glob("*/*"):
            old = time.time() - path.stat().st_mtime > KEPT_SECONDS
            if old and path.stem not in names:
                self._hashes.pop(path, None)
                path.unlink(missing_ok=True)


def _finish(part: Path) -> None:
    """An upload whose last piece came just before the server was killed is whole."""
    with part.open("rb") as file:
        whole = hashlib.file_digest(file, "sha256").hexdigest() == part.stem
    if whole:
        sync_file(part)
        part.replace(part.with_suffix(""))
        sync_names(part.parent)


def _owner_folder(owner: str) -> str:
    return hashlib.sha256(owner.encode()).hexdigest()[:16]
