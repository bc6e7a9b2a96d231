"""Builds a whole result into a scene: one collection, everything or nothing.

Owns what a result's collection holds, how its parts hang together, and what of it is shown. Must
not know servers or panels. Call ``add_result`` from one operator with UNDO, and one step takes all
of it back.

Everything hangs on one empty at the place where the object stands, so that moving, turning or
scaling it carries mesh, splats and cameras along.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

from .._vendor.glimpse3d.errors import BadFile
from .._vendor.glimpse3d.formats import cameras as camera_file
from .._vendor.glimpse3d.formats import manifest
from . import PART, cameras, mesh, splats, turntable

MESH_FILE, SPLATS_FILE = "mesh.glb", "splats.ply"
SHOWN = ("mesh", "splats", "both")
# Blender cuts names after 63 bytes, and its own .001 and our words come behind.
_LONGEST_NAME = 40

# Every kind of datablock that building a result may make.
_KINDS = (
    "objects", "meshes", "cameras", "materials", "images", "node_groups", "actions", "collections",
    "pointclouds",
)  # fmt: skip


def add_result(
    folder: Path, name: str, location: Vector, scene: bpy.types.Scene
) -> bpy.types.Collection:
    """The result in ``folder`` as a new collection of ``scene``, standing on ``location``.

    The lowest point of the mesh touches ``location``; the front faces -Y. The mesh is shown and the
    splats are not, since they lie in the same place: see ``show``. A scene without a camera gets
    the picture's own.

    Raises:
        BadFile: a file is missing or malformed; the scene is as it was.
    """
    with _all_or_nothing():
        files = _files(folder)
        short = name.strip()[:_LONGEST_NAME] or "Glimpse3D"
        collection = bpy.data.collections.new(short)
        scene.collection.children.link(collection)
        parts = {
            "mesh": mesh.add_mesh(files[MESH_FILE], collection, f"{short} mesh"),
            "splats": splats.add_splats(files[SPLATS_FILE], collection, f"{short} splats"),
            turntable.TURNTABLE: cameras.add_rig(files[camera_file.NAME], collection, short),
        }
        for part, thing in parts.items():
            thing[PART] = part
        _stand(collection, parts["mesh"], short, location)
        show(collection, "mesh", scene)
        if scene.camera is None:
            scene.camera = picture_camera(collection)
    return collection


def picture_camera(collection: bpy.types.Collection) -> bpy.types.Object | None:
    """The camera of the picture that the result was made from, if it is still there."""
    return _part(collection, cameras.PICTURE_CAMERA)


def show(collection: bpy.types.Collection, what: str, scene: bpy.types.Scene) -> list[str]:
    """Show the mesh, the splats or both, in the viewport and in renders.

    Args:
        collection: one that ``add_result`` made.
        what: one of ``SHOWN``.
        scene: the scene that it stands in.

    Returns:
        sentences for the user: what of the scene's settings was changed so that Cycles can draw
        splats, see ``splats.prepare_cycles``.
    """
    for part in ("mesh", "splats"):
        thing = _part(collection, part)
        if thing is None:
            continue
        thing.hide_render = what not in (part, "both")
        for layer in scene.view_layers:
            # Asking the layer whether it has the object fails until the layer is drawn again.
            with suppress(RuntimeError):  # it leaves the collection out: nothing to hide there
                thing.hide_set(thing.hide_render, view_layer=layer)
    return [] if what == "mesh" else splats.prepare_cycles(scene)


def shown(collection: bpy.types.Collection) -> str:
    """Which of ``SHOWN`` renders show; empty if none."""
    parts = [_part(collection, part) for part in ("mesh", "splats")]
    seen = [each is not None and not each.hide_render for each in parts]
    return "both" if all(seen) else "mesh" if seen[0] else "splats" if seen[1] else ""


def stand_at(collection: bpy.types.Collection, location: Vector) -> None:
    """Put a result somewhere else, its lowest point on ``location``."""
    if (foot := _part(collection, "foot")) is not None:
        foot.location = location


def turn_round(collection: bpy.types.Collection, turn: turntable.Turn) -> bpy.types.Object | None:
    """Make a result's turntable anew; returns its pivot, or None if there is no mesh left."""
    body, foot = _part(collection, "mesh"), _part(collection, "foot")
    if body is None or foot is None:
        return None
    if (old := _part(collection, turntable.TURNTABLE)) is not None:
        turntable.remove(old)
    low, high = np.array(body.bound_box).min(axis=0), np.array(body.bound_box).max(axis=0)
    middle = body.location + Vector((low + high) / 2)
    pivot = cameras.add_turntable(turn, float((high - low).max()), collection, foot.name)
    pivot.location = middle
    pivot.parent = foot
    return pivot


def remove(collection: bpy.types.Collection) -> None:
    """Remove a result: what ``add_result`` made, and what hangs on it.

    What else the user put into the collection stays, and the collection with it.
    """
    foot = _part(collection, "foot")
    hanging = set(foot.children_recursive) if foot is not None else set()
    own = [each for each in collection.objects if PART in each or each in hanging]
    bpy.data.batch_remove(own)
    if not (collection.objects or collection.children or collection.is_embedded_data):
        bpy.data.collections.remove(collection)


def _part(collection: bpy.types.Collection, part: str) -> bpy.types.Object | None:
    return next((each for each in collection.objects if each.get(PART) == part), None)


def _files(folder: Path) -> dict[str, Path]:
    """The files that the scene needs; the manifest must list them."""
    about = manifest.read(folder / manifest.NAME)
    names = (MESH_FILE, SPLATS_FILE, camera_file.NAME)
    missing = [name for name in names if name not in about.files or not (folder / name).is_file()]
    if missing:
        raise BadFile(f"the result in {folder} lacks {missing[0]}", "fetch it again")
    return {name: folder / name for name in names}


def _stand(
    collection: bpy.types.Collection, body: bpy.types.Object, name: str, location: Vector
) -> None:
    """Hang everything on an empty at ``location``, the body's lowest point resting there."""
    lowest = min(corner[2] for corner in body.bound_box)
    foot = bpy.data.objects.new(name, None)
    foot.empty_display_type = "PLAIN_AXES"
    foot.empty_display_size = 0.25 * max(body.dimensions)
    foot.location = location
    foot[PART] = "foot"
    for thing in collection.objects:
        if thing.parent is None:
            thing.parent = foot
            thing.location.z -= lowest
    collection.objects.link(foot)


@contextmanager
def _all_or_nothing() -> Iterator[None]:
    """Remove every datablock that was made in the block, should it fail."""
    former = {kind: {each.session_uid for each in getattr(bpy.data, kind)} for kind in _KINDS}
    try:
        yield
    except BaseException:
        made = [
            each
            for kind in _KINDS
            for each in getattr(bpy.data, kind)
            if each.session_uid not in former[kind]
        ]
        bpy.data.batch_remove(made)
        raise
