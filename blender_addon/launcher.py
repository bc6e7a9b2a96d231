"""The server on this machine: its environment, its installation, its life.

Owns its states and the one child process. Must not know Blender, sockets, what stands where in the
folder, or what the server does. No bpy, no threads: ``poll`` looks how the child is, never waits.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .child import Child, lock
from .install_log import InstallLog
from .power import Extras
from .server_folder import ServerFolder

# Megabytes that pip fetches for `[server]` with the frozen constraints, by sys.platform.
FETCHED_MB = {"linux": 320, "win32": 230, "darwin": 200}
STOP_SECONDS = 4.0


class Launcher:
    """One local server and its installation.

    Attributes:
        state: ``absent``, ``incomplete``, ``outdated``, ``installing``, ``installed``,
            ``starting``, ``running`` or ``failed``; ``installed`` once the version file says that
            this very wheel with these very constraints stands, ``outdated`` while it names others.
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
        self._place = ServerFolder(folder, python, wheel, constraints)
        self._string_file = folder / "server.out"
        self._child: Child | None = None
        self._steps: Iterator[tuple[str, list[str]]] = iter(())
        self._wanted = self.extras
        self._log = InstallLog(self.log_path, self.size_hint)
        self._lock: BinaryIO | None = None
        self.state = self._place.found()

    @property
    def size_hint(self) -> int:
        """Megabytes that an installation fetches at most, for the question before it."""
        return FETCHED_MB.get(sys.platform, max(FETCHED_MB.values())) + self._wanted.megabytes()

    @property
    def extras(self) -> Extras:
        """What stands beside the server's own packages; an installation renews it."""
        standing = self._place.standing
        return standing.extras if standing is not None else Extras()

    @property
    def places(self) -> ServerFolder:
        """Where everything lies."""
        return self._place

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

    def install(self, extras: Extras | None = None) -> None:
        """Begin or go on with the installation; not while one runs, or the server.

        Until it has come to its end, what stood here before stays as it was.

        Args:
            extras: what shall stand beside the server's packages; what does now, if not given.
        """
        if self.state in ("installing", "starting", "running"):
            return
        self.problem = self.hint = ""
        self._wanted = self.extras if extras is None else extras
        try:
            if refusal := self._place.refusal(self._wanted):
                self._fail(*refusal)
                return
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = lock(self.folder / "install.lock")
            if self._lock is None:
                self._fail("another Blender installs the server right now", "wait until it is done")
                return
            self.log_path.unlink(missing_ok=True)
            self._log = InstallLog(self.log_path, self.size_hint)
            self._steps = self._place.commands(self._wanted)
            self.state = "installing"
            self._next_step()
        except OSError as error:
            self._fail(f"the server cannot be installed: {error}", "choose another folder")

    def start(self, former: bool = False) -> None:
        """Start the installed server; nothing happens unless it is installed.

        Args:
            former: one of another release will do.
        """
        able = ("installed", "outdated") if former else ("installed",)
        if self.state not in (*able, "failed") or self._place.found() not in able:
            return
        self.problem = self.hint = ""
        try:
            data = self._free_data()
            command = [*self._place.isolated, "-u", "-m", "glimpse3d", "serve", "--attached"]
            command += ["--port", "0", "--data", str(data)]
            self._child = Child(command, self._string_file, self.server_log_path)
        except OSError as error:
            self._place.forget()  # its Python is gone: install again
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
            self.state = self._place.found()

    def stop(self) -> None:
        """Stop the server; its jobs that wait are kept. Takes a fraction of a second."""
        if self.state in ("starting", "running"):
            assert self._child is not None
            self._child.let_go()
            self._child.wait(STOP_SECONDS)
            self._end_child()
            self.state = self._place.found()

    def retry(self) -> None:
        """Leave ``failed``: what is next is what the folder says."""
        if self.state == "failed":
            self.problem = self.hint = ""
            self.state = self._place.found()

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
        self._end_child()
        self.state = "installed"

    def _poll_installation(self) -> None:
        assert self._child is not None
        code = self._child.code
        self._log.follow(self._place.packages)
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
