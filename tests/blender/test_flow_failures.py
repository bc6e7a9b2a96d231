"""Everything that can go wrong is one report with a hint, and nothing is half-imported."""

import http.server
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

from tests.blender.serving import Addon, Server, patient

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server") / "data")
    yield running
    running.stop()


def at_port(ui: Addon, string: str, port: int) -> str:
    """The string as if the server were at another port."""
    where = ui.connection.read(string)
    fields = (where.host, port, where.server_public, where.client_secret)
    return str(ui.connection.write(ui.connection.Connection(*fields)))


@pytest.mark.parametrize(
    "mangle",
    [
        lambda string: string[:-20],
        lambda string: string.replace(".", ",", 1),
        lambda string: string[:60] + ("A" if string[60] != "A" else "B") + string[61:],
        lambda string: "hello",
    ],
    ids=["cut off", "changed by a word processor", "a letter wrong", "something else"],
)
def test_a_mangled_string(ui: Addon, server: Server, mangle: object) -> None:
    ui.connect(server.string)
    with pytest.raises(RuntimeError, match="connection string") as caught:
        ui.paste(mangle(server.string))  # type: ignore[operator]
    assert "copy the whole line again" in str(caught.value)
    assert server.string not in str(caught.value)
    assert ui.session.refused.code == "bad_connection_string"
    assert ui.session.state == "ready"  # and what was connected stays so
    ui.connect(server.string)
    assert ui.session.refused is None


def test_a_string_full_of_what_chats_put_into_it(ui: Addon, server: Server) -> None:
    string = server.string
    ui.connect(f"  \u201c{string[:50]}\u200b\n {string[50:]} ".replace("\u201c", '"') + '"')


def test_a_string_typed_into_the_field(ui: Addon, server: Server) -> None:
    ui.pulse.preferences().connection_string = "glimpse3d://nonsense"
    assert ui.session.refused.code == "bad_connection_string" and ui.session.state == "none"
    ui.pulse.preferences().connection_string = server.string
    assert ui.session.refused is None
    ui.until(lambda: ui.session.state == "ready", 20)


def test_a_string_for_another_server(ui: Addon, server: Server, tmp_path: Path) -> None:
    other = Server(tmp_path / "other")
    try:
        ui.paste(at_port(ui, server.string, other.port))
        assert ui.problem() == "wrong_server"
    finally:
        other.stop()


