"""A copy of the data folder taken under way, and a server that goes on from it."""

import shutil
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from glimpse3d import cli
from glimpse3d.errors import Cancelled, Glimpse3DError
from glimpse3d.progress import Progress
from inference_server import backup
from inference_server.artifacts import Artifacts
from inference_server.client import Client
from inference_server.store import Store
from tests.server.serving import Server, downloaded, ended, in_state, patient, picture
from tests.server.test_store import request

Start = Callable[..., Server]
Connect = Callable[[str], Client]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_running_server_is_copied_and_the_copy_goes_on(
    start: Start, connect: Connect, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = start()
    client = connect(server.string)
    done = ended(client, client.generate(picture(1), patient()))
    original = files(downloaded(client, done.id, tmp_path / "first"))
    running = client.generate(picture(2), patient(seconds=30))
    in_state(client, running, "running")
    waiting = client.generate(picture(3), patient())
    in_state(client, waiting, "queued")
    words = ["backup", str(tmp_path / "copy"), "--data", str(tmp_path / "data")]
    assert cli.main(words) == 0
    said = capsys.readouterr()
    assert "3 jobs" in said.out and "keys" in said.err
    client.close()
    server.stop()
    shutil.rmtree(tmp_path / "data")  # the disaster that a backup is for
    again = Server(tmp_path / "copy", server.port)
    try:
        assert again.string == server.string  # keys and all: clients need no new string
        client = connect(again.string)
        assert files(downloaded(client, done.id, tmp_path / "second")) == original
        client.cancel(running)
        client.watch(waiting)
        assert ended(client, waiting).state == "succeeded"
    finally:
        again.stop()


def test_copies_under_writes_are_whole(tmp_path: Path) -> None:
    """Jobs come and go all the while; every copy opens, and each of its results is proved."""
    import hashlib

    data = tmp_path / "data"
    store, artifacts = Store(data / "jobs.sqlite3"), Artifacts(data)
    (data / "keys").mkdir(mode=0o700)
    for number in range(20):
        finish(store, artifacts, number)
    stop, numbers = threading.Event(), iter(range(20, 10**6))

    def copy_all() -> None:
        try:
            for index in range(6):
                made.append(backup.back_up(data, tmp_path / f"copy{index}", Progress()))
        finally:
            stop.set()

    made: list[backup.Copied] = []
    copying = threading.Thread(target=copy_all)
    copying.start()
    while not stop.is_set():
        number = next(numbers)
        finish(store, artifacts, number)
        gone = (number - 20).to_bytes(16, "big")
        store.delete(gone)
        artifacts.remove_result(gone)
        time.sleep(0.02)  # or a slow disk's copies would find nothing left of what they began on
    copying.join()
    store.close()
    assert len(made) == 6
    assert max(each.jobs for each in made) > 10  # the others were deleted meanwhile
    for index, each in enumerate(made):
        copy = Store(tmp_path / f"copy{index}" / "jobs.sqlite3")
        there = Artifacts(tmp_path / f"copy{index}")
        assert sum(copy.counts().values()) == each.jobs and each.jobs + each.gone in (20, 21)
        rows = copy.finished()
        assert each.jobs - 1 <= len(rows) <= each.jobs
        assert {path.name for path in (tmp_path / f"copy{index}" / "results").iterdir()} == {
            row.id.hex() for row in rows
        }
        for row in rows:
            data = (there.result(row.id) / "mesh.glb").read_bytes()
            assert hashlib.sha256(data).digest() == row.files[0]["sha256"]
        copy.close()


def finish(store: Store, artifacts: Artifacts, number: int) -> None:
    """A job that succeeded, with one file."""
    import hashlib

    row = store.add("owner", bytes(32), request(number))
    assert store.claim() is not None
    content = number.to_bytes(4, "big") * 500
    folder = artifacts.result(row.id)
    folder.mkdir()
    (folder / "mesh.glb").write_bytes(content)
    entry = {"name": "mesh.glb", "size": 2000, "sha256": hashlib.sha256(content).digest()}
    store.succeed(row.id, [entry])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    store, artifacts = Store(folder / "jobs.sqlite3"), Artifacts(folder)
    finish(store, artifacts, 0)
    store.close()
    (folder / "keys").mkdir(mode=0o700)
    (folder / "keys" / "server.json").write_text("secret")
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other rights")
def test_keys_stay_for_their_owner_alone(data: Path, tmp_path: Path) -> None:
    backup.back_up(data, tmp_path / "copy", Progress())
    for path, mode in (("", 0o700), ("keys", 0o700), ("keys/server.json", 0o600)):
        assert stat.S_IMODE((tmp_path / "copy" / path).stat().st_mode) == mode
    assert (tmp_path / "copy" / "keys" / "server.json").read_text() == "secret"


def test_a_rotten_file_is_found_and_no_copy_is_left(data: Path, tmp_path: Path) -> None:
    (path,) = (data / "results").glob("*/mesh.glb")
    path.write_bytes(b"x" * 2000)
    with pytest.raises(Glimpse3DError, match="not the file") as caught:
        backup.back_up(data, tmp_path / "copy", Progress())
    assert caught.value.code == "bad_file"
    assert [each.name for each in tmp_path.iterdir()] == ["data"]


def test_stopping_leaves_nothing(data: Path, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        backup.back_up(data, tmp_path / "copy", Progress(cancelled=lambda: True))
    assert [each.name for each in tmp_path.iterdir()] == ["data"]


def test_what_is_there_is_never_replaced(data: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    with pytest.raises(Glimpse3DError, match="there already"):
        backup.back_up(data, tmp_path / "copy", Progress())
    with pytest.raises(Glimpse3DError, match="not a server's"):
        backup.back_up(tmp_path / "nowhere", tmp_path / "other", Progress())
    assert sorted(each.name for each in tmp_path.iterdir()) == ["copy", "data"]
