"""What the user can do about servers: paste, connect, and one on this machine.

Owns those operators. Must not know sockets or how anything is drawn. Annotations must be live
objects here: no ``from __future__ import annotations``.
"""

# ruff: noqa: D415, RUF012  Blender ends a tooltip itself, and owns these class attributes

import bpy
from bpy.app.translations import pgettext_iface as _

from .. import pulse
from .._vendor.glimpse3d.errors import Glimpse3DError
from ..session import Session
from . import words
from .acting import DONE, OnSession, Outcome

OURS = ("venv", "venv-2", "version.txt")
INSIDE = "glimpse3d-server"
TO_INSTALL = ("absent", "incomplete", "outdated")


def own_folder(chosen: str) -> str:
    """The folder that was chosen, or one in it where the user's own files are.

    What removing everything deletes must be ours beyond doubt.
    """
    folder = pulse.server_folder(chosen)
    strange = folder.is_dir() and any(folder.iterdir())
    if strange and not any((folder / name).exists() for name in OURS):
        return str(folder / INSIDE)
    return chosen


class PasteConnection(OnSession, bpy.types.Operator):
    """Connect with the connection string in the clipboard"""

    bl_idname = "glimpse3d.paste_connection"
    bl_label = "Paste Connection String"
    bl_options = {"INTERNAL"}

    text: bpy.props.StringProperty(
        name="Text", description="The string; the clipboard if empty", subtype="PASSWORD",
        options={"HIDDEN", "SKIP_SAVE"},
    )  # fmt: skip

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """Keep it, and connect."""
        here.keep(self.text or context.window_manager.clipboard)


class Connect(OnSession, bpy.types.Operator):
    """Try to reach the server now"""

    bl_idname = "glimpse3d.connect"
    bl_label = "Connect"
    bl_options = {"INTERNAL"}

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """The same server, or the one that was chosen last."""
        if here.address:
            here.reconnect()
        elif (chosen := here.servers.chosen) is not None:
            here.connect(chosen.string)


class Disconnect(OnSession, bpy.types.Operator):
    """Leave the server; jobs go on there, and their results come with the next connection"""

    bl_idname = "glimpse3d.disconnect"
    bl_label = "Disconnect"
    bl_options = {"INTERNAL"}

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """Talk to nobody."""
        here.disconnect()


class ServerStart(OnSession, bpy.types.Operator):
    """Run a server on this machine; the first time it is installed"""

    bl_idname = "glimpse3d.server_start"
    bl_label = "Start Local Server"
    bl_options = {"INTERNAL"}

    folder: bpy.props.StringProperty(
        name="Folder", description="Where it goes, 1.5 GB; empty is where it is",
        subtype="DIR_PATH", options={"SKIP_SAVE"},
    )  # fmt: skip
    former: bpy.props.BoolProperty(
        name="Earlier Release", description="Do not renew it; an earlier release will do",
        options={"HIDDEN", "SKIP_SAVE"},
    )  # fmt: skip

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Not while Blender is offline."""
        cls.poll_message_set(_("Online access is off in Blender"))
        return pulse.online_gate() is None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Before much is fetched, one question."""
        here = pulse.session()
        self.folder = str(pulse.server_folder(pulse.preferences().server_folder))
        if self.former or here is None or here.launcher.places.found() not in TO_INSTALL:
            return self.execute(context)
        old = here.launcher.places.found() == "outdated"
        return context.window_manager.invoke_props_dialog(
            self, width=420,
            title="Renew the Local Server" if old else "Install the Local Server",
            confirm_text="Renew" if old else "Install",
        )  # fmt: skip

    def draw(self, context: bpy.types.Context) -> None:
        """The question."""
        here, column = pulse.session(), self.layout.column()
        if here is not None:
            column.label(text=words.fetched_once(here.launcher.size_hint), translate=False)
            column.label(text="Blender's own Python is not changed")
        column.prop(self, "folder")

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """Install, start and connect, one after the other."""
        shut = pulse.online_gate()
        if shut is not None:
            raise Glimpse3DError("backend_unavailable", shut.message, shut.hint)
        chosen = own_folder(self.folder) if self.folder else ""
        if chosen and pulse.server_folder(chosen) != here.launcher.folder:
            here.stop_local()
            pulse.preferences().server_folder = chosen
            context.preferences.is_dirty = True
            here.local.launcher = pulse.new_launcher()
        here.start_local(self.former)


class ServerStop(OnSession, bpy.types.Operator):
    """Stop the server on this machine, or its installation; both can go on later"""

    bl_idname = "glimpse3d.server_stop"
    bl_label = "Stop Local Server"
    bl_options = {"INTERNAL"}

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """Stop it."""
        here.stop_local()


class ShowOnlineAccess(bpy.types.Operator):
    """Open the preferences where online access is allowed"""

    bl_idname = "glimpse3d.show_online_access"
    bl_label = "Open Preferences"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> Outcome:
        """Open them."""
        bpy.ops.screen.userpref_show("INVOKE_DEFAULT", section="SYSTEM")
        return DONE


CLASSES = (PasteConnection, Connect, Disconnect, ServerStart, ServerStop, ShowOnlineAccess)
