"""A client of the inference server that never blocks and owns no thread.

Owns the conversation: greeting, uploads, jobs that are watched, results that are fetched. Call
``poll`` often, from a timer or a loop; it does what is due within its budget and returns what
happened. Must not know Blender, pictures' formats, or what a setting means.

>>> client = Client(string, name="my program")  # doctest: +SKIP
>>> job = client.generate(picture_bytes, {"preset": "draft"})  # doctest: +SKIP
>>> for event in client.poll(20):  # doctest: +SKIP
...     print(event)
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import zmq

from . import connection, protocol
from .errors import WireError
from .events import (
    ConnectionChanged,
    Event,
    Job,
    JobChanged,
    JobDeleted,
    JobList,
    Refused,
    Status,
    Welcomed,
)
from .events import Welcome as Greeting
from .exchange import Exchange
from .following import Orders, Watches
from .lanes import Lanes
from .link import Link, wait_for
from .protocol import Message
from .results import Results, folder_of

_REFUSED = "refused_key"
PING_SECONDS = 15.0
STEP_SECONDS = 0.0018  # a slice and what surrounds it: no new one when less is left
NAP_SECONDS = 0.05  # the longest sleep in ``poll``: some things are due by the clock

Answer = Message | WireError


def new_job_id() -> str:
    """A fresh job id: 32 hex digits."""
    return os.urandom(16).hex()


def _with_picture(
    image: bytes, settings: Mapping[str, Any], mask: bytes | None, box: Sequence[float] | None
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The body and the files of a job that begins with a picture."""
    files = {"image": image} if mask is None else {"image": image, "mask": mask}
    body: dict[str, Any] = {"settings": dict(settings)}
    if box is not None:
        body["box"] = [float(edge) for edge in box]
    return body, files


def _check_version(version: int) -> None:
    if not protocol.common(version, version):
        raise WireError(
            "version", f"the server chose protocol {version}, which is not spoken here",
            "update Glimpse3D on the older side",
        )  # fmt: skip


