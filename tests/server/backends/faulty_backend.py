"""A reconstructor for tests that fails as graphics cards, drivers and hostile models do."""

from __future__ import annotations

import ctypes
import gc
import os
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import msgpack
import numpy as np
from patient_backend import Patient, PatientSettings, leave_a_mark

from glimpse3d.mattes.alpha import Alpha
from glimpse3d.progress import Progress
from glimpse3d.settings import option
from glimpse3d.stages import Detail
from glimpse3d.types import Image, Prompt, Reconstruction

NOISES = {
    "garbage": b"\x00\xffwhat",
    "flood": bytes(3 * 2**20),
    "other": msgpack.packb({"type": "cancelled", "job": bytes(16)}),
    "paths": msgpack.packb({"type": "done", "job": b"", "files": [], "warning": ""}),
}


@dataclass(frozen=True, slots=True)
class FaultySettings(PatientSettings):
    """What goes wrong."""

    memory_limit: float = option(0.0, "gigabytes that it may take", low=0, high=1000)
    fits: float = option(0.0, "gigabytes above which its memory runs out; 0 never", low=0, high=99)
    takes: float = option(0.0, "gigabytes that it does take for a moment", low=0, high=99)
    cuda: str = option("", "what CUDA says as its context goes")
    segfault: bool = option(False, "read at address 0")
    noise: str = option("none", "what to put on the pipe", choices=("none", *NOISES))
    times: int = option(9, "attempts at which it does so, counted in ``marks``", low=0, high=9)


class Faulty(Patient):
    """The box of six colours, if it comes to that."""

    Settings = FaultySettings
    TITLE = "Faulty"

    def __call__(
        self, cutout: Image, settings: Any, detail: Detail, progress: Progress
    ) -> Reconstruction:
        """Fail as asked, or return the box."""
        if settings.fits and not 0 < settings.memory_limit <= settings.fits:
            raise MemoryError
        if settings.takes:
            progress(0.1, "taking", preview=None)
            np.ones(int(settings.takes * 1e9), np.uint8)
        if leave_a_mark(settings.marks) <= settings.times:
            _break(settings)
        return super().__call__(cutout, PatientSettings(), detail, progress)


def _break(settings: FaultySettings) -> None:
    if settings.cuda:
        raise RuntimeError(settings.cuda)
    if settings.segfault:
        ctypes.string_at(0)
    if settings.noise != "none":
        for each in gc.get_objects():
            if isinstance(each, Connection) and not each.closed:
                each.send_bytes(NOISES[settings.noise])


@dataclass(frozen=True, slots=True)
class GreedySettings:
    """How much it may take, and how much it takes."""

    memory_limit: float = option(0.0, "gigabytes that it may take", low=0, high=1000)
    fits: float = option(1.0, "gigabytes above which its memory runs out", low=0, high=99)


class Greedy(Alpha):
    """The picture's own alpha, if memory allows."""

    Settings = GreedySettings  # type: ignore[assignment]
    TITLE = "Greedy"

    def __call__(self, image: Image, prompt: Prompt, settings: Any, progress: Progress) -> Image:
        """Fail as asked, or return the picture."""
        if not 0 < settings.memory_limit <= settings.fits:
            raise MemoryError
        return super().__call__(image, prompt, settings, progress)


@dataclass(frozen=True, slots=True)
class HeavySettings(PatientSettings):
    """What it holds once it is loaded."""

    megabytes: int = option(64, "of memory", low=1, high=1000)


@dataclass
class Heavy(Patient):
    """Holds memory from its load to its unload."""

    Settings = HeavySettings
    TITLE = "Heavy"
    held: list[Any] = field(default_factory=list)

    def load(self, settings: HeavySettings, progress: Progress) -> None:
        """Take the memory, once."""
        if not self.held:
            self.held.append(np.full(settings.megabytes * 10**6, os.getpid() % 256, np.uint8))

    def unload(self) -> None:
        """Give it back."""
        self.held.clear()


class HeavyToo(Heavy):
    """Another one."""


class HeavyThree(Heavy):
    """And another."""
