"""The panel of the jobs, and how one job is drawn.

Owns the list and what can be done with the chosen job. Must not change anything: drawing happens at
any time.
"""

from __future__ import annotations

import time

import bpy
from bpy.app.translations import pgettext_iface as _

from .. import pulse
from ..history import Job
from ..session import Session
from . import words
from .drawing import SidebarPanel, draw_problem, draw_text, in_editor

_SCALE = 6.0  # of a live preview


def draw_active(box: bpy.types.UILayout, job: Job, here: Session) -> None:
    """A job under way: how far it is, how it looks, and how to stop it."""
    row = box.row()
    row.label(text=job.name, icon=words.ICONS[job.state], translate=False)
    if job.state == "importing":
        row.operator("glimpse3d.import_result", text="Import").job = job.id
    row.operator("glimpse3d.cancel", text="", icon="X").job = job.id
    if job.server.key != here.server_key and job.state == "interrupted":
        text = _("Goes on when its server, last at {address}, is connected")
        draw_text(box, text.format(address=job.server.address))
        return
    box.progress(factor=job.fraction, text=words.job(job, time.time()), translate=False)
    if job.state == "importing":
        draw_text(box, _what_holds_it_up(job))
    if job.state == "running":
        box.label(text=words.sentence(job.note[:80]) if job.note else "")
    icon = pulse.preview_icon(job)
    if icon or job.state == "running":  # room for it: what comes anew moves the buttons below
        box.template_icon(icon_value=icon, scale=_SCALE)


def _what_holds_it_up(job: Job) -> str:
    if scene := pulse.awaited_scene(job):
        return _("It comes by itself once the scene {name} is shown").format(name=scene)
    if bpy.app.is_job_running("RENDER"):
        return _("It comes by itself once the render is done")
    if bpy.context.mode != "OBJECT":
        return _("It comes by itself in Object Mode")
    return _("It comes by itself once nothing else is under way")


def draw_ended(layout: bpy.types.UILayout, job: Job, here: Session) -> None:
    """What the user has to know of the newest job, as the list may be closed."""
    if job.state not in ("done", "failed"):
        return
    draw_text(layout, f"{job.name}: {words.job(job)}", words.ICONS[job.state])
    if job.state == "done":
        layout.operator("glimpse3d.import_result", text="Import").job = job.id
    if words.waits_for_weights(job) and here.weights.wanted(str(job.settings.get("reconstructor"))):
        draw_text(layout, "Goes on by itself once the weights are there", "TIME")
    elif job.problem is not None:
        draw_problem(layout, job.problem, words.job_buttons(job), job.id)


class GLIMPSE3D_UL_jobs(bpy.types.UIList):  # noqa: N801  Blender wants such names
    """The jobs, newest first."""

    def draw_item(
        self, context: bpy.types.Context, layout: bpy.types.UILayout, data: object,
        item: bpy.types.PropertyGroup, icon: int, active_data: object, active_property: str,
        index: int = 0, flags: int = 0,
    ) -> None:  # fmt: skip
        """One job."""
        here = pulse.session()
        job = here.book.get(item.name) if here is not None else None
        if job is not None:
            row = layout.row()
            row.label(text=job.name, icon=words.ICONS[job.state], translate=False)
            row.label(text=words.job(job), translate=False)
            row.label(text=words.age(time.time() - job.created), translate=False)


class _JobsPanel(SidebarPanel):
    bl_label = "Jobs"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012  Blender's own

    def draw_session(self, context: bpy.types.Context, here: Session) -> None:
        """The list, and what can be done with the chosen one."""
        layout, state = self.layout, context.window_manager.glimpse3d
        layout.template_list("GLIMPSE3D_UL_jobs", "", state, "jobs", state, "active", rows=4)
        if state.active >= len(state.jobs):
            return
        job = here.book.get(state.jobs[state.active].name)
        if job is None:
            return
        row = layout.row(align=True)
        can = row.row(align=True)
        can.enabled = job.state in ("done", "importing")
        can.operator("glimpse3d.import_result", text="Import", icon="IMPORT").job = job.id
        again = row.row(align=True)
        again.enabled = job.is_final
        again.operator("glimpse3d.retry_job", text="Again", icon="FILE_REFRESH").job = job.id
        row.operator("glimpse3d.reveal_job", text="", icon="FILEBROWSER").job = job.id
        row.operator("glimpse3d.remove_job", text="", icon="TRASH").job = job.id
        draw_text(layout, words.asked(job))
        if job.problem is not None:
            draw_problem(layout, job.problem, words.job_buttons(job), job.id)


CLASSES = (
    GLIMPSE3D_UL_jobs,
    in_editor("VIEW_3D", _JobsPanel, "GLIMPSE3D_PT_view_jobs"),
    in_editor("IMAGE_EDITOR", _JobsPanel, "GLIMPSE3D_PT_image_jobs"),
)
