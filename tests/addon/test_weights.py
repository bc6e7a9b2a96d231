"""Weights from Blender's side, without Blender: the question, the fetch, and what waited for it."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blender_addon.history import Job, Problem
from blender_addon.session import Session
from blender_addon.weights import Want, Weights
from tests import tiny_model
from tests.hub_server import Hub, serving
from tests.server.serving import QUICK, Server, picture

pytest.importorskip("huggingface_hub")
TINY = {**QUICK, "reconstructor": "tiny"}
Start = Callable[..., Server]


class Local:
    """A local server that runs: what a session asks of its launcher, on a server of the tests."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._server: Server | None = None
        self.state, self.string = "installed", ""

    def start(self, former: bool = False) -> None:
        self._server = self._start()
        self.state, self.string = "running", self._server.string

    def poll(self) -> bool:
        return self.state == "running"

    def retry(self) -> None:
        pass

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
        self.state = "installed"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with the tiny model, for servers that are started from here on."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with serving() as hub:
        hub.files = tiny_model.served()
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        yield hub


class Gate:
    """Open until it is shut."""

    def __init__(self) -> None:
        self.problem: Problem | None = None

    def __call__(self) -> Problem | None:
        return self.problem


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def session(tmp_path: Path, gate: Gate, start: Start, hub: Hub) -> Iterator[Session]:
    made = Session(tmp_path / "user", Local(start), gate)  # type: ignore[arg-type]
    made.start_local()
    until(made, lambda: made.state == "ready")
    yield made
    made.close()


def until(session: Session, done: Callable[[], object], seconds: float = 60.0) -> None:
    limit = time.monotonic() + seconds
    while not done():
        jobs = [(job.state, job.problem) for job in session.book.jobs]
        assert time.monotonic() < limit, (session.state, jobs, session.weights.fetch)
        session.pump(8.0)
        time.sleep(0.005)


def refused(session: Session) -> Job:
    job = session.book.add(picture(), TINY, "disc")
    until(session, lambda: job.is_final)
    assert job.problem is not None and job.problem.code == "weights_missing"
    return job


def test_nothing_is_fetched_until_someone_says_so_and_then_what_waited_goes_on(
    session: Session, hub: Hub
) -> None:
    want = session.weights.wanted("tiny")
    assert want == Want(
        "tiny", "Tiny TripoSR", "MIT", f"{hub.url}/{tiny_model.REPO}", tiny_model.SIZE,
        tiny_model.SIZE, "",
    )  # fmt: skip
    names = [each.name for each in session.weights.methods]
    assert names[:3] == ["embedded", "inflate", "triposr"] and "tiny" in names
    assert session.weights.wanted("inflate") is None
    job = refused(session)
    other = session.book.add(picture(), {**TINY, "reconstructor": "patient"}, "other")
    until(session, lambda: other.state == "importing")
    assert hub.requests == [] and job.state == "failed"

    hub.pause = 0.1
    session.weights.begin("tiny")
    seen: list[tuple[float, str]] = []

    def fetched() -> bool:
        if (fetch := session.weights.fetch) is not None:
            seen.append((fetch.fraction, fetch.note))
        return job.state == "importing"

    until(session, fetched)
    assert any(0 < share < 1 and note.endswith("of 4 MB") for share, note in seen)
    assert session.weights.fetch is None and session.weights.problem is None
    until(session, lambda: session.weights.wanted("tiny") is None)
    names = {path.name for path in session.book.history.result(job.id).iterdir()}
    assert "mesh.glb" in names and job.problem is None


def test_a_cancelled_fetch_is_gone_on_with_and_a_restart_finds_one_that_runs(
    session: Session, hub: Hub
) -> None:
    hub.cuts, hub.cut_after, hub.stall = 9, 1_500_000, threading.Event()
    session.weights.begin("tiny")
    until(session, lambda: session.weights.fetch and session.weights.fetch.running)
    until(session, lambda: hub.transfers())
    until(session, lambda: session.weights.fetch and session.weights.fetch.fraction > 0.2)
    session.reconnect()  # as after a restart of Blender
    until(session, lambda: session.weights.fetch is not None)
    assert session.weights.fetch is not None and session.weights.fetch.backend == "tiny"
    session.weights.cancel()
    until(session, lambda: session.weights.fetch is None)
    until(session, lambda: 0 < wanted(session).left < tiny_model.SIZE)
    assert session.weights.problem is None
    kept = tiny_model.SIZE - wanted(session).left
    hub.cuts = 0
    session.weights.begin("tiny")
    until(session, lambda: session.weights.wanted("tiny") is None)
    assert 0 < hub.transfers()[-1].start <= kept


def wanted(session: Session) -> Want:
    found = session.weights.wanted("tiny")
    assert found is not None
    return found


def test_going_offline_ends_a_fetch_by_the_local_server(
    session: Session, hub: Hub, gate: Gate
) -> None:
    hub.cuts, hub.cut_after, hub.stall = 9, 1_000_000, threading.Event()
    session.weights.begin("tiny")
    until(session, hub.transfers)
    gate.problem = Problem("offline", "online access is off", "switch it on")
    session.pump(8.0)
    assert session.state == "offline" and session.launcher.state == "installed"
    assert session.weights.fetch is None and session.weights.methods == []


def test_a_fetch_that_fails_says_why_and_can_be_begun_again(session: Session, hub: Hub) -> None:
    files, hub.files = hub.files, {}
    job = refused(session)
    session.weights.begin("tiny")
    until(session, lambda: session.weights.problem)
    assert session.weights.problem is not None
    assert session.weights.problem.code == "weights_missing" and session.weights.problem.hint
    assert job.state == "failed"
    hub.files = files
    session.weights.begin("tiny")
    assert session.weights.problem is None
    until(session, lambda: job.state == "importing")


@pytest.mark.parametrize(
    "catalogue",
    [
        {},
        {"weights": 3, "backends": 4},
        {"weights": [1, {"stage": "reconstructor"}], "backends": {"reconstructor": [None, {}]}},
        {"weights": [{"stage": "reconstructor", "backend": "tiny", "title": 7}], "backends": []},
    ],
)
def test_a_server_that_says_nonsense_offers_nothing(
    catalogue: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Weights, "_catalogue", lambda self: catalogue)
    assert Weights().wanted("tiny") is None and Weights().methods == []
