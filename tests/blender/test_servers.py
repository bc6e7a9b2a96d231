"""Servers in Blender: kept by name, examined, carried over from version 0.1, and removed whole."""

import json
import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest

from tests.blender.serving import Addon, Server
from tests.blender.test_flow_life import sockets
from tests.blender.test_flow_panels import drawn

USER = Path(os.environ["BLENDER_USER_RESOURCES"])
FORMER = Path(__file__).resolve().parents[1] / "data" / "addon_0_1"
LONGEST_TICK = 0.005  # seconds of processor time
LONGEST_DRAWING = 0.02  # with the notes that the tests' layout takes


@pytest.fixture
def ui(ui: Addon) -> Iterator[Addon]:
    """Removals end with the test."""
    yield ui
    ui.pulse.begin_again()


@pytest.fixture
def folder(ui: Addon) -> Path:
    """What the extension may write to."""
    return Path(bpy.utils.extension_path_user(ui.pulse.PACKAGE, path="", create=True))


def test_servers_are_kept_switched_renamed_and_removed(
    ui: Addon, server: Server, folder: Path
) -> None:
    (folder / "servers.json").unlink(missing_ok=True)
    before = {path for path in USER.rglob("*") if path.is_file()}
    ui.connect(server.string)
    (saved,) = ui.session.servers.saved
    assert saved.name == f"127.0.0.1:{server.port}" in drawn("GLIMPSE3D_PT_view_server")
    assert ui.pulse.preferences().connection_string == ""
    kept = folder / "servers.json"
    assert server.string in kept.read_text()
    assert sys.platform == "win32" or stat.S_IMODE(kept.stat().st_mode) == 0o600

    bpy.ops.glimpse3d.rename_server(name="Workshop")
    other = ui.connection.Connection("127.0.0.1", 1, b"\x07" * 32, b"\x08" * 32)
    ui.paste(ui.connection.write(other))
    assert ui.problem() == "nothing_listening"
    assert "127.0.0.1:1" in drawn("GLIMPSE3D_PT_view_server")
    bpy.ops.glimpse3d.choose_server(name="Workshop")
    ui.until(lambda: ui.session.state == "ready", 20)
    ui.restart()
    ui.until(lambda: ui.session.state == "ready", 20)
    assert ui.session.servers.current == "Workshop"

    written = {path for path in USER.rglob("*") if path.is_file()} - before
    assert written and all(path.is_relative_to(folder) for path in written)
    bpy.ops.glimpse3d.forget_server()
    assert ui.session.state == "none" and server.string not in kept.read_text()
    assert [each.name for each in ui.session.servers.saved] == ["127.0.0.1:1"]
    assert not bpy.ops.glimpse3d.forget_server.poll()


def test_the_doctor_tells_every_step_and_holds_nobody_up(ui: Addon, server: Server) -> None:
    assert not bpy.ops.glimpse3d.examine.poll()
    ui.connect(server.string)
    assert "[Examine the Connection]" in drawn("GLIMPSE3D_PT_view_doctor")
    assert bpy.ops.glimpse3d.examine() == {"FINISHED"}
    ui.busy.clear()
    assert "Computing process" in drawn("GLIMPSE3D_PT_view_doctor")
    ui.until(lambda: not ui.session.checkup.running, 120)
    text = drawn("GLIMPSE3D_PT_view_doctor")
    assert "Everything is as it should be" in text and "Key: It lets this key in" in text
    assert sorted(ui.busy)[int(0.98 * len(ui.busy))] < LONGEST_TICK

    server.stop()
    ui.problem(20)
    assert "Everything is as it should be" not in drawn("GLIMPSE3D_PT_view_doctor")  # any more
    bpy.ops.glimpse3d.examine()
    ui.until(lambda: not ui.session.checkup.running, 120)
    text = drawn("GLIMPSE3D_PT_view_doctor")
    assert "Nothing listens at port" in text and "[Try Now]" in text


def test_the_doctor_says_nothing_of_one_server_beside_another(ui: Addon, server: Server) -> None:
    ui.connect(server.string)
    other = ui.connection.Connection("127.0.0.1", 1, b"\x07" * 32, b"\x08" * 32)
    for change in (
        lambda: ui.paste(ui.connection.write(other)),
        bpy.ops.glimpse3d.disconnect,
        bpy.ops.glimpse3d.forget_server,
    ):
        bpy.ops.glimpse3d.choose_server(name=ui.session.servers.saved[0].name)
        bpy.ops.glimpse3d.examine()
        child = ui.session.checkup._child
        bpy.ops.glimpse3d.connect()  # the same one again: nothing to forget
        assert ui.session.checkup is not None
        change()
        assert ui.session.checkup is None and child.code is not None


