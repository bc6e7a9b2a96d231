"""A real server for tests in Blender, and the add-on pumped as Blender's timer would.

The server runs in the project's own environment, named by ``GLIMPSE3D_TEST_PYTHON``, because
Blender's has none of what it needs.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy

ROOT = Path(__file__).resolve().parents[2]
BACKENDS = ROOT / "tests" / "server" / "backends"
OWN = ROOT / ".venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
PYTHON = os.environ.get("GLIMPSE3D_TEST_PYTHON", str(OWN))
QUICK: dict[str, Any] = {
    "preset": "draft",
    "matte": "alpha",
    "reconstructor": "patient",
    "gaussians": 64,
    "turntable": {"frames": 2, "resolution": 64},
}


def patient(**options: Any) -> str:
    """Settings for Generate: the box of six colours, after what the options say."""
    return json.dumps({**QUICK, "options": {"patient": options}})


def project(*command: str) -> subprocess.Popen[str]:
    """A child of the project's own Python, with the test backends."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    paths = os.pathsep.join([str(BACKENDS), str(ROOT)])
    return subprocess.Popen(
        [PYTHON, *command], stdout=subprocess.PIPE, env={**own, "PYTHONPATH": paths}, cwd=ROOT,
        text=True,
    )  # fmt: skip


class Server:
    """``python -m inference_server``; the same folder and port again restart it."""

    def __init__(self, data: Path, port: int = 0) -> None:
        self.data = data
        self._process = project("-m", "inference_server", "--data", str(data), "--port", str(port))
        assert self._process.stdout is not None
        self.string = self._process.stdout.readline().strip()
        assert self.string, "the server did not start: its errors stand above"

    @property
    def port(self) -> int:
        return int(self.string.partition("/#")[0].rpartition(":")[2])

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self._process.poll() is None:
            self._process.send_signal(number)
        self._process.wait(20)
        assert self._process.stdout is not None
        self._process.stdout.close()


class Addon:
    """The add-on as the tests reach it.

    Attributes:
        held: seconds for which each tick held the main thread, imports left out.
        busy: seconds of this processor's time of the same ticks: what others' load cannot change.
    """

    def __init__(self, package: ModuleType) -> None:
        self._name = package.__name__
        self.pulse = self.module("pulse")
        self.history = self.module("history")
        self.connection = self.module("_vendor.inference_server.connection")
        self.held: list[float] = []
        self.busy: list[float] = []

    def module(self, name: str) -> Any:
        """A module of the add-on, by its dotted name inside it."""
        return import_module(f"{self._name}.{name}")

    @property
    def session(self) -> Any:
        return self.pulse.session()

    @property
    def jobs(self) -> list[Any]:
        jobs: list[Any] = self.session.book.jobs
        return jobs

    def until(self, done: Callable[[], object], seconds: float = 60.0) -> None:
        """Tick like the timer until something is so."""
        limit = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < limit, self.describe()
            imported = self._imported()
            wall, busy = time.perf_counter(), time.thread_time()
            pause = self.pulse.tick()
            if self._imported() == imported:
                self.held.append(time.perf_counter() - wall)
                self.busy.append(time.thread_time() - busy)
            assert self.pulse.trouble() is None, self.pulse.trouble()
            time.sleep(min(pause, 0.02))

    def _imported(self) -> int:
        return sum(job.imported for job in self.jobs)

    def describe(self) -> str:
        jobs = [(job.state, job.fraction, job.problem) for job in self.jobs]
        return f"{self.session.state} {self.session.problem} {jobs}"

    def paste(self, string: str) -> None:
        bpy.ops.glimpse3d.paste_connection(text=string)

    def connect(self, string: str) -> None:
        self.paste(string)
        self.until(lambda: self.session.state == "ready", 20)

    def generate(self, picture: bpy.types.Image, settings: str) -> Any:
        """Press Generate; the job."""
        bpy.context.scene.glimpse3d.source = picture
        assert bpy.ops.glimpse3d.generate(settings=settings) == {"FINISHED"}
        return self.jobs[0]

    def ends(self, job: Any) -> None:
        self.until(lambda: job.is_final)

    def problem(self, seconds: float = 12.0) -> str:
        """The code of why there is no connection, once that is known."""
        self.until(lambda: self.session.problem is not None, seconds)
        assert self.session.state in ("down", "offline")
        assert self.session.problem.message and self.session.problem.hint
        return str(self.session.problem.code)

    def restart(self) -> None:
        """What a crash and a new start of Blender do to the add-on: nothing is said goodbye to."""
        if self.session.client is not None:
            self.session.client.close()
        self.session.book.history.close()  # as the system does
        self.pulse._state.session = None
        self.pulse._state.scenes.clear()

    def forget(self) -> None:
        """Leave nothing for the next test."""
        for job in list(self.jobs):
            self.session.book.remove(job.id)
        for server in list(self.session.servers.saved):
            self.session.servers.remove(server.name)
        self.session.end_checkup()
        self.session.disconnect()
