"""Files that are looked at before they are read, and that appear whole or not at all.

Owns mapping a file into memory and writing beside it. Must not know what a file holds.
Standard library and numpy only, because the add-on carries a copy.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..errors import BadFile


def map_file(path: Path) -> memoryview:
    """The file's bytes, read-only; nothing is loaded before it is looked at.

    Raises:
        BadFile: it cannot be opened, or is empty.
    """
    try:
        if not path.stat().st_size:
            raise BadFile(f"{path.name} is empty", "fetch or write it again")
        return np.memmap(path, np.uint8, "r").data
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadFile(f"{path} cannot be read: {why}", "check the path") from error


def write_whole(path: Path, parts: Iterable[bytes]) -> None:
    """Write ``parts`` beside ``path`` and rename: a failure leaves what was there as it was.

    Raises:
        OSError: the system refuses.
    """
    place = Path(os.path.realpath(path))
    near = place.with_name(f".{place.name}.{secrets.token_hex(4)}.part")
    try:
        with near.open("xb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        near.replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            near.unlink()
        raise
