"""Draws splats in every 3D viewport: blended, sorted, hidden by meshes in front, colours exact.

Owns the draw handler, what it keeps on the GPU, and when that is out of date. Must not know how a
splat is drawn: ``splat_shader`` does. Only splats whose quads are not shown in the viewport are
drawn here, and none that Blender draws itself. In Edit Mode they are the points that are edited.

Several objects are drawn whole, the farthest first; splats of objects that pass through each other
are in order once they are merged.
"""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import bpy
import gpu
import numpy as np
from bpy.app.handlers import persistent

from . import splat_data, splat_display, splat_layers, splat_order, splat_shader

log = logging.getLogger(__name__)


class _Kept(NamedTuple):
    """A splat object on the GPU: its cloud's places, and what each viewport last had of it.

    That is the order, and how many were drawn.
    """

    means: np.ndarray
    sample: splat_layers.Sample
    uploaded: splat_shader.Uploaded
    orders: dict[int, tuple[np.ndarray, Any]]
    drawn: dict[int, int]


class _State:
    """What lives between two drawings."""

    def __init__(self) -> None:
        self.handler: Any = None
        self.shaders: splat_shader.Shaders | None = None
        self.kept: dict[int, _Kept] = {}
        self.pictures: dict[int, Any] = {}  # what a viewport's splats are drawn into, its colours
        self.problem = ""

    def forget(self) -> None:
        """Everything on the GPU."""
        self.kept.clear()
        self.pictures.clear()


_STATE = _State()


def start() -> None:
    """Draw from now on, in every viewport."""
    _STATE.problem = ""
    if not bpy.app.background:
        space = bpy.types.SpaceView3D
        _STATE.handler = space.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")
    for each in _changes():
        each.append(_on_change)
    for each in _resets():
        each.append(_on_reset)


def stop() -> None:
    """Leave nothing behind."""
    if _STATE.handler is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_STATE.handler, "WINDOW")
        _STATE.handler = None
    for each in _changes():
        each.remove(_on_change)
    for each in _resets():
        each.remove(_on_reset)
    _STATE.forget()
    _STATE.shaders = None


def _changes() -> tuple[Any, ...]:
    return bpy.app.handlers.depsgraph_update_post, bpy.app.handlers.frame_change_post


def _resets() -> tuple[Any, ...]:
    handlers = bpy.app.handlers
    return handlers.load_post, handlers.undo_post, handlers.redo_post


