"""Splats pulled: forward and back beside plain torch, in every mode, at nine sizes.

Owns the part of ``benchmarks/splats.py`` that needs torch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from splat_timing import Row, interleaved, peak_megabytes

from glimpse3d import coords
from glimpse3d.splats import backend_torch
from glimpse3d.splats.rasterization import Cameras, RasterSettings, Splats, rasterize
from glimpse3d.types import Camera, GaussianCloud

COUNTS, SIZES = (10_000, 30_000, 100_000), (128, 256, 512)
# What plain torch is held against: it takes at least 15 times as long.
COUNT, SIZE = 30_000, 256
PLAIN = RasterSettings(sh_degree=0)
MODES = {
    "SH 0, classic": PLAIN,
    "SH 3, classic": RasterSettings(sh_degree=3),
    "SH 0, antialiased": RasterSettings(sh_degree=0, rasterize_mode="antialiased"),
    "SH 0, RGB+ED": RasterSettings(sh_degree=0, render_mode="RGB+ED"),
}


@dataclass(frozen=True, slots=True)
class Scene:
    """Splats that fill the picture, as tensors that want gradients."""

    cloud: GaussianCloud
    camera: Camera

    def splats(self, degree: int) -> Splats:
        """Coefficients beyond the cloud's own are 0."""
        count, first, _ = self.cloud.sh.shape
        colors = np.zeros((count, (degree + 1) ** 2, 3), np.float32)
        colors[:, :first] = self.cloud.sh
        cloud = self.cloud
        arrays = cloud.means, cloud.rotations, cloud.scales, cloud.opacities, colors
        return Splats(*(torch.tensor(each, requires_grad=True) for each in arrays))

    def cameras(self) -> Cameras:
        arrays = self.camera.camera_from_world[None], self.camera.K[None]
        tensors = (torch.tensor(each, dtype=torch.float32) for each in arrays)
        return Cameras(*tensors, self.camera.width, self.camera.height)

    def pulling(self, settings: RasterSettings, backend: str = "cpu") -> Callable[[], object]:
        """Forward and back, with a gradient of random numbers."""
        splats, cameras = self.splats(settings.sh_degree or 0), self.cameras()
        leaves = [getattr(splats, name) for name in Splats.__slots__]
        shape = (1, cameras.height, cameras.width, 4 if settings.render_mode == "RGB+ED" else 3)
        seeds = torch.randn(shape), torch.randn(*shape[:3], 1)

        def work() -> object:
            drawn = rasterize(splats, cameras, settings, backend)  # type: ignore[arg-type]
            return torch.autograd.grad(drawn[:2], leaves, seeds)

        return work

    def drawing(self, settings: RasterSettings) -> Callable[[], object]:
        """Forward alone, without keeping anything for the way back."""
        splats, cameras = self.splats(settings.sh_degree or 0), self.cameras()

        def work() -> object:
            with torch.no_grad():
                return rasterize(splats, cameras, settings)

        return work

    def pairs(self) -> int:
        """How many (splat, pixel) pairs are drawn."""
        splats, cameras = self.splats(0), self.cameras()
        size = cameras.width, cameras.height
        camera = backend_torch.Camera(cameras.viewmats[0], cameras.Ks[0], *size)
        with torch.no_grad():
            screen = backend_torch.project(splats, camera, PLAIN)
            order = backend_torch.visible(screen, camera, PLAIN)
            seen = backend_torch.Screen(*(each[order] for each in screen))
            return len(backend_torch.drawn_pairs(seen, camera).pixel)


def scene(cloud: GaussianCloud, size: int) -> Scene:
    lens = coords.Lens.from_field_of_view(40, size, size)
    return Scene(cloud, coords.orbit_camera(20, 15, 1.4, lens))


def measure_torch(cloud: GaussianCloud, runs: int) -> list[Row]:
    """The promise: forward and back beside plain torch."""
    views = scene(cloud, SIZE)
    works = {"torch": views.pulling(PLAIN, "torch"), "cpu": views.pulling(PLAIN)}
    best = interleaved(works, runs, time.process_time)
    named = f"{COUNT} splats at {SIZE}x{SIZE}, forward and back"
    return [
        Row(f"{named}: plain torch, pairs", best["torch"], 1.0),
        Row(f"{named}: compiled", best["cpu"], best["torch"] / best["cpu"]),
    ]


def measure_modes(cloud: GaussianCloud, runs: int) -> list[Row]:
    """What each mode costs, and drawing within it."""
    views = scene(cloud, SIZE)
    both = {name: views.pulling(settings) for name, settings in MODES.items()}
    ahead = {f"{name}, forward": views.drawing(each) for name, each in MODES.items()}
    best = interleaved({**both, **ahead}, runs, time.process_time)
    named = f"{COUNT} splats at {SIZE}x{SIZE}"
    return [
        Row(f"{named}: {name}", best[name], forward_ms=best[f"{name}, forward"]) for name in MODES
    ]


def measure_size(cloud: GaussianCloud, size: int, runs: int) -> Row:
    """One cell of the table."""
    views = scene(cloud, size)
    works = {"both": views.pulling(PLAIN), "forward": views.drawing(PLAIN)}
    best = interleaved(works, runs, time.process_time)
    threads = {str(n): views.pulling(replace(PLAIN, threads=n)) for n in (1, 2)}
    by_clock = interleaved(threads, runs, time.perf_counter)
    pairs = views.pairs() / 1e6
    return Row(
        f"{len(cloud)} splats at {size}x{size}",
        best["both"],
        forward_ms=best["forward"],
        million_pairs=pairs,
        million_pairs_a_second=1000 * pairs / best["both"],
        peak_megabytes=peak_megabytes(works["both"]),
        clock_ms_1=by_clock["1"],
        clock_ms_2=by_clock["2"],
    )


def measure(clouds: Mapping[int, GaussianCloud], runs: int) -> list[Row]:
    """All of it; the second row's ratio is the one that is promised."""
    torch.set_num_threads(1)
    rows = [*measure_torch(clouds[COUNT], runs), *measure_modes(clouds[COUNT], runs)]
    return rows + [measure_size(clouds[count], size, runs) for count in COUNTS for size in SIZES]
