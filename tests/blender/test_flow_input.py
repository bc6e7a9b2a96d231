"""Every way into Generate, its settings, and what is said before anything is computed."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from tests.blender import rendering
from tests.blender.serving import QUICK, Addon, Server, patient
from tests.blender.test_drops import drop, offered, view
from tests.blender.test_flow_panels import drawn


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server") / "data")
    yield running
    running.stop()


def colors(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(H, W, 4) uint8, opaque, top row first."""
    rgba = np.random.default_rng(seed).integers(0, 256, (height, width, 4)).astype(np.uint8)
    rgba[..., 3] = 255
    return rgba


def disc(ui: Addon, name: str = "disc", middle: float = 0.5, side: int = 96) -> bpy.types.Image:
    """Random colours on nothing, around a place as parts of the sides."""
    rgba = colors(side, side)
    y, x = np.mgrid[:side, :side] / side
    rgba[..., 3] = np.where(np.hypot(x - middle, y - 0.5) < 0.3, 255, 0)
    made: bpy.types.Image = ui.module("scene.sources").packed(rgba, name)
    return made


def sent(ui: Addon, job: Any) -> np.ndarray:
    """(H, W, 4) uint8, top row first: the picture that travels."""
    copy = bpy.data.images.load(str(ui.session.book.history.folder(job.id) / "picture.png"))
    pixels: np.ndarray = ui.module("scene.image").rgba(copy)
    bpy.data.images.remove(copy)
    return pixels


def write_png(ui: Addon, path: Path, rgba: np.ndarray) -> Path:
    path.write_bytes(ui.module("scene.image").encode_png(rgba))
    return path


def test_several_files_are_several_jobs_with_their_colours(
    ui: Addon, server: Server, tmp_path: Path
) -> None:
    ui.connect(server.string)
    pictures = {f"{name}.png": colors(40, 60, seed) for seed, name in enumerate("abc")}
    for name, rgba in pictures.items():
        write_png(ui, tmp_path / name, rgba)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG, almost")
    names = [{"name": name} for name in ("a.png", "broken.png", "b.png", "c.png")]
    with pytest.raises(RuntimeError, match=r"broken\.png"):
        bpy.ops.glimpse3d.generate_files(directory=str(tmp_path), files=names)
    assert [job.name for job in ui.jobs] == ["c", "b", "a"]
    for job in ui.jobs:
        assert np.array_equal(sent(ui, job), pictures[f"{job.name}.png"])
        bpy.ops.glimpse3d.cancel(job=job.id)


def test_dropped_pictures_are_jobs_and_only_where_a_server_takes_them(
    ui: Addon, server: Server, tmp_path: Path
) -> None:
    pictures = [write_png(ui, tmp_path / name, colors(40, 60)) for name in ("a b.png", "ü.png")]
    with view():
        assert offered(pictures) == [], "there is no server"
    ui.connect(server.string)
    for kind, count in (("VIEW_3D", 1), ("IMAGE_EDITOR", 1), ("OUTLINER", 0)):
        with view(kind):
            assert len(offered(pictures)) == count
    assert drop(pictures) == {"FINISHED"}
    assert [job.name for job in ui.jobs] == ["ü", "a b"]
    assert np.array_equal(sent(ui, ui.jobs[0]), colors(40, 60))
    for job in ui.jobs:
        bpy.ops.glimpse3d.cancel(job=job.id)


def turned(path: Path, number: int) -> Path:
    """The same JPEG, its camera held another way."""
    data = path.read_bytes()
    entry = struct.pack(">HHIHH", 0x112, 3, 1, number, 0)
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\1" + entry + bytes(4)
    new = path.with_name(f"turned{number}.jpg")
    head = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    new.write_bytes(data[:2] + head + data[2:])
    return new


def test_a_phones_picture_stands_upright(ui: Addon, tmp_path: Path) -> None:
    sources: Any = ui.module("scene.sources")
    flat = bpy.data.images.new("flat", 64, 32)
    path = tmp_path / "flat.jpg"
    flat.filepath_raw, flat.file_format = str(path), "JPEG"
    flat.pixels.foreach_set((colors(32, 64)[::-1] / np.float32(255)).ravel())
    flat.save()
    bpy.data.images.remove(flat)
    read: Any = ui.module("scene.image").rgba
    lying = read(sources.load(path))
    # By EXIF's own words: where the first row and the first column are in the upright picture.
    expected = {
        1: lying, 2: lying[:, ::-1], 3: lying[::-1, ::-1], 4: lying[::-1],
        5: lying.swapaxes(0, 1), 6: np.rot90(lying, -1), 7: np.rot90(lying, 2).swapaxes(0, 1),
        8: np.rot90(lying, 1),
    }  # fmt: skip
    for number, upright in expected.items():
        assert np.array_equal(read(sources.load(turned(path, number))), upright), number


