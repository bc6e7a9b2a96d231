"""The process that speaks to a Ray cluster.

Owns the actors, one for each place, what each is at, and the way of results to the server's disk.
Must not know the queue. Ray retries nothing here: an attempt that is lost is told, and the server
counts. When the cluster's head is lost Ray ends this process, and the server starts another.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgpack

from glimpse3d import __version__
from glimpse3d.errors import BadFile, Glimpse3DError, OutputFailed, unexpected
from glimpse3d.export.folder import atomic_folder, output_errors

from .. import logs, worker
from . import reports
from .interface import Backoff, Event
from .ray_runner import Runner

if TYPE_CHECKING:
    from .ray import Order

log = logging.getLogger(__name__)

LISTEN_SECONDS = 0.25  # an actor waits so long for news before it answers; a cancel waits, too
TOLD_SECONDS = 1.0
GROW_SECONDS = 2.0
PIECE = 2**20
WINDOW = 8  # pieces asked for at once
# Of Ray's own: how long its client tries to reach a lost head before it ends this process.
_HEAD_SECONDS = {"RAY_gcs_rpc_server_reconnect_timeout_s": "15"}


def main(pipe: Connection, order: Order) -> None:
    """The process's life; it ends with the pipe, with its parent, or with the cluster.

    Args:
        pipe: tasks and cancels come from there, events and the state of workers go there.
        order: which cluster, and how many workers.
    """
    logs.configure_child(order.options.level)
    worker.die_with_parent()
    for name, value in _HEAD_SECONDS.items():
        os.environ.setdefault(name, value)
    import ray

    try:
        ray.init(address=order.address, namespace="glimpse3d", log_to_driver=False,
                 logging_level=logging.WARNING)  # fmt: skip
    except Exception as error:  # Ray raises what its layers raise
        asked = f"{_first_line(error)}; is its head up, and the token the same here and there?"
        worker.say(pipe, type="workers", rows=[], trouble=asked)
        return
    crew = Crew(pipe, order)
    while True:
        crew.turn()


class Seat:
    """One actor, and what it is at.

    Attributes:
        state: ``starting``, ``idle`` or ``busy``.
        job: that it has, or nothing.
        waits: the answer that is to come next: to ``about``, then to ``events`` again and again.
        transfer: of a finished job's files.
    """

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.name = "a place that is being found"
        self.state = "starting"
        self.job = b""
        self.folder = Path()
        self.killed = False
        self.waits: Any = actor.about.remote()
        self.transfer: Future[None] | None = None
        self.end: Event = {}


class Crew:
    """All seats of this server on the cluster.

    Args:
        pipe: to the server.
        order: how many, and with what.
    """

    def __init__(self, pipe: Connection, order: Order) -> None:
        self._pipe = pipe
        self._order = order
        self._seats: list[Seat] = []
        self._tasks: deque[dict[str, Any]] = deque()
        self._pool = ThreadPoolExecutor(4, "transfer")
        self._backoff = Backoff()
        self._trouble = ""
        self._grow_at = self._tell_at = float("-inf")

    def turn(self) -> None:
        """Hear the server and the seats, once."""
        import ray

        while self._pipe.poll(0):
            self._asked(msgpack.unpackb(self._pipe.recv_bytes()))
        now = time.monotonic()
        if now >= self._grow_at:
            self._grow_at = now + GROW_SECONDS
            self._grow(now)
        waits = {seat.waits: seat for seat in self._seats if seat.waits is not None}
        answered, _ = ray.wait(list(waits), timeout=0.05) if waits else ([], None)
        for answer in answered:
            self._answered(waits[answer])
        for seat in list(self._seats):
            if seat.transfer is not None and seat.transfer.done():
                self._fetched(seat, seat.transfer)
        self._hand_out()
        if now >= self._tell_at:
            self._tell_at = now + TOLD_SECONDS
            self._tell_workers()
        if not waits:
            time.sleep(0.05)

    def _grow(self, now: float) -> None:
        """As many seats as are wanted; Ray places them as there is room."""
        import ray

        have = ray.cluster_resources()
        gpus = int(have.get("GPU", 0))
        nodes = sum(bool(node["Alive"]) and node["Resources"].get("CPU", 0) >= 1
                    for node in ray.nodes())  # fmt: skip
        wanted = self._order.workers or gpus or nodes
        if not wanted:
            self._trouble = "none of its nodes offers a GPU or a CPU"
        while len(self._seats) < wanted and now >= self._backoff.again:
            actor = ray.remote(Runner).options(
                num_cpus=1, num_gpus=1 if gpus else 0, max_restarts=0, max_task_retries=0,
                scheduling_strategy="SPREAD",
            ).remote(self._order.options)  # fmt: skip
            self._seats.append(Seat(actor))

    def _tell_workers(self) -> None:
        rows = [{"name": seat.name, "state": seat.state} for seat in self._seats]
        ready = any(seat.state != "starting" for seat in self._seats)
        waiting = self._trouble or "its nodes have no room, or are not ready yet"
        worker.say(self._pipe, type="workers", rows=rows, trouble="" if ready else waiting)

    # What the server asks

    def _asked(self, message: dict[str, Any]) -> None:
        if message["type"] == "job":
            self._tasks.append(message)
            return
        for seat in self._seats:
            if seat.job == message["job"]:
                self._cancel(seat, message["by_force"])
        for task in [task for task in self._tasks if task["job"] == message["job"]]:
            self._tasks.remove(task)
            self._say({"type": "cancelled", "job": task["job"]})

    def _cancel(self, seat: Seat, by_force: bool) -> None:
        import ray

        if by_force:
            seat.killed = True
            ray.kill(seat.actor)  # its next answer is an error
        else:
            seat.actor.cancel.remote(seat.job)

    def _hand_out(self) -> None:
        for seat in self._seats:
            if seat.state == "idle" and self._tasks:
                task = self._tasks.popleft()
                self._begin(seat, task)

    def _begin(self, seat: Seat, task: dict[str, Any]) -> None:
        job = task["job"]
        try:
            uploads = {field: Path(path).read_bytes() for field, path in task["uploads"].items()}
        except OSError as error:
            gone = BadFile(f"an uploaded file is gone from the server's disk: {error}")
            self._say(_failed(job, gone))
            return
        seat.state, seat.job, seat.folder = "busy", job, Path(task["folder"])
        seat.actor.start.remote(job, task["request"], uploads)
        self._tell_at = float("-inf")

    # What the seats answer

    def _answered(self, seat: Seat) -> None:
        import ray

        try:
            answer = ray.get(seat.waits)
            if seat.state == "starting":
                self._met(seat, answer)
            else:
                self._heard(seat, answer)
        except ray.exceptions.RayError as error:
            self._lost(seat, _first_line(error))
        except reports.BadReportError as error:
            self._lost(seat, f"said something {error}")
        if seat in self._seats and seat.transfer is None:
            seat.waits = seat.actor.events.remote(LISTEN_SECONDS)

    def _met(self, seat: Seat, about: Mapping[str, str]) -> None:
        if about["version"] != __version__:
            self._lost(seat, f"has Glimpse3D {about['version']}, and the server {__version__}")
            return
        seat.name, seat.state = about["name"], "idle"
        self._trouble, self._backoff, self._tell_at = "", Backoff(), float("-inf")

    def _heard(self, seat: Seat, events: list[Event]) -> None:
        for event in events:
            event = reports.checked(event, {**reports.WORKER_FIELDS, **reports.LOST_FIELDS})
            if event.get("job") != seat.job:
                continue
            if event["type"] == "done":
                seat.end, seat.waits = event, None
                seat.transfer = self._pool.submit(_fetch, seat, event["files"])
                return
            if event["type"] != "progress":
                self._free(seat)
            self._say(event)

    def _fetched(self, seat: Seat, transfer: Future[None]) -> None:
        import ray

        end, seat.transfer = seat.end, None
        seat.waits = seat.actor.events.remote(LISTEN_SECONDS)
        try:
            transfer.result()
        except ray.exceptions.RayError as error:
            self._lost(seat, _first_line(error))
            return
        except Glimpse3DError as error:
            end = _failed(seat.job, error)
        except Exception as error:
            end = _failed(seat.job, unexpected(error))
        self._free(seat)
        self._say(end)

    def _free(self, seat: Seat) -> None:
        seat.actor.forget.remote(seat.job)
        seat.state, seat.job = "idle", b""
        self._tell_at = float("-inf")

    def _lost(self, seat: Seat, how: str) -> None:
        """The seat is gone, or of no use; another one is looked for."""
        import ray

        self._seats.remove(seat)
        ray.kill(seat.actor)
        log.warning("%s is lost: %s", seat.name, how)
        if seat.job:
            said = "was stopped" if seat.killed else f"on {seat.name} was lost: {how}"
            self._say({"type": "lost", "job": seat.job, "how": said[:1000], "counts": True})
        elif seat.state == "starting":
            self._backoff.failed(time.monotonic())
            self._trouble = f"a worker cannot start there: {how}"
        self._grow_at = self._tell_at = float("-inf")

    def _say(self, event: Event) -> None:
        worker.say(self._pipe, **event)


def _failed(job: bytes, error: Glimpse3DError) -> Event:
    return {"type": "failed", "job": job, "code": error.code, "message": error.message[:2000],
            "hint": error.hint[:2000]}  # fmt: skip


def _fetch(seat: Seat, files: list[dict[str, Any]]) -> None:
    """Bring a result here, in pieces, whole or not at all.

    Raises:
        Glimpse3DError: it cannot be written, or is not what was announced.
        ray.exceptions.RayError: the node is gone.
    """
    with atomic_folder(seat.folder) as new:
        for about in files:
            _fetch_file(seat, about, new / about["name"])


def _fetch_file(seat: Seat, about: Mapping[str, Any], path: Path) -> None:
    import ray

    digest, size = hashlib.sha256(), about["size"]
    offsets = deque(range(0, size, PIECE))
    asked: deque[Any] = deque()
    with output_errors(path), path.open("wb") as file:
        while offsets or asked:
            while offsets and len(asked) < WINDOW:
                at = offsets.popleft()
                asked.append(seat.actor.piece.remote(seat.job, about["name"], at, PIECE))
            data = ray.get(asked.popleft())
            digest.update(data)
            file.write(data)
    if path.stat().st_size != size or digest.digest() != about["sha256"]:
        raise OutputFailed(f"{about['name']} was damaged on its way from {seat.name}", "try again")


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Of a remote traceback the last line says it; of the others the first.
    found = lines[-1] if "Traceback" in str(error) else (lines or [type(error).__name__])[0]
    return found[:300]
