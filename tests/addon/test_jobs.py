"""The add-on's jobs against a real server: they survive every end of a process or a line."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blender_addon._vendor.inference_server.client import Client
from blender_addon._vendor.inference_server.events import ConnectionChanged, JobDeleted, JobList
from blender_addon.history import Job, Place
from blender_addon.jobs import JobBook, from_disk
from tests.server.serving import QUICK, ROOT, Server, patient, picture, pump

Start = Callable[..., Server]
Meet = Callable[[str], "Talk"]
full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
NOBODY = Place("00" * 32, "127.0.0.1:1")


class Talk:
    """A book and a client, pumped as the session does it."""

    def __init__(self, folder: Path, string: str) -> None:
        self.book = JobBook(folder)
        self.client = Client(string, name="test")
        self.place = Place(self.client.where.server_public.hex(), "127.0.0.1")
        self.seen: list[str] = []
        self.until(lambda: self.client.state == "ready")

    def until(self, done: Callable[[], object], seconds: float = 40.0) -> None:
        limit = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < limit, [(job.state, job.problem) for job in self.book.jobs]
            self.book.resume_one()
            for event in self.client.poll(20, wait=True):
                if isinstance(event, ConnectionChanged):
                    if event.state == "ready":
                        self.book.connected(self.client, self.place)
                    else:
                        self.book.lost()
                self.book.take(event)
            for job in self.book.jobs[:1]:
                if self.seen[-1:] != [job.state]:
                    self.seen.append(job.state)

    def reaches(self, job: Job, *states: str) -> None:
        self.until(lambda: job.state in states)

    def ends(self, job: Job) -> None:
        self.until(lambda: job.is_final or job.state == "importing")

    def close(self) -> None:
        self.client.close()
        self.book.close()

    def dies(self) -> None:
        """What the system does for a process that is killed; nothing is said to the book."""
        self.client.close()
        self.book.history.close()


@pytest.fixture
def meet(tmp_path: Path) -> Iterator[Callable[[str], Talk]]:
    """Blender, as often as it is started: the history stays."""
    talks: list[Talk] = []

    def make(string: str) -> Talk:
        talks.append(Talk(tmp_path / "jobs", string))
        return talks[-1]

    yield make
    for each in talks:
        each.close()


@pytest.fixture
def talk(meet: Meet, server: Server) -> Talk:
    return meet(server.string)


def on_disk(talk: Talk, job: Job) -> dict[str, object]:
    values: dict[str, object] = json.loads(
        (talk.book.history.folder(job.id) / "job.json").read_text()
    )
    return values


def test_a_job_from_the_picture_to_its_folder(talk: Talk) -> None:
    job = talk.book.add(picture(), patient(seconds=0.5), "disc")
    talk.ends(job)
    assert job.state == "importing" and talk.book.due is job
    assert talk.seen == ["uploading", "running", "downloading", "importing"] or talk.seen == [
        "uploading", "queued", "running", "downloading", "importing",
    ]  # fmt: skip
    names = {path.name for path in talk.book.history.result(job.id).iterdir()}
    assert names >= {"manifest.json", "mesh.glb", "splats.ply", "cameras.json", "cutout.png"}
    assert not any(name.endswith((".part", ".json.new", ".part.json")) for name in names)
    assert talk.book.history.picture(job.id) == picture()
    assert job.previews and talk.book.history.preview(job.id).read_bytes()[:4] == b"\x89PNG"
    talk.book.was_imported(job.id)
    assert on_disk(talk, job)["state"] == "done" and on_disk(talk, job)["imported"] is True
    again = JobBook(talk.book.history.folder("")).jobs
    assert [(each.id, each.state, each.imported) for each in again] == [(job.id, "done", True)]


def test_the_server_keeps_no_copy_of_what_arrived(talk: Talk) -> None:
    job = talk.book.add(picture(), QUICK, "disc")
    talk.ends(job)
    pump(talk.client, lambda event: isinstance(event, JobDeleted) and event.job == job.id)
    talk.client.list_jobs()
    page = pump(talk.client, lambda event: isinstance(event, JobList))
    assert isinstance(page, JobList) and job.id not in {each.id for each in page.jobs}


@pytest.mark.parametrize("phase", ["draft", "uploading", "running", "downloading"])
def test_blender_dies_and_the_job_goes_on(meet: Meet, server: Server, phase: str) -> None:
    first = meet(server.string)
    job = first.book.add(picture(), patient(seconds=1.0), "disc")
    if phase == "draft":  # noted, and nothing of it had left
        first.client.forget(job.id)
        first.book._move(job, "draft")
    elif phase != "uploading":
        first.reaches(job, phase)
    first.dies()
    second = meet(server.string)
    (found,) = second.book.jobs
    assert found.id == job.id and found.phase == phase
    second.ends(found)
    assert found.state == "importing"


def test_a_result_that_may_have_crashed_blender_waits_for_the_user(talk: Talk) -> None:
    job = talk.book.add(picture(), QUICK, "disc")
    talk.ends(job)
    talk.dies()
    again = JobBook(talk.book.history.folder(""))
    assert again.jobs[0].state == "done" and not again.jobs[0].imported
    assert again.due is None


def test_a_server_killed_and_started_again(meet: Meet, start: Start) -> None:
    first = start()
    talk = meet(first.string)
    job = talk.book.add(picture(), patient(seconds=1.5), "disc")
    talk.reaches(job, "running")
    first.stop(signal.SIGKILL)
    talk.reaches(job, "interrupted")
    assert talk.client.problem is not None and talk.client.problem.hint
    start(first.port)
    talk.ends(job)
    assert job.state == "importing"


def test_a_server_that_lost_its_data_gets_the_job_again(
    meet: Meet, tmp_path: Path, start: Start
) -> None:
    first = start()
    talk = meet(first.string)
    job = talk.book.add(picture(), patient(seconds=1.5), "disc")
    talk.reaches(job, "running")
    first.stop(signal.SIGKILL)
    for path in (tmp_path / "data").glob("jobs.sqlite3*"):
        path.unlink()
    start(first.port)
    talk.ends(job)
    assert job.state == "importing"


def test_cancel_while_it_runs(talk: Talk) -> None:
    job = talk.book.add(picture(), patient(seconds=60), "disc")
    talk.reaches(job, "running")
    talk.book.cancel(job.id)
    assert job.cancelling
    talk.ends(job)
    assert job.state == "cancelled" and not job.cancelling
    assert talk.book.active == [] and talk.book.due is None


def test_cancel_before_anything_left(talk: Talk) -> None:
    job = talk.book.add(picture(), QUICK, "disc")
    talk.book.cancel(job.id)
    talk.ends(job)
    assert job.state == "cancelled"


def test_cancel_while_the_server_is_away_is_made_up_for(meet: Meet, start: Start) -> None:
    first = start()
    talk = meet(first.string)
    job = talk.book.add(picture(), patient(seconds=100), "disc")
    talk.reaches(job, "running")
    first.stop(signal.SIGKILL)
    talk.reaches(job, "interrupted")
    talk.book.cancel(job.id)
    assert job.state == "cancelled"
    talk.close()
    start(first.port)
    after = meet(first.string)
    after.until(lambda: not after.book.jobs[0].cancel_due)
    assert after.book.jobs[0].state == "cancelled"
    next_one = after.book.add(picture(1), QUICK, "next")  # the worker is free
    after.ends(next_one)
    assert next_one.state == "importing"


def test_a_job_that_fails_says_why_and_can_be_tried_again(talk: Talk) -> None:
    job = talk.book.add(picture(), patient(fault="refuse"), "disc")
    talk.ends(job)
    assert job.state == "failed" and job.problem is not None
    assert job.problem.message == "the picture is not to its taste" and job.problem.hint
    assert json.loads(json.dumps(on_disk(talk, job)))["problem"]["code"] == job.problem.code
    new = talk.book.retry(job.id, QUICK)
    assert talk.book.get(job.id) is None and new.id != job.id
    talk.ends(new)
    assert new.state == "importing"


def test_settings_that_the_server_refuses(talk: Talk) -> None:
    job = talk.book.add(picture(), {"preset": "draft", "size": -1}, "disc")
    talk.ends(job)
    assert job.state == "failed" and job.problem is not None
    assert job.problem.code == "invalid_settings"


def test_a_wrong_sha256_is_one_report_and_fetched_again_on_request(
    meet: Meet, tmp_path: Path, start: Start
) -> None:
    server = start()
    talk = meet(server.string)
    job = talk.book.add(picture(), patient(seconds=0.3), "disc")
    talk.reaches(job, "downloading")
    path = tmp_path / "data" / "results" / job.id / "mesh.glb"
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    talk.ends(job)
    assert job.state == "failed" and job.problem is not None
    assert job.problem.code == "bad_result" and job.problem.hint
    assert not (talk.book.history.result(job.id) / "mesh.glb").exists()
    assert not (talk.book.history.result(job.id) / "manifest.json").exists()
    path.write_bytes(content)
    assert talk.book.retry(job.id) is job
    talk.ends(job)
    assert job.state == "importing" and job.problem is None
    assert (talk.book.history.result(job.id) / "mesh.glb").read_bytes() == content


def test_removing_a_job_removes_its_files(talk: Talk) -> None:
    job = talk.book.add(picture(), patient(seconds=60), "disc")
    talk.reaches(job, "running")
    talk.book.remove(job.id)
    assert talk.book.jobs == [] and not talk.book.history.folder(job.id).exists()
    after = talk.book.add(picture(), QUICK, "next")
    talk.ends(after)
    assert after.state == "importing"


def test_a_job_of_another_server_waits_for_that_one(meet: Meet, server: Server) -> None:
    first = meet(server.string)
    first.book._server = NOBODY
    job = first.book.add(picture(), QUICK, "disc")
    first.client.forget(job.id)
    first.close()
    second = meet(server.string)
    own = second.book.add(picture(), QUICK, "own")
    second.ends(own)
    assert own.state == "importing"
    (old,) = (each for each in second.book.jobs if each is not own)
    assert (old.state, old.server) == ("interrupted", NOBODY)


OTHER_BLENDER = """
import sys, time
from pathlib import Path
from blender_addon.history import History
history = History(Path(sys.argv[1]))
(job,) = history.load()
print(job.state, flush=True)
time.sleep(600)
"""


def test_a_job_of_another_running_blender_is_left_to_it(meet: Meet, server: Server) -> None:
    first = meet(server.string)
    job = first.book.add(picture(), patient(seconds=60), "disc")
    first.reaches(job, "running")
    folder = str(first.book.history.folder(""))
    assert JobBook(Path(folder)).jobs == []  # ours, and we live
    first.dies()
    command = [sys.executable, "-c", OTHER_BLENDER, folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as other:
        try:
            assert other.stdout is not None and other.stdout.readline() == "running\n"
            assert JobBook(Path(folder)).jobs == []
        finally:
            other.kill()
    after = meet(server.string)
    (found,) = after.book.jobs
    assert found.id == job.id
    after.reaches(found, "running")
    after.book.cancel(found.id)
    after.ends(found)
    assert found.state == "cancelled"


def test_a_damaged_note_is_left_alone(talk: Talk) -> None:
    job = talk.book.add(picture(), QUICK, "disc")
    talk.ends(job)
    talk.dies()
    root = talk.book.history.folder("")
    for name, text in (("a" * 32, "{"), ("b" * 32, "[]"), ("c" * 32, '{"format": 2}')):
        (root / name).mkdir()
        (root / name / "job.json").write_text(text)
    (root / "stranger.txt").write_text("not ours")
    assert [each.id for each in JobBook(root).jobs] == [job.id]
    assert (root / "stranger.txt").exists() and (root / ("a" * 32) / "job.json").exists()


@full
def test_a_disk_that_fills_while_downloading_costs_only_time(talk: Talk) -> None:
    job = talk.book.add(picture(), patient(seconds=0.5), "disc")
    talk.reaches(job, "running")
    part = talk.book.history.result(job.id) / "mesh.glb.part"
    part.parent.mkdir()
    part.symlink_to("/dev/full")
    talk.ends(job)
    assert job.state == "failed" and job.problem is not None
    assert job.problem.code == "disk_full" and job.problem.hint
    part.unlink()
    assert talk.book.retry(job.id) is job
    talk.ends(job)
    assert job.state == "importing"


@full
def test_a_history_that_cannot_be_written_is_told_and_the_job_goes_on(talk: Talk) -> None:
    job = talk.book.add(picture(), patient(seconds=0.5), "disc")
    note = talk.book.history.folder(job.id) / "job.json.new"
    note.symlink_to("/dev/full")
    talk.reaches(job, "running")
    assert talk.book.problem is not None and talk.book.problem.code == "disk_full"
    assert on_disk(talk, job)["state"] == "uploading"  # the older note is whole
    note.unlink()
    talk.ends(job)
    assert job.state == "importing" and talk.book.problem is None


def test_a_folder_that_is_gone_is_told(talk: Talk) -> None:
    root = talk.book.history.folder("")
    root.rename(root.with_name("elsewhere"))
    with pytest.raises(OSError) as caught:
        talk.book.add(picture(), QUICK, "disc")
    problem = from_disk(caught.value)
    assert problem.code == "output_failed" and problem.hint
    assert talk.book.jobs == [] and not root.exists()
