"""The connection string: whole or refused."""

import string as letters

import pytest

from inference_server import connection
from inference_server.connection import Connection
from inference_server.errors import WireError

WHERE = Connection("0.tcp.ngrok.io", 18342, bytes(range(32)), bytes(range(100, 132)))
TEXT = connection.write(WHERE)


def code(text: str) -> str:
    with pytest.raises(WireError) as caught:
        connection.read(text)
    assert caught.value.hint
    return caught.value.code


def test_it_is_what_the_documentation_says() -> None:
    assert TEXT == (
        "glimpse3d://0.tcp.ngrok.io:18342/#1.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8."
        "ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1-f4CBgoM.6KVf47"
    )
    assert connection.read(TEXT) == WHERE


def test_every_damage_to_one_character_is_found() -> None:
    alphabet = letters.ascii_letters + letters.digits + "-_.:/#"
    damages = 0
    for place in range(len(TEXT)):
        before, after = TEXT[:place], TEXT[place + 1 :]
        swapped = before + after[:1] + TEXT[place] + after[1:]
        for damaged in {before + after, swapped, *(before + each + after for each in alphabet)}:
            if damaged != TEXT:
                damages += 1
                assert code(damaged) == "bad_connection_string", damaged
    assert damages > 60 * len(TEXT)


def test_every_cut_is_found() -> None:
    for place in range(len(TEXT)):
        assert code(TEXT[:place]) == "bad_connection_string"
        assert code(TEXT[place:][1:]) == "bad_connection_string"


def test_what_chats_do_to_a_line_does_not_matter() -> None:
    wrapped = "\n".join(TEXT[start : start + 40] for start in range(0, len(TEXT), 40))
    for pasted in (f"  {TEXT}\r\n", wrapped, f"<{TEXT}>", f"`{TEXT}`", f'"{TEXT}"',
                   TEXT.replace(".", "\u200b.\u00ad")):  # fmt: skip
        assert connection.read(pasted) == WHERE


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "my-server.example.org"])
def test_hosts_come_back(host: str) -> None:
    where = Connection(host, 5555, bytes(32), bytes(range(32)))
    assert connection.read(connection.write(where)) == where
    assert where.address == f"tcp://{host}:5555"


@pytest.mark.parametrize("text", ["", "hello", "http://127.0.0.1:5555/", "glimpse3d://", TEXT * 2])
def test_anything_else_is_refused_with_a_hint(text: str) -> None:
    assert code(text) == "bad_connection_string"


def test_a_later_version_asks_for_an_update() -> None:
    with pytest.raises(WireError, match="version '2'"):
        connection.read(TEXT.replace("/#1.", "/#2."))


@pytest.mark.parametrize("host", ["", "a b", "../etc", "host/path", "x" * 300, "[::1"])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(WireError):
        Connection(host, 5555, bytes(32), bytes(32))


def test_the_secret_is_not_shown_by_accident() -> None:
    secret = TEXT.split(".")[-2]
    assert secret not in repr(WHERE) and str(WHERE.client_secret) not in repr(WHERE)
