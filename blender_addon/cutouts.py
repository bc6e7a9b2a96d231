"""The one cut-out that is being previewed, before anything dear is computed.

Owns its job at the server, from the order to its files in a folder of ours. Must not know Blender,
sockets, or jobs that are kept: a preview that is cut short is asked for again.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._vendor.inference_server import events
from ._vendor.inference_server.client import Client, new_job_id
from .history import Box, Problem

KIND = "cutout"
FILE = "cutout.png"


@dataclass(slots=True)
class Preview:
    """A cut-out on its way.

    Attributes:
        job: its id at the server.
        picture: whoever asked knows what of; not sent.
        fraction: of the work, 0..1.
        ahead: jobs before it.
        cancelling: it was asked to stop.
        ready: its files are here.
    """

    job: str
    picture: str
    fraction: float = 0.0
    ahead: int = 0
    cancelling: bool = False
    ready: bool = False


class Cutouts:
    """Asks for one cut-out at a time.

    Attributes:
        preview: the one under way, or that waits to be shown; None otherwise.
        problem: why the last one failed, or None.

    Args:
        folder: files come into a folder of their own below it, until they were shown.
    """

    def __init__(self, folder: Path) -> None:
        self.preview: Preview | None = None
        self.problem: Problem | None = None
        self._folder = folder
        self._client: Client | None = None

    @property
    def offered(self) -> bool:
        """The server can do it."""
        welcome = self._client.welcome if self._client is not None else None
        return welcome is not None and KIND in welcome.kinds

    @property
    def is_moving(self) -> bool:
        """Something is on its way."""
        return self.preview is not None and not self.preview.ready

    @property
    def path(self) -> Path:
        """Where the cut-out lies, once it is ready."""
        assert self.preview is not None
        return self._folder / self.preview.job / FILE

    def begin(
        self, picture: str, image: bytes, settings: Mapping[str, Any], box: Box | None
    ) -> None:
        """Ask for the cut-out of a picture, in place of one that is under way.

        Args:
            picture: kept in ``preview``.
            image: the bytes of a PNG.
            settings: as ``generate`` takes them.
            box: left, top, right, bottom in pixels.
        """
        if self._client is None:
            raise RuntimeError("no server: the caller has to look first")
        self.cancel()
        body: dict[str, Any] = {"settings": dict(settings), "name": f"cut-out of {picture}"[:200]}
        if box is not None:
            body["box"] = list(box)
        self.problem = None
        self.preview = Preview(new_job_id(), picture)
        self._client.submit(KIND, body, {"image": image}, self.preview.job)

    def cancel(self) -> None:
        """Stop it; nothing of it is kept."""
        if self.preview is not None and self._client is not None and not self.preview.ready:
            self._client.cancel(self.preview.job)
            self._client.forget(self.preview.job)
        self.done()

    def done(self) -> None:
        """It was shown, or nobody wants it: its files go."""
        if self.preview is not None:
            shutil.rmtree(self._folder / self.preview.job, ignore_errors=True)
            self.preview = None

    def connected(self, client: Client) -> None:
        """The server answers."""
        if client is not self._client:
            self._client, self.problem = client, None

    def disconnected(self) -> None:
        """There is no client any more; what came already can still be shown."""
        self._client = None
        if self.is_moving:
            self.done()

    def take(self, event: events.Event) -> None:
        """Hear what happened."""
        if isinstance(event, events.JobChanged) and self._is_ours(event.job.id):
            self._changed(event.job)
        elif isinstance(event, events.Downloaded) and self._is_ours(event.job):
            assert self.preview is not None and self._client is not None
            self.preview.ready = True
            self._client.delete(event.job)
        elif isinstance(event, events.Refused) and self._is_ours(event.job) and _is_end(event):
            self._fail(Problem.of(event.problem))

    def _is_ours(self, job: str) -> bool:
        return self.is_moving and self.preview is not None and self.preview.job == job

    def _changed(self, news: events.Job) -> None:
        assert self.preview is not None and self._client is not None
        self.preview.fraction, self.preview.ahead = news.fraction, news.ahead
        if news.state == "succeeded":
            self._client.download(news.id, self._folder / news.id)
        elif news.is_final:
            reason = Problem("internal", "the server gave no reason", "look into its log")
            self._fail(Problem.of(news.problem) if news.problem else reason)

    def _fail(self, problem: Problem) -> None:
        self.problem = problem
        self.done()


def _is_end(refusal: events.Refused) -> bool:
    """Nothing more will come of the job: what was refused is no mere question."""
    return refusal.asked in ("put", "submit", "fetch") or refusal.problem.code == "not_found"
