"""A worker on a node of a Ray cluster.

Owns the node's end: the one process that computes there, and its results until they were fetched.
Must not know Ray, the queue, or the cluster. It is an actor's class, and works without one.

The process is a child of the actor's and not the actor itself: so whatever a model does to it, the
actor still hears a cancel and can tell how it ended.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from glimpse3d import __version__
from glimpse3d.errors import Glimpse3DError
from glimpse3d.export.folder import output_errors

from ..devices import Device
from .interface import Event, Task, WorkerOptions
from .local import LocalExecutor


class Runner:
    """One place for a task at a time.

    Args:
        options: of its worker process.
    """

    def __init__(self, options: WorkerOptions) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="glimpse3d-"))
        # The scheduler has set what this process, and with it its child, sees of the GPUs.
        self._executor = LocalExecutor([Device(socket.gethostname())], options)
        self._waiting: Task | None = None
        self._told: list[Event] = []  # beside what the process says

    def about(self) -> dict[str, str]:
        """The name of this place, and the version of its code."""
        card = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        name = f"{socket.gethostname()} {'cuda ' + card if card else 'cpu'}"
        return {"name": name[:100], "version": __version__}

    def start(self, job: bytes, request: Mapping[str, Any], uploads: Mapping[str, bytes]) -> None:
        """Take a task, and begin it as soon as the process is ready."""
        self.forget(job)  # of an attempt before
        folder = self._folder / job.hex()
        try:
            with output_errors(folder):
                folder.mkdir()
                for field, data in uploads.items():
                    (folder / field).write_bytes(data)
        except Glimpse3DError as error:
            self._told.append({"type": "failed", "job": job, "code": error.code,
                               "message": error.message, "hint": error.hint})  # fmt: skip
            return
        paths = {field: folder / field for field in uploads}
        self._waiting = Task(job, request, paths, folder / "result")

    def cancel(self, job: bytes) -> None:
        """Ask the task to stop; it may not have begun."""
        if self._waiting is not None and self._waiting.job == job:
            self._waiting = None
            self._told.append({"type": "cancelled", "job": job})
        else:
            self._executor.cancel(job)

    def events(self, seconds: float) -> list[Event]:
        """What happened; waits so long if nothing has.

        Raises:
            RuntimeError: no process can be started here.
        """
        until = time.monotonic() + seconds
        while True:
            told, self._told = self._told, []
            found = [*told, *self._executor.events()]
            if self._executor.hopeless:
                raise RuntimeError(self._executor.trouble)
            if self._waiting is not None and self._executor.room(beside=False):
                self._executor.start(self._waiting)
                self._waiting = None
            left = until - time.monotonic()
            if found or left <= 0:
                return found
            self._wait(self._executor.descriptors(), left)

    def _wait(self, descriptors: Sequence[int], seconds: float) -> None:
        if descriptors:
            wait(list(descriptors), min(seconds, 0.1))
        else:
            time.sleep(min(seconds, 0.05))

    def piece(self, job: bytes, name: str, offset: int, count: int) -> bytes:
        """A piece of a file of the result."""
        with (self._folder / job.hex() / "result" / name).open("rb") as file:
            file.seek(offset)
            return file.read(count)

    def forget(self, job: bytes) -> None:
        """The result was fetched, or nobody will."""
        shutil.rmtree(self._folder / job.hex(), ignore_errors=True)

    def close(self) -> None:
        """End the process, and leave nothing on the disk."""
        self._executor.close()
        shutil.rmtree(self._folder, ignore_errors=True)
