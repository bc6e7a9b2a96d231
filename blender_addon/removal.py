"""Everything that the extension keeps: how much disk it takes, and its removal.

Owns the list of what is ours, in the extension's folder and in the one of the local server, which
the user may have chosen: there, only what has our names. A few milliseconds at a time, because an
environment is tens of thousands of files. Must not know what any of it is for. No bpy.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .history import Problem

# Names in the server's folder, and in the extension's: what the user reads -> what it is.
OF_SERVER = {
    "The local server": (
        "venv", "venv-2", "cache", "version.txt", "version.part", "install.log", "install.lock",
    ),
    "The local server's queue, keys and results": (
        "data", "data-[0-9]*", "data.lock", "server.out", "server.log",
    ),
}  # fmt: skip
OF_EXTENSION = {
    "Jobs, with their pictures and results": ("jobs",),
    "Saved servers, with their keys": ("servers.json", "servers.part", "servers.unread"),
    "Cut-outs that were looked at": ("cutouts",),
    "What was left of questions": ("checkup.out", "checkup.log", "gpu.out"),
    "What a crash left behind": ("temporary-*",),
}


@dataclass(slots=True)
class Item:
    """Something that would go.

    Attributes:
        what: in the user's words.
        paths: files and folders.
        bytes: on the disk, as far as it is known.
    """

    what: str
    paths: tuple[Path, ...]
    bytes: int = 0


class Removal:
    """A look at all of it, and then its end.

    Attributes:
        state: ``measuring``, ``measured``, ``removing``, ``done`` or ``failed``.
        items: what there is.
        problem: why something could not be removed, or None.

    Args:
        extension: the extension's folder.
        server: the local server's.
    """

    def __init__(self, extension: Path, server: Path) -> None:
        self.state = "measuring"
        self.problem: Problem | None = None
        self._folders = (server, extension)
        found = [
            Item(what, tuple(path for name in names for path in sorted(folder.glob(name))))
            for folder, table in ((server, OF_SERVER), (extension, OF_EXTENSION))
            for what, names in table.items()
        ]
        self.items = [item for item in found if item.paths]
        self._work = self._measured()

    @property
    def bytes(self) -> int:
        """What all of it takes."""
        return sum(item.bytes for item in self.items)

    def begin(self) -> None:
        """Remove it: somebody who saw the list said yes. What ran must have been stopped."""
        if self.state == "measured":
            self.state = "removing"
            self._work = self._removed()

    def step(self, budget_ms: float) -> bool:
        """Go on for about so long; true if there is something new."""
        if self.state not in ("measuring", "removing"):
            return False
        until = time.monotonic() + budget_ms / 1000
        try:
            for _ in self._work:
                if time.monotonic() >= until:
                    return True
        except OSError as error:
            self.state = "failed"
            self.problem = Problem(
                "output_failed", f"not everything could be removed: {error}",
                "end what uses it, then try again",
            )  # fmt: skip
            return True
        self.state = "measured" if self.state == "measuring" else "done"
        return True

    def _measured(self) -> Iterator[None]:
        for item in self.items:
            for path in item.paths:
                for entry in _below(path):
                    status = entry.lstat()
                    # Blocks are what a removal frees; where a system does not tell, the length.
                    item.bytes += 512 * getattr(status, "st_blocks", -(-status.st_size // 512))
                    yield

    def _removed(self) -> Iterator[None]:
        for item in self.items:
            for path in item.paths:
                for entry in _below(path):
                    if entry.is_dir() and not entry.is_symlink():
                        entry.rmdir()
                    else:
                        entry.unlink(missing_ok=True)
                    yield
            item.bytes = 0
        for folder in self._folders:  # one that holds something of the user's stays
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _below(path: Path) -> Iterator[Path]:
    """A file, or a folder's contents and then the folder; a link is itself, never its target."""
    if path.is_symlink() or not path.is_dir():
        yield path
        return
    with os.scandir(path) as entries:
        names = [entry.name for entry in entries]
    for name in names:
        yield from _below(path / name)
    yield path
