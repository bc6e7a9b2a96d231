"""A made-up version 2 of the protocol, and all who speak one version or two."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from inference_server import protocol
from inference_server.client import Client
from tests.server.serving import BACKENDS, QUICK, ROOT, ended, picture, ready

LATER = """
import sys
from inference_server import protocol
protocol.OLDEST, protocol.PROTOCOL = int(sys.argv[1]), int(sys.argv[2])
from glimpse3d.cli import main
if __name__ == "__main__":
    sys.exit(main(["serve", "--data", sys.argv[3]]))
"""


@contextmanager
def speaking(folder: Path, low: int, high: int) -> Iterator[str]:
    """A server of these versions; its connection string."""
    script = folder / "later.py"
    script.write_text(LATER)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(BACKENDS), str(ROOT)])}
    with subprocess.Popen(
        [sys.executable, str(script), str(low), str(high), str(folder / "data")],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            process.wait(20)


def of_versions(
    monkeypatch: pytest.MonkeyPatch, string: str, low: int, high: int
) -> Iterator[Client]:
    monkeypatch.setattr(protocol, "OLDEST", low)
    monkeypatch.setattr(protocol, "PROTOCOL", high)
    client = Client(string, name="test")
    yield client
    client.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("server", "client"), [((1, 2), (1, 1)), ((1, 2), (1, 2)), ((1, 1), (1, 2))], ids=str
)
def test_one_version_back_is_spoken(
    server: tuple[int, int],
    client: tuple[int, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with speaking(tmp_path, *server) as string:
        for each in of_versions(monkeypatch, string, *client):
            ready(each)
            if (server, client) == ((1, 2), (1, 1)):
                assert ended(each, each.generate(picture(), QUICK)).state == "succeeded"


@pytest.mark.parametrize(
    ("server", "client", "behind"),
    [((2, 3), (1, 1), "client"), ((1, 2), (3, 4), "server")],
    ids=str,
)
def test_without_a_common_version_the_one_behind_is_named(
    server: tuple[int, int],
    client: tuple[int, int],
    behind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with speaking(tmp_path, *server) as string:
        for each in of_versions(monkeypatch, string, *client):
            until = 200
            while each.problem is None and until:
                each.poll(50, wait=True)
                until -= 1
            assert each.problem is not None and each.problem.code == "version"
            assert each.problem.hint == f"update the {behind}"
            assert f"{client[0]} to {client[1]}" in each.problem.message
            assert f"{server[0]} to {server[1]}" in each.problem.message


def test_the_newest_common_version_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "OLDEST", 3)
    monkeypatch.setattr(protocol, "PROTOCOL", 4)
    said = {(low, high): protocol.common(low, high) for low, high in
            [(1, 2), (1, 3), (3, 3), (3, 4), (4, 4), (4, 9), (5, 9), (9, 1)]}  # fmt: skip
    assert list(said.values()) == [0, 3, 3, 4, 4, 4, 0, 0]
