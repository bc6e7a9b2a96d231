"""A scene whose depth is known exactly: balls on a floor, met by rays in closed form."""

import numpy as np

from glimpse3d import coords
from glimpse3d.types import Camera, Depth, DepthKind, Image

BALLS = (
    ((0.0, 0.0, 0.0), 0.32),
    ((0.3, -0.25, -0.12), 0.16),
    ((-0.28, -0.1, 0.2), 0.14),
    ((0.1, 0.3, 0.25), 0.18),
)
FLOOR = -0.35  # metres, the height of the plane below


def camera(azimuth: float, elevation: float = 20.0, width: int = 96, height: int = 80) -> Camera:
    lens = coords.Lens.from_field_of_view(38, width, height)
    return coords.orbit_camera(azimuth, elevation, 2.0, lens)


def depth_of(seen_from: Camera, floor: bool = True) -> Depth:
    """METRIC depth; without the floor the background is not valid."""
    columns, rows = np.arange(seen_from.width) + 0.5, np.arange(seen_from.height) + 0.5
    pixels = np.stack([*np.meshgrid(columns, rows), np.ones((len(rows), len(columns)))], axis=-1)
    rays = pixels @ np.linalg.inv(seen_from.K).T @ seen_from.camera_from_world[:3, :3]
    start = seen_from.position
    z = np.full(rays.shape[:2], np.inf)  # along a ray whose camera z is 1 at distance 1
    for centre, radius in BALLS:
        offset = start - np.array(centre)
        a, b = (rays**2).sum(-1), rays @ offset
        root = b**2 - a * (offset @ offset - radius**2)
        hit = (-b - np.sqrt(np.maximum(root, 0))) / a
        z = np.where((root > 0) & (hit > 0), np.minimum(z, hit), z)
    if floor:
        down = (FLOOR - start[2]) / np.where(rays[..., 2] < -1e-9, rays[..., 2], -1e-9)
        z = np.where(rays[..., 2] < -1e-9, np.minimum(z, down), z)
    valid = np.isfinite(z) & (z < 6)
    return Depth(np.where(valid, z, 0), DepthKind.METRIC, seen_from, valid)


def picture_of(depth: Depth) -> Image:
    """Grey that tells the depth itself: nearer is brighter, 8 bits."""
    grey = np.where(depth.valid, 255 - 40 * depth.values.astype(np.float64), 0)
    rgba = np.repeat(np.rint(np.clip(grey, 0, 255))[..., None], 4, axis=-1).astype(np.uint8)
    rgba[..., 3] = 255
    return Image(rgba)
