"""A job's result on its way into a folder.

Owns the order of files, their durability and the report on the whole. Must not know pieces, hashes
or sockets.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .durable import sync_file, sync_names
from .errors import WireError
from .events import Downloaded, Downloading, Event, Job
from .events import Refused as Refusal
from .exchange import Exchange
from .lanes import Lanes, Late
from .protocol import Message
from .transfers import Download, from_disk

MANIFEST = "manifest.json"  # fetched last: a folder that has it is complete
REPORT_SECONDS = 0.1
MAX_BYTES = 8 * 1024**3


class _Fetch:
    """One result on its way.

    Attributes:
        files: what is not whole yet.
        closed: those of them whose parts were not looked at yet.
        unsynced: what stands under its name and may not outlast a power cut yet.
    """

    def __init__(self, job: bytes, folder: Path) -> None:
        self.job = job
        self.folder = folder
        self.names: tuple[str, ...] = ()
        self.files: list[Download] = []
        self.closed: list[Download] = []
        self.unsynced: list[Path] = []
        self.finished = self.total = 0  # bytes
        self.ready = False
        self.reported = 0.0

    def open(self, job: Job) -> None:
        """Take the list of the job's files, and make their folder.

        Raises:
            WireError: the list is not one that a server of ours would send.
            OSError: from the disk.
        """
        names = [each["name"].casefold() for each in job.files]
        self.total = sum(each["size"] for each in job.files)
        if len(set(names)) != len(names) or self.total > MAX_BYTES:
            raise WireError("bad_result", "the server's list of files makes no sense")
        self.folder.mkdir(parents=True, exist_ok=True)
        files = sorted(job.files, key=lambda each: (each["name"] == MANIFEST, each["name"]))
        self.names = tuple(each["name"] for each in files)
        self.files = [Download(self.job, each, self.folder) for each in files]
        self.closed = self.files[::-1]

    def due(self) -> list[Download]:
        """What may be fetched now; the manifest only when all else is on the disk."""
        others = [each for each in self.files if each.name != MANIFEST]
        return others or ([] if self.unsynced else list(self.files))

    def finish(self, file: Download) -> None:
        """A file stands under its name."""
        self.files.remove(file)
        self.finished += file.size
        self.unsynced.append(self.folder / file.name)

    def sync(self) -> bool:
        """Make one file durable, and after the last one the names; whether there are more."""
        if self.unsynced:
            sync_file(self.unsynced.pop())
            if not self.unsynced:
                sync_names(self.folder)
        return bool(self.files or self.unsynced)


class Results:
    """Results that are being fetched."""

    def __init__(self, control: Exchange, tell: Callable[[Event], None]) -> None:
        self._control = control
        self._tell = tell
        self._fetches: list[_Fetch] = []

    def __len__(self) -> int:
        return len(self._fetches)

    def add(self, job: bytes, folder: Path) -> None:
        """Fetch the job's files into ``folder``, which is made if it is missing."""
        if any(fetch.job == job and fetch.folder == folder for fetch in self._fetches):
            return
        fetch = _Fetch(job, folder)
        self._fetches.append(fetch)
        self._control.ask("get", {"job": job, "since": 0}, partial(self._listed, fetch))

    def drop(self, job: bytes) -> None:
        """Stop fetching; what is there stays, so that it can go on later."""
        self._fetches = [fetch for fetch in self._fetches if fetch.job != job]

    def _listed(self, fetch: _Fetch, answer: Message | WireError) -> None:
        if isinstance(answer, WireError):
            self._fail(fetch, answer)
            return
        job = Job.read(answer.body)
        if job.state != "succeeded":
            self._fail(fetch, WireError("not_ready", f"the job is {job.state}, it has no result"))
            return
        try:
            fetch.open(job)
            fetch.ready = True
        except OSError as error:
            self._fail(fetch, from_disk(error, fetch.folder, 0))
        except WireError as error:
            self._fail(fetch, error)

    def step(self, lanes: Lanes, now: float, late: Late) -> bool:
        """Move every fetch on; whether there is more to do at once."""
        fetches = [each for each in self._fetches if each.ready]
        return any([self._step(each, lanes, now, late) for each in fetches])

    def _step(self, fetch: _Fetch, lanes: Lanes, now: float, late: Late) -> bool:
        try:
            worked = self._move(fetch, lanes, late)
        except WireError as problem:
            self._fail(fetch, problem)
            return False
        except OSError as error:
            self._fail(fetch, from_disk(error, fetch.folder, 0))
            return False
        if not fetch.files and not fetch.unsynced:
            self._report(fetch)
            self._fetches.remove(fetch)
            self._tell(Downloaded(fetch.job.hex(), fetch.folder, fetch.names))
        elif now - fetch.reported >= REPORT_SECONDS:
            fetch.reported = now
            self._report(fetch)
        return worked

    def _move(self, fetch: _Fetch, lanes: Lanes, late: Late) -> bool:
        """One costly step, or as many requests as the window has room for."""
        if fetch.closed:
            fetch.closed.pop().open()
            return True
        files = fetch.due()
        for file in files:
            worked = file.step(lanes, late)
            if file.problem is not None:
                raise file.problem
            if file.done:
                fetch.finish(file)
            if worked:
                return True
            if not lanes.room or late():
                return False
        return False if files else fetch.sync()

    def _report(self, fetch: _Fetch) -> None:
        got = fetch.finished + sum(each.got for each in fetch.files)
        self._tell(Downloading(fetch.job.hex(), got, fetch.total))

    def _fail(self, fetch: _Fetch, problem: WireError) -> None:
        if fetch in self._fetches:
            self._fetches.remove(fetch)
            self._tell(Refusal("fetch", fetch.job.hex(), problem))


def folder_of(path: str | os.PathLike[str]) -> Path:
    """``path`` made absolute, so that a later change of directory does no harm."""
    return Path(path).absolute()
