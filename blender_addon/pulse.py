"""The add-on's pulse: Blender's timer moves the session on, and results into the scene.

Owns the one session, the timer, redrawing, and when a result may be imported by itself. Must not
know sockets, nor what panels look like. Everything runs on Blender's main thread, a few
milliseconds at a time.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import bpy
import bpy.utils.previews
from bpy.app.handlers import persistent

from ._vendor.glimpse3d.errors import unexpected
from ._vendor.inference_server.errors import WireError
from .history import Job, Problem
from .jobs import from_disk
from .launcher import Launcher
from .power import Gpus, fitting
from .removal import Removal
from .scene import thumbnails
from .session import Session

log = logging.getLogger(__name__)

IDLE, MOVING, AFTER_TROUBLE = 0.25, 0.02, 2.0  # seconds to the next tick
_JOBS = {"RENDER_OT_render": "RENDER", "OBJECT_OT_bake": "OBJECT_BAKE"}  # what waits for which
REGIONS = {"VIEW_3D": "UI", "IMAGE_EDITOR": "UI", "PREFERENCES": "WINDOW"}
HERE = Path(__file__).parent
PACKAGE = str(__package__)  # whatever Blender calls this extension


class _State:
    """What lives from ``start`` to ``stop``."""

    def __init__(self, followers: tuple[Callable[[], None], ...]) -> None:
        self.followers = followers
        self.session: Session | None = None
        self.trouble: Problem | None = None
        self.removal: Removal | None = None
        self.scenes: dict[str, str] = {}  # jobs of the open file -> the scene that wants them
        self.previews = bpy.utils.previews.new()  # icons of jobs
        self.pictured: dict[str, int] = {}  # jobs -> which of their pictures their icons show
        self.asked: Job | None = None  # whose newest picture has no icon yet


_state: _State | None = None


def start(*followers: Callable[[], None]) -> None:
    """Begin; the session itself is made at the first tick, when Blender is all there.

    Args:
        followers: called at every tick, after everything moved on.
    """
    global _state
    _state = _State(followers)
    bpy.app.handlers.load_post.append(_file_opened)
    bpy.app.timers.register(tick, first_interval=0.1, persistent=True)


def stop() -> None:
    """Give back the timer, the handler, the sockets and the local server."""
    global _state
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    bpy.app.handlers.load_post.remove(_file_opened)
    state, _state = _state, None
    if state is not None:
        bpy.utils.previews.remove(state.previews)
        if state.session is not None:
            state.session.close()


def _running() -> _State:
    if _state is None:
        raise RuntimeError("the extension is not registered")
    return _state


def preferences() -> bpy.types.AddonPreferences:
    """What the user set for this extension."""
    return bpy.context.preferences.addons[PACKAGE].preferences


def session() -> Session | None:
    """The session, or None while its folder cannot be used: see ``trouble``."""
    state = _running()
    if state.session is None and not _is_removing(state):
        try:
            state.session = _new_session()
            state.trouble = None
        except OSError as error:
            state.trouble = from_disk(error)
    return state.session


def _is_removing(state: _State) -> bool:
    """What is being removed must not be made again meanwhile."""
    return state.removal is not None and state.removal.state in ("removing", "done")


def trouble() -> Problem | None:
    """Why there is no session, or what went wrong at the last tick."""
    return _running().trouble


def _new_session() -> Session:
    folder = Path(bpy.utils.extension_path_user(PACKAGE, path="", create=True))
    made = Session(folder, new_launcher(), online_gate)
    wanted = preferences()
    _take_over(wanted, made)
    if (chosen := made.servers.chosen) is not None and wanted.connect_at_start:
        made.connect(chosen.string)
    return made


def _take_over(former: bpy.types.AddonPreferences, made: Session) -> None:
    """Version 0.1 kept one connection string, in Blender's preferences: it moves to the others.

    Only once: the preferences may never be saved, and bring it back at each start.
    """
    if not former.connection_string:
        return
    try:
        if made.servers.is_new:
            made.servers.add(former.connection_string)
    except WireError as error:
        log.warning("the kept connection string is refused: %s", error)
    former.connection_string = ""
    bpy.context.preferences.is_dirty = True  # saved with the rest, if the user has it so


def new_launcher() -> Launcher:
    """The local server in the folder that the user chose, made with Blender's own Python."""
    bundled = HERE / "server"
    wheel = next(bundled.glob("glimpse3d-*.whl"), bundled / "glimpse3d.whl")
    return Launcher(
        server_folder(preferences().server_folder),
        Path(sys.executable),
        wheel,
        bundled / "constraints.txt",
    )


