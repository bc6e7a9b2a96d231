"""The box around the subject: drawn with the mouse in the Image Editor, shown where it lies.

Owns the modal operator and the overlay. Must not know what the box is for. Annotations must be
live objects here: no ``from __future__ import annotations``.
"""

# ruff: noqa: D415, RUF012  Blender ends a tooltip itself, and owns these class attributes

from typing import Any

import bpy
from bpy.app.translations import pgettext_iface as _

from .. import pulse
from ..scene import cutout
from .acting import NOT_DONE, Outcome
from .asking import chosen_picture
from .cutout_operators import editor

COLOR = (1.0, 0.6, 0.1, 1.0)
LINE = 2.0  # pixels
_drawn: list[Any] = []  # Blender's handle of the overlay


class DrawBox(bpy.types.Operator):
    """Draw a box around the subject in the Image Editor; Escape leaves it as it was"""

    bl_idname = "glimpse3d.draw_box"
    bl_label = "Draw Box"
    bl_options = {"REGISTER", "UNDO", "BLOCKING"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a picture to draw on."""
        if chosen_picture(context) is None:
            cls.poll_message_set(_("Choose a picture first"))
            return False
        cls.poll_message_set(_("Open an Image Editor first: that is where you draw"))
        return editor(context) is not None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Wait for the mouse, in an Image Editor that shows the picture."""
        if context.area is None or context.area.type != "IMAGE_EDITOR":
            return self._invoke_there(context)
        chosen = context.scene.glimpse3d
        self.former = (chosen.cut, tuple(chosen.box))
        self.start: tuple[float, float] | None = None
        context.window.cursor_modal_set("CROSSHAIR")
        context.workspace.status_text_set(_("Drag a box around the subject; Escape leaves it"))
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def _invoke_there(self, context: bpy.types.Context) -> Outcome:
        area, picture = editor(context), chosen_picture(context)
        if area is not None:
            if cutout.picture_of(area.spaces.active.image) != picture:
                area.spaces.active.image = picture
            area.spaces.active.ui_mode = "VIEW"
            region = next(each for each in area.regions if each.type == "WINDOW")
            with context.temp_override(area=area, region=region):
                bpy.ops.glimpse3d.draw_box("INVOKE_DEFAULT")
        return NOT_DONE  # the one that was called goes on

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """From press to release."""
        if context.area is None or event.type in ("ESC", "RIGHTMOUSE"):
            return self._end(context, kept=False)
        if event.type == "LEFTMOUSE" and event.value == "PRESS":
            self.start = _place(context, event)
        elif event.type == "MOUSEMOVE" and self.start is not None:
            self._draw_to(context, _place(context, event))
        elif event.type == "LEFTMOUSE" and event.value == "RELEASE" and self.start is not None:
            self._draw_to(context, _place(context, event))
            left, top, right, bottom = context.scene.glimpse3d.box
            return self._end(context, kept=right - left > 0.01 and bottom - top > 0.01)
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender closes the editor, or itself."""
        self._end(context, kept=False)

    def _draw_to(self, context: bpy.types.Context, end: tuple[float, float]) -> None:
        assert self.start is not None
        (left, right), (top, bottom) = (sorted(pair) for pair in zip(self.start, end, strict=True))
        context.scene.glimpse3d.cut = "box"
        context.scene.glimpse3d.box = (left, top, right, bottom)
        context.area.tag_redraw()

    def _end(self, context: bpy.types.Context, kept: bool) -> Outcome:
        context.window.cursor_modal_restore()
        context.workspace.status_text_set(None)
        pulse.redraw()
        if kept:
            return {"FINISHED"}
        context.scene.glimpse3d.cut, context.scene.glimpse3d.box = self.former
        if context.area is not None:
            context.area.tag_redraw()
        return NOT_DONE


def _place(context: bpy.types.Context, event: bpy.types.Event) -> tuple[float, float]:
    """Where the mouse is, as parts of the picture's sides from its top left corner."""
    region = next(each for each in context.area.regions if each.type == "WINDOW")
    x, y = region.view2d.region_to_view(event.mouse_x - region.x, event.mouse_y - region.y)
    return min(max(x, 0.0), 1.0), min(max(1 - y, 0.0), 1.0)


def start() -> None:
    """Show the box from now on."""
    space = bpy.types.SpaceImageEditor
    _drawn.append(space.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL"))


def stop() -> None:
    """Show it no more."""
    while _drawn:
        bpy.types.SpaceImageEditor.draw_handler_remove(_drawn.pop(), "WINDOW")


def _draw() -> None:
    """The outline, over the picture; only while a box is what tells the subject."""
    context = bpy.context
    chosen, space = context.scene.glimpse3d, context.space_data
    if chosen.cut != "box" or space.image is None or space.mode != "VIEW":
        return
    import gpu  # only a window has it
    from gpu_extras.batch import batch_for_shader

    left, top, right, bottom = chosen.box
    corners = ((left, top), (right, top), (right, bottom), (left, bottom), (left, top))
    to_region = context.region.view2d.view_to_region
    line = [(*to_region(x, 1 - y, clip=False), 0.0) for x, y in corners]
    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    shader.uniform_float("color", COLOR)
    shader.uniform_float("lineWidth", LINE * context.preferences.system.ui_scale)
    shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    batch_for_shader(shader, "LINE_STRIP", {"pos": line}).draw(shader)


CLASSES = (DrawBox,)
