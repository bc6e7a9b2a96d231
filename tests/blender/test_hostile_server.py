"""A server that means no good: Blender stays quick, the panels readable, the scene untouched."""

import json
import struct
import zlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest

from tests.blender.hostile import BOX, Hostile, served
from tests.blender.serving import Addon
from tests.blender.test_flow_panels import drawn
from tests.blender.test_scene_mesh import pack, unpack

KINDS = ("objects", "meshes", "cameras", "materials", "images", "node_groups", "actions",
         "collections", "pointclouds")  # fmt: skip
EVIL = "a\x00b\x1b[31m\r\nc\u202ed \u2066e " + "long words without end " * 80
PANELS = ("view_server", "view_input", "view_generate", "view_jobs")


@pytest.fixture
def hostile(addon: ModuleType, ui: Addon) -> Iterator[Hostile]:
    with served(addon) as server:
        yield server
        ui.session.disconnect()


def blocks() -> dict[str, list[str]]:
    return {kind: sorted(each.name for each in getattr(bpy.data, kind)) for kind in KINDS}


def row(**about: Any) -> dict[str, Any]:
    return {
        "name": "extra",
        "type": "int",
        "default": 1,
        "low": 0,
        "high": 9,
        "help": EVIL,
        **about,
    }


CATALOGUES: dict[str, dict[str, Any]] = {
    "names of Blender's own": {"settings": [
        row(name=name) for name in ("is_property_set", "property_unset", "name", "keys", "bl_rna")
    ]},
    "words with zeros": {"settings": [
        row(type="str", default="a\0b"),
        row(name="other", type="str", default="\0", choices=["\0"]),
    ]},
    "a default beyond the menu": {"settings": [
        row(type="str", default="c99", choices=[f"c{number}" for number in range(100)]),
        row(name="twice", type="str", default="b", choices=["b", "", "b"]),
    ]},
    "limits of nowhere": {"settings": [
        row(low=9, high=0), row(name="b", default=2**62, high=2**63), row(name="c", default=True),
        row(name="d", type="float", default=1e308, low=-1e308, high=1e308), row(name=["e"]),
    ]},
    "ten thousand": {"backends": {
        f"stage{stage}": [
            {"name": f"b{each}", "title": EVIL[:99], "when": EVIL[:99],
             "settings": [row(name=f"n{number}", help="") for number in range(25)]}
            for each in range(20)
        ]
        for stage in range(20)
    }},
    "weights": {"weights": [
        {"stage": "reconstructor", "backend": "x", "title": EVIL, "licence": EVIL, "source": EVIL,
         "bytes": 2**63, "left": -5, "lacks": EVIL}
    ] * 80, "backends": {"reconstructor": [{"name": "x", "title": EVIL, "when": EVIL}] * 80}},
}  # fmt: skip


@pytest.mark.parametrize("kind", list(CATALOGUES))
def test_settings_of_any_kind_leave_the_panels_alive(
    ui: Addon, hostile: Hostile, disc: bpy.types.Image, kind: str
) -> None:
    hostile.catalogue = CATALOGUES[kind]
    ui.held.clear(), ui.busy.clear()
    ui.connect(hostile.string)
    ui.until(lambda: ui.session.state == "ready")
    ui.pulse.tick()
    assert ui.pulse.trouble() is None
    text = " ".join(drawn(f"GLIMPSE3D_PT_{panel}") for panel in PANELS)
    assert "\0" not in text and "\x1b" not in text and "\u202e" not in text
    assert bpy.ops.glimpse3d.reset_settings() == {"FINISHED"}
    job = ui.generate(disc, "{}")
    ui.until(lambda: job.state == "running")
    assert max(ui.busy) < 1.5, "a megabyte is unpacked once, when the server is met"


def test_four_thousand_methods_are_a_menu_that_opens(ui: Addon, hostile: Hostile) -> None:
    rows = [{"name": f"m{number}", "title": "t", "when": "w"} for number in range(4000)]
    hostile.catalogue = {"backends": {"reconstructor": rows}}
    ui.connect(hostile.string)
    assert [each.name for each in ui.session.weights.methods] == [f"m{n}" for n in range(64)]


