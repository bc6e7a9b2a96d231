"""The server on this machine as the user wants it: running or not, with what beside it.

Owns that wish and its steps: install, start, renew, add a part and go on as before. Must not know
Blender or sockets: whom to connect to is told. Nothing here waits.
"""

from __future__ import annotations

from pathlib import Path

from .history import Problem
from .launcher import Launcher
from .power import Extras, Gpus, GpuSearch

UNUSABLE = ("absent", "incomplete", "outdated")
STANDS = ("installed", "outdated", "running")


class Local:
    """One local server and what the user wants of it.

    Attributes:
        launcher: its life.
        wanted: it shall run.
        changing: what stands beside its packages is being changed.
        problem: why the last change failed, or None; the server is what it was before.

    Args:
        launcher: its life.
        folder: the extension's own.
        python: the interpreter that questions are asked with.
    """

    def __init__(self, launcher: Launcher, folder: Path, python: Path) -> None:
        self.launcher = launcher
        self.wanted = False
        self.changing = False
        self.problem: Problem | None = None
        self._former = False
        self._folder = folder
        self._python = python
        self._search: GpuSearch | None = None

    @property
    def gpus(self) -> Gpus | None:
        """The GPUs of this machine; None while they are being looked for."""
        return self._search.found if self._search is not None else None

    def look_for_gpus(self) -> None:
        """Ask anew.

        Raises:
            OSError: Blender's own Python cannot be started.
        """
        if self._search is not None:
            self._search.close()
        self._search = GpuSearch(self._folder, self._python)

    def start(self, former: bool = False) -> None:
        """Install what is missing, and start; ``former``: one of another release will do."""
        self.wanted, self._former = True, former
        self.launcher.retry()
        self.step()

    def stop(self) -> None:
        """Stop the server, or its installation; both can go on later."""
        self.wanted = self.changing = False
        if self.launcher.state == "installing":
            self.launcher.cancel()
        else:
            self.launcher.stop()

    def change(self, extras: Extras) -> None:
        """Have this beside the server's packages; if it ran, it runs again afterwards."""
        self.problem, self.changing = None, True
        self.wanted = self.wanted and self.launcher.state in ("starting", "running")
        self.launcher.stop()
        self.launcher.retry()
        self.launcher.install(extras)
        self.step()

    def cancel_change(self) -> None:
        """Stop changing; the server is what it was before."""
        self.launcher.cancel()
        self.changing = False
        self.step()

    def close(self) -> None:
        """End every child."""
        self.stop()
        if self._search is not None:
            self._search.close()

    def poll(self) -> bool:
        """Look what happened, and go on; true if something changed."""
        if self._search is None and self.launcher.state in STANDS:
            self.look_for_gpus()
        changed = self._search is not None and self._search.poll()
        if self.launcher.poll():
            self.step()
            return True
        return changed

    def step(self) -> None:
        """Go on as far as the user wanted it."""
        launcher = self.launcher
        if self.changing and launcher.state == "failed":
            self.problem = Problem("backend_unavailable", launcher.problem, launcher.hint)
            self.changing = False
            launcher.retry()
        elif self.changing and launcher.state != "installing":
            self.changing = False
        if launcher.state == "failed":
            self.wanted = False
        if not self.wanted:
            return
        if launcher.state == "installed" or (launcher.state == "outdated" and self._former):
            launcher.start(self._former)
        elif launcher.state in UNUSABLE:
            launcher.install()
