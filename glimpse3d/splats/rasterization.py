"""Splats to pixels over raw arrays or tensors, for whoever brings their own.

Owns the semantics, which are those of ``rasterization`` in gsplat 1.5.3 (Ye et al. 2024, "gsplat:
An Open-Source Library for Gaussian Splatting"), so that a GPU and a CPU give the same picture:
pixel centres at .5, alpha at most 0.999 and at least 1/255, a pixel is finished before its
transmittance falls to 1e-4. Owns the choice of who draws, too. Must not know clouds, files or
where splats come from, nor how anything is drawn; numpy alone until something is.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, get_args

import numpy as np

from ..errors import BackendUnavailable, InvalidData, InvalidSettings

log = logging.getLogger(__name__)

RasterizeMode = Literal["classic", "antialiased"]
RenderMode = Literal["RGB", "D", "ED", "RGB+D", "RGB+ED"]
Backend = Literal["auto", "cpu", "torch", "gsplat"]
# numpy's array or torch's tensor. This file does not import torch, not even for its types.
Array = Any

_BACKENDS = {
    "cpu": "glimpse3d.splats.backend_cpu",
    "torch": "glimpse3d.splats.backend_torch",
    "gsplat": "glimpse3d.splats.backend_gsplat",
}


@dataclass(frozen=True, slots=True, eq=False)
class Splats:
    """The scene: raw arrays or raw tensors, activated, in any world.

    Attributes:
        means: (N, 3) float32, metres.
        quats: (N, 4) float32 wxyz, of any length but 0.
        scales: (N, 3) float32, standard deviations, metres.
        opacities: (N,) float32.
        colors: (N, D) float32, drawn as they are; or (N, K, 3) coefficients of spherical
            harmonics if ``RasterSettings.sh_degree`` is given, at least as many as it needs.
    """

    means: Array
    quats: Array
    scales: Array
    opacities: Array
    colors: Array

    def __post_init__(self) -> None:
        count = len(self.means)
        shapes = {"means": (count, 3), "quats": (count, 4), "scales": (count, 3)}
        for name, shape in {**shapes, "opacities": (count,)}.items():
            found = tuple(getattr(self, name).shape)
            if found != shape:
                raise InvalidData(f"{name} has shape {found}, expected {shape}")
        if self.colors.ndim not in (2, 3) or len(self.colors) != count:
            raise InvalidData(f"colors has shape {tuple(self.colors.shape)}, not {count} rows")


@dataclass(frozen=True, slots=True, eq=False)
class Cameras:
    """Pinhole cameras of one size.

    Attributes:
        viewmats: (C, 4, 4), camera from world, OpenCV axes.
        Ks: (C, 3, 3), pixels, without skew.
        width, height: pixels.
    """

    viewmats: Array
    Ks: Array
    width: int
    height: int

    def __post_init__(self) -> None:
        count = len(self.viewmats)
        shapes = tuple(self.viewmats.shape), tuple(self.Ks.shape)
        if shapes != ((count, 4, 4), (count, 3, 3)):
            raise InvalidData(f"viewmats and Ks have shapes {shapes}, not (C, 4, 4), (C, 3, 3)")
        if self.width < 1 or self.height < 1:
            raise InvalidData("a picture needs at least one pixel")
        skew = self.Ks[:, [0, 1, 2, 2], [1, 0, 0, 1]]
        if (skew != 0).any() or (self.Ks[:, 2, 2] != 1).any():
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
        threads: that draw tiles, on the CPU.
    """

    near_plane: float = 0.01
    far_plane: float = 1e10
    eps2d: float = 0.3
    radius_clip: float = 0.0
    rasterize_mode: RasterizeMode = "classic"
    render_mode: RenderMode = "RGB"
    sh_degree: int | None = None
    backgrounds: Array | None = None
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
    """Who drew, and where every splat landed; all 0 for a splat that a camera does not see.

    Arrays if arrays were drawn, tensors without gradient if tensors were.

    Attributes:
        backend: "cpu", "torch" or "gsplat".
        means2d: (C, N, 2) float32, pixels.
        conics: (C, N, 3) float32, the inverse covariance (xx, xy, yy) after ``eps2d``.
        radii: (C, N, 2) int32, pixels.
        depths: (C, N) float32, metres.
        opacities: (C, N) float32, as drawn.
        info: what gsplat's own strategies ask for; None if gsplat did not draw.
    """

    backend: str
    means2d: Array
    conics: Array
    radii: Array
    depths: Array
    opacities: Array
    info: dict[str, Any] | None = None


