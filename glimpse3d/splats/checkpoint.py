"""The state of a fit in a file, so that one that was cut off goes on where it stood.

Owns the file: one NPZ of plain arrays and a line of JSON; nothing in it is code. Must not know what
the arrays mean to a fit. numpy and the standard library only.
"""

from __future__ import annotations

import errno
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BadFile, DiskFull, OutputFailed

FORMAT = 1
_ABOUT = "about"
_HINT = "delete it to begin anew"


def save(path: Path, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> None:
    """Write the file in one go: a reader sees the old one or the new one, never a part.

    Raises:
        DiskFull: no room.
        OutputFailed: it cannot be written there.
    """
    text = json.dumps({"format": FORMAT, **about}, sort_keys=True)
    buffer = io.BytesIO()
    np.savez(buffer, **{_ABOUT: np.frombuffer(text.encode(), np.uint8), **arrays})  # type: ignore[arg-type]
    beside = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(buffer.getbuffer())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        kind = DiskFull if error.errno == errno.ENOSPC else OutputFailed
        raise kind(f"the checkpoint cannot be written: {error}", "choose another place") from error


def load(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What ``save`` wrote.

    Raises:
        BadFile: damaged, or no checkpoint of this format.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(arrays.pop(_ABOUT).tobytes())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BadFile(f"{path.name} is no checkpoint of a fit: {error}", _HINT) from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise BadFile(f"{path.name} is a checkpoint of another version", _HINT)
    return arrays, about
