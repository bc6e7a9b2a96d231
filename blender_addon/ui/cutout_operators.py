"""The subject, told from its background before compute is spent: preview, box, painting.

Owns those operators. Must not know sockets or pixels. Annotations must be live objects here: no
``from __future__ import annotations``.
"""

# ruff: noqa: D415, RUF012  Blender ends a tooltip itself, and owns these class attributes

from contextlib import suppress

import bpy
from bpy.app.translations import pgettext_iface as _

from .. import pulse
from .._vendor.glimpse3d.errors import BadImage, Glimpse3DError
from ..scene import brushes, cutout
from ..session import Session
from . import brush_hold
from .acting import DONE, NOT_DONE, OnSession, Outcome, needs_server, refuse
from .asking import chosen_picture, read, settings_of

BRUSHES = (
    ("erase", "Erase", "Erase the background"),
    ("restore", "Restore", "Bring back what was erased"),
)


class PreviewCutout(OnSession, bpy.types.Operator):
    """Have the server cut the subject out, and nothing more; takes seconds"""

    bl_idname = "glimpse3d.preview_cutout"
    bl_label = "Preview Cut-out"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a picture, and a server that offers it."""
        here = pulse.session()
        if here is None or not needs_server(cls):
            return False
        if not here.cutouts.offered:
            cls.poll_message_set(_("This server cannot preview cut-outs: it has to be updated"))
            return False
        cls.poll_message_set(_("Choose a picture first"))
        return chosen_picture(context) is not None

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """Ask for it."""
        picture = chosen_picture(context)
        if picture is None:  # a script that does not ask ``poll``
            raise BadImage("there is no picture", "choose one first")
        asked = read(picture, context.scene)
        settings = {**settings_of(context.scene), **asked.settings}
        here.cutouts.begin(picture.name_full, asked.data, settings, asked.box)


class ShowCutout(OnSession, bpy.types.Operator):
    """Put the cut-out that arrived beside its picture"""

    bl_idname = "glimpse3d.show_cutout"
    bl_label = "Show Cut-out"
    bl_options = {"INTERNAL", "UNDO"}

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """Make it a datablock, and open it where its picture is open."""
        preview = here.cutouts.preview
        if preview is None or not preview.ready:
            raise Glimpse3DError("invalid_data", "no cut-out has arrived", "ask for one first")
        try:
            named = (each for each in bpy.data.images if each.name_full == preview.picture)
            picture = next(named, None)
            if picture is not None:  # else another file is open by now
                made = cutout.add_preview(here.cutouts.path, picture)
                _open(made, picture)
        finally:
            here.cutouts.done()


def _open(made: bpy.types.Image, picture: bpy.types.Image) -> None:
    """Show a cut-out in every Image Editor that shows its picture, its background as a grid."""
    for manager in bpy.data.window_managers:
        for window in manager.windows:
            for area in window.screen.areas:
                space = area.spaces.active
                if area.type == "IMAGE_EDITOR" and cutout.picture_of(space.image) == picture:
                    space.image = made
                    space.display_channels = "COLOR_ALPHA"


class CancelCutout(OnSession, bpy.types.Operator):
    """Stop this preview"""

    bl_idname = "glimpse3d.cancel_cutout"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """Stop it."""
        here.cutouts.cancel()


class PaintCutout(bpy.types.Operator):
    """Open a copy of the picture and erase its background with a brush; begins as the preview"""

    bl_idname = "glimpse3d.paint_cutout"
    bl_label = "Paint"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a picture, and an editor to paint in."""
        if chosen_picture(context) is None:
            cls.poll_message_set(_("Choose a picture first"))
            return False
        cls.poll_message_set(_("Open an Image Editor first: that is where you paint"))
        return editor(context) is not None

    def execute(self, context: bpy.types.Context) -> Outcome:
        """Copy it, and make the editor ready."""
        picture, area = chosen_picture(context), editor(context)
        if picture is None or area is None:  # a script that does not ask ``poll``
            return NOT_DONE
        try:
            painted = cutout.paint(picture)
        except Glimpse3DError as error:
            return refuse(self, error)
        context.scene.glimpse3d.cut = "painted"
        space = area.spaces.active
        space.image = painted
        space.ui_mode = "PAINT"
        space.display_channels = "COLOR_ALPHA"
        with context.temp_override(area=area), suppress(Glimpse3DError):
            brushes.take(context, "erase")  # else soon: Blender may still be looking for it
        brush_hold.hold("erase")
        return DONE


def editor(context: bpy.types.Context) -> bpy.types.Area | None:
    """This Image Editor, else one of the window."""
    if context.area is not None and context.area.type == "IMAGE_EDITOR":
        return context.area
    areas = context.screen.areas if context.screen is not None else []
    return next((each for each in areas if each.type == "IMAGE_EDITOR"), None)


class CutoutBrush(bpy.types.Operator):
    """Take the brush that erases the background, or the one that brings back what was erased"""

    bl_idname = "glimpse3d.cutout_brush"
    bl_label = "Brush"
    bl_options = {"REGISTER", "UNDO"}

    what: bpy.props.EnumProperty(items=BRUSHES, name="Brush")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only where it can be used."""
        cls.poll_message_set(_("Press Paint first, and use it in the Image Editor"))
        area = editor(context)
        return area is not None and area.spaces.active.mode == "PAINT"

    def execute(self, context: bpy.types.Context) -> Outcome:
        """Take it."""
        try:
            with context.temp_override(area=editor(context)):
                brushes.take(context, self.what)
        except Glimpse3DError as error:
            return refuse(self, error)
        brush_hold.hold(self.what)
        return DONE


CLASSES = (PreviewCutout, ShowCutout, CancelCutout, CutoutBrush, PaintCutout)
