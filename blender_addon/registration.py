"""What Blender is told of: classes in one order, properties, the pulse.

Owns that order and its reverse. Must not know what any of it does. It fails loudly: half an
extension is worse than none.
"""

from __future__ import annotations

import bpy

from . import pulse
from .ui import (
    operators,
    panels,
    preferences,
    properties,
    server_operators,
    splat_registration,
    weight_operators,
)

CLASSES = (
    *properties.CLASSES,
    *preferences.CLASSES,
    *server_operators.CLASSES,
    *operators.CLASSES,
    *weight_operators.CLASSES,
    *panels.CLASSES,
    *splat_registration.CLASSES,
)


def register() -> None:
    """Tell Blender."""
    for each in CLASSES:
        bpy.utils.register_class(each)
    bpy.types.Scene.glimpse3d = bpy.props.PointerProperty(type=properties.SceneChoices)
    bpy.types.WindowManager.glimpse3d = bpy.props.PointerProperty(type=properties.WindowState)
    splat_registration.start()
    pulse.start()


def unregister() -> None:
    """Take everything back."""
    pulse.stop()
    splat_registration.stop()
    del bpy.types.WindowManager.glimpse3d
    del bpy.types.Scene.glimpse3d
    for each in reversed(CLASSES):
        bpy.utils.unregister_class(each)
