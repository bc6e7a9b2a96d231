"""Draws a cloud as a camera sees it, in numpy for everyone.

Owns the floats and the picture that come out. Must not know files or where splats come from; how
splats become pixels is ``rasterization``'s.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from ..errors import InvalidSettings
from ..settings import check, option
from ..types import Camera, GaussianCloud, Image
from .rasterization import Cameras, RasterSettings, Splats, rasterize

__all__ = [
    "Cameras",
    "Pictures",
    "RasterSettings",
    "RenderSettings",
    "Splats",
    "compile_in_background",
    "rasterize",
    "render",
]


@dataclass(frozen=True, slots=True)
class RenderSettings:
    """How a picture of a cloud is drawn."""

    background: tuple[float, ...] = option((), "red, green, blue 0..1 sRGB behind; empty: none")
    depth: bool = option(False, "give depth too")
    antialiased: bool = option(False, "keep small splats from looking too opaque")
    threads: int = option(1, "threads that draw tiles", low=1, high=256)

    def __post_init__(self) -> None:
        check(self)
        if len(self.background) not in (0, 3):
            raise InvalidSettings("background", "is not three numbers", "red, green, blue 0..1")


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """What a camera sees of a cloud.

    Attributes:
        rgb: (H, W, 3) float32 sRGB, over the background, or premultiplied if there is none.
        alpha: (H, W) float32, 0..1.
        depth: (H, W) float32, mean along the camera's axis, metres, 0 where alpha is 0; or None.
        opaque: whether a background was given.
    """

    rgb: np.ndarray
    alpha: np.ndarray
    depth: np.ndarray | None
    opaque: bool

    def image(self) -> Image:
        """The picture with straight alpha, or opaque over its background."""
        rgba = np.empty((*self.alpha.shape, 4), np.float32)
        rgba[..., 3] = 255 if self.opaque else self.alpha * np.float32(255)
        covered = 1 if self.opaque else np.maximum(self.alpha, np.float32(1e-10))
        np.multiply(self.rgb, np.expand_dims(np.float32(255) / covered, -1), out=rgba[..., :3])
        # Adding a half and cutting off rounds, as nothing is negative.
        np.minimum(rgba, 255, out=rgba)
        rgba += np.float32(0.5)
        return Image(rgba.astype(np.uint8))


def compile_in_background() -> threading.Thread:
    """Have the rasteriser's kernels compiled before they are asked for; ends by itself.

    Once per machine and version that takes seconds, afterwards a fraction of one. Drawing
    meanwhile is safe, and waits.
    """
    thread = threading.Thread(target=_compile, name="compile kernels", daemon=True)
    thread.start()
    return thread


def _compile() -> None:
    from .cpu_pass import compile_kernels

    compile_kernels()


def render(
    cloud: GaussianCloud, camera: Camera, settings: RenderSettings | None = None
) -> Pictures:
    """Draw a cloud as its camera sees it, view-dependent colour included.

    Raises:
        InvalidData: the camera's pixels are skewed.
    """
    settings = settings or RenderSettings()
    behind = np.array([settings.background], np.float32) if settings.background else None
    splats = Splats(cloud.means, cloud.rotations, cloud.scales, cloud.opacities, cloud.sh)
    cameras = Cameras(camera.camera_from_world[None], camera.K[None], camera.width, camera.height)
    raster = RasterSettings(
        rasterize_mode="antialiased" if settings.antialiased else "classic",
        render_mode="RGB+ED" if settings.depth else "RGB",
        sh_degree=cloud.sh_degree,
        backgrounds=behind,
        threads=settings.threads,
    )
    colors, alphas, _ = rasterize(splats, cameras, raster)
    depth = colors[0, ..., 3] if settings.depth else None
    return Pictures(colors[0, ..., :3], alphas[0, ..., 0], depth, behind is not None)
