"""The folder of the server on this machine: what stands in it, and what makes it complete.

Owns the places in it, the version file, what is refused beforehand, and the commands that install.
There are two places for an environment: what is made anew is made in the free one, and the version
file names it only once it works; until then the other is what it was. Nothing outside is changed,
Blender's own Python least of all. Must not know processes. No bpy.
"""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .power import Extras

DISK_MB = 1500  # what stands on the disk afterwards, and the room that pip works in
UNPACKED = 3.5  # what PyTorch and its like take there, with pip's cache, for each MB fetched
LONGEST_INSIDE = 140  # characters of the longest path below the folder
LONGEST_WITH_TORCH = 205
LONGEST_PATH = 259  # what Windows takes
CACHE = "cache"
PLACES = ("venv", "venv-2")
MADE = "made.txt"  # in an environment that pip may work in; says for which extras
# What needs more of a machine than Python alone: an installation ends with importing it.
COMPILED = ("cv2", "msgpack", "numba", "onnxruntime", "zmq")


# On a GPU the packages must not only be there: something has to be computed on it.
ON_GPU = """
import torch
if not torch.cuda.is_available():
    raise SystemExit("PyTorch sees no GPU: its driver is too old for this build, or it is in use")
one = torch.ones(64, 64, device="cuda")
assert float((one @ one).sum()) == 64.0**3
print("Computed on", torch.cuda.get_device_name())
"""