@pytest.mark.parametrize("cut", [0, 3, 9, 20, 30, 33])
def test_a_mangled_exif_is_no_hindrance(ui: Addon, cut: int) -> None:
    orientation: Any = ui.module("scene.orientation")
    entry = struct.pack(">HHIHH", 0x112, 3, 1, 6, 0)
    exif = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + entry
    data = b"\xff\xd8\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    assert orientation.of_jpeg(data) == 6
    assert orientation.of_jpeg(data[:cut]) == 1
    assert orientation.of_jpeg(b"\xff\xd8" + b"\xff\xe0\0\2" * 1000) == 1


def test_a_files_trouble_is_told(ui: Addon, tmp_path: Path) -> None:
    sources: Any = ui.module("scene.sources")
    errors: Any = ui.module("_vendor.glimpse3d.errors")
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no picture")
    before = set(bpy.data.images)
    for name in ("absent.png", "empty.png", "text.png"):
        with pytest.raises(errors.BadFile, match=name.replace(".", r"\.")):
            sources.load(tmp_path / name)
    assert set(bpy.data.images) == before


def test_the_active_materials_texture(ui: Addon, server: Server) -> None:
    ui.connect(server.string)
    assert not bpy.ops.glimpse3d.take_texture.poll()
    bpy.ops.mesh.primitive_cube_add()
    material = bpy.data.materials.new("painted")
    if material.node_tree is None:  # before Blender 5.0 a material begins without
        material.use_nodes = True
    bpy.context.object.data.materials.append(material)
    assert not bpy.ops.glimpse3d.take_texture.poll()
    tree = material.node_tree
    wanted, other = disc(ui, "wanted"), disc(ui, "other")
    for picture, socket in ((other, "Roughness"), (wanted, "Base Color")):
        texture = tree.nodes.new("ShaderNodeTexImage")
        texture.image = picture
        surface = next(each for each in tree.nodes if each.bl_idname == "ShaderNodeBsdfPrincipled")
        tree.links.new(texture.outputs["Color"], surface.inputs[socket])
    assert bpy.ops.glimpse3d.take_texture() == {"FINISHED"}
    assert bpy.context.scene.glimpse3d.source == wanted


def test_the_render_is_sent_as_its_window_shows_it(ui: Addon, server: Server) -> None:
    ui.connect(server.string)
    scene = bpy.context.scene
    bpy.ops.object.camera_add()
    scene.camera = bpy.context.object
    rendering.prepare(scene, 48, 32)
    seen = rendering.render(scene)
    assert bpy.ops.glimpse3d.take_render() == {"FINISHED"}
    assert bpy.ops.glimpse3d.generate(settings=patient(seconds=60)) == {"FINISHED"}
    (job,) = ui.jobs
    assert sent(ui, job).shape == (32, 48, 4)
    assert seen.shape[:2] == (32, 48)


def test_what_needs_a_window_says_so_without_one(ui: Addon) -> None:
    assert not bpy.ops.glimpse3d.take_view.poll()
    assert not bpy.ops.glimpse3d.take_clipboard.poll()


def test_pictures_dropped_on_the_view_are_ours(ui: Addon, server: Server) -> None:
    handler = bpy.types.GLIMPSE3D_FH_picture
    assert {".png", ".jpg", ".webp"} <= set(handler.bl_file_extensions.split(";"))
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "VIEW_3D"
    with bpy.context.temp_override(window=window, area=area):
        assert not handler.poll_drop(bpy.context)  # no server: Blender's own ways stand
        ui.connect(server.string)
        assert handler.poll_drop(bpy.context)
    area.type = "TEXT_EDITOR"
    with bpy.context.temp_override(window=window, area=area):
        assert not handler.poll_drop(bpy.context)


def test_warnings_stand_there_before_anything_is_computed(ui: Addon, server: Server) -> None:
    ui.connect(server.string)
    bpy.context.scene.glimpse3d.source = disc(ui, "cut off", middle=0.2)
    ui.pulse.tick()
    text = drawn("GLIMPSE3D_PT_view_input")
    assert "Only 96 x 96 pixels" in text
    assert "touches the left edge" in text and "will be missing" in text
    bpy.context.scene.glimpse3d.source = disc(ui, "whole", side=300)
    ui.pulse.tick()
    text = drawn("GLIMPSE3D_PT_view_input")
    assert "Only" not in text and "touches" not in text
    assert ui.jobs == []


def test_a_box_travels_in_pixels_and_comes_back(ui: Addon, server: Server) -> None:
    ui.connect(server.string)
    chosen = bpy.context.scene.glimpse3d
    chosen.cut, chosen.box = "box", (0.125, 0.25, 0.75, 1.0)
    job = ui.generate(disc(ui, side=64), patient(seconds=0.1))
    assert job.box == (8, 16, 48, 64)
    ui.ends(job)
    manifest = ui.session.book.history.result(job.id) / "manifest.json"
    about = ui.module("_vendor.glimpse3d.formats.manifest").read(manifest)
    assert list(about.box) == [8, 16, 48, 64]
    assert ui.module("history").History(manifest.parents[2]).load()[0].box == [8, 16, 48, 64]
    chosen.box = (0.5, 0.5, 0.5, 0.9)
    with pytest.raises(RuntimeError, match="box is empty"):
        bpy.ops.glimpse3d.generate(settings=patient())


