"""One connection, the jobs on it, and the local server, moved on a few milliseconds at a time.

Owns which server is talked to, and whether anything may be talked to at all. Must not know Blender:
whether the network is allowed comes in as a question, and what happened is looked up by whoever
draws. Nothing here waits.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ._vendor.inference_server import connection, events
from ._vendor.inference_server.client import Client
from ._vendor.inference_server.connection import Connection
from ._vendor.inference_server.errors import WireError
from .checkup import Checkup
from .cutouts import Cutouts
from .history import Place, Problem
from .jobs import JobBook
from .launcher import Launcher
from .local import Local
from .power import Extras
from .servers import Servers
from .weights import Weights

log = logging.getLogger(__name__)

NAME = "Glimpse3D in Blender"


class Session:
    """All that Blender's panels show and Blender's timer moves.

    Attributes:
        book: the jobs.
        weights: what the server's backends want fetched, and the fetch that the user began.
        cutouts: the cut-out that is previewed.
        servers: those that the user keeps.
        client: the conversation with the server, or None.
        local: the server on this machine.
        checkup: the last examination of a server, or None.
        problem: why there is no connection, or None.
        refused: why the last connection string was refused, or None.
        was_ready: this client was connected once.

    Args:
        folder: the extension's own; made if it is missing.
        launcher: the local server.
        gate: asked before anything goes over a network; says why it may not, or None.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(
        self, folder: Path, launcher: Launcher, gate: Callable[[], Problem | None]
    ) -> None:
        self.book = JobBook(folder / "jobs")
        self.weights = Weights()
        self.cutouts = Cutouts(folder / "cutouts")
        self.servers = Servers(folder / "servers.json")
        self.client: Client | None = None
        self.checkup: Checkup | None = None
        self.local = Local(launcher, folder, Path(sys.executable))
        self.problem: Problem | None = None
        self.refused: Problem | None = None
        self.was_ready = False
        self._gate = gate
        self._folder = folder
        self._where: Connection | None = None  # also while the gate is shut
        self._local_string: str | None = None  # the one that was connected to

    @property
    def launcher(self) -> Launcher:
        """The local server's life."""
        return self.local.launcher

    @property
    def state(self) -> str:
        """``none``, ``offline``, ``connecting``, ``ready`` or ``down``."""
        if self.problem is not None and self.problem.code == "offline":
            return "offline"
        return "none" if self.client is None else self.client.state

    @property
    def address(self) -> str:
        """Host and port of the server, or nothing."""
        return f"{self._where.host}:{self._where.port}" if self._where else ""

    @property
    def server_key(self) -> str:
        """The server's public key in hex, or nothing."""
        return self._where.server_public.hex() if self._where else ""

    @property
    def is_local(self) -> bool:
        """The connection leads to the server that was started here."""
        return self._local_string is not None

    @property
    def is_moving(self) -> bool:
        """Data flows: ``pump`` should be called again soon."""
        return self.state == "ready" and (self.book.is_moving or self.cutouts.is_moving)

    def read(self, string: str) -> Connection:
        """What a connection string says; one that is damaged is noted in ``refused``.

        Raises:
            WireError: ``bad_connection_string``.
        """
        try:
            return connection.read(string)
        except WireError as error:
            self.refused = Problem.of(error)
            raise

    def connect(self, string: str) -> None:
        """Talk to the server of this connection string from now on.

        Raises:
            WireError: ``bad_connection_string``; what was connected stays so.
        """
        where = self.read(string)
        self._local_string = self.refused = None
        self._open(where)

    def reconnect(self) -> None:
        """Try the same server anew, at once."""
        if self._where is not None:
            self._open(self._where)

    def disconnect(self) -> None:
        """Talk to nobody; jobs go on at the server."""
        self._shut()
        self.end_checkup()
        self._where = self._local_string = self.problem = self.refused = None

    def keep(self, string: str) -> None:
        """Keep the server of this connection string, and talk to it from now on.

        Raises:
            WireError: ``bad_connection_string``; what was connected stays so.
            OSError: it could not be kept; it is connected all the same.
        """
        self.connect(string)
        self.servers.add(string)

    def examine(self) -> bool:
        """Find out why the server cannot be used; false if there is none to ask, or none may be.

        Raises:
            OSError: Blender's own Python cannot be started.
        """
        chosen = self.servers.chosen
        string = connection.write(self._where) if self._where else chosen and chosen.string
        if not string or self._gate() is not None:
            return False
        self.end_checkup()
        self.checkup = Checkup(self._folder, string, Path(sys.executable))
        return True

    def end_checkup(self) -> None:
        """Ask no more, and forget what was found."""
        if self.checkup is not None:
            self.checkup.close()
        self.checkup = None

    def start_local(self, former: bool = False) -> None:
        """Install what is missing of the local server, start it, and connect to it."""
        self.local.start(former)
        self._follow_local()

    def stop_local(self) -> None:
        """Stop the local server, or its installation; both can go on later."""
        self.local.stop()
        if self.is_local:
            self.disconnect()

    def change_local(self, extras: Extras) -> None:
        """Have this beside the local server's packages; it stops meanwhile."""
        if self.is_local:
            self.disconnect()
        self.local.change(extras)

    def close(self) -> None:
        """Give back sockets, processes and jobs."""
        self.disconnect()
        self.book.close()
        self.local.close()

    def pump(self, budget_ms: float) -> bool:
        """Do what is due; true if there is something new to show."""
        shut = self._gate()
        if shut is not None:
            return self._stay_shut(shut)
        before = (self.state, self.problem)
        if self.problem is not None and self.problem.code == "offline":
            self.problem = None
        if self.client is None and self._where is not None:
            self._open(self._where)
        changed = self.local.poll()
        self._follow_local()
        if self.checkup is not None:
            changed = self.checkup.poll() or changed
        if self.client is not None:
            self.book.resume_one()
            found = self.client.poll(budget_ms)
            for event in _newest(found):
                self._take(event)
            changed = changed or bool(found)
        return changed or before != (self.state, self.problem)

    def _stay_shut(self, shut: Problem) -> bool:
        changed = self.problem != shut
        # A download by the server on this machine is one by Blender; what came of it is kept.
        downloading = self.is_local and self.weights.fetch is not None
        if self.launcher.state in ("installing", "starting") or downloading:
            self.stop_local()
        if self.checkup is not None and self.checkup.running:
            self.end_checkup()
        self._shut()
        self.problem = shut
        return self.local.poll() or changed

    def _open(self, where: Connection) -> None:
        self._shut()
        if where != self._where:  # what was found is said of another server
            self.end_checkup()
        self._where = where
        self.problem = self._gate()
        if self.problem is None:
            self.client = Client(where, name=NAME)

    def _shut(self) -> None:
        if self.client is not None:
            self.client.close()
            self.client = None
            self.book.disconnected()
            self.cutouts.disconnected()
            self.weights.disconnected()
        self.was_ready = False

    def _follow_local(self) -> None:
        """Talk to the local server once it can be talked to, if the user wants it."""
        string = self.launcher.string
        if self.local.wanted and string not in (None, self._local_string):
            self._local_string = string
            self._open(connection.read(str(string)))

    def _take(self, event: events.Event) -> None:
        if not isinstance(event, events.ConnectionChanged):
            self.book.take(event)
            self.cutouts.take(event)
            if came := self.weights.take(event):
                self.book.weights_came(came)
        elif event.state == "ready":
            assert self.client is not None
            self.problem, self.was_ready = None, True
            self._forget_checkup(that_was_well=False)
            self.book.connected(self.client, Place(self.server_key, self.address))
            self.cutouts.connected(self.client)
            self.weights.connected(self.client)
        elif event.state == "down":
            error = event.problem or WireError("no_answer", "the server does not answer")
            self.problem = Problem.of(error)
            self._forget_checkup(that_was_well=True)
            self.book.lost()

    def _forget_checkup(self, that_was_well: bool) -> None:
        """Show no more what was found before the connection itself proved otherwise."""
        found = self.checkup
        if found is not None and not found.running and (found.fault is None) == that_was_well:
            self.end_checkup()


def _newest(found: list[events.Event]) -> list[events.Event]:
    """What happened, without news of a job that later ones outdid; the newest preview stays.

    Each of them is written to the disk, and a server may send hundreds at once.
    """
    kept: list[events.Event] = []
    told: set[str] = set()
    previews: dict[str, bytes] = {}
    for event in found:
        if isinstance(event, events.JobChanged) and event.job.preview:
            previews[event.job.id] = event.job.preview
    for event in reversed(found):
        if isinstance(event, events.JobChanged):
            if event.job.id in told:
                continue
            told.add(event.job.id)
            preview = previews.get(event.job.id, b"")
            event = events.JobChanged(replace(event.job, preview=preview))
        kept.append(event)
    return kept[::-1]
