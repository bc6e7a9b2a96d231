"""Folders and files that appear whole or not at all, and what the disk's refusals mean.

Owns temporary places, their clean-up after kills, the swap with a former result, and the
translation of operating-system errors. Must not know what a result consists of, beyond that its
manifest lists its files.

Beside the target ``out`` a workspace ``.out.glimpse3d-<random>`` holds ``lock``, ``new`` (what is
being written) and, during the swap, ``old`` (the former folder). The lock lives as long as its
process, so that a later run can tell a killed run's workspace from a busy one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from ..errors import BadFile, DiskFull, OutputFailed
from ..formats import manifest
from ..formats.manifest import FileEntry, Manifest

log = logging.getLogger(__name__)

_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
# What file browsers leave in a folder that its owner would call empty.
_LITTER = {".DS_Store", "desktop.ini", "Thumbs.db"}


@contextmanager
def output_errors(target: Path) -> Iterator[None]:
    """Turn the operating system's refusals into ours.

    Raises:
        DiskFull: no room on the disk, in the quota or under the file size limit.
        OutputFailed: any other refusal.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(
                f"there is no room to write {target}: {error.strerror}",
                "free some space, or write to another disk",
            ) from error
        raise OutputFailed(
            f"{target} cannot be written: {error.strerror or error}",
            "choose a folder that you may write to",
        ) from error


def sha256_of(path: Path) -> str:
    """Lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_target(target: Path) -> None:
    """Refuse, before any work, a folder that a result could not be put into; leaves no trace.

    Raises:
        OutputFailed: a file is there, or somebody else's folder, or it cannot be written.
        DiskFull: not even a small file has room.
    """
    with output_errors(target):
        place = _checked(target)
        ground = next((folder for folder in place.parents if folder.exists()), place.parent)
        probe = ground / f"{_prefix(place)}{secrets.token_hex(8)}"
        probe.mkdir()
        try:
            (probe / "lock").write_bytes(bytes(4096))
        finally:
            shutil.rmtree(probe, ignore_errors=True)


def _checked(target: Path) -> Path:
    """The real, absolute path of ``target``, if a result may be put there."""
    place = _real(target)
    if not place.exists():
        return place
    if not place.is_dir():
        raise OutputFailed(f"{target} is a file, not a folder", "name a folder that is not there")
    inside = f"name a folder inside it, such as {target / 'result'}"
    here = Path.cwd()
    if place in (here, *here.parents) or os.path.ismount(place):
        raise OutputFailed(
            f"{target} is a working folder or a disk and cannot be replaced as a whole", inside
        )
    if not is_replaceable(place):
        raise OutputFailed(f"{target} holds files that are not a result of Glimpse3D", inside)
    if not os.access(place, os.W_OK | os.X_OK):
        raise OutputFailed(f"{target} may not be written", "choose a folder that you may write to")
    return place


def _real(target: Path) -> Path:
    return Path(os.path.realpath(target))


def is_replaceable(folder: Path) -> bool:
    """Whether ``folder`` is empty or a former result."""
    names = {path.name for path in folder.iterdir()}
    return not (names - _LITTER) or _former(folder) is not None


def _former(folder: Path) -> Manifest | None:
    try:
        return manifest.read(folder / manifest.NAME)
    except BadFile:
        return None


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """An empty folder to write into; it becomes ``target`` when the block ends well.

    A former result in ``target`` is replaced as a whole; whatever in it is not byte for byte what
    its manifest lists is its owner's and is carried over. If anything fails, ctrl-C included,
    ``target`` stays as it was and nothing is left beside it.

    Raises:
        OutputFailed, DiskFull: see ``check_target`` and ``output_errors``.
    """
    with ExitStack() as stack:
        with output_errors(target):
            place = _checked(target)
            workspace = stack.enter_context(_workspace(place))
            new = workspace / "new"
            new.mkdir()
        yield new
        with output_errors(target):
            _sync_folder(new)
            _checked(target)  # a run takes minutes, and the folder was free for others
            _swap(new, workspace / "old", place)


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """A path to write a file to; it becomes ``target``, replacing it, when the block ends well."""
    with ExitStack() as stack:
        with output_errors(target):
            place = _real(target)
            if place.is_dir():
                raise OutputFailed(f"{target} is a folder, not a file", "choose another name")
            new = stack.enter_context(_workspace(place)) / "new"
        yield new
        with output_errors(target):
            _sync_file(new)
            new.replace(place)
            _sync_names(place.parent)


@contextmanager
def _parents(place: Path) -> Iterator[None]:
    """Make the folders above ``place``; take back those that it made if the block fails."""
    missing = [folder for folder in place.parents if not folder.exists()]
    try:
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
        yield
    except BaseException:
        for folder in missing:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _prefix(place: Path) -> str:
    return f".{place.name}.glimpse3d-"


@contextmanager
def _workspace(place: Path) -> Iterator[Path]:
    """A locked folder beside ``place``, gone when the block ends; killed runs' are cleared away."""
    with _parents(place):
        _clear_stale(place)
        workspace = place.with_name(f"{_prefix(place)}{secrets.token_hex(8)}")
        try:
            workspace.mkdir()
            with (workspace / "lock").open("wb") as lock:
                _try_lock(lock)
                try:
                    yield workspace
                finally:
                    _settle(workspace, place)
        finally:
            _discard(workspace)


