"""Folders that appear whole or not at all, and what becomes of what was there before."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from glimpse3d.errors import DiskFull, Glimpse3DError, OutputFailed
from glimpse3d.export.folder import (
    atomic_file,
    atomic_folder,
    check_target,
    output_errors,
    sha256_of,
)
from glimpse3d.formats import manifest
from glimpse3d.formats.manifest import FileEntry, Manifest, ObjectFacts

ROOT = Path(__file__).parents[2]
POSIX = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals and permissions")


def fill(folder: Path, **texts: str) -> None:
    """What a run leaves: files, and a manifest that lists them."""
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text)
    files = {p.name: FileEntry(p.stat().st_size, sha256_of(p)) for p in sorted(folder.iterdir())}
    facts = ObjectFacts(1, 1, 1, (1.0, 1.0, 1.0), "+Z up")
    about = Manifest("test", "2026-01-01T00:00:00Z", facts, next(iter(files)), {}, files=files)
    (folder / manifest.NAME).write_bytes(manifest.to_bytes(about))


def save(target: Path, **texts: str) -> None:
    with atomic_folder(target) as new:
        fill(new, **texts)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder``; empty folders as ``name/``."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file():
            found[name] = path.read_bytes()
        elif not any(path.iterdir()):
            found[name + "/"] = b""
    return found


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_a_new_folder_with_its_parents(tmp_path: Path) -> None:
    save(tmp_path / "a" / "b" / "out", one="1")
    assert set(tree(tmp_path)) == {"a/b/out/one.txt", "a/b/out/manifest.json"}


@POSIX
def test_the_folder_is_as_open_as_any_other(tmp_path: Path, out: Path) -> None:
    (tmp_path / "plain").mkdir()
    save(out, one="1")
    assert out.stat().st_mode == (tmp_path / "plain").stat().st_mode
    out.chmod(0o2770)
    save(out, one="2")
    assert out.stat().st_mode & 0o7777 == 0o2770


def test_an_empty_folder_is_replaced(tmp_path: Path, out: Path) -> None:
    out.mkdir()
    save(out, one="1")
    assert set(tree(tmp_path)) == {"out/one.txt", "out/manifest.json"}


def test_a_former_result_is_replaced_and_its_owners_files_stay(tmp_path: Path, out: Path) -> None:
    save(out, one="1", two="2")
    (out / "notes.txt").write_text("mine")
    (out / "renders").mkdir()
    (out / "renders" / "scene.blend").write_text("mine too")
    (out / "nothing yet").mkdir()
    save(out, one="11", three="3")
    found = tree(tmp_path)
    del found["out/manifest.json"]
    assert found == {
        "out/one.txt": b"11",
        "out/three.txt": b"3",
        "out/notes.txt": b"mine",
        "out/renders/scene.blend": b"mine too",
        "out/nothing yet/": b"",
    }


def test_what_its_owner_changed_or_named_alike_is_kept_under_another_name(out: Path) -> None:
    save(out, one="1", same="=")
    (out / "one.txt").write_text("edited for hours")
    (out / "new.txt").write_text("mine")
    save(out, one="11", same="=", new="theirs")
    found = tree(out)
    assert found["one.txt"] == b"11" and found["one.kept-1.txt"] == b"edited for hours"
    assert found["new.txt"] == b"theirs" and found["new.kept-1.txt"] == b"mine"
    assert "same.kept-1.txt" not in found
    (out / "one.txt").write_text("edited again")
    save(out, one="111")
    assert tree(out)["one.kept-2.txt"] == b"edited again"


@POSIX
def test_a_link_is_followed_to_the_folder_and_kept(tmp_path: Path) -> None:
    save(tmp_path / "real", one="1")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real" / "elsewhere").symlink_to("/etc/hostname")
    save(tmp_path / "link", one="2")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "one.txt").read_text() == "2"
    assert (tmp_path / "real" / "elsewhere").readlink() == Path("/etc/hostname")


def test_what_browsers_leave_does_not_make_a_folder_somebodys(out: Path) -> None:
    out.mkdir()
    (out / ".DS_Store").write_bytes(b"icons")
    save(out, one="1")
    assert tree(out)[".DS_Store"] == b"icons"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, OSError])
@pytest.mark.parametrize("before", ["nothing", "result"])
def test_failing_inside_leaves_everything_as_it_was(
    error: type[BaseException], before: str, tmp_path: Path
) -> None:
    target = tmp_path / "deep" / "out"
    if before == "result":
        save(target, one="1")
    untouched = tree(tmp_path)
    with pytest.raises(error), atomic_folder(target) as new:
        fill(new, one="half")
        raise error
    assert tree(tmp_path) == untouched


@pytest.mark.parametrize("step", ["old aside", "new in", "sync"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, PermissionError(errno.EACCES, "no")])
def test_failing_in_the_swap_restores_the_former_result(
    step: str, error: BaseException, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(out, one="1")
    (out / "notes.txt").write_text("mine")
    untouched = tree(out.parent)
    rename, sync = Path.rename, os.fsync

    def failing(self: Path, target: Path) -> Path:
        if (step, target.name) == ("old aside", "old") or (step, self.name) == ("new in", "new"):
            raise error
        return rename(self, target)

    def failing_sync(descriptor: int) -> None:
        if step == "sync":
            raise error
        sync(descriptor)

    monkeypatch.setattr(Path, "rename", failing)
    monkeypatch.setattr(os, "fsync", failing_sync)
    with pytest.raises((KeyboardInterrupt, OutputFailed)):
        save(out, one="2")
    monkeypatch.undo()
    assert tree(out.parent) == untouched


def test_files_that_cannot_be_carried_over_are_not_lost(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(out, one="1")
    (out / "notes.txt").write_text("mine")
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == "notes.txt":
            raise PermissionError(errno.EACCES, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OutputFailed, match=r"notes\.txt could not be carried over") as caught:
        save(out, one="2")
    monkeypatch.undo()
    place = Path(caught.value.hint.rpartition(" ")[2])
    assert (place / "notes.txt").read_text() == "mine"
    save(out, one="3")  # and the next run brings them home
    assert (out / "notes.txt").read_text() == "mine"
    assert [path.name for path in out.parent.iterdir()] == ["out"]


KILLED = """
import os, signal, sys
from pathlib import Path
from glimpse3d.export import folder
from tests.core.test_folder import fill
moment, target = sys.argv[1], Path(sys.argv[2])
rename, carry = Path.rename, folder._carry_over
def die(): os.kill(os.getpid(), signal.SIGKILL)
def watched(self, to):
    if moment == "between" and self.name == "new": die()
    return rename(self, to)
