"""How much memory a process holds, and the machine has.

Owns the ways of asking. Must not know what for. Standard library only.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

UNKNOWN_TOTAL = 8 * 2**30  # bytes; what is taken for a machine's memory where nobody tells


def resident_bytes(process: int = 0) -> int:
    """Bytes in main memory, of this process (0) or another.

    Now on Linux; elsewhere of this process alone, at its highest so far; 0 where nobody tells.
    """
    try:
        pages = Path(f"/proc/{process or 'self'}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):  # another system, or the process is gone
        return 0 if process else _peak_bytes()


def _peak_bytes() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def machine_bytes() -> tuple[int, int]:
    """Bytes of main memory in all, and of those free for programs; 0 where nobody tells.

    A container's own limit counts as the total where there is one.
    """
    total, free = _from_proc()
    if not total:
        try:
            total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (AttributeError, ValueError, OSError):  # Windows
            return 0, 0
    limit, used = _of_container()
    return (limit, min(free, max(limit - used, 0))) if 0 < limit < total else (total, free)


def _from_proc() -> tuple[int, int]:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0, 0
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in (x.partition(":") for x in lines)}
    return kilobytes.get("MemTotal", 0) * 1024, kilobytes.get("MemAvailable", 0) * 1024


def _of_container() -> tuple[int, int]:
    """The control group's limit and use, in bytes; zeros where there is none."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit, used = (
            (folder / name).read_text().strip() for name in ("memory.max", "memory.current")
        )
        return int(limit), int(used)
    except (OSError, ValueError):  # none, or "max"
        return 0, 0
