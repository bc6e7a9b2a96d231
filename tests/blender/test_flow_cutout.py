"""The subject told from its background before compute is spent, on a real server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from tests.blender.serving import Addon, Server
from tests.blender.test_flow_panels import drawn


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server") / "data")
    yield running
    running.stop()


@pytest.fixture
def cutting(ui: Addon, server: Server) -> Addon:
    """Connected, the picture's own alpha being the cut-out."""
    ui.connect(server.string)
    assert ui.session.cutouts.offered
    ui.pulse.tick()
    bpy.context.scene.glimpse3d_settings.standard.matte = "alpha"
    return ui


def photo(ui: Addon, empty: bool = False) -> tuple[bpy.types.Image, np.ndarray]:
    """Random colours with a disc that reaches the right edge, and its alpha."""
    rgba = np.random.default_rng(3).integers(0, 256, (80, 120, 4)).astype(np.uint8)
    y, x = np.mgrid[:80, :120]
    solid = np.hypot(x - 100, y - 40) < 30
    rgba[..., 3] = 0 if empty else np.where(solid, 255, 0)
    picture = ui.module("scene.sources").packed(rgba, "photo.png")
    bpy.context.scene.glimpse3d.source = picture
    return picture, rgba[..., 3]


def previewed(ui: Addon) -> None:
    assert bpy.ops.glimpse3d.preview_cutout() == {"FINISHED"}
    assert "Cutting out" in drawn("GLIMPSE3D_PT_view_input")
    ui.until(lambda: ui.session.cutouts.preview is None)


def test_without_a_server_it_is_not_offered(ui: Addon) -> None:
    photo(ui)
    assert not bpy.ops.glimpse3d.preview_cutout.poll()
    assert "[Preview Cut-out]" not in drawn("GLIMPSE3D_PT_view_input")


def test_the_cutout_stands_beside_its_picture_and_warns(cutting: Addon) -> None:
    cutout: Any = cutting.module("scene.cutout")
    picture, alpha = photo(cutting)
    assert "[Preview Cut-out]" in drawn("GLIMPSE3D_PT_view_input")
    previewed(cutting)
    assert cutting.session.cutouts.problem is None
    shown = cutout.preview_of(picture)
    assert shown.name == "photo.png cut-out" and shown.packed_file is not None
    assert np.array_equal(cutting.module("scene.image").rgba(shown)[..., 3], alpha)
    cutting.pulse.tick()
    cutting.pulse.tick()
    assert "touches the right edge" in drawn("GLIMPSE3D_PT_view_input")
    previewed(cutting)  # again: one picture has one preview
    assert len([each for each in bpy.data.images if each.name.startswith("photo.png cut")]) == 1
    assert cutting.jobs == []
    folder = Path(bpy.utils.extension_path_user(cutting.pulse.PACKAGE, path="cutouts"))
    assert not folder.exists() or not any(folder.iterdir())


def test_painting_begins_as_the_cutout(cutting: Addon) -> None:
    picture, alpha = photo(cutting)
    bpy.context.scene.glimpse3d.cut = "auto"
    previewed(cutting)
    painted = cutting.module("scene.cutout").paint(picture)
    read: Any = cutting.module("scene.image").rgba
    assert np.array_equal(read(painted)[..., 3], alpha)
    assert np.array_equal(read(painted)[..., :3], read(picture)[..., :3])


def test_the_image_editor_opens_it_and_still_means_its_picture(cutting: Addon) -> None:
    picture, _ = photo(cutting)
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "IMAGE_EDITOR"
    area.spaces.active.image = picture
    with bpy.context.temp_override(window=window, area=area):
        bpy.ops.glimpse3d.preview_cutout()
        cutting.until(lambda: cutting.session.cutouts.preview is None)
        assert area.spaces.active.image.name == "photo.png cut-out"
        assert cutting.module("ui.asking").chosen_picture(bpy.context) == picture


def test_a_picture_without_a_subject_is_told(cutting: Addon) -> None:
    photo(cutting, empty=True)
    previewed(cutting)
    problem = cutting.session.cutouts.problem
    assert problem is not None and problem.hint
    assert problem.message.capitalize()[:20] in drawn("GLIMPSE3D_PT_view_input")


def test_a_cutout_can_be_cancelled(cutting: Addon) -> None:
    picture, _ = photo(cutting)
    bpy.ops.glimpse3d.preview_cutout()
    bpy.ops.glimpse3d.cancel_cutout()
    assert cutting.session.cutouts.preview is None
    for _ in range(30):
        cutting.pulse.tick()
    assert cutting.module("scene.cutout").preview_of(picture) is None


def test_a_cutout_does_not_come_into_another_file(cutting: Addon) -> None:
    photo(cutting)
    bpy.ops.glimpse3d.preview_cutout()
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    cutting.until(lambda: cutting.session.cutouts.preview is None)
    assert not [each for each in bpy.data.images if "cut-out" in each.name]


@pytest.fixture
def image_editor() -> Iterator[bpy.types.Area]:
    """One of the window's editors, turned into an Image Editor."""
    area = bpy.context.window_manager.windows[0].screen.areas[1]
    former, area.type = area.type, "IMAGE_EDITOR"
    yield area
    area.spaces.active.ui_mode = "VIEW"
    area.type = former


def take_other() -> None:
    """What Blender does as an editor begins to paint, and after an undo."""
    paint = bpy.context.scene.tool_settings.image_paint
    try:
        paint.brush = bpy.data.brushes.new("Another", mode="TEXTURE_PAINT")
    except AttributeError:
        bpy.ops.brush.asset_activate(
            asset_library_type="ESSENTIALS",
            relative_asset_identifier=(
                "brushes/essentials_brushes-mesh_texture.blend/Brush/Paint Hard"
            ),
        )


def test_the_brush_is_in_hand_and_stays_there(ui: Addon, image_editor: bpy.types.Area) -> None:
    photo(ui)
    scene, paint = bpy.context.scene, bpy.context.scene.tool_settings.image_paint
    assert bpy.ops.glimpse3d.paint_cutout() == {"FINISHED"}
    assert image_editor.spaces.active.mode == "PAINT" and scene.glimpse3d.cut == "painted"
    assert image_editor.spaces.active.image.name == "photo.png painted"
    assert paint.brush.blend == "ERASE_ALPHA" and "[Erase]" in drawn("GLIMPSE3D_PT_view_input")
    window = bpy.context.window_manager.windows[0]
    with bpy.context.temp_override(window=window, area=image_editor):
        take_other()
        assert paint.brush.blend == "MIX"
        ui.pulse.tick()
        assert paint.brush.blend == "ERASE_ALPHA"

        bpy.ops.glimpse3d.cutout_brush(what="restore")
        assert paint.brush.blend == "ADD_ALPHA"
        bpy.app.handlers.undo_pre[-1](scene)
        take_other()
        bpy.app.handlers.undo_post[-1](scene)
        ui.pulse.tick()
        assert paint.brush.blend == "ADD_ALPHA"

        module: Any = ui.module("ui.brush_hold")
        ui.until(lambda: not module._held)  # from now on the user's own choice counts
        take_other()
        ui.pulse.tick()
        assert paint.brush.blend == "MIX"
