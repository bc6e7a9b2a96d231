"""What the extension keeps for the user between files.

Owns the preferences and how they are drawn. Must not know sockets. Annotations must be live
objects here: no ``from __future__ import annotations``.
"""

import bpy

from .. import pulse
from .._vendor.inference_server.errors import WireError
from ..history import Problem
from ..jobs import from_disk
from .removal_operators import draw_removal


def _string_typed(self: bpy.types.AddonPreferences, context: bpy.types.Context) -> None:
    """A pasted string connects by itself, and moves to where keys are kept."""
    here = pulse.session()
    if here is None or not self.connection_string:
        return
    try:
        here.keep(self.connection_string)
    except WireError as error:
        here.refused = Problem.of(error)
    except OSError as error:
        here.refused = from_disk(error)
    self.connection_string = ""
    pulse.refresh()


class Preferences(bpy.types.AddonPreferences):
    """Kept in Blender's preferences file."""

    bl_idname = pulse.PACKAGE

    connection_string: bpy.props.StringProperty(
        name="Connection String",
        description="The line that the server printed; it is kept in a file only you can read",
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
        draw_removal(self.layout)


CLASSES = (Preferences,)
