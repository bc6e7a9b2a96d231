"""A reconstructor for tests, as another package would bring it: it can wait, hang and die.

It makes the box of six colours; what it does before that is in its settings.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from glimpse3d import coords
from glimpse3d.errors import InvalidData
from glimpse3d.progress import Progress
from glimpse3d.settings import check, option
from glimpse3d.stages import Detail
from glimpse3d.types import Image, Mesh, Reconstruction

CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * [0.3, 0.2, 0.5]
QUADS = [(0, 4, 5, 1), (4, 6, 7, 5), (6, 2, 3, 7), (2, 0, 1, 3), (1, 5, 7, 3), (2, 6, 4, 0)]
COLORS = [
    (220, 40, 40),
    (40, 180, 60),
    (50, 70, 210),
    (230, 190, 40),
    (200, 80, 200),
    (60, 190, 200),
]


@dataclass(frozen=True, slots=True)
class PatientSettings:
    """What to do before the box stands there."""

    seconds: float = option(0.0, "seconds to spend, with reports", low=0, high=600)
    stubborn: float = option(0.0, "seconds to spend without a report", low=0, high=600)
    deaths: int = option(0, "times to die by SIGKILL, counted by files in ``marks``", low=0, high=9)
    marks: str = option("", "a folder in which each attempt leaves a file")
    fault: str = option("none", "how to end", choices=("none", "refuse", "defect", "memory"))

    def __post_init__(self) -> None:
        check(self)


class Patient:
    """The box of six colours, in its own time."""

    Settings: ClassVar[type] = PatientSettings
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {}
    TITLE: ClassVar[str] = "Patient"
    WHEN: ClassVar[str] = "in tests"

    def load(self, settings: PatientSettings, progress: Progress) -> None:
        """Nothing to load."""

    def unload(self) -> None:
        """Nothing to give back."""

    def __call__(
        self, cutout: Image, settings: PatientSettings, detail: Detail, progress: Progress
    ) -> Reconstruction:
        """Spend the time, misbehave as asked, and return the box."""
        attempts = leave_a_mark(settings.marks)
        steps = max(1, round(settings.seconds / 0.02))
        for step in progress.track(range(steps), "waiting"):
            time.sleep(settings.seconds / steps)
            if step == steps // 2:
                progress(0.5, "half", preview=cutout)
        time.sleep(settings.stubborn)
        if attempts <= settings.deaths:
            os.kill(os.getpid(), signal.SIGKILL)
        fail(settings.fault)
        lens = coords.Lens.from_field_of_view(40.0, cutout.width, cutout.height)
        (camera,) = coords.orbit([0.0], 0.0, 2.2, lens)
        return Reconstruction(box(), camera)


def leave_a_mark(folder: str) -> int:
    """How many attempts there were, this one included."""
    if not folder:
        return 1
    count = len(list(Path(folder).iterdir())) + 1
    (Path(folder) / f"{count}-{time.time_ns()}").touch()
    return count


def fail(fault: str) -> None:
    """End as asked."""
    if fault == "refuse":
        raise InvalidData("the picture is not to its taste", "send another")
    if fault == "defect":
        raise RuntimeError("a defect in a backend")
    if fault == "memory":
        raise MemoryError


def box() -> Mesh:
    """Twelve triangles, a colour a side."""
    vertices = np.concatenate([CORNERS[list(quad)] for quad in QUADS]).astype(np.float32)
    faces = [
        (4 * i + a, 4 * i + b, 4 * i + c) for i in range(6) for a, b, c in ((0, 1, 2), (0, 2, 3))
    ]
    colors = np.repeat([(*color, 255) for color in COLORS], 4, axis=0).astype(np.uint8)
    return Mesh(vertices, np.array(faces, np.uint32), colors=colors)