class Client:
    """One server, many jobs.

    Attributes:
        state: ``connecting``, ``ready`` or ``down``; ``down`` keeps trying.
        problem: why it is down, or None.
        welcome: what the server said of itself, once it is ready.

    Args:
        where: the connection string, or what ``connection.read`` made of it.
        name: who asks, for the server's log.
        clock: seconds that never jump.

    Raises:
        WireError: ``bad_connection_string``.
    """

    def __init__(
        self,
        where: str | connection.Connection,
        name: str = "python",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.where = connection.read(where) if isinstance(where, str) else where
        self.state = "connecting"
        self.problem: WireError | None = None
        self.welcome: Greeting | None = None
        self._name = name
        self._clock = clock
        self._instance = os.urandom(16)
        self._context = _context()
        self._events: deque[Event] = deque()
        self._control = Exchange(self._connect(), clock)
        # Others than the control's: a ping must not queue behind megabytes.
        self._lanes = Lanes(self._connect, lambda: self._control.round_trip, clock)
        self._greeted = 0  # the link's generation that was greeted
        tell = self._events.append
        self._watches = Watches(self._control, tell, clock)
        self._orders = Orders(self._control, self._watches, tell)
        self._results = Results(self._control, tell)

    def generate(
        self,
        image: bytes,
        settings: Mapping[str, Any],
        *,
        mask: bytes | None = None,
        box: tuple[float, float, float, float] | None = None,
        name: str = "",
        job: str | None = None,
    ) -> str:
        """Make an object of a picture; returns the job's id at once.

        Args:
            image: the bytes of a picture file.
            settings: as ``glimpse3d.settings.to_dict`` gives them; ``{"preset": "draft"}`` will do.
            mask: the bytes of a mask's picture file.
            box: left, top, right, bottom in pixels.
            name: what lists show.
            job: an id from ``new_job_id`` that the caller noted, to ask again after a crash.
        """
        body, files = _with_picture(image, settings, mask, box)
        return self.submit("generate", {**body, "name": name[:200]}, files, job)

    def cutout(
        self,
        image: bytes,
        settings: Mapping[str, Any],
        *,
        mask: bytes | None = None,
        box: tuple[float, float, float, float] | None = None,
        name: str = "",
        job: str | None = None,
    ) -> str:
        """Only cut the subject out, to be looked at before more is computed; as ``generate``.

        Of the settings those of the cut-out count. The result's files are ``cutout.png``,
        ``mask.png`` and ``record.json``.
        """
        body, files = _with_picture(image, settings, mask, box)
        return self.submit("cutout", {**body, "name": name[:200]}, files, job)

    def splats(
        self, mesh: bytes, settings: Mapping[str, Any], *, name: str = "", job: str | None = None
    ) -> str:
        """Cover a mesh with splats; returns the job's id at once.

        Args:
            mesh: the bytes of a GLB that holds all of its data.
            settings: ``gaussians`` and ``seed`` count.
            name: what lists show.
            job: as in ``generate``.

        Its files are ``splats.ply`` and ``record.json``.
        """
        body = {"settings": dict(settings), "name": name[:200]}
        return self.submit("splats", body, {"mesh": mesh}, job)

    def fetch_weights(self, stage: str, backend: str, job: str | None = None) -> str:
        """Have the server fetch what a backend needs; returns the job's id at once.

        Only ever because somebody said so: ``welcome.catalogue["weights"]`` tells how much it is.
        ``JobChanged`` events follow, or ``Refused``; ``greet`` then, to hear what is there now.
        """
        body = {"name": f"weights of {backend}"[:200], "stage": stage, "backend": backend}
        return self.submit("fetch_weights", body, job=job)

    def greet(self) -> None:
        """Ask the server once more what it can do: ``Welcomed`` follows."""
        spoken = {"lo": protocol.OLDEST, "hi": protocol.PROTOCOL}
        hello = {**spoken, "client": self._name[:100] or "?"}
        self._control.ask("hello", {**hello, "instance": self._instance}, self._welcomed)

    def submit(
        self,
        kind: str,
        body: Mapping[str, Any],
        files: Mapping[str, bytes] | None = None,
        job: str | None = None,
    ) -> str:
        """Ask for a job of any kind; ``files`` are uploaded first, each named by its field.

        The same id with the same request may be submitted again and is the same job.
        ``Uploading`` and ``JobChanged`` events follow, or ``Refused``.
        """
        identity = bytes.fromhex(job or new_job_id())
        self._orders.add({"job": identity, "kind": kind, **body}, files or {})
        return identity.hex()

    def watch(self, job: str) -> None:
        """Tell of this job from now on, as after a restart of the client's program."""
        self._watches.add(bytes.fromhex(job))

    def forget(self, job: str) -> None:
        """Tell no more of this job, and stop its download; at the server it goes on."""
        identity = bytes.fromhex(job)
        self._watches.drop(identity)
        self._orders.drop(identity)
        self._results.drop(identity)

    def get(self, job: str) -> None:
        """Ask for a job's state once: a ``JobChanged`` follows."""
        self._watches.ask(bytes.fromhex(job))

    def cancel(self, job: str) -> None:
        """Stop a job; one that is finished stays as it is. A ``JobChanged`` follows."""
        identity = bytes.fromhex(job)
        if self._orders.drop(identity):
            self._events.append(JobChanged(Job(job, "generate", "", "cancelled")))
        else:
            self._watches.cancel(identity)

    def delete(self, job: str) -> None:
        """Remove a finished job and its files from the server: a ``JobDeleted`` follows."""
        identity = bytes.fromhex(job)
        self._watches.drop(identity)
        self._control.ask("delete", {"job": identity}, partial(self._deleted, job))

    def list_jobs(self, after: int = 0, limit: int = 50) -> None:
        """Ask for jobs, newest first, from where an earlier ``JobList.next`` points."""
        self._control.ask("list", {"after": after, "limit": limit}, self._listed)

    def status(self) -> None:
        """Ask how the server is: a ``Status`` follows."""
        self._control.ask("status", {}, self._stated)

    def download(self, job: str, folder: str | os.PathLike[str]) -> None:
        """Fetch a result's files into ``folder``; goes on where an earlier attempt stopped.

        ``Downloading`` events follow, then ``Downloaded`` or ``Refused``.
        """
        self._results.add(bytes.fromhex(job), folder_of(folder))

    def close(self) -> None:
        """Give the sockets back at once; what was submitted goes on at the server."""
        if self.problem is not None and self.problem.code == "closed":
            return
        self._control.link.close()
        self._lanes.close()
        self.state, self.problem = "down", WireError("closed", "the client was closed")

    def poll(self, budget_ms: float = 5.0, wait: bool = False) -> list[Event]:
        """Do what is due and return what happened.

        Args:
            budget_ms: how long this may take; a disk that is slow to take a slice, or to sync a
                file at its end, may add to it.
            wait: sleep until something arrives, within the budget; for programs without a timer.
        """
        if self.problem is not None and self.problem.code == "closed":
            return []
        until = self._clock() + budget_ms / 1000
        # A step takes as long as a slice does: the last one begins that much before the end.
        last = until - min(STEP_SECONDS, 0.3 * budget_ms / 1000)
        worked = self._step(last)
        while wait and not self._events and self._clock() < last:
            if not worked:
                links = [self._control.link, *self._lanes.links]
                wait_for(links, min(NAP_SECONDS, last - self._clock()))
                self._control.woke()
            worked = self._step(last)
        events = list(self._events)
        self._events.clear()
        return events

    def _step(self, until: float) -> bool:
        for event in self._control.step(until):
            self._watches.take(event)
        self._follow_link()
        if self.state == "ready":
            now = self._clock()
            self._watches.step(now)
            if not len(self._control) and now - self._control.link.heard > PING_SECONDS:
                self._control.ask("ping", {}, self._lose_key)
        return self._move_files(until)

    def _move_files(self, until: float) -> bool:
        """Upload and download until the time is up or there is nothing to do but wait.

        Returns:
            whether there is more to do at once.
        """

        def late() -> bool:
            return self._clock() >= until

        while True:
            now = self._clock()
            worked = self._orders.step(self._lanes, now, late)
            worked = self._results.step(self._lanes, now, late) or worked
            worked = self._lanes.step(late) or worked
            if not worked or late():
                return worked

    def _connect(self) -> Link:
        return Link(self.where, self._context, self._clock)

    def _follow_link(self) -> None:
        link = self._control.link
        self._lose_key(self._lanes.problem)  # one key for all: taken back for one, it is for all
        if link.state == "down":
            self._change("down", link.problem)
        elif link.state == "up" and link.generation != self._greeted:
            self._greeted = link.generation
            self.greet()

    def _lose_key(self, problem: Answer | None) -> None:
        """Connect anew if the invitation was taken back: who refuses then says so at once."""
        known = self.problem is not None and self.problem.code == _REFUSED
        if isinstance(problem, WireError) and problem.code == _REFUSED and not known:
            self._control.link.renew(problem)
            self._change("down", problem)

    def _change(self, state: str, problem: WireError | None = None) -> None:
        before = (self.state, self.problem.code if self.problem else "")
        self.state, self.problem = state, problem
        if before != (state, problem.code if problem else ""):
            self._events.append(ConnectionChanged(state, problem))

    def _welcomed(self, answer: Answer) -> None:
        try:
            if isinstance(answer, WireError):
                raise answer
            _check_version(answer.body["protocol"])
            self.welcome = Greeting.read(answer)
        except WireError as error:
            self._change("down", error)
            return
        self._watches.restart()
        self._change("ready")
        self._events.append(Welcomed())

    def _deleted(self, job: str, answer: Answer) -> None:
        if isinstance(answer, WireError):
            self._events.append(Refused("delete", job, answer))
        else:
            self._events.append(JobDeleted(job))

    def _listed(self, answer: Answer) -> None:
        if isinstance(answer, WireError):
            self._events.append(Refused("list", "", answer))
            return
        jobs = tuple(Job.read(each) for each in answer.body["jobs"])
        self._events.append(JobList(jobs, answer.body["next"]))

    def _stated(self, answer: Answer) -> None:
        if isinstance(answer, WireError):
            self._events.append(Refused("status", "", answer))
        else:
            self._events.append(Status(answer.body))


@cache
def _context() -> zmq.Context[Any]:
    """One for all clients, never ended: ending it waits, for a name server if need be."""
    return zmq.Context(io_threads=1)
