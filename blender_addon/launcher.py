"""The server on this machine: its environment, its installation, its life.

Owns the folder in which all that stands, and the order of the steps; nothing outside that folder is
changed, Blender's own Python least of all. Must not know Blender, sockets or what the server does.
No bpy, no threads: ``poll`` looks how the child process is, and never waits.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .child import Child, lock
from .install_log import InstallLog

# Megabytes that pip fetches for `[server]` with the frozen constraints, by sys.platform.
FETCHED_MB = {"linux": 300, "win32": 220, "darwin": 190}
DISK_MB = 1500  # what stands on the disk afterwards, and the room that pip works in
LONGEST_INSIDE = 140  # characters of the longest path below the folder
LONGEST_PATH = 259  # what Windows takes
STOP_SECONDS = 4.0
MADE = "made.txt"  # in the environment, once it is whole
# What needs more of a machine than Python alone: an installation ends with importing it.
COMPILED = ("cv2", "msgpack", "numba", "onnxruntime", "zmq")


class Launcher:
    """One local server and its installation.

    Attributes:
        state: ``absent``, ``incomplete``, ``installing``, ``installed``, ``starting``, ``running``
            or ``failed``; ``incomplete`` until the version file says that this very wheel with
            these very constraints stands.
        problem: why it failed: a sentence; empty otherwise.
        hint: what to do about it; may be empty.
        string: the connection string while the server runs. It is a key: never show or log it.

    Args:
        folder: all that is made lies there.
        python: the interpreter that the environment is made with.
        wheel: the project's own, with the server in it.
        constraints: the versions that belong to it.
    """

    def __init__(self, folder: Path, python: Path, wheel: Path, constraints: Path) -> None:
        self.folder = folder
        self.problem = self.hint = ""
        self.string: str | None = None
        self._python = python
        self._wheel = wheel
        self._constraints = constraints
        self._child: Child | None = None
        self._steps: Iterator[tuple[str, list[str]]] = iter(())
        self._log = InstallLog(self.log_path, self.size_hint)
        self._lock: BinaryIO | None = None
        self.state = self._found()

    @property
    def size_hint(self) -> int:
        """Megabytes that an installation fetches at most, for the question before it."""
        return FETCHED_MB.get(sys.platform, max(FETCHED_MB.values()))

    @property
    def fraction(self) -> float:
        """How far the installation is, 0 to 1."""
        return 1.0 if self.state in ("installed", "starting", "running") else self._log.fraction

    @property
    def last_line(self) -> str:
        """The last line of the installation's log."""
        return self._log.last_line

    @property
    def log_path(self) -> Path:
        """The installation's log."""
        return self.folder / "install.log"

    @property
    def server_log_path(self) -> Path:
        """The running server's log."""
        return self.folder / "server.log"

    def install(self) -> None:
        """Begin or go on with the installation; not while one runs, or the server."""
        if self.state in ("installing", "starting", "running"):
            return
        self.problem = self.hint = ""
        try:
            if refusal := self._refusal():
                self._fail(*refusal)
                return
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = lock(self.folder / "install.lock")
            if self._lock is None:
                self._fail("another Blender installs the server right now", "wait until it is done")
                return
            self.log_path.unlink(missing_ok=True)
            self._log = InstallLog(self.log_path, self.size_hint)
            self._version_file.unlink(missing_ok=True)
            self._steps = iter(self._commands())
            self.state = "installing"
            self._next_step()
        except OSError as error:
            self._fail(f"the server cannot be installed: {error}", "choose another folder")

    def start(self) -> None:
        """Start the installed server; nothing happens unless it is installed."""
        if self.state not in ("installed", "failed") or self._found() != "installed":
            return
        self.problem = self.hint = ""
        try:
            data = self._free_data()
            command = [*self._isolated, "-u", "-m", "glimpse3d", "serve", "--attached"]
            command += ["--port", "0", "--data", str(data)]
            self._child = Child(command, self._string_file, self.server_log_path)
        except OSError as error:
            self._version_file.unlink(missing_ok=True)  # its Python is gone: install again
            self._fail(f"the server cannot be started: {error}", "start again to repair it")
            return
        self.state = "starting"

    def poll(self) -> bool:
        """Look how the child is; true if something changed."""
        before = (self.state, self.last_line, self.fraction, self.string)
        if self.state == "installing":
            self._poll_installation()
        elif self.state in ("starting", "running"):
            self._poll_server()
        return before != (self.state, self.last_line, self.fraction, self.string)

    def cancel(self) -> None:
        """Stop an installation; ``install`` goes on with it later."""
        if self.state == "installing":
            self._end_child()
            self.state = self._found()

    def stop(self) -> None:
        """Stop the server; its jobs that wait are kept. Takes a fraction of a second."""
        if self.state in ("starting", "running"):
            assert self._child is not None
            self._child.let_go()
            self._child.wait(STOP_SECONDS)
            self._end_child()
            self.state = self._found()

    def retry(self) -> None:
        """Leave ``failed``: what is next is what the folder says."""
        if self.state == "failed":
            self.problem = self.hint = ""
            self.state = self._found()

    def _found(self) -> str:
        """The state that the folder is in, with nothing running."""
        if not self._environment.exists():
            return "absent"
        try:
            version = self._version_file.read_text("utf-8")
            complete = version == self._version() and self._own_python.exists()
        except OSError:
            complete = False
        return "installed" if complete else "incomplete"

    def _version(self) -> str:
        """This release, down to the bytes."""
        total = hashlib.sha256()
        for path in (self._wheel, self._constraints):
            total.update(hashlib.sha256(path.read_bytes()).digest())
        return f"{self._wheel.name} {total.hexdigest()}\n"

    @property
    def _environment(self) -> Path:
        return self.folder / "venv"

    @property
    def _own_python(self) -> Path:
        windows = sys.platform == "win32"
        return self._environment / ("Scripts/python.exe" if windows else "bin/python")

    @property
    def _isolated(self) -> list[str]:
        return [str(self._own_python), "-I"]

    @property
    def _version_file(self) -> Path:
        return self.folder / "version.txt"

    @property
    def _string_file(self) -> Path:
        return self.folder / "server.out"

    def _refusal(self) -> tuple[str, str] | None:
        """What is known to go wrong before anything is fetched, and what to do."""
        if sys.platform == "darwin" and platform.machine() == "x86_64":
            return ("the packages that the server needs are not made for Intel Macs any more",
                    "connect to a server on another machine")  # fmt: skip
        longest = len(str(self.folder.absolute())) + LONGEST_INSIDE
        if sys.platform == "win32" and longest > LONGEST_PATH:
            return f"the path of {self.folder} is too long for Windows", "choose a shorter one"
        near = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        free = shutil.disk_usage(near).free // 1_000_000
        if free < DISK_MB and self._found() != "incomplete":
            return (f"{near} has {free} MB left, and the server takes {DISK_MB}",
                    "make room there, or choose another folder")  # fmt: skip
        return None

    def _commands(self) -> Iterator[tuple[str, list[str]]]:
        """The steps, each with what to tell; each is a child process that must end with 0."""
        if not self._stands():
            make = [str(self._python), "-I", "-m", "venv", "--clear", str(self._environment)]
            yield "Making an environment of its own", make
            (self._environment / MADE).touch()
        # Python compiles what it imports; beforehand, the paths would be too long for Windows.
        options = ["--disable-pip-version-check", "--no-input", "--no-compile"]
        options += ["--progress-bar", "off"]
        pip = [*self._isolated, "-m", "pip", "install", *options, "--only-binary", ":all:"]
        fetch = [*pip, "-c", str(self._constraints), f"{self._wheel}[server]"]
        yield "Fetching the server's packages", fetch
        # An earlier build of the same version number counts as installed to pip.
        renew = [*pip, "--force-reinstall", "--no-deps", "--no-index", str(self._wheel)]
        yield "Putting this release of the server in place", renew
        code = f"import {', '.join(COMPILED)}"
        yield "Trying the packages out", [*self._isolated, "-c", code]

    def _stands(self) -> bool:
        """Whether an earlier start made the environment to its end, with this very Python."""
        made = (self._environment / MADE).exists() and self._own_python.exists()
        if not made:
            return False
        text = (self._environment / "pyvenv.cfg").read_text("utf-8")
        return f"version = {sys.version_info.major}.{sys.version_info.minor}." in text

    def _next_step(self) -> None:
        step = next(self._steps, None)
        if step is None:
            self._finish()
            return
        told, command = step
        with self.log_path.open("a", encoding="utf-8") as log:
            log.write(f"{told}\n")
        self._child = Child(command, self.log_path, keep=True, held=self._lock)
        self._log.follow(None)

    def _finish(self) -> None:
        near = self._version_file.with_suffix(".part")
        near.write_text(self._version(), "utf-8")
        near.replace(self._version_file)
        self._end_child()
        self.state = "installed"

    def _poll_installation(self) -> None:
        assert self._child is not None
        code = self._child.code
        self._log.follow(self._packages())
        if code is None:
            return
        if code:
            said, hint = self._log.problem()
            hint = hint or f"the whole story is in {self.log_path}"
            self._fail(f"the server could not be installed: {said or f'code {code}'}", hint)
            return
        try:
            self._child.let_go()
            self._next_step()
        except OSError as error:
            self._fail(f"the server could not be installed: {error}", "start again")

    def _packages(self) -> Path | None:
        within = "Lib" if sys.platform == "win32" else "lib/python3.*"
        return next(self._environment.glob(f"{within}/site-packages"), None)

    def _poll_server(self) -> None:
        assert self._child is not None
        if self.state == "starting" and (line := self._announced()):
            self.string, self.state = line, "running"
        if (code := self._child.code) is not None:
            said = _last_line(self.server_log_path)
            hint = f"start it again; its log is {self.server_log_path}"
            self._fail(f"the local server ended with code {code}: {said}", hint)

    def _announced(self) -> str:
        """The connection string, once its whole line is there; the file goes."""
        text = self._string_file.read_text("utf-8")
        if not text.endswith("\n"):
            return ""
        with contextlib.suppress(OSError):  # Windows: the server has it open
            self._string_file.unlink()
        return text.strip()

    def _free_data(self) -> Path:
        """A folder for queue and keys that no other Blender's server uses."""
        number = 1
        while True:
            data = self.folder / ("data" if number == 1 else f"data-{number}")
            self._lock = lock(data.with_suffix(".lock"))
            if self._lock is not None:
                return data
            number += 1

    def _fail(self, problem: str, hint: str) -> None:
        self._end_child()
        self.state, self.problem, self.hint = "failed", problem, hint

    def _end_child(self) -> None:
        if self._child is not None:
            self._child.kill()
        with contextlib.suppress(OSError):
            self._string_file.unlink()  # where it could not be while the server had it open
        if self._lock is not None:
            self._lock.close()
        self._child = self._lock = self.string = None


def _last_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4000))
            lines = file.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""
