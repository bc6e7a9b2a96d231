"""What the store promises: durable, claimed once, and right again after a restart."""

import hashlib
import os
import random
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from glimpse3d.errors import Glimpse3DError
from inference_server import dispatch
from inference_server.artifacts import Artifacts
from inference_server.dispatch import Dispatcher
from inference_server.executors.interface import WorkerOptions
from inference_server.executors.local import LocalExecutor
from inference_server.jobs import Jobs
from inference_server.quotas import Quotas
from inference_server.retention import Retention
from inference_server.store import Store
from tests.server.test_dispatch import Scripted


def request(number: int, **more: Any) -> dict[str, Any]:
    return {"job": number.to_bytes(16, "big"), "kind": "generate", "name": f"job {number}", **more}


def filled(path: Path, count: int = 3) -> Store:
    store = Store(path)
    for number in range(count):
        store.add("owner", bytes(32), request(number, settings={"size": 0.5}))
    return store


def test_what_is_committed_reaches_the_disk(tmp_path: Path) -> None:
    store = filled(tmp_path / "jobs.sqlite3")
    assert store.synchronous() == 2  # FULL
    store.close()
    with sqlite3.connect(tmp_path / "jobs.sqlite3") as base:
        assert base.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert base.execute("PRAGMA user_version").fetchone() == (2,)
        assert base.execute("SELECT count(*) FROM jobs WHERE state = 'queued'").fetchone() == (3,)
    base.close()


def test_jobs_are_claimed_once_and_in_order(tmp_path: Path) -> None:
    store = filled(tmp_path / "jobs.sqlite3")
    rows = [store.claim() for _ in range(4)]
    assert [row.name for row in rows if row] == ["job 0", "job 1", "job 2"]
    assert rows[3] is None
    assert (
        rows[0] is not None
        and rows[0].attempt == 1
        and rows[0].request["settings"] == {"size": 0.5}
    )
    store.put_back(rows[1].id)  # type: ignore[union-attr]
    again = store.claim()
    assert again is not None and again.name == "job 1" and again.attempt == 2
    store.close()


def test_a_finished_job_stays_finished(tmp_path: Path) -> None:
    store = filled(tmp_path / "jobs.sqlite3", 1)
    row = store.claim()
    assert row is not None
    store.succeed(row.id, [{"name": "mesh.glb", "size": 1, "sha256": bytes(32)}])
    store.fail(row.id, Glimpse3DError("internal", "too late"))
    store.cancelled(row.id)
    store.ask_to_cancel(row.id)
    store.put_back(row.id)
    now = store.get(row.id)
    assert now is not None and now.state == "succeeded" and now.code is None
    assert now.files[0]["name"] == "mesh.glb"
    store.close()


def test_a_second_server_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    store = filled(tmp_path / "jobs.sqlite3")
    with pytest.raises(Glimpse3DError, match="another server") as caught:
        Store(tmp_path / "jobs.sqlite3")
    assert caught.value.hint
    store.close()
    Store(tmp_path / "jobs.sqlite3").close()


@pytest.mark.parametrize("content", [b"not a database at all, but long enough" * 50])
def test_a_damaged_store_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "jobs.sqlite3"
    path.write_bytes(content)
    with pytest.raises(Glimpse3DError, match="damaged"):
        Store(path)
    assert path.read_bytes() == content


def test_a_store_of_a_newer_version_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite3"
    filled(path).close()
    with sqlite3.connect(path) as base:
        base.execute("PRAGMA user_version = 99")
    base.close()
    with pytest.raises(Glimpse3DError, match="newer"):
        Store(path)


