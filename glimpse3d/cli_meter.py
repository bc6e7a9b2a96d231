"""Progress on a terminal's current line.

Owns how it is drawn. Must not know what is being done.
"""

from __future__ import annotations

import sys

from .progress import Progress, Report


def shown() -> Progress:
    """Progress that is drawn if somebody is watching the error stream."""
    return Progress(_draw if sys.stderr.isatty() else None)


def clear() -> None:
    """Empty the line, for words that come in between."""
    if sys.stderr.isatty():
        print("\r" + " " * 79 + "\r", end="", file=sys.stderr, flush=True)


def _draw(report: Report) -> None:
    filled = round(30 * report.fraction)
    bar = "#" * filled + "." * (30 - filled)
    line = f"[{bar}] {report.fraction:4.0%}  {report.stage}  {report.note}"
    end = "\r" if report.fraction < 1 else "\r" + " " * 79 + "\r"
    print(f"{line[:79]:79}", end=end, file=sys.stderr, flush=True)
