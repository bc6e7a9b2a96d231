"""Solids whose surface is known, pictures of them, and what must be true of every solid."""

from collections.abc import Callable

import cv2
import numpy as np

from glimpse3d import mesh_raster
from glimpse3d.coords import Lens, orbit_camera
from glimpse3d.types import Camera, Image, Mesh

Pattern = Callable[[np.ndarray], np.ndarray]


def checks(points: np.ndarray, size: float = 0.08) -> np.ndarray:
    """Colours (N, 3) 0..255 that tell places and directions apart."""
    odd = np.floor(points / size).sum(axis=1) % 2
    smooth = 128 + 90 * np.sin(points * 5 + [0.0, 1.0, 2.0])
    return np.clip(smooth + 35 * (odd[:, None] - 0.5), 0, 255)


def closed_grid(rows: int, columns: int, wrap_rows: bool) -> np.ndarray:
    """Faces of a grid whose columns wrap around; ``wrap_rows`` makes it a torus."""
    i, j = np.meshgrid(np.arange(rows - (not wrap_rows)), np.arange(columns), indexing="ij")
    a, b = i * columns + j, i * columns + (j + 1) % columns
    c, d = (i + 1) % rows * columns + j, (i + 1) % rows * columns + (j + 1) % columns
    return np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, b, d), (a, d, c))])


def lathe(radii: np.ndarray, heights: np.ndarray, segments: int = 96) -> Mesh:
    """A profile from bottom to top, turned about z, its ends closed by fans."""
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    side = np.concatenate(
        [
            np.column_stack([r * ring, np.full(segments, h)])
            for r, h in zip(radii, heights, strict=True)
        ]
    )
    bottom, top = len(side), len(side) + 1
    ends = [[0, 0, heights[0]], [0, 0, heights[-1]]]
    j = np.arange(segments)
    lower = np.stack([np.full(segments, bottom), (j + 1) % segments, j], axis=1)
    last = (len(radii) - 1) * segments
    upper = np.stack([np.full(segments, top), last + j, last + (j + 1) % segments], axis=1)
    faces = np.concatenate([closed_grid(len(radii), segments, False), lower, upper])
    return Mesh(np.concatenate([side, ends]), faces)


