"""Keeps a cut-out's brush in the painter's hand where Blender would take it away.

Owns when that is. Must not know what a brush does. As an editor begins to paint, Blender hands out
a brush of its own, after the operator that took ours; at each undo, too, as ours is no asset on
disk. A brush that the user took instead stays.
"""

from __future__ import annotations

import time
from contextlib import suppress

import bpy
from bpy.app.handlers import persistent

from .. import pulse
from .._vendor.glimpse3d.errors import Glimpse3DError
from ..scene import brushes

STEADY, PATIENCE = 1.0, 5.0  # seconds that it has to stay, that Blender may look for it
_held: list[tuple[str, float]] = []  # the brush to hold, since when
_before: list[str] = []  # what was in hand before an undo


def hold(what: str) -> None:
    """Have this brush in hand at the next ticks, until it stays there."""
    _held[:] = [(what, time.monotonic())]


def follow() -> None:
    """At every tick: take it again if it is gone."""
    if not _held:
        return
    what, since = _held[0]
    waited = time.monotonic() - since
    found = _painting()
    if found is None or waited > PATIENCE:
        _held.clear()
        return
    window, area = found
    if brushes.in_hand(window.scene) != what:
        with bpy.context.temp_override(window=window, area=area), suppress(Glimpse3DError):
            brushes.take(bpy.context, what)
        pulse.redraw()
    elif waited > STEADY:
        _held.clear()


def _painting() -> tuple[bpy.types.Window, bpy.types.Area] | None:
    """An Image Editor in which something is painted."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "IMAGE_EDITOR" and area.spaces.active.mode == "PAINT":
                return window, area
    return None


@persistent
def _before_undo(scene: bpy.types.Scene, *_: object) -> None:
    what = brushes.in_hand(scene) or (_held[0][0] if _held else None)  # or it is on its way
    _before[:] = [what] if what is not None else []


@persistent
def _after_undo(*_: object) -> None:
    for what in _before:
        hold(what)
    _before.clear()


def start() -> None:
    """Follow what is undone from now on."""
    handlers = bpy.app.handlers
    for before, after in (
        (handlers.undo_pre, handlers.undo_post),
        (handlers.redo_pre, handlers.redo_post),
    ):
        before.append(_before_undo)
        after.append(_after_undo)


def stop() -> None:
    """Leave nothing behind."""
    handlers = bpy.app.handlers
    for each in (handlers.undo_pre, handlers.redo_pre):
        each.remove(_before_undo)
    for each in (handlers.undo_post, handlers.redo_post):
        each.remove(_after_undo)
    _held.clear()
    _before.clear()