def test_a_restart_puts_back_gives_up_and_cleans(tmp_path: Path) -> None:
    store = Store(tmp_path / "jobs.sqlite3")
    for number, (attempts, cancel) in enumerate([(1, False), (3, False), (1, True)]):
        row = store.add("owner", bytes(32), request(number))
        for attempt in range(attempts):
            claimed = store.claim()
            assert claimed is not None and claimed.id == row.id
            if attempt < attempts - 1:
                store.put_back(row.id)
        if cancel:
            store.ask_to_cancel(row.id)
    artifacts = Artifacts(tmp_path)
    for number in (0, 9):
        artifacts.result(number.to_bytes(16, "big")).mkdir()
    (tmp_path / "results" / ".x.glimpse3d-1").mkdir()
    idle = LocalExecutor((), WorkerOptions())
    Jobs(store, artifacts, Dispatcher(store, artifacts, idle), Quotas(), Retention())
    rows = [store.get(number.to_bytes(16, "big")) for number in range(3)]
    assert [row.state for row in rows if row] == ["queued", "failed", "cancelled"]
    assert rows[1] is not None and rows[1].code == "worker_lost" and rows[1].hint
    assert not list((tmp_path / "results").iterdir())
    store.close()


def test_uploads_are_proved_and_resumed(tmp_path: Path) -> None:
    import hashlib

    data = bytes(range(256)) * 40
    sha256 = hashlib.sha256(data).digest()

    def put(artifacts: Artifacts, offset: int, piece: bytes) -> tuple[int, bool]:
        body = {"sha256": sha256, "size": len(data), "offset": offset}
        return artifacts.put("owner", body, piece)

    first = Artifacts(tmp_path)
    assert first.held("owner", sha256) == (0, False)
    assert put(first, 0, data[:4000]) == (4000, False)
    assert put(first, 0, data[:4000]) == (4000, False)  # sent twice
    assert put(first, 9000, data[9000:]) == (4000, False)  # a piece is missing before it
    second = Artifacts(tmp_path)  # the server was killed
    assert second.held("owner", sha256) == (4000, False)
    assert put(second, 4000, data[4000:]) == (len(data), True)
    assert second.upload_path("owner", sha256).read_bytes() == data
    assert second.held("somebody else", sha256) == (0, False)


def test_an_upload_that_is_not_what_was_announced_is_dropped(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    body = {"sha256": bytes(32), "size": 4, "offset": 0}
    with pytest.raises(Glimpse3DError) as caught:
        artifacts.put("owner", body, b"data")
    assert caught.value.code == "bad_hash"
    assert artifacts.held("owner", bytes(32)) == (0, False)
    with pytest.raises(Glimpse3DError) as caught:
        artifacts.put("owner", {**body, "size": 2**40}, b"data")
    assert caught.value.code == "too_large"
    with pytest.raises(Glimpse3DError) as caught:
        artifacts.put("owner", body, b"more than announced")
    assert caught.value.code == "too_large"


def fill(store: Store) -> None:
    """The disk takes no page more: SQLite's own limit acts as a full disk does."""
    (pages,) = store._base.execute("PRAGMA page_count").fetchone()
    store._base.execute(f"PRAGMA max_page_count = {pages}")


def wordy(number: int) -> dict[str, Any]:
    return request(number, settings={"note": "x" * 8000})


def test_a_full_disk_is_said_and_costs_nothing_that_was_there(tmp_path: Path) -> None:
    store = filled(tmp_path / "jobs.sqlite3")
    fill(store)
    with pytest.raises(Glimpse3DError) as refused:
        for number in range(3, 9):
            store.add("owner", bytes(32), wordy(number))
    assert refused.value.code == "disk_full" and refused.value.hint
    assert store.counts()["queued"] >= 3
    store._base.execute("PRAGMA max_page_count = 1000000")
    store.add("owner", bytes(32), wordy(9))  # no half-open change is in the way
    store.close()


def test_a_result_that_cannot_be_written_down_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "PAUSE_SECONDS", 0.0)
    store = filled(tmp_path / "jobs.sqlite3", 2)
    executor = Scripted(1)
    dispatcher = Dispatcher(store, Artifacts(tmp_path), executor)
    dispatcher.step()
    (job,) = executor.at
    fill(store)
    files = [{"name": f"{n:0100}", "size": 1, "sha256": bytes(32)} for n in range(200)]
    executor.say(job, "done", files=files, warning="")
    assert dispatcher.step() == {} and dispatcher.step() == {}  # nobody is told what may not last
    assert "disk is full" in dispatcher.trouble and str(tmp_path) not in dispatcher.trouble
    row = store.get(job)
    assert row is not None and row.state == "running"
    store._base.execute("PRAGMA max_page_count = 1000000")
    assert job in dispatcher.step() and dispatcher.trouble == ""
    row = store.get(job)
    assert row is not None and row.state == "succeeded" and len(row.files) == 200
    assert len(executor.at) == 1  # and the next one runs
    store.close()