def sphere(radius: float = 0.5, rings: int = 48) -> Mesh:
    """A ball about the origin."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, rings + 2)[1:-1]
    return lathe(radius * np.cos(angle), radius * np.sin(angle), 2 * rings)


def vase_radius(height: np.ndarray) -> np.ndarray:
    """Radius of ``vase`` at a height in -0.5..0.5."""
    return 0.2 + 0.09 * np.sin(2 * np.pi * (height + 0.1)) - 0.05 * height


def vase() -> Mesh:
    """A smooth turned thing, 1 high, with flat ends."""
    heights = np.linspace(-0.5, 0.5, 120)
    return lathe(vase_radius(heights), heights)


def box(width: float, depth: float, height: float, cells: int = 24) -> Mesh:
    """A box about the origin, its faces divided so that colours have somewhere to sit."""
    t = np.linspace(-0.5, 0.5, cells + 1)
    u, v = np.meshgrid(t, t, indexing="ij")
    index = np.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    square = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))])
    points, faces = [], []
    for axis in range(3):
        for side in (-0.5, 0.5):
            place = np.roll(np.stack([np.full(u.size, side), u.ravel(), v.ravel()], 1), axis, 1)
            faces.append((square if side > 0 else square[:, ::-1]) + len(points) * u.size)
            points.append(place)
    merged, index = np.unique(np.round(np.concatenate(points), 9), axis=0, return_inverse=True)
    return Mesh(merged * [width, depth, height], index.reshape(-1)[np.concatenate(faces)])


def knot(tube: float = 0.07, steps: int = 300, segments: int = 24) -> Mesh:
    """A trefoil: one piece, one hole, every part hides another."""
    t = np.linspace(0, 2 * np.pi, steps, endpoint=False)[:, None]
    ring = 0.3 + 0.12 * np.cos(3 * t)
    path = np.concatenate([ring * np.cos(2 * t), 0.2 * np.sin(3 * t), ring * np.sin(2 * t)], axis=1)
    ahead = np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    side = np.cross(ahead, [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)[None, :, None]
    around = np.cos(angle) * side[:, None] + np.sin(angle) * np.cross(side, ahead)[:, None]
    points = (path[:, None] + tube * around).reshape(-1, 3)
    mesh = Mesh(points, closed_grid(steps, segments, True))
    return mesh if volume(mesh) > 0 else Mesh(points, mesh.faces[:, ::-1])


def photograph(mesh: Mesh, camera: Camera, pattern: Pattern = checks) -> Image:
    """The cut-out that ``camera`` takes of a solid painted with ``pattern``, edges smooth."""
    twice = np.diag([2.0, 2.0, 1.0]) @ camera.K
    fine = Camera(camera.camera_from_world, twice, 2 * camera.width, 2 * camera.height)
    raster = mesh_raster.rasterize(mesh.vertices, mesh.faces, fine)
    seen = raster.face >= 0
    corners = mesh.vertices[mesh.faces[raster.face[seen]]]
    drawn = np.zeros((*seen.shape, 4))
    drawn[seen, :3] = pattern(np.einsum("nk,nkc->nc", raster.barycentric[seen], corners))
    drawn[seen, 3] = 255
    mean = drawn.reshape(camera.height, 2, camera.width, 2, 4).mean(axis=(1, 3))
    color = np.divide(
        mean[..., :3] * 255, mean[..., 3:], where=mean[..., 3:] > 0, out=mean[..., :3]
    )
    return Image(np.rint(np.dstack([color, mean[..., 3]])).astype(np.uint8))


def front_camera(
    elevation: float = 17.0, size: int = 256, radius: float = 1.9, azimuth: float = 0.0
) -> Camera:
    """A 40 degree camera on the -Y side that looks at the origin."""
    return orbit_camera(azimuth, elevation, radius, Lens.from_field_of_view(40, size, size))


def drawing(width: int, height: int, outline: np.ndarray, holes: list[np.ndarray]) -> Image:
    """A polygon (pixels, x and y) with holes, smooth-edged, filled with a fine pattern."""
    fine = np.zeros((4 * height, 4 * width), np.uint8)
    for polygon, value in ((outline, 255), *((hole, 0) for hole in holes)):
        cv2.fillPoly(fine, [np.rint(np.asarray(polygon) * 4 - 0.5).astype(np.int32)], value)
    alpha = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    y, x = np.mgrid[:height, :width]
    bands = np.sin(np.dstack([x / 3.1, y / 2.7, (x + y) / 4.3]))
    color = 128 + 60 * bands + 50 * np.sin(np.dstack([y, x, x - y]) / 17)
    return Image(np.dstack([np.clip(color, 0, 255), alpha]).astype(np.uint8))


def star(middle: tuple[float, float], outer: float, inner: float, points: int = 5) -> np.ndarray:
    """(2 * points, 2) corners in pixels."""
    angle = np.arange(2 * points) * np.pi / points - np.pi / 2
    radius = np.where(np.arange(2 * points) % 2, inner, outer)
    return np.asarray(middle) + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def disc(middle: tuple[float, float], radius: float, points: int = 90) -> np.ndarray:
    """(points, 2) corners in pixels."""
    return star(middle, radius, radius, points // 2)


def merged(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) and faces (F, 3) after merging equal positions."""
    unique, index = np.unique(mesh.vertices, axis=0, return_inverse=True)
    return unique.astype(np.float64), index.reshape(-1)[mesh.faces.astype(np.int64)]


def volume(mesh: Mesh) -> float:
    """Enclosed, positive if faces look outward."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def assert_closed(mesh: Mesh) -> None:
    """Watertight, manifold and outward: each edge has two faces, in opposite directions."""
    vertices, faces = merged(mesh)
    assert len(faces) >= 4
    assert (faces != np.roll(faces, 1, axis=1)).all(), "a face names a corner twice"
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    key = edges[:, 0] * len(vertices) + edges[:, 1]
    assert len(np.unique(key)) == len(key), "two faces run along an edge in the same direction"
    opposite = edges[:, 1] * len(vertices) + edges[:, 0]
    assert np.isin(opposite, key).all(), "an edge has one face"
    _assert_single_fans(faces)
    assert volume(mesh) > 0, "it faces inward"


def _assert_single_fans(faces: np.ndarray) -> None:
    """Walking from face to face around a vertex comes by all its faces."""
    turn = {}
    for a, b, c in faces.tolist():
        turn[a, b], turn[b, c], turn[c, a] = c, a, b
    valence = np.bincount(faces.ravel())
    start = {a: b for a, b in turn}
    for vertex, first in start.items():
        neighbour, steps = turn[vertex, first], 1
        while neighbour != first:
            neighbour, steps = turn[vertex, neighbour], steps + 1
        assert steps == valence[vertex], "two sheets touch in one vertex"


def iou(first: np.ndarray, second: np.ndarray) -> float:
    """Of two pictures' alpha, at half coverage."""
    a, b = first[..., 3] >= 128, second[..., 3] >= 128
    return float((a & b).sum() / (a | b).sum())


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Decibels over the pixels that both pictures cover entirely."""
    both = (first[..., 3] == 255) & (second[..., 3] == 255)
    difference = first[both][:, :3].astype(float) - second[both][:, :3]
    return float(10 * np.log10(255**2 / max((difference**2).mean(), 1e-9)))
