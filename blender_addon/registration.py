"""What Blender is told of: classes in one order, properties, the pulse.

Owns that order and its reverse. Must not know what any of it does. It fails loudly: half an
extension is worse than none.
"""

from __future__ import annotations

import bpy

from . import pulse, translations
from .ui import (
    operators,
    panels,
    power_operators,
    preferences,
    properties,
    removal_operators,
    saved_operators,
    server_operators,
    server_panel,
    weight_operators,
)

CLASSES = (
    *properties.CLASSES,
    *preferences.CLASSES,
    *server_operators.CLASSES,
    *saved_operators.CLASSES,
    *power_operators.CLASSES,
    *removal_operators.CLASSES,
    *operators.CLASSES,
    *weight_operators.CLASSES,
    *server_panel.CLASSES,
    *panels.CLASSES,
)


def register() -> None:
    """Tell Blender."""
    bpy.app.translations.register(pulse.PACKAGE, translations.table())
    for each in CLASSES:
        bpy.utils.register_class(each)
    bpy.types.Scene.glimpse3d = bpy.props.PointerProperty(type=properties.SceneChoices)
    bpy.types.WindowManager.glimpse3d = bpy.props.PointerProperty(type=properties.WindowState)
    pulse.start()


def unregister() -> None:
    """Take everything back."""
    pulse.stop()
    del bpy.types.WindowManager.glimpse3d
    del bpy.types.Scene.glimpse3d
    for each in reversed(CLASSES):
        bpy.utils.unregister_class(each)
    bpy.app.translations.unregister(pulse.PACKAGE)
