"""The panel that makes objects: quality, method, settings, the button, what is under way.

Owns what that panel shows. Must not change anything: drawing happens at any time.
"""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as _

from ..schema import Field
from ..session import Session
from ..weights import Want
from . import server_settings, words
from .asking import backends_of, method_of
from .drawing import SidebarPanel, draw_problem, draw_text, in_editor
from .input_panel import MATTE
from .jobs_panel import draw_active, draw_ended


class _GeneratePanel(SidebarPanel):
    bl_label = "Generate"

    def draw_session(self, context: bpy.types.Context, here: Session) -> None:
        """Quality, settings, the button, and what is under way."""
        layout, choices = self.layout, context.scene.glimpse3d
        layout.row().prop(choices, "preset", expand=True)
        _draw_method(layout, choices.reconstructor, method_of(context.scene), here)
        row = layout.row(align=True)
        row.prop(choices, "seed")
        row.operator("glimpse3d.draw_seed", text="", icon="FILE_REFRESH")
        row.prop(choices, "new_seed", text="", icon="MOD_NOISE")
        layout.prop(choices, "place")
        _draw_settings(layout, context.scene)
        row = layout.row()
        row.scale_y = 1.5
        row.operator("glimpse3d.generate", icon="SHADERFX")
        if here.book.problem is not None:
            draw_problem(layout, here.book.problem, {})
        for job in reversed(here.book.active):
            draw_active(layout.box(), job, here)
        if here.book.jobs and not here.book.jobs[0].imported:
            draw_ended(layout, here.book.jobs[0], here)


def _draw_settings(layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    """The server's own settings; what is not changed is what the quality means."""
    preset = scene.glimpse3d.preset
    values = server_settings.chosen(scene, preset)
    if values is None:
        return
    header, body = layout.panel("glimpse3d_settings", default_closed=True)
    header.label(text="Settings")
    if body is None:
        return
    offered = server_settings.offered()
    column = body.column()
    column.use_property_split = True
    column.use_property_decorate = False
    general = offered.general(preset)
    choosers = [each for each in general if each.stage]
    titles = {choice.name: choice.title for each in choosers for choice in each.choices}
    beside_picture = [each for each in general if each.name == MATTE]
    _draw_fields(column, values, [each for each in general if each not in beside_picture], "")
    for backend in sorted(backends_of(scene)):
        title = titles.get(backend, backend.replace("_", " ").capitalize())
        _draw_fields(column, values, offered.of_backend(preset, backend), title)
    body.operator("glimpse3d.reset_settings", icon="LOOP_BACK")


def _draw_fields(
    column: bpy.types.UILayout, values: bpy.types.PropertyGroup, fields: list[Field], title: str
) -> None:
    """Settings in their order, those of a group below what they share."""
    heading = ""
    for index, each in enumerate(fields):
        above = each.heading or (title if not index else heading)
        if above != heading:
            heading = above
            column.separator()
            column.label(text=heading)
        column.prop(values, each.attribute)


def _draw_method(layout: bpy.types.UILayout, chosen: str, used: str, here: Session) -> None:
    """The choice of a method, and what must be fetched before it, or a job that waits, can run.

    Args:
        layout: where.
        chosen: by name; empty is the server's usual one.
        used: what that comes to.
        here: whose server.
    """
    methods = here.weights.methods
    if methods:
        titles = {each.name: each.title for each in methods}
        row = layout.split(factor=0.25)  # a method's title is long
        row.label(text="Method")
        row.menu("GLIMPSE3D_MT_methods", text=titles.get(used, used or "Usual"))
    newest = here.book.jobs[:1]
    waiting = [
        each.settings.get("reconstructor") for each in newest if words.waits_for_weights(each)
    ]
    under_way = [here.weights.fetch.backend] if here.weights.fetch is not None else []
    for name in dict.fromkeys([chosen, *waiting, *under_way]):  # a download is never hidden
        if isinstance(name, str) and (want := here.weights.wanted(name)) is not None:
            _draw_want(layout.box(), want, here)
    if here.weights.problem is not None:
        draw_problem(layout, here.weights.problem, {})


def _draw_want(box: bpy.types.UILayout, want: Want, here: Session) -> None:
    """The question before a download; then how it goes."""
    if want.lacks:
        text = _("{name} cannot run on this server yet").format(name=want.title)
        draw_text(box, text, "ERROR")
        draw_text(box, words.sentence(want.lacks), "BLANK1")
        return
    fetch = here.weights.fetch
    if fetch is not None and fetch.backend == want.backend:
        text = _("Fetching the weights of {name}").format(name=want.title)
        draw_text(box, text, "IMPORT")
        row = box.row()
        row.progress(factor=fetch.fraction, text=words.fetching(fetch))
        row.operator("glimpse3d.cancel_fetch", text="", icon="X")
        return
    text = _("{name} needs its weights first, once").format(name=want.title)
    draw_text(box, text, "INFO")
    draw_text(box, words.about_weights(want, here), "BLANK1")
    text = _("Fetch Weights ({size})")
    if want.left != want.bytes:
        text = _("Go On Fetching ({size})")
    pressed = box.operator(
        "glimpse3d.fetch_weights", text=text.format(size=words.size(want.left)), icon="IMPORT",
        translate=False,
    )  # fmt: skip
    pressed.backend = want.backend


CLASSES = (
    in_editor("VIEW_3D", _GeneratePanel, "GLIMPSE3D_PT_view_generate"),
    in_editor("IMAGE_EDITOR", _GeneratePanel, "GLIMPSE3D_PT_image_generate"),
)
