"""kill -9 of the server at random moments, and what is on the disk when it answers."""

import hashlib
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from inference_server.client import Client, new_job_id
from inference_server.events import Event, JobChanged, Refused
from inference_server.store import MAX_ATTEMPTS, Row, Store
from tests.server.serving import QUICK, ROOT, Server, ended, eventually, patient, picture, ready

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it preloads a library")

Start = Callable[..., Server]
FINAL = ("succeeded", "failed", "cancelled")


class Witness:
    """What a client was told of each job, through all of the server's lives."""

    def __init__(self) -> None:
        self.accepted: set[str] = set()
        self.ends: dict[str, tuple[object, ...]] = {}

    def hear(self, events: list[Event]) -> None:
        for event in events:
            assert not isinstance(event, Refused), event
            if isinstance(event, JobChanged):
                job = event.job
                self.accepted.add(job.id)
                end = (job.state, job.attempt, job.finished) if job.is_final else ()
                assert self.ends.setdefault(job.id, end) in ((), end), "a job that ended went on"
                self.ends[job.id] = end

    @property
    def waiting(self) -> set[str]:
        return {job for job in self.accepted if not self.ends[job]}


def rows_of(data: Path, scratch: Path) -> list[Row]:
    """The jobs in a copy of the database, as the next server would find them."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for path in data.glob("jobs.sqlite3*"):
        shutil.copy(path, scratch / path.name)
    store = Store(scratch / "jobs.sqlite3")
    ids = [row.id for row in (*store.finished(), *store.running())]
    rows = [row for row in map(store.get, ids) if row]
    store.close()
    return rows


def check_results(data: Path, rows: list[Row]) -> None:
    """No row without its files, and every file is whole."""
    for row in rows:
        if row.state == "succeeded":
            folder = data / "results" / row.id.hex()
            assert {path.name for path in folder.iterdir()} == {each["name"] for each in row.files}
            for each in row.files:
                content = (folder / each["name"]).read_bytes()
                assert len(content) == each["size"]
                assert hashlib.sha256(content).digest() == each["sha256"]


def survive(start: Start, folder: Path, rounds: int, seed: int) -> Counter[str]:
    """Submit and kill so many times, then let the server finish; how the jobs ended."""
    chance, data, witness = random.Random(seed), folder / "data", Witness()
    server = start()
    client = ready(Client(server.string, name="test"), 60)
    pictures = [picture(each) for each in range(3)]
    for _ in range(rounds):
        until = time.monotonic() + chance.uniform(0.0, 1.5)
        for _ in range(chance.randint(1, 4)):
            settings = patient(seconds=chance.choice((0.0, 0.0, 0.3)))
            client.generate(chance.choice(pictures), settings, job=new_job_id())
        while time.monotonic() < until:
            witness.hear(client.poll(10, wait=True))
        server.stop(signal.SIGKILL)
        check_results(data, rows_of(data, folder / "scratch"))
        server = start(server.port)
    deadline = time.monotonic() + 60 + 10 * rounds
    while witness.waiting or client._orders:
        witness.hear(client.poll(50, wait=True))
        assert time.monotonic() < deadline, witness.waiting
    client.close()
    server.stop()
    rows = rows_of(data, folder / "scratch")
    found = {row.id.hex(): (row.state, row.attempt) for row in rows}
    assert found == {job: end[:2] for job, end in witness.ends.items()}
    assert all(0 <= row.attempt <= MAX_ATTEMPTS and row.state in FINAL for row in rows)
    check_results(data, rows)
    whole = {row.id.hex() for row in rows if row.state == "succeeded"}
    assert {path.name for path in (data / "results").iterdir()} == whole
    return Counter(row.state for row in rows)


@pytest.mark.slow
def test_every_accepted_job_ends_once_though_the_server_is_killed(
    start: Start, tmp_path: Path
) -> None:
    ends = survive(start, tmp_path, rounds=6, seed=1)
    assert ends["succeeded"] >= 6


@pytest.mark.soak
def test_every_accepted_job_ends_once_though_the_server_is_killed_fifty_times(
    start: Start, tmp_path: Path
) -> None:
    ends = survive(start, tmp_path, rounds=50, seed=2)
    assert ends["succeeded"] >= 50


FETCH = """
import sys
from inference_server.client import Client
from inference_server.events import Downloaded
client = Client(sys.argv[1])
client.download(*sys.argv[2:])
while not any(isinstance(event, Downloaded) for event in client.poll(50, wait=True)):
    pass
client.close()
"""
COUNTER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Writes the path of every file that is synced into a log, then syncs it. */
static void note(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, sizeof path - 1);
    int log = open(getenv("SYNC_LOG"), O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (size > 0 && log >= 0) {
        path[size] = '\n';
        if (write(log, path, size + 1) < 0) abort();
    }
    if (log >= 0) close(log);
}

int fsync(int file) {
    note(file);
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(file);
}

int fdatasync(int file) {
    note(file);
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(file);
}
"""


@pytest.fixture
def sync_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The paths of what servers that start from now on have synced, in order."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a C compiler (cc) makes the library that counts")
    source, library = tmp_path / "counter.c", tmp_path / "counter.so"
    source.write_text(COUNTER)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True
    )
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("SYNC_LOG", str(tmp_path / "synced"))
    return tmp_path / "synced"


@pytest.mark.slow
def test_nothing_is_said_before_it_is_on_the_disk(
    start: Start, tmp_path: Path, sync_log: Path
) -> None:
    data, image = tmp_path / "data", picture(7)
    client = ready(Client(start().string, name="test"), 60)

    def synced() -> Counter[str]:
        lines = sync_log.read_text().splitlines() if sync_log.exists() else []
        return Counter(line.removesuffix(" (deleted)") for line in lines)

    def accepted(job: str) -> bool:
        found = client.poll(10, wait=True)
        return any(isinstance(each, JobChanged) and each.job.id == job for each in found)

    log = str(data / "jobs.sqlite3-wal")
    for _ in range(5):
        before = synced()[log]
        job = client.generate(image, QUICK, job=new_job_id())
        eventually(lambda job=job: accepted(job), 60)
        assert synced()[log] > before  # the COMMIT is on the disk when it is told
    upload = next((data / "uploads").glob("*/*"))
    assert synced()[str(upload.with_suffix(".part"))] >= 1 and synced()[str(upload.parent)] >= 1
    done = ended(client, job, 120)
    client.close()
    names = {Path(path).name for path in synced() if job in path}
    assert {each["name"] for each in done.files} <= names
    assert synced()[str(data / "results")] >= 1  # and so is the name of the result's folder


@pytest.mark.slow
def test_a_result_is_whole_on_the_disk_before_its_manifest_has_its_name(
    start: Start, tmp_path: Path, sync_log: Path
) -> None:
    server, out = start(), tmp_path / "out"
    client = ready(Client(server.string, name="test"), 60)
    done = ended(client, client.generate(picture(8), QUICK), 120)
    client.close()
    subprocess.run(
        [sys.executable, "-c", FETCH, server.string, done.id, str(out)],
        check=True, timeout=120, cwd=ROOT,
    )  # fmt: skip
    synced = [line for line in sync_log.read_text().splitlines() if line.startswith(str(out))]
    manifest = synced.index(str(out / "manifest.json"))
    before, after = synced[:manifest], synced[manifest + 1 :]
    names = {each["name"] for each in done.files} - {"manifest.json"}
    assert {Path(path).name for path in before} == {*names, out.name}
    assert before[-1] == str(out) and after == [str(out)]  # the names, each time at last
