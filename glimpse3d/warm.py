"""What stays loaded between runs, and what goes first: the least recently used.

Owns the order of use and the sizes, measured while a backend loads. Must not know what a backend is
made of, nor how much may stay.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import plugins
from .stages import WithWeights

log = logging.getLogger(__name__)

Key = tuple[str, str]  # stage and name

# Bytes by backend, the last used last.
_held: dict[Key, int] = {}


@contextmanager
def loading(stage: str, name: str) -> Iterator[None]:
    """Around a backend's ``load``: it was used now, and what memory grows by is its size."""
    before = _memory()
    size = _held.pop((stage, name), 0)
    try:
        yield
    finally:
        grown = _memory() - before if before else _published(stage, name) - size
        _held[stage, name] = max(size + grown, 0)


def sizes() -> dict[Key, int]:
    """Bytes by backend that was loaded and not unloaded, the least recently used first."""
    return dict(_held)


def trim(budget: int) -> list[Key]:
    """Unload what was not used for longest until the rest fits into ``budget`` bytes.

    Returns:
        what was unloaded, in that order.
    """
    gone: list[Key] = []
    while _held and sum(_held.values()) > budget:
        key = next(iter(_held))
        log.info("%s %s is unloaded: %.2f GB", *key, _held[key] / 1e9)
        plugins.backend(*key).unload()
        del _held[key]
        gone.append(key)
    return gone


def unload_others(stage: str, name: str) -> bool:
    """Let every other backend give back what it loaded; whether there was any other."""
    for key in [key for key in _held if key != (stage, name)]:
        del _held[key]
    return plugins.unload_others(stage, name)


def _memory() -> int:
    """Bytes that this process holds, in main memory and on a GPU; 0 where nobody tells."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:  # not Linux
        return 0
    device: Any = sys.modules.get("glimpse3d.device")  # without it nothing is on a GPU
    return pages * os.sysconf("SC_PAGE_SIZE") + (device.allocated_bytes() if device else 0)


def _published(stage: str, name: str) -> int:
    """The size of its weights, if they are known."""
    backend = plugins.backend(stage, name)
    return backend.MODEL.size if isinstance(backend, WithWeights) else 0
