"""Cameras of other programs as a rig: one empty that carries them all, their pictures behind.

Owns that rig. Must not know files beyond where a picture lies. Pictures are linked, not packed:
hundreds of photographs stay where they are.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import bpy
import numpy as np

from .._vendor.glimpse3d.formats.camera_sets import CameraSet
from . import cameras

# COLMAP's usual folder for pictures stands beside ``sparse/0``.
_FOLDERS = (".", "images", "..", "../images", "../../images")


def add_cameras(
    found: CameraSet, folder: Path, collection: bpy.types.Collection, name: str
) -> bpy.types.Object:
    """All cameras in a collection of their own below ``collection``; returns the empty.

    Args:
        found: the cameras.
        folder: where the file lies; pictures are looked for from there.
        collection: gets the new one.
        name: of the empty and of the collection.
    """
    own = bpy.data.collections.new(name)
    collection.children.link(own)
    places = np.array([each.camera.position for each in found.cameras])
    spread = float(np.linalg.norm(places - places.mean(axis=0), axis=1).max()) or 1.0
    root = bpy.data.objects.new(name, None)
    root.empty_display_size = spread * 0.25
    own.objects.link(root)
    for each in found.cameras:
        title = PurePosixPath(each.picture).stem or name
        thing = cameras.add_camera(each.camera, own, title[:60])
        thing.parent = root
        thing.data.display_size = spread * 0.1
        _add_picture(thing.data, folder, each.picture)
    return root


def _add_picture(camera: bpy.types.Camera, folder: Path, picture: str) -> None:
    path = _find(folder, picture)
    if path is None:
        return
    background = camera.background_images.new()
    background.image = bpy.data.images.load(str(path), check_existing=True)
    background.frame_method = "FIT"
    camera.show_background_images = True


def _find(folder: Path, picture: str) -> Path | None:
    """The picture beside the file; one that lies elsewhere on the machine is left alone."""
    name = PurePosixPath(picture)
    if not name.name or name.is_absolute() or ".." in name.parts:
        return None
    if not name.suffix:  # NeRF's first scenes leave it out
        name = name.with_name(f"{name.name}.png")
    candidates = (folder / place / name for place in _FOLDERS)
    return next((each.resolve() for each in candidates if each.is_file()), None)
