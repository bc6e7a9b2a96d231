"""Who is let in: by name, each with a key of their own, which can be taken back; and how much."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from glimpse3d.errors import Glimpse3DError
from inference_server import connection, invites
from inference_server.client import Client
from inference_server.errors import WireError
from inference_server.events import ConnectionChanged, Event, Refused, Status
from inference_server.executors.interface import WorkerOptions
from inference_server.executors.local import LocalExecutor
from inference_server.keys import Keys
from inference_server.quotas import Pace
from inference_server.server import Address, serve
from tests.server.serving import QUICK, Server, ended, picture, pump, ready

Connect = Callable[..., Client]
Start = Callable[..., Server]


def invited(server: Server, data: Path, name: str) -> str:
    return connection.write(invites.invite(data, name))


def test_an_invited_client_works_and_sees_nothing_of_others(
    start: Start, connect: Connect, tmp_path: Path
) -> None:
    server = start()
    host = connect(server.string)
    guest = connect(invited(server, tmp_path / "data", "laptop"))
    theirs = host.generate(picture(), QUICK)
    own = guest.generate(picture(), QUICK)
    assert ended(guest, own).state == "succeeded"
    guest.cancel(theirs)
    event = pump(guest, lambda each: isinstance(each, Refused) and each.job == theirs)
    assert isinstance(event, Refused) and event.problem.code == "not_found"
    assert ended(host, theirs).state == "succeeded"


def test_a_revoked_client_is_refused_at_once_and_for_ever(
    start: Start, connect: Connect, tmp_path: Path
) -> None:
    server, data = start(), tmp_path / "data"
    string = invited(server, data, "laptop")
    guest = connect(string)
    invites.revoke(data, "laptop")
    guest.list_jobs()
    event = pump(guest, lambda each: isinstance(each, Refused))
    assert isinstance(event, Refused) and event.problem.code == "refused_key"
    guest.generate(picture(), QUICK)  # over a second socket, which is not let in
    again = connect(string, wait=False)
    for client in (guest, again):
        pump(client, lambda each: isinstance(each, ConnectionChanged) and each.state == "down")
        assert client.problem is not None and client.problem.code == "refused_key"
    assert connect(server.string).state == "ready"


def test_jobs_of_one_key_are_counted(start: Start, connect: Connect, tmp_path: Path) -> None:
    server = start(0, "--jobs-per-key", "2")
    guest = connect(invited(server, tmp_path / "data", "laptop"))
    slow = {**QUICK, "options": {"patient": {"seconds": 30.0}}}
    jobs = [guest.generate(picture(), slow) for _ in range(3)]
    event = pump(guest, lambda each: isinstance(each, Refused))
    assert isinstance(event, Refused) and event.job == jobs[2]
    assert event.problem.code == "busy" and event.problem.retry_after > 0
    host = connect(server.string)  # the user of the machine has no quota
    own = [host.generate(picture(), QUICK) for _ in range(3)]
    for job in jobs[:2]:
        guest.cancel(job)
    assert [ended(host, job).state for job in own] == ["succeeded"] * 3


def test_disk_of_one_key_is_counted(start: Start, connect: Connect, tmp_path: Path) -> None:
    server = start(0, "--disk-per-key", "0.000001")
    guest = connect(invited(server, tmp_path / "data", "laptop"))
    job = guest.generate(picture(), QUICK)  # its upload alone is over a kilobyte
    event = pump(guest, lambda each: isinstance(each, Refused) and each.job == job)
    assert isinstance(event, Refused) and event.problem.code == "disk_full"
    guest.submit("generate", {}, {"image": bytes(100)})  # and no upload more is taken
    event = pump(guest, lambda each: isinstance(each, Refused) and each.job != job)
    assert isinstance(event, Refused) and event.asked == "put"
    assert event.problem.code == "disk_full"


def test_requests_are_paced() -> None:
    now = [0.0]
    pace = Pace(10.0, lambda: now[0])
    for _ in range(20):
        pace.check("one")
    with pytest.raises(WireError) as refused:
        pace.check("one")
    assert refused.value.code == "busy" and 0 < refused.value.retry_after <= 0.1
    pace.check("another")
    now[0] += refused.value.retry_after
    pace.check("one")


@pytest.mark.parametrize("name", ["", "../x", "a\nb", "x" * 41, " x", "é"])
def test_names_are_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(Glimpse3DError) as refused:
        invites.invite(tmp_path, name, "127.0.0.1", 5555)
    assert refused.value.code == "invalid_settings"


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    invites.invite(tmp_path, "Laptop", "127.0.0.1", 5555)
    with pytest.raises(Glimpse3DError) as refused:
        invites.invite(tmp_path, "laptop", "127.0.0.1", 5555)
    assert refused.value.code == "conflict"
    with pytest.raises(Glimpse3DError) as unknown:
        invites.revoke(tmp_path, "desk")
    assert unknown.value.code == "not_found"


def test_a_mistyped_folder_is_refused_and_not_made(tmp_path: Path) -> None:
    for ask in (invites.names, lambda folder: invites.revoke(folder, "local")):
        with pytest.raises(Glimpse3DError) as refused:
            ask(tmp_path / "typo")
        assert refused.value.code == "not_found"
    assert not (tmp_path / "typo").exists()


def test_the_secret_is_kept_nowhere(tmp_path: Path) -> None:
    made = connection.write(invites.invite(tmp_path, "laptop", "127.0.0.1", 5555))
    secret = made.split(".")[-2]
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert secret.encode() not in kept
    raw = connection.read(made).client_secret
    from zmq.utils import z85

    assert z85.encode(raw) not in kept


def test_revoking_the_local_user_makes_another_string(tmp_path: Path) -> None:
    before = Keys(tmp_path / "keys").connection("127.0.0.1", 1)
    invites.revoke(tmp_path, "local")
    after = Keys(tmp_path / "keys")
    assert after.connection("127.0.0.1", 1).client_secret != before.client_secret
    assert invites.names(tmp_path) == ["local"]


def test_commands(tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "glimpse3d", *words, "--data", str(tmp_path / "data")]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    nowhere = run("invite", "laptop")
    assert nowhere.returncode == 2 and "has not run yet" in nowhere.stderr
    made = run("invite", "laptop", "--host", "gpu.example", "--port", "5555")
    assert made.returncode == 0, made.stderr
    assert connection.read(made.stdout).address == "tcp://gpu.example:5555"
    assert run("invites").stdout.split() == ["local", "laptop"]
    assert run("revoke", "laptop").returncode == 0
    assert run("invites").stdout.split() == ["local"]
    wrong = run("invite", "desk", "--host", "not a host", "--port", "1")
    assert wrong.returncode == 2 and run("invites").stdout.split() == ["local"]


def test_a_list_that_is_broken_while_it_is_edited_ends_no_server(
    start: Start, connect: Connect, tmp_path: Path
) -> None:
    server = start()
    inside = connect(server.string)
    path = tmp_path / "data" / "keys" / "clients.json"
    well = path.read_text()
    for content, mode in (("{", 0o600), (well, 0o644)):
        path.write_text(content)
        path.chmod(mode)
        inside.status()
        late = connect(server.string, wait=False)
        heard: list[Event] = []
        for _ in range(40):
            heard += [*inside.poll(20), *late.poll(5)]
            time.sleep(0.02)
        assert late.state != "ready" and not any(isinstance(each, Status) for each in heard)
        assert server.process.poll() is None
        path.write_text(well + " ")
        path.chmod(0o600)
        pump(inside, lambda each: isinstance(each, Status))  # it asks again by itself
        ready(late)


def test_a_folder_that_cannot_be_made_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(Glimpse3DError) as refused:
        serve(tmp_path / "data", Address(), lambda string: None, LocalExecutor((), WorkerOptions()))
    assert refused.value.code == "output_failed" and str(tmp_path / "data") in refused.value.message
