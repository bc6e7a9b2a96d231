"""One line a fact, the job's id in it, and never a key."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from zmq.utils import z85

from inference_server import connection, logs
from inference_server.client import Client
from tests.server.serving import Server, ended, patient, picture, refusal

STRING = "glimpse3d://127.0.0.1:5555/#1.AAAA.BBBB.CCCC"


def line(form: str, message: str, *arguments: object, error: bool = False) -> str:
    try:
        raise ValueError(f"near {STRING}") if error else KeyError
    except (ValueError, KeyError):
        about = sys.exc_info() if error else None
    record = logging.LogRecord(
        "inference_server.jobs", logging.INFO, "x.py", 1, message, arguments, about
    )
    return logs.Lines(form).format(record)


def test_a_line_of_text_tells_when_where_and_what() -> None:
    said = line("text", "job %s queued: %s", "ab" * 16, "generate")
    time, rest = said.split(" ", 1)
    assert time.endswith("Z") and datetime.fromisoformat(time)
    assert rest == f"info server inference_server.jobs: job {'ab' * 16} queued: generate"


def test_a_line_of_json_has_the_job_by_itself() -> None:
    fact = json.loads(line("json", "job %s queued: %s", "ab" * 16, "generate", error=True))
    assert fact["job"] == "ab" * 16 and fact["level"] == "info" and fact["process"] == "server"
    assert fact["message"] == f"job {'ab' * 16} queued: generate"
    assert "ValueError" in fact["traceback"]
    assert "job" not in json.loads(line("json", "stopping"))


@pytest.mark.parametrize("form", logs.FORMS)
def test_nothing_that_is_told_makes_a_line_of_its_own(form: str) -> None:
    evil = "x\n2026-01-01T00:00:00Z info all is well\r\x1b[2J\x9b1m\u2028"
    said = line(form, "unknown setting %s", evil, error=True)
    assert "\n" not in said and "\r" not in said and "\x1b" not in said and "\x9b" not in said


@pytest.mark.parametrize("form", logs.FORMS)
def test_a_connection_string_never_gets_into_a_line(form: str) -> None:
    for said in (line(form, "near %s, bad", STRING), line(form, "x", error=True)):
        assert "BBBB" not in said and "AAAA" not in said


@pytest.mark.parametrize("form", [pytest.param("text", marks=pytest.mark.slow), "json"])
def test_a_server_tells_of_its_jobs_and_of_no_key(
    form: str, start: Callable[..., Server], connect: Callable[[str], Client], tmp_path: Path
) -> None:
    server = start(0, "--log", form)
    words = [sys.executable, "-m", "glimpse3d", "invite", "friend", "--data"]
    invited = subprocess.run(
        [*words, str(tmp_path / "data")], capture_output=True, text=True, check=True
    ).stdout.strip()
    client = connect(server.string)
    done = ended(client, client.generate(picture(), patient()))
    failed = ended(client, client.generate(picture(), patient(fault="defect")))
    client.generate(picture(), {"settings\nforged line": server.string})
    refusal(client, "submit")
    friend = connect(invited)
    friend.get(done.id)
    refusal(friend)
    server.stop()
    told = server.log.read_text()
    facts = [each for each in told.splitlines() if each[:2] in ('{"', "20")]
    if form == "json":
        read = [json.loads(each) for each in facts]
        assert {each["process"] for each in read} == {"server", "worker"}
        of_job = [each for each in read if each.get("job") == done.id]
        assert any("traceback" in each for each in read)
    else:
        of_job = [each for each in facts if done.id in each]
    assert len(of_job) >= 3 and any(failed.id in each for each in facts)
    for string in (server.string, invited):
        assert string.split(".")[-2] not in told
        assert z85.encode(connection.read(string).client_secret).decode() not in told
    for name in ("server.json", "local.json"):
        assert json.loads((tmp_path / "data" / "keys" / name).read_text())["secret"] not in told
    assert "glimpse3d://1" not in told
