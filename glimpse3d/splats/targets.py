"""Posed pictures as tensors, and the losses of a rendering against them.

Owns what a view asks of a rendering. Must not know how splats are moved. Heavy: imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import InvalidData
from ..types import View
from .optimise_settings import Surface
from .rasterization import Cameras


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """One view on the device.

    Attributes:
        cameras: this view's alone.
        position: (3,) the camera's place, world.
        rgb: (H, W, 3) float32 sRGB 0..1, premultiplied.
        alpha: (H, W, 1) float32, the mask.
        depth: (H, W, 1) metres, 0 where not known; or None.
        normals: (H, W, 3) world, 0 where not known; or None.
    """

    cameras: Cameras
    position: Tensor
    rgb: Tensor
    alpha: Tensor
    depth: Tensor | None
    normals: Tensor | None

    def over(self, background: Tensor) -> Tensor:
        """(H, W, 3) the picture over a colour (3,)."""
        return self.rgb + (1 - self.alpha) * background


def from_views(
    views: Sequence[View], surfaces: Sequence[Surface] | None, device: torch.device
) -> list[Target]:
    """Every view, with what is known of its surface.

    Raises:
        InvalidData: the lists differ in length, or a view and its surface in size.
    """
    known = [Surface()] * len(views) if surfaces is None else surfaces
    if len(known) != len(views):
        raise InvalidData(f"{len(views)} views and {len(known)} surfaces", "give one for each")
    return [_target(view, surface, device) for view, surface in zip(views, known, strict=True)]


def _target(view: View, surface: Surface, device: torch.device) -> Target:
    camera = view.camera
    for given in (surface.depth, surface.normals):
        if given is not None and given.shape[:2] != (camera.height, camera.width):
            raise InvalidData("a surface and its view differ in size")
    rgba = view.image.rgba.astype(np.float32) / np.float32(255)

    def tensor(value: np.ndarray) -> Tensor:
        return torch.tensor(value, dtype=torch.float32, device=device)

    depth = None if surface.depth is None else tensor(surface.depth)[..., None].clamp(min=0)
    return Target(
        Cameras(
            tensor(camera.camera_from_world)[None],
            tensor(camera.K)[None],
            camera.width,
            camera.height,
        ),
        tensor(camera.position),
        tensor(rgba[..., :3] * rgba[..., 3:]),
        tensor(rgba[..., 3:]),
        depth,
        None if surface.normals is None else tensor(surface.normals),
    )


def depth_loss(depth: Tensor, known: Tensor, radius: float) -> Tensor:
    """Mean difference in object radii, where the depth is known and something is drawn."""
    both = (known > 0) & (depth.detach() > 0)
    return ((depth - known).abs() * both).sum() / (both.sum().clamp(min=1) * radius)


def normal_loss(normals: Tensor, alpha: Tensor, known: Tensor) -> Tensor:
    """Mean of one minus the cosine, where a normal is known; ``normals`` are premultiplied."""
    length = known.norm(dim=-1, keepdim=True)
    unlike = alpha * length - (normals * known).sum(-1, keepdim=True)
    return unlike.sum() / length.sum().clamp(min=1)


def psnr(picture: Tensor, target: Tensor) -> float:
    """Decibels, the peak being 1."""
    error = float(((picture.clamp(0, 1) - target) ** 2).mean())
    return -10 * float(np.log10(max(error, 1e-12)))
