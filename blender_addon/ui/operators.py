"""What the user can do with pictures, jobs and results.

Owns those operators. Must not know sockets or how anything is drawn. Annotations must be live
objects here: no ``from __future__ import annotations``.
"""

# ruff: noqa: D415, RUF012  Blender ends a tooltip itself, and owns these class attributes

import json
import re
from pathlib import Path

import bpy

from .. import pulse
from .._vendor.glimpse3d.errors import BadImage, Glimpse3DError, InvalidSettings
from ..history import Job, Problem
from ..scene import PART, image, result
from ..session import Session
from .acting import DONE, OnJob, OnSession, Outcome, chosen_job


def chosen_picture(context: bpy.types.Context) -> bpy.types.Image | None:
    """The picture that Generate would send: in the Image Editor the open one."""
    space = context.space_data
    if space is not None and space.type == "IMAGE_EDITOR":
        return space.image
    return context.scene.glimpse3d.source


def plain_name(name: str) -> str:
    """A picture's name without its ending and without the number that Blender adds to a second."""
    return Path(re.sub(r"\.\d{3,}$", "", name)).stem


class Generate(OnSession, bpy.types.Operator):
    """Send the picture to the server; mesh, splats and cameras come to the 3D cursor"""

    bl_idname = "glimpse3d.generate"
    bl_label = "Generate"

    settings: bpy.props.StringProperty(
        name="Settings", description="More settings, as a JSON map; for scripts",
        options={"HIDDEN", "SKIP_SAVE"},
    )  # fmt: skip

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a server and a picture."""
        here = pulse.session()
        if here is None or here.state != "ready":
            cls.poll_message_set("Connect to a server first")
            return False
        if chosen_picture(context) is None:
            cls.poll_message_set("Choose a picture first")
            return False
        return True

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """Read the picture and hand it over."""
        picture, scene = chosen_picture(context), context.scene
        if picture is None:  # a script that does not ask ``poll``
            raise BadImage("there is no picture", "choose one first")
        settings: dict[str, object] = {"preset": scene.glimpse3d.preset}
        if scene.glimpse3d.reconstructor:
            settings["reconstructor"] = scene.glimpse3d.reconstructor
        settings.update(self._more())
        data = image.png_bytes(picture, scene)
        job = here.book.add(data, settings, plain_name(picture.name))
        pulse.want(job, scene)

    def _more(self) -> dict[str, object]:
        try:
            more = json.loads(self.settings or "{}")
        except ValueError as error:
            raise InvalidSettings("settings", f"not JSON: {error}") from error
        if not isinstance(more, dict):
            raise InvalidSettings("settings", "not a map")
        return more


class Cancel(OnJob, bpy.types.Operator):
    """Stop this job, at the server, too"""

    bl_idname = "glimpse3d.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    def act_on(self, context: bpy.types.Context, here: Session, job: Job) -> None:
        """Stop it."""
        here.book.cancel(job.id)


class RetryJob(OnJob, bpy.types.Operator):
    """Fetch the result again, or send the picture again"""

    bl_idname = "glimpse3d.retry_job"
    bl_label = "Try Again"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a server."""
        here = pulse.session()
        cls.poll_message_set("Connect to a server first")
        return here is not None and here.state == "ready"

    def act_on(self, context: bpy.types.Context, here: Session, job: Job) -> None:
        """Ask for it once more; a server short of memory is asked for less."""
        settings = None
        if job.problem is not None and job.problem.code == "out_of_memory":
            settings = {**job.settings, "preset": "draft"}
        pulse.want(here.book.retry(job.id, settings), context.scene)


class RemoveJob(OnJob, bpy.types.Operator):
    """Take this job off the list and delete its files; what was imported stays"""

    bl_idname = "glimpse3d.remove_job"
    bl_label = "Remove Job"
    bl_options = {"INTERNAL"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Ask first."""
        job = chosen_job(context, self.job)
        return context.window_manager.invoke_confirm(
            self, event, title="Remove Job", confirm_text="Remove",
            message=f"Delete {job.name if job else 'the job'} and its files?",
        )  # fmt: skip

    def act_on(self, context: bpy.types.Context, here: Session, job: Job) -> None:
        """Forget it."""
        here.book.remove(job.id)


class ImportResult(OnJob, bpy.types.Operator):
    """Put the result into the scene, standing on the 3D cursor"""

    bl_idname = "glimpse3d.import_result"
    bl_label = "Import Result"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only Object Mode can undo it in one step."""
        cls.poll_message_set("Leave the present mode for Object Mode first")
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
            collection = result.add_result(folder, job.name, scene.cursor.location.copy(), scene)
        except Glimpse3DError as error:
            here.book.keep(job.id, Problem.of(error))
            raise
        here.book.was_imported(job.id)
        _select(context, collection)


def _select(context: bpy.types.Context, collection: bpy.types.Collection) -> None:
    """The whole result follows the object that stands on the cursor, so that one is chosen."""
    layer = context.view_layer
    for each in layer.objects.selected:
        each.select_set(False)
    foot = next((each for each in collection.objects if each.get(PART) == "foot"), None)
    if foot is not None and layer.objects.get(foot.name) == foot:
        foot.select_set(True)
        layer.objects.active = foot


class ShowParts(bpy.types.Operator):
    """Show the mesh, the splats or both of this result, in the viewport and in renders"""

    bl_idname = "glimpse3d.show_parts"
    bl_label = "Show"
    bl_options = {"REGISTER", "UNDO"}

    what: bpy.props.EnumProperty(
        items=[(name, name.capitalize(), f"Show {name}") for name in result.SHOWN], name="Show"
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a result."""
        cls.poll_message_set("Choose a part of a result first")
        return chosen_result(context) is not None

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


CLASSES = (Generate, Cancel, RetryJob, RemoveJob, ImportResult, ShowParts)
