"""Which finished jobs a server forgets, and their files with them.

Owns the rule. Must not know databases or folders. A result that nobody has fetched is never
forgotten: whoever closed the laptop finds it there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .store import Row

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Retention:
    """How long and how much is kept.

    Attributes:
        days: after which what was fetched, failed or was cancelled goes.
        bytes: of results; beyond it goes what was fetched longest ago, however new.
    """

    days: float = 7.0
    bytes: int = 20 * 2**30


def expired(rows: Sequence[Row], rule: Retention, now: float) -> list[Row]:
    """The jobs to forget.

    Args:
        rows: all finished jobs.
        rule: what is kept.
        now: Unix seconds.
    """
    spare = [row for row in rows if row.state != "succeeded" or row.delivered is not None]
    spare.sort(key=lambda row: row.delivered or row.finished or 0.0)
    total, gone = sum(row.size for row in rows), []
    for row in spare:
        old = now - (row.finished or now) > rule.days * DAY
        if old or (row.size and total > rule.bytes):
            gone.append(row)
            total -= row.size
    return gone
