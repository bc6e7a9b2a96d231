"""Cameras of other programs into the scene: the menu's entry and its operator.

Owns that operator and where it is offered. Must not know any format. Annotations must be live
objects here: no ``from __future__ import annotations``.
"""

# ruff: noqa: D415  Blender ends a tooltip itself, and owns these class attributes

from pathlib import Path

import bpy
from bpy.app.translations import pgettext_rpt as _
from bpy_extras.io_utils import ImportHelper

from .._vendor.glimpse3d.errors import BadFile
from .._vendor.glimpse3d.formats import camera_sets
from ..scene import camera_import, cameras
from .acting import Outcome
from .splat_files import AXES
from .splat_operators import InObjectMode, select_only


class ImportCameras(InObjectMode, ImportHelper, bpy.types.Operator):
    """Import the cameras of a transforms.json or of a COLMAP model as a rig, with their pictures"""

    bl_idname = "glimpse3d.import_cameras"
    bl_label = "Import Cameras"

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(
        default="*.json;cameras.txt;images.txt;cameras.bin;images.bin", options={"HIDDEN"}
    )
    axes: bpy.props.EnumProperty(
        items=AXES, name="Axes",
        description="Which way is up in the file: Z for JSON and Y down for COLMAP, as usual",
    )  # fmt: skip

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """What was dropped is known already."""
        if self.filepath:
            return self.execute(context)
        return super().invoke(context, event)

    def act(self, context: bpy.types.Context) -> str:
        """One empty carries them all."""
        if not self.filepath:
            raise BadFile("no file was chosen", "choose transforms.json or a COLMAP model")
        path = Path(self.filepath)
        found = camera_sets.read(path, None if self.axes == "USUAL" else self.axes)
        folder = path if path.is_dir() else path.parent
        name = f"{folder.name} cameras"
        root = camera_import.add_cameras(found, folder, context.collection, name)
        select_only(context, [root])
        if context.scene.camera is None:
            cameras.look_through(root.children[0], context.scene)
        for note in found.notes:
            self.report({"WARNING"}, note[:1].upper() + note[1:])
        text = _("{count} cameras from {kind}")
        return text.format(count=len(found.cameras), kind=found.kind)


class GLIMPSE3D_FH_cameras(bpy.types.FileHandler):  # noqa: N801  Blender wants such names
    """A transforms.json dropped on a 3D view."""

    bl_idname = "GLIMPSE3D_FH_cameras"
    bl_label = "Glimpse3D: Import Cameras"
    bl_import_operator = ImportCameras.bl_idname
    bl_file_extensions = ".json"

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Where objects stand."""
        return context.area is not None and context.area.type == "VIEW_3D"


def _entry(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    menu.layout.operator(ImportCameras.bl_idname, text="Cameras (transforms.json/COLMAP)")


def add_menus() -> None:
    """Stand in the menu File > Import."""
    bpy.types.TOPBAR_MT_file_import.append(_entry)


def remove_menus() -> None:
    """Take the entry back."""
    bpy.types.TOPBAR_MT_file_import.remove(_entry)


CLASSES = (ImportCameras, GLIMPSE3D_FH_cameras)
