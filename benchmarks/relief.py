"""What depth alone can do, and what it adds: the picture of ``docs/relief.md``, and its numbers.

``python benchmarks/relief.py --output relief.png`` models an owl, renders it with its exact depth,
makes that a disparity of unknown scale and shift with noise, and draws what ``relief``,
``inflate``, and ``inflate`` with detail from depth make of it. Owns that sheet.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import PIL.Image
import scipy.spatial

from glimpse3d import fusion, mesh_raster
from glimpse3d.coords import Lens, orbit_camera
from glimpse3d.export.mesh import smooth_normals
from glimpse3d.isosurface import extract
from glimpse3d.progress import Progress
from glimpse3d.reconstructors.inflate import Inflate, InflateSettings
from glimpse3d.reconstructors.relief import Relief, ReliefSettings
from glimpse3d.stages import Detail
from glimpse3d.types import Camera, Depth, DepthKind, Image, Mesh, Reconstruction

DETAIL = Detail(faces=60_000, texture_size=1024)
CAMERA = orbit_camera(0.0, 17.0, 1.9, Lens.from_field_of_view(40, 512, 512))
AZIMUTHS = (0, 45, 90, 180)
NOISE = 0.005  # of the disparity's range
CELL = 220

# Ellipsoids: middle, half axes, colour. Those of the second list are taken away.
PARTS = (
    ((0.0, 0.0, -0.08), (0.27, 0.22, 0.34), (150, 104, 66)),
    ((0.0, -0.03, 0.25), (0.23, 0.20, 0.19), (171, 124, 82)),
    ((-0.26, 0.02, -0.06), (0.06, 0.16, 0.25), (104, 70, 45)),
    ((0.26, 0.02, -0.06), (0.06, 0.16, 0.25), (104, 70, 45)),
    ((-0.16, 0.0, 0.41), (0.05, 0.05, 0.08), (104, 70, 45)),
    ((0.16, 0.0, 0.41), (0.05, 0.05, 0.08), (104, 70, 45)),
    ((-0.09, -0.19, 0.28), (0.075, 0.06, 0.075), (243, 232, 205)),
    ((0.09, -0.19, 0.28), (0.075, 0.06, 0.075), (243, 232, 205)),
    ((0.0, -0.25, 0.21), (0.03, 0.07, 0.045), (226, 158, 52)),
    ((-0.1, -0.16, -0.42), (0.07, 0.1, 0.04), (226, 158, 52)),
    ((0.1, -0.16, -0.42), (0.07, 0.1, 0.04), (226, 158, 52)),
)
HOLLOWS = (
    ((-0.09, -0.25, 0.28), (0.03, 0.03, 0.03), (30, 26, 24)),
    ((0.09, -0.25, 0.28), (0.03, 0.03, 0.03), (30, 26, 24)),
)


def owl(cells: int = 200) -> Mesh:
    """Coloured, closed, centred, longest side 1."""
    along = np.linspace(-0.55, 0.55, cells)
    grid = np.stack(np.meshgrid(along, along, along, indexing="ij"), axis=-1).astype(np.float32)
    solid = np.min([_off(grid, *part[:2]) for part in PARTS], axis=0)
    feathers = 0.012 * np.sin(45 * grid[..., 0]) * np.sin(40 * grid[..., 2])
    breast = (grid[..., 2] < 0.08) & (grid[..., 1] < 0) & (np.abs(grid[..., 0]) < 0.2)
    solid = np.maximum(solid + feathers * breast, -np.min([_off(grid, *p[:2]) for p in HOLLOWS], 0))
    vertices, faces = extract(solid / (along[1] - along[0]))
    points = along[0] + vertices * (along[1] - along[0])
    nearest = np.argmin([_off(points, *part[:2]) for part in PARTS], axis=0)
    colors = np.array([part[2] for part in PARTS])[nearest]
    dark = np.min([_off(points, *part[:2]) for part in HOLLOWS], axis=0) < 0.004
    colors[dark] = HOLLOWS[0][2]
    low, high = points.min(axis=0), points.max(axis=0)
    placed = (points - (low + high) / 2) / (high - low).max()
    return Mesh(placed, faces, np.column_stack([colors, np.full(len(points), 255)]))


def _off(points: np.ndarray, middle: tuple[float, ...], half: tuple[float, ...]) -> np.ndarray:
    """About the distance to an ellipsoid."""
    scaled = (points - np.float32(middle)) / np.float32(half)
    return (np.linalg.norm(scaled, axis=-1) - 1) * np.float32(min(half))


def disparity_of(mesh: Mesh) -> tuple[Image, Depth]:
    """The cut-out, and what an estimator might say: scale and shift unknown, noise on it."""
    cutout = mesh_raster.render(mesh, CAMERA)
    z = mesh_raster.rasterize(mesh.vertices, mesh.faces, CAMERA).depth
    exact = 7 / np.where(np.isfinite(z), z, 3.0) - 2
    noise = np.random.default_rng(0).normal(size=z.shape) * NOISE * np.ptp(exact[np.isfinite(z)])
    return cutout, Depth(exact + noise, DepthKind.DISPARITY)


def shaded(mesh: Mesh, camera: Camera) -> np.ndarray:
    """(H, W, 3) uint8: the bare shape in grey, lit from the upper left."""
    raster = mesh_raster.rasterize(mesh.vertices, mesh.faces, camera)
    seen = raster.face >= 0
    corners = smooth_normals(mesh)[mesh.faces[raster.face[seen]]]
    normals = np.einsum("nk,nkc->nc", raster.barycentric[seen], corners)
    axes = camera.camera_from_world[:3, :3]
    light = np.array([-0.5, -0.6, -0.6]) @ axes
    drawn = np.full((*seen.shape, 3), 255.0)
    lit = np.clip(normals @ light / np.linalg.norm(light), 0, 1)
    drawn[seen] = (60 + 180 * lit)[:, None]
    return drawn.astype(np.uint8)


def row(mesh: Mesh, first: np.ndarray) -> np.ndarray:
    """``first``, then the mesh from all sides in grey, then twice in colour."""
    lens = Lens.from_field_of_view(36, CELL, CELL)
    cells = [first]
    cells += [shaded(mesh, orbit_camera(each, 12, 2.0, lens)) for each in AZIMUTHS]
    for azimuth in (25, 155):
        cells.append(_on_white(mesh_raster.render(mesh, orbit_camera(azimuth, 12, 2.0, lens))))
    return np.concatenate(cells, axis=1)


def _on_white(image: Image) -> np.ndarray:
    alpha = image.rgba[..., 3:] / 255
    return np.rint(image.rgba[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)


def _small(picture: np.ndarray) -> np.ndarray:
    return np.asarray(PIL.Image.fromarray(picture).resize((CELL, CELL)))


def front_error(found: Reconstruction, truth: Mesh) -> float:
    """Mean distance from what is seen of the owl to the reconstruction, in parts of its size.

    Both are brought together as the camera sees them: scale along the rays is made equal.
    """
    z = mesh_raster.rasterize(truth.vertices, truth.faces, CAMERA).depth
    here = mesh_raster.rasterize(found.mesh.vertices, found.mesh.faces, found.camera).depth
    both = np.isfinite(z) & np.isfinite(here)
    scale = float(np.median(z[both]) / np.median(here[both]))
    rows, columns = np.nonzero(both)
    pixels = np.column_stack([columns + 0.5, rows + 0.5, np.ones(len(rows))])
    lines = pixels @ np.linalg.inv(CAMERA.K).T
    made = scipy.spatial.cKDTree(lines * (here[both] * scale)[:, None])
    return float(made.query(lines * z[both][:, None])[0].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("relief.png"))
    arguments = parser.parse_args()
    truth = owl()
    cutout, depth = disparity_of(truth)
    known = cutout.rgba[..., 3] >= 128
    low, high = np.quantile(depth.values[known], [0.005, 0.995])
    grey = np.where(known, np.clip(255 * (depth.values - low) / (high - low), 0, 255), 255)
    pictures = [
        _small(_on_white(cutout)),
        _small(np.repeat(grey.astype(np.uint8)[..., None], 3, 2)),
    ]
    blank = np.full_like(pictures[0], 255)
    rows = [row(truth, pictures[0])]
    for back, first in (("mirror", pictures[1]), ("flat", blank)):
        start = time.process_time()
        settings = ReliefSettings(back=back)
        made = Relief().from_depth(cutout, depth, settings, DETAIL, Progress())
        spent = time.process_time() - start
        print(
            f"relief, {back}: error of the front {front_error(made, truth):.4f}, {spent:.1f} s CPU"
        )
        rows.append(row(made.mesh, first))
    plain = Inflate()(cutout, InflateSettings(), DETAIL, Progress())
    start = time.process_time()
    fine = fusion.fuse(plain, cutout, depth, Progress())
    spent = time.process_time() - start
    print(f"inflate: error of the front {front_error(plain, truth):.4f}")
    print(f"inflate, detail from depth: {front_error(fine, truth):.4f}, {spent:.1f} s CPU more")
    rows += [row(plain.mesh, blank), row(fine.mesh, blank)]
    PIL.Image.fromarray(np.concatenate(rows)).save(arguments.output, optimize=True)
    print(arguments.output)


if __name__ == "__main__":
    main()
