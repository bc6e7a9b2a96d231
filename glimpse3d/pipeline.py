"""The recipe, top to bottom: one picture to a mesh, splats and cameras.

Owns the order of the stages and the timing of each. Must not know any backend by name, nor files.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from . import coords, plugins, warm
from .errors import InvalidData, InvalidSettings, OutOfMemory
from .progress import Progress
from .settings import STANDARD, Settings
from .stages import DepthReconstructor, Detail
from .types import (
    Camera,
    Choice,
    Depth,
    GaussianCloud,
    Image,
    Prompt,
    Reconstruction,
    Result,
    Timing,
)

log = logging.getLogger(__name__)
Made = TypeVar("Made")


def run(
    image: Image,
    settings: Settings = STANDARD,
    progress: Progress | None = None,
    prompt: Prompt | None = None,
) -> Result:
    """Turn a picture into an object.

    Args:
        image: as the user gave it.
        settings: what to make.
        progress: told of every step; each report is a cancel point.
        prompt: where the subject is, if the user said so.

    Raises:
        Glimpse3DError: with a code, a sentence and a hint.
        Cancelled: ``progress`` was told to stop.
    """
    progress = progress or Progress()
    prompt = prompt or Prompt()
    check_prompt(image, prompt)
    check_detail(settings)
    plugins.check_ready(settings)
    try:
        return _run(image, settings, progress, prompt)
    except MemoryError as error:
        raise OutOfMemory("the machine ran out of memory", "take a smaller preset") from error


def _run(image: Image, settings: Settings, progress: Progress, prompt: Prompt) -> Result:
    timings: dict[str, Timing] = {}
    choices: dict[str, Choice] = {}
    with _timed(timings, "matte"), progress.stage("matte", 0.2) as part:
        cutout, choices["matte"] = cut_out(image, settings, prompt, part)
    depth = None
    if plugins.builds_on_depth(settings) or settings.detail == "depth":
        with _timed(timings, "depth"), progress.stage("depth", 0.1) as part:
            depth, choices["depth"] = _estimate_depth(image, settings, part)
    with _timed(timings, "reconstructor"), progress.stage("reconstructor", 0.5) as part:
        made, choices["reconstructor"] = _reconstruct(cutout, depth, settings, part)
    if depth and settings.detail == "depth":
        with _timed(timings, "detail"), progress.stage("detail", 0.05) as part:
            made = _refine(made, cutout, depth, part)
    with _timed(timings, "splats"), progress.stage("splats", 0.3) as part:
        gaussians = _splats(made, settings, part)
    return Result(
        mesh=coords.scale_mesh(made.mesh, settings.size),
        gaussians=gaussians,
        camera=coords.scale_camera(made.camera, settings.size),
        turntable=turntable(settings),
        input=image,
        cutout=cutout,
        settings=replace(settings, matte=choices["matte"].ran),
        prompt=prompt,
        choices=choices,
        timings=timings,
        estimates=made.estimates,
        warnings=(made.warning,) if made.warning else (),
    )


def cut_out(
    image: Image, settings: Settings, prompt: Prompt, progress: Progress
) -> tuple[Image, Choice]:
    """The picture with its background's alpha at 0, and which backend that was.

    Raises:
        Glimpse3DError: of the backend, which is loaded if it is not.
        Cancelled: ``progress`` was told to stop.
    """
    choice = choose_matte(image, settings)
    log.info("cut-out by %s: %s", choice.ran, choice.why or "asked for")
    matte, own = _backend("matte", choice.ran, settings, progress)
    found = _with_room("matte", choice.ran, lambda: matte(image, prompt, own, progress))
    cutout = replace(hold_to_prompt(found, prompt), focal_length=image.focal_length)
    progress(1.0, "cut out", preview=cutout)
    return cutout, choice


def _estimate_depth(image: Image, settings: Settings, progress: Progress) -> tuple[Depth, Choice]:
    name = settings.depth
    estimator, own = _backend("depth", name, settings, progress)
    found = _with_room("depth", name, lambda: estimator(image, own, progress))
    return found, Choice(name, name)


def _reconstruct(
    cutout: Image, depth: Depth | None, settings: Settings, progress: Progress
) -> tuple[Reconstruction, Choice]:
    name = settings.reconstructor
    reconstructor, own = _backend("reconstructor", name, settings, progress)
    detail = Detail(settings.faces, settings.texture_size)

    def make() -> Reconstruction:
        if depth and isinstance(reconstructor, DepthReconstructor):
            return reconstructor.from_depth(cutout, depth, own, detail, progress)
        made: Reconstruction = reconstructor(cutout, own, detail, progress)
        return made

    return _with_room("reconstructor", name, make), Choice(name, name)


def _refine(
    made: Reconstruction, cutout: Image, depth: Depth, progress: Progress
) -> Reconstruction:
    from .fusion import fuse

    return fuse(made, cutout, depth, progress)


def _splats(made: Reconstruction, settings: Settings, progress: Progress) -> GaussianCloud:
    from .splats.from_mesh import gaussians_from_mesh

    mesh = coords.scale_mesh(made.mesh, settings.size)
    return gaussians_from_mesh(mesh, settings.gaussians, settings.seed, progress)


def turntable(settings: Settings) -> tuple[Camera, ...]:
    """The cameras of the video: once around, the first at azimuth 0."""
    own = settings.turntable
    lens = coords.Lens.from_field_of_view(own.field_of_view, own.resolution, own.resolution)
    azimuths = np.arange(own.frames) * (360.0 / own.frames)
    radius = own.radius * settings.size
    return tuple(coords.orbit(azimuths.tolist(), own.elevation, radius, lens))


def choose_matte(image: Image, settings: Settings) -> Choice:
    """Which cut-out backend ``auto`` takes for this picture, and why; else the one named."""
    if settings.matte != "auto":
        return Choice(settings.matte, settings.matte)
    passed: list[str] = []
    for name in plugins.AUTOMATIC["matte"]:
        reason = plugins.backend("matte", name).why_not(image, _own("matte", name, settings))
        if not reason:
            return Choice("auto", name, "; ".join(passed))
        passed.append(f"not {name}: {reason}")
    raise InvalidData("no cut-out backend can work on this picture", "; ".join(passed))


def check_detail(settings: Settings) -> None:
    """Refuse to refine with depth what is made of it.

    Raises:
        InvalidSettings: the reconstructor builds on depth already.
    """
    if settings.detail == "depth" and plugins.builds_on_depth(settings):
        raise InvalidSettings(
            "detail",
            f"{settings.reconstructor} is made of the picture's depth already",
            "leave detail at none, or choose another reconstructor",
        )


def check_prompt(image: Image, prompt: Prompt) -> None:
    """Refuse a box or a mask that does not belong to the picture.

    Raises:
        InvalidData: saying what does not fit.
    """
    if prompt.mask is not None and prompt.mask.shape != (image.height, image.width):
        height, width = prompt.mask.shape
        raise InvalidData(
            f"the mask has {width} x {height} pixels, the picture {image.width} x {image.height}",
            "paint the mask on a copy of the picture",
        )
    if prompt.box is not None:
        left, top, right, bottom = prompt.box
        if left < 0 or top < 0 or right > image.width or bottom > image.height:
            raise InvalidData(
                f"the box reaches beyond the picture of {image.width} x {image.height} pixels",
                "give left,top,right,bottom in pixels of the picture",
            )


def hold_to_prompt(cutout: Image, prompt: Prompt) -> Image:
    """What the user said holds, whatever the backend found."""
    if prompt.box is None and prompt.mask is None:
        return cutout
    rgba = np.array(cutout.rgba)
    if prompt.box is not None:
        left, top, right, bottom = prompt.box
        y, x = np.arange(cutout.height) + 0.5, np.arange(cutout.width) + 0.5
        rgba[(y < top) | (y > bottom), :, 3] = 0
        rgba[:, (x < left) | (x > right), 3] = 0
    if prompt.mask is not None:
        rgba[prompt.mask == 255, 3] = 255
        rgba[prompt.mask == 0, 3] = 0
    return Image(rgba)


def _own(stage: str, name: str, settings: Settings) -> Any:
    return plugins.settings_for(stage, name, settings.preset, settings.options.get(name, {}))


def _backend(stage: str, name: str, settings: Settings, progress: Progress) -> tuple[Any, Any]:
    backend, own = plugins.backend(stage, name), _own(stage, name, settings)
    with progress.stage(stage, 0.1, f"loading {name}") as loading, warm.loading(stage, name):
        _with_room(stage, name, lambda: backend.load(own, loading))
    return backend, own


def _with_room(stage: str, name: str, work: Callable[[], Made]) -> Made:
    """What ``work`` gives; if it runs out of memory, again after all others gave theirs back."""
    try:
        return work()
    except OutOfMemory:
        if not warm.unload_others(stage, name):
            raise
        log.info("%s does not fit beside what is loaded; the others were unloaded", name)
    return work()


@contextmanager
def _timed(timings: dict[str, Timing], stage: str) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    timings[stage] = Timing(time.perf_counter() - wall, time.process_time() - cpu)