def test_a_painted_cutout_is_the_alpha_and_the_colours_stay(ui: Addon, server: Server) -> None:
    ui.connect(server.string)
    cutout: Any = ui.module("scene.cutout")
    rgba = colors(64, 64)
    picture = ui.module("scene.sources").packed(rgba, "photo")
    bpy.context.scene.glimpse3d.source = picture
    bpy.context.scene.glimpse3d.cut = "painted"
    with pytest.raises(RuntimeError, match="press Paint"):
        bpy.ops.glimpse3d.generate(settings=patient())
    painted = cutout.paint(picture)
    assert cutout.paint(picture) == painted and painted.name == "photo painted"
    with pytest.raises(RuntimeError, match="Nothing was erased"):
        bpy.ops.glimpse3d.generate(settings=patient())
    y, x = np.mgrid[:64, :64]
    solid = np.hypot(x - 32, y - 30) < 20
    smeared = rgba.copy()
    smeared[..., :3] //= 2  # a brush that paints colour by mistake changes nothing
    smeared[..., 3] = np.where(solid, 255, 0)
    painted.pixels.foreach_set((smeared[::-1] / np.float32(255)).ravel())
    settings = {key: value for key, value in QUICK.items() if key != "matte"}
    bpy.ops.glimpse3d.generate(settings=ui.module("ui.operators").json.dumps(settings))
    (job,) = ui.jobs
    assert job.settings["matte"] == "alpha"
    arrived = sent(ui, job)
    assert np.array_equal(arrived[..., 3], np.where(solid, 255, 0))
    assert np.array_equal(arrived[..., :3], rgba[..., :3])
    ui.ends(job)
    assert job.imported, job.problem


def test_the_servers_settings_are_properties_and_travel_when_changed(
    ui: Addon, server: Server
) -> None:
    ui.connect(server.string)
    ui.pulse.tick()
    scene = bpy.context.scene
    values = scene.glimpse3d_settings.draft
    rows = values.bl_rna.properties
    assert values.faces == 10_000 and scene.glimpse3d_settings.high.faces == 100_000
    assert rows["faces"].hard_min == 0 and rows["size"].hard_max == 10_000
    assert "object" in rows["size"].description
    assert {each.identifier for each in rows["matte"].enum_items} >= {"auto", "alpha", "grabcut"}
    numbers = [each.value for row in rows if row.type == "ENUM" for each in row.enum_items]
    assert len(numbers) > 10, "Blender's menus carry them as 32-bit floats"
    assert [int(np.float32(each)) for each in numbers] == numbers
    values.turntable__frames = 10**9
    assert values.turntable__frames == 1440  # the server's own limit
    values.turntable__frames, values.turntable__resolution = 2, 64
    values.matte, values.gaussians = "alpha", 64
    values.own__patient__seconds = 0.25
    scene.glimpse3d.preset, scene.glimpse3d.reconstructor = "draft", "patient"
    scene.glimpse3d.seed = 7
    text = drawn("GLIMPSE3D_PT_view_generate")
    assert "Settings" in text and "Patient" in text and "[Reset Settings]" in text
    scene.glimpse3d.source = disc(ui)
    bpy.ops.glimpse3d.generate()
    (job,) = ui.jobs
    assert job.settings == {
        "preset": "draft", "reconstructor": "patient", "seed": 7, "matte": "alpha",
        "gaussians": 64, "turntable": {"frames": 2, "resolution": 64},
        "options": {"patient": {"seconds": 0.25}},
    }  # fmt: skip
    ui.ends(job)
    assert job.imported, job.problem
    bpy.ops.glimpse3d.reset_settings()
    assert values.turntable__frames == 60
    bpy.ops.glimpse3d.draw_seed()
    assert scene.glimpse3d.seed != 7


def test_the_time_that_is_left_is_told(ui: Addon, server: Server) -> None:
    ui.connect(server.string)
    job = ui.generate(disc(ui), patient(seconds=12))
    ui.until(lambda: job.state == "running" and job.fraction > 0.4)
    left = job.seconds_left(job.began[0] + 5)
    assert left is not None and left == pytest.approx(
        5 * (1 - job.fraction) / (job.fraction - job.began[1])
    )
    job.began = (0.0, 0.0)  # long ago: the words, not the clock, are what is asked here
    assert "left" in drawn("GLIMPSE3D_PT_view_generate")
    words: Any = ui.module("ui.words")
    assert words.left(4) == "about 5 s left" and words.left(150) == "about 2 min left"
    bpy.ops.glimpse3d.cancel(job=job.id)
    ui.ends(job)
