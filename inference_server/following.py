"""Jobs as a client follows them: from the order, with its uploads, to the final state.

Owns orders that wait for their uploads and the watch over jobs that run. Must not know results'
files or sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from .errors import WireError
from .events import Event, Job, JobChanged, Refused, Uploading
from .exchange import Exchange
from .lanes import Lanes, Late
from .protocol import FINAL, Message
from .transfers import Upload

LOOK_SECONDS = 2.0  # a watched job without news is asked for
REPORT_SECONDS = 0.1

Answer = Message | WireError
Tell = Callable[[Event], None]


@dataclass(slots=True, eq=False)
class _Order:
    body: dict[str, Any]
    uploads: dict[str, Upload]
    reported: float = 0.0

    @property
    def job(self) -> bytes:
        identity: bytes = self.body["job"]
        return identity


class Orders:
    """Jobs that are to be submitted once their files lie on the server."""

    def __init__(self, control: Exchange, watches: Watches, tell: Tell) -> None:
        self._control = control
        self._watches = watches
        self._tell = tell
        self._waiting: list[_Order] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, body: dict[str, Any], files: Mapping[str, bytes]) -> None:
        """Upload ``files`` and then submit ``body``, with each file's hash in its field."""
        self._waiting.append(_Order(body, {key: Upload(data) for key, data in files.items()}))

    def drop(self, job: bytes) -> bool:
        """Forget an order that was not submitted yet; False if there is none."""
        kept = [order for order in self._waiting if order.job != job]
        found = len(kept) < len(self._waiting)
        self._waiting = kept
        return found

    def step(self, lanes: Lanes, now: float, late: Late) -> bool:
        """Move uploads on, and submit what is ready; whether there is more to do at once."""
        worked = False
        for order in list(self._waiting):
            uploads = order.uploads.values()
            problem = next((each.problem for each in uploads if each.problem), None)
            if problem is not None:
                self._waiting.remove(order)
                self._tell(Refused("put", order.job.hex(), problem))
            elif all(each.done for each in uploads):
                self._waiting.remove(order)
                self._submit(order)
            else:
                worked = any([each.step(lanes, late) for each in uploads]) or worked
                self._report(order, now)
        return worked

    def _report(self, order: _Order, now: float) -> None:
        if now - order.reported >= REPORT_SECONDS:
            order.reported = now
            done = sum(each.sent for each in order.uploads.values())
            total = sum(each.size for each in order.uploads.values())
            self._tell(Uploading(order.job.hex(), done, total))

    def _submit(self, order: _Order) -> None:
        hashes = {field: upload.sha256 for field, upload in order.uploads.items()}
        try:
            body = {**order.body, **hashes}
            self._control.ask("submit", body, partial(self._submitted, order.job))
        except WireError as error:  # a setting that cannot travel
            self._tell(Refused("submit", order.job.hex(), error))

    def _submitted(self, job: bytes, answer: Answer) -> None:
        if isinstance(answer, WireError):
            self._tell(Refused("submit", job.hex(), answer))
        else:
            self._watches.add(job)
            self._watches.take(answer)


@dataclass(slots=True)
class _Watch:
    seq: int = -1  # of the newest news; -1 is none yet
    looked: float = float("-inf")
    asking: bool = False


class Watches:
    """Jobs whose news are wanted, until they are final."""

    def __init__(self, control: Exchange, tell: Tell, clock: Callable[[], float]) -> None:
        self._control = control
        self._tell = tell
        self._clock = clock
        self._jobs: dict[bytes, _Watch] = {}

    def add(self, job: bytes) -> None:
        """Tell of this job from now on."""
        self._jobs.setdefault(job, _Watch())

    def drop(self, job: bytes) -> None:
        """Tell of it no more."""
        self._jobs.pop(job, None)

    def restart(self) -> None:
        """Ask for every job at once: the server may be another one than before."""
        for watch in self._jobs.values():
            watch.seq, watch.looked, watch.asking = -1, float("-inf"), False

    def step(self, now: float) -> None:
        """Ask for jobs of which nothing was heard."""
        for job, watch in self._jobs.items():
            if not watch.asking and now - watch.looked >= LOOK_SECONDS:
                watch.asking, watch.looked = True, now
                body = {"job": job, "since": max(watch.seq, 0)}
                self._control.ask("get", body, partial(self._told, "get", job, False))

    def ask(self, job: bytes) -> None:
        """Ask for a job's state once; it is told even if it is not new."""
        body = {"job": job, "since": 0}
        self._control.ask("get", body, partial(self._told, "get", job, True))

    def cancel(self, job: bytes) -> None:
        """Ask the server to stop a job."""
        self._control.ask("cancel", {"job": job}, partial(self._told, "cancel", job, True))

    def _told(self, asked: str, job: bytes, always: bool, answer: Answer) -> None:
        watch = self._jobs.get(job)
        if watch is not None:
            watch.asking = False
        if isinstance(answer, WireError):
            if answer.code == "not_found":
                self.drop(job)
            self._tell(Refused(asked, job.hex(), answer))
        else:
            self.take(answer, always)

    def take(self, message: Message, always: bool = False) -> None:
        """News, asked for or not; those that are known are dropped, but if ``always``."""
        job, seq, state = (message.body[key] for key in ("job", "seq", "state"))
        watch = self._jobs.get(job)
        if watch is None and message.kind == "event":
            return
        if watch is not None and not always and seq <= watch.seq:
            return
        if message.kind == "event" and state in FINAL:
            self.ask(job)  # an event is a hint: the files come with the answer
            return
        if watch is not None:
            watch.seq = max(seq, watch.seq)
            watch.looked = self._clock()
        if state in FINAL:
            self.drop(job)
        self._tell(JobChanged(Job.read(message.body, message.blob)))
