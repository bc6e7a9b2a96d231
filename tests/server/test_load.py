"""Many clients at once, and for long: no error, no growth, and small requests stay quick."""

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from zmq.utils import z85

from inference_server import connection
from inference_server.client import Client
from inference_server.events import Downloaded, Event, JobChanged, JobDeleted, JobList, Refused
from inference_server.keys import Keys
from tests.server.serving import QUICK, Server, eventually, picture, ping_times, ready

Start = Callable[..., Server]
linux = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="memory is read in /proc")


class User:
    """Makes one object after the other: submits, downloads, deletes, looks at the list."""

    def __init__(self, where: connection.Connection, folder: Path, seed: int) -> None:
        self.client = Client(where, name=folder.name)
        self.finished = 0
        self._folder = folder
        self._picture = picture(seed)
        self._begun = False

    def step(self) -> None:
        if not self._begun and self.client.state == "ready":
            self._begun = True
            self.client.generate(self._picture, QUICK)
        for event in self.client.poll(2):
            self._hear(event)

    def _hear(self, event: Event) -> None:
        assert not isinstance(event, Refused), event
        if isinstance(event, JobChanged) and event.job.is_final:
            assert event.job.state == "succeeded", event
            self.client.download(event.job.id, self._folder)
        elif isinstance(event, Downloaded):
            assert sorted(event.files) == sorted(path.name for path in self._folder.iterdir())
            shutil.rmtree(self._folder)
            self.client.delete(event.job)
        elif isinstance(event, JobDeleted):
            self.finished += 1
            self.client.list_jobs()
        elif isinstance(event, JobList):
            assert event.jobs == ()  # the others' jobs are not ours to see
            self.client.generate(self._picture, QUICK)


def crowd(server: Server, folder: Path, count: int) -> list[User]:
    """So many users, each with an invitation."""
    keys, here = Keys(folder / "data" / "keys"), connection.read(server.string)
    secrets = [keys.invite(f"user {number}") for number in range(count)]
    return [
        User(replace(here, client_secret=secret), folder / f"user-{number}", number)
        for number, secret in enumerate(secrets)
    ]


def resident(process: int) -> int:
    """Bytes of memory that a process holds."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def descriptors(process: int) -> int:
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def slope(samples: list[tuple[float, int, int]]) -> float:
    """Bytes a minute, by the least squares through (seconds, bytes)."""
    times, sizes, _ = np.array(samples, float).T
    return float(np.polyfit(times / 60, sizes, 1)[0])


def live(server: Server, users: list[User], seconds: float) -> list[tuple[float, int, int]]:
    """Let them work; (seconds, the server's bytes of memory, its descriptors) every two seconds."""
    began, samples = time.monotonic(), []
    while (now := time.monotonic() - began) < seconds:
        for user in users:
            user.step()
        if not samples or now - samples[-1][0] >= 2:
            process = server.process.pid
            samples.append((now, resident(process), descriptors(process)))
        time.sleep(0.005)
    for user in users:
        user.client.close()
    return samples


@linux
@pytest.mark.slow
def test_twenty_clients_work_without_an_error(start: Start, tmp_path: Path) -> None:
    server = start()
    users = crowd(server, tmp_path, 20)
    before = descriptors(server.process.pid)

    def some_are_done() -> bool:  # a worker's first job takes its time
        for user in users:
            user.step()
        return sum(user.finished for user in users) >= 5

    eventually(some_are_done, 240)
    live(server, users, 15)
    eventually(lambda: descriptors(server.process.pid) <= before + 2, 10)


@linux
@pytest.mark.soak
def test_twenty_clients_for_ten_minutes_leave_nothing_behind(start: Start, tmp_path: Path) -> None:
    server = start()
    users = crowd(server, tmp_path, 20)
    samples = live(server, users, 600)
    assert min(user.finished for user in users) >= 1
    settled = [each for each in samples if each[0] > 120]
    grown, files = slope(settled), [each[2] for each in settled]
    numbers = f"{grown / 1e6:.2f} MB/min, {min(files)} to {max(files)} descriptors"
    assert grown < 1e6, numbers
    half = len(files) // 2  # they come and go with transfers; what stays would add up
    assert abs(np.median(files[half:]) - np.median(files[:half])) <= 4, numbers


@linux
@pytest.mark.slow
def test_a_ping_is_quick_among_two_hundred_clients(start: Start, tmp_path: Path) -> None:
    server = start()
    here = connection.read(server.string)
    keys = Keys(tmp_path / "data" / "keys")
    secrets = [keys.invite(f"guest {number}") for number in range(200)]
    assert len({z85.encode(secret) for secret in secrets}) == 200
    clients = [Client(replace(here, client_secret=secret)) for secret in secrets]
    for client in clients:
        ready(client, 60)
    times = ping_times(here, 300)
    assert all(client.poll(1) is not None and client.state == "ready" for client in clients)
    for client in clients:
        client.close()
    # 50 ms on an idle machine; tests run on busy ones.
    assert float(np.percentile(times[5:], 99)) < 0.25
