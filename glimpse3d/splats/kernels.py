"""How the rasteriser's inner loops are compiled, and where the machine code is kept.

Owns the decorator ``kernel`` and its cache: a folder of the user's, for the package may lie where
nobody can write, named by a hash of the sources below. numba's own cache looks at one file at a
time; with it a kernel that uses another file's constants would go on with old ones. Must not know
what is compiled.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba

# The files that hold kernels or their constants, from here.
SOURCES = (
    "kernels.py", "lanes.py", "blend.py", "blend_gradient.py", "projection.py",
    "projection_gradient.py", "shading.py", "tiles.py", "../formats/sh.py",
)  # fmt: skip

_one_at_a_time = threading.Lock()


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call, without Python's lock, and keep the machine code."""
    compiled = numba.njit(nogil=True, error_model="numpy")(function)
    # numba takes the folder from its configuration at this moment and at no other.
    with _one_at_a_time:
        before = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = str(folder())
        try:
            compiled.enable_caching()
        finally:
            numba.config.CACHE_DIR = before
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
    return _user_folder() / f"kernels-{sources.hexdigest()[:16]}"


def _user_folder() -> Path:
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(chosen) / "glimpse3d"
    if sys.platform == "win32":
        place = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(place) / "glimpse3d" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "glimpse3d"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "glimpse3d"
