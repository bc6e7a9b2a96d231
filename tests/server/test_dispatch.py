"""Order, patience and attempts, with an executor that does what the test says."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference_server.artifacts import Artifacts
from inference_server.dispatch import Dispatcher, Patience
from inference_server.executors.interface import Event, Task, WorkerState
from inference_server.store import Row, Store

FILES = [{"name": "mesh.glb", "size": 3, "sha256": bytes(32)}]


class Scripted:
    """Places for tasks; what happens there is put into ``coming``."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.coming: list[Event] = []
        self.at: dict[bytes, Task] = {}
        self.asked: list[bytes] = []
        self.trouble = ""
        self.hopeless = False

    def room(self, beside: bool) -> bool:
        return sum(task.beside == beside for task in self.at.values()) < (
            1 if beside else self.places
        )

    def start(self, task: Task) -> None:
        self.at[task.job] = task

    def cancel(self, job: bytes, by_force: bool = False) -> None:
        self.asked.append(job)
        if by_force:
            self.say(job, "lost", how="was stopped", counts=True)

    def say(self, job: bytes, kind: str, **more: Any) -> None:
        self.coming.append({"type": kind, "job": job, **more})
        if kind != "progress":
            self.at.pop(job, None)

    def report(self, job: bytes) -> None:
        self.say(job, "progress", fraction=0.5, stage="mesh", note="", preview=b"")

    def events(self) -> list[Event]:
        coming, self.coming = self.coming, []
        return coming

    def close(self) -> None:
        self.at.clear()

    def workers(self) -> list[WorkerState]:
        return []

    def descriptors(self) -> list[int]:
        return []


class House:
    """A store, and a dispatcher over it."""

    def __init__(self, folder: Path, places: int, patience: Patience) -> None:
        self.store = Store(folder / "jobs.sqlite3")
        self.executor = Scripted(places)
        artifacts = Artifacts(folder)
        self.dispatcher = Dispatcher(self.store, artifacts, self.executor, patience)
        self.count = 0

    def add(self, kind: str = "generate") -> bytes:
        self.count += 1
        job = self.count.to_bytes(16, "big")
        self.store.add("owner", bytes(32), {"job": job, "kind": kind, "settings": {}})
        return job

    def row(self, job: bytes) -> Row:
        row = self.store.get(job)
        assert row is not None
        return row

    def step(self) -> dict[bytes, bytes]:
        return self.dispatcher.step()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path, 2, Patience(cancel=0.05, stall=0.2))
    yield made
    made.store.close()


def test_jobs_begin_in_the_order_in_which_they_came(house: House) -> None:
    jobs = [house.add() for _ in range(5)]
    house.step()
    assert list(house.executor.at) == jobs[:2]
    for job in (jobs[1], jobs[0], jobs[2], jobs[3]):
        house.executor.say(job, "done", files=FILES, warning="")
        house.step()
    assert list(house.executor.at) == [jobs[4]]
    assert [house.row(job).state for job in jobs] == ["succeeded"] * 4 + ["running"]


def test_a_fetch_runs_beside_and_holds_up_nobody(house: House) -> None:
    first, fetch, second, other = (
        house.add(), house.add("fetch_weights"), house.add(), house.add("fetch_weights"),
    )  # fmt: skip
    house.step()
    assert set(house.executor.at) == {first, fetch, second}
    house.executor.say(fetch, "done", files=[], warning="")
    house.step()
    assert set(house.executor.at) == {first, second, other}
    for job in (first, second):
        house.executor.say(job, "done", files=FILES, warning="")
    house.step()
    assert not house.dispatcher.busy  # a server that is drained does not wait for a fetch


def test_a_cancel_becomes_one_by_force(house: House) -> None:
    job = house.add()
    house.step()
    house.store.ask_to_cancel(job)
    house.dispatcher.cancel(job)
    house.step()
    assert house.executor.asked == [job] and house.row(job).state == "running"
    time.sleep(0.06)
    house.step()
    house.step()
    assert house.executor.asked == [job, job] and house.row(job).state == "cancelled"


def test_silence_costs_an_attempt_and_a_report_saves(house: House) -> None:
    silent, talks = house.add(), house.add()
    house.step()
    for _ in range(200):
        if house.row(silent).state == "failed":
            break
        time.sleep(0.02)
        house.executor.report(talks)
        house.step()
    row = house.row(silent)
    assert (row.state, row.code, row.attempt) == ("failed", "stalled", 3)
    assert row.message == "the job said nothing for 0.2 seconds, 3 times" and row.hint
    assert house.executor.asked == [silent] * 3
    assert house.row(talks).state == "running" and house.row(talks).attempt == 1


def test_a_loss_that_is_nobodys_fault_costs_no_attempt(house: House) -> None:
    job = house.add()
    for _ in range(5):
        house.step()
        house.executor.say(job, "lost", how="was lost with the cluster", counts=False)
    house.step()
    assert house.row(job).attempt == 1 and house.row(job).state == "running"
    for _ in range(3):
        house.executor.say(job, "lost", how="was ended by signal 9", counts=True)
        house.step()
    assert house.row(job).state == "failed" and house.row(job).code == "worker_lost"


def test_who_waits_is_told_of_trouble_and_of_its_end(house: House) -> None:
    house.executor.places = 0
    job = house.add()
    assert house.step() == {}
    house.executor.trouble = "the cluster is away"
    assert house.step() == {job: b""} and house.step() == {}
    house.executor.trouble = ""
    assert house.step() == {job: b""}
    house.executor.trouble, house.executor.hopeless = "no process can start", True
    house.step()
    assert house.row(job).code == "worker_lost"
    assert house.row(job).message == "no process can start"


def test_draining_hands_out_nothing_more(house: House) -> None:
    running = house.add()
    house.step()
    waiting = house.add()
    house.dispatcher.draining = True
    house.step()
    assert list(house.executor.at) == [running] and house.dispatcher.busy
    house.executor.say(running, "done", files=FILES, warning="with less memory")
    house.step()
    assert not house.dispatcher.busy and house.row(waiting).state == "queued"
    assert house.row(running).message == "with less memory" and house.row(running).code is None


def test_news_of_jobs_that_nobody_has_is_dropped(house: House) -> None:
    job = house.add()
    house.step()
    house.executor.say(job, "done", files=FILES, warning="")
    house.executor.say(job, "failed", code="internal", message="late", hint="")
    house.executor.say(job, "lost", how="late", counts=True)
    house.executor.report(bytes(16))
    house.step()
    assert house.row(job).state == "succeeded" and house.row(job).files == FILES


def test_what_a_lost_process_wrote_is_gone(house: House, tmp_path: Path) -> None:
    job = house.add()
    house.step()
    folder = house.executor.at[job].folder
    half = folder.with_name(f".{folder.name}.glimpse3d-1a2b") / "new"
    for each in (folder, half):
        each.mkdir(parents=True)
        (each / "mesh.glb").touch()
    house.executor.say(job, "lost", how="was stopped", counts=True)
    house.executor.places = 0
    house.step()
    assert house.row(job).state == "queued" and not list((tmp_path / "results").iterdir())
