"""A server for the tests of a file, and clients that are closed when a test ends."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inference_server import logs
from inference_server.client import Client
from tests.server.serving import Server, ready


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests that leave it as it was."""
    running = Server(tmp_path_factory.mktemp("server") / "data")
    yield running
    running.stop()


@pytest.fixture
def connect() -> Iterator[Callable[[str], Client]]:
    """Make clients; those of a living server are ready."""
    clients: list[Client] = []

    def make(string: str, wait: bool = True) -> Client:
        clients.append(Client(string, name="test"))
        return ready(clients[-1]) if wait else clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start servers of a test's own; the same folder each time."""
    servers: list[Server] = []

    def make(port: int = 0, *options: str) -> Server:
        servers.append(Server(tmp_path / "data", port, *options))
        return servers[-1]

    yield make
    for each in servers:
        each.stop()


@pytest.fixture(autouse=True)
def logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands that are run in this process set up logging for good; not for the next test."""
    monkeypatch.setenv(logs.VARIABLE, "text")
    names = ("", *logs.OURS)
    levels = {name: logging.getLogger(name).level for name in names}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    for handler in list(logging.getLogger().handlers):
        if isinstance(handler.formatter, logs.Lines):
            logging.getLogger().removeHandler(handler)
