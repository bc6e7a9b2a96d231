"""What a worker does when memory runs out, and so that it does not.

Owns the second try, the limit, and what is said of both. Must not know pipes or jobs.
"""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from glimpse3d import plugins, warm
from glimpse3d.errors import OutOfMemory
from glimpse3d.settings import Settings
from glimpse3d.types import Choice

from .memory import UNKNOWN_TOTAL, machine_bytes, resident_bytes

if TYPE_CHECKING:
    from .executors.interface import WorkerOptions

log = logging.getLogger(__name__)

HINT = "take a smaller preset, or a machine with more memory"
LEAST_GIGABYTES = 0.1  # of a memory_limit; 0 would be none
_LIMITED = "memory_limit"
_GIGABYTE = 10**9
_may = [0]  # bytes that this process may take; 0 is no limit


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a result.

    Attributes:
        settings: to make it with.
        without: what this one does without, in words; empty for the first.
    """

    settings: Settings
    without: str = ""

    def choices(self) -> dict[str, Choice]:
        """What the manifest is to say of it."""
        if not self.without:
            return {}
        return {"memory": Choice("as it needs", self.without, "memory ran out at the first try")}


def thrifty(
    make: Callable[[Attempt], None], settings: Settings, stages: Collection[str] = plugins.RECIPE
) -> str:
    """Make a result; where memory runs out once more with less of it, but never a third time.

    Args:
        make: does it, from the beginning.
        settings: of the first attempt.
        stages: those that will run: a limit is lowered where there is one.

    Returns:
        what is to be said of the result; empty if nothing is.

    Raises:
        OutOfMemory: it ran out twice; with numbers.
    """
    try:
        make(Attempt(settings))
        return ""
    except (MemoryError, OutOfMemory) as error:
        log.warning("out of memory: %s; %s", error, numbers())
    # Only now: while the error is handled, its frames hold what filled the memory.
    warm.unload_others("", "")
    gc.collect()
    second = lowered(settings, stages)
    try:
        make(second)
    except (MemoryError, OutOfMemory) as error:
        said = f": {error.message}" if isinstance(error, OutOfMemory) else ""
        raise OutOfMemory(
            f"memory ran out, and again {second.without}{said}; {numbers()}", HINT
        ) from error
    return f"memory ran out at the first try; this was made {second.without}"


def lowered(settings: Settings, stages: Collection[str] = plugins.RECIPE) -> Attempt:
    """The second try: half the memory for every backend of ``stages`` that knows a limit."""
    options, limits = dict(settings.options), []
    for stage, name in plugins.asked_for(settings):
        if stage not in stages or _LIMITED not in {
            field.name for field in fields(plugins.find(stage, name).Settings)
        }:
            continue
        own = options.get(name, {})
        had = plugins.settings_for(stage, name, settings.preset, own).memory_limit
        limit = max(round((had or _free() / _GIGABYTE) / 2, 1), LEAST_GIGABYTES)
        options[name] = {**own, _LIMITED: limit}
        limits.append(f"{name}.{_LIMITED}={limit:g} GB")
    words = f"with {', '.join(limits)}" if limits else "with nothing else loaded"
    return Attempt(replace(settings, options=options), words)


def _free() -> int:
    """Bytes where networks run: on the GPU, if this process uses one."""
    total, free = _gpu_bytes()
    if total:
        return free
    total, free = machine_bytes()
    if _may[0]:
        free = min(free or _may[0], max(_may[0] - resident_bytes(), 0))
    return free or UNKNOWN_TOTAL // 4


def _gpu_bytes() -> tuple[int, int]:
    device: Any = sys.modules.get("glimpse3d.device")  # without it nothing is on a GPU
    return device.gpu_bytes() if device else (0, 0)


def numbers() -> str:
    """How memory stands, in a sentence."""
    total, free = machine_bytes()
    held = f"the worker holds {_gigabytes(resident_bytes())}"
    parts = [held + (f" of the {_gigabytes(_may[0])} that it may" if _may[0] else "")]
    if total:
        parts.append(f"the machine has {_gigabytes(total)}, {_gigabytes(free)} of it free")
    total, free = _gpu_bytes()
    if total:
        parts.append(f"the GPU has {_gigabytes(total)}, {_gigabytes(free)} of it free")
    return ", ".join(parts)


def _gigabytes(count: int) -> str:
    return f"{count / _GIGABYTE:.1f} GB"


def limit(size: int) -> None:
    """Let this process take ``size`` bytes of main memory at most; 0 sets no limit.

    Beyond it an allocation fails, which ends a job; without it the system ends some process.
    """
    _may[0] = size
    if not size:
        return
    if sys.platform != "linux":
        log.warning("a limit on memory works on Linux alone; there is none")
        return
    import resource

    # Not the address space: CUDA and mapped weights take much of that without holding memory.
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def trim(options: WorkerOptions) -> None:
    """Between jobs: let go of the models that were not used for longest, beyond the budget."""
    total = _gpu_bytes()[0] or machine_bytes()[0] or UNKNOWN_TOTAL
    warm.trim(options.keep or int(options.share * total / 2))
