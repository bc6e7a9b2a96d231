"""Splat files from strangers: refused at once, with a typed error, without taking memory."""

import gzip
import json
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from glimpse3d.errors import BadFile, Glimpse3DError
from glimpse3d.formats import glb_chunks, splat_compressed, splat_glb, splat_ply, splat_spz, splats
from glimpse3d.formats import splat_antimatter as antimatter
from tests.splats.clouds import some_cloud
from tests.splats.golden import make

CLOUD = some_cloud(300, 1)
GOOD = {
    "good.ply": b"".join(splat_ply.parts(CLOUD)),
    "packed.ply": b"".join(splat_compressed.parts(CLOUD)),
    "v2.spz": b"".join(splat_spz.parts(CLOUD, version=2)),
    "v4.spz": b"".join(splat_spz.parts(CLOUD, version=4)),
    "axes.spz": b"".join(splat_spz.parts(CLOUD, "blender", 3)),
    "good.splat": b"".join(antimatter.parts(CLOUD)),
    "good.glb": b"".join(splat_glb.parts(CLOUD)),
    "good.ksplat": (Path(make.__file__).parent / "scene.1.ksplat").read_bytes(),
}
TEXT = b"It was a dark and stormy night, and nobody had any splats. " * 40


def ply(body: bytes = b"", count: object = 1, **changes: str) -> bytes:
    """A PLY of x, y, z only but for what is changed."""
    lines = ["ply", changes.get("format", "format binary_little_endian 1.0")]
    lines += [f"element vertex {count}"]
    lines += [changes.get("property", "property float x"), "property float y", "property float z"]
    return "\n".join([*lines, "end_header", ""]).encode() + body


def packed_header(chunks: int, vertices: int, sh: int = 0) -> bytes:
    head = GOOD["packed.ply"].partition(b"end_header\n")[0].decode()
    head = head.replace("element chunk 2", f"element chunk {chunks}")
    head = head.replace("element vertex 300", f"element vertex {vertices}")
    return (head.replace("element sh 300", f"element sh {sh}") + "end_header\n").encode()


def spz(version: int, count: int, degree: int = 0, flags: int = 0, last: int = 0) -> bytes:
    return struct.pack("<4sIIBBBB", b"NGSP", version, count, degree, 12, flags, last)


def spz4(count: int, sizes: list[tuple[int, int]], place: int = 32, body: bytes = b"") -> bytes:
    table = b"".join(struct.pack("<QQ", *pair) for pair in sizes)
    return spz(4, count, 0, 0, len(sizes)) + struct.pack("<I12x", place) + table + body


def glb(change: Callable[[dict], object] = lambda tree: None, binary: bytes | None = None) -> bytes:
    """The good GLB with its JSON changed."""
    parsed = glb_chunks.parse(memoryview(GOOD["good.glb"]))
    tree = json.loads(json.dumps(parsed.json))
    change(tree)
    body = bytes(parsed.binary) if binary is None else binary
    return glb_chunks.head(tree, len(body)) + body


def set_in(*path: object) -> Callable[[dict], object]:
    """A change that puts the last of ``path`` where the others lead."""

    def change(tree: dict) -> None:
        *way, name, value = path
        for step in way:
            tree = tree[step]
        tree[name] = value

    return change


def cyclic(tree: dict) -> None:
    tree["nodes"] = [{"children": [1]}, {"children": [0], "mesh": 0}]


def raw_glb(text: bytes) -> bytes:
    text += b" " * (-len(text) % 4)
    return struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text), len(text), b"JSON") + text


def ksplat(**fields: int) -> bytes:
    data = bytearray(GOOD["good.ksplat"])
    places = {"major": (0, "<B"), "sections": (4, "<I"), "count": (16, "<I"), "level": (20, "<H")}
    places |= {"splats": (4096, "<I"), "most": (4100, "<I"), "capacity": (4104, "<I")}
    places |= {"buckets": (4108, "<I"), "full": (4128, "<I"), "degree": (4136, "<H")}
    for name, value in fields.items():
        struct.pack_into(places[name][1], data, places[name][0], value)
    return bytes(data)


