"""What the user can do with results: bring them into the scene, show, turn, look, keep.

Owns those operators. Must not know sockets or how anything is drawn. Annotations must be live
objects here: no ``from __future__ import annotations``.
"""

# ruff: noqa: D415, RUF012  Blender ends a tooltip itself, and owns these class attributes

import bpy
from bpy.app.translations import pgettext_iface as _
from mathutils import Vector

from .._vendor.glimpse3d.errors import Glimpse3DError
from ..history import Job, Problem
from ..scene import PART, cameras, result, turntable
from ..session import Session
from .acting import DONE, NOT_DONE, OnJob, Outcome, Polled


class ImportResult(OnJob, bpy.types.Operator):
    """Put the result into the scene, on the 3D cursor or on the floor below it"""

    bl_idname = "glimpse3d.import_result"
    bl_label = "Import Result"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only Object Mode can undo it in one step."""
        cls.poll_message_set(_("Leave the present mode for Object Mode first"))
        return context.mode == "OBJECT"

    def act_on(self, context: bpy.types.Context, here: Session, job: Job) -> None:
        """Build it, all or nothing."""
        if job.state not in ("importing", "done"):
            raise Glimpse3DError(
                "invalid_data", "the job has no result yet", "wait until it is done"
            )
        scene = context.scene
        folder = here.book.history.result(job.id)
        try:
            collection = result.add_result(folder, job.name, place(scene), scene)
        except Glimpse3DError as error:
            here.book.keep(job.id, Problem.of(error))
            raise
        here.book.was_imported(job.id)
        select(context, collection)


def place(scene: bpy.types.Scene) -> Vector:
    """Where new objects come to stand."""
    location = scene.cursor.location.copy()
    if scene.glimpse3d.place == "floor":
        location.z = 0
    return location


def select(context: bpy.types.Context, collection: bpy.types.Collection) -> None:
    """The whole result follows the object that stands on the cursor, so that one is chosen."""
    layer = context.view_layer
    for each in layer.objects.selected:
        each.select_set(False)
    foot = next((each for each in collection.objects if each.get(PART) == "foot"), None)
    if foot is not None and layer.objects.get(foot.name) == foot:
        foot.select_set(True)
        layer.objects.active = foot


SHOWN = (
    ("mesh", "Mesh", "Show the mesh alone"),
    ("splats", "Splats", "Show the splats alone"),
    ("both", "Both", "Show both, in the same place"),
)


class ShowParts(bpy.types.Operator):
    """Show the mesh, the splats or both of this result, in the viewport and in renders"""

    bl_idname = "glimpse3d.show_parts"
    bl_label = "Show"
    bl_options = {"REGISTER", "UNDO"}

    what: bpy.props.EnumProperty(
        items=SHOWN, name="Show", description="What of the result is shown"
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a result."""
        return _needs_result(cls, context)

    def execute(self, context: bpy.types.Context) -> Outcome:
        """Show it, and tell what else was changed."""
        for note in result.show(chosen_result(context), self.what, context.scene):
            self.report({"INFO"}, note)
        return DONE


def chosen_result(context: bpy.types.Context) -> bpy.types.Collection | None:
    """The collection of the result of which the active object is a part."""
    active = context.object
    if active is None or active.get(PART) is None:
        return None
    return next(iter(active.users_collection), None)


def _needs_result(operator: type[Polled], context: bpy.types.Context) -> bool:
    """For ``poll``: a part of a result is active; says so if none is."""
    operator.poll_message_set(_("Choose a part of a result first"))
    return chosen_result(context) is not None


class StandResult(bpy.types.Operator):
    """Move this result to the 3D cursor, or to the floor below it"""

    bl_idname = "glimpse3d.stand_result"
    bl_label = "Stand Here"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a result."""
        return _needs_result(cls, context)

    def execute(self, context: bpy.types.Context) -> Outcome:
        """Move it."""
        result.stand_at(chosen_result(context), place(context.scene))
        return DONE


class AddTurntable(bpy.types.Operator):
    """Let a camera turn once around this result, or around the active object"""

    bl_idname = "glimpse3d.add_turntable"
    bl_label = "Turntable"
    bl_options = {"REGISTER", "UNDO"}

    frames: bpy.props.IntProperty(
        name="Frames", description="In one turn", default=120, min=2, max=1440
    )
    radius: bpy.props.FloatProperty(
        name="Radius", description="From the middle to the camera, in object sizes", default=2.2,
        min=0.9, max=20,
    )  # fmt: skip
    elevation: bpy.props.FloatProperty(
        name="Elevation", description="Degrees above the horizon", default=15, min=-80, max=80
    )
    lens: bpy.props.FloatProperty(
        name="Lens", description="Focal length in millimetres, on a sensor 24 mm high",
        default=33, min=5, max=500,
    )  # fmt: skip
    play: bpy.props.BoolProperty(
        name="Use for Rendering", default=True,
        description="Make it the scene's camera, and one turn the scene's frames",
    )  # fmt: skip

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs something to go round."""
        cls.poll_message_set(_("Choose an object first, in Object Mode"))
        return context.mode == "OBJECT" and context.object is not None

    def execute(self, context: bpy.types.Context) -> Outcome:
        """Make it, in place of the result's own."""
        turn = turntable.Turn(self.frames, self.radius, self.elevation, self.lens)
        collection = chosen_result(context)
        pivot = result.turn_round(collection, turn) if collection is not None else None
        if pivot is None:
            pivot = _around(context, turn)
        camera = turntable.camera_of(pivot)
        if self.play and camera is not None:
            cameras.look_through(camera, context.scene)
            context.scene.frame_start = turntable.FIRST_FRAME
            context.scene.frame_end = turntable.FIRST_FRAME + self.frames - 1
        return DONE


