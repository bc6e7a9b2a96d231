"""What the smaller kinds of job leave: a cut-out before compute is spent, splats on a mesh.

Owns the files of these results and the record of what ran. Must not know the wire, the store or
processes. What computes is imported when it computes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glimpse3d import __version__
from glimpse3d.progress import Progress
from glimpse3d.settings import Settings, to_dict

if TYPE_CHECKING:
    from glimpse3d.types import Image, Prompt

    from .shortage import Attempt

CUTOUT, MASK, RECORD, SPLATS = "cutout.png", "mask.png", "record.json", "splats.ply"
_VISIBLE = 128


def cut_out(
    image: Image, prompt: Prompt, attempt: Attempt, folder: Path, progress: Progress
) -> None:
    """``cutout.png``, its alpha as ``mask.png``, and a record of which backend that was.

    Raises:
        Glimpse3DError: of the cut-out; nothing is left.
        Cancelled: ``progress`` was told to stop.
    """
    import numpy as np

    from glimpse3d import pictures, pipeline
    from glimpse3d.types import Image as Picture

    pipeline.check_prompt(image, prompt)
    settings = attempt.settings
    found, choice = pipeline.cut_out(image, settings, prompt, progress)
    alpha = found.rgba[..., 3]
    grey = np.repeat(alpha[..., None], 4, axis=2)
    grey[..., 3] = 255
    record = {
        "input": {"width": image.width, "height": image.height},
        "box": None if prompt.box is None else list(prompt.box),
        "mask": prompt.mask is not None,
        "matte": {"asked": choice.asked, "ran": choice.ran, "why": choice.why},
        "settings": _own(settings, choice.ran),
        "kept": round(float((alpha >= _VISIBLE).mean()), 6),
        **_memory(attempt),
    }
    with _folder(folder, "cutout", record) as new:
        pictures.write_png(found, new / CUTOUT)
        pictures.write_png(Picture(grey), new / MASK)


def _own(settings: Settings, backend: str) -> dict[str, Any]:
    from glimpse3d import plugins

    options = settings.options.get(backend, {})
    return to_dict(plugins.settings_for("matte", backend, settings.preset, options))


def _memory(attempt: Attempt) -> dict[str, Any]:
    """What a record says of a second try."""
    return {"memory": attempt.without} if attempt.without else {}


def lay_splats(mesh: Path, attempt: Attempt, folder: Path, progress: Progress) -> None:
    """``splats.ply`` on the surface of a GLB, and a record.

    Args:
        mesh: a file whose name ends in ``.glb``; lengths stay as they are.
        attempt: of its settings ``gaussians`` and ``seed`` count.
        folder: of the result.
        progress: reports and cancels.

    Raises:
        BadFile: the file is no GLB, malformed or hostile; nothing is left.
        BackendUnavailable: trimesh is not installed.
        Cancelled: ``progress`` was told to stop.
    """
    from glimpse3d import mesh_files
    from glimpse3d.formats import splat_ply
    from glimpse3d.splats.from_mesh import gaussians_from_meshes

    settings = attempt.settings
    progress(0.0, "reading the mesh")
    meshes = mesh_files.read(mesh)
    with progress.stage("splats", 0.9) as part:
        cloud = gaussians_from_meshes(meshes, settings.gaussians, settings.seed, part)
    record = {
        "meshes": len(meshes),
        "triangles": sum(len(each.faces) for each in meshes),
        "splats": len(cloud),
        "seed": settings.seed,
        **_memory(attempt),
    }
    with _folder(folder, "splats", record) as new:
        splat_ply.write(cloud, new / SPLATS)


@contextmanager
def _folder(folder: Path, kind: str, record: Mapping[str, Any]) -> Iterator[Path]:
    """A folder to write into, which appears whole or not at all, with its record."""
    from glimpse3d.export.folder import atomic_folder
    from glimpse3d.formats import plain_json

    shutil.rmtree(folder, ignore_errors=True)  # of an attempt that died before it was said
    with atomic_folder(folder) as new:
        yield new
        head = {"format": 1, "generator": f"Glimpse3D {__version__}", "kind": kind}
        (new / RECORD).write_bytes(plain_json.encode({**head, **record}))


def listed(folder: Path) -> list[dict[str, Any]]:
    """Names, sizes and SHA-256 of a result's files, by name."""
    from glimpse3d.export.folder import sha256_of

    return [
        {"name": path.name, "size": path.stat().st_size, "sha256": bytes.fromhex(sha256_of(path))}
        for path in sorted(folder.iterdir())
    ]
