"""The sidebar's tab, in the 3D view and in the Image Editor.

Owns what is drawn, and where. Must not change anything: drawing happens at any time.
"""

from __future__ import annotations

import bpy

from .. import pulse
from ..history import Job
from ..scene import result
from ..session import Session
from ..weights import Want
from . import words
from .drawing import SidebarPanel as _Panel
from .drawing import draw_problem, draw_text
from .drawing import in_editor as _in
from .operators import chosen_picture, chosen_result


class _GeneratePanel(_Panel):
    bl_label = "Generate"

    def draw_session(self, context: bpy.types.Context, here: Session) -> None:
        """Picture, quality, the button, and what is under way."""
        layout, choices = self.layout, context.scene.glimpse3d
        picture = chosen_picture(context)
        if context.space_data.type == "IMAGE_EDITOR":
            name = picture.name if picture is not None else "Open a picture here"
            layout.label(text=name, icon="IMAGE_DATA")
        else:
            layout.template_ID(choices, "source", open="image.open")
        layout.row().prop(choices, "preset", expand=True)
        _draw_method(layout, choices.reconstructor, here)
        row = layout.row()
        row.scale_y = 1.5
        row.operator("glimpse3d.generate", icon="SHADERFX")
        if here.book.problem is not None:
            draw_problem(layout, here.book.problem, {})
        for job in reversed(here.book.active):
            _draw_active(layout.box(), job, here)
        if here.book.jobs and not here.book.jobs[0].imported:
            _draw_ended(layout, here.book.jobs[0], here)


def _draw_method(layout: bpy.types.UILayout, chosen: str, here: Session) -> None:
    """The choice of a method, and what must be fetched before it, or a job that waits, can run."""
    methods = here.weights.methods
    if methods:
        titles = {each.name: each.title for each in methods}
        row = layout.row()
        row.label(text="Method")
        row.menu("GLIMPSE3D_MT_methods", text=titles.get(chosen, chosen or "Usual"))
    newest = here.book.jobs[:1]
    waiting = [
        each.settings.get("reconstructor") for each in newest if words.waits_for_weights(each)
    ]
    under_way = [here.weights.fetch.backend] if here.weights.fetch is not None else []
    for name in dict.fromkeys([chosen, *waiting, *under_way]):  # a download is never hidden
        if isinstance(name, str) and (want := here.weights.wanted(name)) is not None:
            _draw_want(layout.box(), want, here)
    if here.weights.problem is not None:
        draw_problem(layout, here.weights.problem, {})


def _draw_want(box: bpy.types.UILayout, want: Want, here: Session) -> None:
    """The question before a download; then how it goes."""
    if want.lacks:
        draw_text(box, f"{want.title} cannot run on this server yet", "ERROR")
        draw_text(box, words.sentence(want.lacks), "BLANK1")
        return
    fetch = here.weights.fetch
    if fetch is not None and fetch.backend == want.backend:
        draw_text(box, f"Fetching the weights of {want.title}", "IMPORT")
        row = box.row()
        row.progress(factor=fetch.fraction, text=words.fetching(fetch))
        row.operator("glimpse3d.cancel_fetch", text="", icon="X")
        return
    draw_text(box, f"{want.title} needs its weights first, once", "INFO")
    draw_text(box, words.about_weights(want, here), "BLANK1")
    verb = "Fetch Weights" if want.left == want.bytes else "Go On Fetching"
    text = f"{verb} ({words.size(want.left)})"
    box.operator("glimpse3d.fetch_weights", text=text, icon="IMPORT").backend = want.backend


def _draw_active(box: bpy.types.UILayout, job: Job, here: Session) -> None:
    row = box.row()
    row.label(text=job.name, icon=words.ICONS[job.state])
    if job.state == "importing":
        row.operator("glimpse3d.import_result", text="Import").job = job.id
    row.operator("glimpse3d.cancel", text="", icon="X").job = job.id
    if job.server.key != here.server_key and job.state == "interrupted":
        draw_text(box, f"Goes on when its server, last at {job.server.address}, is connected")
        return
    box.progress(factor=job.fraction, text=words.job(job))
    if icon := pulse.preview_icon(job):
        box.template_icon(icon_value=icon, scale=6.0)


def _draw_ended(layout: bpy.types.UILayout, job: Job, here: Session) -> None:
    """What the user has to know of the newest job, as the list may be closed."""
    if job.state not in ("done", "failed"):
        return
    row = layout.row()
    row.label(text=f"{job.name}: {words.job(job)}", icon=words.ICONS[job.state])
    if job.state == "done":
        row.operator("glimpse3d.import_result", text="Import").job = job.id
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
            row.label(text=job.name, icon=words.ICONS[job.state])
            row.label(text=words.job(job))


class _JobsPanel(_Panel):
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
        row.operator("glimpse3d.remove_job", text="Remove", icon="TRASH").job = job.id
        if job.problem is not None:
            draw_problem(layout, job.problem, words.job_buttons(job), job.id)


class _ResultPanel(_Panel):
    bl_label = "Result"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a part of a result."""
        return chosen_result(context) is not None

    def draw_session(self, context: bpy.types.Context, here: Session) -> None:
        """Mesh, splats or both."""
        row = self.layout.row(align=True)
        for what in result.SHOWN:
            row.operator("glimpse3d.show_parts", text=what.capitalize()).what = what


CLASSES = (
    GLIMPSE3D_UL_jobs,
    _in("VIEW_3D", _GeneratePanel, "GLIMPSE3D_PT_view_generate"),
    _in("VIEW_3D", _JobsPanel, "GLIMPSE3D_PT_view_jobs"),
    _in("VIEW_3D", _ResultPanel, "GLIMPSE3D_PT_view_result"),
    _in("IMAGE_EDITOR", _GeneratePanel, "GLIMPSE3D_PT_image_generate"),
    _in("IMAGE_EDITOR", _JobsPanel, "GLIMPSE3D_PT_image_jobs"),
)
