"""Workers: how many, where, and what becomes of a job when one of them fails."""

import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glimpse3d import cli
from glimpse3d.formats import manifest
from inference_server.client import Client
from inference_server.devices import gpus, places
from inference_server.events import JobChanged, Status
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
    refusal,
)

Connect = Callable[..., Client]
Start = Callable[..., Server]
linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")


def slow(*values: Any) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow)


def faulty(**options: Any) -> dict[str, Any]:
    return {**QUICK, "reconstructor": "faulty", "options": {"faulty": options}}


def status(client: Client) -> dict[str, Any]:
    client.status()
    event = pump(client, lambda event: isinstance(event, Status))
    assert isinstance(event, Status)
    return dict(event.values)


def environment(process: int) -> dict[str, str]:
    pairs = Path(f"/proc/{process}/environ").read_text().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if pair)


# How many, and where


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver's tool that tells of two cards."""
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho GPU-aaaa\necho GPU-bbbb\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@linux
def test_each_gpu_gets_a_worker_that_sees_no_other(
    two_gpus: None, start: Start, connect: Connect
) -> None:
    server = start()
    client = connect(server.string)
    found = eventually(lambda: len(c := children(server.process.pid, "spawn_main")) == 2 and c)
    seen = sorted(environment(each)["CUDA_VISIBLE_DEVICES"] for each in found)
    assert seen == ["GPU-aaaa", "GPU-bbbb"]
    # Two jobs run at once, the third waits, and they began in the order in which they came.
    jobs = [client.generate(picture(), patient(seconds=4), name=str(i)) for i in range(3)]
    for job in jobs[:2]:
        in_state(client, job, "running")
    assert [each["state"] for each in status(client)["workers"]] == ["busy", "busy"]
    assert [each["name"] for each in status(client)["workers"]] == ["cuda 0", "cuda 1"]
    done: dict[str, JobChanged] = {}

    def all_done(event: object) -> bool:
        if isinstance(event, JobChanged) and event.job.is_final:
            done[event.job.id] = event
        return set(jobs) <= done.keys()

    pump(client, all_done, 90)
    began = [done[job].job.started or 0.0 for job in jobs]
    ends = [done[job].job.finished or 0.0 for job in jobs]
    assert began == sorted(began) and began[1] < ends[0] and began[2] >= min(ends)
    assert {each.job.state for each in done.values()} == {"succeeded"}


