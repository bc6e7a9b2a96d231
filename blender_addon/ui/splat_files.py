"""Splat files into the scene and out of it: menus, the file browser, and files that are dropped.

Owns those operators and where they are offered. Must not know any format. Annotations must be live
objects here: no ``from __future__ import annotations``.
"""

# ruff: noqa: D415, RUF012  Blender ends a tooltip itself, and owns these class attributes

from collections.abc import Iterator
from pathlib import Path

import bpy
from bpy.app.translations import pgettext_rpt as _
from bpy_extras.io_utils import ExportHelper, ImportHelper

from .._vendor.glimpse3d import cloud_edits
from .._vendor.glimpse3d.errors import BadFile, Glimpse3DError, OutputFailed
from .._vendor.glimpse3d.formats import splats as files
from .._vendor.glimpse3d.formats.splat_blocks import Repairs
from ..scene import splat_data, splat_seen, splats
from .acting import DONE, NOT_DONE, Outcome, refuse
from .splat_operators import InObjectMode, chosen_splats, select_only

READ = (".ply", ".spz", ".splat", ".ksplat", ".glb")
AXES = (
    ("USUAL", "As Usual", "What the file says of itself, else what its kind has by custom"),
    ("rdf", "Y Down", "Right, down, forward: trainers, COLMAP"),
    ("rub", "Y Up", "Right, up, back: glTF, SPZ, OpenGL"),
    ("blender", "Z Up", "Right, forward, up: Blender's own"),
)
KINDS = (
    (".ply", "PLY (.ply)", "Exact; every program for splats reads it"),
    (".compressed.ply", "Compressed PLY (.compressed.ply)", "SuperSplat's; a quarter of the size"),
    (".spz", "SPZ (.spz)", "Niantic's; a sixth of the size"),
    (".splat", "Splat (.splat)", "For web viewers; without view-dependent colour"),
    (".glb", "glTF (.glb)", "KHR_gaussian_splatting; exact"),
)


def _axes(name: str) -> str | None:
    return None if name == "USUAL" else name


