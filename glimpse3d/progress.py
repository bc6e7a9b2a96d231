"""Progress and cancelling, handed down as one argument.

Owns the arithmetic of shares. Must not know threads, sockets or who is watching.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .errors import Cancelled

if TYPE_CHECKING:
    from .types import Image

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """One message to whoever is watching.

    Attributes:
        fraction: of the whole work, 0..1, never falling.
        stage: the innermost stage's name, such as ``matte``.
        note: a few words on what is being done; may be empty.
        preview: a small picture of the state of things, or None.
    """

    fraction: float
    stage: str
    note: str
    preview: Image | None


class Progress:
    """A share of the work, and the right to report on it. Every report is a cancel point.

    >>> seen = []
    >>> progress = Progress(lambda report: seen.append((report.stage, report.fraction)))
    >>> with progress.stage("matte", share=0.2) as matte:
    ...     matte(0.5)
    >>> with progress.stage("mesh", share=0.8) as mesh:
    ...     mesh(0.25, "marching cubes")
    >>> [(stage, round(fraction, 2)) for stage, fraction in seen]
    [('matte', 0.0), ('matte', 0.1), ('matte', 0.2), ('mesh', 0.2), ('mesh', 0.4), ('mesh', 1.0)]

    Args:
        report: called with every ``Report``; None watches nothing.
        cancelled: asked at every report; True raises ``Cancelled`` there.
    """

    def __init__(
        self,
        report: Callable[[Report], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self._report = report
        self._cancelled = cancelled
        self._name = ""
        self._start = 0.0
        self._span = 1.0
        self._done = 0.0
        self._reached = [0.0]  # by all parts together: sums of shares may differ in the last bit

    def __call__(self, fraction: float, note: str = "", preview: Image | None = None) -> None:
        """Report that ``fraction`` (0..1) of this share is done.

        Raises:
            Cancelled: the caller asked to stop.
        """
        if self._cancelled is not None and self._cancelled():
            raise Cancelled
        self._done = max(self._done, min(float(fraction), 1.0))
        if self._report is not None:
            total = min(self._start + self._span * self._done, 1.0)
            self._reached[0] = max(self._reached[0], total)
            self._report(Report(self._reached[0], self._name, note, preview))

    @contextmanager
    def stage(self, name: str, share: float, note: str = "") -> Iterator[Progress]:
        """A part of this share with a name of its own; done when the block ends well."""
        part = Progress(self._report, self._cancelled)
        part._name = name
        part._start = self._start + self._span * self._done
        part._span = self._span * min(share, 1.0 - self._done)
        part._reached = self._reached
        part(0.0, note)
        yield part
        part(1.0)
        self._done = min(self._done + share, 1.0)

    def track(self, items: Iterable[Item], note: str = "", total: int = 0) -> Iterator[Item]:
        """Yield ``items``, reporting before each. ``total`` is needed if they have no length."""
        count = total or len(items)  # type: ignore[arg-type]
        for index, item in enumerate(items):
            self(index / max(count, 1), note)
            yield item
        self(1.0, note)
