"""A splat renderer in plain numpy and float64, one splat after the other.

The measure of ``glimpse3d.splats``: written from the equations of EWA splatting (Zwicker et al.
2001) and the limits of gsplat 1.5.3, with no tiles, no packing and no approximate exponential.
"""

from __future__ import annotations

import numpy as np

from glimpse3d.formats import sh
from glimpse3d.splats.rasterization import Cameras, RasterSettings, Splats


def rotations(quats: np.ndarray) -> np.ndarray:
    """(N, 3, 3) of quaternions wxyz of any length."""
    w, x, y, z = (quats / np.linalg.norm(quats, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def jacobians(local: np.ndarray, K: np.ndarray, width: int, height: int) -> np.ndarray:
    """(N, 2, 3) of the projection, taken inside 1.3 times the field of view."""
    x, y, z = local.T
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    margin_x, margin_y = 0.3 * 0.5 * width / fx, 0.3 * 0.5 * height / fy
    tx = z * np.clip(x / z, -cx / fx - margin_x, (width - cx) / fx + margin_x)
    ty = z * np.clip(y / z, -cy / fy - margin_y, (height - cy) / fy + margin_y)
    zero = np.zeros_like(z)
    rows = [[fx / z, zero, -fx * tx / z**2], [zero, fy / z, -fy * ty / z**2]]
    return np.moveaxis(np.array(rows), -1, 0)


def seen_colors(splats: Splats, position: np.ndarray, degree: int) -> np.ndarray:
    """(N, 3) of splats that carry spherical harmonics."""
    directions = splats.means.astype(np.float64) - position
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    values = sh.basis(directions, degree)
    coefficients = splats.colors[:, : values.shape[1]].astype(np.float64)
    return np.maximum(0, np.einsum("nk,nkc->nc", values, coefficients) + 0.5)


def draw(
    splats: Splats, cameras: Cameras, settings: RasterSettings
) -> tuple[np.ndarray, np.ndarray]:
    """What ``rasterize`` answers, without its third part; float64."""
    drawn = [_draw_one(splats, cameras, index, settings) for index in range(len(cameras.viewmats))]
    colors, alphas = (np.stack(each) for each in zip(*drawn, strict=True))
    return colors, alphas[..., None]


def _draw_one(
    splats: Splats, cameras: Cameras, index: int, settings: RasterSettings
) -> tuple[np.ndarray, np.ndarray]:
    view, K = (np.asarray(each[index], np.float64) for each in (cameras.viewmats, cameras.Ks))
    width, height = cameras.width, cameras.height
    local = splats.means.astype(np.float64) @ view[:3, :3].T + view[:3, 3]
    depth = local[:, 2]
    kept = (depth >= settings.near_plane) & (depth <= settings.far_plane)
    safe = np.where(kept[:, None], local, [0, 0, 1])
    spread = rotations(splats.quats.astype(np.float64)) * splats.scales[:, None, :]
    on_screen = jacobians(safe, K, width, height) @ view[:3, :3] @ spread
    sharp = on_screen @ on_screen.transpose(0, 2, 1)
    blurred = sharp + settings.eps2d * np.eye(2)
    area = np.linalg.det(blurred)
    opacity = splats.opacities.astype(np.float64)
    if settings.rasterize_mode == "antialiased":
        opacity = opacity * np.sqrt(np.maximum(0, np.linalg.det(sharp)) / area)
    kept &= (area > 0) & (opacity >= 1 / 255)
    centres = (safe @ K.T)[:, :2] / safe[:, 2:]
    reach = np.sqrt(2 * np.log(np.maximum(opacity * 255, 1)))
    radii = np.ceil(reach[:, None] * np.sqrt(np.diagonal(blurred, axis1=1, axis2=2)))
    kept &= (radii > settings.radius_clip).any(axis=1)
    channels = _channels(splats, view, depth, settings)
    behind = np.zeros(channels.shape[1])
    if settings.backgrounds is not None and settings.render_mode.startswith("RGB"):
        behind[: settings.backgrounds.shape[1]] = settings.backgrounds[index]
    conics = np.linalg.inv(np.where(kept[:, None, None], blurred, np.eye(2)))
    order = np.flatnonzero(kept)
    order = order[np.argsort(depth[order].astype(np.float32), kind="stable")]
    colors, through = np.zeros((height, width, len(behind))), np.ones((height, width))
    finished = np.zeros((height, width), bool)
    for i in order:
        left, top = np.maximum(0, np.floor(centres[i] - radii[i])).astype(int)
        right, bottom = np.ceil(centres[i] + radii[i]).astype(int)
        if right <= 0 or bottom <= 0 or left >= width or top >= height:
            continue
        window = slice(top, bottom), slice(left, right)
        part = through[window]
        dx = np.arange(left, left + part.shape[1]) + 0.5 - centres[i, 0]
        dy = (np.arange(top, top + part.shape[0]) + 0.5 - centres[i, 1])[:, None]
        xx, xy, yy = conics[i, 0, 0], conics[i, 0, 1], conics[i, 1, 1]
        alpha = opacity[i] * np.exp(-0.5 * (xx * dx * dx + yy * dy * dy) - xy * dx * dy)
        alpha = np.where(alpha < 1 / 255, 0, np.minimum(alpha, 0.999))
        left_over = part * (1 - alpha)
        finished[window] |= left_over <= 1e-4
        weight = np.where(finished[window], 0, alpha * part)
        colors[window] += weight[..., None] * channels[i]
        through[window] = np.where(finished[window], part, left_over)
    colors += through[..., None] * behind
    if settings.render_mode.endswith("ED"):
        colors[..., -1] /= np.maximum(1 - through, 1e-10)
    return colors, 1 - through


def _channels(
    splats: Splats, view: np.ndarray, depth: np.ndarray, settings: RasterSettings
) -> np.ndarray:
    if not settings.render_mode.startswith("RGB"):
        return depth[:, None]
    colors = splats.colors
    if settings.sh_degree is not None:
        colors = seen_colors(splats, -view[:3, :3].T @ view[:3, 3], settings.sh_degree)
    return np.column_stack([colors, depth]) if settings.render_mode.endswith("D") else colors
