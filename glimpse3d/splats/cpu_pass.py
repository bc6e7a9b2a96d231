"""Arrays of splats to pixels on the CPU, and gradients back, in numpy around compiled kernels.

Owns the order of the steps and how they are shared out to threads. Must not know torch. Every call
is its own: results depend neither on how many threads draw nor on what other calls run meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from . import blend, blend_gradient, projection, projection_gradient, shading
from .projection import COLUMNS, Geometry, Lens, Screen
from .rasterization import Cameras, Meta, RasterSettings, Splats
from .tiles import Tiles, sort_into_tiles


class Shot(NamedTuple):
    """What one camera saw, kept for the way back.

    Attributes:
        view, K: float64, the camera's.
        lens: the picture's size and the limits.
        screen, channels: where splats landed, and (N, X) what they add there.
        tiles: what each tile draws.
        background: (X,) float32.
        drawn: (H, W, X) colours over the background, (H, W) alphas, (H, W) what light is left,
            (T,) where the tiles' lists were left.
    """

    view: np.ndarray
    K: np.ndarray
    lens: Lens
    screen: Screen
    channels: np.ndarray
    tiles: Tiles
    background: np.ndarray
    drawn: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class Pulls(NamedTuple):
    """Gradients.

    Attributes:
        means, quats, scales, opacities, colors: float32, as in ``Splats``.
        viewmats: (C, 4, 4) float64.
        backgrounds: (C, X) float32; the depth's has no meaning.
    """

    means: np.ndarray
    quats: np.ndarray
    scales: np.ndarray
    opacities: np.ndarray
    colors: np.ndarray
    viewmats: np.ndarray
    backgrounds: np.ndarray


def rasterize(
    splats: Splats, cameras: Cameras, settings: RasterSettings
) -> tuple[np.ndarray, np.ndarray, Meta]:
    """What ``rasterization.rasterize`` answers for arrays."""
    colors, alphas, shots = forward(splats, cameras, settings)
    if settings.render_mode.endswith("ED"):
        colors[..., -1:] /= np.maximum(alphas, np.float32(1e-10))
    return colors, alphas, meta([shot.screen for shot in shots], len(splats.means))


def forward(
    splats: Splats, cameras: Cameras, settings: RasterSettings
) -> tuple[np.ndarray, np.ndarray, list[Shot]]:
    """Draw from every camera; depth is the weighted sum, not yet divided by alpha."""
    count, width, height = len(cameras.viewmats), cameras.width, cameras.height
    geometry = _geometry(splats)
    backgrounds = _backgrounds(splats, count, settings)
    colors = np.empty((count, height, width, backgrounds.shape[1]), np.float32)
    alphas = np.empty((count, height, width, 1), np.float32)
    shots = []
    for index in range(count):
        view = np.ascontiguousarray(cameras.viewmats[index], np.float64)
        K, lens = np.array(cameras.Ks[index], np.float64), _lens(cameras, settings)
        screen = projection.project(geometry, view, K, lens)
        channels = _channels(splats, geometry.means, screen, view, settings)
        tiles = sort_into_tiles(screen, channels, width, height)
        ends = np.empty(len(tiles.starts) - 1, np.int64)
        light = np.empty((height, width), np.float32)
        drawn = colors[index], alphas[index, ..., 0], light, ends
        shot = Shot(view, K, lens, screen, channels, tiles, backgrounds[index], drawn)
        _draw(shot, settings.threads)
        shots.append(shot)
    return colors, alphas, shots


def backward(
    splats: Splats,
    shots: Sequence[Shot],
    settings: RasterSettings,
    gradients: tuple[np.ndarray, np.ndarray],
) -> Pulls:
    """From gradients of what ``forward`` gave, (C, H, W, X) and (C, H, W, 1), to all inputs'."""
    geometry = _geometry(splats)
    pulls = Pulls(
        means=np.zeros(splats.means.shape, np.float32),
        quats=np.zeros(splats.quats.shape, np.float32),
        scales=np.zeros(splats.scales.shape, np.float32),
        opacities=np.zeros(splats.opacities.shape, np.float32),
        colors=np.zeros(splats.colors.shape, np.float32),
        viewmats=np.zeros((len(shots), 4, 4)),
        backgrounds=np.zeros((len(shots), gradients[0].shape[-1]), np.float32),
    )
    for index, shot in enumerate(shots):
        of_colors = np.ascontiguousarray(gradients[0][index], np.float32)
        of_alphas = np.ascontiguousarray(gradients[1][index, ..., 0], np.float32)
        sums = _pull_pixels(shot, (of_colors, of_alphas), settings.threads)
        pulls.backgrounds[index] = np.einsum("hwc,hw->c", of_colors, shot.drawn[2])
        pulls.viewmats[index] = _pull_geometry(geometry, shot, sums, pulls, settings)
        if settings.render_mode.startswith("RGB"):
            pulls.viewmats[index] += _pull_colors(splats, shot, sums, pulls, settings)
    return pulls


