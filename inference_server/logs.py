"""The server's log: one line a fact, with the job's id, for people or as JSON.

Owns the form of a line, and that no key gets into one. Must not know what is told. The form
travels to the computing processes by the environment, which they inherit.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import re
from datetime import UTC, datetime

FORMS = ("text", "json")
VARIABLE = "GLIMPSE3D_SERVER_LOG"
OURS = ("glimpse3d", "inference_server")
_JOB = re.compile(r"\bjob ([0-9a-f]{32})\b")
_STRING = re.compile(r"glimpse3d://\S*", re.IGNORECASE)
# What would begin a line of its own, or write to a terminal what nobody said.
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), 127, *range(128, 160))} | {10: "\\n"}


class Lines(logging.Formatter):
    """Time (UTC), level, where, what; strange characters escaped, connection strings left out.

    Args:
        form: one of ``FORMS``; JSON has ``time``, ``level``, ``process``, ``logger``, ``message``,
            and ``job`` and ``traceback`` where there is one.
    """

    def __init__(self, form: str) -> None:
        super().__init__()
        self._form = form
        parent = multiprocessing.parent_process()
        self._process = "server" if parent is None else "worker"

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        message = _without_keys(record.getMessage())
        error = _without_keys(self.formatException(record.exc_info)) if record.exc_info else ""
        time, level = time.replace("+00:00", "Z"), record.levelname.lower()
        if self._form == "json":
            fact = {"time": time, "level": level, "process": self._process}
            fact |= {"logger": record.name, "message": message}
            if found := _JOB.search(message):
                fact["job"] = found[1]
            return json.dumps(fact | ({"traceback": error} if error else {}))
        line = f"{time} {level} {self._process} {record.name}: {message.translate(_CONTROL)}"
        return f"{line} | {error.translate(_CONTROL)}" if error else line


def _without_keys(text: str) -> str:
    return _STRING.sub("glimpse3d://(key)", text)


def configure(form: str, level: int) -> None:
    """Log to standard error from now on: our own facts, and of others what is at ``level``.

    Args:
        form: one of ``FORMS``.
        level: of ``logging``.
    """
    os.environ[VARIABLE] = form
    handler = logging.StreamHandler()
    handler.setFormatter(Lines(form))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(min(level, logging.INFO))


def configure_child(level: int) -> None:
    """The same in a computing process, in the form of the server that started it."""
    form = os.environ.get(VARIABLE, "text")
    configure(form if form in FORMS else "text", level)
