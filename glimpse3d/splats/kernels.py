"""How the rasteriser's inner loops are compiled, and where the machine code is kept.

Owns the decorator ``kernel`` and its cache: a folder of the user's, for the package may lie where
nobody can write, named by a hash of the sources below. numba's own cache looks at one file at a
time; with it a kernel that uses another file's constants would go on with old ones. numba's own
setting for the folder is never touched: it is one for the whole process, and other threads compile
meanwhile. Must not know what is compiled.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core import caching

# The files that hold kernels or their constants, from here.
SOURCES = (
    "kernels.py", "lanes.py", "blend.py", "blend_gradient.py", "projection.py",
    "projection_gradient.py", "shading.py", "tiles.py", "../formats/sh.py",
)  # fmt: skip

_NAME = re.compile(r"kernels-[0-9a-f]{16}")
_DAY = 86_400.0  # seconds
OLD_DAYS = 30  # a folder that nobody opened for so long belongs to a version that is gone
_AT_ONCE = 16  # old folders that are removed at a start


class _Place(caching._SourceFileBackedLocatorMixin, caching._CacheLocator):
    """Tells numba where one function's machine code lies."""

    def __init__(self, py_func: Callable[..., Any], py_file: str) -> None:
        self._py_file = py_file
        self._lineno = py_func.__code__.co_firstlineno
        self._path = str(folder() / self.get_suitable_cache_subpath(py_file))

    def get_cache_path(self) -> str:
        return self._path


class _Kept(caching.CompileResultCacheImpl):
    # Where the user's folder cannot be written, numba's own places.
    _locator_classes = (_Place, *caching.CompileResultCacheImpl._locator_classes)


class _KernelCache(caching.FunctionCache):
    _impl_class = _Kept


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call, without Python's lock, and keep the machine code."""
    compiled = numba.njit(nogil=True, error_model="numpy")(function)
    compiled._cache = _KernelCache(function)  # what its enable_caching does, with our folder
    return compiled


def inlined(function: Callable[..., Any]) -> Any:
    """A part of kernels that is never called by itself."""
    return numba.njit(nogil=True, error_model="numpy", inline="always")(function)


@cache
def folder() -> Path:
    """Where machine code lies; ``NUMBA_CACHE_DIR`` and the platform's own variables rule."""
    sources = hashlib.sha256()
    for name in SOURCES:
        sources.update((Path(__file__).parent / name).read_bytes())
    found = _user_folder() / f"kernels-{sources.hexdigest()[:16]}"
    if not found.is_dir():
        remove_old(found.parent)
    elif time.time() - found.stat().st_mtime > _DAY:
        with suppress(OSError):  # somebody else's, and read only
            os.utime(found)
    return found


def remove_old(place: Path) -> None:
    """Remove a few folders of versions that nobody ran for ``OLD_DAYS`` days.

    A process that still has one open compiles anew and goes on.
    """
    with suppress(OSError):
        long_ago = time.time() - OLD_DAYS * _DAY
        ours = [each for each in place.iterdir() if _NAME.fullmatch(each.name)]
        old = [each for each in ours if not each.is_symlink() and each.stat().st_mtime < long_ago]
        for each in sorted(old)[:_AT_ONCE]:
            shutil.rmtree(each, ignore_errors=True)


def _user_folder() -> Path:
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(chosen) / "glimpse3d"
    if sys.platform == "win32":
        place = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(place) / "glimpse3d" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "glimpse3d"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "glimpse3d"