def rasterize(
    splats: Splats,
    cameras: Cameras,
    settings: RasterSettings | None = None,
    backend: Backend = "auto",
) -> tuple[Array, Array, Meta]:
    """Draw the splats from every camera: arrays in, arrays out; tensors in, tensors out.

    Tensors are drawn differentiably in ``means``, ``quats``, ``scales``, ``opacities``,
    ``colors``, ``viewmats`` and ``backgrounds`` (not in ``Ks``), once backwards.

    Args:
        splats: the scene. All of it, the cameras and the background are arrays, or all tensors.
        cameras: of one size.
        settings: how to draw; None is gsplat's defaults.
        backend: "gsplat" draws tensors that lie on a CUDA GPU, "cpu" (compiled) those in main
            memory, "torch" (plain, many times slower, the other two's measure) those of any
            device and of float64 too. "auto" takes the one made for where the tensors lie.
            Arrays are always drawn by "cpu".

    Returns:
        (C, H, W, X) premultiplied channels over the background, (C, H, W, 1) alphas, and who drew
        what where. float32, or the tensors' own type.

    Raises:
        InvalidData: shapes that do not fit each other.
        BackendUnavailable: the backend lacks a package, a GPU or tensors where it draws.
    """
    settings = settings or RasterSettings()
    check(splats, len(cameras.viewmats), settings)
    if isinstance(splats.means, np.ndarray):
        return _rasterize_arrays(splats, cameras, settings, backend)
    name = choose(splats.means.device.type) if backend == "auto" else backend
    if name not in _BACKENDS:
        raise InvalidSettings("backend", f"{name} is unknown", f"known: {', '.join(_BACKENDS)}")
    return import_module(_BACKENDS[name]).rasterize(splats, cameras, settings)


def _rasterize_arrays(
    splats: Splats, cameras: Cameras, settings: RasterSettings, backend: Backend
) -> tuple[Array, Array, Meta]:
    if backend not in ("auto", "cpu"):
        raise InvalidSettings("backend", f"{backend} draws tensors", "make tensors of the arrays")
    if find_spec("numba") is None:
        raise BackendUnavailable("the CPU rasteriser needs numba", "install the package numba")
    return import_module("glimpse3d.splats.cpu_pass").rasterize(splats, cameras, settings)


@cache  # said once, not with every picture
def choose(device: str) -> str:
    """The backend made for tensors that lie on a device of this type, such as "cuda"."""
    if device == "cuda":
        return "gsplat"
    if device == "cpu" and find_spec("numba") is not None:
        return "cpu"
    log.warning("splats on %s are drawn by plain torch, which is slow", device)
    return "torch"


def check(splats: Splats, count: int, settings: RasterSettings) -> None:
    """Refuse colours and backgrounds that fit neither the settings nor ``count`` cameras.

    Raises:
        InvalidData: they do not fit.
    """
    shape = tuple(splats.colors.shape)
    if (len(shape) == 3) != (settings.sh_degree is not None):
        raise InvalidData(
            f"colors has shape {shape} and sh_degree is {settings.sh_degree}",
            "give (N, D) colours, or (N, K, 3) coefficients and sh_degree",
        )
    if len(shape) == 3 and shape[1] < ((settings.sh_degree or 0) + 1) ** 2:
        raise InvalidData(f"{shape[1]} coefficients are too few for sh_degree")
    if settings.backgrounds is not None and settings.render_mode.startswith("RGB"):
        behind = tuple(settings.backgrounds.shape)
        if behind != (count, shape[-1]):
            raise InvalidData(f"backgrounds has shape {behind}, expected {(count, shape[-1])}")
