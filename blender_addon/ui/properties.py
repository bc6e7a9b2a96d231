"""What the panels let a user choose, and the rows of the list of jobs.

Owns the properties on scenes and on the window manager. Must not know servers. Annotations must be
live objects here: no ``from __future__ import annotations``.
"""

import bpy

PRESETS = (
    ("draft", "Draft", "Quickest: to see whether the picture will do"),
    ("standard", "Standard", "The usual choice"),
    ("high", "High", "Best quality; takes longest"),
)


class SceneChoices(bpy.types.PropertyGroup):
    """Kept in the file, with each scene."""

    source: bpy.props.PointerProperty(
        type=bpy.types.Image, name="Picture", description="The picture to make an object of"
    )
    preset: bpy.props.EnumProperty(
        items=PRESETS, name="Quality", description="How much work the server puts in",
        default="standard",
    )  # fmt: skip
    reconstructor: bpy.props.StringProperty(
        name="Method", description="The server's name of the method; its usual one if empty"
    )


class JobRow(bpy.types.PropertyGroup):
    """A row of the list; its name is the job's id."""


class WindowState(bpy.types.PropertyGroup):
    """Not kept."""

    jobs: bpy.props.CollectionProperty(type=JobRow, options={"SKIP_SAVE"})
    active: bpy.props.IntProperty(name="Job", options={"SKIP_SAVE"}, min=0)


CLASSES = (SceneChoices, JobRow, WindowState)
