"""A cloud as the numbers that an optimiser may move freely, and back.

Owns logarithms, logits and the optimisers over them. Must not know views or losses. The names are
those of gsplat's strategies, which put longer tensors in place of these. Heavy: imports torch.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..types import GaussianCloud
from .optimise_settings import OptimiseSettings
from .rasterization import Splats

Parameters = dict[str, Tensor]
Optimisers = dict[str, torch.optim.Optimizer]

# An opacity of 1 has no logit.
_MOST_OPAQUE = 0.9999
_SMALLEST = 1e-9


def from_cloud(cloud: GaussianCloud, sh_degree: int, device: torch.device) -> Parameters:
    """Leaves that require gradients, float32; coefficients that the cloud lacks are 0."""
    opacities = np.clip(cloud.opacities, 1 - _MOST_OPAQUE, _MOST_OPAQUE)
    rest = np.zeros((len(cloud), max((sh_degree + 1) ** 2, cloud.sh.shape[1]) - 1, 3), np.float32)
    rest[:, : cloud.sh.shape[1] - 1] = cloud.sh[:, 1:]
    values = {
        "means": cloud.means,
        "scales": np.log(np.maximum(cloud.scales, _SMALLEST)),
        "quats": cloud.rotations,
        "opacities": np.log(opacities / (1 - opacities)),
        "sh0": cloud.sh[:, :1],
        "shN": rest,
    }
    return {
        name: torch.nn.Parameter(torch.tensor(value, dtype=torch.float32, device=device))
        for name, value in values.items()
        if value.size
    }


def to_cloud(parameters: Parameters) -> GaussianCloud:
    """The cloud as it stands."""
    with torch.no_grad():
        splats = activated(parameters)
        quats = torch.nn.functional.normalize(splats.quats, dim=1)
        values = (splats.means, splats.scales, quats, splats.opacities, splats.colors)
        return GaussianCloud(*(value.cpu().numpy().copy() for value in values))


def activated(parameters: Parameters) -> Splats:
    """What is drawn, with gradient."""
    coefficients = parameters["sh0"]
    if "shN" in parameters:
        coefficients = torch.cat([coefficients, parameters["shN"]], dim=1)
    return Splats(
        parameters["means"],
        parameters["quats"],
        parameters["scales"].exp(),
        parameters["opacities"].sigmoid(),
        coefficients,
    )


def normals(parameters: Parameters, position: Tensor) -> Tensor:
    """(N, 3) each splat's shortest axis, turned towards ``position`` (3,), with gradient."""
    w, x, y, z = torch.nn.functional.normalize(parameters["quats"], dim=1).unbind(1)
    columns = torch.stack(
        [
            torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)], 1),
            torch.stack([2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)], 1),
            torch.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], 1),
        ],
        dim=1,
    )
    shortest = parameters["scales"].argmin(dim=1)
    axes = columns[torch.arange(len(columns), device=columns.device), shortest]
    away = ((position - parameters["means"]) * axes).sum(1, keepdim=True) < 0
    return torch.where(away, -axes, axes)


def optimisers(parameters: Parameters, settings: OptimiseSettings, usual_size: float) -> Optimisers:
    """One Adam (Kingma & Ba 2015) a parameter, as gsplat's strategies want them.

    Args:
        parameters: what moves.
        settings: gives the rates.
        usual_size: metres; many small splats must not move as far as few large ones.
    """
    rates = {name: getattr(settings, f"rate_{name}") for name in parameters}
    rates["means"] *= usual_size
    return {
        name: torch.optim.Adam(
            [{"params": value, "lr": rates[name], "initial_lr": rates[name], "name": name}],
            betas=(0.9, 0.99),
            eps=1e-15,
            fused=True,
        )
        for name, value in parameters.items()
    }
