"""Weights on a server: said beforehand, fetched on request by the hub's library, gone on with."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest

from glimpse3d import cli, models, plugins
from inference_server.client import Client
from inference_server.events import JobChanged, Welcomed
from tests import tiny_model
from tests.hub_server import Hub, serving
from tests.server.serving import (
    BACKENDS,
    QUICK,
    Server,
    children,
    ended,
    eventually,
    in_state,
    patient,
    picture,
    pump,
    refusal,
)

pytest.importorskip("huggingface_hub")
TINY = {**QUICK, "reconstructor": "tiny"}
Connect = Callable[..., Client]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with the tiny model, an empty cache, and an environment that names both."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with serving() as hub:
        hub.files = tiny_model.served()
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        yield hub


def wanted(client: Client) -> dict[str, Any]:
    """What the server says of the tiny model, asked anew."""
    client.greet()
    pump(client, lambda event: isinstance(event, Welcomed))
    assert client.welcome is not None
    rows: list[dict[str, Any]] = client.welcome.catalogue["weights"]
    return next(row for row in rows if row["backend"] == "tiny")


def begun(tmp_path: Path) -> int:
    """Bytes of the unfinished transfer."""
    found = (tmp_path / "hf").rglob("*.incomplete")
    return sum(path.stat().st_size for path in found)


def test_said_refused_fetched_and_then_it_is_done(
    hub: Hub, start: Callable[..., Server], connect: Connect
) -> None:
    server = start()
    client = connect(server.string)
    about = wanted(client)
    assert about == {
        "stage": "reconstructor", "backend": "tiny", "model": "tiny", "title": "Tiny TripoSR",
        "licence": "MIT", "source": f"{hub.url}/{tiny_model.REPO}", "bytes": tiny_model.SIZE,
        "left": tiny_model.SIZE, "lacks": "",
    }  # fmt: skip
    assert client.welcome is not None
    row = next(row for row in client.welcome.catalogue["weights"] if row["backend"] == "triposr")
    assert row["bytes"] == 1_677_247_729 and row["source"] == f"{hub.url}/stabilityai/TripoSR"

    # Refused at once, although another job runs and this one would have to wait.
    other = client.generate(picture(), patient(seconds=60))
    in_state(client, other, "running")
    client.generate(picture(), TINY)
    problem = refusal(client, "submit", 5).problem
    assert problem.code == "weights_missing" and "MIT" in problem.message
    client.cancel(other)
    assert hub.requests == []  # never by itself

    hub.pause = 0.1
    told: list[JobChanged] = []
    job = client.fetch_weights("reconstructor", "tiny")
    pump(client, lambda event: follows(event, job, told))
    assert told[-1].job.state == "succeeded" and told[-1].job.files == ()
    moving = [each.job for each in told if each.job.note.endswith(" MB of 4 MB")]
    assert moving and moving[-1].stage == "fetch model.ckpt" and 0.2 < moving[-1].fraction < 1
    assert wanted(client)["left"] == 0
    assert ended(client, client.generate(picture(), TINY)).state == "succeeded"

    asked = len(hub.requests)
    again = client.fetch_weights("reconstructor", "tiny")
    assert ended(client, again).state == "succeeded" and len(hub.requests) == asked


def follows(event: object, job: str, told: list[JobChanged]) -> bool:
    if isinstance(event, JobChanged) and event.job.id == job:
        told.append(event)
        return event.job.is_final
    return False


def test_the_server_itself_stays_without_torch(
    hub: Hub, start: Callable[..., Server], connect: Connect
) -> None:
    server = start()
    client = connect(server.string)
    assert ended(client, client.fetch_weights("reconstructor", "tiny")).state == "succeeded"
    mapped = Path(f"/proc/{server.process.pid}/maps")
    if not mapped.exists():
        pytest.skip("this system does not tell what a process has loaded")
    assert "libtorch" not in mapped.read_text() and "onnxruntime" not in mapped.read_text()


def test_a_cancelled_fetch_goes_on_where_it_was(
    hub: Hub, start: Callable[..., Server], connect: Connect, tmp_path: Path
) -> None:
    hub.cuts, hub.cut_after, hub.stall = 9, 1_500_000, threading.Event()
    client = connect(start().string)
    job = client.fetch_weights("reconstructor", "tiny")
    in_state(client, job, "running")
    eventually(lambda: begun(tmp_path) >= 1_000_000)
    client.cancel(job)
    assert ended(client, job).state == "cancelled"
    kept = begun(tmp_path)
    assert 1_000_000 <= kept < tiny_model.SIZE
    whole = (tiny_model.FOLDER / "model.ckpt").stat().st_size
    assert wanted(client)["left"] == whole - kept
    hub.cuts = 0
    assert ended(client, client.fetch_weights("reconstructor", "tiny")).state == "succeeded"
    assert hub.transfers()[0].start == 0 and hub.transfers()[-1].start == kept
    assert wanted(client)["left"] == 0


def test_a_fetch_keeps_nobody_from_generating(
    hub: Hub, start: Callable[..., Server], connect: Connect, tmp_path: Path
) -> None:
    hub.cuts, hub.cut_after, hub.stall = 9, 1_500_000, threading.Event()
    client = connect(start().string)
    fetch = client.fetch_weights("reconstructor", "tiny")
    eventually(lambda: client.poll(5) is not None and begun(tmp_path) >= 1_000_000)
    made = ended(client, client.generate(picture(), QUICK))
    client.cancel(fetch)
    fetched = ended(client, fetch)
    assert made.state == "succeeded" and fetched.state == "cancelled"
    assert made.started and made.finished and fetched.started and fetched.finished
    assert fetched.started < made.started < made.finished < fetched.finished


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds the worker by /proc")
def test_a_fetch_outlives_its_process(
    hub: Hub, start: Callable[..., Server], connect: Connect, tmp_path: Path
) -> None:
    hub.cuts, hub.cut_after, hub.stall = 9, 1_500_000, threading.Event()
    server = start()
    client = connect(server.string)
    job = client.fetch_weights("reconstructor", "tiny")
    in_state(client, job, "running")
    eventually(lambda: begun(tmp_path) >= 1_000_000)
    hub.cuts = 0
    for worker in children(server.process.pid, "spawn_main"):
        os.kill(worker, signal.SIGKILL)
    found = ended(client, job)
    assert (found.state, found.attempt) == ("succeeded", 2)
    assert hub.transfers()[-1].start >= 1_000_000


def test_refusals_say_what_to_do(
    hub: Hub, start: Callable[..., Server], connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    client = connect(start().string)
    for stage, backend, code in (
        ("reconstructor", "tiny", "weights_missing"),  # forbidden by the environment
        ("reconstructor", "inflate", "invalid_data"),
        ("reconstructor", "nobody", "unknown_backend"),
        ("nothing", "tiny", "unknown_backend"),
    ):
        client.fetch_weights(stage, backend)
        problem = refusal(client, "submit").problem
        assert problem.code == code and problem.hint, (stage, backend)
    client.submit("fetch_weights", {"stage": "reconstructor"})
    assert refusal(client, "submit").problem.code == "bad_message"
    client.submit("fetch_weights", {"stage": "reconstructor", "backend": "tiny", "settings": {}})
    assert refusal(client, "submit").problem.code == "bad_message"
    assert hub.requests == []


def test_no_line_to_the_hub_is_a_failed_job_that_can_be_asked_for_again(
    hub: Hub, start: Callable[..., Server], connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    client = connect(start().string)
    found = ended(client, client.fetch_weights("reconstructor", "tiny"))
    assert found.state == "failed" and found.problem is not None
    assert found.problem.code == "weights_missing" and "127.0.0.1:9" in found.problem.message


@pytest.fixture
def tiny_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command line knows the backends of the tests, too."""
    monkeypatch.syspath_prepend(str(BACKENDS))
    plugins._foreign.cache_clear()
    yield
    plugins._foreign.cache_clear()
    models.KNOWN.pop("tiny", None)


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[TextIO]:
    """Stands for a terminal at which nobody can be asked."""
    with (tmp_path / "nobody").open("w+") as file:
        yield file


