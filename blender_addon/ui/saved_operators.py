"""What the user can do about the servers that are kept, and about one that does not answer.

Owns those operators and the menu of servers. Must not know sockets. Annotations must be live
objects here: no ``from __future__ import annotations``.
"""

# ruff: noqa: D415, RUF012  Blender ends a tooltip itself, and owns these class attributes

from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as _

from .. import pulse
from .._vendor.glimpse3d.errors import Glimpse3DError
from ..servers import LONGEST_NAME, Saved
from ..session import Session
from .acting import OnSession, Outcome


def chosen(here: Session | None) -> Saved | None:
    """The server that the operators are about."""
    return here.servers.chosen if here is not None else None


class _OnChosen(OnSession):
    if TYPE_CHECKING:  # from bpy.types.Operator, which stands behind this class

        @classmethod
        def poll_message_set(cls, text: str) -> None:
            """Say why not."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a server that is kept."""
        cls.poll_message_set(_("Choose a server first"))
        return chosen(pulse.session()) is not None

    def act_on(self, context: bpy.types.Context, here: Session, server: Saved) -> None:
        """Do it to this server; raises as ``act`` does."""
        raise NotImplementedError

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """Find the server."""
        server = chosen(here)
        if server is None:
            raise Glimpse3DError("invalid_data", "there is no such server", "choose one first")
        self.act_on(context, here, server)


class GLIMPSE3D_MT_servers(bpy.types.Menu):  # noqa: N801  Blender wants such names
    """The servers that are kept."""

    bl_label = "Servers"

    def draw(self, context: bpy.types.Context) -> None:
        """One line each, and how another one comes in."""
        here = pulse.session()
        if here is None:
            return
        for each in here.servers.saved:
            current = each.name == here.servers.current and not here.is_local
            icon = "CHECKMARK" if current else "BLANK1"
            row = self.layout.operator(
                "glimpse3d.choose_server", text=each.name, icon=icon, translate=False
            )
            row.name = each.name
        self.layout.separator()
        self.layout.operator("glimpse3d.paste_connection", icon="PASTEDOWN")


class ChooseServer(OnSession, bpy.types.Operator):
    """Connect to this server, now and whenever Blender starts"""

    bl_idname = "glimpse3d.choose_server"
    bl_label = "Choose Server"
    bl_options = {"INTERNAL"}

    name: bpy.props.StringProperty(
        name="Name", description="The server's name in the list", options={"HIDDEN", "SKIP_SAVE"}
    )

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """Connect."""
        server = here.servers.get(self.name)
        if server is None:
            raise Glimpse3DError(
                "invalid_data", "there is no such server", "choose one in the list"
            )
        here.connect(server.string)
        here.servers.choose(server.name)


class RenameServer(_OnChosen, bpy.types.Operator):
    """Give this server another name in the list"""

    bl_idname = "glimpse3d.rename_server"
    bl_label = "Rename Server"
    bl_options = {"INTERNAL"}

    name: bpy.props.StringProperty(
        name="Name", description="What the list shows", maxlen=LONGEST_NAME, options={"SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Ask for the name."""
        server = chosen(pulse.session())
        self.name = server.name if server is not None else ""
        return context.window_manager.invoke_props_dialog(self)

    def act_on(self, context: bpy.types.Context, here: Session, server: Saved) -> None:
        """Rename it."""
        here.servers.rename(server.name, self.name)


class ForgetServer(_OnChosen, bpy.types.Operator):
    """Take this server and its key off the list; its jobs and their results stay"""

    bl_idname = "glimpse3d.forget_server"
    bl_label = "Remove Server"
    bl_options = {"INTERNAL"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Ask first: the key is gone with it."""
        server = chosen(pulse.session())
        text = _("To connect to {name} again, its connection string must be copied anew")
        return context.window_manager.invoke_confirm(
            self, event, title="Remove Server", confirm_text="Remove",
            message=text.format(name=server.name if server is not None else "?"),
        )  # fmt: skip

    def act_on(self, context: bpy.types.Context, here: Session, server: Saved) -> None:
        """Forget it."""
        if here.server_key == server.key.hex() and not here.is_local:
            here.disconnect()
        here.servers.remove(server.name)


class Examine(OnSession, bpy.types.Operator):
    """Ask step by step why the server cannot be used: name, port, key, version, models"""

    bl_idname = "glimpse3d.examine"
    bl_label = "Examine the Connection"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a server, and a Blender that may be online."""
        here = pulse.session()
        if pulse.online_gate() is not None:
            cls.poll_message_set(_("Online access is off in Blender"))
            return False
        cls.poll_message_set(_("Paste a connection string first"))
        return here is not None and bool(here.address or chosen(here))

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """Begin; the panel shows what was found."""
        if not here.examine():
            hint = "paste a connection string first"
            raise Glimpse3DError("invalid_data", "there is no server to ask", hint)


class EndCheckup(OnSession, bpy.types.Operator):
    """Stop asking"""

    bl_idname = "glimpse3d.end_checkup"
    bl_label = "Stop Examining"
    bl_options = {"INTERNAL"}

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """Stop it."""
        here.end_checkup()


CLASSES = (
    GLIMPSE3D_MT_servers,
    ChooseServer,
    RenameServer,
    ForgetServer,
    Examine,
    EndCheckup,
)
