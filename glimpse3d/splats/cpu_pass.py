"""Arrays of splats to pixels on the CPU, in numpy around compiled kernels.

Owns the order of the steps and how tiles are shared out to threads. Must not know torch. Every
call is its own: results depend neither on how many threads draw nor on what other calls run
meanwhile.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from ..formats import sh
from . import blend, projection
from .rasterization import Cameras, Meta, RasterSettings, Splats


def rasterize(
    splats: Splats, cameras: Cameras, settings: RasterSettings
) -> tuple[np.ndarray, np.ndarray, Meta]:
    """What ``rasterization.rasterize`` answers for arrays."""
    count, width, height = len(cameras.viewmats), cameras.width, cameras.height
    backgrounds = _backgrounds(splats, count, settings)
    colors = np.empty((count, height, width, backgrounds.shape[1]), np.float32)
    alphas = np.empty((count, height, width, 1), np.float32)
    screens = []
    for index in range(count):
        view = np.ascontiguousarray(cameras.viewmats[index], np.float64)
        screen = _project(splats, view, cameras, index, settings)
        channels = _channels(splats, screen, view, settings)
        tiles = projection.sort_into_tiles(screen, channels, width, height)
        target = colors[index], alphas[index, ..., 0]
        _draw(tiles, backgrounds[index], target, settings.threads)
        screens.append(screen)
    if settings.render_mode.endswith("ED"):
        colors[..., -1:] /= np.maximum(alphas, np.float32(1e-10))
    return colors, alphas, meta(screens, len(splats.means))


def _project(
    splats: Splats, view: np.ndarray, cameras: Cameras, index: int, settings: RasterSettings
) -> projection.Screen:
    geometry = projection.Geometry(
        np.ascontiguousarray(splats.means, np.float32),
        np.ascontiguousarray(splats.quats, np.float32),
        np.ascontiguousarray(splats.scales, np.float32),
        np.ascontiguousarray(splats.opacities, np.float32),
    )
    lens = projection.Lens(
        cameras.width,
        cameras.height,
        float(settings.near_plane),
        float(settings.far_plane),
        float(settings.eps2d),
        float(settings.radius_clip),
        settings.rasterize_mode == "antialiased",
    )
    return projection.project(geometry, view, np.array(cameras.Ks[index], np.float64), lens)


def meta(screens: list[projection.Screen], count: int) -> Meta:
    """Where ``count`` splats landed on each screen."""
    shape = len(screens), count
    means2d = np.zeros((*shape, 2), np.float32)
    conics, radii = np.zeros((*shape, 3), np.float32), np.zeros((*shape, 2), np.int32)
    depths, opacities = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for index, screen in enumerate(screens):
        projection.describe(screen.ellipses, means2d[index], conics[index], radii[index])
        depths[index], opacities[index] = screen.depths, screen.opacities
    return Meta("cpu", means2d, conics, radii, depths, opacities)


def _backgrounds(splats: Splats, count: int, settings: RasterSettings) -> np.ndarray:
    """(C, X) float32: one value a channel drawn; depth has nothing behind it."""
    color_channels = splats.colors.shape[-1] if settings.render_mode.startswith("RGB") else 0
    behind = np.zeros((count, color_channels), np.float32)
    if settings.backgrounds is not None and color_channels:
        behind = np.ascontiguousarray(settings.backgrounds, np.float32)
    if settings.render_mode.endswith("D"):
        behind = np.concatenate([behind, np.zeros((count, 1), np.float32)], axis=1)
    return behind


def _channels(
    splats: Splats, screen: projection.Screen, view: np.ndarray, settings: RasterSettings
) -> np.ndarray:
    """(N, X) float32, what each splat adds to a pixel; only rows of visible splats matter."""
    depths = screen.depths[:, None]
    if not settings.render_mode.startswith("RGB"):
        return depths
    colors = np.asarray(splats.colors, np.float32)
    if settings.sh_degree is not None:
        position = -view[:3, :3].T @ view[:3, 3]
        colors = _seen_colors(colors, np.asarray(splats.means) - position, settings.sh_degree)
    if settings.render_mode.endswith("D"):
        colors = np.concatenate([colors, depths], axis=1)
    return np.ascontiguousarray(colors)


def _seen_colors(coefficients: np.ndarray, directions: np.ndarray, degree: int) -> np.ndarray:
    """(N, 3) float32, not below 0, seen along ``directions`` (N, 3) of any length."""
    if degree == 0:
        colors = sh.to_color(coefficients[:, 0])
    else:
        length = np.linalg.norm(directions, axis=1, keepdims=True)
        unit = (directions / np.maximum(length, 1e-12)).astype(np.float32)
        values = sh.basis(unit, degree)
        colors = np.einsum("nk,nkc->nc", values, coefficients[:, : values.shape[1]]) + 0.5
    return np.maximum(colors, 0, dtype=np.float32)


def _draw(
    tiles: projection.Tiles,
    background: np.ndarray,
    target: tuple[np.ndarray, np.ndarray],
    threads: int,
) -> None:
    """Fill ``target`` = (colors (H, W, X), alphas (H, W)), sharing the tiles out to threads."""
    lists = tiles.packed, tiles.starts, tiles.members
    count = len(tiles.starts) - 1
    if threads == 1:
        blend.draw_tiles(*lists, background, (0, count), *target)
        return
    # Tiles differ in work: several portions a thread, cut at equal numbers of list entries.
    cuts = np.linspace(0, tiles.starts[-1], threads * 4 + 1)[1:-1]
    edges = [0, *(int(edge) for edge in np.searchsorted(tiles.starts[1:], cuts)), count]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda p: blend.draw_tiles(*lists, background, p, *target), pairwise(edges)))
