"""One row of the splat benchmark, and how its times and its memory are taken.

Owns nothing of what is measured. Must not know torch.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Row(NamedTuple):
    """One measured thing; what was not measured is None.

    Attributes:
        what: in words.
        cpu_ms: of one thread.
        ratio: the plain renderer's time over it.
        forward_ms: the part of drawing alone.
        million_pairs: (splat, pixel) pairs that are drawn.
        million_pairs_a_second: forward and back.
        peak_megabytes: memory beyond what the process held before, forward and back.
        clock_ms_1, clock_ms_2: by the clock, one and two threads.
    """

    what: str
    cpu_ms: float
    ratio: float | None = None
    forward_ms: float | None = None
    million_pairs: float | None = None
    million_pairs_a_second: float | None = None
    peak_megabytes: float | None = None
    clock_ms_1: float | None = None
    clock_ms_2: float | None = None


def interleaved(
    works: dict[str, Callable[[], object]], runs: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Milliseconds of the quickest of several runs each, taken in turns after one to warm up."""
    for work in works.values():
        work()
    best = dict.fromkeys(works, np.inf)
    for _ in range(runs):
        for name, work in works.items():
            start = clock()
            work()
            best[name] = min(best[name], 1000 * (clock() - start))
    return best


def peak_megabytes(work: Callable[[], object]) -> float | None:
    """Memory taken beyond what was held before; only Linux with glibc tells."""
    if not _CLEAR.exists():
        return None

    def kilobytes(field: str) -> int:
        found = re.search(rf"{field}:\s+(\d+) kB", _STATUS.read_text("ascii"))
        assert found is not None
        return int(found[1])

    ctypes.CDLL(None).malloc_trim(0)  # what was freed and kept would not count
    _CLEAR.write_text("5", "ascii")  # the peak starts anew
    before = kilobytes("VmRSS")
    work()
    return (kilobytes("VmHWM") - before) / 1024
