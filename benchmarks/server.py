"""How fast results travel: the server and its client against HTTPS, and over a long way.

``python benchmarks/server.py`` serves one large result on loopback and fetches it to disk, proved
by SHA-256 and synced, in turn with the same file over FastAPI and uvicorn with TLS (fetched by
``http.client``, hashed and synced as well). The baseline's packages belong to no extra and are
installed for this alone: ``pip install fastapi uvicorn trustme``. Without them only our own figures
come. Wall time and the CPU time of both ends are told, as other programs may share the machine.

Then the same through a proxy of 100 ms there and back (``--delay``), and a file the other way; and
the milliseconds of a ping among 200 connected clients (``--clients``). Rows go to
``benchmarks/results/server.csv``. Linux, as the CPU time of the server is read in /proc.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import hashlib
import http.client
import os
import random
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from inference_server import connection  # noqa: E402
from inference_server.artifacts import Artifacts  # noqa: E402
from inference_server.client import Client  # noqa: E402
from inference_server.events import Downloaded, JobChanged, Refused  # noqa: E402
from inference_server.keys import Keys  # noqa: E402
from inference_server.store import Store  # noqa: E402
from tests.server.proxy import Proxy  # noqa: E402
from tests.server.serving import ping_times  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "server.csv"
JOB = bytes(range(16))
NAME = "splats.ply"
MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class Fetched:
    """One transfer: seconds that passed, and CPU seconds of both ends."""

    wall: float
    client: float
    server: float
    longest: float = 0.0  # CPU seconds in one call of the client


def plant(data: Path, size: int) -> bytes:
    """A server's folder with one finished job of one file; its SHA-256."""
    content = random.Random(0).randbytes(size)
    digest = hashlib.sha256(content).digest()
    owner = next(iter(Keys(data / "keys").clients())).decode()
    store, artifacts = Store(data / "jobs.sqlite3"), Artifacts(data)
    store.add(owner, bytes(32), {"job": JOB, "kind": "generate"})
    store.claim()
    artifacts.result(JOB).mkdir()
    (artifacts.result(JOB) / NAME).write_bytes(content)
    store.succeed(JOB, [{"name": NAME, "size": size, "sha256": digest}])
    store.close()
    return digest


