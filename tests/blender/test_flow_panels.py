"""What stands on the panels in every state, drawn by their own code into a layout that takes notes.

Blender draws nothing without a window; the layout here accepts only what Blender's would.
"""

import signal
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy

from tests.blender.serving import Addon, Server, patient

LAYOUT = bpy.types.UILayout.bl_rna


class Layout:
    """Notes texts; refuses functions, arguments, operators and properties that Blender lacks."""

    def __init__(self, seen: list[str]) -> None:
        self.__dict__["seen"] = seen

    def __setattr__(self, name: str, value: object) -> None:
        assert name in LAYOUT.properties, name

    def __getattr__(self, name: str) -> Any:
        assert name in LAYOUT.functions, name
        return lambda *given, **named: self._take(name, given, named)

    def _take(self, name: str, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        assert set(named) <= set(LAYOUT.functions[name].parameters.keys()), (name, named)
        if icon := named.get("icon"):
            assert icon in LAYOUT.functions["label"].parameters["icon"].enum_items, icon
        text = named.get("text", "")
        if name == "operator":
            kind = operator(given[0])
            text = named.get("text", kind.name)
            self.seen.append(f"[{text}]")
            return Button(kind)
        if name in ("prop", "template_ID"):
            assert given[1] in given[0].bl_rna.properties, given
        self.seen.append(text)
        if name == "panel":
            return Layout(self.seen), Layout(self.seen)
        return Layout(self.seen)


class Button:
    """Takes only properties that the operator has."""

    def __init__(self, kind: Any) -> None:
        self.__dict__["kind"] = kind

    def __setattr__(self, name: str, value: object) -> None:
        assert name in self.kind.properties, name


def operator(name: str) -> Any:
    group, _, short = name.partition(".")
    return getattr(getattr(bpy.ops, group), short).get_rna_type()


def drawn(panel: str, area: str = "VIEW_3D") -> str:
    """All texts on a panel; nothing if it is not shown."""
    ours = getattr(bpy.types, panel).__mro__[1]  # before Blender's own Panel comes in
    seen: list[str] = []
    window = bpy.context.window_manager.windows[0]
    place = window.screen.areas[0]
    place.type = area
    region = next(each for each in place.regions if each.type == "UI")
    with bpy.context.temp_override(window=window, area=place, region=region):
        if hasattr(ours, "poll") and not ours.poll(bpy.context):
            return ""
        type("Drawn", (ours,), {"layout": Layout(seen)})().draw(bpy.context)
    return " ".join(" ".join(seen).split())


def test_before_anything(ui: Addon) -> None:
    text = drawn("GLIMPSE3D_PT_view_server")
    assert "Not connected" in text and "[Paste Connection String]" in text
    assert "[Start Local Server]" in text
    assert "[Generate]" in drawn("GLIMPSE3D_PT_view_generate")
    assert drawn("GLIMPSE3D_PT_view_result") == ""
    assert "Open a picture here" in drawn("GLIMPSE3D_PT_image_input", "IMAGE_EDITOR")


def test_offline_says_what_to_switch_on(ui: Addon) -> None:
    bpy.context.preferences.system.use_online_access = False
    ui.pulse.tick()
    text = drawn("GLIMPSE3D_PT_view_server")
    assert "Online access is off in Blender" in text and "Allow Online Access" in text
    assert "[Open Preferences]" in text


def test_a_mangled_string_stands_with_its_button(ui: Addon) -> None:
    ui.pulse.preferences().connection_string = "glimpse3d://nonsense"
    text = drawn("GLIMPSE3D_PT_view_server")
    assert "cut off" in text and "copy the whole line again" in text.lower()
    assert "nonsense" not in text


def test_from_sending_to_done_and_lost_on_the_way(
    ui: Addon, server: Server, disc: bpy.types.Image, tmp_path: Path
) -> None:
    ui.connect(server.string)
    assert "Connected to 127.0.0.1" in drawn("GLIMPSE3D_PT_view_server")
    assert server.string[30:] not in drawn("GLIMPSE3D_PT_view_server")
    job = ui.generate(disc, patient(seconds=2))
    ui.until(lambda: job.state == "running" and job.previews)
    for text in (
        drawn("GLIMPSE3D_PT_view_generate"),
        drawn("GLIMPSE3D_PT_image_generate", "IMAGE_EDITOR"),
    ):
        stage = ui.module("ui.meanings").STAGES[job.stage]
        assert "disc" in text and f"{job.fraction:.0%} {stage}" in text
    assert ui.session.book.history.preview(job.id).read_bytes()[1:4] == b"PNG"
    icons = ui.pulse._running().previews
    ui.until(lambda: job.id in icons)  # the panel was drawn, and asked for it
    width, height = icons[job.id].image_size
    assert 1 < max(width, height) <= 256
    assert len(set(icons[job.id].image_pixels_float)) > 2, "the icon shows a picture"
    assert "preview" not in bpy.data.images, "what it was read with is gone"
    server.stop(signal.SIGKILL)
    ui.until(lambda: ui.session.state == "down")
    text = drawn("GLIMPSE3D_PT_view_server")
    assert "lost" in text and "Nothing listens" in text and "Jobs go on at the server" in text
    assert "[Try Now]" in text
    assert "Waiting for the server" in drawn("GLIMPSE3D_PT_view_generate")
    again = Server(server.data, server.port)
    try:
        ui.ends(job)
    finally:
        again.stop()
    text = drawn("GLIMPSE3D_PT_view_jobs")
    assert "[Import]" in text and "[Again]" in text and "seed 0" in text
    text = drawn("GLIMPSE3D_PT_view_result")
    assert text.startswith("[Mesh] [Splats] [Both]") and "[Turntable]" in text
    assert "[Stand Here]" in text and "[Mark as Asset]" in text
    bpy.ops.glimpse3d.show_parts(what="splats")
    collection = bpy.data.collections["disc"]
    hidden = {each.get("glimpse3d_part"): each.hide_render for each in collection.objects}
    assert hidden["mesh"] and not hidden["splats"]


def test_a_failed_job_says_why_and_what_to_press(
    ui: Addon, server: Server, disc: bpy.types.Image
) -> None:
    ui.connect(server.string)
    small = ui.generate(disc, patient(fault="memory"))  # a draft already
    ui.ends(small)
    assert "[Try Again as Draft]" not in drawn("GLIMPSE3D_PT_view_generate")
    job = ui.generate(disc, patient(fault="memory").replace("draft", "standard"))
    ui.ends(job)
    for panel in ("jobs", "generate"):
        text = drawn(f"GLIMPSE3D_PT_view_{panel}")
        assert "[Try Again as Draft]" in text and job.problem.hint.split()[0] in text.lower()


def test_where_no_subject_was_found_a_box_can_be_drawn(ui: Addon, server: Server) -> None:
    ui.connect(server.string)
    clear = bpy.data.images.new("clear", 64, 64, alpha=True)
    clear.pixels.foreach_set([0.5, 0.5, 0.5, 0.0] * 64 * 64)
    job = ui.generate(clear, patient())
    ui.ends(job)
    assert job.problem.code == "no_foreground"
    assert "[Draw Box]" in drawn("GLIMPSE3D_PT_view_generate")


def test_a_result_that_waits_has_its_button(
    ui: Addon, server: Server, disc: bpy.types.Image
) -> None:
    ui.connect(server.string)
    job = ui.generate(disc, patient(seconds=0.3))
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    ui.ends(job)
    text = drawn("GLIMPSE3D_PT_view_generate")
    assert "disc: Ready: press Import" in text and "[Import]" in text
    bpy.ops.glimpse3d.import_result(job=job.id)
    assert "[Import]" not in drawn("GLIMPSE3D_PT_view_generate")


def test_a_result_that_comes_in_edit_mode_says_what_it_waits_for(
    ui: Addon, server: Server, disc: bpy.types.Image
) -> None:
    ui.connect(server.string)
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.object.mode_set(mode="EDIT")
    job = ui.generate(disc, patient(seconds=0.3))
    ui.until(lambda: job.state == "importing")
    text = drawn("GLIMPSE3D_PT_view_generate")
    assert "Ready: not imported yet" in text and "It comes by itself in Object Mode" in text
    bpy.ops.object.mode_set(mode="OBJECT")
    ui.ends(job)
    assert job.imported and "It comes by itself" not in drawn("GLIMPSE3D_PT_view_generate")


def test_a_result_comes_into_the_scene_that_asked_for_it(
    ui: Addon, server: Server, disc: bpy.types.Image
) -> None:
    ui.connect(server.string)
    asking, window = bpy.context.scene, bpy.context.window_manager.windows[0]
    job = ui.generate(disc, patient(seconds=0.3))
    window.scene = other = bpy.data.scenes.new("Other")
    ui.until(lambda: job.state == "importing")
    assert f"once the scene {asking.name} is shown" in drawn("GLIMPSE3D_PT_view_generate")
    window.scene = asking
    ui.ends(job)
    assert job.imported and asking.collection.children and not other.collection.children


def test_what_waits_for_a_render_that_is_over_holds_up_no_result(addon: ModuleType) -> None:
    pulse = import_module(f"{addon.__name__}.pulse")
    assert not pulse.is_busy([])
    assert not pulse.is_busy([bpy.ops.render.render.idname(), bpy.ops.object.bake.idname()])
    assert pulse.is_busy(["RENDER_OT_render", bpy.ops.transform.translate.idname()])


def test_every_code_has_its_words(ui: Addon) -> None:
    words: Any = ui.module("ui.words")
    errors: Any = ui.module("_vendor.inference_server.errors")
    for table in (words.CONNECTION_BUTTONS, words.JOB_BUTTONS):
        assert set(table) <= {*errors.CODES, "offline"}
        for button in table.values():
            assert operator(button.operator).identifier
    assert set(words.ICONS) == set(ui.history.STATES)
    for state in ui.history.STATES:
        place = ui.history.Place("", "")
        assert words.job(ui.history.Job("0" * 32, "x", {}, place, 0.0, state))