def meta(screens: list[Screen], count: int) -> Meta:
    """Where ``count`` splats landed on each screen."""
    shape = len(screens), count
    means2d = np.zeros((*shape, 2), np.float32)
    conics, radii = np.zeros((*shape, 3), np.float32), np.zeros((*shape, 2), np.int32)
    depths, opacities = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for index, screen in enumerate(screens):
        projection.describe(screen.ellipses, means2d[index], conics[index], radii[index])
        depths[index], opacities[index] = screen.depths, screen.opacities
    return Meta("cpu", means2d, conics, radii, depths, opacities)


def compile_kernels() -> None:
    """Compile all there is, or load it from the disk, by drawing one splat there and back."""
    one = np.ones((1, 1), np.float32)
    splats = Splats(
        one * [[0, 0, 1]], one * [[1, 0, 0, 0]], one * [[1, 1, 1]], one[0], one[None] * [[1, 1, 1]]
    )
    cameras = Cameras(np.eye(4)[None], np.eye(3)[None], 1, 1)
    settings = RasterSettings(sh_degree=0)
    colors, alphas, shots = forward(splats, cameras, settings)
    meta([shot.screen for shot in shots], 1)
    backward(splats, shots, settings, (colors, alphas))


def _geometry(splats: Splats) -> Geometry:
    arrays = (splats.means, splats.quats, splats.scales, splats.opacities)
    return Geometry(*(_read_only(each) for each in arrays))


def _read_only(array: np.ndarray) -> np.ndarray:
    """float32, contiguous; never writable, for numba compiles anew for every kind of array."""
    plain = np.ascontiguousarray(array, np.float32).view()
    plain.flags.writeable = False
    return plain


def _lens(cameras: Cameras, settings: RasterSettings) -> Lens:
    return Lens(
        cameras.width,
        cameras.height,
        float(settings.near_plane),
        float(settings.far_plane),
        float(settings.eps2d),
        float(settings.radius_clip),
        settings.rasterize_mode == "antialiased",
    )


def _backgrounds(splats: Splats, count: int, settings: RasterSettings) -> np.ndarray:
    """(C, X) float32: one value a channel drawn; depth has nothing behind it."""
    color_channels = splats.colors.shape[-1] if settings.render_mode.startswith("RGB") else 0
    behind = np.zeros((count, color_channels), np.float32)
    if settings.backgrounds is not None and color_channels:
        behind = np.array(settings.backgrounds, np.float32)  # a copy: it is kept for the way back
    if settings.render_mode.endswith("D"):
        behind = np.concatenate([behind, np.zeros((count, 1), np.float32)], axis=1)
    return behind


def _channels(
    splats: Splats, means: np.ndarray, screen: Screen, view: np.ndarray, settings: RasterSettings
) -> np.ndarray:
    """(N, X) float32, what each splat adds to a pixel; only rows of visible splats matter."""
    depths = screen.depths[:, None]
    if not settings.render_mode.startswith("RGB"):
        return _read_only(depths)
    colors = _read_only(splats.colors)
    if settings.sh_degree is not None:
        position, seen = _position(view), np.empty((len(means), 3), np.float32)
        shading.shade(means, colors, position, settings.sh_degree, screen.visible, seen)
        colors = seen
    if settings.render_mode.endswith("D"):
        colors = np.concatenate([colors, depths], axis=1)
    return _read_only(colors)


def _position(view: np.ndarray) -> np.ndarray:
    """(3,) float64, the camera's place in the world."""
    return np.ascontiguousarray(np.linalg.inv(view)[:3, 3])