def fitting_build() -> str:
    """The name of the build of PyTorch for this machine, as far as it is known."""
    here = session()
    found = here.local.gpus if here is not None else None
    return fitting(found or Gpus()).name


def removal() -> Removal | None:
    """The look at what is kept, and its end; None before somebody asked."""
    return _running().removal


def measure() -> None:
    """Begin to look at what the extension keeps."""
    folder = Path(bpy.utils.extension_path_user(PACKAGE, path="", create=False))
    _running().removal = Removal(folder, server_folder(preferences().server_folder))


def remove_everything() -> None:
    """Stop all that runs, then remove what was listed, tick by tick.

    Raises:
        OSError: what runs could not be stopped.
    """
    state = _running()
    if state.removal is None or state.removal.state != "measured":
        return
    if state.session is not None:
        state.session.close()
        state.session = None
    state.removal.begin()  # before anything else: no session is made from here on
    state.scenes.clear()
    for name in ("connection_string", "connect_at_start", "server_folder"):
        preferences().property_unset(name)
    bpy.context.preferences.is_dirty = True


def begin_again() -> None:
    """Leave the removal behind: what is kept from now on is new."""
    state = _running()
    if state.removal is None or state.removal.state != "removing":
        state.removal = None


def server_folder(chosen: str) -> Path:
    """The folder that the user chose, or the extension's own."""
    own = bpy.utils.extension_path_user(PACKAGE, path="server", create=False)
    return Path(bpy.path.abspath(chosen) if chosen else own)


def online_gate() -> Problem | None:
    """Why nothing may go over a network now, or None. The local server is asked over one, too."""
    if bpy.app.online_access:
        return None
    if bpy.app.online_access_override:
        hint = "Blender was started with --offline-mode; start it without"
    else:
        hint = "switch on Preferences > System > Network > Allow Online Access"
    return Problem("offline", "online access is off in Blender, so no server can be reached", hint)


def want(job: Job, scene: bpy.types.Scene) -> None:
    """Import this job's result by itself, as long as this file stays open."""
    _running().scenes[job.id] = scene.name


def awaited_scene(job: Job) -> str:
    """The scene that must be shown before this job's result can come; empty if it is."""
    name = _running().scenes.get(job.id, "")
    shown = {window.scene.name for window in bpy.context.window_manager.windows}
    return name if name in bpy.data.scenes and name not in shown else ""


def tick() -> float:
    """What the timer calls; returns the seconds to the next time. Never raises."""
    state = _running()
    try:
        pump_once()
    except Exception as error:  # the timer must live, and the user has to know
        report = unexpected(error)
        state.trouble = Problem.of(report)
        redraw()
        return AFTER_TROUBLE
    if state.removal is not None and state.removal.state in ("measuring", "removing"):
        return MOVING
    return MOVING if state.session is not None and state.session.is_moving else IDLE


def pump_once(budget_ms: float = 8.0) -> bool:
    """Move everything on by about so much; true if there was something new."""
    state = _running()
    changed = state.removal is not None and state.removal.step(budget_ms / 2)
    here = session()
    if here is None:
        if changed:
            refresh()
        return changed
    changed = here.pump(budget_ms) or changed
    job = here.book.due
    if job is not None:
        changed = _import(here, job) or changed
    if here.cutouts.preview is not None and here.cutouts.preview.ready:
        changed = _show_cutout(here) or changed
    _picture(here)
    for follow in _running().followers:
        follow()
    if changed:
        _running().trouble = None
        refresh()
    return changed


