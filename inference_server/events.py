"""What a client tells its caller, as plain values.

Owns the types that ``Client.poll`` returns. Must not know how anything was found out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import protocol
from .errors import WireError
from .protocol import Message


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the server last told of it.

    Attributes:
        id: 32 hex digits.
        kind: one of ``protocol.KINDS``.
        state: one of ``protocol.STATES``.
        fraction: of the whole work, 0..1.
        stage, note: what is being done.
        ahead: queued jobs before this one.
        attempt: 1 for the first try; more after the computing process died.
        created, started, finished: Unix seconds by the server's clock, or None.
        problem: why it failed, or None.
        files: names, sizes and SHA-256 of the result's files, once it succeeded.
        preview: bytes of a small PNG or JPEG, empty if there is none newer.
        warning: what is to be said of a result, such as that it was made with less memory.
    """

    id: str
    kind: str
    name: str
    state: str
    fraction: float = 0.0
    stage: str = ""
    note: str = ""
    ahead: int = 0
    attempt: int = 0
    cancelling: bool = False
    created: float = 0.0
    started: float | None = None
    finished: float | None = None
    problem: WireError | None = None
    files: tuple[Mapping[str, Any], ...] = ()
    preview: bytes = b""
    warning: str = ""

    @property
    def is_final(self) -> bool:
        """Nothing more will happen to it."""
        return self.state in protocol.FINAL

    @classmethod
    def read(cls, body: Mapping[str, Any], preview: bytes = b"") -> Job:
        """The job in a message's body."""
        known = ("kind", "name", "state", "fraction", "stage", "note", "ahead", "attempt",
                 "cancelling", "created", "started", "finished", "warning")  # fmt: skip
        problem = body.get("problem")
        return cls(
            id=body["job"].hex(),
            problem=WireError(**problem) if problem else None,
            files=tuple(body.get("files", ())),
            preview=preview,
            **{name: body[name] for name in known if name in body},
        )


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    """The client became ``connecting``, ``ready`` or ``down``; ``problem`` says why."""

    state: str
    problem: WireError | None = None


@dataclass(frozen=True, slots=True)
class JobChanged:
    """News of a job."""

    job: Job


@dataclass(frozen=True, slots=True)
class JobDeleted:
    """A job and its files are gone from the server."""

    job: str


@dataclass(frozen=True, slots=True)
class JobList:
    """A page of jobs, newest first; ``next`` continues it, 0 is the end."""

    jobs: tuple[Job, ...]
    next: int


@dataclass(frozen=True, slots=True)
class Uploading:
    """A job's pictures are on their way: bytes that the server has, of all."""

    job: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Downloading:
    """A result is on its way: bytes that are here, of all."""

    job: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A result stands complete and proved in ``folder``."""

    job: str
    folder: Path
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """What was asked did not happen. ``job`` is empty if it belongs to none.

    Attributes:
        asked: the verb, such as ``submit``, ``fetch`` or ``cancel``.
    """

    asked: str
    job: str
    problem: WireError


@dataclass(frozen=True, slots=True)
class Status:
    """How the server is; the fields of the protocol's ``state``."""

    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Welcomed:
    """The server told what it can do: ``Client.welcome`` is of now."""


Event = (
    ConnectionChanged
    | JobChanged
    | JobDeleted
    | JobList
    | Uploading
    | Downloading
    | Downloaded
    | Refused
    | Status
    | Welcomed
)


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a server says of itself.

    Attributes:
        server: its version.
        epoch: changes with every start of the server.
        kinds: the kinds of job that it can do now.
        features: names of what it can beyond the first protocol.
        limits: ``body``, ``blob``, ``upload`` (bytes) and ``list`` (jobs a page).
        catalogue: ``settings`` (rows of ``glimpse3d.settings.describe``), ``presets`` (name ->
            settings), ``backends`` (stage -> rows with name, title, when, settings) and, from a
            server with the feature ``weights``, ``weights`` (rows: what backends need fetched).
    """

    server: str
    epoch: bytes
    kinds: tuple[str, ...]
    features: tuple[str, ...]
    limits: Mapping[str, int]
    catalogue: Mapping[str, Any]

    @classmethod
    def read(cls, message: Message) -> Welcome:
        """What a ``welcome`` holds.

        Raises:
            WireError: its catalogue is malformed.
        """
        body = message.body
        catalogue = _in_lines(
            protocol.plain(
                protocol.unpack(message.blob, protocol.MAX_BLOB), "welcome's catalogue", depth=8
            )
        )
        return cls(
            body["server"],
            body["epoch"],
            tuple(body["kinds"]),
            tuple(body["features"]),
            body["limits"],
            catalogue,
        )


def _in_lines(value: Any) -> Any:
    """``value`` with every string in it as one line that a screen can show."""
    if isinstance(value, dict):
        return {protocol.one_line(name): _in_lines(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_in_lines(each) for each in value]
    return protocol.one_line(value) if isinstance(value, str) else value
