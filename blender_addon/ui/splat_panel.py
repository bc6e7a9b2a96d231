"""The sidebar's panel for splats, which needs no server, and their part of the Object menu.

Owns what is drawn, and where. Must not change anything: drawing happens at any time.
"""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as _

from ..scene import splat_data, splat_display, splat_overlay, splat_shader
from .drawing import draw_text
from .splat_operators import chosen_splats, edits


class GLIMPSE3D_PT_view_splats(bpy.types.Panel):  # noqa: N801  Blender wants such names
    """What the chosen splats are, and what can be done with them."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Glimpse3D"
    bl_label = "Splats"
    bl_order = 10  # below everything that a server is asked for

    def draw(self, context: bpy.types.Context) -> None:
        """Files always, edits where splats are selected."""
        layout = self.layout
        row = layout.row(align=True)
        row.operator("glimpse3d.import_splats", text="Import", icon="IMPORT")
        row.operator("glimpse3d.export_splats", text="Export", icon="EXPORT")
        chosen = chosen_splats(context)
        if not chosen:
            layout.operator("glimpse3d.splats_from_mesh", icon="MESH_DATA")
            return
        _draw_about(layout, chosen)
        _draw_edits(layout, context.scene.view_settings.view_transform == "Raw")
        _draw_crop(layout, context.scene.glimpse3d_splats)


def _draw_about(layout: bpy.types.UILayout, chosen: list[bpy.types.Object]) -> None:
    data = chosen[0].data
    box = layout.box().column(align=True)
    box.label(text=chosen[0].name, icon="POINTCLOUD_DATA", translate=False)
    count = sum(splat_data.count(each.data) for each in chosen)
    text = _("{count} splats in {objects} objects, degree {degree}")
    if len(chosen) == 1:
        text = _("{count} splats, degree {degree}")
    degree = splat_data.degree(data)
    text = text.format(count=f"{count:,}", objects=len(chosen), degree=degree)
    box.label(text=text, translate=False)
    if count > splat_shader.MOST:
        text = _("The viewport shows the first {count}").format(count=f"{splat_shader.MOST:,}")
        draw_text(box, text, "INFO")
    if left_out := sum(map(splat_overlay.left_out, chosen)):
        text = _("Too large to be drawn all: the farthest {count} are left out")
        draw_text(box, text.format(count=f"{left_out:,}"), "INFO")
    if splat_overlay.problem():
        draw_text(box, "This GPU cannot show splats in viewports; renders can", "ERROR")
        draw_text(box, splat_overlay.problem(), "BLANK1")
    if not all(map(splat_display.is_current, chosen)):
        box.operator("glimpse3d.splat_upgrade", text="Upgrade", icon="FILE_REFRESH")


def _draw_edits(layout: bpy.types.UILayout, is_raw: bool) -> None:
    grid = layout.grid_flow(columns=2, even_columns=True, align=True)
    grid.operator("glimpse3d.splat_apply_transform", text="Apply Transform")
    grid.operator("glimpse3d.splat_sanitise", text="Sanitise")
    grid.operator("glimpse3d.splat_select", text="Select", icon="RESTRICT_SELECT_OFF")
    grid.operator("glimpse3d.splat_decimate", text="Decimate")
    grid.operator("glimpse3d.splat_merge", text="Merge")
    colors = grid.operator(
        "glimpse3d.splat_raw_colors", text="Usual Colours" if is_raw else "Raw Colours"
    )
    colors.on = not is_raw


def _draw_crop(layout: bpy.types.UILayout, choices: bpy.types.PropertyGroup) -> None:
    column = layout.column(align=True)
    column.row(align=True).prop(choices, "shape", expand=True)
    named = "collection" if choices.shape == "COLLECTION" else "bounds"
    column.prop(choices, named, text="")
    row = column.row(align=True)
    row.operator("glimpse3d.splat_crop", text="Crop").invert = False
    row.operator("glimpse3d.splat_crop", text="Remove Inside").invert = True


class GLIMPSE3D_MT_splats(bpy.types.Menu):  # noqa: N801  Blender wants such names
    """The edits of splats, in the 3D view's Object menu."""

    bl_idname = "GLIMPSE3D_MT_splats"
    bl_label = "Splats"

    def draw(self, context: bpy.types.Context) -> None:
        """All of them; what cannot be done is greyed out and says why."""
        for each in edits():
            self.layout.operator(each)
        self.layout.separator()
        self.layout.operator("glimpse3d.splats_from_mesh")


def _entry(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    menu.layout.menu(GLIMPSE3D_MT_splats.bl_idname)


def add_menus() -> None:
    """Stand in the 3D view's Object menu."""
    bpy.types.VIEW3D_MT_object.append(_entry)


def remove_menus() -> None:
    """Take the entry back."""
    bpy.types.VIEW3D_MT_object.remove(_entry)


CLASSES = (GLIMPSE3D_PT_view_splats, GLIMPSE3D_MT_splats)
