"""The pictures of docs/blender.md, taken anew from a real Blender window.

Owns what is shown in them. Run by Blender itself, on a display as large as its window with
ImageMagick's ``import`` (under Xvfb that needs no screen), beside a running server; for the picture
in German, a Blender with its languages:

    blender --factory-startup --window-geometry 0 0 1500 900
        --python docs/images/blender_pictures.py
        -- EXTENSION.zip CONNECTION_STRING PICTURE FOLDER

Look at the pictures afterwards: whether they show what the text says, only eyes can tell.
"""

# ruff: noqa: T201  it is a program

from __future__ import annotations

import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

ARCHIVE, STRING, PICTURE, FOLDER = sys.argv[sys.argv.index("--") + 1 :]
NAME = "bl_ext.user_default.glimpse3d"
SETTLE = 2.0  # seconds that software drawing takes to come to rest
SECONDS = 240.0
MARGIN = 4


def module(name: str) -> Any:
    """A module of the extension."""
    return sys.modules[f"{NAME}.{name}"]


def session() -> Any:
    """The extension's session."""
    return module("pulse").session()


def view() -> Any:
    """The 3D view."""
    areas = bpy.context.window_manager.windows[0].screen.areas
    return max(areas, key=lambda each: (each.type == "VIEW_3D") * each.width * each.height)


def sidebar() -> Any:
    """Its sidebar."""
    return next(each for each in view().regions if each.type == "UI")


def shot(name: str, region: Any, height: int = 0, colours: int = 64) -> None:
    """A picture of a region's upper part, with so few colours that it stays small."""
    window = bpy.context.window_manager.windows[0]
    tall = min(height or region.height, region.height)
    top = window.height - region.y - region.height
    size = f"{region.width + 2 * MARGIN}x{tall}+{region.x - MARGIN}+{top}"
    path = Path(FOLDER, f"blender-{name}.png")
    command = ["import", "-window", "root", "-crop", size, "+repage", "+dither"]
    few = ["-colors", str(colours), "-depth", "8", "-strip"]
    subprocess.run([*command, *few, str(path)], check=True)
    print("TAKEN", path, path.stat().st_size)


def panels(*opened: str) -> None:
    """Only these panels, or all, and open: Python cannot click on their headers."""
    files = ("server_panel", "input_panel", "generate_panel", "jobs_panel", "result_panel")
    classes = [each for name in files for each in module(f"ui.{name}").CLASSES]
    classes = [each for each in classes if issubclass(each, bpy.types.Panel)]
    for each in reversed(classes):
        if each.is_registered:
            bpy.utils.unregister_class(each)
    for each in classes:
        if not opened or each.__name__.removeprefix("GLIMPSE3D_PT_view_") in opened:
            each.bl_options = set()
            bpy.utils.register_class(each)


def waited(done: Any) -> Iterator[float]:
    """Let Blender go on until it is so."""
    limit = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < limit, "it took too long"
        yield 0.5
    yield SETTLE


def steps() -> Iterator[float]:
    """One picture after the other; each value is the time to wait."""
    preferences = bpy.context.preferences
    preferences.view.ui_scale = 1.2
    preferences.system.use_online_access = True
    bpy.ops.extensions.package_install_files(
        filepath=ARCHIVE, repo="user_default", enable_on_install=True, overwrite=True
    )
    view().spaces.active.show_region_ui = True
    yield SETTLE
    sidebar().active_panel_category = "Glimpse3D"
    panels("server", "input")
    yield SETTLE
    shot("start", sidebar(), 420)
    yield from connected()
    yield from looked()
    yield from made()
    yield from examined()
    yield from powerful()
    yield from removed()


def connected() -> Iterator[float]:
    """A server, under a name of its own."""
    bpy.ops.glimpse3d.paste_connection(text=STRING)
    yield from waited(lambda: session().state == "ready")
    bpy.ops.glimpse3d.rename_server(name="Workshop")
    panels("server")
    yield SETTLE
    shot("servers", sidebar(), 260)


def looked() -> Iterator[float]:
    """A picture, and what the server takes for its subject."""
    for each in list(bpy.data.objects):
        bpy.data.objects.remove(each)
    picture = bpy.context.scene.glimpse3d.source = bpy.data.images.load(PICTURE)
    panels("input")
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=view()):
        bpy.ops.glimpse3d.preview_cutout()
    yield from waited(lambda: module("scene.cutout").preview_of(picture) is not None)
    shot("input", sidebar(), 520)


def made() -> Iterator[float]:
    """The first object."""
    bpy.context.scene.glimpse3d.preset = "draft"
    panels("generate", "result")
    yield SETTLE
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=view()):
        bpy.ops.glimpse3d.generate()
    job = session().book.jobs[0]
    yield from waited(lambda: job.state == "running" and job.fraction > 0.2)
    shot("running", sidebar(), 520)
    yield from waited(lambda: job.is_final)
    assert job.imported, job.problem
    shading = view().spaces.active.shading
    shading.color_type, shading.light = "TEXTURE", "FLAT"
    view().spaces.active.overlay.show_extras = False
    region = next(each for each in view().regions if each.type == "WINDOW")
    mesh = next(each for each in bpy.data.objects if each.get("glimpse3d_part") == "mesh")
    with bpy.context.temp_override(
        window=bpy.context.window_manager.windows[0], area=view(), region=region
    ):
        mesh.select_set(True)
        bpy.context.view_layer.objects.active = mesh
        bpy.ops.view3d.view_selected()
        mesh.select_set(False)
    yield SETTLE
    shot("result", region, colours=128)


def examined() -> Iterator[float]:
    """The doctor, with a server that is well."""
    panels("server", "doctor")
    bpy.ops.glimpse3d.examine()
    yield from waited(lambda: not session().checkup.running)
    shot("doctor", sidebar(), 640)


def powerful() -> Iterator[float]:
    """What a local server can be given; one that only looks as if it stood will do for that."""
    places = session().launcher.places
    python = places.path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    places.complete(session().launcher.extras)
    session().launcher.state = "installed"
    session().local.look_for_gpus()
    panels("server", "power")
    yield from waited(lambda: session().local.gpus is not None)
    shot("power", sidebar(), 640)
    if "de_DE" not in bpy.app.translations.locales:
        print("SKIPPED the picture in German: this Blender came without languages")
        return
    preferences = bpy.context.preferences.view
    preferences.language = "de_DE"
    preferences.use_translate_interface = True
    yield SETTLE
    shot("german", sidebar(), 640)
    preferences.language = "en_US"


def removed() -> Iterator[float]:
    """What removing everything would delete, in the preferences."""
    area = view()
    area.type = "PREFERENCES"
    area.spaces.active.show_region_header = False
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "Glimpse3D"
    bpy.ops.preferences.addon_expand(module=NAME)
    bpy.ops.glimpse3d.measure_kept()
    yield from waited(lambda: module("pulse").removal().state == "measured")
    region = next(each for each in area.regions if each.type == "WINDOW")
    shot("remove", region, 720)


WORK = steps()
bpy.context.preferences.view.show_splash = False  # later is too late


def step() -> float | None:
    """What the timer calls."""
    try:
        return next(WORK)
    except StopIteration:
        print("RESULT ok")
    except Exception:
        traceback.print_exc()
        print("RESULT failed")
    panels()
    bpy.ops.wm.quit_blender()
    return None


bpy.app.timers.register(step, first_interval=1.5, persistent=True)
