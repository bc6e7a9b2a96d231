"""Where the picture comes from: files, a texture, a render, a view, the clipboard.

Owns those operators and what dropping a picture does. Must not know sockets or how pixels are
read. Annotations must be live objects here: no ``from __future__ import annotations``.
"""

# ruff: noqa: D415, RUF012  Blender ends a tooltip itself, and owns these class attributes

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as _

from .. import pulse
from .._vendor.glimpse3d.errors import BadImage, Glimpse3DError
from ..scene import image, sources
from ..session import Session
from . import words
from .acting import DONE, OnSession, Outcome, needs_server, refuse
from .asking import name_of, settings_of


class _TakePicture:
    """Makes a picture of Blender's own the one that Generate sends."""

    if TYPE_CHECKING:  # from bpy.types.Operator, which stands behind this class

        def report(self, kind: set[str], text: str) -> None:
            """Show it to the user."""

    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> Outcome:
        """Find it, and choose it here."""
        try:
            picture = self.find(context)
        except Glimpse3DError as error:
            return refuse(self, error)
        context.scene.glimpse3d.source = picture
        space = context.space_data
        if space is not None and space.type == "IMAGE_EDITOR":
            space.image = picture
        return DONE

    def find(self, context: bpy.types.Context) -> bpy.types.Image:
        """The picture; raises what is reported."""
        raise NotImplementedError


class TakeTexture(_TakePicture, bpy.types.Operator):
    """Take the picture on the active object's material"""

    bl_idname = "glimpse3d.take_texture"
    bl_label = "Material's Texture"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs one."""
        cls.poll_message_set(_("The active object's material has no picture"))
        return sources.texture_of(context.object) is not None

    def find(self, context: bpy.types.Context) -> bpy.types.Image:
        """What the surface shows first."""
        found = sources.texture_of(context.object)
        if found is None:  # a script that does not ask ``poll``
            raise BadImage("the active object's material has no picture", "choose another object")
        return found


class TakeRender(_TakePicture, bpy.types.Operator):
    """Take what was rendered last, as its window shows it"""

    bl_idname = "glimpse3d.take_render"
    bl_label = "Render Result"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs one."""
        cls.poll_message_set(_("Render a picture first"))
        return sources.render_result() is not None

    def find(self, context: bpy.types.Context) -> bpy.types.Image:
        """Its datablock: what it shows when Generate is pressed is sent."""
        found = sources.render_result()
        if found is None:  # a script that does not ask ``poll``
            raise BadImage("nothing was rendered yet", "render a picture first")
        image.png_bytes(found, context.scene)  # Blender has it before the first render, too
        return found


class TakeView(_TakePicture, bpy.types.Operator):
    """Take a picture of the 3D view without its overlays; where nothing stands it is transparent"""

    bl_idname = "glimpse3d.take_view"
    bl_label = "3D View"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a window with one."""
        cls.poll_message_set(_("Open a 3D view first"))
        return not bpy.app.background and _view(context) is not None

    def find(self, context: bpy.types.Context) -> bpy.types.Image:
        """What it shows now."""
        area = _view(context)
        if area is None:  # a script that does not ask ``poll``
            raise BadImage("there is no 3D view to capture", "open one first")
        return sources.viewport(context, area)


def _view(context: bpy.types.Context) -> bpy.types.Area | None:
    """This 3D view, else the largest of the window."""
    if context.area is not None and context.area.type == "VIEW_3D":
        return context.area
    areas = context.screen.areas if context.screen is not None else []
    views = [each for each in areas if each.type == "VIEW_3D"]
    return max(views, key=lambda each: each.width * each.height, default=None)


class TakeClipboard(_TakePicture, bpy.types.Operator):
    """Take the picture that was copied in another program"""

    bl_idname = "glimpse3d.take_clipboard"
    bl_label = "Clipboard"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an editor to borrow."""
        cls.poll_message_set(_("Blender cannot read the clipboard here"))
        return not bpy.app.background and context.area is not None

    def find(self, context: bpy.types.Context) -> bpy.types.Image:
        """What is on it."""
        return sources.clipboard(context)


class GenerateFiles(OnSession, bpy.types.Operator):
    """Make objects of picture files, a job of each, with the settings of the panel"""

    bl_idname = "glimpse3d.generate_files"
    bl_label = "Generate from Files"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE", "HIDDEN"})
    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: bpy.props.CollectionProperty(
        type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"}
    )
    filter_glob: bpy.props.StringProperty(
        default=";".join(f"*{each}" for each in sources.ENDINGS), options={"HIDDEN"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a server."""
        return needs_server(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """What was dropped is known already."""
        if self._paths():
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """One job a file; a file that cannot be read does not keep the others back."""
        refused = []
        for path in self._paths():
            try:
                self._generate(path, context.scene, here)
            except Glimpse3DError as error:
                refused.append(error)
        if len(refused) == 1:
            raise refused[0]
        if refused:
            raise BadImage(
                f"{len(refused)} of the files cannot be used: {refused[0].message}",
                refused[0].hint,
            )

    def _generate(self, path: Path, scene: bpy.types.Scene, here: Session) -> None:
        picture = sources.load(path)
        if (warning := words.small(*picture.size)) is not None:
            self.report({"WARNING"}, f"{picture.name}: {warning}")
        data = image.png_bytes(picture, scene)
        scene.glimpse3d.source = picture
        pulse.want(here.book.add(data, settings_of(scene), name_of(picture)), scene)

    def _paths(self) -> list[Path]:
        names = [each.name for each in self.files if each.name]
        if self.directory and names:
            return [Path(self.directory) / name for name in names]
        return [Path(self.filepath)] if self.filepath else []


class GLIMPSE3D_FH_picture(bpy.types.FileHandler):  # noqa: N801  Blender wants such names
    """Pictures dropped on a 3D view or on the Image Editor."""

    bl_idname = "GLIMPSE3D_FH_picture"
    bl_label = "Glimpse3D: Generate 3D Object"
    bl_import_operator = GenerateFiles.bl_idname
    bl_file_extensions = ";".join(sources.ENDINGS)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Only where a server can take it: else Blender's own ways are all there is."""
        here = pulse.session()
        area = context.area
        places = ("VIEW_3D", "IMAGE_EDITOR")
        return (
            area is not None and area.type in places and here is not None and here.state == "ready"
        )


CLASSES = (
    TakeTexture, TakeRender, TakeView, TakeClipboard, GenerateFiles, GLIMPSE3D_FH_picture,
)  # fmt: skip
