"""Tensors of main memory to pixels by the compiled kernels, differentiable.

Owns the bridge between torch's autograd and ``cpu_pass``, which works on the tensors' own memory.
Heavy: imports torch.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..errors import BackendUnavailable
from . import cpu_pass
from .rasterization import Cameras, Meta, RasterSettings, Splats


def rasterize(
    splats: Splats, cameras: Cameras, settings: RasterSettings
) -> tuple[Tensor, Tensor, Meta]:
    """What ``rasterization.rasterize`` answers for tensors.

    Raises:
        BackendUnavailable: the tensors are not in main memory.
    """
    inputs = [getattr(splats, name) for name in Splats.__slots__]
    if any(each.device.type != "cpu" for each in inputs):
        place = f"the splats lie on {splats.means.device}"
        raise BackendUnavailable(f"the CPU rasteriser draws from main memory, and {place}",
                                 "take the backend gsplat, or move them")  # fmt: skip
    single = [each.float() for each in inputs]
    behind = None
    if settings.backgrounds is not None and settings.render_mode.startswith("RGB"):
        behind = settings.backgrounds.float()
    scene = cameras, settings
    shots: list[cpu_pass.Shot] = []
    colors, alphas = _Rasterize.apply(scene, shots, cameras.viewmats, behind, *single)
    if settings.render_mode.endswith("ED"):
        depth = colors[..., -1:] / alphas.clamp(min=1e-10)
        colors = torch.cat([colors[..., :-1], depth], dim=-1)
    kind = splats.means.dtype
    return colors.to(kind), alphas.to(kind), _meta(shots, len(splats.means))


class _Rasterize(torch.autograd.Function):
    """``cpu_pass`` as one step of autograd."""

    @staticmethod
    def forward(
        ctx: Any,
        scene: tuple[Cameras, RasterSettings],
        shots: list[cpu_pass.Shot],
        viewmats: Tensor,
        behind: Tensor | None,
        *inputs: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """``shots`` is filled."""
        cameras = replace(scene[0], viewmats=_array(viewmats), Ks=_array(scene[0].Ks))
        settings = replace(scene[1], backgrounds=None if behind is None else _array(behind))
        splats = Splats(*(_array(each) for each in inputs))
        colors, alphas, taken = cpu_pass.forward(splats, cameras, settings)
        shots += taken
        drawn = torch.from_numpy(colors), torch.from_numpy(alphas)
        # What was drawn is read on the way back too: torch notices if it was changed meanwhile.
        ctx.save_for_backward(*inputs, *drawn)
        ctx.taken, ctx.settings = taken, settings
        ctx.kinds = viewmats.dtype, behind is not None
        return drawn

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_colors: Tensor, of_alphas: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of everything ``forward`` took."""
        *inputs, _, _ = ctx.saved_tensors
        splats = Splats(*(_array(each) for each in inputs))
        gradients = _array(of_colors), _array(of_alphas)
        pulls = cpu_pass.backward(splats, ctx.taken, ctx.settings, gradients)
        kind, has_background = ctx.kinds
        behind = None
        if has_background:
            behind = torch.from_numpy(pulls.backgrounds[:, : ctx.settings.backgrounds.shape[1]])
        arrays = pulls.means, pulls.quats, pulls.scales, pulls.opacities, pulls.colors
        viewmats = torch.from_numpy(pulls.viewmats).to(kind)
        return None, None, viewmats, behind, *(torch.from_numpy(each) for each in arrays)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().numpy()


def _meta(shots: list[cpu_pass.Shot], count: int) -> Meta:
    told = cpu_pass.meta([shot.screen for shot in shots], count)
    names = "means2d", "conics", "radii", "depths", "opacities"
    return replace(told, **{name: torch.from_numpy(getattr(told, name)) for name in names})