KHR = "KHR_gaussian_splatting"
PRIMITIVE = ("meshes", 0, "primitives", 0)
HOSTILE: dict[str, bytes] = {
    "empty.ply": b"",
    "text.ply": TEXT,
    "text.spz": TEXT,
    "text.splat": TEXT[: len(TEXT) // 32 * 32],
    "odd.splat": GOOD["good.splat"][:-1],
    "text.ksplat": TEXT * 3,
    "text.glb": TEXT,
    "text.xyz": TEXT,
    "count.ply": ply(bytes(12), 10**12),
    "overflow.ply": ply(bytes(12), 2**64),
    "negative.ply": ply(bytes(12), -1),
    "list.ply": ply(bytes(12), property="property list uint float x"),
    "types.ply": ply(bytes(12), property="property string x"),
    "ascii.ply": ply(b"0 0 0\n", format="format ascii 1.0"),
    "endless.ply": b"ply\n" + b"comment x\n" * 10**5,
    "mesh.ply": ply(bytes(12)),
    "no rows.ply": ply(b"", 0),
    "chunks.ply": packed_header(10**12, 256 * 10**12),
    "few chunks.ply": packed_header(1, 300, 300) + bytes(72 + 300 * 25),
    "few sh.ply": packed_header(2, 300, 200) + bytes(144 + 300 * 16 + 200 * 9),
    "version.spz": gzip.compress(spz(9, 1)),
    "degree.spz": gzip.compress(spz(3, 1, 7)),
    "billions.spz": gzip.compress(spz(3, 2**32 - 1, 4)),
    "zeros.spz": gzip.compress(bytes(2 * 10**7)),
    "bomb.spz": gzip.compress(spz(3, 10**6) + bytes(10**8)),
    "larger.spz": gzip.compress(spz(3, 4) + bytes(10**7)),
    "checksum.spz": GOOD["v2.spz"][:-8] + bytes(4) + GOOD["v2.spz"][-4:],
    "not deflate.spz": b"\x1f\x8b" + TEXT,
    "axes.spz": gzip.compress(spz(3, 0, 0, 2) + struct.pack("<III", 0xADBE0003, 4, 3)),
    "header4.spz": spz(4, 5),
    "table4.spz": spz4(5, [(1, 45)] * 5, place=2**32 - 1),
    "sizes4.spz": spz4(5, [(2**63, 45)] * 5),
    "huge4.spz": spz4(2**32 - 1, [(0, (2**32 - 1) * n) for n in (9, 1, 3, 3, 4)]),
    "wrong4.spz": spz4(5, [(4, 44)] * 5, body=bytes(20)),
    "junk4.spz": spz4(5, [(4, 5 * n) for n in (9, 1, 3, 3, 4)], body=bytes(20)),
    "streams4.spz": spz4(5, [(0, 0)] * 255),
    "four as three.spz": gzip.compress(spz(4, 0)),
    "three as four.spz": spz(3, 0) + bytes(16),
    "short.glb": GOOD["good.glb"][:19],
    "length.glb": GOOD["good.glb"] + b"\0",
    "no json.glb": struct.pack("<4sIII4s", b"glTF", 2, 20, 0, b"BIN\0"),
    "chunk.glb": struct.pack("<4sIII4s", b"glTF", 2, 20, 2**32 - 1, b"JSON"),
    "depth.glb": raw_glb(b"[" * 100_000),
    "number.glb": raw_glb(b'{"a":' + b"9" * 5000 + b"}"),
    "infinite.glb": raw_glb(b'{"a":1e999}'),
    "nothing.glb": raw_glb(b"{}"),
    "uri.glb": glb(set_in("buffers", 0, "uri", "file:///etc/passwd")),
    "buffers.glb": glb(set_in("buffers", [{"byteLength": 1}] * 2)),
    "count.glb": glb(set_in("accessors", 0, "count", 2**31 - 1)),
    "negative.glb": glb(set_in("accessors", 0, "count", -1)),
    "offset.glb": glb(set_in("bufferViews", 0, "byteOffset", 2**40)),
    "stride.glb": glb(set_in("bufferViews", 0, "byteStride", 1)),
    "kind.glb": glb(set_in("accessors", 0, "type", "MAT4")),
    "component.glb": glb(set_in("accessors", 0, "componentType", 1)),
    "sparse.glb": glb(set_in("accessors", 0, "sparse", {"count": 10**9})),
    "bufferless.glb": glb(set_in("accessors", 0, "bufferView", None)),
    "index.glb": glb(set_in(*PRIMITIVE, "attributes", "POSITION", 99)),
    "true.glb": glb(set_in(*PRIMITIVE, "attributes", "POSITION", True)),
    "kernel.glb": glb(set_in(*PRIMITIVE, "extensions", KHR, "kernel", "box")),
    "packed.glb": glb(set_in(*PRIMITIVE, "extensions", KHR, "extensions", {"spz": {}})),
    "triangles.glb": glb(set_in(*PRIMITIVE, "mode", 4)),
    "unequal.glb": glb(set_in("accessors", 3, "count", 7)),
    "cycle.glb": glb(cyclic),
    "self.glb": glb(set_in("nodes", 0, "children", [0])),
    "matrix.glb": glb(set_in("nodes", 0, "matrix", [0.0] * 16)),
    "version.ksplat": ksplat(major=7),
    "level.ksplat": ksplat(level=3),
    "sections.ksplat": ksplat(sections=2**32 - 1),
    "count.ksplat": ksplat(count=2**32 - 1),
    "most.ksplat": ksplat(most=2**32 - 1),
    "splats.ksplat": ksplat(splats=2**32 - 1, most=2**32 - 1),
    "buckets.ksplat": ksplat(buckets=2**32 - 1),
    "full.ksplat": ksplat(full=2**32 - 1, buckets=2**32 - 1),
    "degree.ksplat": ksplat(degree=9),
    "capacity.ksplat": ksplat(capacity=0),
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_files_are_refused_at_once(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(HOSTILE[name])
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(BadFile) as caught:
        splats.read(path)
    seconds = time.process_time() - start
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 0.1 and peak < 100 * 2**20
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", list(GOOD))
def test_cut_files_are_refused_at_once(name: str, tmp_path: Path) -> None:
    whole = GOOD[name]
    path = tmp_path / name
    path.write_bytes(whole)
    assert len(splats.read(path).cloud) in (260, 300)
    cuts = np.linspace(1, len(whole) - 1, 40).astype(int)
    for cut in cuts[cuts % 32 > 0] if name.endswith(".splat") else cuts:
        path.write_bytes(whole[:cut])
        with pytest.raises(BadFile):
            splats.read(path)


@pytest.mark.parametrize("name", list(GOOD))
def test_noise_never_gets_past_a_typed_error(name: str, tmp_path: Path) -> None:
    random = np.random.default_rng(zlib.crc32(name.encode()))
    whole = GOOD[name]
    path = tmp_path / name
    refused = 0
    for attempt in range(90):
        noisy = np.frombuffer(whole, np.uint8).copy()
        # Headers first: that is where a byte does most.
        end = min(len(noisy), (64, 2000, len(noisy))[attempt % 3])
        places = random.integers(0, end, random.integers(1, 6))
        noisy[places] = random.integers(0, 256, len(places))
        path.write_bytes(noisy.tobytes())
        try:
            cloud = splats.read(path).cloud
            assert len(cloud) <= 10_000
        except Glimpse3DError:
            refused += 1
    # Bytes of a .splat may be anything.
    assert refused > 12 or name.endswith(".splat")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.ply", tmp_path):
        with pytest.raises(BadFile, match="cannot be read"):
            splats.read(path)