def _try_lock(lock: IO[bytes]) -> bool:
    """Take the lock unless a living process holds it; the system frees it when its owner dies."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _clear_stale(place: Path) -> None:
    """Settle what killed runs for the same target left behind."""
    for workspace in sorted(place.parent.iterdir()):
        if not workspace.name.startswith(_prefix(place)):
            continue
        try:
            lock = (workspace / "lock").open("r+b")
        except OSError:  # not ours, or of a run that begins or ends in this moment
            continue
        with lock:
            stale = _try_lock(lock)
            if stale:
                log.info("clearing away %s, left by a run that was killed", workspace)
                _settle(workspace, place)
        if stale:
            _discard(workspace)


def _settle(workspace: Path, place: Path) -> None:
    """Empty a workspace; a former folder still in it first gives back what is its owner's."""
    old, spent = workspace / "old", workspace / "spent"
    if old.exists():
        with output_errors(place):
            if place.exists():
                _carry_over(old, place)
                # A kill while this is deleted must not make its files look like its owner's.
                old.rename(spent)
            else:
                old.rename(place)
    for folder in (workspace / "new", spent):
        shutil.rmtree(folder, ignore_errors=True)


def _discard(workspace: Path) -> None:
    if not (workspace / "old").exists():  # else it could not be settled and holds a user's files
        shutil.rmtree(workspace, ignore_errors=True)


def _swap(new: Path, old: Path, place: Path) -> None:
    if not place.exists():
        new.rename(place)
    else:
        shutil.copymode(place, new)
        try:
            place.rename(old)
            new.rename(place)
        except BaseException:
            if old.exists() and not place.exists():
                old.rename(place)
            raise
    _sync_names(place.parent)


def _carry_over(old: Path, place: Path) -> None:
    """Move what is not ours from the former folder into the new one, under a free name."""
    former = _former(old)
    listed = former.files if former else {}
    for path in sorted(old.iterdir()):
        if path.name == manifest.NAME and former:
            continue
        try:
            if not _is_ours(path, listed.get(path.name)):
                path.rename(_free_name(place, path.name))
        except OSError as error:
            raise OutputFailed(
                f"{path.name} could not be carried over into {place}: {error.strerror}",
                f"move it yourself, it lies in {old}",
            ) from error


def _is_ours(path: Path, entry: FileEntry | None) -> bool:
    if entry is None or path.is_symlink() or not path.is_file():
        return False
    return path.stat().st_size == entry.bytes and sha256_of(path) == entry.sha256


def _free_name(folder: Path, name: str) -> Path:
    """``folder / name``, or ``name.kept-1.suffix`` and so on if that is taken."""
    path, count = folder / name, 1
    while os.path.lexists(path):
        stem, suffix = Path(name).stem, Path(name).suffix
        path, count = folder / f"{stem}.kept-{count}{suffix}", count + 1
    return path


def _sync_folder(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        _sync_file(path)
    _sync_names(folder)


def _sync_file(path: Path) -> None:
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _sync_names(folder: Path) -> None:
    """Make the folder's own list of names durable, where the system offers that."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems have no such thing and say so; all else is a failed write.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
