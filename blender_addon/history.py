"""A job of the add-on and its folder, which outlives a crash of Blender.

Owns ``jobs/<id>/{job.json, picture.png, preview, result/}``: reading, writing and removing them,
and whose a job is while several Blenders share the folder. Must not know servers or Blender.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from .child import lock

log = logging.getLogger(__name__)

STATES = (
    "draft", "queued", "uploading", "running", "downloading", "importing",
    "done", "failed", "cancelled", "interrupted",
)  # fmt: skip
FINAL = ("done", "failed", "cancelled")
FORMAT = 1
MAX_NOTE_BYTES = 2**20
LONGEST_TOLD = 300  # characters of a sentence; a server may say two thousand
# Before so many seconds and so much of the work, nothing is said about the time that is left.
SOONEST_GUESS, LEAST_DONE = 2.0, 0.03
Box = tuple[float, float, float, float]
_ID = re.compile(r"[0-9a-f]{32}")


class Coded(Protocol):
    """Any error of ours."""

    @property
    def code(self) -> str:
        """For programs."""

    @property
    def message(self) -> str:
        """What happened, one clause."""

    @property
    def hint(self) -> str:
        """What to do about it; may be empty."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong and what to do, as it is kept and shown."""

    code: str
    message: str
    hint: str = ""

    @classmethod
    def of(cls, error: Coded) -> Problem:
        """An error as a plain value, as long as people read one."""
        return cls(error.code, _shortened(error.message), _shortened(error.hint))


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TOLD else f"{text[:LONGEST_TOLD]}..."


@dataclass(frozen=True, slots=True)
class Place:
    """A server: its public key in hex, and where it was last met."""

    key: str
    address: str


@dataclass(slots=True, eq=False)
class Job:
    """One picture on its way to an object in the scene.

    Attributes:
        id: 32 hex digits, chosen here.
        name: what lists show, and the collection's name.
        settings: as ``submit`` takes them.
        server: who does it.
        created: Unix seconds.
        state: one of ``STATES``.
        phase: how far it came: the last of ``STATES`` in which it moved; where to go on.
        problem: why it failed, or None.
        imported: it stood in a scene once.
        cancel_due: it was cancelled while its server could not be told.
        box: left, top, right, bottom of the subject in pixels, or None.
        fraction: of what ``state`` says, 0..1.
        stage, note: what the server is doing.
        ahead: queued jobs before this one.
        cancelling: the server was asked to stop it.
        previews: how many preview pictures came.
        began: when work on it was first heard of here, and how far it was; None before.
    """

    id: str
    name: str
    settings: Mapping[str, Any]
    server: Place
    created: float
    state: str = "draft"
    phase: str = "draft"
    problem: Problem | None = None
    imported: bool = False
    cancel_due: bool = False
    box: Box | None = None
    fraction: float = field(default=0.0, metadata={"kept": False})
    stage: str = field(default="", metadata={"kept": False})
    note: str = field(default="", metadata={"kept": False})
    ahead: int = field(default=0, metadata={"kept": False})
    cancelling: bool = field(default=False, metadata={"kept": False})
    previews: int = field(default=0, metadata={"kept": False})
    began: tuple[float, float] | None = field(default=None, metadata={"kept": False})

    @property
    def is_final(self) -> bool:
        """Nothing more will happen to it by itself."""
        return self.state in FINAL

    def seconds_left(self, now: float) -> float | None:
        """How long the work will go on, judged by what was done since ``began``; None if unknown.

        Args:
            now: by the clock of ``began``.
        """
        if self.state != "running" or self.began is None:
            return None
        since, start = self.began
        done = self.fraction - start
        if now - since < SOONEST_GUESS or done < LEAST_DONE:
            return None
        return (now - since) * (1 - self.fraction) / done


class History:
    """The folders of all jobs.

    Args:
        folder: made if it is missing.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._claims: dict[str, BinaryIO] = {}

    def folder(self, job: str) -> Path:
        """Where everything about a job lies."""
        return self._folder / job

    def result(self, job: str) -> Path:
        """Where its result lies; complete if ``manifest.json`` is there."""
        return self._folder / job / "result"

    def preview(self, job: str) -> Path:
        """The newest preview picture, if one came."""
        return self._folder / job / "preview"

    def claim(self, job: str) -> bool:
        """Be the one who moves this job on; False while another running Blender is."""
        if job not in self._claims:
            try:
                held = lock(self.folder(job) / "lock")
            except OSError:  # a folder that cannot be written is nobody else's either
                return True
            if held is None:
                return False
            self._claims[job] = held
        return True

    def release(self, job: str) -> None:
        """Leave the job to whoever wants it."""
        if (held := self._claims.pop(job, None)) is not None:
            held.close()

    def close(self) -> None:
        """Leave all jobs."""
        for job in list(self._claims):
            self.release(job)

    def load(self) -> list[Job]:
        """All jobs, newest first, but those that another running Blender is at.

        A folder that cannot be read is left alone.
        """
        jobs = []
        for path in self._folder.iterdir():
            if not _ID.fullmatch(path.name):
                continue
            try:
                job = _read(path / "job.json")
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("left out of the history: %s: %s", path, error)
                continue
            if job.is_final or self.claim(job.id):
                jobs.append(job)
        return sorted(jobs, key=lambda job: job.created, reverse=True)

    def create(self, job: Job, picture: bytes) -> None:
        """Note a new job with its picture.

        Raises:
            OSError: nothing of it is left behind.
        """
        folder = self.folder(job.id)
        try:
            folder.mkdir()
            (folder / "picture.png").write_bytes(picture)
            self.save(job)
            self.claim(job.id)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def save(self, job: Job) -> None:
        """Note how a job stands.

        Raises:
            OSError: the older note is still whole.
        """
        kept = {each.name for each in fields(Job) if each.metadata.get("kept", True)}
        values = {name: value for name, value in asdict(job).items() if name in kept}
        text = json.dumps({"format": FORMAT, **values}, indent=1)
        _replace(self.folder(job.id) / "job.json", text.encode())

    def picture(self, job: str) -> bytes:
        """The picture of a job.

        Raises:
            OSError: it is gone.
        """
        return (self.folder(job) / "picture.png").read_bytes()

    def save_preview(self, job: str, picture: bytes) -> None:
        """Keep a preview.

        Raises:
            OSError: it could not be written.
        """
        _replace(self.preview(job), picture)

    def remove(self, job: str) -> None:
        """Delete a job's folder.

        Raises:
            OSError: a file of it is in use.
        """
        self.release(job)
        if self.folder(job).exists():  # another Blender may have removed it
            shutil.rmtree(self.folder(job))


def _replace(path: Path, data: bytes) -> None:
    new = path.with_name(path.name + ".new")
    new.write_bytes(data)
    new.replace(path)


def _read(path: Path) -> Job:
    with path.open("rb") as file:
        values = json.loads(file.read(MAX_NOTE_BYTES))
    if values.pop("format") != FORMAT or values["id"] != path.parent.name:
        raise ValueError("written by another release, or not a job's note")
    values["server"] = Place(**values["server"])
    values["problem"] = Problem(**values["problem"]) if values["problem"] else None
    job = Job(**values)
    if job.state not in STATES or job.phase not in STATES:
        raise ValueError(f"{job.state!r} is not a state")
    return job