@persistent
def _on_change(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """What was changed is uploaded anew when it is drawn next."""
    if not _STATE.kept:
        return
    for update in depsgraph.updates:
        if update.is_updated_geometry:
            _STATE.kept.pop(update.id.original.session_uid, None)


@persistent
def _on_reset(*_: object) -> None:
    _STATE.forget()


def problem() -> str:
    """Why viewports show no splats, in the driver's words; empty if they do."""
    return _STATE.problem


def left_out(thing: bpy.types.Object) -> int:
    """How many of the farthest splats some viewport does not show, for the others' sheer size."""
    kept = _STATE.kept.get(thing.session_uid)
    if kept is None or not kept.drawn:
        return 0
    return kept.uploaded.count - min(kept.drawn.values())


def drawn_here(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The splat objects that the viewport shows and the overlay draws, the farthest first."""
    space = context.space_data
    shown = [
        thing
        for thing in context.view_layer.objects
        if splat_data.is_splats(thing)
        and thing.mode != "EDIT"
        and not splat_data.is_native(thing)
        and thing.visible_get(view_layer=context.view_layer, viewport=space)
        and not _shows_quads(thing)
    ]
    view = context.region_data.view_matrix
    return sorted(shown, key=lambda thing: (view @ _middle(thing)).z)


def _shows_quads(thing: bpy.types.Object) -> bool:
    modifier = splat_display.display_of(thing)
    return modifier is not None and modifier.show_viewport


def _middle(thing: bpy.types.Object) -> Any:
    corners = [thing.matrix_world @ type(thing.location)(each) for each in thing.bound_box]
    return sum(corners[1:], corners[0]) / len(corners)


def _draw() -> None:
    """Called by Blender for each viewport; what goes wrong must not stop Blender's own drawing."""
    context = bpy.context
    things = drawn_here(context)
    if not things or _STATE.problem:
        return
    try:
        _draw_things(context, things)
    except Exception as error:  # a driver's, of whatever type: told once, not at every redraw
        _STATE.problem = str(error).strip().partition("\n")[0] or type(error).__name__
        log.exception("splats are not drawn in viewports")


def _draw_things(context: bpy.types.Context, things: list[bpy.types.Object]) -> None:
    x, y, width, height = gpu.state.viewport_get()
    behind = scene_depth(x, y, width, height)
    # No GPUOffScreen: making one unbinds the viewport.
    colors = _picture(context.region.as_pointer(), width, height)
    target = gpu.types.GPUFrameBuffer(depth_slot=behind, color_slots=colors)
    depsgraph = context.evaluated_depsgraph_get()
    where = context.region.as_pointer()
    camera_from_world = np.array(gpu.matrix.get_model_view_matrix())
    clip_from_camera = np.array(gpu.matrix.get_projection_matrix())
    with target.bind():
        target.clear(color=(0.0, 0.0, 0.0, 0.0))
        for thing in things:
            kept = _on_gpu(thing, depsgraph)
            camera_from_object = camera_from_world @ np.array(thing.matrix_world)
            order = _order(kept, camera_from_object, where)
            size = np.array([width, height])
            drawn = splat_layers.nearest(kept.sample, camera_from_object, clip_from_camera, size)
            kept.drawn[where] = drawn
            view = splat_shader.view_block(
                camera_from_object,
                clip_from_camera,
                (width, height, splat_shader.BLUR, kept.uploaded.degree),
                kept.uploaded.count - drawn,
            )
            draw_splats(_shaders(), kept.uploaded, order, view, drawn)
    lay_over(_shaders(), colors, (x, y))


def draw_splats(
    shaders: splat_shader.Shaders,
    uploaded: splat_shader.Uploaded,
    order: Any,
    view: Any,
    count: int,
) -> None:
    """Draw so many into the framebuffer that is bound, over its colours and before its depths."""
    shader = shaders.splat
    shader.bind()
    shader.uniform_block("view", view)
    shader.uniform_sampler("splats", uploaded.splats)
    shader.uniform_sampler("higher", uploaded.higher)
    shader.uniform_sampler("order", order)
    gpu.state.depth_test_set("LESS_EQUAL")  # a look-up at every pixel took a quarter of the time
    gpu.state.depth_mask_set(False)
    gpu.state.blend_set("ALPHA_PREMULT")
    shaders.corners.draw_instanced(shader, instance_start=0, instance_count=count)
    gpu.state.depth_test_set("NONE")
    gpu.state.blend_set("NONE")


def lay_over(shaders: splat_shader.Shaders, drawn: Any, origin: tuple[int, int]) -> None:
    """Lay the picture of the splats over the framebuffer that is bound."""
    shaders.over.bind()
    shaders.over.uniform_sampler("drawn", drawn)
    shaders.over.uniform_float("origin", (*origin, 0.0, 0.0))
    gpu.state.blend_set("ALPHA_PREMULT")
    shaders.corners.draw(shaders.over)
    gpu.state.blend_set("NONE")


def scene_depth(x: int, y: int, width: int, height: int) -> Any:
    """What stands before the splats, as a texture of depths 0..1 of the bound framebuffer."""
    framebuffer = gpu.state.active_framebuffer_get()
    depths = framebuffer.read_depth(x, y, width, height)
    depths.dimensions = width * height
    return gpu.types.GPUTexture((width, height), format="DEPTH_COMPONENT32F", data=depths)


def _shaders() -> splat_shader.Shaders:
    if _STATE.shaders is None:
        _STATE.shaders = splat_shader.compile_shaders()
    return _STATE.shaders


def _picture(where: int, width: int, height: int) -> Any:
    picture = _STATE.pictures.get(where)
    if picture is None or (picture.width, picture.height) != (width, height):
        _forget_closed()
        picture = gpu.types.GPUTexture((width, height), format="RGBA16F")
        _STATE.pictures[where] = picture
    return picture


def _forget_closed() -> None:
    """What belongs to viewports that are gone."""
    windows = bpy.context.window_manager.windows
    areas = [area for window in windows for area in window.screen.areas]
    alive = {region.as_pointer() for area in areas for region in area.regions}
    by_viewport: list[dict[int, Any]] = [kept.orders for kept in _STATE.kept.values()]
    by_viewport += [kept.drawn for kept in _STATE.kept.values()]
    for each in (*by_viewport, _STATE.pictures):
        for where in set(each) - alive:
            del each[where]


def _on_gpu(thing: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> _Kept:
    """The object's splats as its modifiers leave them."""
    kept = _STATE.kept.get(thing.session_uid)
    if kept is None:
        for gone in set(_STATE.kept) - {each.session_uid for each in bpy.data.objects}:
            del _STATE.kept[gone]
        cloud = splat_data.read_cloud(thing.evaluated_get(depsgraph).data)
        uploaded = splat_shader.upload(cloud)
        sample = splat_layers.sample(cloud, uploaded.count)
        kept = _Kept(cloud.means[: uploaded.count], sample, uploaded, {}, {})
        _STATE.kept[thing.session_uid] = kept
    return kept


def _order(kept: _Kept, camera_from_object: np.ndarray, where: int) -> Any:
    """Sorted anew only where the way the camera looks has changed."""
    forward = -camera_from_object[2, :3]
    forward = forward / max(float(np.linalg.norm(forward)), 1e-30)
    former, order = kept.orders.get(where, (None, None))
    if former is None or np.abs(former - forward).max() > 1e-6:
        indices = splat_order.far_to_near(kept.means, forward)
        order = splat_shader.texture(indices, 1, "R32F")
        kept.orders[where] = forward, order
    return order
