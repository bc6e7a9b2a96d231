"""Which way up a splat file is, and how its cloud is turned into the house frame and back.

Owns the three frames that splats are stored in and their names. Must not know any file's layout.
The frames are named by where x, y and z point, as the field does: ``rdf`` is right, down, forward
(OpenCV; what trainers write into PLY), ``rub`` is right, up, back (OpenGL, glTF, SPZ) and
``blender`` is right, forward, up: the house frame itself.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from ..coords import GLTF_FROM_HOUSE, PLY_FROM_HOUSE
from ..errors import InvalidSettings

Axes = Literal["rdf", "rub", "blender"]
NAMES: tuple[Axes, ...] = get_args(Axes)
FILE_FROM_HOUSE: dict[Axes, np.ndarray] = {
    "rdf": PLY_FROM_HOUSE,
    "rub": GLTF_FROM_HOUSE,
    "blender": np.eye(3),
}
# What stands in the header of a PLY, and is recognised there.
IN_WORDS: dict[Axes, str] = {
    "rdf": "OpenCV world, x right, y down, z forward, metres; the front faces -z",
    "rub": "glTF world, x right, y up, z back, metres; the front faces +z",
    "blender": "Blender world, x right, y forward, z up, metres; the front faces -y",
}


def check_axes(name: str | None, otherwise: Axes) -> Axes:
    """``name`` if it is one of ``NAMES``, ``otherwise`` if it is None.

    Raises:
        InvalidSettings: no frame has that name.
    """
    if name is None:
        return otherwise
    for each in NAMES:
        if each == name:
            return each
    raise InvalidSettings("axes", f"{name!r} is unknown", f"known: {', '.join(NAMES)}")


def named_in(comments: tuple[str, ...]) -> Axes | None:
    """The frame that a header's comments tell, as ``IN_WORDS`` words it; None if they do not."""
    for axes, words in IN_WORDS.items():
        if f"Frame: {words}" in comments:
            return axes
    return None
