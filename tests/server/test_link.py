"""Everything that can be wrong with a connection is one sentence, within seconds."""

import dataclasses
import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq
from zmq.utils import z85

from inference_server import connection
from inference_server.client import Client
from tests.server.serving import Server, eventually, ready

Connect = Callable[..., Client]


def problem(client: Client, seconds: float) -> str:
    """The code of what is wrong, once that is known."""
    until = time.monotonic() + seconds
    while client.problem is None and time.monotonic() < until:
        client.poll(50, wait=True)
    assert client.problem is not None, f"no sentence within {seconds} s"
    assert client.state == "down"
    assert client.problem.message and client.problem.hint
    return client.problem.code


def changed(text: str, **changes: object) -> connection.Connection:
    return dataclasses.replace(connection.read(text), **changes)


def test_a_server_says_what_it_is(server: Server, connect: Connect) -> None:
    welcome = connect(server.string).welcome
    assert welcome is not None
    assert welcome.kinds == ("generate", "cutout", "splats", "fetch_weights")
    assert welcome.features == ("weights",)
    catalogue = welcome.catalogue
    assert {row["name"] for row in catalogue["settings"]} > {"preset", "size", "turntable.frames"}
    assert catalogue["presets"]["draft"]["preset"] == "draft"
    names = {row["name"] for row in catalogue["backends"]["reconstructor"]}
    assert names >= {"inflate", "patient"}
    for rows in catalogue["backends"].values():
        for row in rows:
            assert row["title"] and row["when"] and isinstance(row["settings"], list)
    assert welcome.limits["list"] == 200


def test_nothing_listening(connect: Connect, server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = connect(changed(server.string, port=port), wait=False)
    assert problem(client, 3) == "nothing_listening"


def test_an_unknown_host(connect: Connect, server: Server) -> None:
    client = connect(changed(server.string, host="no-such-machine.invalid"), wait=False)
    assert problem(client, 10) == "unknown_host"


def test_another_server_than_the_string_was_made_for(connect: Connect, server: Server) -> None:
    other = z85.decode(zmq.curve_keypair()[0])
    client = connect(changed(server.string, server_public=other), wait=False)
    assert problem(client, 3) == "wrong_server"


def test_a_key_that_is_not_on_the_list(connect: Connect, server: Server) -> None:
    stranger = z85.decode(zmq.curve_keypair()[1])
    client = connect(changed(server.string, client_secret=stranger), wait=False)
    assert problem(client, 3) == "refused_key"


@contextmanager
def http_server() -> Iterator[int]:
    class Quiet(http.server.BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield web.server_address[1]
        web.shutdown()


def test_a_web_server_on_the_port(connect: Connect, server: Server) -> None:
    with http_server() as port:
        client = connect(changed(server.string, port=port), wait=False)
        assert problem(client, 8) == "not_a_server"
        client.close()


def test_something_that_talks_first_on_the_port(connect: Connect, server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def talk() -> None:
            line, _ = other.accept()
            line.sendall(b"220 mail.example.org ESMTP\r\n" + bytes(100))
            time.sleep(6)
            line.close()

        threading.Thread(target=talk, daemon=True).start()
        client = connect(changed(server.string, port=other.getsockname()[1]), wait=False)
        assert problem(client, 3) == "not_a_server"


def test_a_refused_client_gets_in_once_it_is_on_the_list(
    connect: Connect, start: Callable[..., Server], tmp_path: Path
) -> None:
    own = start()
    public, secret = zmq.curve_keypair()
    client = connect(changed(own.string, client_secret=z85.decode(secret)), wait=False)
    assert problem(client, 3) == "refused_key"
    path = tmp_path / "data" / "keys" / "clients.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "guest": public.decode()}))
    ready(client, 10)  # its first socket is dead for ever: this is another one


def test_a_client_finds_a_server_that_comes_back(
    connect: Connect, start: Callable[..., Server]
) -> None:
    first = start()
    client = connect(first.string)
    epoch = client.welcome.epoch if client.welcome else b""
    first.stop()
    eventually(lambda: client.poll(50, wait=True) or client.state == "down")
    assert problem(client, 5) == "nothing_listening"
    second = start(first.port)
    assert second.string == first.string
    eventually(lambda: client.poll(50, wait=True) is None or client.state == "ready")
    assert client.welcome is not None and client.welcome.epoch != epoch


def test_key_files_are_for_their_owner_alone(start: Callable[..., Server], tmp_path: Path) -> None:
    start().stop()
    keys = list((tmp_path / "data" / "keys").iterdir())
    assert {path.name for path in keys} == {"server.json", "local.json", "clients.json"}
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}
    keys[0].chmod(0o644)
    with pytest.raises(AssertionError, match="others may read"):
        start()


def test_no_thread_is_made_by_a_client(connect: Connect, server: Server) -> None:
    before = threading.enumerate()
    connect(server.string)
    assert threading.enumerate() == before


def test_a_closed_client_keeps_quiet(server: Server) -> None:
    client = ready(Client(server.string))
    descriptors = Path("/proc/self/fd")
    files = len(list(descriptors.iterdir())) if descriptors.is_dir() else 0
    client.close()
    client.close()
    assert client.poll(5) == []
    assert client.state == "down"
    if files:
        eventually(lambda: len(list(descriptors.iterdir())) < files, 5)
