"""A Ray cluster of real processes: what becomes of jobs when a node or the head is lost."""

import importlib.util
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glimpse3d.errors import Glimpse3DError
from inference_server.client import Client
from inference_server.events import JobChanged
from inference_server.executors import ray as ray_executor
from inference_server.executors.interface import WorkerOptions
from tests.server.serving import (
    BACKENDS,
    QUICK,
    ROOT,
    Server,
    downloaded,
    ended,
    eventually,
    in_state,
    patient,
    picture,
    pump,
)

Connect = Callable[..., Client]
Start = Callable[..., Server]
needs_ray = pytest.mark.skipif(  # CI installs it: there its absence is a failure
    importlib.util.find_spec("ray") is None and os.environ.get("CI") != "true",
    reason='Ray is not installed: pip install -e ".[ray]"',
)


class Cluster:
    """A head and nodes, as processes of another process; see ``ray_cluster``."""

    def __init__(self, log: Path) -> None:
        self.address = ""
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("ray_cluster.py"))], text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, cwd=ROOT,
                start_new_session=True,
            )  # fmt: skip

    def tell(self, *words: str) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        for word in words:
            self._process.stdin.write(f"{word}\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline().strip()
            while not answer.rpartition(":")[2].isdigit():  # Ray prints, too
                assert self._process.poll() is None, f"{word}: the cluster ended"
                answer = self._process.stdout.readline().strip()
            self.address = answer

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(60)
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.stdout.close()


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A head and one node, whose workers know the test's backends."""
    paths = [str(BACKENDS), str(ROOT), os.environ.get("PYTHONPATH", "")]
    for name, value in {
        "PYTHONPATH": os.pathsep.join(paths),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_enable_metrics_collection": "0",
        "RAY_raylet_start_wait_time_s": "180",  # busy machines
        "RAY_health_check_initial_delay_ms": "1000",
        "RAY_health_check_period_ms": "1000",
        "RAY_health_check_failure_threshold": "5",
        "RAY_gcs_rpc_server_reconnect_timeout_s": "10",
    }.items():
        monkeypatch.setenv(name, value)
    running = Cluster(tmp_path / "cluster.log")
    try:
        running.tell("head", "add")
        yield running
    finally:
        running.close()


@needs_ray
@pytest.mark.slow
def test_a_lost_node_costs_an_attempt_and_a_lost_head_none(
    cluster: Cluster, start: Start, connect: Connect, tmp_path: Path
) -> None:
    server = start(0, "--executor", "ray", "--address", cluster.address)
    client = connect(server.string)
    marks = tmp_path / "marks"
    marks.mkdir()
    job = client.generate(picture(), patient(seconds=12, marks=str(marks)))
    in_state(client, job, "running", 120)
    eventually(lambda: len(list(marks.iterdir())) == 1, 60)
    cluster.tell("add", "kill")  # the node that computes is gone, and there is another
    ends: list[JobChanged] = []
    pump(client, lambda event: is_end(event, job, ends), 180)
    assert ends[0].job.state == "succeeded" and ends[0].job.attempt == 2
    assert len(list(marks.iterdir())) == 2
    folder = downloaded(client, job, tmp_path / "out")  # hashes are checked on the way
    assert {"mesh.glb", "splats.ply", "manifest.json"} <= {each.name for each in folder.iterdir()}

    # A cancel reaches it there, too, and frees the place.
    hanging = client.generate(picture(), patient(stubborn=600))
    in_state(client, hanging, "running", 60)
    client.cancel(hanging)
    assert ended(client, hanging, 60).state == "cancelled"

    running = client.generate(picture(), patient(seconds=30), name="runs")
    waiting = client.generate(picture(), QUICK, name="waits")
    in_state(client, running, "running", 120)
    cluster.tell("lose")
    told = in_state(client, running, "queued", 120)
    assert told.attempt == 0 and cluster.address in told.note
    cluster.tell("head", "add")
    pump(client, lambda event: is_end(event, waiting, ends), 180)  # oldest first: the last to end
    last = {each.job.id: each.job for each in ends}
    assert last[running].state == last[waiting].state == "succeeded"
    assert last[running].attempt == last[waiting].attempt == 1
    assert sorted(each.job.id for each in ends) == sorted({*last})  # each ended once


def is_end(event: object, job: str, ends: list[JobChanged]) -> bool:
    if isinstance(event, JobChanged) and event.job.is_final:
        ends.append(event)
        return event.job.id == job
    return False


def test_what_lacks_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = WorkerOptions()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Glimpse3DError, match="Ray is not installed"):
        ray_executor.RayExecutor("127.0.0.1:6379", 0, options)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    with pytest.raises(Glimpse3DError, match="has an address"):
        ray_executor.RayExecutor("", 0, options)
    for name in (ray_executor.AUTH_MODE, ray_executor.TOKEN):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(ray_executor.TOKEN_PATH, str(tmp_path / "token"))
    with pytest.raises(Glimpse3DError, match="no token") as refused:
        ray_executor.RayExecutor("127.0.0.1:6379", 0, options)
    assert "get-auth-token" in refused.value.hint


@needs_ray
@pytest.mark.slow
def test_who_has_another_token_computes_nothing_there(
    cluster: Cluster, start: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = os.environ["RAY_AUTH_TOKEN"]
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    stranger = start(0, "--executor", "ray", "--address", cluster.address)
    client = connect(stranger.string)
    job = client.generate(picture(), QUICK)

    def refused(event: object) -> bool:
        mine = isinstance(event, JobChanged) and event.job.id == job
        assert not mine or event.job.state == "queued"
        return mine and "is its head up, and the token the same" in event.job.note

    pump(client, refused, 180)
    stranger.stop()
    monkeypatch.setenv("RAY_AUTH_TOKEN", token)
    start(stranger.port, "--executor", "ray", "--address", cluster.address)
    done = ended(client, job, 180)
    assert done.state == "succeeded" and done.attempt == 1