def _draw(shot: Shot, threads: int) -> None:
    """Fill ``shot.drawn``."""
    lists = shot.tiles.packed, shot.tiles.starts, shot.tiles.members, shot.background
    edges = _tile_edges(shot, threads)
    _share_out(lambda part: blend.draw_tiles(*lists, part, shot.drawn), edges, threads)


def _pull_pixels(shot: Shot, gradients: tuple[np.ndarray, np.ndarray], threads: int) -> np.ndarray:
    """(M, 6 + channels) float32 of the visible splats, in the order of their indices."""
    tiles = shot.tiles
    lists = tiles.packed, tiles.starts, tiles.members
    known = lists, shot.background
    width = blend_gradient.MOMENTS + tiles.packed.shape[1] - COLUMNS
    entries = np.empty((len(tiles.members), width), np.float32)
    _share_out(
        lambda part: blend_gradient.pull_tiles(*known, part, shot.drawn, gradients, entries),
        _tile_edges(shot, threads),
        threads,
    )
    sums = np.empty((len(tiles.order), width), np.float32)
    _share_out(
        lambda part: blend_gradient.gather(tiles.firsts, tiles.hits, entries, part, sums),
        _blocks(len(sums)),
        threads,
    )
    # Brought into order once, so that the long loops over them read memory forwards.
    ranks = np.empty(len(shot.channels), np.int64)
    ranks[tiles.order] = np.arange(len(sums))
    return sums[ranks[shot.screen.visible]]


def _pull_geometry(
    geometry: Geometry, shot: Shot, sums: np.ndarray, pulls: Pulls, settings: RasterSettings
) -> np.ndarray:
    """Add to the splats' gradients; (4, 4), the view's."""
    edges = _blocks(len(shot.tiles.order))
    views = np.zeros((len(edges) - 1, 3, 4))
    out = projection_gradient.Gradients(
        pulls.means, pulls.quats, pulls.scales, pulls.opacities, views
    )
    camera = shot.view, shot.K, shot.lens
    depth = -1
    if settings.render_mode.endswith("D"):
        depth = blend_gradient.MOMENTS + len(shot.background) - 1
    _share_out(
        lambda part: projection_gradient.pull_screen(
            geometry, *camera, shot.screen.visible, sums, depth, part, out
        ),
        edges,
        settings.threads,
    )
    return np.concatenate([views.sum(axis=0), np.zeros((1, 4))])


def _pull_colors(
    splats: Splats, shot: Shot, sums: np.ndarray, pulls: Pulls, settings: RasterSettings
) -> np.ndarray:
    """Add to the gradients of colours and what they were made of; (4, 4), the view's."""
    channels = sums[:, blend_gradient.MOMENTS :]
    if settings.sh_degree is None:
        pulls.colors[shot.screen.visible] += channels[:, : splats.colors.shape[1]]
        return np.zeros((4, 4))
    means, coefficients = _read_only(splats.means), _read_only(splats.colors)
    directions = np.empty((len(shot.tiles.order), 3))
    out = pulls.colors, pulls.means, directions
    scene = means, coefficients, _position(shot.view), settings.sh_degree, shot.screen.visible
    _share_out(
        lambda part: shading.pull_shade(*scene, shot.channels, channels, part, out),
        _blocks(len(directions)),
        settings.threads,
    )
    # The position is a column of the view's inverse.
    of_inverse = np.zeros((4, 4))
    of_inverse[:3, 3] = -directions.sum(axis=0)
    inverse = np.linalg.inv(shot.view)
    return -inverse.T @ of_inverse @ inverse.T


def _tile_edges(shot: Shot, threads: int) -> list[int]:
    """Where to cut the tiles: they differ in work, so at equal numbers of list entries."""
    starts = shot.tiles.starts
    # Several portions a thread, for entries differ in work as well.
    portions = threads * 4 if threads > 1 else 1
    cuts = np.linspace(0, starts[-1], portions + 1)[1:-1]
    return [0, *(int(edge) for edge in np.searchsorted(starts[1:], cuts)), len(starts) - 1]


def _blocks(count: int) -> list[int]:
    """Where to cut splats; the same for any number of threads."""
    return [*range(0, count, projection_gradient.BLOCK), count]


def _share_out(work: Callable[[tuple[int, int]], None], edges: Sequence[int], threads: int) -> None:
    """Do the work between every two edges, in ``threads`` threads."""
    if threads == 1 or len(edges) <= 2:
        for part in pairwise(edges):
            work(part)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, pairwise(edges)))