def _around(context: bpy.types.Context, turn: turntable.Turn) -> bpy.types.Object:
    """A turntable about any object, where it is now."""
    thing = context.object
    corners = [thing.matrix_world @ Vector(corner) for corner in thing.bound_box]
    low = Vector(min(values) for values in zip(*corners, strict=True))
    high = Vector(max(values) for values in zip(*corners, strict=True))
    size = max(*(high - low), 1e-3)
    pivot = cameras.add_turntable(turn, size, context.collection, thing.name)
    pivot.location = (low + high) / 2
    return pivot


class LookThrough(bpy.types.Operator):
    """Look through this camera, and render as large as the picture behind it"""

    bl_idname = "glimpse3d.look_through"
    bl_label = "Look Through"
    bl_options = {"REGISTER", "UNDO"}

    camera: bpy.props.StringProperty(name="Camera", options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> Outcome:
        """Make it the scene's, and the view's."""
        camera = context.scene.objects.get(self.camera)
        if camera is None or camera.type != "CAMERA":
            self.report({"ERROR"}, "That camera is gone")
            return NOT_DONE
        cameras.look_through(camera, context.scene)
        space = context.space_data
        if space is not None and space.type == "VIEW_3D":
            space.region_3d.view_perspective = "CAMERA"
        return DONE


class GLIMPSE3D_MT_cameras(bpy.types.Menu):  # noqa: N801  Blender wants such names
    """The cameras of the result: its picture's, its views', its turntable's."""

    bl_label = "Look Through"

    def draw(self, context: bpy.types.Context) -> None:
        """One line each."""
        collection = chosen_result(context)
        for each in collection.objects if collection is not None else []:
            if each.type == "CAMERA":
                pressed = self.layout.operator("glimpse3d.look_through", text=each.name)
                pressed.camera = each.name


class MarkAsset(bpy.types.Operator):
    """Put this result into the asset browser: drag it into other files"""

    bl_idname = "glimpse3d.mark_asset"
    bl_label = "Mark as Asset"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a result that is none yet."""
        collection = chosen_result(context)
        if collection is not None and collection.asset_data is not None:
            cls.poll_message_set(_("It is an asset already"))
            return False
        return _needs_result(cls, context)

    def execute(self, context: bpy.types.Context) -> Outcome:
        """Mark it, tell where it is from, and draw its picture where there is a window."""
        collection = chosen_result(context)
        if collection is None:  # a script that does not ask ``poll``
            return NOT_DONE
        collection.asset_mark()
        collection.asset_data.description = "Made of a picture by Glimpse3D"
        collection.asset_data.tags.new("Glimpse3D", skip_if_exists=True)
        if not bpy.app.background:
            collection.asset_generate_preview()
        self.report({"INFO"}, "Save the file in an asset library to use it elsewhere")
        return DONE


class DeleteResult(bpy.types.Operator):
    """Delete this result with all its parts; what else lies in its collection stays"""

    bl_idname = "glimpse3d.delete_result"
    bl_label = "Delete Result"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a result, and Object Mode."""
        if context.mode != "OBJECT":
            cls.poll_message_set(_("Leave the present mode for Object Mode first"))
            return False
        return _needs_result(cls, context)

    def execute(self, context: bpy.types.Context) -> Outcome:
        """Delete it: X alone takes the object that the others stand on."""
        result.remove(chosen_result(context))
        return DONE


CLASSES = (
    ImportResult, ShowParts, StandResult, AddTurntable, LookThrough, GLIMPSE3D_MT_cameras,
    MarkAsset, DeleteResult,
)  # fmt: skip
