"""The panels about servers: the connection, the doctor, and what the local server can do.

Owns what is drawn there. Must not change anything: drawing happens at any time.
"""

from __future__ import annotations

import sys

import bpy
from bpy.app.translations import pgettext_iface as _

from .. import pulse
from .._vendor.glimpse3d.errors import Glimpse3DError
from ..power import PARTS, TORCH, Extras, fitting
from ..session import Session
from . import words
from .drawing import SidebarPanel, draw_problem, draw_text, in_editor

INSTALLING = ("installing", "starting")
START = {
    "incomplete": "Go On Installing",
    "outdated": "Renew the Local Server",
}


class ServerPanel(SidebarPanel):
    """Whom Blender talks to."""

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
        removal = pulse.removal()
        if removal is not None and removal.state in ("removing", "done"):
            gone = removal.state == "done"
            draw_text(self.layout, "Everything was removed" if gone else "Removing", "INFO")
            self.layout.operator("glimpse3d.begin_again")
        super().draw(context)

    def draw_session(self, context: bpy.types.Context, here: Session) -> None:
        """The connection, then the server on this machine."""
        layout = self.layout
        row = layout.row()
        row.label(text=words.connection(here), translate=False)
        if here.address:
            row.operator("glimpse3d.disconnect", text="", icon="X")
        _draw_saved(layout, here)
        buttons = words.CONNECTION_BUTTONS
        if here.state != "ready":  # pasting has its button below
            buttons = {code: each for code, each in buttons.items() if each != words.PASTE}
        if here.problem is not None:
            draw_problem(layout, here.problem, buttons)
            if here.state == "down" and here.was_ready and here.book.active:
                draw_text(layout, "Jobs go on at the server, and here once it answers", "INFO")
        if here.state != "ready":
            column = layout.column(align=True)
            column.operator("glimpse3d.paste_connection", icon="PASTEDOWN")
            column.prop(pulse.preferences(), "connection_string", text="")
            if not here.address and here.servers.chosen is not None:
                column.operator("glimpse3d.connect", icon="LINKED")
        if here.refused is not None:  # below what was pressed, which stays below the pointer
            draw_problem(layout, here.refused, buttons)
        _draw_local(layout, here)


def _draw_saved(layout: bpy.types.UILayout, here: Session) -> None:
    """The choice among the servers that are kept."""
    if not here.servers.saved:
        return
    row = layout.row(align=True)
    current = "" if here.is_local else here.servers.current  # no name beside another connection
    name = current or _("Choose a Server")
    row.menu("GLIMPSE3D_MT_servers", text=name, icon="WORLD", translate=False)
    if current:
        row.operator("glimpse3d.rename_server", text="", icon="GREASEPENCIL")
        row.operator("glimpse3d.forget_server", text="", icon="TRASH")


def _draw_local(layout: bpy.types.UILayout, here: Session) -> None:
    """The server on this machine: start, progress, stop."""
    launcher = here.launcher
    if launcher.state in INSTALLING:
        box = layout.box()
        starting = launcher.state == "starting"
        text = _("Starting") if starting else words.installing(launcher.fraction)
        box.progress(factor=launcher.fraction, text=text, translate=False)
        if launcher.last_line and not starting:
            box.label(text=launcher.last_line[:80], translate=False)
        stop = "glimpse3d.power_cancel" if here.local.changing else "glimpse3d.server_stop"
        box.operator(stop, text="Cancel", icon="CANCEL")
    elif launcher.state == "running":
        row = layout.row()
        row.label(text="Local server runs", icon="DISC")
        buttons = row.row()
        buttons.alignment = "RIGHT"  # as wide as their words: the label has more of them
        if not here.is_local:
            buttons.operator("glimpse3d.server_start", text="Connect")
        buttons.operator("glimpse3d.server_stop", text="Stop")
    else:
        if launcher.state == "failed":
            problem = Glimpse3DError("backend_unavailable", launcher.problem, launcher.hint)
            draw_problem(layout, problem, {})
        found = launcher.places.found()
        text = START.get(found, "Start Local Server")
        layout.operator("glimpse3d.server_start", text=text, icon="PLAY")
        if found == "outdated":
            draw_text(layout, "It is of an earlier release; what is added to it is renewed, too")
            former = layout.operator("glimpse3d.server_start", text="Start the Earlier One")
            former.former = True


