"""The sidebar's tab, in the 3D view and in the Image Editor: its frame, and the server's panel.

Owns how texts and problems are drawn, and where panels stand. Must not change anything: drawing
happens at any time.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import bpy

from .. import pulse
from .._vendor.glimpse3d.errors import Glimpse3DError
from ..history import Coded
from ..session import Session
from . import words

CHARACTER_PIXELS = 7.0
INSTALLING = ("installing", "starting")


def draw_text(layout: bpy.types.UILayout, text: str, icon: str = "NONE") -> None:
    """A text in as many lines as the sidebar's width asks for."""
    context = bpy.context
    scale = context.preferences.system.ui_scale or 1.0  # 0 without a window
    width = context.region.width / scale if context.region is not None else 300.0
    column = layout.column(align=True)
    column.scale_y = 0.8
    for line in textwrap.wrap(text, max(16, int((width - 50) / CHARACTER_PIXELS))):
        column.label(text=line, icon=icon)
        icon = "BLANK1" if icon != "NONE" else "NONE"


def draw_problem(
    layout: bpy.types.UILayout, problem: Coded, buttons: dict[str, words.Button], job: str = ""
) -> None:
    """What went wrong, what to do, and the button that does it."""
    box = layout.box()
    draw_text(box, words.sentence(problem.message), "ERROR")
    if problem.hint:
        draw_text(box, words.sentence(problem.hint), "BLANK1")
    if (button := buttons.get(problem.code)) is not None:
        pressed = box.operator(button.operator, text=button.text)
        if job:
            pressed.job = job


class SidebarPanel:
    """A panel of our tab, drawn only once there is a session."""

    if TYPE_CHECKING:  # from bpy.types.Panel, which stands behind this class
        layout: bpy.types.UILayout

    bl_region_type = "UI"
    bl_category = "Glimpse3D"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw it, if there is a session to draw."""
        here = pulse.session()
        if here is not None:
            self.draw_session(context, here)

    def draw_session(self, context: bpy.types.Context, here: Session) -> None:
        """What the panel shows."""
        raise NotImplementedError


class _ServerPanel(SidebarPanel):
    bl_label = "Server"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        """How it stands, also when the panel is closed."""
        here = pulse.session()
        if here is not None:
            self.layout.label(icon="CHECKMARK" if here.state == "ready" else "UNLINKED")

    def draw(self, context: bpy.types.Context) -> None:
        """Trouble of our own comes first."""
        if (trouble := pulse.trouble()) is not None:
            draw_problem(self.layout, trouble, {})
        super().draw(context)

    def draw_session(self, context: bpy.types.Context, here: Session) -> None:
        """The connection, then the server on this machine."""
        layout = self.layout
        row = layout.row()
        row.label(text=words.connection(here))
        if here.address:
            row.operator("glimpse3d.disconnect", text="", icon="X")
        buttons = words.CONNECTION_BUTTONS
        if here.state != "ready":  # pasting has its button below
            buttons = {code: each for code, each in buttons.items() if each != words.PASTE}
        if here.problem is not None:
            draw_problem(layout, here.problem, buttons)
            if here.state == "down" and here.was_ready and here.book.active:
                draw_text(layout, "Jobs go on at the server, and here once it answers", "INFO")
        if here.refused is not None:
            draw_problem(layout, here.refused, buttons)
        if here.state != "ready":
            column = layout.column(align=True)
            column.operator("glimpse3d.paste_connection", icon="PASTEDOWN")
            column.prop(pulse.preferences(), "connection_string", text="")
            if not here.address and pulse.preferences().connection_string:
                column.operator("glimpse3d.connect", icon="LINKED")
        _draw_local(layout, here)


def _draw_local(layout: bpy.types.UILayout, here: Session) -> None:
    """The server on this machine: start, progress, stop."""
    launcher = here.launcher
    if launcher.state in INSTALLING:
        box = layout.box()
        starting = launcher.state == "starting"
        text = "Starting" if starting else f"Installing, {launcher.fraction:.0%}"
        box.progress(factor=launcher.fraction, text=text)
        if launcher.last_line and not starting:
            box.label(text=launcher.last_line[:80])
        box.operator("glimpse3d.server_stop", text="Cancel", icon="CANCEL")
    elif launcher.state == "running":
        row = layout.row()
        row.label(text="Local server runs", icon="DISC")
        if not here.is_local:
            row.operator("glimpse3d.server_start", text="Connect")
        row.operator("glimpse3d.server_stop", text="Stop")
    else:
        if launcher.state == "failed":
            problem = Glimpse3DError("backend_unavailable", launcher.problem, launcher.hint)
            draw_problem(layout, problem, {})
        text = "Go On Installing" if launcher.state == "incomplete" else "Start Local Server"
        layout.operator("glimpse3d.server_start", text=text, icon="PLAY")


def in_editor(space: str, panel: type, name: str) -> type:
    """The panel as a class of its own in one kind of editor."""
    place = {"bl_space_type": space, "bl_idname": name, "__doc__": panel.__doc__}
    return type(name, (panel, bpy.types.Panel), place)


CLASSES = (
    in_editor("VIEW_3D", _ServerPanel, "GLIMPSE3D_PT_view_server"),
    in_editor("IMAGE_EDITOR", _ServerPanel, "GLIMPSE3D_PT_image_server"),
)
