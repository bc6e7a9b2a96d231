"""What may be asked of a fit, and what comes out of it. Light: nothing is computed here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InvalidData
from ..settings import check, option
from ..types import GaussianCloud


@dataclass(frozen=True, slots=True)
class OptimiseSettings:
    """How a cloud is fitted to views. Rates are per step."""

    iterations: int = option(100, "steps, one view each", low=1, high=1_000_000)
    sh_degree: int = option(
        0, "of view-dependent colour to end with; at least the cloud's own", low=0, high=3
    )
    sh_every: int = option(1000, "steps before the next degree is fitted too", low=1)
    ssim: float = option(0.2, "share of structural similarity in the loss", low=0, high=1)
    alpha: float = option(0.1, "weight of the masks", low=0, high=100)
    depth: float = option(0.0, "weight of the depths given, per object radius", low=0, high=100)
    normal: float = option(0.0, "weight of the normals given", low=0, high=100)
    random_background: bool = option(True, "draw a new background each step, else white")
    robust: bool = option(False, "trust views less that disagree with the others")
    affine_color: bool = option(False, "let every view have a colour cast of its own")
    held_out: int = option(
        8, "every so many-th view is kept to judge by; fewer views or 0: none", low=0
    )
    evaluate_every: int = option(50, "steps between looks at the views kept", low=1)
    patience: int = option(4, "looks without better pictures before the fit stops", low=1)
    strategy: str = option(
        "fixed",
        "splats that are added and removed: fixed, none; mcmc and default, gsplat's, need CUDA",
        choices=("fixed", "mcmc", "default"),
    )
    most_gaussians: int = option(100_000, "splats that mcmc may reach", low=16, high=5_000_000)
    rate_means: float = option(
        0.06, "learning rate of the places, in sizes of a usual splat", low=0, high=10
    )
    rate_scales: float = option(1e-2, "learning rate of the logarithms of sizes", low=0, high=1)
    rate_quats: float = option(1e-3, "learning rate of the rotations", low=0, high=1)
    rate_opacities: float = option(5e-2, "learning rate of the logits", low=0, high=1)
    rate_sh0: float = option(1e-2, "learning rate of the colour", low=0, high=1)
    rate_shN: float = option(5e-4, "learning rate of view-dependent colour", low=0, high=1)  # noqa: N815
    rate_end: float = option(0.1, "share of the rates that is left at the end", low=0, high=1)
    antialiased: bool = option(False, "draw as viewers do that correct small splats")
    checkpoint_every: int = option(500, "steps between checkpoints, if a file is given", low=1)
    seed: int = option(0, "of the order of views and of backgrounds", low=0, high=2**31 - 1)
    threads: int = option(1, "threads that draw", low=1, high=256)
    device: str = option("auto", "where it runs", choices=("auto", "cpu", "cuda"))
    backend: str = option(
        "auto", "what draws; auto is gsplat on CUDA, else cpu",
        choices=("auto", "cpu", "torch", "gsplat"),
    )  # fmt: skip

    def __post_init__(self) -> None:
        check(self)


# Views that a network painted never quite agree in colour or shape.
GENERATED_VIEWS = OptimiseSettings(robust=True, affine_color=True)


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """What may be known of a view beside its picture.

    Attributes:
        depth: (H, W) float32, along the camera's axis, metres; 0 or less where not known; or None.
        normals: (H, W, 3) float32, unit, world, out of the surface; 0 where not known; or None.
    """

    depth: np.ndarray | None = None
    normals: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name, dimensions in (("depth", 2), ("normals", 3)):
            value = getattr(self, name)
            if value is not None:
                array = np.asarray(value, np.float32)
                if array.ndim != dimensions or not np.isfinite(array).all():
                    raise InvalidData(f"{name} has shape {array.shape} or values not finite")
                object.__setattr__(self, name, array)


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at how the fit goes.

    Attributes:
        iteration: steps done.
        cpu_seconds: since the fit began, looks included.
        psnr: decibels over white, mean of the views kept, or of some fitted ones if none are kept.
    """

    iteration: int
    cpu_seconds: float
    psnr: float


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """How a fit went.

    Attributes:
        losses: one a step.
        samples: in order, the first before any step.
    """

    losses: tuple[float, ...]
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Optimised:
    """A fitted cloud.

    Attributes:
        cloud: the best state that was looked at.
        history: of the whole fit, what a checkpoint held included.
        backend: what drew: "cpu", "torch" or "gsplat".
        held_out: indices of the views kept.
        best: the sample whose state ``cloud`` is.
        stopped_early: whether the pictures had stopped getting better.
        trust: (V,) float64, weights of the views, mean 1 over the fitted ones, 0 for those kept.
        colors: (V, 3, 4) float64, each view's colour from the cloud's: a matrix and an offset.
    """

    cloud: GaussianCloud
    history: History
    backend: str
    held_out: tuple[int, ...]
    best: Sample
    stopped_early: bool
    trust: np.ndarray
    colors: np.ndarray