def _import(here: Session, job: Job) -> bool:
    """Bring a result into the scene if nothing forbids it; else it waits."""
    wanted = _running().scenes.get(job.id)
    if wanted is None:  # another file is open, or Blender was started anew
        here.book.keep(job.id)
        return True
    window = _free_window(wanted)
    if window is None:
        return False
    with bpy.context.temp_override(window=window, screen=window.screen):
        try:
            bpy.ops.glimpse3d.import_result("EXEC_DEFAULT", True, job=job.id)
        except RuntimeError as error:  # how Blender hands on what an operator reported
            if job.state == "importing":
                here.book.keep(job.id, Problem.of(unexpected(error)))
    if job.state == "importing":
        here.book.keep(job.id)
    return True


def _show_cutout(here: Session) -> bool:
    """Put a cut-out that arrived beside its picture, once nobody is in the middle of something."""
    window = _free_window("")
    if window is None:
        return False
    with bpy.context.temp_override(window=window, screen=window.screen):
        try:
            bpy.ops.glimpse3d.show_cutout("EXEC_DEFAULT", True)
        except RuntimeError as error:  # how Blender hands on what an operator reported
            here.cutouts.problem = Problem.of(unexpected(error))
    return True


def _free_window(scene: str) -> bpy.types.Window | None:
    """A window in which nobody is in the middle of something; of that scene, while there is it."""
    if any(bpy.app.is_job_running(kind) for kind in _JOBS.values()):
        return None
    windows = list(bpy.context.window_manager.windows)
    if is_busy(each.bl_idname for window in windows for each in window.modal_operators):
        return None
    for window in windows:
        if scene in bpy.data.scenes and window.scene.name != scene:
            continue
        with bpy.context.temp_override(window=window):
            if bpy.context.mode == "OBJECT":
                return window
    return None


def is_busy(operators: Iterable[str]) -> bool:
    """Whether one of these modal operators means somebody; only asked while no job runs.

    What waits for a job of Blender's ends at the next event in its own window, which may be never:
    a render's window can lie behind, untouched.
    """
    return any(name not in _JOBS for name in operators)


@persistent
def _file_opened(path: str) -> None:
    """Another file is no place for results that were asked for in the former one."""
    _running().scenes.clear()
    refresh()


def refresh() -> None:
    """Bring the list of jobs and the panels up to date."""
    state = _running()
    jobs = state.session.book.jobs if state.session is not None else []
    for manager in bpy.data.window_managers:
        rows = manager.glimpse3d.jobs
        if [row.name for row in rows] != [job.id for job in jobs]:
            rows.clear()
            for job in jobs:
                rows.add().name = job.id
            manager.glimpse3d.active = min(manager.glimpse3d.active, max(len(jobs) - 1, 0))
    redraw()


def redraw() -> None:
    """Draw again where our panels are, and nothing else: a viewport is dear."""
    for manager in bpy.data.window_managers:
        for window in manager.windows:
            for area in window.screen.areas:
                ours = REGIONS.get(area.type)
                for region in area.regions:
                    if region.type == ours:
                        region.tag_redraw()


def preview_icon(job: Job) -> int:
    """The icon of a job's newest preview picture; 0 until the next tick has made one."""
    state = _running()
    if state.session is None or not job.previews:
        return 0
    if state.pictured.get(job.id) != job.previews:
        state.asked = job
    return int(state.previews[job.id].icon_id) if job.id in state.previews else 0


def _picture(here: Session) -> None:
    """Make the icon that was missing when the panel was drawn, where nothing may be made."""
    state = _running()
    job, state.asked = state.asked, None
    if job is None:
        return
    state.pictured[job.id] = job.previews
    path = here.book.history.preview(job.id)
    small = thumbnails.of_file(path) if path.is_file() else None
    if small is not None:
        if job.id not in state.previews:
            state.previews.new(job.id)
        thumbnails.show(small, state.previews[job.id])
        redraw()
