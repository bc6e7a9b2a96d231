"""One child process, looked after without ever waiting for it; and locks between programs.

Owns how a child is started, ended and read, and what differs between the operating systems in that.
Must not know what the child does. No bpy, no threads.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

# What would make a child's Python look for packages outside its own environment.
_STRANGE = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONUSERBASE", "VIRTUAL_ENV")


class Child:
    """A running program; its standard input stays open for as long as we live and want it to.

    Args:
        command: the program and its arguments.
        output: its standard output goes there; the file is made anew, for the user's eyes alone.
        errors: its standard error; None joins it to ``output``.
        keep: goes on writing where ``output`` ends.
        held: an open lock that the child holds too, so that it outlives us with the child.

    Raises:
        OSError: the program cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        output: Path,
        errors: Path | None = None,
        keep: bool = False,
        held: BinaryIO | None = None,
    ) -> None:
        with contextlib.ExitStack() as files:
            target = files.enter_context(_private(output, keep))
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=target,
                stderr=files.enter_context(_private(errors)) if errors else subprocess.STDOUT,
                env={key: value for key, value in os.environ.items() if key not in _STRANGE},
                pass_fds=(held.fileno(),) if held and sys.platform != "win32" else (),
                start_new_session=sys.platform != "win32",  # ctrl-C in Blender's terminal is ours
                creationflags=_no_window(),
            )

    @property
    def code(self) -> int | None:
        """What it ended with, or None while it runs."""
        return self._process.poll()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def say(self, text: str) -> None:
        """Write a line to its standard input; a pipe takes some thousand characters at once."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended already: its code tells
            self._process.stdin.write(text.encode())
            self._process.stdin.flush()

    def let_go(self) -> None:
        """Close its standard input: one that watches it ends by itself."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def wait(self, seconds: float) -> bool:
        """Give it time to end; true if it did."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End it now, and whatever it started."""
        self.let_go()
        if self._process.poll() is None:
            if sys.platform == "win32":
                self._process.kill()  # an environment's python.exe takes its child with it
            else:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
        self.wait(2.0)


def _private(path: Path, keep: bool = False) -> BinaryIO:
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if keep else os.O_TRUNC)
    return os.fdopen(os.open(path, flags, 0o600), "ab" if keep else "wb")


def _no_window() -> int:
    if sys.platform == "win32":
        return subprocess.CREATE_NO_WINDOW
    return 0


def lock(path: Path) -> BinaryIO | None:
    """Take a lock for as long as the file that is returned stays open; None: another has it.

    It ends with the program that holds it, however that ends.

    Raises:
        OSError: the file cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("ab")
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.close()
        return None
    return file
