"""The panel of the result of which a part is active.

Owns what that panel shows. Must not change anything: drawing happens at any time.
"""

from __future__ import annotations

import bpy

from ..scene import result
from ..session import Session
from .drawing import SidebarPanel, in_editor
from .result_operators import SHOWN, chosen_result


class _ResultPanel(SidebarPanel):
    bl_label = "Result"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a part of a result."""
        return chosen_result(context) is not None

    def draw_session(self, context: bpy.types.Context, here: Session) -> None:
        """What is shown of it, where it stands, and its cameras."""
        layout = self.layout
        row = layout.row(align=True)
        shown = result.shown(chosen_result(context))
        for what, title, __ in SHOWN:
            button = row.operator("glimpse3d.show_parts", text=title, depress=what == shown)
            button.what = what
        row = layout.row(align=True)
        row.prop(context.scene.glimpse3d, "place", text="")
        row.operator("glimpse3d.stand_result")
        row = layout.row(align=True)
        row.operator("glimpse3d.add_turntable", icon="CON_CAMERASOLVER")
        row.menu("GLIMPSE3D_MT_cameras", icon="CAMERA_DATA")
        row = layout.row(align=True)
        row.operator("glimpse3d.mark_asset", icon="ASSET_MANAGER")
        row.operator("glimpse3d.delete_result", text="", icon="TRASH")


CLASSES = (in_editor("VIEW_3D", _ResultPanel, "GLIMPSE3D_PT_view_result"),)
