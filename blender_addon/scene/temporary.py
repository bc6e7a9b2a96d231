"""A folder for a moment, inside the extension's own: nothing is written anywhere else.

Owns where such folders lie. Must not know what is put there. ``removal`` lists those that a crash
left behind.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy

from .._vendor.glimpse3d.errors import OutputFailed

PACKAGE = str(__package__).rpartition(".")[0]  # the extension's, whatever Blender calls it
PREFIX = "temporary-"


@contextmanager
def folder() -> Iterator[Path]:
    """An empty folder, removed afterwards.

    Raises:
        OutputFailed: it cannot be made.
    """
    try:
        own = bpy.utils.extension_path_user(PACKAGE, path="", create=True)
        made = tempfile.TemporaryDirectory(prefix=PREFIX, dir=own, ignore_cleanup_errors=True)
    except OSError as error:
        raise OutputFailed(
            f"Blender's user folder cannot be written: {error.strerror}",
            "look whether the folder is there and may be written",
        ) from error
    with made as name:
        yield Path(name)
