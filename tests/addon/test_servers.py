"""The servers that the user keeps: names, keys, and the file that only the user may read."""

import json
import stat
import sys
from pathlib import Path

import pytest

from blender_addon._vendor.inference_server import connection
from blender_addon._vendor.inference_server.connection import Connection
from blender_addon._vendor.inference_server.errors import WireError
from blender_addon.servers import LONGEST_NAME, Servers


def string(number: int, host: str = "example.org") -> str:
    return connection.write(Connection(host, 7000, bytes([number]) * 32, bytes([9]) * 32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "servers.json"


def test_what_is_kept_is_there_after_a_restart(path: Path) -> None:
    servers = Servers(path)
    assert servers.saved == [] and servers.chosen is None and not path.exists()
    first, second = servers.add(string(1)), servers.add(string(2))
    assert (first.name, second.name) == ("example.org:7000", "example.org:7000 (2)")
    again = Servers(path)
    assert again.saved == [first, second] and again.chosen == second
    again.choose(first.name)
    assert Servers(path).chosen == first
    again.choose("")
    assert Servers(path).chosen is None


def test_a_new_string_of_a_known_server_keeps_its_name(path: Path) -> None:
    servers = Servers(path)
    servers.add(string(1))
    servers.rename("example.org:7000", "Workshop")
    moved = servers.add(f"  {string(1, 'other.org')}\n")
    assert moved.name == "Workshop" and moved.string == string(1, "other.org")
    assert Servers(path).saved == [moved]


def test_names_stay_different_and_short(path: Path) -> None:
    servers = Servers(path)
    servers.add(string(1))
    servers.add(string(2))
    assert servers.rename("example.org:7000 (2)", "example.org:7000") == "example.org:7000 (2)"
    assert servers.rename("example.org:7000", "  ") == "example.org:7000"
    assert servers.rename("example.org:7000", "x" * 200) == "x" * LONGEST_NAME
    assert servers.current == "example.org:7000 (2)"
    with pytest.raises(KeyError):
        servers.rename("nobody", "somebody")


def test_a_removed_servers_key_is_gone_from_the_disk(path: Path) -> None:
    servers = Servers(path)
    kept, gone = servers.add(string(1)), servers.add(string(2))
    servers.remove(gone.name)
    assert gone.string not in path.read_text() and servers.chosen is None
    assert Servers(path).saved == [kept]
    with pytest.raises(KeyError):
        servers.remove(gone.name)


@pytest.mark.skipif(sys.platform == "win32", reason="the user's folder is the user's there")
def test_nobody_else_can_read_the_keys(path: Path) -> None:
    path.with_suffix(".part").touch(0o644)  # of a Blender that crashed
    servers = Servers(path)
    kept = servers.add(string(1))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert kept.string not in repr(kept)


def test_two_blenders_do_not_forget_each_others_servers(path: Path) -> None:
    first, second = Servers(path), Servers(path)
    one, two = first.add(string(1)), second.add(string(2))
    first.rename(one.name, "One")
    assert {each.name for each in Servers(path).saved} == {"One", two.name}


@pytest.mark.parametrize("text", ["", "[]", '{"format": 7}', '{"format": 1, "servers": [3]}'])
def test_a_file_that_cannot_be_read_is_put_aside(text: str, path: Path) -> None:
    path.write_text(text)
    assert Servers(path).saved == []
    assert path.with_suffix(".unread").read_text() == text


def test_a_damaged_string_is_refused_and_one_in_the_file_left_out(path: Path) -> None:
    servers = Servers(path)
    with pytest.raises(WireError):
        servers.add(string(1)[:-2])
    assert not path.exists()
    kept = servers.add(string(1))
    values = json.loads(path.read_text())
    values["servers"].append({"name": "bad", "string": "glimpse3d://nonsense"})
    path.write_text(json.dumps(values))
    assert Servers(path).saved == [kept]
