"""Splats to pixels over raw arrays, for whoever brings their own tensors or channels.

Owns the semantics, which are those of ``rasterization`` in gsplat 1.5.3 (Ye et al. 2024, "gsplat:
An Open-Source Library for Gaussian Splatting"), so that a GPU and a CPU give the same picture:
pixel centres at .5, alpha at most 0.999 and at least 1/255, a pixel is finished before its
transmittance falls to 1e-4. Must not know clouds, files or where splats come from. Every call is
its own: results depend neither on how many threads draw nor on what other calls run meanwhile.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import numpy as np

from ..errors import InvalidData, InvalidSettings
from ..formats import sh
from . import blend, projection

RasterizeMode = Literal["classic", "antialiased"]
RenderMode = Literal["RGB", "D", "ED", "RGB+D", "RGB+ED"]


@dataclass(frozen=True, slots=True, eq=False)
class Splats:
    """Raw arrays, activated, in any world.

    Attributes:
        means: (N, 3) float32, metres.
        quats: (N, 4) float32 wxyz, of any length but 0.
        scales: (N, 3) float32, standard deviations, metres.
        opacities: (N,) float32.
        colors: (N, D) float32, drawn as they are; or (N, K, 3) coefficients of spherical
            harmonics if ``RasterSettings.sh_degree`` is given, at least as many as it needs.
    """

    means: np.ndarray
    quats: np.ndarray
    scales: np.ndarray
    opacities: np.ndarray
    colors: np.ndarray

    def __post_init__(self) -> None:
        count = len(self.means)
        shapes = {"means": (count, 3), "quats": (count, 4), "scales": (count, 3)}
        for name, shape in {**shapes, "opacities": (count,)}.items():
            if getattr(self, name).shape != shape:
                raise InvalidData(f"{name} has shape {getattr(self, name).shape}, expected {shape}")
        if self.colors.ndim not in (2, 3) or len(self.colors) != count:
            raise InvalidData(f"colors has shape {self.colors.shape}, expected {count} rows")


@dataclass(frozen=True, slots=True, eq=False)
class Cameras:
    """Pinhole cameras of one size.

    Attributes:
        viewmats: (C, 4, 4), camera from world, OpenCV axes.
        Ks: (C, 3, 3), pixels, without skew.
        width, height: pixels.
    """

    viewmats: np.ndarray
    Ks: np.ndarray
    width: int
    height: int

    def __post_init__(self) -> None:
        count = len(self.viewmats)
        if self.viewmats.shape != (count, 4, 4) or self.Ks.shape != (count, 3, 3):
            shapes = f"{self.viewmats.shape} and {self.Ks.shape}"
            raise InvalidData(f"viewmats and Ks have shapes {shapes}, not (C, 4, 4), (C, 3, 3)")
        if self.width < 1 or self.height < 1:
            raise InvalidData("a picture needs at least one pixel")
        skew = np.asarray(self.Ks)[:, [0, 1, 2, 2], [1, 0, 0, 1]]
        if skew.any() or (np.asarray(self.Ks)[:, 2, 2] != 1).any():
            raise InvalidData("the splat rasteriser knows no skew", "Ks with fx, fy, cx, cy only")


@dataclass(frozen=True, slots=True, eq=False)
class RasterSettings:
    """How splats are drawn; names and meanings as in gsplat.

    Attributes:
        near_plane, far_plane: metres along the camera's axis.
        eps2d: square pixels added to every splat's footprint; viewers use 0.3.
        radius_clip: splats of this radius and less, pixels, are left out.
        rasterize_mode: "antialiased" lowers the opacity by what ``eps2d`` added to the area.
        render_mode: what the channels are; depth comes last. "D" is depth summed by weight,
            "ED" the same divided by alpha.
        sh_degree: ``Splats.colors`` are coefficients, evaluated up to this degree; None: colours.
        backgrounds: (C, D) float32 without a value for depth, or None.
        threads: that draw tiles.
    """

    near_plane: float = 0.01
    far_plane: float = 1e10
    eps2d: float = 0.3
    radius_clip: float = 0.0
    rasterize_mode: RasterizeMode = "classic"
    render_mode: RenderMode = "RGB"
    sh_degree: int | None = None
    backgrounds: np.ndarray | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        known = {"rasterize_mode": get_args(RasterizeMode), "render_mode": get_args(RenderMode)}
        for name, names in known.items():
            if getattr(self, name) not in names:
                raise InvalidSettings(name, "is unknown", f"known: {', '.join(names)}")
        if self.sh_degree not in (None, 0, 1, 2, 3):
            raise InvalidSettings("sh_degree", f"{self.sh_degree} is not 0 to 3")
        if self.threads < 1:
            raise InvalidSettings("threads", f"{self.threads} is not a count of threads")


@dataclass(frozen=True, slots=True, eq=False)
class Meta:
    """Where every splat landed on every camera's screen; all 0 for a splat that is not seen.

    Attributes:
        ellipses: (C, N, 8) float32, columns as in ``projection``.
        depths: (C, N) float32, metres.
        opacities: (C, N) float32, as drawn.
    """

    ellipses: np.ndarray
    depths: np.ndarray
    opacities: np.ndarray

    @property
    def means2d(self) -> np.ndarray:
        """(C, N, 2) float32, pixels."""
        return self.ellipses[..., [projection.X, projection.Y]]

    @property
    def radii(self) -> np.ndarray:
        """(C, N, 2) int32, pixels."""
        reaches = self.ellipses[..., [projection.REACH_X, projection.REACH_Y]]
        return np.ceil(reaches).astype(np.int32)

    @property
    def conics(self) -> np.ndarray:
        """(C, N, 3) float32, the inverse covariance (xx, xy, yy) after ``eps2d``."""
        shear = self.ellipses[..., projection.SHEAR]
        xx = self.ellipses[..., projection.ACROSS] * 16
        yy = self.ellipses[..., projection.DOWN] * 16 + xx * shear * shear
        return np.stack([xx, xx * shear, yy], axis=-1)


def rasterize(
    splats: Splats, cameras: Cameras, settings: RasterSettings | None = None
) -> tuple[np.ndarray, np.ndarray, Meta]:
    """Draw the splats from every camera.

    Returns:
        (C, H, W, X) float32 premultiplied channels over the background, (C, H, W, 1) float32
        alphas, and where the splats landed.

    Raises:
        InvalidData: shapes that do not fit each other.
    """
    settings = settings or RasterSettings()
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
    return colors, alphas, _meta(screens, len(splats.means))


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


def _meta(screens: list[projection.Screen], count: int) -> Meta:
    return Meta(
        np.array([s.ellipses for s in screens]).reshape(len(screens), count, projection.COLUMNS),
        np.array([s.depths for s in screens]).reshape(len(screens), count),
        np.array([s.opacities for s in screens]).reshape(len(screens), count),
    )


def _backgrounds(splats: Splats, count: int, settings: RasterSettings) -> np.ndarray:
    """(C, X) float32: one value a channel drawn; depth has nothing behind it."""
    is_sh = splats.colors.ndim == 3
    if is_sh != (settings.sh_degree is not None):
        raise InvalidData(
            f"colors has shape {splats.colors.shape} and sh_degree is {settings.sh_degree}",
            "give (N, D) colours, or (N, K, 3) coefficients and sh_degree",
        )
    if is_sh and splats.colors.shape[1] < ((settings.sh_degree or 0) + 1) ** 2:
        raise InvalidData(f"{splats.colors.shape[1]} coefficients are too few for sh_degree")
    color_channels = splats.colors.shape[-1] if settings.render_mode.startswith("RGB") else 0
    behind = np.zeros((count, color_channels), np.float32)
    if settings.backgrounds is not None and color_channels:
        if settings.backgrounds.shape != behind.shape:
            raise InvalidData(
                f"backgrounds has shape {settings.backgrounds.shape}, expected {behind.shape}"
            )
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