def test_places_follow_what_the_driver_and_the_user_say(
    two_gpus: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.platform == "win32":
        pytest.skip("a shell script is no program there")
    assert gpus() == ["GPU-aaaa", "GPU-bbbb"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,1,-1,2")  # CUDA stops at the first it knows not
    assert gpus() == ["3", "1"]
    for nothing in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", nothing)
        assert gpus() == []
    assert [dict(each.environment) for each in places(3, ["3", "1"])] == [
        {"CUDA_VISIBLE_DEVICES": "3"}, {"CUDA_VISIBLE_DEVICES": "1"}, {"CUDA_VISIBLE_DEVICES": "3"},
    ]  # fmt: skip
    assert [each.share for each in places(3, ["3", "1"])] == [0.5] * 3
    assert len(places(0, [])) == 1 and len(places(4, [])) == 4
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    alone, shared = places(1, [])[0], places(2, [])[0]
    assert not alone.environment
    assert shared.environment["OMP_NUM_THREADS"] == str(max(1, (os.cpu_count() or 1) // 2))


@linux
def test_no_worker_of_several_outlives_a_killed_server(start: Start) -> None:
    server = start(0, "--workers", "2")
    found = eventually(lambda: len(c := children(server.process.pid, "spawn_main")) == 2 and c)
    server.stop(signal.SIGKILL)
    eventually(lambda: not any(alive(each) for each in found), 10)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# Cancelling


@linux
def test_a_cancel_is_heard_at_once_and_frees_the_worker_even_if_it_hangs(
    server: Server, connect: Connect, tmp_path: Path
) -> None:
    client = connect(server.string)
    hanging = client.generate(picture(), patient(stubborn=600, marks=str(tmp_path)))
    in_state(client, hanging, "running")
    waiting = client.generate(picture(), QUICK)
    eventually(lambda: list(tmp_path.iterdir()))
    time.sleep(1.0)  # it hangs by now
    began, answers, hangs = time.monotonic(), [], server.worker()
    for _ in range(5):
        asked = time.monotonic()
        client.cancel(hanging)
        pump(client, lambda e: isinstance(e, JobChanged) and e.job.id == hanging)
        answers.append(time.monotonic() - asked)
    assert min(answers) < 0.1  # the others were this machine's, not the server's
    # Another process warms up while that one has its last two seconds, and takes its place.
    both = eventually(lambda: len(c := children(server.process.pid, "spawn_main")) == 2 and c)
    assert ended(client, hanging).state == "cancelled"
    in_state(client, waiting, "running")
    assert 2.0 <= time.monotonic() - began < 3.0 * 5
    assert server.worker() in both and server.worker() != hangs
    assert ended(client, waiting).state == "succeeded"


@linux
def test_a_cancel_that_is_heeded_late_keeps_its_process(
    server: Server, connect: Connect, tmp_path: Path
) -> None:
    client = connect(server.string)
    late = client.generate(picture(), patient(stubborn=0.5, marks=str(tmp_path)))
    in_state(client, late, "running")
    eventually(lambda: list(tmp_path.iterdir()))
    worker = server.worker()
    client.cancel(late)
    assert ended(client, late).state == "cancelled"
    eventually(lambda: children(server.process.pid, "spawn_main") == [server.worker()])
    assert server.worker() == worker  # it had four times the time that it needed
    assert ended(client, client.generate(picture(), QUICK)).attempt == 1


# Silence


@pytest.mark.slow
def test_a_job_that_says_nothing_is_ended_tried_again_and_given_up(
    start: Start, connect: Connect, tmp_path: Path
) -> None:
    server = start(0, "--stall", "4")
    client = connect(server.string)
    job = client.generate(picture(), patient(stubborn=600, marks=str(tmp_path / "marks")))
    (tmp_path / "marks").mkdir()
    found = ended(client, job, 120)
    assert found.state == "failed" and found.problem is not None and found.attempt == 3
    assert found.problem.code == "stalled" and "4 seconds" in found.problem.message
    assert len(list((tmp_path / "marks").iterdir())) == 3


# Memory


def test_memory_that_runs_out_once_is_asked_for_less(
    server: Server, connect: Connect, tmp_path: Path
) -> None:
    client = connect(server.string)
    job = ended(client, client.generate(picture(), faulty(memory_limit=8.0, fits=4.0)))
    assert job.state == "succeeded" and job.attempt == 1
    assert "memory ran out" in job.warning and "faulty.memory_limit=4 GB" in job.warning
    folder = downloaded(client, job.id, tmp_path / "out")
    about = manifest.read(folder / manifest.NAME)
    assert about.settings["options"]["faulty"]["memory_limit"] == 4.0
    assert about.choices["memory"].ran == "with faulty.memory_limit=4 GB"
    well = ended(client, client.generate(picture(), faulty(memory_limit=3.0, fits=4.0)))
    assert well.warning == ""


def test_memory_that_runs_out_twice_is_an_error_with_numbers(
    server: Server, connect: Connect
) -> None:
    client = connect(server.string)
    job = ended(client, client.generate(picture(), faulty(memory_limit=90.0, fits=1.0)))
    assert job.state == "failed" and job.problem is not None and job.attempt == 1
    assert job.problem.code == "out_of_memory"
    assert "faulty.memory_limit=45 GB" in job.problem.message
    assert re.search(r"the worker holds \d+\.\d GB", job.problem.message)
    after = ended(client, client.generate(picture(), QUICK))
    assert after.state == "succeeded" and after.attempt == 1


@linux
@pytest.mark.slow
def test_a_limit_turns_too_large_a_job_into_an_error_of_its_own(
    start: Start, connect: Connect
) -> None:
    server = start(0, "--worker-memory", "3")
    client = connect(server.string)
    job = ended(client, client.generate(picture(), faulty(takes=6.0)), 90)
    assert job.state == "failed" and job.problem is not None and job.attempt == 1
    assert job.problem.code == "out_of_memory" and "of the 3.2 GB" in job.problem.message
    worker = server.worker()
    assert ended(client, client.generate(picture(), faulty(takes=0.2))).state == "succeeded"
    assert server.worker() == worker  # no process had to die for that


# Graphics cards, and what lies below Python


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cuda": "CUDA error: an illegal memory access was encountered\nblah"}, "illegal memory"),
        slow({"noise": "other"}, "job that it does not have"),
        slow({"cuda": "CUDA error: device-side assert triggered"}, "device-side assert"),
        slow({"cuda": "cuBLAS: CUBLAS_STATUS_EXECUTION_FAILED when calling x"}, "CUBLAS_STATUS"),
        slow({"segfault": True}, "signal 11"),
        slow({"noise": "garbage"}, "not msgpack"),
        slow({"noise": "flood"}, "too much"),
        slow({"noise": "paths"}, "wrong job"),
    ],
)
def test_a_process_that_cannot_go_on_is_replaced_and_the_job_tried_again(
    server: Server, connect: Connect, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    client = connect(server.string)
    options = {**options, "marks": str(tmp_path), "times": 1}
    before = server.log.stat().st_size
    job = ended(client, client.generate(picture(), faulty(**options)))
    assert job.state == "succeeded" and job.attempt == 2
    assert len(list(tmp_path.iterdir())) == 2
    with server.log.open() as log:
        log.seek(before)
        assert words in log.read()


@pytest.mark.slow
def test_a_card_that_fails_every_time_is_named(
    server: Server, connect: Connect, tmp_path: Path
) -> None:
    client = connect(server.string)
    words = "CUDA error: unspecified launch failure"
    job = ended(client, client.generate(picture(), faulty(cuda=words, marks=str(tmp_path))), 90)
    assert job.state == "failed" and job.problem is not None and job.attempt == 3
    assert job.problem.code == "worker_lost" and "unspecified launch" in job.problem.message


def test_other_words_of_cuda_are_an_error_and_no_reason_to_try_again(
    server: Server, connect: Connect, tmp_path: Path
) -> None:
    client = connect(server.string)
    words = "CUDA error: no kernel image is available for execution on the device"
    job = ended(client, client.generate(picture(), faulty(cuda=words, marks=str(tmp_path))))
    assert job.state == "failed" and job.problem is not None and job.attempt == 1
    assert job.problem.code == "internal" and "no kernel image" in job.problem.message


# Stopping


def test_sigterm_lets_a_job_end_and_takes_no_other(start: Start, connect: Connect) -> None:
    server = start(0, "--drain", "600")
    client = connect(server.string)
    running = client.generate(picture(), patient(seconds=3))
    in_state(client, running, "running")
    waiting = client.generate(picture(), QUICK)
    in_state(client, waiting, "queued")
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    client.generate(picture(), QUICK)
    refused = refusal(client, "submit").problem
    assert refused.code == "busy" and "stopped" in refused.message and refused.retry_after > 0
    assert server.process.wait(200) == 0
    stopped = time.time()
    start(server.port)
    found: dict[str, JobChanged] = {}

    def both(event: object) -> bool:
        if isinstance(event, JobChanged) and event.job.is_final:
            found[event.job.id] = event
        return {running, waiting} <= found.keys()

    pump(client, both, 120)
    first, second = found[running].job, found[waiting].job
    assert first.state == second.state == "succeeded"
    assert first.attempt == second.attempt == 1
    assert first.finished and second.started and first.finished < stopped < second.started


@pytest.mark.slow
def test_a_drain_has_an_end_and_hands_the_job_back(start: Start, connect: Connect) -> None:
    server = start(0, "--drain", "1")
    client = connect(server.string)
    running = client.generate(picture(), patient(seconds=4))
    in_state(client, running, "running")
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 0
    assert 0.9 < time.monotonic() - began < 15
    start(server.port)
    job = ended(client, running)
    assert job.state == "succeeded" and job.attempt == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, slow(signal.SIGINT)])
def test_who_asks_twice_or_by_ctrl_c_does_not_wait(
    start: Start, connect: Connect, number: signal.Signals
) -> None:
    server = start(0, "--drain", "600")
    client = connect(server.string)
    running = client.generate(picture(), patient(seconds=300))
    in_state(client, running, "running")
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert server.process.poll() is None
    server.process.send_signal(number)
    assert server.process.wait(15) == 0


# What does not fit together


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--workers", "0"], "not a number of workers"),
        (["--drain", "-1"], "not a number of seconds"),
        (["--worker-memory", "0"], "not a number of GiB"),
        (["--address", "somewhere:6379"], "add --executor ray"),
    ],
)
def test_wrong_options_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    data = tmp_path / "data"
    with contextlib.suppress(SystemExit):  # argparse ends by itself
        assert cli.main(["serve", "--data", str(data), *options]) == 2
    said = capsys.readouterr()
    assert words in said.err and said.out == "" and not data.exists()
