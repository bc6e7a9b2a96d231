"""What all panels draw with: texts that wrap, problems with their button, panels in two editors.

Owns these three. Must not know any single panel.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface

from .. import pulse
from ..history import Coded
from ..session import Session
from . import words

CHARACTER_PIXELS = 7.0


def draw_text(layout: bpy.types.UILayout, text: str, icon: str = "NONE") -> None:
    """A text in as many lines as the sidebar's width asks for, in the user's language."""
    context = bpy.context
    scale = context.preferences.system.ui_scale or 1.0  # 0 without a window
    width = context.region.width / scale if context.region is not None else 300.0
    column = layout.column(align=True)
    column.scale_y = 0.8
    characters = max(16, int((width - 50) / CHARACTER_PIXELS))
    for line in textwrap.wrap(pgettext_iface(text), characters):
        column.label(text=line, icon=icon, translate=False)
        icon = "BLANK1" if icon != "NONE" else "NONE"


def draw_problem(
    layout: bpy.types.UILayout, problem: Coded, buttons: dict[str, words.Button], job: str = ""
) -> None:
    """What went wrong, what to do, and the button that does it."""
    box = layout.box()
    icon = "ERROR"
    for line in words.told(problem):
        draw_text(box, line, icon)
        icon = "BLANK1"
    if (button := buttons.get(problem.code)) is not None:
        pressed = box.operator(button.operator, text=button.text)
        if job and hasattr(pressed, "job"):  # the others help whatever is sent next
            pressed.job = job


class SidebarPanel:
    """A panel of the sidebar's tab, before Blender's own class stands behind it."""

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


def in_editor(space: str, panel: type, name: str, parent: str = "") -> type:
    """The panel as a class of its own in one kind of editor."""
    place = {"bl_space_type": space, "bl_idname": name, "__doc__": panel.__doc__}
    if parent:
        place["bl_parent_id"] = parent
    return type(name, (panel, bpy.types.Panel), place)
