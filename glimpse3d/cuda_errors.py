"""The words by which CUDA says that a process's GPU context is gone for good.

Owns that list, and nothing else reads such text. Must not know torch: what it raises is looked at,
not imported. After any of these every further call in the process fails, whatever it asks; a new
process works again.

Source: CUDA Runtime API, the errors that "leave the process in an inconsistent state".
"""

from __future__ import annotations

from collections.abc import Iterator

_STICKY = (
    "an illegal memory access was encountered",
    "an illegal instruction was encountered",
    "misaligned address",
    "operation not supported on global/shared address space",
    "invalid program counter",
    "device-side assert triggered",
    "hardware stack error",
    "unspecified launch failure",
    "the launch timed out and was terminated",
    "uncorrectable ECC error encountered",
    "an exception occurred on the device",
    "CUBLAS_STATUS_EXECUTION_FAILED",
    "CUBLAS_STATUS_INTERNAL_ERROR",
    "CUDNN_STATUS_EXECUTION_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR",
)


def lost_context(error: BaseException) -> str:
    """What CUDA said, if this error or one behind it means that the process must end; else ''."""
    for each in _chain(error):
        if isinstance(each, RuntimeError):
            text = str(each)
            for words in _STICKY:
                if words in text:
                    return words
    return ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    behind: BaseException | None = error
    while behind is not None and id(behind) not in seen:
        seen.add(id(behind))
        yield behind
        behind = behind.__cause__ or behind.__context__
