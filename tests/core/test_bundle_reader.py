import contextlib
import hashlib
import io
import json
import random
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from glimpse3d.errors import BadFile, DiskFull, Glimpse3DError, OutputFailed
from glimpse3d.export import bundle as writer
from glimpse3d.formats import bundle, manifest
from glimpse3d.formats.bundle import read_bundle
from glimpse3d.formats.manifest import FileEntry, Manifest, ObjectFacts
from glimpse3d.progress import Progress
from tests.results import result


class Usage(NamedTuple):
    total: int
    used: int
    free: int


FILES = {"input.png": b"picture" * 50, "mesh.glb": bytes(range(256)) * 40, "splats.ply": b"ply\n"}


def entry_of(data: bytes) -> FileEntry:
    return FileEntry(len(data), hashlib.sha256(data).hexdigest())


def manifest_of(files: dict[str, FileEntry]) -> bytes:
    facts = ObjectFacts(1, 3, 1, (1.0, 1.0, 1.0), "house")
    return manifest.to_bytes(
        Manifest("test", "2026-01-31T12:00:00Z", facts, "input.png", {}, files=files)
    )


def about(files: dict[str, bytes]) -> bytes:
    return manifest_of({name: entry_of(data) for name, data in files.items()})


def zipped(
    entries: list[tuple[str | zipfile.ZipInfo, bytes]], form: int = zipfile.ZIP_DEFLATED
) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", form) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return stream.getvalue()


def whole(files: dict[str, bytes] = FILES) -> bytes:
    return zipped([*files.items(), ("manifest.json", about(files))])


def plain(name: str, mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, mode << 16
    return entry


def read(data: bytes, folder: Path) -> Manifest:
    archive = folder.parent / "a.g3d.zip"
    archive.write_bytes(data)
    return read_bundle(archive, folder)


def test_what_was_zipped_comes_back_byte_by_byte(tmp_path: Path) -> None:
    written = writer.save(result(), tmp_path / "out", Progress())
    archive = writer.zip_folder(tmp_path / "out", tmp_path / "out.zip")
    found = read_bundle(archive, tmp_path / "in")
    assert {path.name for path in (tmp_path / "in").iterdir()} == {path.name for path in written}
    for path in written:
        assert (tmp_path / "in" / path.name).read_bytes() == path.read_bytes()
    assert found.files == manifest.read(tmp_path / "out" / "manifest.json").files


def test_stored_entries_and_an_empty_folder_will_do(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    read(zipped([*FILES.items(), ("manifest.json", about(FILES))], zipfile.ZIP_STORED),
         tmp_path / "in")  # fmt: skip
    assert (tmp_path / "in" / "mesh.glb").read_bytes() == FILES["mesh.glb"]


def test_files_in_the_folder_are_never_touched(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "mesh.glb").write_text("mine")
    with pytest.raises(OutputFailed, match="not empty"):
        read(whole(), tmp_path / "in")
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["mesh.glb"]
    assert (tmp_path / "in" / "mesh.glb").read_text() == "mine"


def test_a_disk_without_room_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle.shutil, "disk_usage", lambda path: Usage(1, 1, 0))
    with pytest.raises(DiskFull):
        read(whole(), tmp_path / "in")
    assert not (tmp_path / "in").exists()


def renamed(name: str) -> Callable[[], bytes]:
    """An entry of that name, which the manifest, if it may, lists."""

    def make() -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for each, data in FILES.items():
                archive.writestr(each, data)
            archive.writestr("manifest.json", about(FILES))
            entry = zipfile.ZipInfo("x")
            entry.filename = name
            archive.writestr(entry, b"evil")
        return stream.getvalue()

    return make


def bomb() -> bytes:
    """A mesh of 40 MB zeros in 40 kB, honestly listed."""
    zeros = bytes(40_000_000)
    return whole({**FILES, "mesh.glb": zeros})


def many_bombs() -> bytes:
    """Each file grows to less than what is harmless alone; together they are 2 GB."""
    zeros = bytes(2**24)
    names = {f"view_{index:03d}.png": entry_of(zeros) for index in range(128)}
    about = manifest_of({**names, "input.png": entry_of(b"x")})
    stream = io.BytesIO()
    packed = zipped([("a.png", zeros)])
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("input.png", b"x")
        archive.writestr("manifest.json", about)
        with zipfile.ZipFile(io.BytesIO(packed)) as one:
            archive.writestr("view_000.png", zeros)
            first = archive.getinfo("view_000.png")
            assert one.getinfo("a.png").compress_size == first.compress_size
        for name in list(names)[1:]:  # the same bytes again: entries that lie over each other
            twin = zipfile.ZipInfo(name)
            twin.header_offset, twin.CRC = first.header_offset, first.CRC
            twin.compress_size, twin.file_size = first.compress_size, first.file_size
            twin.compress_type = first.compress_type
            archive.filelist.append(twin)
            archive.NameToInfo[name] = twin
            archive._didModify = True
    return stream.getvalue()


def lies_about_size() -> bytes:
    """Says that the mesh has the manifest's size; its stream goes on and on."""
    data = bytearray(whole({**FILES, "mesh.glb": bytes(20_000_000)}))
    small = manifest_of(
        {name: FileEntry(9, "0" * 64) if name == "mesh.glb" else entry_of(each)
         for name, each in FILES.items()}
    )  # fmt: skip
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        kept = {name: archive.read(name) for name in FILES}
    data = bytearray(zipped([*kept.items(), ("manifest.json", small)]))
    for mark, place in ((b"PK\1\2", 24), (b"PK\3\4", 22)):  # both places of the size
        at = data.index(mark)
        while b"mesh.glb" not in data[at : at + 60]:
            at = data.index(mark, at + 4)
        struct.pack_into("<I", data, at + place, 9)
    return bytes(data)


def many_entries() -> bytes:
    """A list of 300,000 entries, each of 46 bytes and a name."""
    head = struct.Struct("<4s6H3L5H2L")
    row = head.pack(b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    rows = row * 300_000
    return rows + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(rows), 0, 0)


def larger_layout() -> bytes:
    """Counts that look small, overruled by a record of the larger layout."""
    data = many_entries()
    rows = data[:-22]
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 300_000, 300_000,
                         len(rows), 0)  # fmt: skip
    place = struct.pack("<4sLQL", b"PK\6\7", 0, len(rows), 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 47, 0, 0)
    return rows + record + place + end


