"""A server in a process of its own, and a client that is pumped until something happens."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zmq

from glimpse3d import pictures
from glimpse3d.types import Image
from inference_server import connection
from inference_server.client import Client
from inference_server.events import Downloaded, Event, Job, JobChanged, Refused
from inference_server.exchange import Exchange
from inference_server.link import Link

ROOT = Path(__file__).resolve().parents[2]
BACKENDS = ROOT / "tests" / "server" / "backends"
QUICK: dict[str, Any] = {
    "preset": "draft",
    "matte": "alpha",
    "reconstructor": "patient",
    "gaussians": 64,
    "turntable": {"frames": 2, "resolution": 64},
}


class Server:
    """``python -m inference_server`` with the test backends installed.

    Args:
        data: its folder; give the same one again to restart it.
        port: to come back at the same place.
        options: more of the command line.
    """

    def __init__(self, data: Path, port: int = 0, *options: str) -> None:
        paths = [str(BACKENDS), str(ROOT), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        self.log = data.with_suffix(f".{time.time_ns()}.log")
        command = [sys.executable, "-m", "inference_server", "--data", str(data)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                # Without a drain: tests leave jobs behind that run for minutes.
                [*command, "--port", str(port), "--drain", "0", *options],
                stdout=subprocess.PIPE, stderr=log, env=environment, cwd=ROOT, text=True,
            )  # fmt: skip
        assert self.process.stdout is not None
        self.string = self.process.stdout.readline().strip()
        if not self.string:
            self.stop()
            raise AssertionError(self.log.read_text())

    @property
    def port(self) -> int:
        return int(self.string.partition("/#")[0].rpartition(":")[2])

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def worker(self) -> int:
        """The process id of its worker, once there is one."""
        return eventually(lambda: next(iter(children(self.process.pid, "spawn_main")), 0))


def children(parent: int, word: str) -> list[int]:
    """Linux: processes whose parent is ``parent`` and whose command line has ``word``."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            status = (path / "stat").read_text().rpartition(")")[2].split()
            if int(status[1]) == parent and word in (path / "cmdline").read_text():
                found.append(int(path.name))
        except OSError:
            continue  # it ended meanwhile
    return found


def eventually(question: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The first answer that is true."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if answer := question():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


def pump(client: Client, wanted: Callable[[Event], bool], seconds: float = 30.0) -> Event:
    """Poll until an event is the wanted one."""
    until = time.monotonic() + seconds
    seen: list[Event] = []
    while time.monotonic() < until:
        for event in client.poll(50, wait=True):
            seen.append(event)
            if wanted(event):
                return event
    raise AssertionError(f"not within {seconds} s; seen: {seen[-12:]}, problem: {client.problem}")


def ready(client: Client, seconds: float = 20.0) -> Client:
    until = time.monotonic() + seconds
    while client.state != "ready":
        client.poll(50, wait=True)
        assert time.monotonic() < until, client.problem
    return client


def ended(client: Client, job: str, seconds: float = 60.0) -> Job:
    """The job as it ended; a refusal of it is a failure of the test."""

    def final(event: Event) -> bool:
        assert not (isinstance(event, Refused) and event.job == job), event
        return isinstance(event, JobChanged) and event.job.id == job and event.job.is_final

    event = pump(client, final, seconds)
    assert isinstance(event, JobChanged)
    return event.job


def in_state(client: Client, job: str, state: str, seconds: float = 30.0) -> Job:
    def right(event: Event) -> bool:
        return isinstance(event, JobChanged) and event.job.id == job and event.job.state == state

    event = pump(client, right, seconds)
    assert isinstance(event, JobChanged)
    return event.job


def refusal(client: Client, asked: str = "", seconds: float = 20.0) -> Refused:
    def right(event: Event) -> bool:
        return isinstance(event, Refused) and asked in ("", event.asked)

    event = pump(client, right, seconds)
    assert isinstance(event, Refused)
    return event


def downloaded(client: Client, job: str, folder: Path, seconds: float = 30.0) -> Path:
    client.download(job, folder)

    def right(event: Event) -> bool:
        assert not (isinstance(event, Refused) and event.job == job), event
        return isinstance(event, Downloaded) and event.job == job

    pump(client, right, seconds)
    return folder


def picture(seed: int = 0, side: int = 64) -> bytes:
    """A PNG of a speckled disc on nothing."""
    rng = np.random.default_rng(seed)
    rgba = np.zeros((side, side, 4), np.uint8)
    rgba[..., :3] = rng.integers(60, 220, (side, side, 3))
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    rgba[..., 3] = np.where(np.hypot(x, y) < side * 0.4, 255, 0)
    return pictures.write_png(Image(rgba))


def patient(**options: Any) -> dict[str, Any]:
    """Quick settings with these of the patient backend."""
    return {**QUICK, "options": {"patient": options}}


def ping_times(where: connection.Connection, count: int) -> list[float]:
    """Seconds that each of so many pings takes, one after the other."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    exchange, times = Exchange(Link(where, context)), []
    for _ in range(count):
        answers: list[object] = []
        began = time.perf_counter()
        exchange.ask("ping", {}, answers.append)
        while not answers:
            exchange.step(time.monotonic() + 0.01)
            assert time.perf_counter() - began < 30
        times.append(time.perf_counter() - began)
        time.sleep(0.02)  # the server takes 64 requests a second of a key
    exchange.link.close()
    return times
