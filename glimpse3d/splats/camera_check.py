"""Whether cameras see a cloud where their pictures say that it is.

Owns the refusal of cameras in another convention, with the name of the one that they are in: a fit
from such cameras goes on for its whole time and gives an empty picture. Must not know how a cloud
is fitted. numpy only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..coords import OPENGL_FROM_OPENCV
from ..errors import InvalidData
from ..types import Camera, GaussianCloud, View
from .render import RenderSettings, render

# Median overlap of rendering and mask below which nothing useful can be fitted.
LEAST_OVERLAP = 0.2
# A convention is named if cameras read in it overlap by so much.
_CONVINCING = 0.5
_LOOKED_AT = 8
_SIDE = 96


def check_cameras(cloud: GaussianCloud, views: Sequence[View]) -> None:
    """Refuse views whose cameras do not see the cloud where the masks have the object.

    Raises:
        InvalidData: there is no overlap to speak of; the hint says what to change.
    """
    few = [views[index] for index in np.linspace(0, len(views) - 1, _LOOKED_AT).astype(int)]
    found = _median_overlap(cloud, few, lambda camera: camera)
    if found >= LEAST_OVERLAP:
        return
    hint = "is the cloud in the house frame (+Z up, metres)? register() fits it to the views"
    for name, change in _CONVENTIONS.items():
        if _median_overlap(cloud, few, change) >= _CONVINCING:
            hint = name
    raise InvalidData(
        "the cameras do not see the cloud where the pictures show it: "
        f"renderings and masks overlap by {found:.0%}",
        hint,
    )


def _opengl_axes(camera: Camera) -> Camera:
    pose = np.array(camera.camera_from_world)
    pose[:3] = OPENGL_FROM_OPENCV @ pose[:3]
    return replace(camera, camera_from_world=pose)


def _inverse(camera: Camera) -> Camera:
    return replace(camera, camera_from_world=camera.world_from_camera)


_CONVENTIONS: dict[str, Callable[[Camera], Camera]] = {
    "these are OpenGL cameras (y up, z back): make them with coords.camera_from_opengl_pose": (
        _opengl_axes
    ),
    "these are poses, world from camera: invert them, Camera wants camera_from_world": _inverse,
    "these are OpenGL poses, world from camera: make them with coords.camera_from_opengl_pose": (
        lambda camera: _opengl_axes(_inverse(camera))
    ),
}


def _median_overlap(
    cloud: GaussianCloud, views: Sequence[View], change: Callable[[Camera], Camera]
) -> float:
    return float(np.median([_overlap(cloud, view, change) for view in views]))


def _overlap(cloud: GaussianCloud, view: View, change: Callable[[Camera], Camera]) -> float:
    """Of what the rendering and the mask cover, the share that both cover."""
    step = max(1, max(view.image.width, view.image.height) // _SIDE)
    mask = view.image.rgba[step // 2 :: step, step // 2 :: step, 3] / 255
    alpha = render(cloud, change(view.camera), RenderSettings()).alpha
    alpha = alpha[step // 2 :: step, step // 2 :: step]
    either = float(np.maximum(alpha, mask).sum())
    return float(np.minimum(alpha, mask).sum()) / either if either > 0 else 0.0
