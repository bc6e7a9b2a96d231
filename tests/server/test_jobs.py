"""Jobs seen from a client: what is accepted, refused, cancelled, listed and given back."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq
from zmq.utils import z85

from inference_server import connection
from inference_server.client import Client, new_job_id
from inference_server.events import (
    Event,
    JobChanged,
    JobDeleted,
    JobList,
    Status,
)  # fmt: skip
from tests.server.serving import (
    QUICK,
    Server,
    downloaded,
    ended,
    eventually,
    in_state,
    patient,
    picture,
    pump,
    refusal,
)  # fmt: skip

Connect = Callable[..., Client]


@pytest.fixture
def client(server: Server, connect: Connect) -> Client:
    return connect(server.string)


def test_a_picture_becomes_a_folder_whose_files_are_proved(client: Client, tmp_path: Path) -> None:
    job = client.generate(picture(), QUICK, name="disc.png", box=(1, 2, 60, 61))
    done = ended(client, job)
    assert done.state == "succeeded" and done.fraction == 1.0 and done.attempt == 1
    folder = downloaded(client, job, tmp_path / "disc")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["prompt"]["box"] == [1, 2, 60, 61]
    assert {path.name for path in folder.iterdir()} == {*manifest["files"], "manifest.json"}
    for about in done.files:
        data = (folder / about["name"]).read_bytes()
        assert len(data) == about["size"]
        assert hashlib.sha256(data).digest() == about["sha256"]


def test_progress_comes_with_stages_and_a_picture(client: Client) -> None:
    seen: list[Any] = []
    job = client.generate(picture(1), patient(seconds=1.0))

    def watch(event: Event) -> bool:
        if isinstance(event, JobChanged) and event.job.id == job:
            seen.append(event.job)
        return bool(seen) and seen[-1].is_final

    pump(client, watch)
    fractions = [each.fraction for each in seen]
    assert fractions == sorted(fractions) and len(set(fractions)) > 5
    assert {"reconstructor", "turntable"} <= {each.stage for each in seen}
    previews = [each.preview for each in seen if each.preview]
    assert len(previews) >= 2  # the cut-out, and what the backend shows
    assert all(each.startswith((b"\x89PNG", b"\xff\xd8")) for each in previews)


def test_the_same_id_is_the_same_job_and_no_other(client: Client, connect: Connect) -> None:
    job = new_job_id()
    for _ in range(3):
        assert client.generate(picture(2), QUICK, job=job) == job
    assert ended(client, job).attempt == 1
    client.generate(picture(2), QUICK, job=job)
    assert ended(client, job).attempt == 1
    client.generate(picture(2), patient(seconds=0.1), job=job)
    assert refusal(client, "submit").problem.code == "conflict"


def test_a_running_job_is_cancelled_and_the_next_one_runs(client: Client) -> None:
    job = client.generate(picture(3), patient(seconds=60))
    in_state(client, job, "running")
    client.cancel(job)
    assert ended(client, job, 10).state == "cancelled"
    client.cancel(job)  # a finished one stays as it is
    assert ended(client, job).state == "cancelled"
    client.download(job, Path("nowhere"))
    assert refusal(client, "fetch").problem.code == "not_ready"


def test_a_queued_job_is_cancelled_and_never_runs(client: Client, tmp_path: Path) -> None:
    first = client.generate(picture(4), patient(seconds=60))
    in_state(client, first, "running")
    second = client.generate(picture(4), patient(marks=str(tmp_path)))
    assert in_state(client, second, "queued").ahead == 1
    client.cancel(second)
    assert ended(client, second).state == "cancelled"
    client.cancel(first)
    ended(client, first)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"preset": "superb"}, "invalid_settings"),
        ({"sise": 3}, "invalid_settings"),
        ({"faces": 10**9}, "invalid_settings"),
        ({"turntable": {"frames": "many"}}, "invalid_settings"),
        ({"turntable": 3}, "invalid_settings"),
        ({"reconstructor": "magic"}, "unknown_backend"),
        (patient(seconds=-1), "invalid_settings"),
        ({"options": 3}, "invalid_settings"),
        ({"x": float("nan")}, "bad_message"),
    ],
)
def test_wrong_settings_are_refused_before_they_are_queued(
    client: Client, settings: dict[str, Any], code: str
) -> None:
    client.generate(picture(), settings)
    assert refusal(client, "submit").problem.code == code


@pytest.mark.parametrize(
    ("data", "options", "code"),
    [
        (b"not a picture", {}, "bad_image"),
        (picture(), {"fault": "refuse"}, "invalid_data"),
        (picture(), {"fault": "memory"}, "out_of_memory"),
        (picture(), {"fault": "defect"}, "internal"),
    ],
)
def test_a_job_that_fails_says_why(
    client: Client, data: bytes, options: dict[str, Any], code: str
) -> None:
    job = ended(client, client.generate(data, patient(**options)))
    assert job.state == "failed" and job.problem is not None
    assert job.problem.code == code and job.problem.message and job.problem.hint


def test_a_job_needs_its_picture(client: Client) -> None:
    client.submit("generate", {"settings": QUICK})
    assert refusal(client, "submit").problem.code == "bad_message"
    client.submit("generate", {"settings": QUICK, "image": bytes(32)})
    assert refusal(client, "submit").problem.code == "missing_input"


def test_a_mask_travels_with_its_picture(client: Client, tmp_path: Path) -> None:
    job = client.generate(picture(5), QUICK, mask=mask())
    assert ended(client, job).state == "succeeded"
    assert (downloaded(client, job, tmp_path) / "mask.png").is_file()
    wrong = client.generate(picture(5, side=80), QUICK, mask=mask())
    failed = ended(client, wrong)
    assert failed.problem is not None and failed.problem.code == "bad_image"


def mask() -> bytes:
    import numpy as np

    from glimpse3d import pictures
    from glimpse3d.types import Image

    rgba = np.full((64, 64, 4), 255, np.uint8)
    rgba[:20, :, :3] = 0
    return pictures.write_png(Image(rgba))


def test_history_is_listed_newest_first_in_pages(client: Client) -> None:
    jobs = [client.generate(b"no picture", QUICK, name=f"number {index}") for index in range(5)]
    for job in jobs:
        client.watch(job)
    ended_jobs: set[str] = set()

    def all_ended(event: Event) -> bool:
        if isinstance(event, JobChanged) and event.job.is_final:
            ended_jobs.add(event.job.id)
        return ended_jobs >= set(jobs)

    pump(client, all_ended)
    listed: list[str] = []
    after = 0
    while len(listed) < 5:
        client.list_jobs(after, limit=2)
        page = pump(client, lambda event: isinstance(event, JobList))
        assert isinstance(page, JobList) and len(page.jobs) == 2
        listed += [each.id for each in page.jobs]
        after = page.next
    assert set(listed[:5]) == set(jobs) and page.jobs[0].problem is not None
    created = {each.id: each.created for each in page.jobs}
    assert list(created.values()) == sorted(created.values(), reverse=True)


def test_a_long_history_fits_into_a_message(client: Client) -> None:
    client.list_jobs(limit=200)
    assert isinstance(pump(client, lambda event: isinstance(event, JobList)), JobList)


def test_a_deleted_job_is_gone(client: Client, tmp_path: Path) -> None:
    running = client.generate(picture(6), patient(seconds=60))
    in_state(client, running, "running")
    client.delete(running)
    assert refusal(client, "delete").problem.code == "conflict"
    client.cancel(running)
    client.watch(running)
    ended(client, running)
    client.delete(running)
    pump(client, lambda event: isinstance(event, JobDeleted) and event.job == running)
    for ask in (client.get, client.cancel, client.delete):
        ask(running)
        assert refusal(client).problem.code == "not_found"
    client.download(running, tmp_path / "gone")
    assert refusal(client, "fetch").problem.code == "not_found"


def test_jobs_of_another_key_are_unknown(
    connect: Connect, start: Callable[..., Server], tmp_path: Path
) -> None:
    own = start()
    public, secret = zmq.curve_keypair()
    path = tmp_path / "data" / "keys" / "clients.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "guest": public.decode()}))
    where = connection.read(own.string)
    guest = connect(connection.Connection(
        where.host, where.port, where.server_public, z85.decode(secret)))  # fmt: skip
    mine = connect(own.string)
    job = mine.generate(b"no picture", QUICK)
    ended(mine, job)
    for ask in (guest.get, guest.cancel, guest.delete):
        ask(job)
        assert refusal(guest).problem.code == "not_found"
    guest.download(job, tmp_path / "stolen")
    assert refusal(guest, "fetch").problem.code == "not_found"
    guest.generate(b"no picture", QUICK, job=job)
    assert refusal(guest, "submit").problem.code == "conflict"
    guest.list_jobs()
    page = pump(guest, lambda event: isinstance(event, JobList))
    assert isinstance(page, JobList) and page.jobs == ()


def test_the_server_tells_how_it_is(client: Client) -> None:
    client.status()
    event = pump(client, lambda event: isinstance(event, Status))
    assert isinstance(event, Status)
    assert event.values["disk_free"] > 0 and event.values["worker"] in ("starting", "idle")


def test_the_wire_side_needs_no_glimpse3d_and_no_package_name(
    server: Server, tmp_path: Path
) -> None:
    from inference_server import WIRE_SIDE

    source = Path(__file__).parents[2] / "inference_server"
    vendored = tmp_path / "bl_ext" / "user_default" / "glimpse3d" / "_vendor"
    vendored.mkdir(parents=True)
    for name in WIRE_SIDE:
        (vendored / name).write_bytes((source / name).read_bytes())
    code = (
        "import sys; sys.modules['glimpse3d'] = sys.modules['inference_server'] = None\n"
        "from bl_ext.user_default.glimpse3d._vendor.client import Client\n"
        "client = Client(sys.argv[1])\n"
        "for _ in range(200):\n"
        "    client.poll(50, wait=True)\n"
        "    if client.state == 'ready': break\n"
        "print(client.state, 'numpy' in sys.modules); client.close()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, server.string],
        capture_output=True, text=True, cwd=tmp_path, timeout=30,
    )  # fmt: skip
    assert ran.stdout.split() == ["ready", "False"], ran.stderr


def test_a_client_that_asks_too_often_is_slowed_and_never_told(
    server: Server, connect: Connect
) -> None:
    client = connect(server.string)
    for _ in range(300):  # the server takes 64 a second, after 128 at once
        client.list_jobs()
    told: list[object] = []

    def all_told() -> bool:
        told.extend(client.poll(50, wait=True))
        return len(told) >= 300

    eventually(all_told, 60)
    assert all(isinstance(event, JobList) for event in told)
