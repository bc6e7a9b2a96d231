"""The splats of a scene as they are seen: modifiers, places and all, as one cloud.

Owns what "seen" means for an export. Must not know files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import bpy
import numpy as np

from .._vendor.glimpse3d import cloud_edits
from .._vendor.glimpse3d.errors import InvalidData
from .._vendor.glimpse3d.types import GaussianCloud
from . import splat_data, splat_display


def seen_cloud(things: Iterable[bpy.types.Object], context: bpy.types.Context) -> GaussianCloud:
    """All splats of these objects in world space, as the viewport shows them.

    Raises:
        InvalidData: there are none, or an object is flattened by a scale of zero.
    """
    chosen = list(things)
    with _without_quads(chosen):
        depsgraph = context.evaluated_depsgraph_get()
        clouds = [
            cloud_edits.transform(
                splat_data.read_cloud(thing.evaluated_get(depsgraph).data),
                np.array(thing.evaluated_get(depsgraph).matrix_world),
            )
            for thing in chosen
        ]
    whole = cloud_edits.merge(clouds) if clouds else None
    if not whole:
        raise InvalidData("there are no splats to export", "select or show some first")
    return whole


@contextmanager
def _without_quads(things: list[bpy.types.Object]) -> Iterator[None]:
    """The display's own modifier turns splats into quads: it stays off meanwhile."""
    displays = [splat_display.display_of(thing) for thing in things]
    shown = [each for each in displays if each is not None and each.show_viewport]
    for each in shown:
        each.show_viewport = False
    try:
        yield
    finally:
        for each in shown:
            each.show_viewport = True
