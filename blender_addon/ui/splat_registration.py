"""What of the part without servers Blender is told: classes, a property, menus, the overlay.

Owns that order and its reverse. Must not know what any of it does.
"""

from __future__ import annotations

import bpy

from ..scene import splat_overlay
from . import camera_files, splat_files, splat_operators, splat_panel, splat_properties

CLASSES = (
    *splat_properties.CLASSES,
    *splat_operators.CLASSES,
    *splat_files.CLASSES,
    *splat_panel.CLASSES,
    *camera_files.CLASSES,
)


def start() -> None:
    """Once the classes are known."""
    bpy.types.Scene.glimpse3d_splats = bpy.props.PointerProperty(type=splat_properties.SplatChoices)
    splat_files.add_menus()
    camera_files.add_menus()
    splat_panel.add_menus()
    splat_overlay.start()


def stop() -> None:
    """Before the classes are forgotten."""
    splat_overlay.stop()
    splat_panel.remove_menus()
    camera_files.remove_menus()
    splat_files.remove_menus()
    del bpy.types.Scene.glimpse3d_splats