def test_who_has_no_room_to_write_can_still_be_read_from(tmp_path: Path) -> None:
    store, artifacts = filled(tmp_path / "jobs.sqlite3", 1), Artifacts(tmp_path)
    row = store.claim()
    assert row is not None
    artifacts.result(row.id).mkdir()
    (artifacts.result(row.id) / "mesh.glb").write_bytes(b"glb")
    store.succeed(row.id, [{"name": "mesh.glb", "size": 3, "sha256": bytes(32)}])
    idle = LocalExecutor((), WorkerOptions())
    jobs = Jobs(store, artifacts, Dispatcher(store, artifacts, idle), Quotas(), Retention())
    store._base.execute("PRAGMA query_only = ON")  # every change is refused
    piece = {"job": row.id, "name": "mesh.glb", "offset": 0, "count": 3}
    assert jobs.fetch("owner", piece) == b"glb"
    with pytest.raises(Glimpse3DError) as refused:
        jobs.delete("owner", row.id)
    assert refused.value.code == "output_failed"
    store.close()


def test_a_store_that_rotted_inside_is_refused_at_the_start(tmp_path: Path) -> None:
    """The first page is well, so it opens; a job's page is not, and would end the server later."""
    path = tmp_path / "jobs.sqlite3"
    filled(path, 200).close()
    content = bytearray(path.read_bytes())
    for start in range(4096 * 3, len(content), 4096):
        content[start : start + 64] = b"\xff" * 64
    path.write_bytes(content)
    with pytest.raises(Glimpse3DError, match="damaged") as refused:
        Store(path)
    assert "backup" in refused.value.hint and path.read_bytes() == content


def test_a_folder_that_takes_nothing_is_no_second_server(tmp_path: Path) -> None:
    (tmp_path / "jobs.lock").mkdir()
    with pytest.raises(Glimpse3DError) as refused:
        Store(tmp_path / "jobs.sqlite3")
    assert refused.value.code == "output_failed" and "--data" in refused.value.hint


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit on the size of files")
def test_an_upload_that_a_full_disk_broke_goes_on_once_there_is_room(tmp_path: Path) -> None:
    import resource

    artifacts, content = Artifacts(tmp_path), random.Random(0).randbytes(300_000)
    name = hashlib.sha256(content).digest()
    body = {"sha256": name, "size": len(content)}
    artifacts.put("owner", {**body, "offset": 0}, content[:100_000])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, before[1]))
    try:
        with pytest.raises(Glimpse3DError) as refused:
            artifacts.put("owner", {**body, "offset": 100_000}, content[100_000:200_000])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert refused.value.code == "disk_full"
    have, complete = artifacts.held("owner", name)
    assert 100_000 <= have <= 150_000 and not complete
    done = artifacts.put("owner", {**body, "offset": have}, content[have:])
    assert done == (len(content), True)
    assert artifacts.upload_path("owner", name).read_bytes() == content


def test_uploads_that_nobody_wants_go_while_the_server_runs(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    kept, old = (hashlib.sha256(each).digest() for each in (b"kept", b"old"))
    for content in (b"kept", b"old", b"new"):
        name = hashlib.sha256(content).digest()
        body = {"sha256": name, "size": len(content), "offset": 0}
        artifacts.put("owner", body, content)
        if content != b"new":
            os.utime(artifacts.upload_path("owner", name), (0, 0))
    artifacts.tidy({kept})
    assert artifacts.held("owner", old) == (0, False)
    for content in (b"kept", b"new"):
        assert artifacts.held("owner", hashlib.sha256(content).digest())[1]
