"""What pip's log says about how far an installation is, and why it failed.

Owns the words of pip that are looked for. Must not know processes or folders beyond the two that
it reads: the log, and the packages that stand installed. No bpy.
"""

from __future__ import annotations

import re
from pathlib import Path

FETCHED = 0.80  # share of the whole that fetching takes; putting it in place takes the rest
_SIZE = re.compile(r"\((\d+(?:\.\d+)?) (kB|MB|GB)\)$")
_MEGABYTES = {"kB": 0.001, "MB": 1.0, "GB": 1000.0}
_INSTALLING = "Installing collected packages: "
_FIRST = "torch"  # comes by itself, before the rest
_NOISE = ("WARNING: ", "[notice]", "Looking in ", "DEPRECATION: ")
# Words of a failed installation -> what to do about it.
_HINTS = (
    ("No space left|not enough space", "make room on the disk, then start again"),
    (
        "NewConnectionError|NameResolution|ConnectTimeout|ReadTimeout|Connection ?Error"
        "|Temporary failure|Connection reset|Connection aborted|IncompleteRead|Read timed out",
        "look after the internet connection, then start again; what was fetched is kept",
    ),
    (
        "CERTIFICATE_VERIFY_FAILED|SSLError",
        "a proxy or a virus scanner stands between this machine and the package index; "
        "tell pip of its certificate, then start again",
    ),
    (
        "No matching distribution|Could not find a version",
        "the package index has no build for this machine; connect to a server elsewhere",
    ),
    ("Permission denied|Access is denied", "choose a folder that you may write to"),
    ("No module named (venv|ensurepip)|ensurepip is not available",
     "this Blender came without a part of Python; use the one from blender.org"),
)  # fmt: skip


class InstallLog:
    """A log that grows.

    Attributes:
        last_line: the last line that tells a reader something.
        fraction: 0 to 1, how far the installation is; never falls.

    Args:
        path: the log; it need not be there yet.
        megabytes: what there is to fetch in all.
    """

    def __init__(self, path: Path, megabytes: float) -> None:
        self.last_line = ""
        self.fraction = 0.0
        self._path = path
        self._megabytes = megabytes
        self._read = 0
        self._rest = b""
        self._fetched = 0.0
        self._packages: list[str] = []
        self._lines: list[str] = []

    def follow(self, packages: Path | None) -> None:
        """Read what was added.

        Args:
            packages: the folder into which pip puts the packages, if there is one.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                new = file.read()
        except FileNotFoundError:
            return
        self._read += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        for line in lines:
            self._take(line.decode("utf-8", "replace").strip())
        if self._packages and packages is not None:
            done = len(list(packages.glob("*.dist-info"))) / len(self._packages)
            self._reach(FETCHED + (0.98 - FETCHED) * min(1.0, done))

    def _take(self, line: str) -> None:
        if not line or line.startswith(_NOISE):
            return
        self.last_line = line
        self._lines = [*self._lines[-199:], line]
        if line.startswith(("Downloading ", "Using cached ")) and (size := _SIZE.search(line)):
            # A line stands there before its file does: it counts when the next one comes.
            self._reach(FETCHED * min(1.0, self._fetched / self._megabytes))
            self._fetched += float(size[1]) * _MEGABYTES[size[2]]
        elif line.startswith(_INSTALLING):
            self._begin(line.removeprefix(_INSTALLING).split(", "))

    def _begin(self, packages: list[str]) -> None:
        if packages != [_FIRST]:  # all others are still to be fetched then
            self._packages = packages
            self._reach(FETCHED)

    def _reach(self, fraction: float) -> None:
        self.fraction = max(self.fraction, fraction)

    def problem(self) -> tuple[str, str]:
        """What went wrong, in pip's words, and what to do; the hint may be empty."""
        errors = [line for line in self._lines if line.startswith("ERROR: ")]
        said = errors[-1].removeprefix("ERROR: ") if errors else self.last_line
        text = " ".join(self._lines)  # what is looked for may be broken into two of them
        for pattern, hint in _HINTS:
            if (found := re.search(pattern, text)) is not None:
                if not errors:  # the last line may be no more than the command that failed
                    said = next((line for line in self._lines if found[0] in line), found[0])
                return said, hint
        return said, ""