def test_nothing_listening(ui: Addon, server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    ui.paste(at_port(ui, server.string, port))
    assert ui.problem() == "nothing_listening"
    assert not bpy.ops.glimpse3d.generate.poll()


def test_a_web_server_on_the_port(ui: Addon, server: Server) -> None:
    class Quiet(http.server.BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        ui.paste(at_port(ui, server.string, web.server_address[1]))
        assert ui.problem() == "not_a_server"
        web.shutdown()
        bpy.ops.glimpse3d.disconnect()


def test_online_access_off(ui: Addon, server: Server, disc: bpy.types.Image) -> None:
    ui.connect(server.string)
    job = ui.generate(disc, patient(seconds=1.0))
    ui.until(lambda: job.state == "running")
    bpy.context.preferences.system.use_online_access = False
    ui.pulse.tick()
    assert ui.session.state == "offline" and ui.session.client is None
    assert ui.problem() == "offline" and "Allow Online Access" in ui.session.problem.hint
    assert job.state == "interrupted"
    assert not bpy.ops.glimpse3d.generate.poll()
    ui.paste(server.string)
    assert ui.session.state == "offline" and ui.session.client is None
    bpy.context.preferences.system.use_online_access = True
    ui.ends(job)  # back by itself
    assert job.imported


def connections() -> set[str]:
    """Linux: the TCP connections of this process."""
    mine = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            mine.add(str(link.readlink()))
        except OSError:
            continue
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[9] for row in rows if f"socket:[{row[9]}]" in mine}


@pytest.mark.skipif(sys.platform != "linux", reason="sockets are looked up in /proc")
def test_offline_means_no_socket(ui: Addon, server: Server) -> None:
    before = connections()
    bpy.context.preferences.system.use_online_access = False
    ui.paste(server.string)
    for _ in range(10):
        ui.pulse.tick()
    assert connections() <= before
    bpy.context.preferences.system.use_online_access = True
    ui.until(lambda: ui.session.state == "ready", 20)
    assert connections() - before
    bpy.context.preferences.system.use_online_access = False
    ui.pulse.tick()
    ui.until(lambda: connections() <= before, 5)


def test_a_wrong_sha256(ui: Addon, server: Server, disc: bpy.types.Image) -> None:
    ui.connect(server.string)
    job = ui.generate(disc, patient(seconds=0.3))
    ui.until(lambda: job.state == "downloading")
    path = server.data / "results" / job.id / "splats.ply"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    ui.ends(job)
    assert job.state == "failed" and job.problem.code == "bad_result" and job.problem.hint
    assert not bpy.data.meshes and "disc" not in bpy.data.collections
    with pytest.raises(RuntimeError, match="no result"):
        bpy.ops.glimpse3d.import_result(job=job.id)
    path.write_bytes(content)
    bpy.ops.glimpse3d.retry_job(job=job.id)  # the button beside the sentence
    ui.ends(job)
    assert job.imported and "disc" in bpy.data.collections


@needs_full
def test_a_full_disk(ui: Addon, server: Server, disc: bpy.types.Image) -> None:
    ui.connect(server.string)
    job = ui.generate(disc, patient(seconds=0.5))
    ui.until(lambda: job.state == "running")
    part = ui.session.book.history.result(job.id) / "splats.ply.part"
    part.parent.mkdir()
    part.symlink_to("/dev/full")
    ui.ends(job)
    assert job.state == "failed" and job.problem.code == "disk_full"
    assert "make room" in job.problem.hint
    assert not bpy.data.meshes
    part.unlink()
    bpy.ops.glimpse3d.retry_job(job=job.id)
    ui.ends(job)
    assert job.imported


def test_a_result_that_rotted_on_the_disk(ui: Addon, server: Server, disc: bpy.types.Image) -> None:
    ui.connect(server.string)
    job = ui.generate(disc, patient())
    ui.ends(job)
    before = {each.name for each in bpy.data.objects}
    path = ui.session.book.history.result(job.id) / "splats.ply"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(RuntimeError):
        bpy.ops.glimpse3d.import_result(job=job.id)
    assert job.problem is not None and job.problem.code == "bad_file" and job.problem.hint
    assert {each.name for each in bpy.data.objects} == before


def test_a_picture_without_pixels(ui: Addon, server: Server) -> None:
    ui.connect(server.string)
    empty = bpy.data.images.new("gone", 1, 1)
    empty.source, empty.filepath = "FILE", "/nowhere/gone.png"
    bpy.context.scene.glimpse3d.source = empty
    with pytest.raises(RuntimeError, match="has no pixels"):
        bpy.ops.glimpse3d.generate()
    assert ui.jobs == []


def test_the_server_says_why_a_job_failed(ui: Addon, server: Server, disc: bpy.types.Image) -> None:
    ui.connect(server.string)
    job = ui.generate(disc, patient(fault="refuse"))
    ui.ends(job)
    assert job.state == "failed" and job.problem.message == "the picture is not to its taste"
    short = ui.generate(disc, patient(fault="memory"))
    ui.ends(short)
    assert short.problem.code == "out_of_memory"
    bpy.ops.glimpse3d.retry_job(job=short.id)
    assert ui.jobs[0].settings["preset"] == "draft"


def test_settings_that_are_none(ui: Addon, server: Server, disc: bpy.types.Image) -> None:
    ui.connect(server.string)
    bpy.context.scene.glimpse3d.source = disc
    for wrong in ("{", "[]"):
        with pytest.raises(RuntimeError, match="Settings: not"):
            bpy.ops.glimpse3d.generate(settings=wrong)
    job = ui.generate(disc, '{"size": -1}')
    ui.ends(job)
    assert job.problem.code == "invalid_settings"
