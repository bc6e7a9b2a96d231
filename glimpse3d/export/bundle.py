"""A result as a folder, and as a ZIP of it; and the request that a folder answers.

Owns the folder's file names and the manifest's contents. Must not know layouts of the files, which
their own modules write, nor how a folder comes to stand whole, which ``folder`` sees to.
"""

from __future__ import annotations

import os
import platform
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numpy as np

from .. import __version__, pictures, settings
from ..errors import BadFile
from ..formats import cameras, manifest, splat_ply
from ..progress import Progress
from ..types import Choice, Image, Prompt, Result, Timing
from .folder import atomic_file, atomic_folder, check_target, output_errors, sha256_of

__all__ = ["Request", "check_target", "load_request", "save", "zip_folder"]

GENERATOR = f"Glimpse3D {__version__}"
INPUT, CUTOUT, MASK, PREVIEW = "input.png", "cutout.png", "mask.png", "preview.png"
SPLATS, VIDEO = "splats.ply", "turntable.mp4"

# Of the rasteriser's backends, the one that draws clouds outside a fit.
DRAWN_BY = Choice("cpu", "cpu")

# Those that decide what a result looks like.
_PACKAGES = (
    "numpy", "scipy", "scikit-image", "numba", "opencv-python-headless", "onnxruntime", "rembg",
    "pillow", "imageio-ffmpeg", "torch",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What a result was made from; the fields of ``Result`` of the same names."""

    image: Image
    prompt: Prompt
    settings: settings.Settings


def save(result: Result, folder: Path, progress: Progress) -> list[Path]:
    """Write a result's files into ``folder``, all or nothing, and return their paths.

    The GLB is always among them; ``result.settings.formats`` may add others.

    Raises:
        DiskFull, OutputFailed: nothing was written, and what was there is untouched.
        Cancelled: likewise.
    """
    timings = dict(result.timings)
    with atomic_folder(folder) as new:
        with _timed(timings, "files"), progress.stage("files", 0.05), output_errors(folder):
            _write_pictures(result, new)
            _write_object(result, new)
        with _timed(timings, "turntable"), progress.stage("turntable", 0.75) as part:
            _write_turntable(result, new / VIDEO, part)
        with _timed(timings, "preview"), progress.stage("preview", 0.2) as part:
            _write_preview(result, new / PREVIEW, part)
        with output_errors(folder):
            about = _describe(result, new, timings)
            (new / manifest.NAME).write_bytes(manifest.to_bytes(about))
    return [folder / name for name in sorted([*about.files, manifest.NAME])]


def _write_pictures(result: Result, folder: Path) -> None:
    pictures.write_png(result.input, folder / INPUT)
    pictures.write_png(result.cutout, folder / CUTOUT)
    if result.prompt.mask is not None:
        grey = np.repeat(result.prompt.mask[..., None], 4, axis=2)
        grey[..., 3] = 255
        pictures.write_png(Image(grey), folder / MASK)
    for index, view in enumerate(result.views):
        pictures.write_png(view.image, folder / cameras.view_name(index))


def _write_object(result: Result, folder: Path) -> None:
    from .mesh import write_mesh

    for suffix in ("glb", *(each for each in result.settings.formats if each != "glb")):
        write_mesh(result.mesh, folder / f"mesh.{suffix}")
    splat_ply.write(result.gaussians, folder / SPLATS)
    views = tuple(view.camera for view in result.views)
    fps = result.settings.turntable.fps
    rig = cameras.CameraFile(result.camera, result.turntable, fps, views)
    (folder / cameras.NAME).write_bytes(cameras.to_bytes(rig, GENERATOR))


# These two draw, and what draws takes long to import: not before somebody saves.
def _write_turntable(result: Result, path: Path, progress: Progress) -> None:
    from .video import write_turntable

    fps = result.settings.turntable.fps
    write_turntable(result.gaussians, result.turntable, fps, path, progress)


def _write_preview(result: Result, path: Path, progress: Progress) -> None:
    from .contact_sheet import contact_sheet

    sheet = contact_sheet(result, progress)
    with output_errors(path):
        pictures.write_png(sheet, path)


def _describe(result: Result, folder: Path, timings: dict[str, Timing]) -> manifest.Manifest:
    mesh = result.mesh
    width, depth, height = np.ptp(mesh.vertices.astype(np.float64), axis=0).tolist()
    counts = len(mesh.faces), len(mesh.vertices), len(result.gaussians)
    return manifest.Manifest(
        generator=GENERATOR,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        object=manifest.ObjectFacts(*counts, (width, depth, height), cameras.FRAME),
        input=INPUT,
        settings=settings.to_dict(result.settings),
        box=result.prompt.box,
        mask=None if result.prompt.mask is None else MASK,
        choices={**result.choices, "turntable": DRAWN_BY},
        timings=timings,
        estimates=result.estimates,
        warnings=result.warnings,
        versions=versions(),
        files={
            path.name: manifest.FileEntry(path.stat().st_size, sha256_of(path))
            for path in sorted(folder.iterdir())
        },
    )


def versions() -> dict[str, str]:
    """Python and the packages that are installed of those that decide what a result looks like."""
    found = {"python": platform.python_version(), "glimpse3d": __version__}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@contextmanager
def _timed(timings: dict[str, Timing], name: str) -> Iterator[None]:
    """Wall time, and CPU time with that of the encoder's process."""
    wall, cpu = time.perf_counter(), _cpu_seconds()
    yield
    timings[name] = Timing(time.perf_counter() - wall, _cpu_seconds() - cpu)


def _cpu_seconds() -> float:
    ended = os.times()  # of children that have ended; coarse, so not for ourselves
    return time.process_time() + ended.children_user + ended.children_system


def load_request(path: Path) -> Request:
    """What a folder's manifest, and the pictures beside it, say it was made from.

    Args:
        path: of the ``manifest.json``.

    Raises:
        BadFile: it is malformed, or the pictures are not those that it lists.
        InvalidSettings: a setting is unknown here.
    """
    about = manifest.read(path)
    image = _listed_picture(about, path.parent, about.input)
    mask = None
    if about.mask is not None:
        mask = _listed_picture(about, path.parent, about.mask).rgba[..., 0]
    return Request(image, Prompt(about.box, mask), settings.from_dict(about.settings))


def _listed_picture(about: manifest.Manifest, folder: Path, name: str) -> Image:
    entry, path = about.files[name], folder / name
    try:
        same = path.stat().st_size == entry.bytes and sha256_of(path) == entry.sha256
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}", "restore it") from error
    if not same:
        raise BadFile(
            f"{name} is not the file that the manifest lists",
            "restore it, or make a new result of it",
        )
    return pictures.read(path)


def zip_folder(folder: Path, path: Path) -> Path:
    """Write a result's own files into a flat ZIP, whole or not at all; same files, same bytes.

    Raises:
        BadFile: ``folder`` holds no result.
        DiskFull, OutputFailed: nothing was written.
    """
    names = sorted([*manifest.read(folder / manifest.NAME).files, manifest.NAME])
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise BadFile(f"{folder} lacks {missing[0]}", "make the result again")
    with (
        atomic_file(path) as new,
        output_errors(path),
        zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in names:
            # A fixed time, system and mode: what differs between runs is not the result's.
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, (folder / name).read_bytes())
    return path
