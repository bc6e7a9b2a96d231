"""One job done by a server for a program that waits for it.

Owns the order of things: connect, upload, follow, fetch. Must not know arguments or printing.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glimpse3d.progress import Progress

from .client import Client
from .errors import WireError
from .events import Downloaded, Downloading, Event, Job, JobChanged, Refused, Uploading

log = logging.getLogger(__name__)

CONNECT_SECONDS = 12.0  # then a server that was never reached is an error
LOST_SECONDS = 120.0  # then one that went away is an error, too; the job goes on there
POLL_MS = 100.0


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for.

    Attributes:
        name: what the server's lists show.
        image, mask: bytes of picture files; the mask may be None.
        box: left, top, right, bottom in pixels, or None.
        settings: as ``glimpse3d.settings.to_dict`` gives them.
    """

    name: str
    image: bytes
    mask: bytes | None
    box: tuple[float, float, float, float] | None
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MeshOrder:
    """What is asked for of a mesh.

    Attributes:
        name: what the server's lists show.
        mesh: bytes of a GLB.
        settings: ``gaussians`` and ``seed``.
    """

    name: str
    mesh: bytes
    settings: Mapping[str, Any]


def generate(order: Order, where: str, folder: Path, progress: Progress) -> None:
    """Have ``order`` done and its files put into ``folder``.

    Raises:
        WireError: the server refused, failed or cannot be reached.
        Cancelled: ``progress`` was told to stop; the job was cancelled at the server.
    """

    def ask(client: Client) -> str:
        return client.generate(
            order.image, order.settings, mask=order.mask, box=order.box, name=order.name
        )

    _have_done(ask, where, folder, progress)


def cut_out(order: Order, where: str, folder: Path, progress: Progress) -> None:
    """Have only the cut-out of ``order`` done; else as ``generate``."""

    def ask(client: Client) -> str:
        return client.cutout(
            order.image, order.settings, mask=order.mask, box=order.box, name=order.name
        )

    _have_done(ask, where, folder, progress)


def lay_splats(order: MeshOrder, where: str, folder: Path, progress: Progress) -> None:
    """Have splats laid on a mesh; else as ``generate``."""

    def ask(client: Client) -> str:
        return client.splats(order.mesh, order.settings, name=order.name)

    _have_done(ask, where, folder, progress)


def _have_done(ask: Callable[[Client], str], where: str, folder: Path, progress: Progress) -> None:
    with contextlib.closing(Client(where, name="glimpse3d command line")) as client:
        with progress.stage("connect", 0.01) as part:
            _connect(client, part)
        job = ask(client)
        try:
            with progress.stage("server", 0.89) as part:
                _follow(client, job, part)
            client.download(job, folder)
            with progress.stage("download", 0.1) as part:
                _fetch(client, job, part)
        except BaseException:
            _cancel(client, job)
            raise
        client.delete(job)  # the files are here now
        _settle(client)


def wanted_weights(
    where: str, asked: Collection[tuple[str, str]], progress: Progress
) -> Mapping[str, Any] | None:
    """What a server says that one of these backends wants fetched there.

    Args:
        where: the connection string.
        asked: stages and backends.
        progress: cancels.

    Returns:
        its row of ``welcome``; None if they want nothing.

    Raises:
        WireError: the server cannot be reached.
        Cancelled: ``progress`` was told to stop.
    """
    with contextlib.closing(Client(where, name="glimpse3d command line")) as client:
        _connect(client, progress)
        assert client.welcome is not None
        for row in client.welcome.catalogue.get("weights", ()):
            if (row.get("stage"), row.get("backend")) in asked and row.get("left"):
                found: Mapping[str, Any] = row
                return found
    return None


def fetch_weights(where: str, stage: str, backend: str, progress: Progress) -> None:
    """Have a server fetch what a backend wants; what came before goes on.

    Raises:
        WireError: the server refused, failed or cannot be reached.
        Cancelled: ``progress`` was told to stop; the fetch was cancelled at the server.
    """
    with contextlib.closing(Client(where, name="glimpse3d command line")) as client:
        with progress.stage("connect", 0.01) as part:
            _connect(client, part)
        job = client.fetch_weights(stage, backend)
        try:
            with progress.stage("fetch", 0.99) as part:
                _follow(client, job, part)
        except BaseException:
            _cancel(client, job)
            raise
        client.delete(job)
        _settle(client)


def _connect(client: Client, progress: Progress) -> None:
    give_up = time.monotonic() + CONNECT_SECONDS
    while client.state != "ready":
        client.poll(POLL_MS, wait=True)
        progress(0.5, "connecting")
        # The sentence for a wrong server may take a moment longer than the first failure.
        if client.problem is not None and client.problem.code in ("refused_key", "version"):
            raise client.problem
        if time.monotonic() > give_up or (client.problem and _is_sure(client)):
            raise client.problem or WireError("no_answer", "the server does not answer")


def _is_sure(client: Client) -> bool:
    return client.problem is not None and client.problem.code in (
        "nothing_listening", "unknown_host", "wrong_server", "not_a_server",
    )  # fmt: skip


def _events(client: Client) -> Iterator[Event]:
    """Events as they come; ends with an error if the server stays away too long."""
    gone: float | None = None
    while True:
        found = client.poll(POLL_MS, wait=True)
        yield from found
        if client.state == "ready":
            gone = None
        else:
            gone = gone or time.monotonic()
            if time.monotonic() - gone > LOST_SECONDS:
                raise client.problem or WireError("no_answer", "the server went away")
        if not found:
            yield Uploading("", 0, 0)  # a moment for the caller to look for ctrl-C


def _follow(client: Client, job: str, progress: Progress) -> None:
    for event in _events(client):
        if isinstance(event, JobChanged) and event.job.id == job:
            if event.job.is_final:
                _check(event.job)
                return
            progress(event.job.fraction, _words(event.job))
        elif isinstance(event, Refused) and event.job == job and event.asked != "get":
            raise event.problem
        else:
            progress(0.0)


def _check(job: Job) -> None:
    if job.state != "succeeded":
        raise job.problem or WireError("conflict", "the job was cancelled at the server")
    if job.warning:
        log.warning("%s", job.warning)


def _words(job: Job) -> str:
    if job.state == "queued":
        return job.note or f"{job.ahead} before this one"
    return f"{job.stage} {job.note}".strip()


def _fetch(client: Client, job: str, progress: Progress) -> None:
    for event in _events(client):
        if isinstance(event, Downloaded) and event.job == job:
            return
        if isinstance(event, Refused) and event.job == job:
            raise event.problem
        if isinstance(event, Downloading):
            progress(event.done / max(event.total, 1))
        else:
            progress(0.0)


def _cancel(client: Client, job: str) -> None:
    """Best effort: the server may be gone."""
    client.cancel(job)
    _settle(client)


def _settle(client: Client) -> None:
    """Let a last request leave."""
    until = time.monotonic() + 1.0
    heard: Callable[[], list[Event]] = lambda: client.poll(POLL_MS, wait=True)  # noqa: E731
    while client.state == "ready" and time.monotonic() < until and not heard():
        pass
