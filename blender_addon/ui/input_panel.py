"""The panel of the picture: where it comes from, what is known of it, what its subject is.

Owns what that panel shows. Must not change anything: drawing happens at any time.
"""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as _

from ..scene import brushes, cutout
from ..session import Session
from . import inspection, server_settings, words
from .asking import chosen_picture
from .cutout_operators import BRUSHES
from .drawing import SidebarPanel, draw_problem, draw_text, in_editor

SOURCES = (
    ("glimpse3d.generate_files", "FILEBROWSER"),
    ("glimpse3d.take_texture", "TEXTURE"),
    ("glimpse3d.take_render", "RENDER_STILL"),
    ("glimpse3d.take_view", "VIEW3D"),
    ("glimpse3d.take_clipboard", "PASTEDOWN"),
)
MATTE = "matte"
SIDES = ("Left", "Top", "Right", "Bottom")
_SCALE = 5.0  # of a thumbnail


class _InputPanel(SidebarPanel):
    bl_label = "Input"

    def draw_session(self, context: bpy.types.Context, here: Session) -> None:
        """The picture, warnings before anything is computed, and its subject."""
        layout = self.layout
        picture = chosen_picture(context)
        if context.space_data.type == "IMAGE_EDITOR":
            name = picture.name if picture is not None else "Open a picture here"
            layout.label(text=name, icon="IMAGE_DATA")
        else:
            layout.template_ID(context.scene.glimpse3d, "source", open="image.open")
        row = layout.row(align=True)
        for operator, icon in SOURCES:
            row.operator(operator, text="", icon=icon)
        if picture is not None:
            _draw_pictures(layout, picture, here.cutouts.preview is not None)
        _draw_cut(layout, context.scene, here)


def _draw_pictures(layout: bpy.types.UILayout, picture: bpy.types.Image, waits: bool) -> None:
    """The picture, its cut-out beside it or the place for it, and what is wrong with either."""
    cut = cutout.preview_of(picture)
    icons = [layout.icon(picture)]
    if cut is not None:
        icons.append(layout.icon(cut))
    elif waits:  # an icon that comes anew would be taken for the progress bar below the pointer
        icons.append(0)
    row = layout.row()
    for each in icons:
        row.template_icon(icon_value=each, scale=_SCALE)
    known = inspection.facts(picture)
    if known is None:
        return
    if (warning := words.small(known.width, known.height)) is not None:
        draw_text(layout, warning, "ERROR")
    of_cut = inspection.facts(cut) if cut is not None else None
    told = of_cut or known  # what the server found counts more than the picture's own alpha
    if told.is_empty:
        draw_text(layout, "The picture is transparent everywhere", "ERROR")
    elif told.touched:
        draw_text(layout, words.touched(told.touched), "ERROR")


def _draw_cut(layout: bpy.types.UILayout, scene: bpy.types.Scene, here: Session) -> None:
    """What tells the subject from its background, and a look at it."""
    chosen = scene.glimpse3d
    column = layout.column(align=True)
    column.row(align=True).prop(chosen, "cut", expand=True)
    if chosen.cut == "painted":
        row = column.row(align=True)
        row.operator("glimpse3d.paint_cutout", icon="BRUSH_DATA")
        held = brushes.in_hand(scene)
        for name, title, __ in BRUSHES:
            button = row.operator("glimpse3d.cutout_brush", text=title, depress=name == held)
            button.what = name
        return
    if chosen.cut == "box":
        column.operator("glimpse3d.draw_box", icon="SELECT_SET")
        corners = column.grid_flow(row_major=True, columns=2, even_columns=True, align=True)
        for index, side in enumerate(SIDES):
            corners.prop(chosen, "box", index=index, text=side, slider=True)
    values = server_settings.chosen(scene, chosen.preset)
    if values is not None and hasattr(values, MATTE):
        row = layout.split(factor=0.35)
        row.label(text="Cut Out By")
        row.prop(values, MATTE, text="")
    if here.cutouts.offered:
        _draw_preview(layout, here)


def _draw_preview(layout: bpy.types.UILayout, here: Session) -> None:
    preview = here.cutouts.preview
    if preview is not None:
        row = layout.row()
        text = words.queued(preview.ahead) if preview.ahead else _("Cutting out")
        row.progress(factor=preview.fraction, text=text, translate=False)
        row.operator("glimpse3d.cancel_cutout", text="", icon="X")
    else:
        layout.operator("glimpse3d.preview_cutout", icon="IMAGE_ALPHA")
    if here.cutouts.problem is not None:
        draw_problem(layout, here.cutouts.problem, {})


CLASSES = (
    in_editor("VIEW_3D", _InputPanel, "GLIMPSE3D_PT_view_input"),
    in_editor("IMAGE_EDITOR", _InputPanel, "GLIMPSE3D_PT_image_input"),
)