def test_words_without_end_are_a_few_lines(
    ui: Addon, hostile: Hostile, disc: bpy.types.Image
) -> None:
    hostile.job = {"stage": EVIL[:64], "note": EVIL[:200]}
    ui.connect(hostile.string)
    job = ui.generate(disc, "{}")
    ui.until(lambda: job.state == "running")
    text = drawn("GLIMPSE3D_PT_view_generate")
    assert "A b [31m cd e" in text and len(text) < 700
    problem = {"code": EVIL[:40], "message": EVIL, "hint": EVIL}
    hostile.job = {"state": "failed", "problem": problem}
    ui.ends(job)
    for panel in ("generate", "jobs"):
        text = drawn(f"GLIMPSE3D_PT_view_{panel}")
        assert "A b [31m cd e" in text and len(text) < 1200, len(text)
    assert all(each.isprintable() for each in (job.problem.message, job.problem.hint))


FRACTIONS: tuple[Any, ...] = (0.9, 0.1, 7.0, -1.0, float("nan"), float("inf"), 10**18, "half", None)


def test_progress_of_any_kind_and_its_cancellation(
    ui: Addon, hostile: Hostile, disc: bpy.types.Image
) -> None:
    ui.connect(hostile.string)
    job = ui.generate(disc, "{}")
    ui.until(lambda: job.state == "running")
    hostile.pushed = lambda body: [
        ("event", {**body, "seq": body["seq"] + number, "fraction": fraction}, b"")
        for number, fraction in enumerate(FRACTIONS, 1)
    ]
    bpy.ops.glimpse3d.cancel(job=job.id)  # each answer brings them along
    ui.until(lambda: job.fraction == 0.1, 10)
    for _ in range(30):
        ui.pulse.tick()
        assert 0 <= job.fraction <= 1 and ui.pulse.trouble() is None
    assert drawn("GLIMPSE3D_PT_view_generate")
    hostile.silent = {"get", "cancel"}  # and now for ever
    assert bpy.ops.glimpse3d.remove_job(job=job.id) == {"FINISHED"}
    assert not ui.jobs


