"""Glimpse3D in Blender: register and unregister, nothing else.

Nothing is imported before Blender asks, so that the files without bpy can be used without it.
"""


def register() -> None:
    """Blender switches the extension on."""
    from . import registration

    registration.register()


def unregister() -> None:
    """Blender switches the extension off, or ends."""
    from . import registration

    registration.unregister()
