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
CUTS = (
    ("auto", "Automatic", "The server finds the subject"),
    ("box", "Box", "The server finds the subject inside a box that you draw"),
    ("painted", "Painted", "You erase the background with Blender's own brushes"),
)
PLACES = (
    ("cursor", "On the 3D Cursor", "The object's lowest point rests on the 3D cursor"),
    ("floor", "On the Floor", "Below the 3D cursor, at height 0"),
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
    seed: bpy.props.IntProperty(
        name="Seed", description="The same seed makes the same object again", min=0, max=2**31 - 1
    )
    new_seed: bpy.props.BoolProperty(
        name="New Seed Each Time", description="Draw another seed at every Generate"
    )
    cut: bpy.props.EnumProperty(
        items=CUTS, name="Cut-out", description="What tells the subject from its background"
    )
    box: bpy.props.FloatVectorProperty(
        name="Box", description="Left, top, right and bottom as parts of the picture's sides",
        size=4, min=0, max=1, default=(0.1, 0.1, 0.9, 0.9),
    )  # fmt: skip
    place: bpy.props.EnumProperty(
        items=PLACES, name="Stand", description="Where new objects come to stand"
    )


class JobRow(bpy.types.PropertyGroup):
    """A row of the list; its name is the job's id."""


class WindowState(bpy.types.PropertyGroup):
    """Not kept."""

    jobs: bpy.props.CollectionProperty(type=JobRow, options={"SKIP_SAVE"})
    active: bpy.props.IntProperty(name="Job", options={"SKIP_SAVE"}, min=0)


CLASSES = (SceneChoices, JobRow, WindowState)
