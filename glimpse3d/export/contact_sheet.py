"""``preview.png``: the picture, its cut-out, and the object from four sides on one sheet.

Owns the layout. Must not know how anything on it was made. Three rows show the same four sides:
the mesh with its own colours, which carry their light; its bare shape in clay under a lamp of ours,
as flat colours hide it; and the splats.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from .. import coords, mesh_raster
from ..progress import Progress
from ..splats.render import render
from ..types import Camera, Image, Mesh, Result
from .mesh import smooth_normals

SIDES = {"front": 0.0, "right": 90.0, "back": 180.0, "left": 270.0}
ELEVATION = 12.0
# So far away, in radii of the object, perspective shows and does not distort.
DISTANCE = 5.0

# Pixels.
WIDTH, MARGIN, GAP, CAPTION, LETTERS = 1600, 36, 14, 34, 17
CELL = 268
ROWS = 3
LEFT = WIDTH - 2 * MARGIN - 4 * (CELL + GAP)
BLOCK = ROWS * (CAPTION + CELL)
CHECK = 12

PAGE, PAPER, INK, PALE_INK = (255, 255, 255), (244, 244, 242), (60, 60, 58), (140, 140, 136)
CHECKS = ((250, 250, 249), (231, 231, 228))
CLAY = np.array([214, 206, 196])
# Towards the lamp in the camera's axes: from above, from the left, from behind the viewer.
LAMP = np.array([-0.45, -0.6, -0.66])


def contact_sheet(result: Result, progress: Progress | None = None) -> Image:
    """Draw the sheet, 1600 pixels wide; every cell is a cancel point."""
    progress = progress or Progress()
    sheet = PIL.Image.new("RGB", (WIDTH, BLOCK + 2 * MARGIN - CAPTION // 3), PAGE)
    top = MARGIN - CAPTION // 3  # the first caption has air above it already
    half = (LEFT, BLOCK // 2 - CAPTION)
    _place(sheet, (MARGIN, top), half, _fitted(result.input, half), "input")
    cutout = _checkered(_fitted(result.cutout, half))
    _place(sheet, (MARGIN, top + BLOCK // 2), half, cutout, "cut-out")
    cameras = side_cameras(result.mesh, CELL)
    for column, side in enumerate(progress.track(SIDES, "preview")):
        for row, image in enumerate(_drawings(result, cameras[side])):
            x = MARGIN + LEFT + GAP + column * (CELL + GAP)
            corner = (x, top + row * (CAPTION + CELL))
            title = ("mesh", "shape", "splats")[row] if column == 0 else ""
            picture = PIL.Image.fromarray(image.rgba)
            _place(sheet, corner, (CELL, CELL), picture, title, side if row == 0 else "")
    return Image(np.asarray(sheet.convert("RGBA")))


def side_cameras(mesh: Mesh, size: int) -> dict[str, Camera]:
    """One camera a side, all with one lens that just takes the whole object in, on size x size."""
    radius = DISTANCE * max(float(np.linalg.norm(mesh.vertices, axis=1).max()), 1e-9)
    unit = coords.Lens(1.0, 0, 0)
    cameras = {
        side: coords.orbit_camera(azimuth, ELEVATION, radius, unit)
        for side, azimuth in SIDES.items()
    }
    seen = [coords.project(camera, mesh.vertices)[0] for camera in cameras.values()]
    low, high = np.min([s.min(axis=0) for s in seen], 0), np.max([s.max(axis=0) for s in seen], 0)
    focal = 0.9 * size / max(float((high - low).max()), 1e-9)
    x, y = size / 2 - focal * (low + high) / 2
    K = np.array([[focal, 0, x], [0, focal, y], [0, 0, 1.0]])
    return {
        side: Camera(camera.camera_from_world, K, size, size) for side, camera in cameras.items()
    }


def _drawings(result: Result, camera: Camera) -> tuple[Image, Image, Image]:
    return (
        mesh_raster.render(result.mesh, camera),
        mesh_raster.render(_in_clay(result.mesh, camera), camera),
        render(result.gaussians, camera).image(),
    )


def _in_clay(mesh: Mesh, camera: Camera) -> Mesh:
    """The mesh without its colours, lit for one camera."""
    normals = smooth_normals(mesh) @ camera.camera_from_world[:3, :3].T
    # Light that wraps around: the side away from the lamp keeps its shape.
    light = 0.35 + 0.65 * ((1 + normals @ (LAMP / np.linalg.norm(LAMP))) / 2) ** 1.3
    rgb = np.clip(light[:, None] * CLAY * 1.12, 0, 255)
    colors = np.concatenate([rgb, np.full((len(rgb), 1), 255)], axis=1).astype(np.uint8)
    return replace(mesh, colors=colors, uvs=None, texture=None)


def _fitted(image: Image, size: tuple[int, int]) -> PIL.Image.Image:
    """The picture as large as a cell of ``size`` takes it."""
    scale = min(size[0] / image.width, size[1] / image.height)
    fitted = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    picture = PIL.Image.fromarray(image.rgba)
    if fitted == picture.size:
        return picture
    return picture.resize(fitted, PIL.Image.Resampling.LANCZOS)


def _checkered(picture: PIL.Image.Image) -> PIL.Image.Image:
    y, x = np.indices((picture.height, picture.width)) // CHECK
    board = PIL.Image.fromarray(np.array(CHECKS, np.uint8)[(x + y) % 2]).convert("RGBA")
    return PIL.Image.alpha_composite(board, picture)


def _place(
    sheet: PIL.Image.Image,
    corner: tuple[int, int],
    size: tuple[int, int],
    picture: PIL.Image.Image,
    title: str,
    side: str = "",
) -> None:
    """Draw a caption at ``corner`` and, below it, ``picture`` (RGBA) in a cell of ``size``."""
    x, y = corner
    width, height = size
    draw = PIL.ImageDraw.Draw(sheet)
    baseline = (x + 2, y + CAPTION - 9)
    font = PIL.ImageFont.load_default(LETTERS)
    draw.text(baseline, title, INK, font, anchor="ls")
    draw.text((x + width - 2, baseline[1]), side, PALE_INK, font, anchor="rs")
    draw.rounded_rectangle((x, y + CAPTION, x + width - 1, y + CAPTION + height - 1), 6, PAPER)
    where = (x + (width - picture.width) // 2, y + CAPTION + (height - picture.height) // 2)
    sheet.paste(picture, where, picture)
