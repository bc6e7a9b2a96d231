"""Removing everything: exactly what was listed, and as much as was said."""

import os
import sys
from pathlib import Path

import pytest

from blender_addon.removal import Removal


def made(folder: Path, names: dict[str, int]) -> None:
    for name, size in names.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))


def stepped(removal: Removal, until: str) -> int:
    steps = 0
    while removal.state != until:
        assert removal.step(1.0) or removal.state == until
        steps += 1
        assert steps < 100_000
    return steps


OURS = {
    "venv/bin/python": 100, "venv/lib/a.py": 5000, "venv-2/x": 3, "cache/http-v2/a": 8,
    "version.txt": 10, "install.log": 20, "server.log": 7, "data/key": 32,
    "data-2/jobs.sqlite3": 9000, "data.lock": 0,
}  # fmt: skip


def test_it_lists_measures_and_removes_what_is_ours_and_no_more(tmp_path: Path) -> None:
    user, server = tmp_path / "user", tmp_path / "chosen"
    made(server, {**OURS, "holiday.jpg": 50, "data-base/mine": 5, "database": 5})
    made(user, {"jobs/ab/job.json": 30, "servers.json": 40, "notes.txt": 5})
    (server / "venv" / "link").symlink_to(tmp_path / "elsewhere")
    made(tmp_path, {"elsewhere/precious": 100})
    removal = Removal(user, server)
    removal.begin()  # nobody has seen the list yet
    assert removal.state == "measuring"
    stepped(removal, "measured")
    assert [len(item.paths) for item in removal.items] == [5, 4, 1, 1]
    before = disk(tmp_path)
    expected = sum(item.bytes for item in removal.items)
    assert removal.bytes == expected > 14_000
    removal.begin()
    stepped(removal, "done")
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {
        "chosen/holiday.jpg", "chosen/data-base/mine", "chosen/database", "user/notes.txt",
        "elsewhere/precious",
    }  # fmt: skip
    if sys.platform == "linux":
        freed = before - disk(tmp_path)  # the parent folders may shrink, too
        assert abs(freed - expected) <= 16384
    assert removal.bytes == 0


def disk(folder: Path) -> int:
    return sum(
        512 * getattr(path.lstat(), "st_blocks", -(-path.lstat().st_size // 512))
        for path in folder.rglob("*")
    )


def test_folders_that_are_empty_then_go_too(tmp_path: Path) -> None:
    made(tmp_path / "user" / "server", {"version.txt": 3})
    made(tmp_path / "user", {"servers.json": 3})
    removal = Removal(tmp_path / "user", tmp_path / "user" / "server")
    stepped(removal, "measured")
    removal.begin()
    stepped(removal, "done")
    assert list(tmp_path.iterdir()) == []


def test_nothing_kept_is_nothing_listed(tmp_path: Path) -> None:
    removal = Removal(tmp_path / "user", tmp_path / "server")
    stepped(removal, "measured")
    assert removal.items == [] and removal.bytes == 0


def test_it_goes_on_in_small_steps(tmp_path: Path) -> None:
    made(tmp_path / "server", {f"venv/{number}": 1 for number in range(1000)})
    removal = Removal(tmp_path / "user", tmp_path / "server")
    assert stepped(removal, "measured") > 1


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may do anything")
def test_what_cannot_be_removed_is_told(tmp_path: Path) -> None:
    made(tmp_path / "server", {"venv/a": 1})
    removal = Removal(tmp_path / "user", tmp_path / "server")
    stepped(removal, "measured")
    (tmp_path / "server" / "venv").chmod(0o500)
    removal.begin()
    stepped(removal, "failed")
    (tmp_path / "server" / "venv").chmod(0o700)
    assert removal.problem is not None and removal.problem.hint
