"""File > Import > Glimpse3D Result: a bundle that was made without this Blender's server.

Owns that operator, its place in the menu, and what dropping a bundle does. Must not know what a
bundle holds. Annotations must be live objects here: no ``from __future__ import annotations``.
"""

# ruff: noqa: D415, RUF012  Blender ends a tooltip itself, and owns these class attributes

from pathlib import Path

import bpy
from bpy.app.translations import pgettext_iface as _

from .._vendor.glimpse3d.errors import Glimpse3DError
from .._vendor.glimpse3d.formats import manifest
from .._vendor.glimpse3d.formats.bundle import read_bundle
from ..scene import result, temporary
from .acting import DONE, Outcome, refuse
from .result_operators import place, select

ENDING = ".zip"


class ImportBundle(bpy.types.Operator):
    """Bring a result into the scene: the ZIP of a notebook or of the command line, or its folder"""

    bl_idname = "glimpse3d.import_bundle"
    bl_label = "Import Glimpse3D Result"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE", "HIDDEN"})
    filter_glob: bpy.props.StringProperty(default=f"*{ENDING};{manifest.NAME}", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only Object Mode can undo it in one step."""
        cls.poll_message_set(_("Leave the present mode for Object Mode first"))
        return context.mode == "OBJECT"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """What was dropped is known already."""
        if self.filepath:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> Outcome:
        """Check every file, then build all or nothing."""
        path = Path(bpy.path.abspath(self.filepath))
        try:
            if path.name == manifest.NAME:
                self._add(context, path.parent, path.parent.name)
            else:
                with temporary.folder() as folder:
                    read_bundle(path, folder / "result")
                    self._add(context, folder / "result", path.stem)
        except Glimpse3DError as error:
            return refuse(self, error)
        return DONE

    def _add(self, context: bpy.types.Context, folder: Path, name: str) -> None:
        collection = result.add_result(folder, name, place(context.scene), context.scene)
        select(context, collection)


class GLIMPSE3D_FH_bundle(bpy.types.FileHandler):  # noqa: N801  Blender wants such names
    """Bundles dropped on a 3D view."""

    bl_idname = "GLIMPSE3D_FH_bundle"
    bl_label = "Glimpse3D: Import Result"
    bl_import_operator = ImportBundle.bl_idname
    bl_file_extensions = ENDING

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Where objects stand."""
        return context.area is not None and context.area.type == "VIEW_3D"


def _draw_entry(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    menu.layout.operator(ImportBundle.bl_idname, text="Glimpse3D Result (.zip)")


def start() -> None:
    """Stand in File > Import."""
    bpy.types.TOPBAR_MT_file_import.append(_draw_entry)


def stop() -> None:
    """Leave the menu."""
    bpy.types.TOPBAR_MT_file_import.remove(_draw_entry)


CLASSES = (ImportBundle, GLIMPSE3D_FH_bundle)
