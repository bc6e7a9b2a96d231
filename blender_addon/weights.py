"""Weights that the server's backends want, and the one fetch that the user began.

Owns what is said before a download, the download's state, and that none begins by itself. Must not
know Blender, sockets, or jobs that wait for weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ._vendor.inference_server import events
from ._vendor.inference_server.client import Client
from .history import Problem

STAGE = "reconstructor"
KIND = "fetch_weights"
_LONGEST = 300  # characters of a text that a server wants shown
_MOST_ROWS = 64  # of any of its lists, which panels go through whenever they are drawn


@dataclass(frozen=True, slots=True)
class Method:
    """A reconstructor that the server offers: its name, what to call it, when to choose it."""

    name: str
    title: str
    when: str


@dataclass(frozen=True, slots=True)
class Want:
    """What a backend wants fetched or installed before it can run.

    Attributes:
        backend: its name.
        title, licence: of the model.
        source: an address where the files come from.
        bytes: of all files.
        left: still to fetch; 0 is all here.
        lacks: what must be installed on the server first, or nothing.
    """

    backend: str
    title: str
    licence: str
    source: str
    bytes: int
    left: int
    lacks: str


@dataclass(slots=True)
class Fetch:
    """A download on the server.

    Attributes:
        job: its id there.
        backend: for whom; empty while that is unknown, after a restart of Blender.
        running: it has begun.
        fraction: of the bytes that were missing, 0..1.
        note: how many bytes of how many.
        ahead: jobs before it.
        cancelling: it was asked to stop.
    """

    job: str
    backend: str
    running: bool = False
    fraction: float = 0.0
    note: str = ""
    ahead: int = 0
    cancelling: bool = False


class Weights:
    """What one server's backends want.

    Attributes:
        fetch: the download that runs or waits, or None.
        problem: why the last one failed, or None.
    """

    def __init__(self) -> None:
        self.fetch: Fetch | None = None
        self.problem: Problem | None = None
        self._client: Client | None = None

    @property
    def methods(self) -> list[Method]:
        """The reconstructors that the server offers, in its order."""
        backends = self._catalogue().get("backends")
        rows = backends.get(STAGE) if isinstance(backends, dict) else None
        return [Method(**values) for row in _maps(rows) if (values := _taken(Method, row))]

    def wanted(self, backend: str) -> Want | None:
        """What this reconstructor wants before it can run; None if it can run now."""
        for row in _maps(self._catalogue().get("weights")):
            values = _taken(Want, row)
            if values and row.get("stage") == STAGE and values["backend"] == backend:
                found = Want(**values)
                return found if found.left > 0 or found.lacks else None
        return None

    def _catalogue(self) -> Mapping[str, Any]:
        if self._client is None or self._client.welcome is None:
            return {}
        return self._client.welcome.catalogue

    def begin(self, backend: str) -> None:
        """Have the server fetch what this reconstructor wants: somebody said yes to it."""
        if self._client is None:
            raise RuntimeError("no server: the caller has to look first")
        if self.fetch is None:
            self.problem = None
            self.fetch = Fetch(self._client.fetch_weights(STAGE, backend), backend)

    def cancel(self) -> None:
        """Stop the download; what came is kept, and the next one goes on with it."""
        if self._client is not None and self.fetch is not None:
            self.fetch.cancelling = True
            self._client.cancel(self.fetch.job)

    def connected(self, client: Client) -> None:
        """The server answers. A new client looks for a download that an earlier one began."""
        if client is not self._client:
            self._client, self.fetch, self.problem = client, None, None
            client.list_jobs()

    def disconnected(self) -> None:
        """There is no client any more; what runs goes on at the server."""
        self._client = self.fetch = self.problem = None

    def take(self, event: events.Event) -> str:
        """Hear what happened; the name of the backend whose weights have come, else nothing."""
        if isinstance(event, events.JobList):
            self._adopt(event)
        elif isinstance(event, events.JobChanged) and self._is_ours(event.job.id):
            return self._changed(event.job)
        elif isinstance(event, events.Refused) and self._is_ours(event.job):
            if event.asked in ("submit", "cancel") or event.problem.code == "not_found":
                self.problem = Problem.of(event.problem)
                self._end()
        elif isinstance(event, events.Refused) and event.problem.code == "weights_missing":
            assert self._client is not None
            self._client.greet()  # they were there when the server was asked last
        return ""

    def _is_ours(self, job: str) -> bool:
        return self.fetch is not None and self.fetch.job == job

    def _adopt(self, page: events.JobList) -> None:
        for job in page.jobs:
            if job.kind == KIND and not job.is_final and self.fetch is None:
                self.fetch = Fetch(job.id, job.name.rpartition(" ")[2])
                assert self._client is not None
                self._client.watch(job.id)

    def _changed(self, news: events.Job) -> str:
        assert self.fetch is not None
        self.fetch.running = news.state == "running"
        self.fetch.fraction, self.fetch.note = news.fraction, news.note[:_LONGEST]
        self.fetch.ahead = news.ahead
        if not news.is_final:
            return ""
        came = self.fetch.backend if news.state == "succeeded" else ""
        self.problem = Problem.of(news.problem) if news.problem else None
        if self._client is not None:
            self._client.delete(news.id)
        self._end()
        return came

    def _end(self) -> None:
        self.fetch = None
        if self._client is not None:
            self._client.greet()  # how much is left now


def _maps(rows: object) -> list[dict[str, Any]]:
    """The first maps in what a server sent, which may be anything."""
    if not isinstance(rows, list):
        return []
    return [row for row in rows[:_MOST_ROWS] if isinstance(row, dict)]


def _taken(kind: type, row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of ``kind`` in a server's row, cut to what can be shown; none if one is wrong."""
    values: dict[str, Any] = {}
    for each in fields(kind):
        value = row.get(each.name)
        wanted = int if each.type == "int" else str
        if type(value) is not wanted:
            return {}
        values[each.name] = value[:_LONGEST] if isinstance(value, str) else value
    return values
