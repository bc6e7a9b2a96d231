"""Where the server keeps its queue, keys and results.

Owns the rule for each operating system. Must not know what lies there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def default() -> Path:
    """The user's folder for a program's data.

    ``$XDG_DATA_HOME`` or ``~/.local/share`` on Linux, ``~/Library/Application Support`` on macOS,
    ``%LOCALAPPDATA%`` on Windows.
    """
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        given = os.environ.get("XDG_DATA_HOME", "")
        # The specification says: a relative path is invalid and is to be ignored.
        base = Path(given) if Path(given).is_absolute() else Path.home() / ".local" / "share"
    return base / "glimpse3d" / "server"
