"""Which GPUs there are, and how many workers they carry, without importing anything of CUDA.

Owns the asking of the driver's own tool. Must not know processes or jobs.
"""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

log = logging.getLogger(__name__)

VISIBLE = "CUDA_VISIBLE_DEVICES"
_ASK = ("nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader")
_ASK_SECONDS = 20.0  # a driver that was idle takes some to wake
# What each library of ours reads when it is loaded to learn how many threads it may use.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_NOTHING: Mapping[str, str | None] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Device:
    """A place for one worker.

    Attributes:
        name: for people, such as ``cuda 0``.
        environment: what its process is started with; it sees this one GPU, or none.
        share: of the device that is this worker's, 0..1.
    """

    name: str
    environment: Mapping[str, str | None] = field(default_factory=lambda: _NOTHING)
    share: float = 1.0


def gpus() -> list[str]:
    """GPUs as CUDA_VISIBLE_DEVICES names them; what that variable hides is not there."""
    given = os.environ.get(VISIBLE)
    if given is not None:
        # CUDA takes those before the first that it does not know; -1 is how to name none.
        named = [each.strip() for each in given.split(",")]
        return [each for each in named[: _until_bad(named)] if each]
    try:
        asked = subprocess.run(
            _ASK, capture_output=True, text=True, timeout=_ASK_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        log.debug("no NVIDIA GPU: %s", error)
        return []
    return [line.strip() for line in asked.stdout.splitlines() if line.strip()]


def _until_bad(named: list[str]) -> int:
    return next((i for i, each in enumerate(named) if not each or each == "-1"), len(named))


def places(workers: int, found: Sequence[str]) -> list[Device]:
    """One place for each worker: in turn on the GPUs, or all on the CPU.

    Args:
        workers: how many; 0 is one for each GPU, or one where there is none.
        found: see ``gpus``.
    """
    count = workers or len(found) or 1
    if not found:
        return [Device(f"cpu {i}", _threads(count), 1.0 / count) for i in range(count)]
    if count > len(found):
        log.warning("%d workers share %d GPUs and their memory", count, len(found))
    rounds = -(-count // len(found))
    return [
        Device(f"cuda {i % len(found)}", {VISIBLE: found[i % len(found)]}, 1.0 / rounds)
        for i in range(count)
    ]


def _threads(workers: int) -> dict[str, str | None]:
    """Several workers share the cores, where nobody has said otherwise."""
    if workers == 1:
        return {}
    each = str(max(1, (os.cpu_count() or 1) // workers))
    return {name: each for name in _THREADS if name not in os.environ}