def png(width: int, height: int) -> bytes:
    """Black, one bit a pixel: a thousandth of what it becomes."""
    line = b"\0" * (1 + (width + 7) // 8)
    packer = zlib.compressobj(9)
    data = b"".join([*(packer.compress(line) for _ in range(height)), packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    chunks = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_a_flood_of_news_with_pictures_holds_nobody_up(
    ui: Addon, hostile: Hostile, disc: bpy.types.Image
) -> None:
    ui.connect(hostile.string)
    job = ui.generate(disc, "{}")
    ui.until(lambda: job.state == "running")
    picture = png(64, 64) + bytes(120_000)

    def flood(body: dict[str, Any]) -> list[Any]:
        states = ("queued", "running")
        return [
            ("event", {**body, "seq": body["seq"] + each, "state": states[each % 2],
                       "fraction": each / 2000}, picture)
            for each in range(1, 2001)
        ]  # fmt: skip

    hostile.pushed = flood
    bpy.ops.glimpse3d.cancel(job=job.id)  # its answer brings them along
    ui.busy.clear()
    ui.until(lambda: job.fraction == 1.0, 30)
    assert 1 <= job.previews <= len(ui.busy), "at most one picture a tick is kept"
    longest = sorted(ui.busy)[-2]  # one may be the collector's
    assert longest < 0.03, f"{longest:.3f} s of a tick"


def test_previews_that_are_bombs_are_never_decoded(
    ui: Addon, hostile: Hostile, disc: bpy.types.Image
) -> None:
    ui.connect(hostile.string)
    hostile.preview = png(64, 64)
    job = ui.generate(disc, "{}")
    ui.until(lambda: job.state == "running")
    bpy.ops.glimpse3d.cancel(job=job.id)
    ui.until(lambda: job.previews == 1)
    for each in (png(2000, 600), png(8, 8)[:16] + struct.pack(">II", 60_000, 60_000), b"none"):
        hostile.preview = each
        hostile.job = {"fraction": 0.2 + 0.1 * len(each) / 1e4}
        bpy.ops.glimpse3d.cancel(job=job.id)  # its answer brings them along
        ui.until(lambda: job.fraction == hostile.job["fraction"], 10)
        assert job.previews == 1 and ui.session.book.history.preview(job.id).stat().st_size < 200


Files = dict[str, bytes]


def with_texture(texture: bytes) -> bytes:
    """The box's mesh with another texture."""
    document, binary = unpack((BOX / "mesh.glb").read_bytes())
    view = document["images"][0]["bufferView"]
    document["bufferViews"][view] = {
        "buffer": 0, "byteOffset": len(binary), "byteLength": len(texture)
    }  # fmt: skip
    texture += bytes(-len(texture) % 4)
    document["buffers"][0]["byteLength"] = len(binary) + len(texture)
    return pack(document, binary + texture)


def spoilt_cameras(change: Callable[[dict[str, Any]], None]) -> bytes:
    document = json.loads((BOX / "cameras.json").read_bytes())
    change(document)
    return json.dumps(document).encode()


def many_views(document: dict[str, Any]) -> None:
    frames = document["frames"]
    view = next(each for each in frames if each["role"] == "view")
    frames += [view] * 5000


RESULTS: dict[str, Callable[[], Files]] = {
    "a mesh of zeros": lambda: {"mesh.glb": bytes(10**6)},
    "a document of ten million brackets": lambda: {
        "mesh.glb": struct.pack("<4sIIII", b"glTF", 2, 20 + 10**7, 10**7, 0x4E4F534A) + b"[" * 10**7
    },
    "a texture of 60000 x 60000": lambda: {
        "mesh.glb": with_texture(
            png(8, 8)[:16] + struct.pack(">II", 60_000, 60_000) + png(8, 8)[24:]
        )
    },
    "a picture of 60000 x 60000": lambda: {
        "input.png": png(8, 8)[:16] + struct.pack(">II", 60_000, 60_000) + png(8, 8)[24:]
    },
    "cameras that are no numbers": lambda: {
        "cameras.json": (BOX / "cameras.json")
        .read_bytes()
        .replace(b'"fl_x": ', b'"fl_x": NaN, "a":')
    },
    "no focal length": lambda: {
        "cameras.json": spoilt_cameras(lambda all_: all_["frames"][0].update(fl_x=0.0, fl_y=0.0))
    },
    "five thousand views": lambda: {"cameras.json": spoilt_cameras(many_views)},
    "splats without a place": lambda: {
        "splats.ply": (BOX / "splats.ply").read_bytes()[:-12] + struct.pack("<3f", *[np.nan] * 3)
    },
    "a manifest of another": lambda: {"manifest.json": b"{}"},
    "a manifest of paths": lambda: {
        "manifest.json": (BOX / "manifest.json").read_bytes().replace(b"mesh.glb", b"../../m.glb")
    },
}


@pytest.mark.parametrize("kind", list(RESULTS))
def test_results_that_make_no_sense_leave_the_scene_as_it_was(
    ui: Addon, hostile: Hostile, disc: bpy.types.Image, kind: str
) -> None:
    hostile.files |= RESULTS[kind]()
    hostile.job = {"state": "succeeded"}
    ui.connect(hostile.string)
    before = blocks()
    job = ui.generate(disc, "{}")
    ui.ends(job)
    assert not job.imported and job.problem is not None
    assert job.problem.code == "bad_file" and len(job.problem.message) < 200, job.problem
    assert blocks() == before and bpy.context.scene.camera is None


def test_a_result_without_its_mesh(ui: Addon, hostile: Hostile, disc: bpy.types.Image) -> None:
    del hostile.files["mesh.glb"]
    hostile.job = {"state": "succeeded"}
    ui.connect(hostile.string)
    before = blocks()
    job = ui.generate(disc, "{}")
    ui.ends(job)
    assert job.problem.code == "bad_file" and "lacks mesh.glb" in job.problem.message
    assert blocks() == before


NAMES = (
    "../../evil",
    "/tmp/evil",
    "CON",
    "x" * 100,
    "a\u202egnp.exe",
    ".bashrc",
    "a\0b",
    "\u0430.glb",
)


@pytest.mark.parametrize("name", NAMES)
def test_names_that_lead_elsewhere_write_nothing(
    ui: Addon, hostile: Hostile, disc: bpy.types.Image, name: str
) -> None:
    hostile.listed = {"mesh.glb": {"name": name}}
    hostile.job = {"state": "succeeded"}
    ui.connect(hostile.string)
    job = ui.generate(disc, "{}")
    folder = ui.session.book.history.folder(job.id)
    ui.ends(job)
    assert job.state == "failed" and job.problem.code in ("bad_result", "bad_file"), job.problem
    written = {path.relative_to(folder).parts[0] for path in folder.rglob("*")}
    assert written <= {"job.json", "picture.png", "result", "lock", "preview"}
    for path in folder.glob("result/*"):
        assert path.name.partition(".part")[0] in {*hostile.files, "x" * 100}
