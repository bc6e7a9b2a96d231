"""What makes bytes outlast a power cut, without a long wait at the end.

Must not know whose bytes they are.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def begin_writing(descriptor: int, start: int, size: int) -> None:
    """Ask the system to bring these bytes to the disk while we go on; ``sync_file`` then has less.

    Linux starts writing what it is told not to keep; elsewhere nothing happens here.
    """
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError):
            os.posix_fadvise(descriptor, start, size, os.POSIX_FADV_DONTNEED)


def sync_file(path: Path) -> None:
    """Return when the file's bytes lie on the disk."""
    with path.open("r+b") as file:  # Windows syncs only what is open for writing
        os.fsync(file.fileno())


def sync_names(folder: Path) -> None:
    """Make a folder's list of names durable, where the system offers that."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems have no such thing
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
