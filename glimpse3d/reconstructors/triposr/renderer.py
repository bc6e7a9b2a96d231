"""Volume rendering of a field, as the model was trained with.

Owns the rays, their samples inside the box and the blending (Mildenhall et al. 2020, arXiv
2003.08934). Must not know what answers for density and colour. Frame: the model's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...types import Camera

# Rays are cut where they leave a box this much smaller than the planes' own.
_INSIDE = 1 - 1e-3
# A shorter way through the box is a miss; units of the box.
_SHORTEST = 0.01
# A direction's component is moved away from 0 by this, so that one can divide by it.
_LEAST = 1e-6

# (N, 3) points -> (N,) density, (N, 3) colour.
Field = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True)
class Marching:
    """How a ray is walked.

    Attributes:
        radius: half the side of the box.
        samples: on a ray, at the middles of equal steps.
        rays: walked at once.
        device: where the field answers.
    """

    radius: float
    samples: int
    rays: int
    device: torch.device


def render(field: Field, camera: Camera, marching: Marching) -> Tensor:
    """(H, W, 3) float32 sRGB over white, what ``camera`` sees."""
    origin, directions = rays(camera)
    start = torch.as_tensor(origin, dtype=torch.float32, device=marching.device)
    all_rays = torch.as_tensor(directions, dtype=torch.float32, device=marching.device)
    parts = [walk(field, start, part, marching) for part in all_rays.split(marching.rays)]
    return torch.cat(parts).reshape(camera.height, camera.width, 3)


def rays(camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """(3,) where all rays start, and (H W, 3) unit directions through the pixels' centres."""
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    pixels = np.stack([x, y, np.ones_like(x)], axis=-1).reshape(-1, 3)
    local = pixels @ np.linalg.inv(camera.K).T
    directions = local @ camera.camera_from_world[:3, :3]
    return camera.position, directions / np.linalg.norm(directions, axis=1, keepdims=True)


def walk(field: Field, origin: Tensor, directions: Tensor, marching: Marching) -> Tensor:
    """(N, 3) colours along (N, 3) directions; white where a ray misses the box."""
    near, far = _through_box(origin, directions, marching.radius * _INSIDE)
    hit = far - near > _SHORTEST
    colors = torch.ones_like(directions)
    if bool(hit.any()):
        near, far, ways = near[hit, None], far[hit, None], directions[hit]
        edges = torch.linspace(0, 1, marching.samples + 1, device=origin.device)
        middles = (edges[:-1] + edges[1:]) / 2
        depths = near * (1 - middles) + far * middles
        points = origin + depths[..., None] * ways[:, None]
        density, color = field(points.flatten(0, 1))
        shape = (len(ways), marching.samples)
        # Density counts per way through the box, however long that is: so it was trained.
        steps = (edges[1:] - edges[:-1])[None]
        colors[hit] = blend(density.view(shape) * steps, color.view(*shape, 3))
    return colors


def blend(thickness: Tensor, colors: Tensor) -> Tensor:
    """(N, 3) of (N, S) optical thickness and (N, S, 3) colours, front to back, over white."""
    alpha = 1 - torch.exp(-thickness)
    passed = torch.cumprod(1 - alpha, dim=-1)
    before = torch.cat([torch.ones_like(passed[:, :1]), passed[:, :-1]], dim=-1)
    weights = alpha * before
    return (weights[..., None] * colors).sum(dim=1) + 1 - weights.sum(dim=1, keepdim=True)


def _through_box(origin: Tensor, directions: Tensor, half: float) -> tuple[Tensor, Tensor]:
    """Where rays enter and leave the box, distances along them; behind the camera counts as 0."""
    small = directions.abs() < _LEAST
    divisor = torch.where(small, torch.full_like(directions, _LEAST), directions)
    first, second = (half - origin) / divisor, (-half - origin) / divisor
    near = torch.minimum(first, second).amax(dim=-1).clamp_min(0)
    far = torch.maximum(first, second).amin(dim=-1)
    return near, far
