"""The add-on's jobs: what each is doing, and what to ask the client for next.

Owns the states and their order; drives one ``Client`` and hears its events. Must not know Blender,
sockets, or how a result becomes objects. Every job is kept on disk, so that it goes on after a
crash of Blender, of the server, or of the line between them.
"""

from __future__ import annotations

import errno
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ._vendor.glimpse3d.errors import BadFile
from ._vendor.glimpse3d.formats import picture_header
from ._vendor.inference_server import events
from ._vendor.inference_server.client import Client, new_job_id
from .history import Box, History, Job, Place, Problem

log = logging.getLogger(__name__)

AT_SERVER = ("queued", "running")
MOST_PREVIEWED = 2**20  # pixels of a picture that is decoded while Blender draws
TRANSFERS = ("uploading", "downloading")
# Refusals of an order that fetching weights cures: they are not there, or were cut short.
WANT_OF_WEIGHTS = ("weights_missing", "bad_file")


class JobBook:
    """All jobs, newest first.

    Attributes:
        jobs: see above; only this class changes them.
        problem: why the history could not be written the last time, or None.

    Args:
        folder: where their folders lie.
        clock: Unix seconds.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self.problem: Problem | None = None
        self.history = History(folder)
        self.jobs = self.history.load()
        self._clock = clock
        self._client: Client | None = None
        self._server: Place | None = None
        self._to_resume: deque[str] = deque()
        self._sent_again: set[str] = set()
        self._for_weights: set[str] = set()  # refused for want of them, in this session
        for job in self.jobs:
            if job.state == "importing":  # it may be what crashed Blender: not by itself again
                job.state = "done"
                self.history.release(job.id)
            elif not job.is_final:
                job.state = "interrupted"

    def get(self, identity: str) -> Job | None:
        """The job of that id, or None."""
        return next((job for job in self.jobs if job.id == identity), None)

    @property
    def active(self) -> list[Job]:
        """Jobs that are not at their end, newest first."""
        return [job for job in self.jobs if not job.is_final]

    @property
    def is_moving(self) -> bool:
        """Data flows: the caller should come back soon."""
        return bool(self._to_resume) or any(job.state in TRANSFERS for job in self.jobs)

    @property
    def due(self) -> Job | None:
        """The oldest result that waits for its import."""
        return next((job for job in reversed(self.jobs) if job.state == "importing"), None)

    # What the user does.

    def add(
        self, picture: bytes, settings: Mapping[str, Any], name: str, box: Box | None = None
    ) -> Job:
        """Make an object of a picture; needs a server.

        Args:
            picture: the bytes of a PNG.
            settings: as ``Client.generate`` takes them.
            name: of the picture.
            box: left, top, right, bottom of the subject in pixels.

        Raises:
            OSError: the job cannot be kept, and was not sent.
        """
        if self._server is None:
            raise RuntimeError("no server: the caller has to look first")
        job = Job(new_job_id(), name, dict(settings), self._server, self._clock(), box=box)
        self.history.create(job, picture)
        self.jobs.insert(0, job)
        self._send(job, picture)
        return job

    def retry(self, identity: str, settings: Mapping[str, Any] | None = None) -> Job:
        """Fetch a result once more, or make it once more; a failed job makes room for the new one.

        Raises:
            KeyError: no such job.
            OSError: its picture is gone, or the disk is full.
        """
        old = self._known(identity)
        if settings is None and old.phase == "downloading" and old.server == self._server:
            if self.history.claim(old.id):  # else another Blender is fetching it right now
                old.problem = None
                self._move(old, "interrupted")
                self._to_resume.append(old.id)
            return old
        picture = self.history.picture(identity)
        wanted = old.settings if settings is None else settings
        new = self.add(picture, wanted, old.name, old.box)
        if old.state != "done":
            self.remove(identity)
        return new

    def cancel(self, identity: str) -> None:
        """Stop a job; one that waits for its import is kept as it is, not imported."""
        job = self._known(identity)
        if job.is_final:
            return
        if job.state == "importing":
            self._move(job, "done")
        elif job.state in ("queued", "running", "uploading") and self._client is not None:
            job.cancelling = True
            self._client.cancel(job.id)
        else:
            job.cancel_due = job.phase in ("uploading", *AT_SERVER)
            self._drop(job)
            self._move(job, "cancelled")

    def remove(self, identity: str) -> None:
        """Forget a job and delete its files; one that runs is stopped.

        Raises:
            OSError: its files are in use; it stays in the list.
        """
        job = self._known(identity)
        if not job.is_final:
            self.cancel(identity)
        self._drop(job)
        self.history.remove(identity)
        self.jobs.remove(job)

    def _drop(self, job: Job) -> None:
        if self._client is not None:
            self._client.forget(job.id)
        if job.id in self._to_resume:
            self._to_resume.remove(job.id)

    def _known(self, identity: str) -> Job:
        job = self.get(identity)
        if job is None:
            raise KeyError(identity)
        return job

    # What becomes of a result.

    def keep(self, identity: str, problem: Problem | None = None) -> None:
        """The result is here and not in a scene; ``problem`` if importing it failed."""
        job = self._known(identity)
        job.problem = problem
        self._move(job, "done")

    def was_imported(self, identity: str) -> None:
        """The result stands in a scene."""
        job = self._known(identity)
        job.problem, job.imported = None, True
        self._move(job, "done")

    # What the connection does.

    def connected(self, client: Client, server: Place) -> None:
        """The server answers. A new client is given what other clients left unfinished."""
        mine = [job for job in self.jobs if job.server.key == server.key]
        if client is not self._client:
            self._client, self._server = client, server
            self._to_resume.extend(job.id for job in reversed(mine) if not job.is_final)
        else:
            for job in mine:
                if job.state == "interrupted":
                    job.state = job.phase
        self._to_resume.extend(job.id for job in mine if job.cancel_due)

    def lost(self) -> None:
        """The server does not answer; the same client keeps trying."""
        for job in self.active:
            if job.state != "importing":
                job.state, job.cancelling = "interrupted", False

    def disconnected(self) -> None:
        """There is no client any more."""
        self._client = self._server = None
        self._to_resume.clear()
        self._sent_again.clear()
        self.lost()

    def close(self) -> None:
        """Leave the jobs to other Blenders."""
        self.disconnected()
        self.history.close()

    def resume_one(self) -> None:
        """Take up one job that was left unfinished; call it between polls."""
        if not self._to_resume or self._client is None:
            return
        job = self.get(self._to_resume.popleft())
        if job is None:
            return
        if job.cancel_due:
            self._client.cancel(job.id)
        elif job.phase in AT_SERVER:
            self._client.watch(job.id)
            self._move(job, job.phase)
        elif job.phase == "downloading":
            self._download(job)
        else:
            self._send_kept(job)

    def weights_came(self, backend: str) -> None:
        """Go on with jobs that the server refused only because this backend had no weights."""
        for job in reversed(self.jobs):
            mine = self._server is not None and job.server.key == self._server.key
            waits = job.id in self._for_weights and job.state == "failed" and mine
            if (
                waits
                and job.settings.get("reconstructor") == backend
                and self.history.claim(job.id)
            ):
                self._for_weights.discard(job.id)
                job.problem = None
                self._move(job, "interrupted")
                self._to_resume.append(job.id)

    def _send_kept(self, job: Job) -> None:
        try:
            picture = self.history.picture(job.id)
        except OSError as error:
            why = error.strerror or "it is gone"
            self._fail(job, Problem("output_failed", f"the job's picture cannot be read: {why}"))
            return
        self._send(job, picture)

    def _send(self, job: Job, picture: bytes) -> None:
        assert self._client is not None
        self._client.generate(picture, job.settings, box=job.box, name=job.name, job=job.id)
        self._move(job, "uploading")

    def _download(self, job: Job) -> None:
        assert self._client is not None
        self._client.download(job.id, self.history.result(job.id))
        self._move(job, "downloading")

    # What the client tells.

    def take(self, event: events.Event) -> None:
        """Hear what happened; events of others' jobs are none of ours."""
        if isinstance(event, events.JobChanged):
            if (job := self.get(event.job.id)) is not None:
                self._changed(job, event.job)
        elif isinstance(event, events.Uploading | events.Downloading):
            if (job := self.get(event.job)) is not None and not job.is_final:
                self._moved(job, event)
        elif isinstance(event, events.Downloaded):
            if (job := self.get(event.job)) is not None and job.state == "downloading":
                self._downloaded(job)
        elif isinstance(event, events.Refused) and (job := self.get(event.job)) is not None:
            self._refused(job, event)

    def _changed(self, job: Job, news: events.Job) -> None:
        if job.cancel_due and news.is_final:
            job.cancel_due = False
            self._save(job)
        if job.is_final or job.state in ("downloading", "importing"):
            return
        job.fraction, job.stage, job.note = news.fraction, news.stage, news.note
        job.ahead = news.ahead
        if news.state == "running" and (job.began is None or news.fraction < job.began[1]):
            job.began = self._clock(), news.fraction  # the first attempt, or one after a death
        job.cancelling = job.cancelling or news.cancelling
        if news.preview:
            self._keep_preview(job, news.preview)
        if not news.is_final:
            self._move(job, news.state)
        elif news.state == "failed":
            self._fail(job, Problem.of(news.problem) if news.problem else _NO_REASON)
        elif news.state == "cancelled":
            self._move(job, "cancelled")
        elif job.cancelling:  # it was ready before the server heard of it
            job.phase = "downloading"
            self._move(job, "cancelled")
        else:
            job.fraction = 0.0
            self._download(job)

    def _moved(self, job: Job, event: events.Uploading | events.Downloading) -> None:
        state = "uploading" if isinstance(event, events.Uploading) else "downloading"
        job.fraction = event.done / max(event.total, 1)
        self._move(job, state)

    def _downloaded(self, job: Job) -> None:
        self._move(job, "importing")
        if self._client is not None:
            self._client.delete(job.id)  # the files are here now

    def _refused(self, job: Job, event: events.Refused) -> None:
        unknown = event.problem.code == "not_found"
        if job.cancel_due and unknown:
            job.cancel_due = False
            self._save(job)
        if job.is_final or event.asked not in ("put", "submit", "get", "cancel", "fetch"):
            return
        if event.asked == "cancel":
            if unknown:
                self._move(job, "cancelled")
        elif unknown and job.id not in self._sent_again:  # a server that lost its data
            self._sent_again.add(job.id)
            self._send_kept(job)
        elif event.asked != "get" or unknown:
            if event.asked == "submit" and event.problem.code in WANT_OF_WEIGHTS:
                self._for_weights.add(job.id)
            self._fail(job, Problem.of(event.problem))

    # How it is kept.

    def _fail(self, job: Job, problem: Problem) -> None:
        job.problem = problem
        self._move(job, "failed")

    def _move(self, job: Job, state: str) -> None:
        if job.state == state and state not in ("done", "interrupted"):
            return
        job.state = state
        if state not in ("failed", "cancelled", "interrupted"):
            job.phase = state
        self._save(job)
        if job.is_final:
            job.cancelling = False
            self.history.release(job.id)

    def _save(self, job: Job) -> None:
        try:
            self.history.save(job)
            self.problem = None
        except OSError as error:
            self._unsaved(error)

    def _keep_preview(self, job: Job, picture: bytes) -> None:
        try:
            picture_header.check(picture, "a preview", MOST_PREVIEWED)
            self.history.save_preview(job.id, picture)
            job.previews += 1
        except BadFile as error:  # the work goes on without it
            log.warning("not shown: %s", error)
        except OSError as error:
            self._unsaved(error)

    def _unsaved(self, error: OSError) -> None:
        log.warning("the history cannot be written: %s", error)
        self.problem = from_disk(error)


_NO_REASON = Problem("internal", "the server gave no reason", "look into its log")


def from_disk(error: OSError) -> Problem:
    """An error of the disk as a sentence and a hint."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Problem(
            "disk_full", "the disk of Blender's user folder is full", "make room and try again"
        )
    where = f" ({error.filename})" if error.filename else ""
    return Problem(
        "output_failed",
        f"Blender's user folder cannot be written: {error.strerror}{where}",
        "look whether the folder is there and may be written",
    )
