"""Tensors of a CUDA GPU to pixels by gsplat.

Owns when gsplat may be asked and what is said if it cannot draw: without a GPU its import or its
first call fails in ways that name no cause. Heavy: imports torch.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from ..errors import BackendUnavailable
from .rasterization import Cameras, Meta, RasterSettings, Splats

_INSTEAD = "or move the tensors to main memory, where the backend cpu draws"


def rasterize(
    splats: Splats, cameras: Cameras, settings: RasterSettings
) -> tuple[Tensor, Tensor, Meta]:
    """What ``rasterization.rasterize`` answers for tensors.

    Raises:
        BackendUnavailable: no GPU, no gsplat, or one that cannot be built; the cause is named.
    """
    rasterization = _gsplat()
    if splats.means.device.type != "cuda":
        raise BackendUnavailable(
            f"gsplat draws on a GPU, and the splats lie on {splats.means.device}",
            "move them to cuda, or take the backend cpu",
        )
    colors, alphas, info = rasterization(**arguments(splats, cameras, settings))
    return colors, alphas, meta(info)


def arguments(splats: Splats, cameras: Cameras, settings: RasterSettings) -> dict[str, Any]:
    """What gsplat's ``rasterization`` is called with."""
    behind = settings.backgrounds
    return {
        **{name: getattr(splats, name) for name in Splats.__slots__},
        "viewmats": cameras.viewmats.to(splats.means),
        "Ks": cameras.Ks.to(splats.means),
        "width": cameras.width,
        "height": cameras.height,
        "near_plane": settings.near_plane,
        "far_plane": settings.far_plane,
        "radius_clip": settings.radius_clip,
        "eps2d": settings.eps2d,
        "sh_degree": settings.sh_degree,
        "packed": False,
        "backgrounds": None if behind is None else behind.to(splats.means),
        "render_mode": settings.render_mode,
        "rasterize_mode": settings.rasterize_mode,
    }


def meta(info: dict[str, Any]) -> Meta:
    """In our terms; what gsplat tells of a splat that is not seen is whatever was in memory."""
    seen = (info["radii"] > 0).all(dim=-1)

    def told(name: str) -> Tensor:
        values = info[name].detach()
        mask = seen if values.ndim == seen.ndim else seen[..., None]
        return torch.where(mask, values, torch.zeros_like(values))

    names = "means2d", "conics", "radii", "depths", "opacities"
    return Meta("gsplat", **{name: told(name) for name in names}, info=info)


def _gsplat() -> Callable[..., Any]:
    """gsplat's ``rasterization``, once a GPU and the built kernels are known to be there."""
    if not torch.cuda.is_available():
        built = "was built without CUDA" if torch.version.cuda is None else "finds no CUDA GPU"
        raise BackendUnavailable(
            f"gsplat needs a CUDA GPU, and this PyTorch {built}", "take the backend cpu"
        )
    try:
        rasterization = import_module("gsplat").rasterization
        kernels = import_module("gsplat.cuda._backend")._C
    except ModuleNotFoundError as error:
        if error.name != "gsplat":
            raise BackendUnavailable(f"gsplat does not start: {causes(error)}") from error
        raise BackendUnavailable(
            "gsplat is not installed", f"install the extra cuda, {_INSTEAD}"
        ) from error
    # Its build runs compilers and loads what they made: anything may be raised.
    except Exception as error:
        raise BackendUnavailable(f"gsplat does not start: {causes(error)}", _toolkit()) from error
    if kernels is None:
        raise BackendUnavailable("gsplat found no CUDA toolkit to build its kernels", _toolkit())
    return rasterization


def _toolkit() -> str:
    needed = f"nvcc of CUDA {torch.version.cuda} and a C++ compiler"
    return f"install {needed}, or a gsplat built for this PyTorch, {_INSTEAD}"


def causes(error: BaseException) -> str:
    """An error and what led to it, the first first: gsplat hides the one that tells."""
    chain = [error]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(before)
    told = [f"{type(each).__name__}: {each}".strip() for each in reversed(chain)]
    return "; then ".join(told)
