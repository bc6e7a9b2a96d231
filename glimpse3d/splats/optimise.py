"""Fits a cloud to posed pictures with masks.

Owns the loop: which view is looked at when, what is kept, when it ends. Must not know files of
clouds or where views come from. Every step's random numbers follow from the seed and the step
alone, so that a fit that was cut off and resumed is the fit that was not. Heavy: imports torch.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from .. import device as devices
from ..errors import InvalidData, InvalidSettings
from ..progress import Progress
from ..types import GaussianCloud, Image, View
from . import checkpoint as checkpoints
from . import parameters as numbers
from . import strategies, targets
from .camera_check import check_cameras
from .disagreement import Trust, ViewColors
from .fit_state import pack, unpack
from .optimise_settings import History, Optimised, OptimiseSettings, Sample, Surface
from .rasterization import Backend, RasterSettings, Splats, rasterize
from .ssim import unlikeness

# Decibels that count as better pictures.
_GAIN = 0.02
# Views looked at where none is kept.
_WATCHED = 4


def optimise(
    cloud: GaussianCloud,
    views: Sequence[View],
    settings: OptimiseSettings | None = None,
    progress: Progress | None = None,
    surfaces: Sequence[Surface] | None = None,
    checkpoint: Path | None = None,
) -> Optimised:
    """Move, turn, scale and colour splats until they look like the pictures.

    Args:
        cloud: where to begin, house frame; ``from_mesh`` makes a good one.
        views: their pictures' alpha is the mask.
        settings: None is the defaults; ``GENERATED_VIEWS`` suits pictures that a network made.
        progress: reports with a rendering and its decibels, and cancels.
        surfaces: depth and normals, one a view, for the weights ``depth`` and ``normal``.
        checkpoint: a file to go on from if it is there, and to write; it is left behind.

    Raises:
        InvalidData: no views, or cameras that do not see the cloud where the pictures show it.
        InvalidSettings: a weight for what was not given.
        BackendUnavailable: a device, backend or strategy is not to be had here.
        BadFile: the checkpoint is damaged or another fit's.
        OutOfMemory: main memory or the GPU's is too small.
        Cancelled: the caller asked to stop; the checkpoint stands as last written.
    """
    settings = settings or OptimiseSettings()
    _check(cloud, views, settings, surfaces, checkpoint)
    check_cameras(cloud, views)
    hint = "take fewer splats, smaller pictures, or device=cpu"
    with devices.memory_errors(hint), _one_thread():
        fit = Fit(cloud, views, settings, surfaces)
        if checkpoint is not None and checkpoint.exists():
            fit.resume(checkpoint)
        return fit.run(progress or Progress(), checkpoint)


def _check(
    cloud: GaussianCloud,
    views: Sequence[View],
    settings: OptimiseSettings,
    surfaces: Sequence[Surface] | None,
    checkpoint: Path | None,
) -> None:
    if not len(views) or not len(cloud):
        raise InvalidData("a fit needs at least one view and one splat")
    known = surfaces or ()
    if settings.depth > 0 and not any(each.depth is not None for each in known):
        raise InvalidSettings("depth", "has a weight, but no depth was given", "pass surfaces")
    if settings.normal > 0 and not any(each.normals is not None for each in known):
        raise InvalidSettings("normal", "has a weight, but no normals were given", "pass surfaces")
    if checkpoint is not None and settings.strategy != "fixed":
        raise InvalidSettings("strategy", "only fixed can be resumed", "leave the checkpoint out")


@contextmanager
def _one_thread() -> Iterator[None]:
    """PyTorch's own operations are too small here to be worth sharing out."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def held_out(count: int, every: int) -> list[int]:
    """Indices of the views kept to judge by: every so many-th, none if there are fewer."""
    return list(range(every - 1, count, every)) if every > 1 else []


def object_radius(cloud: GaussianCloud) -> float:
    """Metres: nearly all splats lie within this distance of their middle."""
    middle = np.median(cloud.means, axis=0)
    distance = np.linalg.norm(cloud.means - middle, axis=1)
    return max(float(np.quantile(distance, 0.98)), 1e-6)


