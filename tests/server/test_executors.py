"""The place on a node of a cluster, and the one beside the workers, without any cluster."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from inference_server.executors.interface import Event, Task, WorkerOptions
from inference_server.executors.local import LocalExecutor
from inference_server.executors.ray_runner import Runner
from tests.server.serving import BACKENDS, patient, picture

JOB, OTHER = bytes(16), bytes(15) + b"1"


@pytest.fixture(autouse=True)
def with_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BACKENDS))  # a spawned process takes it over


@pytest.fixture
def runner() -> Iterator[Runner]:
    made = Runner(WorkerOptions())
    yield made
    made.close()


def until(ask: Callable[[], list[Event]], *kinds: str, seconds: float = 90.0) -> Event:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for event in ask():
            if event["type"] in kinds:
                return event
    raise AssertionError(f"no {kinds} within {seconds} s")


def request(**options: Any) -> dict[str, Any]:
    return {"job": JOB, "kind": "generate", "image": bytes(32), "settings": patient(**options)}


def test_a_place_on_a_node_computes_and_gives_its_result_in_pieces(runner: Runner) -> None:
    runner.start(JOB, request(), {"image": picture()})
    runner.start(JOB, request(), {"image": picture()})  # sent again, as after a lost answer
    done = until(lambda: runner.events(0.5), "done", "failed")
    assert done["type"] == "done" and done["job"] == JOB
    about = next(each for each in done["files"] if each["name"] == "mesh.glb")
    first = runner.piece(JOB, "mesh.glb", 0, 100)
    rest = runner.piece(JOB, "mesh.glb", 100, 2**20)
    assert first[:4] == b"glTF" and len(first) + len(rest) == about["size"]
    runner.forget(JOB)
    with pytest.raises(FileNotFoundError):
        runner.piece(JOB, "mesh.glb", 0, 1)


def test_a_task_may_be_cancelled_before_its_process_is_ready(runner: Runner) -> None:
    runner.start(JOB, request(seconds=60), {"image": picture()})
    runner.cancel(JOB)
    assert runner.events(0.0)[0] == {"type": "cancelled", "job": JOB}
    assert runner.about()["version"] and len(runner.about()["name"]) > 3


def test_a_process_beside_comes_and_goes(tmp_path: Path) -> None:
    executor = LocalExecutor((), WorkerOptions())
    assert executor.room(beside=True) and not executor.room(beside=False)
    assert executor.workers() == [] and executor.trouble == ""
    wrong = {"kind": "fetch_weights", "stage": "reconstructor", "backend": "inflate"}
    try:
        for job in (JOB, OTHER):
            executor.start(Task(job, wrong, {}, tmp_path / "none"))
            assert not executor.room(beside=True)
            event = until(executor.events, "failed", "lost")
            assert event["job"] == job and event["code"] == "invalid_data"
            end = time.monotonic() + 30
            while not executor.room(beside=True) and time.monotonic() < end:
                executor.events()
            assert executor.room(beside=True)
    finally:
        executor.close()
    assert executor.descriptors() == []
