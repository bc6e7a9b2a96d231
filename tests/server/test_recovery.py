"""Processes that die: every job ends once, whole or with one clear sentence."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from inference_server.client import Client
from inference_server.events import JobChanged, JobList
from tests.server.serving import (
    QUICK,
    Server,
    children,
    downloaded,
    ended,
    eventually,
    in_state,
    patient,
    picture,
    pump,
)

Connect = Callable[..., Client]
linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")


def test_a_job_whose_worker_dies_once_is_done_by_the_next(
    server: Server, connect: Connect, tmp_path: Path
) -> None:
    client = connect(server.string)
    job = ended(client, client.generate(picture(), patient(deaths=1, marks=str(tmp_path))))
    assert job.state == "succeeded" and job.attempt == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_a_job_that_kills_every_worker_ends_with_a_sentence(
    server: Server, connect: Connect, tmp_path: Path
) -> None:
    client = connect(server.string)
    job = ended(client, client.generate(picture(), patient(deaths=9, marks=str(tmp_path))))
    assert job.state == "failed" and job.attempt == 3 and job.problem is not None
    assert job.problem.code == "worker_lost"
    assert "signal 9" in job.problem.message and job.problem.hint
    assert len(list(tmp_path.iterdir())) == 3
    after = ended(client, client.generate(picture(), QUICK))  # and the next one is not harmed
    assert after.state == "succeeded" and after.attempt == 1


@linux
@pytest.mark.slow
def test_a_worker_killed_from_outside_is_replaced(server: Server, connect: Connect) -> None:
    client = connect(server.string)
    job = client.generate(picture(), patient(seconds=2))
    in_state(client, job, "running")
    worker = server.worker()
    os.kill(worker, signal.SIGKILL)
    done = ended(client, job)
    assert done.state == "succeeded" and done.attempt == 2
    assert server.worker() != worker


def test_a_job_that_heeds_no_cancel_is_ended_with_its_process(
    server: Server, connect: Connect
) -> None:
    client = connect(server.string)
    job = client.generate(picture(), patient(stubborn=600))
    in_state(client, job, "running")
    client.cancel(job)
    assert ended(client, job, 15).state == "cancelled"
    assert ended(client, client.generate(picture(), QUICK)).state == "succeeded"


@linux
def test_a_killed_server_leaves_no_orphan_and_its_jobs_go_on(
    start: Callable[..., Server], connect: Connect, tmp_path: Path
) -> None:
    first = start()
    client = connect(first.string)
    running = client.generate(picture(), patient(seconds=1.5))
    waiting = client.generate(picture(), QUICK, name="the second")
    known: dict[str, str] = {}

    def both_known(event: object) -> bool:
        if isinstance(event, JobChanged):
            known[event.job.id] = event.job.state
        return known == {running: "running", waiting: "queued"}

    pump(client, both_known)
    worker = first.worker()
    first.stop(signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{worker}").exists() or is_zombie(worker), 5)
    start(first.port)
    states: dict[str, JobChanged] = {}

    def both_ended(event: object) -> bool:
        if isinstance(event, JobChanged) and event.job.is_final:
            states[event.job.id] = event
        return {running, waiting} <= states.keys()

    pump(client, both_ended, 40)
    assert states[running].job.state == states[waiting].job.state == "succeeded"
    assert states[running].job.attempt == 2 and states[waiting].job.attempt == 1
    client.list_jobs()
    page = pump(client, lambda event: isinstance(event, JobList))
    assert isinstance(page, JobList) and [job.id for job in page.jobs] == [waiting, running]


def is_zombie(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_server_that_is_stopped_keeps_queue_and_history(
    start: Callable[..., Server], connect: Connect, tmp_path: Path
) -> None:
    first = start()
    client = connect(first.string)
    done = client.generate(picture(), QUICK)
    assert ended(client, done).state == "succeeded"
    running = client.generate(picture(), patient(seconds=1.5))
    in_state(client, running, "running")
    first.stop(signal.SIGTERM)
    assert first.process.returncode == 0
    start(first.port)
    job = ended(client, running)
    assert job.state == "succeeded" and job.attempt == 1  # a stop on purpose costs no attempt
    downloaded(client, done, tmp_path / "out")


@linux
@pytest.mark.slow
@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_a_server_killed_during_a_job_finishes_it_after_a_restart(
    start: Callable[..., Server], connect: Connect, tmp_path: Path, share: float
) -> None:
    server = start()
    client = connect(server.string)
    job = client.generate(picture(), patient(seconds=4))

    def reached(event: object) -> bool:
        return isinstance(event, JobChanged) and event.job.fraction >= share * 0.6

    pump(client, reached, 60)
    server.stop(signal.SIGKILL)
    start(server.port)
    assert ended(client, job, 60).state == "succeeded"
    assert (downloaded(client, job, tmp_path / "out") / "manifest.json").is_file()


@linux
def test_no_server_is_left_behind(server: Server) -> None:
    assert children(server.process.pid, "spawn_main") == [server.worker()]
