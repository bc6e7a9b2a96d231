"""A result's ZIP, which a stranger may have made, unpacked into a folder of checked files.

Owns what a bundle may hold and every check before a byte is trusted. Must not know what the files
mean, nor how a bundle is written. Standard library only, because the add-on carries a copy.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ..errors import BadFile, DiskFull, OutputFailed
from . import manifest
from .manifest import FileEntry, Manifest
from .streams import check_growth

# What a result is made of: data alone, nothing that a program would run.
SUFFIXES = (".glb", ".json", ".mp4", ".mtl", ".obj", ".ply", ".png", ".stl")
MAX_BYTES = 8 * 2**30  # of all files together

_END = struct.Struct("<4s4H2LH")  # the record that ends a ZIP
_END_MARK, _LARGE_MARK, _LARGE_SIZE = b"PK\5\6", b"PK\6\7", 20
_MAX_LIST = 2**20  # bytes of the list of entries
_PIECE = 2**20
_FORMS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_HINT = "a bundle is what `glimpse3d generate --zip` writes; fetch or make it again"
# All that zipfile raises on what is no ZIP, or a damaged or unusual one.
_BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError,
    struct.error,
)  # fmt: skip


def read_bundle(archive: Path, folder: Path) -> Manifest:
    """Unpack a bundle into ``folder``: all files, each proved by the manifest, or none.

    Nothing is written before names, sizes and the manifest were found in order; then each file
    is written no further than its size, and its SHA-256 is compared.

    Args:
        archive: the ZIP.
        folder: empty, or not there yet.

    Raises:
        BadFile: no ZIP, no bundle, damaged, or hostile.
        DiskFull, OutputFailed: the files cannot be written.
    """
    try:
        with archive.open("rb") as file:
            _check_end(file, archive.name)
            with zipfile.ZipFile(file) as opened:
                entries = _entries(opened)
                about = manifest.from_bytes(_manifest_bytes(opened, entries))
                _check(entries, about, archive.stat().st_size)
                _unpack(opened, about, folder)
    except _BROKEN as error:
        raise BadFile(f"{archive.name} is not a whole ZIP file: {error}", _HINT) from error
    except OSError as error:
        raise BadFile(f"{archive} cannot be read: {error.strerror}", "check the path") from error
    return about


def _check_end(file: IO[bytes], name: str) -> None:
    """Refuse a list of entries that is too long, before anything makes objects of it."""
    size = file.seek(0, 2)
    file.seek(max(size - _END.size - _LARGE_SIZE, 0))
    before = file.read(_LARGE_SIZE)[:4]
    file.seek(max(size - _END.size, 0))
    end = file.read(_END.size)
    if len(end) < _END.size or end[:4] != _END_MARK:
        raise BadFile(f"{name} is not a whole ZIP file", _HINT)
    _, _, _, _, count, listed, _, comment = _END.unpack(end)
    # The larger layout of a ZIP overrules these numbers, and no bundle needs it.
    if before == _LARGE_MARK or comment or count > manifest.MAX_ENTRIES or listed > _MAX_LIST:
        raise BadFile(f"{name} has more entries than a bundle has", _HINT)


def _entries(opened: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Name -> entry; nothing but plain files right in the bundle, each once."""
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in opened.infolist():
        name = entry.filename
        if entry.orig_filename != name or not (
            name == manifest.NAME or (manifest.is_flat_name(name) and _is_data(name))
        ):
            raise BadFile(f"{name[:100]!r} is not a name that a bundle's file has", _HINT)
        mode = entry.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise BadFile(f"{name} in the bundle is not a plain file", _HINT)
        if entry.flag_bits & _ENCRYPTED or entry.compress_type not in _FORMS:
            raise BadFile(f"{name} in the bundle is packed in a way that is not read", _HINT)
        if name in entries:
            raise BadFile(f"{name} is in the bundle twice", _HINT)
        entries[name] = entry
    return entries


def _is_data(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _manifest_bytes(opened: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo]) -> bytes:
    entry = entries.get(manifest.NAME)
    if entry is None:
        raise BadFile(f"the ZIP file lacks {manifest.NAME}", _HINT)
    if entry.file_size > manifest.MAX_BYTES:
        raise BadFile(f"the bundle's {manifest.NAME} is too large", _HINT)
    with opened.open(entry) as source:
        return source.read(manifest.MAX_BYTES)


def _check(entries: dict[str, zipfile.ZipInfo], about: Manifest, size: int) -> None:
    """The entries are the manifest's files, and come out of the archive's ``size`` bytes."""
    for name in sorted(entries.keys() ^ {*about.files, manifest.NAME}):
        lack = "does not hold" if name in about.files else "holds, and its manifest does not list,"
        raise BadFile(f"the bundle {lack} {name}", _HINT)
    for name, listed in about.files.items():
        if entries[name].file_size != listed.bytes:
            raise BadFile(f"{name} in the bundle is not as long as its manifest says", _HINT)
        check_growth(entries[name].compress_size, listed.bytes)
    total = sum(listed.bytes for listed in about.files.values())
    if total > MAX_BYTES:
        raise BadFile(f"the bundle's files take {total} bytes, {MAX_BYTES} at most", _HINT)
    packed = sum(entry.compress_size for entry in entries.values())
    if packed > size:
        raise BadFile("entries of the bundle lie over each other", _HINT)
    check_growth(packed, total)


def _unpack(opened: zipfile.ZipFile, about: Manifest, folder: Path) -> None:
    """Write the files, the manifest last; after a failure none of them is left."""
    made = not folder.exists()
    written: list[Path] = []
    try:
        _make_room(folder, about)
        for name, listed in about.files.items():
            written.append(folder / name)
            with opened.open(name) as source:
                _write(source, folder / name, listed)
        written.append(folder / manifest.NAME)
        with opened.open(manifest.NAME) as source, _disk_errors(folder):
            (folder / manifest.NAME).write_bytes(source.read(manifest.MAX_BYTES))
    except BaseException:
        for path in written:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _make_room(folder: Path, about: Manifest) -> None:
    total = sum(listed.bytes for listed in about.files.values())
    with _disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise OutputFailed(f"{folder} is not empty", "give an empty folder")
        free = shutil.disk_usage(folder).free
    if free < total:
        raise DiskFull(
            f"the bundle's files take {total / 1e6:.0f} MB, more than {folder} has room for",
            "free some space, or choose another disk",
        )


def _write(source: IO[bytes], path: Path, listed: FileEntry) -> None:
    digest, left = hashlib.sha256(), listed.bytes
    with _disk_errors(path), path.open("xb") as file:
        while piece := source.read(min(_PIECE, left + 1)):
            left -= len(piece)
            if left < 0:
                break
            digest.update(piece)
            file.write(piece)
    if left or digest.hexdigest() != listed.sha256:
        raise BadFile(f"{path.name} in the bundle is not the file that its manifest lists", _HINT)


@contextlib.contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(f"there is no room to write {path}", "free some space") from error
        raise OutputFailed(
            f"{path} cannot be written: {error.strerror or error}",
            "choose a folder that you may write to",
        ) from error