def carried(old, place):
    if moment == "before carrying": die()
    carry(old, place)
    if moment == "after carrying": die()
Path.rename, folder._carry_over = watched, carried
with folder.atomic_folder(target) as new:
    fill(new, one="2")
    if moment == "writing": die()
"""


@POSIX
@pytest.mark.parametrize("moment", ["writing", "between", "before carrying", "after carrying"])
def test_a_killed_run_is_cleared_away_by_the_next(moment: str, out: Path) -> None:
    save(out, one="1", two="2")
    (out / "notes.txt").write_text("mine")
    command = [sys.executable, "-c", KILLED, moment, str(out)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert len(list(out.parent.glob(".out.glimpse3d-*"))) == 1
    save(out, one="3")
    assert set(tree(out.parent)) == {"out/one.txt", "out/manifest.json", "out/notes.txt"}
    assert tree(out)["one.txt"] == b"3"


def test_a_busy_runs_folder_and_strangers_are_left_alone(tmp_path: Path, out: Path) -> None:
    other = tmp_path / ".output.glimpse3d-1"
    other.mkdir()
    (tmp_path / ".out.glimpse3d-looks-like-it").mkdir()
    with atomic_folder(out) as new:
        save(out, one="a whole run in between")
        assert new.is_dir()
        fill(new, one="the slower one")
    assert (out / "one.txt").read_text() == "the slower one"
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"out", other.name, ".out.glimpse3d-looks-like-it"}


def somebodys(path: Path) -> Path:
    path.mkdir()
    (path / "diary.txt").write_text("mine")
    return path


def with_a_foreign_manifest(path: Path) -> Path:
    path.mkdir()
    (path / "manifest.json").write_text(json.dumps({"name": "a web page", "icons": []}))
    return path


def a_file(path: Path) -> Path:
    path.write_text("mine")
    return path


def below_a_file(path: Path) -> Path:
    path.write_text("mine")
    return path / "below"


TARGETS = {
    each.__name__: each for each in (somebodys, with_a_foreign_manifest, a_file, below_a_file)
}


@pytest.mark.parametrize("case", TARGETS)
def test_what_is_not_ours_is_refused_and_untouched(case: str, tmp_path: Path, out: Path) -> None:
    target = TARGETS[case](out)
    untouched = tree(tmp_path)
    for attempt in (check_target, save):
        with pytest.raises(OutputFailed) as caught:
            attempt(target)
        assert caught.value.hint
    assert tree(tmp_path) == untouched


def test_the_working_folder_is_refused(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (out / "inner").mkdir(parents=True)
    monkeypatch.chdir(out / "inner")
    for target in (Path(), Path(".."), out):
        with pytest.raises(OutputFailed, match="working folder") as caught:
            check_target(target)
        assert "result" in caught.value.hint
    check_target(Path("result"))
    assert list((out / "inner").iterdir()) == []


def test_the_disks_root_is_refused() -> None:
    with pytest.raises(OutputFailed):
        check_target(Path("/"))


def test_checking_leaves_no_trace(tmp_path: Path) -> None:
    save(tmp_path / "before", one="1")
    (tmp_path / "empty").mkdir()
    untouched = tree(tmp_path)
    for target in ("before", "empty", "new", "deep/er/new"):
        check_target(tmp_path / target)
    assert tree(tmp_path) == untouched


@POSIX
@pytest.mark.skipif(os.name != "nt" and os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_refused(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    with pytest.raises(OutputFailed, match="Permission denied"):
        check_target(locked / "out")


def test_somebody_who_came_in_between_loses_nothing(out: Path) -> None:
    with pytest.raises(OutputFailed, match="not a result"), atomic_folder(out) as new:
        fill(new, one="1")
        somebodys(out)
    assert tree(out.parent) == {"out/diary.txt": b"mine"}


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EFBIG, DiskFull),
        (errno.EACCES, OutputFailed),
        (errno.EROFS, OutputFailed),
        (errno.ENOTDIR, OutputFailed),
        (errno.EIO, OutputFailed),
    ],
)
def test_refusals_of_the_system_are_told_apart(number: int, expected: type[Glimpse3DError]) -> None:
    with pytest.raises(expected) as caught, output_errors(Path("out")):
        raise OSError(number, os.strerror(number))
    assert caught.value.hint and os.strerror(number) in caught.value.message


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "bundle.zip"
    with atomic_file(path) as new:
        new.write_bytes(b"first")
    with pytest.raises(KeyboardInterrupt), atomic_file(path) as new:
        new.write_bytes(b"sec")
        raise KeyboardInterrupt
    assert tree(tmp_path) == {"deep/bundle.zip": b"first"}
    with atomic_file(path) as new:
        new.write_bytes(b"second")
    assert tree(tmp_path) == {"deep/bundle.zip": b"second"}
    with pytest.raises(OutputFailed, match="is a folder"), atomic_file(path.parent):
        pass
