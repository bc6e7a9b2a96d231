"""Where networks run: which device, in which precision, and how much memory is left there.

Owns the choice and the one place where PyTorch's complaints about memory become ours. Must not
know any network. Heavy: imports torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .errors import BackendUnavailable, InvalidSettings, OutOfMemory

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")

_DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
# What PyTorch's allocator for main memory says, and CUDA outside of PyTorch's own allocator; they
# have no type of their own.
_CPU_COMPLAINT = "DefaultCPUAllocator"
_GPU_COMPLAINTS = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


def choose(name: str) -> torch.device:
    """The device of that name; ``auto`` is a GPU that PyTorch can use, else the CPU.

    Raises:
        BackendUnavailable: it was asked for by name and is not there.
    """
    there = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if there else "cpu")
    if name == "cuda" and not there:
        raise BackendUnavailable(
            "PyTorch finds no CUDA GPU on this machine",
            "choose device=cpu, or install a PyTorch that was built for CUDA",
        )
    return torch.device(name)


def precision(name: str, device: torch.device) -> torch.dtype:
    """The type that matrices are multiplied in; ``auto`` is half precision on GPUs alone.

    Raises:
        InvalidSettings: ``float16`` on a CPU, which computes it slowly and badly.
    """
    if name == "auto":
        if device.type != "cuda":
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if name == "float16" and device.type == "cpu":
        raise InvalidSettings("precision", "float16 is for GPUs", "float32 is faster on a CPU")
    return _DTYPES[name]


def free_bytes(device: torch.device) -> int | None:
    """What a GPU has left, what PyTorch holds and does not use included; None for a CPU."""
    if device.type != "cuda":
        return None
    left, _ = torch.cuda.mem_get_info(device)
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(left + kept)


def allocated_bytes() -> int:
    """What PyTorch has given out of the GPU's memory in this process."""
    return int(torch.cuda.memory_allocated()) if torch.cuda.is_initialized() else 0


def gpu_bytes() -> tuple[int, int]:
    """Bytes of the GPU in all, and free ones; zeros in a process that uses none."""
    if not torch.cuda.is_initialized():
        return 0, 0
    free, total = torch.cuda.mem_get_info()
    return int(total), int(free)


def give_back(device: torch.device) -> None:
    """Return what PyTorch keeps of a GPU's memory for later to the system."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


@contextmanager
def memory_errors(hint: str) -> Iterator[None]:
    """Turn what PyTorch raises when memory runs out into ``OutOfMemory`` with that hint.

    Raises:
        OutOfMemory: in place of PyTorch's own errors.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemory(_sentence(error), hint) from error
    except RuntimeError as error:
        if not any(words in str(error) for words in (_CPU_COMPLAINT, *_GPU_COMPLAINTS)):
            raise
        raise OutOfMemory(_sentence(error), hint) from error


def _sentence(error: BaseException) -> str:
    gpu = isinstance(error, torch.OutOfMemoryError) or _CPU_COMPLAINT not in str(error)
    place = "the GPU" if gpu and not isinstance(error, MemoryError) else "the machine"
    return f"{place} ran out of memory"
