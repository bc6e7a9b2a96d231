"""What a server forgets: nothing that was not fetched; and databases of older releases."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from inference_server.client import Client
from inference_server.events import Downloaded, JobList
from inference_server.retention import DAY, Retention, expired
from inference_server.store import Row, Store
from tests.server.serving import QUICK, Server, ended, picture, pump

OLD = Path(__file__).parent / "data" / "jobs-v1.sqlite3"  # written by Store of version 1
NOW = 1_800_000_000.0
DONE = Row(
    serial=1, id=bytes(16), owner="o", digest=b"", kind="generate", name="", request={},
    state="succeeded", cancel=False, attempt=1, created=0.0, started=0.0, finished=NOW,
    code=None, message=None, hint=None, files=[], size=100, delivered=None,
)  # fmt: skip


def row(number: int, age_days: float, delivered_days: float | None, **more: object) -> Row:
    """A result of 100 bytes that was finished, and perhaps fetched, so many days ago."""
    values = {
        "id": bytes([number]),
        "finished": NOW - age_days * DAY,
        "delivered": None if delivered_days is None else NOW - delivered_days * DAY,
        **more,
    }
    return dataclasses.replace(DONE, **values)  # type: ignore[arg-type]


def gone(rows: list[Row], rule: Retention) -> list[int]:
    return [each.id[0] for each in expired(rows, rule, NOW)]


def test_age_takes_what_was_fetched_or_has_no_result() -> None:
    rows = [
        row(1, 8, 7.9),
        row(2, 8, None),
        row(3, 6, 5.9),
        row(4, 8, None, state="failed", size=0),
        row(5, 8, None, state="cancelled", size=0),
        row(6, 1, None, state="failed", size=0),
    ]
    assert sorted(gone(rows, Retention(days=7))) == [1, 4, 5]


def test_size_takes_what_was_fetched_longest_ago_and_no_more_than_it_must() -> None:
    rows = [row(1, 3, 1), row(2, 2, 2), row(3, 4, None), row(4, 1, 0.5)]
    assert gone(rows, Retention(bytes=400)) == []
    assert gone(rows, Retention(bytes=399)) == [2]
    assert gone(rows, Retention(bytes=250)) == [2, 1]
    assert gone(rows, Retention(bytes=0)) == [2, 1, 4]  # and never the third


def test_a_fetched_result_goes_and_an_unfetched_one_stays(
    start: Callable[..., Server], connect: Callable[..., Client], tmp_path: Path
) -> None:
    first = start()
    client = connect(first.string)
    fetched, waiting = (client.generate(picture(seed), QUICK) for seed in (1, 2))
    for job in (fetched, waiting):
        assert ended(client, job).state == "succeeded"
    client.download(fetched, tmp_path / "here")
    pump(client, lambda event: isinstance(event, Downloaded))
    first.stop()
    again = start(first.port, "--keep-days", "0")
    later = connect(again.string)
    later.list_jobs()
    event = pump(later, lambda each: isinstance(each, JobList))
    assert isinstance(event, JobList)
    assert {job.id for job in event.jobs} == {waiting}
    results = {path.name for path in (tmp_path / "data" / "results").iterdir()}
    assert results == {waiting}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copy(OLD, tmp_path / "jobs.sqlite3"))


def test_a_database_of_version_1_is_read_whole(old: Path) -> None:
    store = Store(old)
    jobs = {number: store.get(number.to_bytes(16, "big")) for number in range(1, 8)}
    states = {number: job.state for number, job in jobs.items() if job}
    assert states == {
        1: "succeeded", 2: "failed", 3: "cancelled", 4: "running", 5: "running",
        6: "queued", 7: "queued",
    }  # fmt: skip
    done, failed, stopping = jobs[1], jobs[2], jobs[4]
    assert done and failed and stopping
    assert done.size == 1234 and done.delivered is None and len(done.files) == 2
    assert failed.code == "no_foreground" and failed.hint == "draw a box" and failed.size == 0
    assert stopping.cancel and stopping.request["settings"] == {"preset": "draft", "size": 0.5}
    assert store.kept_bytes(done.owner) == 1234
    claimed = store.claim()
    assert claimed is not None and claimed.name == "job 6"
    store.close()


def test_a_migrated_database_stays_migrated(old: Path) -> None:
    Store(old).close()
    store = Store(old)
    store.deliver((1).to_bytes(16, "big"))
    first = store.get((1).to_bytes(16, "big"))
    store.deliver((1).to_bytes(16, "big"))
    assert first and first.delivered and store.get(first.id) == first
    store.close()