def asks_before_it_fetches(
    command: list[str], out: Path, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> bool:
    """Whether the size and the licence are told, and nothing is fetched or written unasked."""
    assert cli.main(command) == 2
    said = capsys.readouterr()
    told = "4 MB will be fetched by the server" in said.out and "licence MIT" in said.out
    return told and "--yes" in said.err and hub.requests == [] and not out.exists()


@pytest.mark.usefixtures("tiny_here")
def test_the_command_line_asks_before_a_server_fetches(
    hub: Hub,
    start: Callable[..., Server],
    tmp_path: Path,
    nobody: TextIO,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", nobody)
    (tmp_path / "disc.png").write_bytes(picture())
    out = tmp_path / "out"
    command = ["generate", str(tmp_path / "disc.png"), "-o", str(out), "--preset", "draft"]
    command += ["--matte", "alpha", "--reconstructor", "tiny", "--gaussians", "64"]
    command += ["--turntable-frames", "2", "--turntable-resolution", "64"]
    command += ["--server", start().string]
    assert asks_before_it_fetches(command, out, hub, capsys)
    assert cli.main([*command, "--yes"]) == 0
    assert (out / "mesh.glb").is_file() and hub.transfers()
    asked = len(hub.requests)
    assert cli.main([*command, "-o", str(tmp_path / "again")]) == 0
    assert len(hub.requests) == asked


@pytest.mark.usefixtures("tiny_here")
def test_a_cut_out_asks_as_a_whole_result_does(
    hub: Hub,
    start: Callable[..., Server],
    tmp_path: Path,
    nobody: TextIO,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", nobody)
    (tmp_path / "disc.png").write_bytes(picture())
    out = tmp_path / "out.png"
    command = ["cutout", str(tmp_path / "disc.png"), "-o", str(out), "--backend", "tinymatte"]
    command += ["--server", start().string]
    assert asks_before_it_fetches(command, out, hub, capsys)
    assert cli.main([*command, "--yes"]) == 0
    assert out.is_file() and hub.transfers()
