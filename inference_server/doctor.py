"""Why a server cannot be used, found step by step: each with a verdict and what to do.

Owns the order of the questions: string, name, port, server, key, version, worker, models. What
comes after a step that failed cannot be known. Must not know arguments or what is printed.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from . import connection, protocol
from .client import Client
from .connection import Connection
from .errors import WireError
from .events import Status

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 15.0
WORKER_SECONDS = 60.0  # a cold one imports for a while
STEPS = ("string", "name", "port", "server", "key", "version", "worker", "model")
# Which step a client's problem belongs to.
_STEPS = {
    "refused_key": "key",
    "version": "version",
    "no_answer": "server",
    "not_a_server": "server",
    "wrong_server": "server",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one step.

    Attributes:
        step: a word.
        well: nothing is wrong there.
        sentence: what was found.
        hint: what to do; may be empty.
        code: of ``errors.CODES``, if the fault has one.
    """

    step: str
    well: bool
    sentence: str
    hint: str = ""
    code: str = ""


def examine(string: str) -> Iterator[Verdict]:
    """Ask one question after the other, until one fails."""
    try:
        where = connection.read(string)
    except WireError as error:
        yield Verdict("string", False, error.message, error.hint, error.code)
        return
    yield Verdict("string", True, "whole: its checksum fits")
    for question in (_name, _port, _talk):
        for verdict in question(where):
            yield verdict
            if not verdict.well:
                return


def _name(where: Connection) -> Iterator[Verdict]:
    host = where.host.strip("[]")
    try:
        found = socket.getaddrinfo(host, where.port, type=socket.SOCK_STREAM)
    except OSError as error:
        hint = "check the spelling and the network, or use the machine's address in numbers"
        sentence = f"{host} is not known here: {error}"
        yield Verdict("name", False, sentence, hint, "unknown_host")
        return
    addresses = ", ".join(sorted({str(each[4][0]) for each in found}))
    yield Verdict("name", True, addresses if host in addresses else f"{host} is {addresses}")


def _port(where: Connection) -> Iterator[Verdict]:
    try:
        socket.create_connection((where.host.strip("[]"), where.port), CONNECT_SECONDS).close()
    except TimeoutError:
        hint = "a firewall drops it, or the machine is off; through SSH, is the tunnel open?"
        sentence = f"no answer from port {where.port}"
        yield Verdict("port", False, sentence, hint, "no_answer")
    except OSError as error:
        hint = "start the server, or the tunnel to it; or copy the string of the one that runs"
        sentence = f"nothing listens at port {where.port}: {error}"
        yield Verdict("port", False, sentence, hint, "nothing_listening")
    else:
        yield Verdict("port", True, f"something listens at port {where.port}")


def _talk(where: Connection) -> Iterator[Verdict]:
    with closing(Client(connection.write(where), name="doctor")) as client:
        until = time.monotonic() + ANSWER_SECONDS
        while client.state != "ready" and client.problem is None and time.monotonic() < until:
            client.poll(50, wait=True)
        if client.state != "ready":
            problem = client.problem or WireError("no_answer", "it does not answer")
            step = _STEPS.get(problem.code, "server")
            yield Verdict(step, False, problem.message, problem.hint, problem.code)
            return
        assert client.welcome is not None
        yield Verdict("server", True, f"Glimpse3D {client.welcome.server}, encrypted")
        yield Verdict("key", True, "it lets this key in")
        yield Verdict("version", True, f"both speak protocol {protocol.PROTOCOL}")
        yield _worker(client)
        yield from _models(client)


def _worker(client: Client) -> Verdict:
    until = time.monotonic() + WORKER_SECONDS
    state = "unknown"
    client.status()
    while time.monotonic() < until:
        for event in client.poll(50, wait=True):
            if isinstance(event, Status):
                state = event.values["worker"]
                if state in ("idle", "busy"):
                    waiting = event.values["queued"]
                    return Verdict("worker", True, f"{state}, {waiting} jobs wait")
                time.sleep(0.2)
                client.status()
    hint = "look into the server's own window for what it says"
    return Verdict("worker", False, f"the computing process does not get ready: {state}", hint)


def _models(client: Client) -> Iterator[Verdict]:
    """Backends that need more than their package; what lacks there is news, and no fault."""
    assert client.welcome is not None
    catalogue = client.welcome.catalogue
    lacking = set()
    for row in catalogue.get("weights", []):
        size = f"{row['left'] / 1e9:.1f} GB of weights to fetch" if row["left"] else "weights here"
        lacking.add(row["backend"])
        yield Verdict("model", True, f"{row['backend']}: {row['lacks'] or size}")
    names = {row["name"] for rows in catalogue["backends"].values() for row in rows} - lacking
    yield Verdict("model", True, f"ready without weights: {', '.join(sorted(names))}")
