"""The add-on's files that need no Blender, with the copies that they import."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.server.serving import ROOT, Server

# Before a test file imports blender_addon.
subprocess.run([sys.executable, ROOT / "addon_build" / "extension.py", "--vendor"], check=True)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests that leave it as it was."""
    running = Server(tmp_path_factory.mktemp("server") / "data")
    yield running
    running.stop()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start servers of a test's own; the same folder each time, unless it is named."""
    servers: list[Server] = []

    def make(port: int = 0, name: str = "data") -> Server:
        servers.append(Server(tmp_path / name, port))
        return servers[-1]

    yield make
    for each in servers:
        each.stop()
