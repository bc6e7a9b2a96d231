"""From a picture in Blender through a real server to an object in the scene."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Matrix, Vector

from tests.blender import rendering
from tests.blender.serving import Addon, Server, patient

CURSOR = Vector((1.0, 2.0, 0.5))
# Where a camera sits and looks from -> the colour that it has to see.
SIDES = {
    (0, -1, 0): (220, 40, 40),
    (1, 0, 0): (40, 180, 60),
    (0, 1, 0): (50, 70, 210),
    (-1, 0, 0): (230, 190, 40),
    (0, 0, 1): (200, 80, 200),
    (0, 0, -1): (60, 190, 200),
}
KINDS = ("objects", "meshes", "cameras", "materials", "images", "node_groups", "collections")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server") / "data")
    yield running
    running.stop()


@pytest.fixture
def ui(ui: Addon, scene: bpy.types.Scene) -> Addon:
    """With the 3D cursor somewhere else."""
    scene.cursor.location = CURSOR
    return ui


def part(collection: bpy.types.Collection, name: str) -> bpy.types.Object:
    return next(each for each in collection.objects if each.get("glimpse3d_part") == name)


def contents() -> dict[str, set[str]]:
    return {kind: {each.name for each in getattr(bpy.data, kind)} for kind in KINDS}


def speckled(name: str = "speckled.png", side: int = 96) -> bpy.types.Image:
    """A disc of random colours on nothing; every byte counts."""
    rng = np.random.default_rng(5)
    rgba = rng.integers(0, 256, (side, side, 4)).astype(np.uint8)
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    rgba[..., 3] = np.where(np.hypot(x, y) < side * 0.4, 255, 0)
    image = bpy.data.images.new(name, side, side, alpha=True)
    image.pixels.foreach_set((rgba[::-1].astype(np.float32) / 255).ravel())
    return image


def bytes_of(image: bpy.types.Image) -> np.ndarray:
    """(H, W, 4) uint8, bottom row first."""
    flat = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(flat)
    return np.rint(flat.reshape(image.size[1], image.size[0], 4) * 255).astype(np.uint8)


def corners(thing: bpy.types.Object) -> np.ndarray:
    bpy.context.view_layer.update()
    return np.array([thing.matrix_world @ Vector(corner) for corner in thing.bound_box])


def seen_from(outward: tuple[int, int, int], middle: Vector) -> np.ndarray:
    """(3,) sRGB in the middle of what an orthographic camera out there sees."""
    scene = bpy.context.scene
    data = bpy.data.cameras.new("test")
    data.type, data.ortho_scale = "ORTHO", 0.1
    camera = bpy.data.objects.new("test", data)
    scene.collection.objects.link(camera)
    direction = Vector(outward)
    turn = direction.to_track_quat("Z", "Y").to_matrix().to_4x4()
    camera.matrix_world = Matrix.Translation(middle + 3 * direction) @ turn
    scene.camera = camera
    rendering.prepare(scene, 8, 8)
    return np.asarray(rendering.render(scene)[4, 4, :3], float)


def test_from_a_picture_to_an_object_in_the_scene(ui: Addon, server: Server) -> None:
    before = contents()
    ui.connect(server.string)
    picture = speckled()
    job = ui.generate(picture, patient(seconds=0.3))
    assert bpy.context.scene.glimpse3d.preset == "standard"
    ui.ends(job)
    assert (job.state, job.imported, job.problem) == ("done", True, None)

    sent = bpy.data.images.load(str(ui.session.book.history.folder(job.id) / "picture.png"))
    arrived = bpy.data.images.load(str(ui.session.book.history.result(job.id) / "input.png"))
    for copy in (sent, arrived):
        assert np.array_equal(bytes_of(copy), bytes_of(picture))
        bpy.data.images.remove(copy)

    (name,) = contents()["collections"] - before["collections"]
    collection = bpy.data.collections[name]
    assert name.startswith("speckled")
    assert bpy.context.scene.collection.children.get(name) == collection
    mesh, splats = part(collection, "mesh"), part(collection, "splats")
    box = corners(mesh)
    assert np.allclose(box.max(0) - box.min(0), (0.6, 0.4, 1.0), atol=0.01)
    middle = (box.max(0) + box.min(0)) / 2
    assert np.allclose(middle, CURSOR + Vector((0, 0, 0.5)), atol=0.01)
    assert np.isclose(box[:, 2].min(), CURSOR.z, atol=1e-4)
    assert len(splats.data.vertices) == 64
    assert {"scale", "rotation", "radiance:base"} <= set(splats.data.attributes.keys())
    assert bpy.context.object.get("glimpse3d_part") == "foot"
    assert sum(each.type == "CAMERA" for each in collection.all_objects) >= 2

    for outward, color in SIDES.items():
        seen = seen_from(outward, Vector(middle))
        far = {other: np.abs(seen - there).max() for other, there in SIDES.items()}
        assert min(far, key=far.get) == outward and far[outward] < 25, (outward, color, seen)


def test_one_undo_takes_the_whole_result_back(ui: Addon, server: Server) -> None:
    ui.connect(server.string)
    picture = speckled()
    bpy.ops.ed.undo_push(message="before")
    before = contents()
    job = ui.generate(picture, patient())
    ui.ends(job)
    after = contents()
    assert after["collections"] - before["collections"]
    bpy.ops.ed.undo()
    assert contents() == before
    bpy.ops.ed.redo()
    assert contents() == after
    ui.until(lambda: True)  # and the pulse goes on


def test_an_old_result_is_imported_again_without_a_server(ui: Addon, server: Server) -> None:
    ui.connect(server.string)
    job = ui.generate(speckled(), patient())
    ui.ends(job)
    bpy.ops.glimpse3d.disconnect()
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    assert not bpy.data.meshes
    ui.restart()  # as tomorrow
    (kept,) = ui.jobs
    assert kept.id == job.id and kept.state == "done"
    bpy.context.scene.cursor.location = (0, 0, 0)
    assert bpy.ops.glimpse3d.import_result(job=kept.id) == {"FINISHED"}
    collection = bpy.data.collections["speckled"]
    assert np.isclose(corners(part(collection, "mesh"))[:, 2].min(), 0, atol=1e-4)


def test_the_picture_of_the_image_editor_is_sent_from_there(ui: Addon, server: Server) -> None:
    ui.connect(server.string)
    speckled("open.png", 8)
    picture = speckled("open.png", 48)
    assert picture.name == "open.png.001"
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "IMAGE_EDITOR"
    area.spaces.active.image = picture
    with bpy.context.temp_override(window=window, area=area):
        assert bpy.context.scene.glimpse3d.source is None
        assert bpy.ops.glimpse3d.generate.poll()
        bpy.ops.glimpse3d.generate(settings=patient())
    ui.ends(ui.jobs[0])
    assert ui.jobs[0].imported and "open" in bpy.data.collections


def test_a_result_waits_while_the_user_is_in_another_mode(ui: Addon, server: Server) -> None:
    ui.connect(server.string)
    bpy.ops.mesh.primitive_cube_add()
    job = ui.generate(speckled(), patient())
    bpy.ops.object.mode_set(mode="EDIT")
    ui.until(lambda: job.state == "importing")
    for _ in range(5):
        ui.pulse.tick()
    assert job.state == "importing" and "speckled" not in bpy.data.collections
    assert not bpy.ops.glimpse3d.import_result.poll()
    bpy.ops.object.mode_set(mode="OBJECT")
    ui.ends(job)
    assert job.imported and "speckled" in bpy.data.collections


def test_a_result_does_not_come_into_another_file(ui: Addon, server: Server) -> None:
    ui.connect(server.string)
    job = ui.generate(speckled(), patient(seconds=0.5))
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    ui.ends(job)
    assert job.state == "done" and not job.imported
    assert not bpy.data.meshes
    rows = bpy.context.window_manager.glimpse3d.jobs
    assert [row.name for row in rows] == [job.id]


def test_cancel_stops_it_here_and_there(ui: Addon, server: Server) -> None:
    ui.connect(server.string)
    job = ui.generate(speckled(), patient(seconds=60))
    ui.until(lambda: job.state == "running" and job.fraction > 0)
    bpy.ops.glimpse3d.cancel(job=job.id)
    pressed = time.monotonic()
    ui.ends(job)
    assert job.state == "cancelled" and time.monotonic() - pressed < 3
    assert "speckled" not in bpy.data.collections
    bpy.ops.glimpse3d.remove_job(job=job.id)
    assert ui.jobs == []


def test_blender_is_started_again_while_a_job_runs(ui: Addon, server: Server) -> None:
    ui.connect(server.string)
    job = ui.generate(speckled(), patient(seconds=1.5))
    ui.until(lambda: job.state == "running")
    ui.restart()  # connects by itself with the kept string
    (found,) = ui.jobs
    assert found is not job and found.state == "interrupted"
    ui.ends(found)
    assert found.state == "done" and not found.imported  # it belongs to another file
    assert bpy.ops.glimpse3d.import_result(job=found.id) == {"FINISHED"}


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_a_server_killed_on_the_way_costs_only_time(
    ui: Addon, tmp_path: Path, share: float, servers: Callable[..., Server]
) -> None:
    first = servers()
    ui.connect(first.string)
    job = ui.generate(speckled(), patient(seconds=2.0))
    ui.until(lambda: job.state == "running" and job.fraction >= share)
    first.stop(signal.SIGKILL)
    ui.until(lambda: ui.session.state == "down")
    assert ui.session.problem.code == "nothing_listening" and ui.session.problem.hint
    assert job.state in ("interrupted", "done")
    servers(first.port)
    ui.ends(job)
    assert job.imported and "speckled" in bpy.data.collections


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Servers of a test's own, of one folder."""
    made: list[Server] = []

    def start(port: int = 0) -> Server:
        made.append(Server(tmp_path / "data", port))
        return made[-1]

    yield start
    for each in made:
        each.stop()
