"""Who adds and removes splats during a fit: nobody, or gsplat's own strategies on a CUDA GPU.

Owns the import of gsplat's strategies, which stands behind the check for CUDA. Must not know views
or losses. Heavy: imports torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol

import torch
from torch import Tensor

from ..errors import BackendUnavailable
from .optimise_settings import OptimiseSettings
from .parameters import Optimisers, Parameters

# What Kheradmand et al. 2024, "3D Gaussian Splatting as Markov Chain Monte Carlo", add to the loss.
_MCMC_REGULAR = 0.01


class Strategy(Protocol):
    """Called around each step's gradient; may put other tensors into ``parameters``."""

    def regular(self, parameters: Parameters) -> Tensor | float:
        """What is added to the loss."""
        ...

    def before(self, step: int, info: dict[str, Any] | None) -> None:
        """Called with what the rasteriser tells, before the gradient is computed."""
        ...

    def after(self, step: int, info: dict[str, Any] | None, rate: float) -> None:
        """Called after the optimisers' step; ``rate`` is that of the means."""
        ...


class Fixed:
    """The number of splats stays what it was."""

    def regular(self, parameters: Parameters) -> Tensor | float:
        """Nothing."""
        return 0.0

    def before(self, step: int, info: dict[str, Any] | None) -> None:
        """Nothing."""

    def after(self, step: int, info: dict[str, Any] | None, rate: float) -> None:
        """Nothing."""


class Mcmc:
    """gsplat's ``MCMCStrategy``: dead splats move to living ones, up to a largest number."""

    def __init__(
        self, library: Any, parameters: Parameters, optimisers: Optimisers, most: int, steps: int
    ) -> None:
        self._strategy = library.MCMCStrategy(
            cap_max=most,
            refine_start_iter=steps // 20,
            refine_stop_iter=steps * 8 // 10,
            refine_every=max(steps // 100, 10),
        )
        self._parameters, self._optimisers = parameters, optimisers
        self._strategy.check_sanity(parameters, optimisers)
        self._state = self._strategy.initialize_state()

    def regular(self, parameters: Parameters) -> Tensor | float:
        """Small and transparent splats are preferred."""
        sizes, opacities = parameters["scales"].exp(), parameters["opacities"].sigmoid()
        return _MCMC_REGULAR * (sizes.mean() + opacities.mean())

    def before(self, step: int, info: dict[str, Any] | None) -> None:
        """Nothing."""

    def after(self, step: int, info: dict[str, Any] | None, rate: float) -> None:
        """Move, add and shake."""
        self._strategy.step_post_backward(
            self._parameters, self._optimisers, self._state, step, info, lr=rate
        )


class Default:
    """gsplat's ``DefaultStrategy``: clone, split and prune as Kerbl et al. 2023."""

    def __init__(
        self, library: Any, parameters: Parameters, optimisers: Optimisers, radius: float,
        steps: int,
    ) -> None:  # fmt: skip
        self._strategy = library.DefaultStrategy(
            refine_start_iter=steps // 20,
            refine_stop_iter=steps // 2,
            refine_every=max(steps // 100, 10),
            reset_every=max(steps // 5, 300),
        )
        self._parameters, self._optimisers = parameters, optimisers
        self._strategy.check_sanity(parameters, optimisers)
        self._state = self._strategy.initialize_state(scene_scale=radius)

    def regular(self, parameters: Parameters) -> Tensor | float:
        """Nothing."""
        return 0.0

    def before(self, step: int, info: dict[str, Any] | None) -> None:
        """Ask for the gradient on the screen."""
        self._strategy.step_pre_backward(
            self._parameters, self._optimisers, self._state, step, info
        )

    def after(self, step: int, info: dict[str, Any] | None, rate: float) -> None:
        """Clone, split and prune."""
        assert info is not None
        self._strategy.step_post_backward(
            self._parameters, self._optimisers, self._state, step, info,
            packed="gaussian_ids" in info,
        )  # fmt: skip


def choose(
    settings: OptimiseSettings, parameters: Parameters, optimisers: Optimisers, radius: float
) -> Strategy:
    """The strategy that the settings name.

    Raises:
        BackendUnavailable: gsplat's need a CUDA GPU and gsplat itself, and one of them is missing.
    """
    if settings.strategy == "fixed":
        return Fixed()
    if not (torch.cuda.is_available() and parameters["means"].is_cuda):
        raise BackendUnavailable(
            f"strategy {settings.strategy} is gsplat's and runs on a CUDA GPU alone",
            "choose strategy=fixed, which needs neither, or device=cuda where there is one",
        )
    try:
        library = import_module("gsplat.strategy")
    except Exception as error:  # its import builds and loads libraries: anything may go wrong
        raise BackendUnavailable(
            f"gsplat does not import: {error}", "run: pip install 'glimpse3d[cuda]'"
        ) from error
    if settings.strategy == "mcmc":
        return Mcmc(library, parameters, optimisers, settings.most_gaussians, settings.iterations)
    return Default(library, parameters, optimisers, radius, settings.iterations)