def test_offline_asks_nobody(ui: Addon, server: Server) -> None:
    ui.connect(server.string)
    bpy.ops.glimpse3d.examine()
    child = ui.session.checkup._child
    bpy.context.preferences.system.use_online_access = False
    before = sockets()
    ui.pulse.tick()
    assert ui.session.checkup is None and child.code is not None
    assert not bpy.ops.glimpse3d.examine.poll() and not bpy.ops.glimpse3d.server_start.poll()
    assert not bpy.ops.glimpse3d.power_add.poll()
    bpy.ops.glimpse3d.choose_server(name=ui.session.servers.current)
    for _ in range(20):
        ui.pulse.tick()
    assert ui.session.client is None and ui.session.state == "offline"
    assert sockets() <= before


def drawing_seconds() -> float:
    """Processor time in which the three panels' own code runs, the least of several."""
    times = []
    for _ in range(5):
        begun = time.thread_time()
        for name in ("server", "doctor", "power"):
            drawn(f"GLIMPSE3D_PT_view_{name}")
        times.append(time.thread_time() - begun)
    return min(times)


@pytest.fixture
def former(ui: Addon, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What version 0.1 left: jobs, a local server, and a key in Blender's preferences."""
    ui.restart()
    monkeypatch.setattr(ui.pulse, "session", lambda: None)  # nothing has looked yet
    (folder / "servers.json").unlink(missing_ok=True)
    shutil.copytree(FORMER / "jobs", folder / "jobs", dirs_exist_ok=True)
    shutil.copytree(FORMER / "server", folder / "server", dirs_exist_ok=True)
    values: dict[str, Any] = json.loads((FORMER / "preferences.json").read_text())
    for name, value in values.items():
        setattr(ui.pulse.preferences(), name, value)
    assert ui.pulse.preferences().connection_string == values["connection_string"]
    monkeypatch.undo()
    return values


def test_version_0_1_is_carried_over(ui: Addon, folder: Path, former: dict[str, Any]) -> None:
    try:
        names = {job.name: job.state for job in ui.jobs}
        assert names == {"cup": "done", "owl": "interrupted", "cat": "failed"}
        (server,) = ui.session.servers.saved
        assert server.string == former["connection_string"] and ui.session.state == "none"
        assert ui.pulse.preferences().connection_string == ""
        assert ui.pulse.preferences().connect_at_start is False
        bpy.ops.glimpse3d.forget_server()
        with pytest.MonkeyPatch.context() as patch:  # preferences that were never saved
            patch.setattr(ui.pulse, "session", lambda: None)
            ui.pulse.preferences().connection_string = former["connection_string"]
        ui.restart()
        assert ui.session.servers.saved == []
        assert ui.session.launcher.state == "absent"  # its environment was taken away
        assert "[Try Again]" not in drawn("GLIMPSE3D_PT_view_jobs") or names["cat"] == "failed"
    finally:
        ui.pulse.preferences().property_unset("connect_at_start")
        shutil.rmtree(folder / "server")


def test_an_earlier_local_server_stays_until_the_new_one_works(ui: Addon, folder: Path) -> None:
    python = folder / "server" / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    python.mkdir(parents=True)
    (python / ("python.exe" if sys.platform == "win32" else "python")).touch()
    shutil.copy(FORMER / "server" / "version.txt", folder / "server")
    ui.restart()
    try:
        assert ui.session.launcher.state == "outdated"
        text = drawn("GLIMPSE3D_PT_view_server")
        assert "[Renew the Local Server]" in text and "[Start the Earlier One]" in text
        ui.until(lambda: ui.session.local.gpus is not None, 60)
        text = drawn("GLIMPSE3D_PT_view_power")
        gpus = ui.session.local.gpus
        assert (gpus.driver in text) if gpus.names else ("NVIDIA GPU" in text)
        assert "PyTorch" in text and "TripoSR" in text and "[Add (" in text
        assert drawing_seconds() < LONGEST_DRAWING
        assert (folder / "server" / "venv").exists()
    finally:
        shutil.rmtree(folder / "server")
        ui.restart()


def test_everything_is_listed_then_removed(ui: Addon, folder: Path, former: dict[str, Any]) -> None:
    assert len(ui.jobs) == 3
    (folder / "mine.txt").write_text("not yours")
    assert not bpy.ops.glimpse3d.remove_everything.poll()
    bpy.ops.glimpse3d.measure_kept()
    removal = ui.pulse.removal()
    ui.until(lambda: removal.state == "measured")
    names = {path.relative_to(folder).as_posix() for item in removal.items for path in item.paths}
    assert names - {"cutouts"} == {"jobs", "servers.json", "server/version.txt"}
    assert removal.bytes > 3000
    assert bpy.ops.glimpse3d.remove_everything() == {"FINISHED"}
    while removal.state == "removing":
        ui.pulse.tick()
    assert removal.state == "done" and removal.bytes == 0
    assert [path.name for path in folder.rglob("*")] == ["mine.txt"]
    assert ui.pulse.session() is None and ui.pulse.tick() > 0
    assert [path.name for path in folder.rglob("*")] == ["mine.txt"]
    assert ui.pulse.preferences().connect_at_start is True
    assert "[Begin Again]" in drawn("GLIMPSE3D_PT_view_server")
    bpy.ops.glimpse3d.begin_again()
    assert ui.session is not None and ui.jobs == []
    (folder / "mine.txt").unlink()
