"""What is known of the pictures that the panels show, found out between drawings.

Owns that memory. Must not know how it is drawn. Reading pixels takes longer than a panel may, so
the timer does it, once for each picture.
"""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from .. import pulse
from ..scene import cutout, image
from ..scene.cutout import Facts

_known: dict[int, tuple[tuple[object, ...], Facts]] = {}


def follow() -> None:
    """Look at one picture that is shown and not known yet; called at every tick."""
    shown = {each.session_uid: each for each in _shown()}
    for gone in _known.keys() - shown.keys():
        del _known[gone]
    for uid, picture in shown.items():
        stamp = _stamp(picture)
        if uid not in _known or _known[uid][0] != stamp:
            _known[uid] = stamp, cutout.facts(picture)
            pulse.redraw()
            return


def stop() -> None:
    """Know nothing."""
    _known.clear()


def facts(picture: bpy.types.Image) -> Facts | None:
    """What is known of a picture; None before it was looked at."""
    found = _known.get(picture.session_uid)
    return found[1] if found is not None else None


def _stamp(picture: bpy.types.Image) -> tuple[object, ...]:
    return picture.filepath, picture.source, picture.is_dirty, picture.alpha_mode


def _shown() -> Iterator[bpy.types.Image]:
    """Pictures that somebody may generate from, and their cut-outs."""
    chosen = [scene.glimpse3d.source for scene in bpy.data.scenes]
    for manager in bpy.data.window_managers:
        for window in manager.windows:
            for area in window.screen.areas:
                if area.type == "IMAGE_EDITOR":
                    chosen.append(cutout.picture_of(area.spaces.active.image))
    for picture in dict.fromkeys(chosen):
        if picture is not None and picture.type not in image.RENDERS:
            yield picture
            if (cut := cutout.preview_of(picture)) is not None:
                yield cut
