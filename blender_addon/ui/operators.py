"""What the user can do with jobs: send a picture, stop, try again, look, remove.

Owns those operators. Must not know sockets or how anything is drawn. Annotations must be live
objects here: no ``from __future__ import annotations``.
"""

# ruff: noqa: D415, RUF012  Blender ends a tooltip itself, and owns these class attributes

import json

import bpy
from bpy.app.translations import pgettext_iface as _

from .. import pulse
from .._vendor.glimpse3d.errors import BadImage, InvalidSettings
from ..history import Job
from ..session import Session
from . import server_settings
from .acting import DONE, OnJob, OnSession, Outcome, chosen_job, needs_server
from .asking import chosen_picture, name_of, random_seed, read, settings_of


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
        if not needs_server(cls):
            return False
        cls.poll_message_set(_("Choose a picture first"))
        return chosen_picture(context) is not None

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """Read the picture and hand it over."""
        picture, scene = chosen_picture(context), context.scene
        if picture is None:  # a script that does not ask ``poll``
            raise BadImage("there is no picture", "choose one first")
        asked = read(picture, scene)
        settings = {**settings_of(scene), **asked.settings, **self._more()}
        job = here.book.add(asked.data, settings, name_of(picture), asked.box)
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
        return needs_server(cls)

    def act_on(self, context: bpy.types.Context, here: Session, job: Job) -> None:
        """Ask for it once more; a server short of memory is asked for less."""
        settings = None
        if job.problem is not None and job.problem.code == "out_of_memory":
            settings = {**job.settings, "preset": "draft"}
        pulse.want(here.book.retry(job.id, settings), context.scene)


class RevealJob(OnJob, bpy.types.Operator):
    """Open the folder in which this job's picture and result lie"""

    bl_idname = "glimpse3d.reveal_job"
    bl_label = "Reveal"
    bl_options = {"INTERNAL"}

    def act_on(self, context: bpy.types.Context, here: Session, job: Job) -> None:
        """Open it in the system's own way."""
        bpy.ops.wm.path_open(filepath=str(here.book.history.folder(job.id)))


class DrawSeed(bpy.types.Operator):
    """Draw another seed: another object of the same picture"""

    bl_idname = "glimpse3d.draw_seed"
    bl_label = "Another Seed"
    bl_options = {"INTERNAL", "UNDO"}

    def execute(self, context: bpy.types.Context) -> Outcome:
        """Draw it."""
        context.scene.glimpse3d.seed = random_seed()
        return DONE


class ResetSettings(bpy.types.Operator):
    """Back to what this quality means"""

    bl_idname = "glimpse3d.reset_settings"
    bl_label = "Reset Settings"
    bl_options = {"INTERNAL", "UNDO"}

    def execute(self, context: bpy.types.Context) -> Outcome:
        """Forget the changes."""
        server_settings.reset(context.scene, context.scene.glimpse3d.preset)
        return DONE


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
            message=_("Delete {name} and its files?").format(name=job.name if job else "?"),
        )  # fmt: skip

    def act_on(self, context: bpy.types.Context, here: Session, job: Job) -> None:
        """Forget it."""
        here.book.remove(job.id)


CLASSES = (Generate, Cancel, RetryJob, RevealJob, RemoveJob, DrawSeed, ResetSettings)
