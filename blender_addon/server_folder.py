"""The folder of the server on this machine: what stands in it, and what makes it complete.

Owns the places in it, the version file, what is refused beforehand, and the commands that install.
Nothing outside is changed, Blender's own Python least of all. Must not know processes. No bpy.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

DISK_MB = 1500  # what stands on the disk afterwards, and the room that pip works in
LONGEST_INSIDE = 140  # characters of the longest path below the folder
LONGEST_PATH = 259  # what Windows takes
MADE = "made.txt"  # in the environment, once it is whole
# What needs more of a machine than Python alone: an installation ends with importing it.
COMPILED = ("cv2", "msgpack", "numba", "onnxruntime", "zmq")


class ServerFolder:
    """Where a server is installed, and of what.

    Args:
        path: the folder.
        python: the interpreter that its environment is made with.
        wheel: the project's own, with the server in it.
        constraints: the versions that belong to it.
    """

    def __init__(self, path: Path, python: Path, wheel: Path, constraints: Path) -> None:
        self.path = path
        self.python = python
        self.wheel = wheel
        self.constraints = constraints
        self.environment = path / "venv"
        self.version_file = path / "version.txt"

    @property
    def own_python(self) -> Path:
        """The environment's interpreter."""
        windows = sys.platform == "win32"
        return self.environment / ("Scripts/python.exe" if windows else "bin/python")

    @property
    def isolated(self) -> list[str]:
        """What runs the environment's interpreter, deaf to the user's variables."""
        return [str(self.own_python), "-I"]

    @property
    def packages(self) -> Path | None:
        """Where the environment's packages are, once it is made."""
        within = "Lib" if sys.platform == "win32" else "lib/python3.*"
        return next(self.environment.glob(f"{within}/site-packages"), None)

    def found(self) -> str:
        """``absent``, ``incomplete`` or ``installed``."""
        if not self.environment.exists():
            return "absent"
        try:
            version = self.version_file.read_text("utf-8")
            complete = version == self.version() and self.own_python.exists()
        except OSError:
            complete = False
        return "installed" if complete else "incomplete"

    def version(self) -> str:
        """This release, down to the bytes."""
        total = hashlib.sha256()
        for path in (self.wheel, self.constraints):
            total.update(hashlib.sha256(path.read_bytes()).digest())
        return f"{self.wheel.name} {total.hexdigest()}\n"

    def complete(self) -> None:
        """Say for the next start that all of this release stands."""
        near = self.version_file.with_suffix(".part")
        near.write_text(self.version(), "utf-8")
        near.replace(self.version_file)

    def begin(self) -> None:
        """Say that something is missing, until ``complete``."""
        self.version_file.unlink(missing_ok=True)

    def refusal(self) -> tuple[str, str] | None:
        """What is known to go wrong before anything is fetched, and what to do."""
        if sys.platform == "darwin" and platform.machine() == "x86_64":
            return ("the packages that the server needs are not made for Intel Macs any more",
                    "connect to a server on another machine")  # fmt: skip
        longest = len(str(self.path.absolute())) + LONGEST_INSIDE
        if sys.platform == "win32" and longest > LONGEST_PATH:
            return f"the path of {self.path} is too long for Windows", "choose a shorter one"
        near = next(path for path in (self.path, *self.path.parents) if path.exists())
        free = shutil.disk_usage(near).free // 1_000_000
        if free < DISK_MB and self.found() != "incomplete":
            return (f"{near} has {free} MB left, and the server takes {DISK_MB}",
                    "make room there, or choose another folder")  # fmt: skip
        return None

    def commands(self) -> Iterator[tuple[str, list[str]]]:
        """The steps, each with what to tell; each is a child process that must end with 0."""
        if not self._stands():
            make = [str(self.python), "-I", "-m", "venv", "--clear", str(self.environment)]
            yield "Making an environment of its own", make
            (self.environment / MADE).touch()
        # Python compiles what it imports; beforehand, the paths would be too long for Windows.
        options = ["--disable-pip-version-check", "--no-input", "--no-compile"]
        options += ["--progress-bar", "off"]
        pip = [*self.isolated, "-m", "pip", "install", *options, "--only-binary", ":all:"]
        fetch = [*pip, "-c", str(self.constraints), f"{self.wheel}[server]"]
        yield "Fetching the server's packages", fetch
        # An earlier build of the same version number counts as installed to pip.
        renew = [*pip, "--force-reinstall", "--no-deps", "--no-index", str(self.wheel)]
        yield "Putting this release of the server in place", renew
        code = f"import {', '.join(COMPILED)}"
        yield "Trying the packages out", [*self.isolated, "-c", code]

    def _stands(self) -> bool:
        """Whether an earlier start made the environment to its end, with this very Python."""
        made = (self.environment / MADE).exists() and self.own_python.exists()
        if not made:
            return False
        text = (self.environment / "pyvenv.cfg").read_text("utf-8")
        return f"version = {sys.version_info.major}.{sys.version_info.minor}." in text