def usual_size(cloud: GaussianCloud) -> float:
    """Metres: the median over the splats of their second longest standard deviation."""
    return float(np.median(np.sort(cloud.scales, axis=1)[:, 1]))


class Fit:
    """A fit under way.

    Attributes:
        parameters, optimisers: what moves, by name.
        step: steps done.
        losses, samples: as in ``History``.
        best: the best sample so far, and the parameters then.
    """

    def __init__(
        self,
        cloud: GaussianCloud,
        views: Sequence[View],
        settings: OptimiseSettings,
        surfaces: Sequence[Surface] | None,
    ) -> None:
        self.settings = settings
        self.device = devices.choose(settings.device)
        self.drawer = cast(Backend, settings.backend)
        self.radius = object_radius(cloud)
        self.degree = max(settings.sh_degree, cloud.sh_degree)
        self.views = targets.from_views(views, surfaces, self.device)
        self.kept = held_out(len(views), settings.held_out)
        self.fitted = [index for index in range(len(views)) if index not in self.kept]
        if not self.fitted:
            raise InvalidSettings("held_out", "keeps every view", "keep fewer")
        self.parameters = numbers.from_cloud(cloud, self.degree, self.device)
        self.optimisers = numbers.optimisers(self.parameters, settings, usual_size(cloud))
        self.strategy = strategies.choose(settings, self.parameters, self.optimisers, self.radius)
        self.trust = Trust(len(views))
        self.colors = ViewColors(len(views), self.fitted, self.device)
        self.step = 0
        self.losses: list[float] = []
        self.samples: list[Sample] = []
        self.best: tuple[Sample, dict[str, Tensor]] | None = None
        self.backend = ""
        self._before = 0.0

    def run(self, progress: Progress, checkpoint: Path | None) -> Optimised:
        """Steps until the end, looking up now and then."""
        start = time.process_time() - self._before
        settings = self.settings
        stopped = False
        if not self.samples:
            self.look(progress, start)
        while self.step < settings.iterations and not stopped:
            progress(self.step / settings.iterations)
            self.advance()
            last = self.step == settings.iterations
            if last or self.step % settings.evaluate_every == 0:
                self.look(progress, start)
                stopped = bool(self.kept) and self.stale() >= settings.patience
            if checkpoint and (last or stopped or self.step % settings.checkpoint_every == 0):
                arrays, about = pack(self, time.process_time() - start)
                checkpoints.save(checkpoint, arrays, about)
        return self.result(stopped and self.step < settings.iterations)

    def advance(self) -> None:
        """One step of every optimiser on one view."""
        index = self._next_view()
        target = self.views[index]
        self._set_rates()
        background = self._background()
        picture, alpha, depth, info = self._draw(target, background)
        self.strategy.before(self.step, info)
        if self.settings.affine_color:
            picture = self.colors.apply(index, picture, alpha, background)
        seen = unlikeness(picture, target.over(background), self.settings.ssim)
        loss = seen + self._other_losses(target, alpha, depth)
        weight = 1.0
        if self.settings.robust:
            self.trust.observe(index, float(seen.detach()))
            weight = float(self.trust.weights()[index])
        total = weight * loss + self.strategy.regular(self.parameters)
        total.backward()
        for optimiser in self.optimisers.values():
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        if self.settings.affine_color:
            self.colors.step()
        rate = self.optimisers["means"].param_groups[0]["lr"]
        self.strategy.after(self.step, info, rate)
        self.losses.append(float(loss.detach()))
        self.step += 1

    def _next_view(self) -> int:
        """All fitted views once, in random order, then again in another."""
        turn, place = divmod(self.step, len(self.fitted))
        order = np.random.default_rng([self.settings.seed, 0, turn]).permutation(self.fitted)
        return int(order[place])

    def _background(self) -> Tensor:
        color = np.ones(3)
        if self.settings.random_background:
            color = np.random.default_rng([self.settings.seed, 1, self.step]).random(3)
        return torch.tensor(color, dtype=torch.float32, device=self.device)

    def _set_rates(self) -> None:
        done = self.step / self.settings.iterations
        share = 1 + (self.settings.rate_end - 1) * done
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = group["initial_lr"] * share

    def _draw(
        self, target: targets.Target, background: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None, dict[str, Any] | None]:
        """The picture, alpha, depth if it is asked for, and what gsplat tells."""
        wants_depth = self.settings.depth > 0 and target.depth is not None
        raster = RasterSettings(
            rasterize_mode="antialiased" if self.settings.antialiased else "classic",
            render_mode="RGB+ED" if wants_depth else "RGB",
            sh_degree=min(self.degree, self.step // self.settings.sh_every),
            backgrounds=background[None],
            threads=self.settings.threads,
        )
        splats = numbers.activated(self.parameters)
        colors, alphas, meta = rasterize(splats, target.cameras, raster, self.drawer)
        self.backend = meta.backend
        depth = colors[0, ..., 3:] if wants_depth else None
        return colors[0, ..., :3], alphas[0], depth, meta.info

    def _other_losses(
        self, target: targets.Target, alpha: Tensor, depth: Tensor | None
    ) -> Tensor | float:
        settings = self.settings
        loss: Tensor | float = 0.0
        if settings.alpha > 0:
            loss = settings.alpha * (alpha - target.alpha).abs().mean()
        if depth is not None and target.depth is not None:
            loss = loss + settings.depth * targets.depth_loss(depth, target.depth, self.radius)
        if settings.normal > 0 and target.normals is not None:
            drawn = self._draw_normals(target)
            loss = loss + settings.normal * targets.normal_loss(drawn, alpha, target.normals)
        return loss

    def _draw_normals(self, target: targets.Target) -> Tensor:
        splats = numbers.activated(self.parameters)
        facing = numbers.normals(self.parameters, target.position)
        scene = Splats(splats.means, splats.quats, splats.scales, splats.opacities, facing)
        raster = RasterSettings(threads=self.settings.threads)
        return rasterize(scene, target.cameras, raster, self.drawer)[0][0]

    def look(self, progress: Progress, start: float) -> None:
        """Measure the pictures kept, over white, and report."""
        watched = self.kept or self.fitted[:: max(1, len(self.fitted) // _WATCHED)][:_WATCHED]
        decibels, preview = [], None
        white = torch.ones(3, device=self.device)
        with torch.no_grad():
            for index in watched:
                target = self.views[index]
                picture, _, _, _ = self._draw(target, white)
                decibels.append(targets.psnr(picture, target.over(white)))
                preview = preview or _image(picture)
        spent = time.process_time() - start
        sample = Sample(self.step, spent, float(np.mean(decibels)))
        self.samples.append(sample)
        if self.best is None or sample.psnr >= self.best[0].psnr:
            self.best = sample, {n: v.detach().clone() for n, v in self.parameters.items()}
        note = f"step {self.step}, {sample.psnr:.2f} dB"
        progress(self.step / self.settings.iterations, note, preview)

    def stale(self) -> int:
        """How many of the last looks brought nothing worth their time."""
        highest, count = -np.inf, 0
        for sample in self.samples:
            count = 0 if sample.psnr > highest + _GAIN else count + 1
            highest = max(highest, sample.psnr)
        return count

    def resume(self, path: Path) -> None:
        """Take up what a checkpoint holds.

        Raises:
            BadFile: damaged, or another fit's.
        """
        self._before = unpack(self, *checkpoints.load(path))

    def result(self, stopped_early: bool) -> Optimised:
        """The best state, with what was learned of the views."""
        assert self.best is not None
        sample, state = self.best
        trust = self.trust.weights()
        trust[self.kept] = 0
        return Optimised(
            cloud=numbers.to_cloud(state),
            history=History(tuple(self.losses), tuple(self.samples)),
            backend=self.backend,
            held_out=tuple(self.kept),
            best=sample,
            stopped_early=stopped_early,
            trust=trust,
            colors=self.colors.maps.detach().cpu().numpy().astype(np.float64),
        )


def _image(picture: Tensor) -> Image:
    rgb = (picture.clamp(0, 1) * 255 + 0.5).to(torch.uint8).cpu().numpy()
    return Image(np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)]))
