"""What is asked of the server: the picture, the settings and the name that the panels stand for.

Owns that translation. Must not know operators, sockets or how anything is drawn.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from .._vendor.glimpse3d.errors import BadImage
from ..history import Box
from ..scene import cutout, image
from . import server_settings

ALPHA = "alpha"  # the server's cut-out that takes the picture's own transparency
_LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture ready to travel.

    Attributes:
        data: the bytes of a PNG.
        box: left, top, right, bottom of the subject in pixels, or None.
        settings: those that follow from how its subject is told.
    """

    data: bytes
    box: Box | None
    settings: dict[str, Any]


def chosen_picture(context: bpy.types.Context) -> bpy.types.Image | None:
    """The picture that Generate would send: in the Image Editor the open one.

    Where a cut-out is open it is the picture of that cut-out.
    """
    space = context.space_data
    if space is not None and space.type == "IMAGE_EDITOR":
        return cutout.picture_of(space.image)
    return context.scene.glimpse3d.source


def name_of(picture: bpy.types.Image) -> str:
    """A picture's name without its ending and without the number that Blender adds to a second."""
    return Path(re.sub(r"\.\d{3,}$", "", picture.name)).stem


def random_seed() -> int:
    """Any seed that a server takes."""
    return random.randrange(_LARGEST_SEED)


def settings_of(scene: bpy.types.Scene) -> dict[str, Any]:
    """The settings of the panel; another seed is drawn first, if that is wanted."""
    chosen = scene.glimpse3d
    if chosen.new_seed:
        chosen.seed = random_seed()
    settings: dict[str, Any] = {"preset": chosen.preset, "seed": chosen.seed}
    settings.update(server_settings.changed(scene, chosen.preset, backends_of(scene)))
    if chosen.reconstructor:
        settings["reconstructor"] = chosen.reconstructor
    return settings


def backends_of(scene: bpy.types.Scene) -> set[str]:
    """The backends that were chosen by name, or that are the server's usual ones."""
    chosen = scene.glimpse3d
    values = server_settings.chosen(scene, chosen.preset)
    fields = server_settings.offered().general(chosen.preset)
    names = {getattr(values, each.attribute) for each in fields if each.stage}
    return names | {method_of(scene)}


def method_of(scene: bpy.types.Scene) -> str:
    """The method that will be used; empty if only the server knows."""
    schema = server_settings.offered()
    return scene.glimpse3d.reconstructor or schema.usual.get(scene.glimpse3d.preset, "")


def read(picture: bpy.types.Image, scene: bpy.types.Scene) -> Picture:
    """Read the picture, and how its subject is told from its background.

    Raises:
        BadImage: it holds no pixels, or what was painted or drawn does not fit it.
    """
    cut = scene.glimpse3d.cut
    if cut == "painted":
        painted = cutout.painted_of(picture)
        if painted is None:
            raise BadImage("no cut-out of this picture was painted", "press Paint first")
        return Picture(cutout.png_bytes(picture, painted), None, {"matte": ALPHA})
    data = image.png_bytes(picture, scene)
    return Picture(data, box_of(picture, scene) if cut == "box" else None, {})


def box_of(picture: bpy.types.Image, scene: bpy.types.Scene) -> Box:
    """The box of the panel in the picture's pixels.

    Raises:
        BadImage: it is empty.
    """
    left, top, right, bottom = scene.glimpse3d.box
    width, height = picture.size
    edges = (round(left * width), round(top * height), round(right * width), round(bottom * height))
    if edges[2] - edges[0] < 1 or edges[3] - edges[1] < 1:
        raise BadImage("the box is empty", "draw it around the subject")
    return edges
