"""What a process that computes may say, and the check of it.

Owns the table of those messages. Must not know processes. Whatever a model made of its process,
the server believes no more than this: msgpack maps of a bounded size, with these fields.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgpack

from glimpse3d.formats import manifest

MAX_BYTES = 2**20
MAX_FILES = 256
Table = dict[str, dict[str, Callable[[Any], bool]]]
_JOB, _TEXT, _PREVIEW = 16, 4000, 128 * 1024


class BadReportError(ValueError):
    """A process says what no process of ours says."""


def read(data: bytes, known: Table | None = None) -> dict[str, Any]:
    """The message in ``data``, with its known fields alone.

    Args:
        data: as it came.
        known: the messages that may come; None are those of a worker.

    Raises:
        BadReportError: it is none.
    """
    try:
        message = msgpack.unpackb(data, max_ext_len=0)
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise BadReportError(f"not msgpack: {type(error).__name__}") from error
    return checked(message, known)


def checked(message: Any, known: Table | None = None) -> dict[str, Any]:
    """As ``read``, of a message that is unpacked already.

    Raises:
        BadReportError: it is none.
    """
    table = WORKER_FIELDS if known is None else known
    kind = message.get("type") if type(message) is dict else None
    if type(kind) is not str or kind not in table:
        raise BadReportError("of no known type")
    fields = table[kind]
    for name, right in fields.items():
        if name not in message or not right(message[name]):
            raise BadReportError(f"{kind} with a wrong {name}")
    return {"type": kind, **{name: message[name] for name in fields}}


def _is_job(value: Any) -> bool:
    return type(value) is bytes and len(value) == _JOB


def _is_text(value: Any) -> bool:
    return type(value) is str and len(value) <= _TEXT


def _is_fraction(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value <= 1


def _is_preview(value: Any) -> bool:
    return type(value) is bytes and len(value) <= _PREVIEW


def _is_files(value: Any) -> bool:
    return type(value) is list and len(value) <= MAX_FILES and all(map(_is_file, value))


def _is_rows(value: Any) -> bool:
    return type(value) is list and all(
        type(row) is dict
        and row.keys() == {"name", "state"}
        and type(row["name"]) is str
        and 0 < len(row["name"]) <= 100
        and row["state"] in ("starting", "idle", "busy")
        for row in value
    )


def _is_file(value: Any) -> bool:
    return (
        type(value) is dict
        and value.keys() == {"name", "size", "sha256"}
        and type(value["name"]) is str
        and (value["name"] == manifest.NAME or manifest.is_flat_name(value["name"]))
        and type(value["size"]) is int
        and 0 <= value["size"] <= manifest.MAX_FILE_BYTES
        and type(value["sha256"]) is bytes
        and len(value["sha256"]) == 32
    )


WORKER_FIELDS: Table = {
    "ready": {},
    "progress": {
        "job": _is_job, "fraction": _is_fraction, "stage": _is_text, "note": _is_text,
        "preview": _is_preview,
    },
    "done": {"job": _is_job, "files": _is_files, "warning": _is_text},
    "failed": {"job": _is_job, "code": _is_text, "message": _is_text, "hint": _is_text},
    "cancelled": {"job": _is_job},
    # The process cannot go on, such as after its GPU failed, and ends itself.
    "broken": {"job": _is_job, "how": _is_text},
}  # fmt: skip
# What the process that speaks to a cluster adds.
LOST_FIELDS: Table = {
    "lost": {"job": _is_job, "how": _is_text, "counts": lambda value: type(value) is bool},
}
DRIVER_FIELDS: Table = {
    **WORKER_FIELDS, **LOST_FIELDS, "workers": {"rows": _is_rows, "trouble": _is_text},
}  # fmt: skip
# After these a process is free for the next task.
ENDS = ("done", "failed", "cancelled")