class ImportSplats(InObjectMode, ImportHelper, bpy.types.Operator):
    """Import Gaussian splats: PLY, compressed PLY, SPZ, .splat, .ksplat or glTF"""

    bl_idname = "glimpse3d.import_splats"
    bl_label = "Import Splats"

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: bpy.props.CollectionProperty(
        type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"}
    )
    filter_glob: bpy.props.StringProperty(
        default=";".join(f"*{each}" for each in READ), options={"HIDDEN"}
    )
    axes: bpy.props.EnumProperty(
        items=AXES, name="Axes", description="Which way is up in the file, if you know better"
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Dropped files are imported at once; the menu asks which."""
        if self.files or self.filepath:
            return self.execute(context)
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> Outcome:
        """Each file is an object; one that is refused is named, and the others come."""
        made = []
        for path in self._paths():
            try:
                made.append(self._add(path, context))
            except Glimpse3DError as error:
                refuse(self, error, "" if path.name in error.message else path.name)
        if not made:
            return NOT_DONE
        for note in splats.prepare_cycles(context.scene):
            self.report({"INFO"}, note)
        select_only(context, made)
        return DONE

    def _paths(self) -> list[Path]:
        names = [each.name for each in self.files if each.name]
        if names:
            return [Path(self.directory) / name for name in names]
        return [Path(self.filepath)]

    def _add(self, path: Path, context: bpy.types.Context) -> bpy.types.Object:
        if path.is_dir():  # what the file browser hands over if nothing is chosen in it
            raise BadFile("no file was chosen", "choose one with splats in it")
        contents = files.read(path, _axes(self.axes))
        if not len(contents.cloud):
            raise BadFile("the file holds no splats", "write it again where it comes from")
        thing = splats.add_cloud(contents.cloud, context.collection, path.stem)
        for note in (*repaired(contents.repairs), *contents.notes):
            self.report({"WARNING"}, f"{path.name}: {note}")
        if cloud_edits.lacks_logarithm(contents.cloud):
            text = _("{name}: no splat is below a metre; the logarithm of the sizes may be missing")
            self.report({"WARNING"}, text.format(name=path.name))
        degree = contents.cloud.sh_degree
        text = _("{name}: {kind}, {count} splats, degree {degree}").format(
            name=path.name, kind=contents.kind, count=len(contents.cloud), degree=degree
        )
        self.report({"INFO"}, text)
        return thing


def repaired(repairs: Repairs) -> Iterator[str]:
    """What was left out or changed because it could not be drawn."""
    for count, text in (
        (repairs.not_finite, _("{count} splats left out: a value is not finite")),
        (
            repairs.beyond,
            _("{count} splats left out: farther, larger or brighter than can be drawn"),
        ),
        (repairs.no_rotation, _("{count} splats left out: the rotation is zero")),
        (repairs.no_size, _("{count} splats made as thin as can be: a scale is zero")),
    ):
        if count:
            yield text.format(count=count)


class ExportSplats(InObjectMode, ExportHelper, bpy.types.Operator):
    """Export splats as they are seen: modifiers and transforms applied, several objects as one"""

    bl_idname = "glimpse3d.export_splats"
    bl_label = "Export Splats"
    bl_options = {"REGISTER"}

    filename_ext = ".ply"
    check_extension = None
    filter_glob: bpy.props.StringProperty(
        default=";".join(f"*{kind[0]}" for kind in KINDS), options={"HIDDEN"}
    )
    kind: bpy.props.EnumProperty(items=KINDS, name="Format", description="The kind of file")
    axes: bpy.props.EnumProperty(
        items=AXES, name="Axes", description="Which way is up in the file, if its reader differs"
    )
    selected_only: bpy.props.BoolProperty(
        name="Selected Only", default=True,
        description="Only selected objects, instead of all that are visible",
    )  # fmt: skip

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs splats that are seen."""
        if not super().poll(context):
            return False
        cls.poll_message_set(_("There are no splats to export"))
        return any(splat_data.is_splats(each) for each in context.visible_objects)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Propose the object's name, beside the .blend file."""
        if not self.filepath:  # type: ignore[has-type]
            self.filepath = proposed(context, self.kind)
        return ExportHelper.invoke(self, context, event)

    def check(self, context: bpy.types.Context) -> bool:
        """The file browser keeps the name's ending that of the format."""
        path = Path(str(self.filepath))
        ending = next((kind[0] for kind in _by_length() if path.name.endswith(kind[0])), "")
        if ending == self.kind:
            return False
        stem = path.name.removesuffix(ending)
        self.filepath = str(path.with_name(stem + self.kind))
        return True

    def act(self, context: bpy.types.Context) -> str:
        """The file is written whole or not at all; its ending decides the format."""
        path = Path(self.filepath)
        if not any(path.name.lower().endswith(kind[0]) for kind in KINDS):
            path = path.with_name(path.name + self.kind)
        shown = context.selected_objects if self.selected_only else context.visible_objects
        chosen = [each for each in shown if splat_data.is_splats(each) and each.visible_get()]
        cloud = splat_seen.seen_cloud(chosen, context)
        try:
            files.write(cloud, path, _axes(self.axes))
        except OSError as error:
            raise OutputFailed(
                f"{path} cannot be written: {error.strerror}", "choose another folder"
            ) from error
        return _("{count} splats written to {name}").format(count=len(cloud), name=path.name)


def proposed(context: bpy.types.Context, kind: str) -> str:
    """The path an export begins with: beside the .blend file, named after the first object."""
    seen = (each for each in context.visible_objects if splat_data.is_splats(each))
    thing = next(iter(chosen_splats(context)), None) or next(seen)
    folder = Path(bpy.path.abspath("//"))  # without a .blend file, the folder used last
    return str(folder / (bpy.path.clean_name(thing.name) + kind))


def _by_length() -> list[tuple[str, str, str]]:
    return sorted(KINDS, key=lambda kind: -len(kind[0]))


def _import_entry(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    menu.layout.operator(ImportSplats.bl_idname, text="Gaussian Splats (.ply/.spz/.splat/.glb)")


def _export_entry(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    menu.layout.operator(ExportSplats.bl_idname, text="Gaussian Splats (.ply/.spz/.splat/.glb)")


CLASSES: tuple[type, ...] = (ImportSplats, ExportSplats)
if hasattr(bpy.types, "FileHandler"):

    class GLIMPSE3D_FH_splats(bpy.types.FileHandler):  # noqa: N801  Blender wants such names
        """Splat files that are dropped on a viewport or the outliner."""

        bl_idname = "GLIMPSE3D_FH_splats"
        bl_label = "Gaussian Splats (Glimpse3D)"
        bl_import_operator = ImportSplats.bl_idname
        bl_export_operator = ExportSplats.bl_idname
        bl_file_extensions = ";".join(READ)

        @classmethod
        def poll_drop(cls, context: bpy.types.Context) -> bool:
            """Where objects are at home."""
            area = context.area
            return area is not None and area.type in ("VIEW_3D", "OUTLINER")

    CLASSES = (*CLASSES, GLIMPSE3D_FH_splats)


def add_menus() -> None:
    """Stand in the menus File > Import and File > Export."""
    bpy.types.TOPBAR_MT_file_import.append(_import_entry)
    bpy.types.TOPBAR_MT_file_export.append(_export_entry)


def remove_menus() -> None:
    """Take the entries back."""
    bpy.types.TOPBAR_MT_file_import.remove(_import_entry)
    bpy.types.TOPBAR_MT_file_export.remove(_export_entry)
