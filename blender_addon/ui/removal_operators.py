"""What the user can do to be rid of everything: look how much it is, and remove it.

Owns those operators and how they are drawn in the preferences. Must not know what any of it is
for. Annotations must be live objects here: no ``from __future__ import annotations``.
"""

# ruff: noqa: D415, RUF012  Blender ends a tooltip itself, and owns these class attributes

import bpy
from bpy.app.translations import pgettext_iface as _

from .. import pulse
from ..jobs import from_disk
from ..session import Session
from . import words
from .acting import DONE, OnSession, Outcome, refuse
from .drawing import draw_problem, draw_text


class MeasureKept(OnSession, bpy.types.Operator):
    """See what this extension keeps on the disk, and how much; nothing is removed yet"""

    bl_idname = "glimpse3d.measure_kept"
    bl_label = "See What Is Kept"
    bl_options = {"INTERNAL"}

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """Begin to look."""
        pulse.measure()


class RemoveEverything(bpy.types.Operator):
    """Stop the local server and delete all that is listed here; objects in your files stay"""

    bl_idname = "glimpse3d.remove_everything"
    bl_label = "Remove Everything"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a list that somebody could read."""
        removal = pulse.removal()
        cls.poll_message_set(_("See what is kept first"))
        return removal is not None and removal.state == "measured" and bool(removal.items)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Ask first: it cannot be undone."""
        removal = pulse.removal()
        size = words.size(removal.bytes) if removal is not None else ""
        return context.window_manager.invoke_confirm(
            self, event, title="Remove Everything", confirm_text="Remove", icon="WARNING",
            message=words.frees(size),
        )  # fmt: skip

    def execute(self, context: bpy.types.Context) -> Outcome:
        """Begin; the preferences show how that goes."""
        try:
            pulse.remove_everything()
        except OSError as error:
            return refuse(self, from_disk(error))
        return DONE


class BeginAgain(bpy.types.Operator):
    """Use the extension as if it had just been installed"""

    bl_idname = "glimpse3d.begin_again"
    bl_label = "Begin Again"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Not while files are being removed."""
        removal = pulse.removal()
        cls.poll_message_set(_("Wait until everything is removed"))
        return removal is None or removal.state != "removing"

    def execute(self, context: bpy.types.Context) -> Outcome:
        """A new session is made at the next tick."""
        pulse.begin_again()
        return DONE


def draw_removal(layout: bpy.types.UILayout) -> None:
    """What is kept, and the button that ends it."""
    box = layout.box()
    removal = pulse.removal()
    if removal is None or removal.state == "done":
        if removal is not None:
            draw_text(box, "Everything was removed; now the extension can be, too", "CHECKMARK")
        box.operator("glimpse3d.measure_kept", icon="DISK_DRIVE")
        return
    for item in removal.items:
        row = box.row()
        row.label(text=item.what)
        row.label(text=words.size(item.bytes), translate=False)
        for path in item.paths:
            draw_text(box, str(path), "BLANK1")
    if not removal.items:
        draw_text(box, "Nothing is kept", "INFO")
    if removal.problem is not None:
        draw_problem(box, removal.problem, {})
        box.operator("glimpse3d.measure_kept", icon="DISK_DRIVE")
    elif removal.state == "measured":
        draw_text(box, "Weights that a server fetched lie in the cache of Hugging Face and stay")
        text = words.remove(removal.bytes)
        box.operator("glimpse3d.remove_everything", text=text, icon="TRASH", translate=False)
    else:
        measuring = removal.state == "measuring"
        box.label(text="Looking" if measuring else "Removing", icon="SORTTIME")


CLASSES = (MeasureKept, RemoveEverything, BeginAgain)
