"""The add-on's files that need no Blender, with the copies that they import."""

import shutil
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


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No package index for pip."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with pip alone, to be copied: making one takes seconds."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([sys.executable, "-I", "-m", "venv", str(folder)], check=True)
    (folder / "made.txt").touch()
    return folder


@pytest.fixture
def begun(tmp_path: Path, bare: Path) -> Path:
    """The folder of an installation whose first step is done."""
    shutil.copytree(bare, tmp_path / "local" / "venv", symlinks=True)
    return tmp_path / "local"
