"""What an executor must do: take tasks, cancel them, tell what happened, and close.

Owns the Protocol and what a task is. Must not know any executor, nor who asked for the task. An
executor decides nothing: attempts, patience and order are the dispatcher's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

# Kinds of job that compute nothing. They run beside the workers, so that a download of an hour
# keeps nobody from generating.
BESIDE = ("fetch_weights",)

# What an executor tells, as a map: ``type`` and ``job``, and more by type (see ``reports``), or
#   lost: ``how`` (words on how its process ended), ``counts`` (False: no fault of the job).
Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt at one job.

    Attributes:
        job: its id.
        request: as it was submitted.
        uploads: field of the request -> the file that it names, on the server's disk.
        folder: where the result is to stand, whole or not at all.
    """

    job: bytes
    request: Mapping[str, Any]
    uploads: Mapping[str, Path]
    folder: Path

    @property
    def beside(self) -> bool:
        """Whether it runs beside the workers."""
        return self.request["kind"] in BESIDE


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker, for people.

    Attributes:
        name: such as ``cuda 0``, ``cpu 1`` or ``10.0.0.7 GPU``.
        state: ``none``, ``starting``, ``idle`` or ``busy``.
        memory: bytes of main memory that its process holds; 0 is unknown.
    """

    name: str
    state: str
    memory: int = 0


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How every worker process behaves.

    Attributes:
        memory: bytes of main memory that it may take; 0 sets no limit (Linux alone can).
        keep: bytes of models that stay loaded between jobs; 0 is half of what there is.
        share: of the machine's or the GPU's memory that is this worker's, where ``keep`` is 0.
        level: of its log.
        warm: False imports nothing ahead, for work that computes nothing.
    """

    memory: int = 0
    keep: int = 0
    share: float = 1.0
    level: int = 30
    warm: bool = True


class Executor(Protocol):
    """Where tasks run. No method waits."""

    @property
    def trouble(self) -> str:
        """Why nothing can run now, in a sentence; empty if it can."""

    @property
    def hopeless(self) -> bool:
        """Whether the trouble will not pass by itself."""

    def room(self, beside: bool) -> bool:
        """Whether another task can start now."""

    def start(self, task: Task) -> None:
        """Begin a task; there must be room."""

    def cancel(self, job: bytes, by_force: bool = False) -> None:
        """Ask a task to stop at its next report, or end it with its process.

        By force it is ``lost`` soon after, unless it ended in another way meanwhile.
        """

    def events(self) -> list[Event]:
        """What happened since the last call. Keeps workers alive on the way."""

    def close(self) -> None:
        """End everything now; tasks that run are not told of."""

    def workers(self) -> Sequence[WorkerState]:
        """How each worker is."""

    def descriptors(self) -> Sequence[int]:
        """File descriptors that turn readable with news; none where they cannot be waited for."""


@dataclass(slots=True)
class Backoff:
    """When to try again what failed before.

    Attributes:
        failures: in a row.
        again: on the monotonic clock, in seconds.
    """

    failures: int = 0
    again: float = field(default=float("-inf"))

    def failed(self, now: float, longest: float = 30.0) -> None:
        """Wait twice as long as the last time, at most ``longest`` seconds."""
        self.failures += 1
        self.again = now + min(longest, 0.5 * 2**self.failures)
