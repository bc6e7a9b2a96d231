"""Files on their way: a picture up to the server, a result down from it.

Owns pieces, resuming, and the proof by SHA-256. Must not know jobs' states, sockets or Blender.
Everything happens in ``step``, a slice at a time while the caller's time lasts, so that no caller
waits for a disk or a hash.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from .durable import begin_writing
from .errors import WireError
from .lanes import Lanes, Late
from .protocol import Message

SLICE = 128 * 1024  # hashed or written between two looks at the clock: half a millisecond
STEP = 8 * SLICE  # hashed in one step, before sockets get their turn
FLUSH = 1024 * 1024  # bytes after which the system is asked to write
MAX_EARLY = 16 * 1024 * 1024  # bytes beyond a gap that are kept in memory until it is filled
FILE_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,98}[A-Za-z0-9_])?")
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
PART, SIDECAR = ".part", ".part.json"


def is_file_name(name: str) -> bool:
    """Whether a file of that name may be written on any system: flat, plain, no device."""
    return bool(FILE_NAME.fullmatch(name)) and not _DEVICES.fullmatch(name)


class Upload:
    """Bytes that shall lie on the server; those that lie there already are not sent again.

    Attributes:
        sha256: the content's name, once it is hashed.
        done: the server has it all.
        problem: why it failed, or None.
        size, sent: bytes in all, and bytes of them that the server has.
    """

    def __init__(self, data: bytes) -> None:
        self.sha256 = b""
        self.done = False
        self.problem: WireError | None = None
        self.size = len(data)
        self.sent = 0
        self._data = data
        self._hash = hashlib.sha256()
        self._hashed = 0
        self._asked = self._answered = False
        self._next = 0
        self._flying = 0
        self._gap = False

    def step(self, lanes: Lanes, late: Late) -> bool:
        """Hash slices, or send a piece if the window allows; whether there was one."""
        if self.done or self.problem:
            return False
        if not self.sha256:
            self._hash_slices(late)
            return True
        if not self._asked:
            self._asked = True
            lanes.ask("have", {"sha256": self.sha256, "size": len(self._data)}, self._held)
            return False
        return self._answered and self._put(lanes)

    def _hash_slices(self, late: Late) -> None:
        for _ in range(STEP // SLICE):
            part = memoryview(self._data)[self._hashed : self._hashed + SLICE]
            self._hash.update(part)
            self._hashed += len(part)
            if self._hashed == self.size:
                self.sha256 = self._hash.digest()
                return
            if late():
                return

    def _put(self, lanes: Lanes) -> bool:
        if self._gap or self._next == self.size or not lanes.room:
            return False
        piece = self._data[self._next : self._next + lanes.piece]
        body = {"sha256": self.sha256, "size": self.size, "offset": self._next}
        self._next += len(piece)
        self._flying += 1
        lanes.ask("put", body, partial(self._stored, self._next), piece, len(piece))
        return True

    def _held(self, answer: Message | WireError) -> None:
        self._answered = True
        if isinstance(answer, WireError):
            self.problem = answer
            return
        self.done = answer.body["complete"]
        self.sent = self._next = min(answer.body["have"], len(self._data))
        if not self.done and self._next == len(self._data):
            self.problem = WireError("bad_message", "the server's count of bytes is wrong")

    def _stored(self, end: int, answer: Message | WireError) -> None:
        self._flying -= 1
        if isinstance(answer, WireError):
            self.problem = answer
            return
        have = min(answer.body["have"], self.size)
        self.done = self.done or answer.body["complete"]
        self.sent = self.size if self.done else max(self.sent, have)
        self._next = max(self._next, have)  # another process of ours may upload the same
        self._gap |= have < end  # it was not taken, and what follows it will not be either
        if self._flying == 0 and (self._gap or self._next == self.size):
            self._gap, self._next = False, have


class Download:
    """One file of a result, into ``folder``: ``name.part``, proved, then renamed to ``name``.

    ``name.part.json`` says which content the part belongs to, so that another process goes on
    where this one was killed.

    Attributes:
        size: bytes of the whole file.
        got: bytes that lie in the part.
        done: the file stands under its name.
        problem: why it failed, or None.

    Args:
        job: the job's id.
        about: ``name``, ``size`` and ``sha256`` as the server listed them.
        folder: an existing folder.

    Raises:
        WireError: the name is not fit for a disk.
    """

    def __init__(self, job: bytes, about: Mapping[str, Any], folder: Path) -> None:
        self.name: str = about["name"]
        if not is_file_name(self.name):
            raise WireError("bad_result", f"the server named a file {self.name[:40]!r}")
        self.size: int = about["size"]
        self.got = 0
        self.done = False
        self.problem: WireError | None = None
        self._job = job
        self._want: bytes = about["sha256"]
        self._folder = folder
        self._part = folder / (self.name + PART)
        self._sidecar = folder / (self.name + SIDECAR)
        self._hash = hashlib.sha256()
        self._rehash = 0  # bytes of an older process's part that are still to be hashed
        self._again = True  # whether a wrong hash may be tried once more
        self._early: dict[int, bytes] = {}
        self._ready = memoryview(b"")  # what is left of a piece that is being written
        self._asked = 0
        self._flushed = 0  # bytes that the system was asked to bring to the disk
        self._round = 0  # replies to an earlier round are ignored

    def open(self) -> None:
        """Find out where to go on.

        Raises:
            WireError: the disk has no room.
            OSError: from the disk.
        """
        note = {"sha256": self._want.hex(), "size": self.size}
        final = self._folder / self.name
        if not self._part.exists() and final.is_file() and final.stat().st_size == self.size:
            final.replace(self._part)  # finished by another process: only to be proved
            self._sidecar.write_text(json.dumps(note))
        if self._read_note() == note and self._part.is_file():
            self._rehash = min(self._part.stat().st_size, self.size)
            os.truncate(self._part, self._rehash)
        else:
            self._part.write_bytes(b"")
            self._sidecar.write_text(json.dumps(note))
        if self.size - self._rehash > shutil.disk_usage(self._folder).free:
            raise _disk_full(self._folder, self.size - self._rehash)

    def _read_note(self) -> Any:
        try:
            return json.loads(self._sidecar.read_bytes()[:4096])
        except (OSError, ValueError):
            return None

    def step(self, lanes: Lanes, late: Late) -> bool:
        """Hash what was there, write a piece, ask for more, or finish; whether that was costly."""
        if self.done or self.problem:
            return False
        try:
            worked = self._work(late)
        except OSError as error:
            self.problem = from_disk(error, self._folder, self.size - self.got)
            return False
        if self._rehash <= self.got < self.size:
            self._ask(lanes, late)
        return worked

    def _work(self, late: Late) -> bool:
        if self.got < self._rehash:
            self._hash_part()
        elif self._ready or self.got in self._early:
            self._write(self._ready or memoryview(self._early.pop(self.got)), late)
        elif self.got == self.size:
            self._prove()
        else:
            return False
        return True

    def _hash_part(self) -> None:
        with self._part.open("rb") as file:
            file.seek(self.got)
            data = file.read(min(SLICE, self._rehash - self.got))
        self._hash.update(data)
        self.got += len(data)
        self._asked = self._flushed = self.got
        if not data:
            self._rehash = self.got

    def _ask(self, lanes: Lanes, late: Late) -> None:
        end = min(self.size, self.got + MAX_EARLY)
        while self._asked < end and lanes.room:
            count = min(lanes.piece, self.size - self._asked)
            body = {"job": self._job, "name": self.name, "offset": self._asked, "count": count}
            done = partial(self._piece, self._round, self._asked, count)
            self._asked += count
            lanes.ask("fetch", body, done, size=count)
            if late():
                return

    def _piece(self, turn: int, offset: int, count: int, answer: Message | WireError) -> None:
        if turn != self._round or self.problem:
            return
        if isinstance(answer, WireError):
            self.problem = answer
            return
        right = answer.kind == "piece" and answer.body["offset"] == offset
        if not right or len(answer.blob) != count:
            self.problem = WireError(
                "bad_result", f"{self.name}: the server sent another piece than asked"
            )
            return
        self._early[offset] = answer.blob

    def _write(self, data: memoryview, late: Late) -> None:
        with self._part.open("r+b", buffering=0) as file:
            file.seek(self.got)
            while data:
                part, data = data[:SLICE], data[SLICE:]
                _write_all(file, part)
                self._hash.update(part)
                self.got += len(part)
                if self.got - self._flushed >= FLUSH or self.got == self.size:
                    begin_writing(file.fileno(), self._flushed, self.got - self._flushed)
                    self._flushed = self.got
                if late():
                    break
        self._ready = data

    def _prove(self) -> None:
        if self._hash.digest() == self._want:
            self._part.replace(self._folder / self.name)
            self._sidecar.unlink(missing_ok=True)
            self.done = True
            return
        self._part.write_bytes(b"")
        if not self._again:
            self.problem = WireError(
                "bad_result",
                f"{self.name}: what arrived is not what the server announced",
                "download it again; if that does not help, generate it again",
            )
            return
        self._again = False
        self._round += 1
        self._hash = hashlib.sha256()
        self.got = self._asked = self._rehash = self._flushed = 0
        self._early.clear()


def _write_all(file: io.FileIO, data: memoryview) -> None:
    written = file.write(data)
    while written < len(data):  # a disk that is almost full takes a part
        written += file.write(data[written:])


def _disk_full(folder: Path, missing: int) -> WireError:
    return WireError(
        "disk_full",
        f"the disk of {folder} has no room for {missing / 1e6:.0f} MB more",
        "make room and download again: it goes on where it stopped",
    )


def from_disk(error: OSError, folder: Path, missing: int) -> WireError:
    """An error of the disk as a refusal with a hint; ``missing`` bytes were still to come."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _disk_full(folder, missing)
    return WireError("output_failed", f"{folder} cannot be written: {error.strerror}")