class Standing(NamedTuple):
    """What the version file says: which release stands, in which place, with what beside it."""

    release: str
    place: str
    extras: Extras


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
        self.version_file = path / "version.txt"
        self._version = ""

    @property
    def standing(self) -> Standing | None:
        """The environment that works, of whichever release; None if there is none."""
        try:
            lines = self.version_file.read_text("utf-8").splitlines()
        except OSError:
            return None
        place = lines[1] if len(lines) > 1 else PLACES[0]  # before there were two, it was this one
        extras = Extras.read(lines[2]) if len(lines) > 2 else Extras()
        known = lines and place in PLACES and python_in(self.path / place).exists()
        return Standing(f"{lines[0]}\n", place, extras) if known else None

    @property
    def environment(self) -> Path:
        """The environment that works, or else the one that is being made."""
        standing = self.standing
        return self.path / standing.place if standing is not None else self.building

    @property
    def building(self) -> Path:
        """Where the next environment is made: never where one works."""
        standing = self.standing
        free = [each for each in PLACES if standing is None or each != standing.place]
        begun = [each for each in free if (self.path / each).exists()]
        return self.path / (begun or free)[0]

    @property
    def own_python(self) -> Path:
        """The interpreter of the environment that works."""
        return python_in(self.environment)

    @property
    def isolated(self) -> list[str]:
        """What runs the environment's interpreter, deaf to the user's variables."""
        return [str(self.own_python), "-I"]

    @property
    def packages(self) -> Path | None:
        """Where the packages are that are being installed, once that environment is made."""
        within = "Lib" if sys.platform == "win32" else "lib/python3.*"
        return next(self.building.glob(f"{within}/site-packages"), None)

    def found(self) -> str:
        """``absent``, ``incomplete``, ``outdated`` (another release works) or ``installed``."""
        standing = self.standing
        if standing is not None:
            return "installed" if standing.release == self.version() else "outdated"
        return "incomplete" if any((self.path / each).exists() for each in PLACES) else "absent"

    def version(self) -> str:
        """This release, down to the bytes, which are read once: panels ask at every drawing."""
        if not self._version:
            total = hashlib.sha256()
            for path in (self.wheel, self.constraints):
                total.update(hashlib.sha256(path.read_bytes()).digest())
            self._version = f"{self.wheel.name} {total.hexdigest()}\n"
        return self._version

    def complete(self, extras: Extras) -> None:
        """Say for the next start that what was made works; until here nothing was changed."""
        near = self.version_file.with_suffix(".part")
        near.write_text(f"{self.version()}{self.building.name}\n{extras.line()}\n", "utf-8")
        near.replace(self.version_file)

    def forget(self) -> None:
        """Say that what stood here works no more."""
        self.version_file.unlink(missing_ok=True)

    def disk_mb(self, extras: Extras) -> int:
        """The room that an installation needs."""
        return DISK_MB + int(UNPACKED * extras.megabytes())

    def refusal(self, extras: Extras) -> tuple[str, str] | None:
        """What is known to go wrong before anything is fetched, and what to do."""
        if sys.platform == "darwin" and platform.machine() == "x86_64":
            return ("the packages that the server needs are not made for Intel Macs any more",
                    "connect to a server on another machine")  # fmt: skip
        inside = LONGEST_WITH_TORCH if extras.torch else LONGEST_INSIDE
        longest = len(str(self.path.absolute())) + inside
        if sys.platform == "win32" and longest > LONGEST_PATH:
            return f"the path of {self.path} is too long for Windows", "choose a shorter one"
        near = next(path for path in (self.path, *self.path.parents) if path.exists())
        free = shutil.disk_usage(near).free // 1_000_000
        if free < self.disk_mb(extras) and self.found() != "incomplete":
            return (f"{near} has {free} MB left, and the server takes {self.disk_mb(extras)}",
                    "make room there, or choose another folder")  # fmt: skip
        return None

    def commands(self, extras: Extras) -> Iterator[tuple[str, list[str]]]:
        """The steps, each with what to tell; each is a child process that must end with 0."""
        new = self.building
        if not self._stands(new, extras):
            make = [str(self.python), "-I", "-m", "venv", "--clear", str(new)]
            yield "Making an environment of its own", make
            (new / MADE).write_text(extras.line(), "utf-8")
        python = [str(python_in(new)), "-I"]
        yield from self._packages(python, extras)
        yield "Trying the packages out", [*python, "-c", f"import {', '.join(_modules(extras))}"]
        if extras.build is not None and extras.build.cuda:
            yield "Computing on the GPU", [*python, "-c", ON_GPU]
        former = self.standing
        self.complete(extras)
        if former is not None:
            (self.path / former.place / MADE).unlink(missing_ok=True)  # never gone on with
            code = "import shutil, sys; shutil.rmtree(sys.argv[1], ignore_errors=True)"
            clear = [*python, "-c", code, str(self.path / former.place)]
            yield "Removing the former environment", clear

    def _packages(self, python: list[str], extras: Extras) -> Iterator[tuple[str, list[str]]]:
        # Python compiles what it imports; beforehand, the paths would be too long for Windows.
        options = ["--disable-pip-version-check", "--no-input", "--no-compile"]
        # Its cache is ours too: nothing outside grows, and what was fetched is fetched once.
        options += ["--progress-bar", "off", "--cache-dir", str(self.path / CACHE)]
        pip = [*python, "-m", "pip", "install", *options, "--only-binary", ":all:"]
        frozen = ["-c", str(self.constraints)]
        torch = self._torch(extras)
        if extras.build is not None and extras.build.index:
            # By itself: that index is asked for nothing else, and need not have it.
            where = ["--no-deps", "--extra-index-url", extras.build.index]
            yield "Fetching PyTorch", [*pip, *frozen, *where, *torch]
        names = ",".join(("server", *extras.parts))
        wanted = [f"{self.wheel}[{names}]", *torch]
        yield "Fetching the server's packages", [*pip, *frozen, *wanted]
        # An earlier build of the same version number counts as installed to pip.
        renew = [*pip, "--force-reinstall", "--no-deps", "--no-index", str(self.wheel)]
        yield "Putting this release of the server in place", renew

    def _torch(self, extras: Extras) -> list[str]:
        """What pip is asked for so that it takes this build: its name is part of its version."""
        if extras.build is None:
            return []
        build = f"+{extras.build.name}" if extras.build.index else ""
        return [f"torch=={self._frozen('torch')}{build}"]

    def _frozen(self, name: str) -> str:
        """The version of a package that belongs to this release.

        Raises:
            OSError: the constraints do not name it: this ZIP is damaged.
        """
        found = re.search(rf"^{name}==(\S+)", self.constraints.read_text("utf-8"), re.MULTILINE)
        if found is None:
            raise FileNotFoundError(f"{self.constraints} does not name {name}")
        return found[1]

    def _stands(self, environment: Path, extras: Extras) -> bool:
        """Whether an earlier start made it to its end, with this very Python, for these extras."""
        made = environment / MADE
        if not made.exists() or not python_in(environment).exists():
            return False
        text = (environment / "pyvenv.cfg").read_text("utf-8")
        same = made.read_text("utf-8").strip() == extras.line().strip()
        return same and f"version = {sys.version_info.major}.{sys.version_info.minor}." in text


def python_in(environment: Path) -> Path:
    """An environment's interpreter."""
    windows = sys.platform == "win32"
    return environment / ("Scripts/python.exe" if windows else "bin/python")


def _modules(extras: Extras) -> tuple[str, ...]:
    torch = ("torch",) if extras.torch else ()
    parts = tuple(module for part in extras.chosen for module in part.modules)
    return tuple(dict.fromkeys((*COMPILED, *torch, *parts)))