def encrypted() -> bytes:
    data = bytearray(whole())
    for mark, place in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        at = data.index(mark)
        data[at + place] |= 1
    return bytes(data)


def twice() -> bytes:
    with pytest.warns(UserWarning, match="Duplicate"):
        return zipped([*FILES.items(), ("mesh.glb", b"other"), ("manifest.json", about(FILES))])


def changed(name: str, data: bytes) -> Callable[[], bytes]:
    return lambda: zipped([*{**FILES, name: data}.items(), ("manifest.json", about(FILES))])


def edited(change: Callable[[dict[str, Any]], None]) -> Callable[[], bytes]:
    def make() -> bytes:
        value = json.loads(about(FILES))
        change(value)
        return zipped([*FILES.items(), ("manifest.json", json.dumps(value).encode())])

    return make


NAMES = [
    "../x.png", "..\\x.png", "/etc/passwd.png", "C:x.png", "a/b.png", "CON.png", "x.png\0.exe",
    "...", "mesh.glb ", "a:stream.png", "evil.py", "scene.blend", "model.fbx", "run.exe", "dir/",
    "Manifest.JSON", "", "\N{FULLWIDTH SOLIDUS}x.png",
]  # fmt: skip
HOSTILE: dict[str, Callable[[], bytes]] = {
    **{f"name {name!r}": renamed(name) for name in NAMES},
    "a link": lambda: zipped([*FILES.items(), (plain("l.png", 0o120777), b"/etc/passwd"),
                              ("manifest.json", about({**FILES, "l.png": b"/etc/passwd"}))]),
    "a folder": lambda: zipped([*FILES.items(), (plain("l.png", 0o040777), b""),
                                ("manifest.json", about({**FILES, "l.png": b""}))]),
    "a bomb": bomb,
    "entries over each other": many_bombs,
    "a size that lies": lies_about_size,
    "too many entries": many_entries,
    "too many entries, larger layout": larger_layout,
    "encrypted": encrypted,
    "twice the same name": twice,
    "packed with lzma": lambda: zipped([*FILES.items(), ("manifest.json", about(FILES))],
                                       zipfile.ZIP_LZMA),
    "another mesh": changed("mesh.glb", bytes(256 * 40)),
    "a shorter mesh": changed("mesh.glb", b"short"),
    "a file too many": lambda: zipped([*FILES.items(), ("more.png", b"x"),
                                       ("manifest.json", about(FILES))]),
    "a file too few": lambda: zipped([("input.png", FILES["input.png"]),
                                      ("manifest.json", about(FILES))]),
    "no manifest": lambda: zipped(list(FILES.items())),
    "a manifest of 40 MB": lambda: zipped([("manifest.json", bytes(40_000_000))]),
    "a manifest of brackets": lambda: zipped([("manifest.json", b"[" * 100_000)]),
    "a listed name upwards": edited(
        lambda value: value["files"].update({"../x.png": {"bytes": 1, "sha256": "0" * 64}})
    ),
    "a listed size of 2^80": edited(
        lambda value: value["files"]["mesh.glb"].update({"bytes": 2**80})
    ),
    "another format": edited(lambda value: value.update({"format": 2})),
    "nothing": lambda: b"",
    "no zip": lambda: b"glTF" * 1000,
    "a comment": lambda: whole()[:-2] + b"\5\0hello",
    "cut short": lambda: whole()[:-30],
}  # fmt: skip


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_a_hostile_bundle_is_refused_and_leaves_nothing(kind: str, tmp_path: Path) -> None:
    data = HOSTILE[kind]()
    archive = tmp_path / "a.g3d.zip"
    archive.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(BadFile) as caught:
        read_bundle(archive, tmp_path / "in")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.message and len(caught.value.message) < 500
    assert peak < 8 * 2**20
    assert [path.name for path in tmp_path.iterdir()] == ["a.g3d.zip"]


def test_damage_anywhere_is_noticed_or_harmless(tmp_path: Path) -> None:
    """A flipped byte is refused with a typed error, or the files are right all the same."""
    good, random_bytes = whole(), random.Random(5)
    refused = 0
    for index in range(200):
        data = bytearray(good)
        data[random_bytes.randrange(len(data))] ^= 1 << random_bytes.randrange(8)
        folder = tmp_path / f"in{index}"
        with contextlib.suppress(Glimpse3DError):
            found = read(bytes(data), folder)
            for name, entry in found.files.items():
                assert entry_of((folder / name).read_bytes()) == entry
            continue
        refused += 1
        assert not folder.exists()
    assert refused > 100


def test_every_beginning_of_a_bundle_is_refused(tmp_path: Path) -> None:
    good = whole()
    for length in range(0, len(good), 23):
        with pytest.raises(BadFile):
            read(good[:length], tmp_path / "in")