@contextmanager
def started(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process and the first line that it prints; killed at the end."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def cpu_seconds(process: int) -> float:
    """CPU time of a living process, with its threads."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(process: int, fetch: Callable[[], float]) -> Fetched:
    """Run ``fetch`` and say what it cost here and in ``process``."""
    server, client, wall = cpu_seconds(process), time.process_time(), time.perf_counter()
    longest = fetch()
    wall, client = time.perf_counter() - wall, time.process_time() - client
    return Fetched(wall, client, cpu_seconds(process) - server, longest)


def over_zeromq(client: Client, folder: Path, digest: bytes) -> float:
    """Fetch the job; the longest CPU time that one call of ``poll`` took."""
    client.download(JOB.hex(), folder)
    longest, done = 0.0, False
    while not done:
        before = time.thread_time()
        events = client.poll(5, wait=True)
        longest = max(longest, time.thread_time() - before)
        for event in events:
            assert not isinstance(event, Refused), event
        done = any(isinstance(event, Downloaded) for event in events)
    (folder / NAME).unlink()
    return longest


def over_https(port: int, authority: Path, path: Path, digest: bytes) -> float:
    """Fetch the file, prove it, sync it."""
    context = ssl.create_default_context(cafile=str(authority))
    line = http.client.HTTPSConnection("127.0.0.1", port, context=context)
    line.request("GET", "/file")
    answer, total = line.getresponse(), hashlib.sha256()
    with path.open("wb") as file:
        while data := answer.read(256 * 1024):
            total.update(data)
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
    line.close()
    assert total.digest() == digest
    path.unlink()
    return 0.0


def compare(size: int, rounds: int, folder: Path) -> dict[str, list[Fetched]]:
    """Both ways in turn."""
    digest = plant(folder / "data", size)
    ours = [sys.executable, "-m", "inference_server", "--data", str(folder / "data")]
    found: dict[str, list[Fetched]] = {"glimpse3d": []}
    with started(ours) as (server, string), baseline(folder) as https:
        client = Client(string, name="benchmark")
        for _ in range(rounds):
            found["glimpse3d"].append(
                timed(server.pid, lambda: over_zeromq(client, folder / "out", digest))
            )
            if https is not None:
                process, port = https
                fetch = lambda port=port: over_https(  # noqa: E731
                    port, folder / "authority.pem", folder / "https", digest
                )
                found.setdefault("uvicorn+TLS", []).append(timed(process, fetch))
        client.close()
    return found


@contextmanager
def baseline(folder: Path) -> Iterator[tuple[int, int] | None]:
    """Process id and port of the HTTPS server, or None where its packages are missing."""
    try:
        import fastapi  # noqa: F401
        import trustme
        import uvicorn  # noqa: F401
    except ImportError:
        print("no baseline: pip install fastapi uvicorn trustme", file=sys.stderr)
        yield None
        return
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        str(folder / "server.pem")
    )
    file = folder / "data" / "results" / JOB.hex() / NAME
    script = str(ROOT / "benchmarks" / "https_server.py")
    with started([sys.executable, script, str(file), str(folder / "server.pem")]) as (server, port):
        time.sleep(1.0)  # it prints its port before it answers
        yield server.pid, int(port)


def table(found: dict[str, list[Fetched]], size: int) -> list[list[str]]:
    """Medians, one row a way."""
    rows = [["way", "MB/s", "best", "client_cpu", "server_cpu", "longest_ms"]]
    for way, all_of in found.items():
        middle = [statistics.median(getattr(each, f.name) for each in all_of)
                  for f in dataclasses.fields(Fetched)]  # fmt: skip
        best = min(each.wall for each in all_of)
        rows.append([
            way, f"{size / middle[0] / 1e6:.0f}", f"{size / best / 1e6:.0f}", f"{middle[1]:.2f}",
            f"{middle[2]:.2f}", f"{max(each.longest for each in all_of) * 1000:.1f}",
        ])  # fmt: skip
    return rows


def far(milliseconds: float, size: int, folder: Path) -> list[list[str]]:
    """One result down and one file up, through a proxy of that round trip."""
    digest = plant(folder / "data", size)
    ours = [sys.executable, "-m", "inference_server", "--data", str(folder / "data")]
    content = random.Random(1).randbytes(min(size, 48 * MEBIBYTE))
    with started(ours) as (server, string):
        here = connection.read(string)
        with Proxy(here.port, delay=milliseconds / 2000) as proxy:
            client = Client(dataclasses.replace(here, port=proxy.port), name="benchmark")
            down = timed(server.pid, lambda: over_zeromq(client, folder / "out", digest))
            up = timed(server.pid, lambda: over_zeromq_up(client, content))
            client.close()
    ways = {
        f"down, {milliseconds:.0f} ms": (down, size),
        f"up, {milliseconds:.0f} ms": (up, len(content)),
    }
    return [row for way, (one, count) in ways.items() for row in table({way: [one]}, count)[1:]]


def over_zeromq_up(client: Client, content: bytes) -> float:
    """Send a file and have its job accepted; the longest CPU time that one call took."""
    client.submit("generate", {}, {"image": content})
    longest, done = 0.0, False
    while not done:
        before = time.thread_time()
        events = client.poll(5, wait=True)
        longest = max(longest, time.thread_time() - before)
        done = any(isinstance(event, JobChanged) for event in events)
    return longest


def among(count: int, folder: Path) -> list[list[str]]:
    """Milliseconds of a ping among so many clients that are connected."""
    ours = [sys.executable, "-m", "inference_server", "--data", str(folder / "data")]
    with started(ours) as (_, string):
        here, keys = connection.read(string), Keys(folder / "data" / "keys")
        secrets = [keys.invite(f"guest {number}") for number in range(count)]
        clients = [Client(dataclasses.replace(here, client_secret=each)) for each in secrets]
        while any(client.state != "ready" for client in clients):
            for client in clients:
                client.poll(1)
        times = sorted(1000 * each for each in ping_times(here, 505)[5:])
        for client in clients:
            client.close()
    shares = [f"p{share}={times[int(len(times) * share / 100)]:.1f}" for share in (50, 90, 99)]
    return [[f"ping of {count}", *shares]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mebibytes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--delay", type=float, default=100.0, metavar="MILLISECONDS")
    parser.add_argument("--clients", type=int, default=200)
    arguments = parser.parse_args()
    size = arguments.mebibytes * MEBIBYTE
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / each for each in ("near", "far", "many")]
        for each in folders:
            each.mkdir()
        rows = table(compare(size, arguments.rounds, folders[0]), size)
        rows += far(arguments.delay, size, folders[1])
        rows += among(arguments.clients, folders[2])
    for row in rows:
        print("".join(f"{cell:>16}" for cell in row))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with RESULTS.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
