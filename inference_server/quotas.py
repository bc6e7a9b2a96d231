"""How much of the server one key may take.

Owns the numbers and the counting of requests. Must not know sockets or the store. The user whose
machine it is has no quota of jobs and disk: it is theirs.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from .errors import WireError

_REMEMBERED = 1000  # keys; who was silent longest is forgotten, and begins anew
_BURST_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Quotas:
    """What an invited client may have at once.

    Attributes:
        jobs: waiting and running.
        bytes: of results and uploads on the server's disk.
        requests: a second, pieces of files not counted; bursts of twice that are taken.
    """

    jobs: int = 4
    bytes: int = 2 * 2**30
    requests: float = 64.0


class Pace:
    """Counts the requests of each key.

    Args:
        requests: a second that each may send.
        clock: seconds, monotonic.
    """

    def __init__(self, requests: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = requests
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, owner: str) -> None:
        """Count one request.

        Raises:
            WireError: ``busy``, with the seconds to wait.
        """
        now = self._clock()
        left, before = self._left.get(owner, (self._rate * _BURST_SECONDS, now))
        left = min(left + (now - before) * self._rate, self._rate * _BURST_SECONDS)
        self._left[owner] = (left if left < 1 else left - 1), now  # a refusal costs nothing
        self._left.move_to_end(owner)
        if len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        if left < 1:
            raise busy("too many requests a second come from this key", (1 - left) / self._rate)


def busy(message: str, seconds: float) -> WireError:
    """A refusal that is over by itself."""
    error = WireError("busy", message, "it goes on by itself in a moment")
    error.retry_after = seconds
    return error
