"""Two brushes for cut-outs, which erase a background and bring it back.

Owns making them and taking one in hand. Must not know what is painted on. The user's own brushes
stay as they are.
"""

from __future__ import annotations

import bpy

from .._vendor.glimpse3d.errors import Glimpse3DError

# What a brush does -> its name, and how it blends.
BRUSHES = {"erase": ("Cut-out Erase", "ERASE_ALPHA"), "restore": ("Cut-out Restore", "ADD_ALPHA")}
_SIZE = 60  # pixels


def in_hand(scene: bpy.types.Scene) -> str | None:
    """Which one of ``BRUSHES`` is painted with; None if it is another brush, or none."""
    brush = scene.tool_settings.image_paint.brush
    held = brush.name if brush is not None else ""
    return next((what for what, (name, __) in BRUSHES.items() if name == held), None)


def take(context: bpy.types.Context, what: str) -> bpy.types.Brush:
    """Paint with this brush from now on; the context has to be an Image Editor.

    Args:
        context: whose paint settings are changed.
        what: one of ``BRUSHES``.

    Raises:
        Glimpse3DError: Blender does not hand it out yet.
    """
    name, blend = BRUSHES[what]
    brush = bpy.data.brushes.get(name)
    if brush is None:
        brush = bpy.data.brushes.new(name, mode="TEXTURE_PAINT")
        brush.blend, brush.strength, brush.size = blend, 1.0, _SIZE
    try:
        context.tool_settings.image_paint.brush = brush
    except AttributeError:  # since Blender 4.5 a brush is an asset, and taken as one
        brush.asset_mark()
        # Blender crashes if an editor has no tool yet, as one has not that just began to paint.
        context.workspace.tools.from_space_image_mode("PAINT", create=True)
        try:
            bpy.ops.brush.asset_activate(
                asset_library_type="LOCAL", relative_asset_identifier=f"Brush/{name}"
            )
        except RuntimeError as error:
            raise Glimpse3DError(
                "backend_unavailable", f"Blender is still looking for the brush {name!r}",
                "press it again in a moment, or choose it in the asset shelf",
            ) from error  # fmt: skip
    return brush
