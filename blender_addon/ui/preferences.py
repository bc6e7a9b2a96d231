"""What the extension keeps for the user between files.

Owns the preferences and how they are drawn. Must not know sockets. Annotations must be live
objects here: no ``from __future__ import annotations``.
"""

import contextlib

import bpy

from .. import pulse
from .._vendor.inference_server.errors import WireError


def _string_typed(self: bpy.types.AddonPreferences, context: bpy.types.Context) -> None:
    """A pasted string connects by itself; what is wrong with it stands on the panel."""
    here = pulse.session()
    if here is None:
        return
    if not self.connection_string:
        here.disconnect()
    else:
        with contextlib.suppress(WireError):  # the panel shows here.refused
            here.connect(self.connection_string)
    pulse.refresh()


class Preferences(bpy.types.AddonPreferences):
    """Kept in Blender's preferences file."""

    bl_idname = pulse.PACKAGE

    connection_string: bpy.props.StringProperty(
        name="Connection String",
        description="The line that the server printed; a key to it, so keep it to yourself",
        subtype="PASSWORD",
        update=_string_typed,
    )
    connect_at_start: bpy.props.BoolProperty(
        name="Connect When Blender Starts",
        description="Connect to the kept server as soon as Blender is open",
        default=True,
    )
    server_folder: bpy.props.StringProperty(
        name="Local Server",
        description="Folder of the server on this machine; empty is Blender's user folder",
        subtype="DIR_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """In Blender's preferences, below the extension."""
        column = self.layout.column()
        column.use_property_split = True
        column.prop(self, "connection_string")
        column.prop(self, "connect_at_start")
        column.prop(self, "server_folder")


CLASSES = (Preferences,)
