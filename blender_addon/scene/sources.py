"""Where a picture can come from in Blender, each as an image datablock.

Owns finding and making that datablock. Must not know what becomes of it, nor how its pixels are
read, which ``image`` does.
"""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from .._vendor.glimpse3d.errors import BadFile, BadImage
from . import image, orientation

# Pictures that Blender reads and that a picture of an object comes in.
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".tga", ".exr", ".hdr")
_MOST_BYTES = 2**29
RENDER = "RENDER_RESULT"


def load(path: Path) -> bpy.types.Image:
    """A picture file as a datablock, upright; the one that is open already, if there is one.

    Raises:
        BadFile: it cannot be read as a picture.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= _MOST_BYTES else b""
    except OSError as error:
        raise BadFile(
            f"the file {path.name} cannot be read: {error.strerror}", "check it"
        ) from error
    if not data:
        raise BadFile(f"the file {path.name} is empty or far too large", "choose another")
    former = {each.session_uid for each in bpy.data.images}
    try:
        found = bpy.data.images.load(str(path), check_existing=True)
    except RuntimeError as error:
        raise BadFile(f"Blender reads no picture in {path.name}", "save it as PNG first") from error
    new = found.session_uid not in former
    if 0 in found.size:
        if new:
            bpy.data.images.remove(found)
        raise BadFile(f"Blender reads no picture in {path.name}", "save it as PNG first")
    turn = orientation.of_jpeg(data)
    if turn == orientation.UPRIGHT:
        return found
    upright = packed(orientation.upright(image.rgba(found), turn), found.name)
    if new:
        bpy.data.images.remove(found)
    return upright


def packed(rgba: np.ndarray, name: str, keep_alpha: bool = False) -> bpy.types.Image:
    """(H, W, 4) uint8 sRGB, top row first, as a datablock that carries its picture in the file.

    Args:
        rgba: the pixels.
        name: of the datablock.
        keep_alpha: with an alpha channel even where it is opaque everywhere.
    """
    made = bpy.data.images.new(name, 1, 1)
    png = image.encode_png(rgba, keep_alpha)
    made.pack(data=png, data_len=len(png))
    made.source = "FILE"
    return made


def texture_of(thing: bpy.types.Object | None) -> bpy.types.Image | None:
    """The picture on the active material: what its surface shows first, else the active node's."""
    material = thing.active_material if thing is not None else None
    tree = material.node_tree if material is not None else None
    if tree is None:
        return None
    found = _nearest_picture(tree.get_output_node("ALL"))
    active = tree.nodes.active
    if found is None and active is not None and active.bl_idname == "ShaderNodeTexImage":
        found = active.image
    return found


def _nearest_picture(output: bpy.types.Node | None) -> bpy.types.Image | None:
    """Breadth first from the output towards what feeds it, a surface's colour before its rest."""
    near = [output] if output is not None else []
    seen = set(near)
    while near:
        node = near.pop(0)
        if node.bl_idname == "ShaderNodeTexImage" and node.image is not None:
            return node.image
        for socket in node.inputs:
            for link in socket.links:
                if link.from_node not in seen:
                    seen.add(link.from_node)
                    near.append(link.from_node)
    return None


def render_result() -> bpy.types.Image | None:
    """The datablock that shows what was rendered last; None before the first render."""
    return next((each for each in bpy.data.images if each.type == RENDER), None)


def viewport(context: bpy.types.Context, area: bpy.types.Area) -> bpy.types.Image:
    """What a 3D view shows, without its overlays, as a new datablock.

    Where nothing stands, the picture is transparent: the cut-out comes along.

    Raises:
        BadImage: there is nothing to draw with, as in background.
    """
    import gpu  # not there without a window, so not before somebody asks

    space = area.spaces.active
    region = next(each for each in area.regions if each.type == "WINDOW")
    view = space.region_3d
    try:
        target = gpu.types.GPUOffScreen(region.width, region.height)
    except (SystemError, RuntimeError) as error:
        raise BadImage("there is no view to capture", "open Blender with a window") from error
    overlays, space.overlay.show_overlays = space.overlay.show_overlays, False
    try:
        target.draw_view3d(
            context.scene, context.view_layer, space, region,
            view.view_matrix, view.window_matrix,
            do_color_management=True, draw_background=False,
        )  # fmt: skip
        values = target.texture_color.read()
    finally:
        space.overlay.show_overlays = overlays
        target.free()
    values.dimensions = region.width * region.height * 4
    rgba = np.array(values, np.float32).reshape(region.height, region.width, 4)[::-1]
    return packed(_bytes(rgba), "Viewport")


def _bytes(rgba: np.ndarray) -> np.ndarray:
    """A framebuffer's values, 0..1 or 0..255, multiplied by alpha, as straight 8-bit."""
    scaled = rgba / 255 if rgba.max(initial=0) > 1.5 else rgba
    alpha = scaled[..., 3:]
    color = np.divide(scaled[..., :3], alpha, out=np.zeros_like(scaled[..., :3]), where=alpha > 0)
    straight = np.concatenate([color, alpha], axis=-1)
    return np.rint(np.clip(straight, 0, 1) * 255).astype(np.uint8)


def clipboard(context: bpy.types.Context) -> bpy.types.Image:
    """The picture on the clipboard as a new datablock, where Blender offers it.

    Raises:
        BadImage: there is none, or Blender cannot read it on this system.
    """
    former = {each.session_uid for each in bpy.data.images}
    area = context.area
    kind = area.type
    try:
        area.type = "IMAGE_EDITOR"  # Blender's own operator asks for one
        with context.temp_override(area=area):
            bpy.ops.image.clipboard_paste()
    except RuntimeError as error:
        raise BadImage(
            "no picture could be taken from the clipboard",
            "copy a picture first; on some Linux desktops Blender cannot read pictures from there",
        ) from error
    finally:
        area.type = kind
    made = [each for each in bpy.data.images if each.session_uid not in former]
    if not made:
        raise BadImage("there is no picture on the clipboard", "copy one first")
    return made[0]
