"""What Blender is told of: classes in one order, properties, the pulse.

Owns that order and its reverse. Must not know what any of it does. It fails loudly: half an
extension is worse than none.
"""

from __future__ import annotations

import bpy

from . import pulse, translations
from .ui import (
    box,
    brush_hold,
    bundle,
    cutout_operators,
    generate_panel,
    input_panel,
    inspection,
    jobs_panel,
    operators,
    picture_operators,
    power_operators,
    preferences,
    properties,
    removal_operators,
    result_operators,
    result_panel,
    saved_operators,
    server_operators,
    server_panel,
    server_settings,
    splat_registration,
    weight_operators,
)  # fmt: skip

CLASSES = (
    *properties.CLASSES,
    *preferences.CLASSES,
    *server_operators.CLASSES,
    *saved_operators.CLASSES,
    *power_operators.CLASSES,
    *removal_operators.CLASSES,
    *operators.CLASSES,
    *weight_operators.CLASSES,
    *picture_operators.CLASSES,
    *cutout_operators.CLASSES,
    *box.CLASSES,
    *result_operators.CLASSES,
    *bundle.CLASSES,
    *server_panel.CLASSES,
    *input_panel.CLASSES,
    *generate_panel.CLASSES,
    *jobs_panel.CLASSES,
    *result_panel.CLASSES,
    *splat_registration.CLASSES,
)


def register() -> None:
    """Tell Blender."""
    bpy.app.translations.register(pulse.PACKAGE, translations.table())
    for each in CLASSES:
        bpy.utils.register_class(each)
    bpy.types.Scene.glimpse3d = bpy.props.PointerProperty(type=properties.SceneChoices)
    bpy.types.WindowManager.glimpse3d = bpy.props.PointerProperty(type=properties.WindowState)
    splat_registration.start()
    box.start()
    bundle.start()
    brush_hold.start()
    pulse.start(server_settings.follow, inspection.follow, brush_hold.follow)


def unregister() -> None:
    """Take everything back."""
    pulse.stop()
    inspection.stop()
    server_settings.stop()
    brush_hold.stop()
    bundle.stop()
    box.stop()
    splat_registration.stop()
    del bpy.types.WindowManager.glimpse3d
    del bpy.types.Scene.glimpse3d
    for each in reversed(CLASSES):
        bpy.utils.unregister_class(each)
    bpy.app.translations.unregister(pulse.PACKAGE)
