"""Makes ``box/``: a result whose every side can be told apart, and its corners too.

Run by the project's own Python, not by Blender's: ``python -m tests.blender.make_box``. The folder
is committed, so that the tests in Blender need no server to have something to import. Beside it
stands ``box_splats.png``, the splats as our own renderer draws them.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from glimpse3d import pictures
from glimpse3d.export import bundle
from glimpse3d.export.folder import sha256_of
from glimpse3d.formats import manifest
from glimpse3d.progress import Progress
from glimpse3d.settings import TurntableSettings
from glimpse3d.splats import render
from glimpse3d.splats.from_mesh import gaussians_from_mesh
from glimpse3d.types import Image, Mesh
from tests import results

HERE = Path(__file__).resolve().parent
SPLATS = 1800
SEEN = 1  # the turntable's camera that takes box_splats.png
CELL = 16  # pixels of the atlas to a side


def box() -> Mesh:
    """The box of six colours; the upper right quarter of each side, seen from outside, is dark."""
    plain = results.box()
    assert plain.texture is not None
    rgba = np.array(plain.texture.rgba)
    for column in range(CELL // 2, 6 * CELL, CELL):
        rgba[: CELL // 2, column : column + CELL // 2, :3] //= 3
    # A hair inside the cells' edges, so that no side takes on its neighbour's colour.
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * 0.875 + 0.0625
    uvs = np.concatenate([np.add(square, (side, 0)) / (6, 1) for side in range(6)])
    return replace(plain, uvs=uvs, texture=Image(rgba))


def shrink_preview(folder: Path) -> None:
    """A sixteenth of the contact sheet's pixels: the full one is most of the folder's bytes."""
    path = folder / bundle.PREVIEW
    pictures.write_png(Image(pictures.read(path).rgba[::4, ::4]), path)
    about = manifest.read(folder / manifest.NAME)
    entry = manifest.FileEntry(path.stat().st_size, sha256_of(path))
    changed = replace(about, files={**about.files, bundle.PREVIEW: entry})
    (folder / manifest.NAME).write_bytes(manifest.to_bytes(changed))


def main() -> None:
    """Write the folder, replacing the former one."""
    mesh = box()
    settings = replace(
        results.small_settings(),
        turntable=TurntableSettings(frames=6, fps=12, resolution=128, elevation=30.0),
    )
    made = replace(
        results.result(settings, views=2),
        mesh=mesh,
        gaussians=gaussians_from_mesh(mesh, SPLATS, 0, Progress()),
    )
    bundle.save(made, HERE / "box", Progress())
    shrink_preview(HERE / "box")
    seen = render.render(made.gaussians, made.turntable[SEEN]).image()
    pictures.write_png(seen, HERE / "box_splats.png")


if __name__ == "__main__":
    main()