class DoctorPanel(SidebarPanel):
    """Why a server cannot be used, step by step."""

    bl_label = "Connection Doctor"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012  Blender's own

    def draw_session(self, context: bpy.types.Context, here: Session) -> None:
        """The button, and one line a step."""
        layout, checkup = self.layout, here.checkup
        if checkup is not None and checkup.running:
            row = layout.row()
            row.label(text="Asking", icon="SORTTIME")
            row.operator("glimpse3d.end_checkup", text="Cancel", icon="CANCEL")
        else:
            layout.operator("glimpse3d.examine", icon="VIEWZOOM")
        if checkup is None:
            draw_text(layout, "Looks for what is wrong, from the string to the models")
            return
        for line, well in words.verdicts(checkup.verdicts):
            draw_text(layout, line, "CHECKMARK" if well else "ERROR")
        if (fault := checkup.fault) is not None:
            draw_text(layout, words.sentence(fault.hint), "BLANK1")
            if (button := words.CONNECTION_BUTTONS.get(fault.code)) is not None:
                layout.operator(button.operator, text=button.text)
        elif not checkup.running:
            draw_text(layout, "Everything is as it should be", "INFO")
        column = layout.column(align=True)
        column.enabled = False
        for step in checkup.pending:
            column.label(text=words.STEPS[step], icon="LAYER_USED")


class PowerPanel(SidebarPanel):
    """What can be added to the local server."""

    bl_label = "More Power"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012  Blender's own

    def draw_session(self, context: bpy.types.Context, here: Session) -> None:
        """The GPU, then what there is and what could be."""
        layout = self.layout
        if here.launcher.places.standing is None:
            draw_text(layout, "Start the local server first; then it can be given more", "INFO")
            return
        _draw_gpus(layout, here)
        if here.local.problem is not None:
            draw_problem(layout, here.local.problem, {})
        column = layout.column()
        column.enabled = here.launcher.state not in INSTALLING
        extras = here.launcher.extras
        needed = "What the methods below compute with"
        _draw_part(column, TORCH, words.torch(extras), needed, extras)
        for part in PARTS:
            _draw_part(column, part.name, _(part.title), part.about, extras)


def _draw_gpus(layout: bpy.types.UILayout, here: Session) -> None:
    gpus = here.local.gpus
    if gpus is None:
        layout.label(text="Not looked for a GPU yet", icon="INFO")
    elif not gpus.names:
        draw_text(layout, words.no_gpu(gpus), "INFO")
    else:
        draw_text(layout, words.gpus(gpus), "CHECKMARK")
        if fitting(gpus, sys.platform).cuda == 0:
            hint = "Its driver is too old for PyTorch: renew it, then look again"
            draw_text(layout, hint, "ERROR")
    layout.operator("glimpse3d.look_for_gpus", icon="FILE_REFRESH")


def _draw_part(
    layout: bpy.types.UILayout, name: str, title: str, about: str, extras: Extras
) -> None:
    stands = name in extras.parts or bool(name == TORCH and extras.torch)
    row = layout.row()
    row.label(text=title, icon="CHECKMARK" if stands else "DOT", translate=False)
    if stands:
        row.operator("glimpse3d.power_remove", text="Remove").part = name
        return
    draw_text(layout, about, "BLANK1")
    more = extras.added(name, pulse.fitting_build()).megabytes() - extras.megabytes()
    text = words.add(more * 10**6)
    layout.operator("glimpse3d.power_add", text=text, translate=False).part = name


def _both(panel: type, name: str, parent: str = "") -> tuple[type, ...]:
    return tuple(
        in_editor(
            space,
            panel,
            f"GLIMPSE3D_PT_{prefix}_{name}",
            f"GLIMPSE3D_PT_{prefix}_{parent}" if parent else "",
        )
        for space, prefix in (("VIEW_3D", "view"), ("IMAGE_EDITOR", "image"))
    )


CLASSES = (
    *_both(ServerPanel, "server"),
    *_both(DoctorPanel, "doctor", "server"),
    *_both(PowerPanel, "power", "server"),
)
