"""A job's result on its way into a folder.

Owns the order of files and the report on the whole. Must not know chunks or hashes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .errors import WireError
from .events import Downloaded, Downloading, Event, Job
from .events import Refused as Refusal
from .exchange import Exchange
from .protocol import Message
from .transfers import Download, from_disk

MANIFEST = "manifest.json"  # fetched last: a folder that has it is complete
REPORT_SECONDS = 0.1
MAX_BYTES = 8 * 1024**3


class _Fetch:
    def __init__(self, job: bytes, folder: Path) -> None:
        self.job = job
        self.folder = folder
        self.files: list[Download] = []
        self.ready = False
        self.reported = 0.0


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
            fetch.files = self._open(fetch, job)
            fetch.ready = True
        except OSError as error:
            self._fail(fetch, from_disk(error, fetch.folder, 0))
        except WireError as error:
            self._fail(fetch, error)

    def _open(self, fetch: _Fetch, job: Job) -> list[Download]:
        names = [each["name"].casefold() for each in job.files]
        if len(set(names)) != len(names) or sum(each["size"] for each in job.files) > MAX_BYTES:
            raise WireError("bad_result", "the server's list of files makes no sense")
        fetch.folder.mkdir(parents=True, exist_ok=True)
        files = sorted(job.files, key=lambda each: (each["name"] == MANIFEST, each["name"]))
        downloads = [Download(fetch.job, each, fetch.folder) for each in files]
        for each in downloads:
            each.open()
        return downloads

    def step(self, bulk: Callable[[], Exchange], now: float) -> None:
        """Move every fetch on, one file at a time."""
        for fetch in list(self._fetches):
            if fetch.ready:
                self._step(fetch, bulk(), now)

    def _step(self, fetch: _Fetch, bulk: Exchange, now: float) -> None:
        current = next((each for each in fetch.files if not each.done), None)
        if current is not None:
            current.step(bulk, now)
            if current.problem is not None:
                self._fail(fetch, current.problem)
                return
        if current is None:
            self._report(fetch)
            self._fetches.remove(fetch)
            names = tuple(each.name for each in fetch.files)
            self._tell(Downloaded(fetch.job.hex(), fetch.folder, names))
        elif now - fetch.reported >= REPORT_SECONDS:
            fetch.reported = now
            self._report(fetch)

    def _report(self, fetch: _Fetch) -> None:
        got = sum(each.got for each in fetch.files)
        total = sum(each.size for each in fetch.files)
        self._tell(Downloading(fetch.job.hex(), got, total))

    def _fail(self, fetch: _Fetch, problem: WireError) -> None:
        if fetch in self._fetches:
            self._fetches.remove(fetch)
            self._tell(Refusal("fetch", fetch.job.hex(), problem))


def folder_of(path: str | os.PathLike[str]) -> Path:
    """``path`` made absolute, so that a later change of directory does no harm."""
    return Path(path).absolute()
