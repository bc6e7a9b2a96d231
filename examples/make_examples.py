"""Make the pictures of this folder again: ``python examples/make_examples.py``.

Owns how each was made; ``README.md`` says where each comes from. Needs what the tests need.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFilter
import skimage.data

from glimpse3d import coords, mesh_raster
from glimpse3d.types import Mesh

FOLDER = Path(__file__).parent
FINE = 3  # a drawing is made this many times larger, then scaled down


def coffee() -> PIL.Image.Image:
    """The photograph, whole and untouched, 600 x 400."""
    return PIL.Image.fromarray(skimage.data.coffee())


def fish(width: int = 720, height: int = 560) -> PIL.Image.Image:
    """A drawing with a transparent background: flat art with soft shading."""
    size = (width * FINE, height * FINE)
    unit = width * FINE / 720
    art = PIL.Image.new("RGBA", size)
    _fins(PIL.ImageDraw.Draw(art), unit)
    body = PIL.Image.new("L", size)
    outline = [(x * unit, y * unit) for x, y in _body_outline()]
    PIL.ImageDraw.Draw(body).polygon(outline, fill=255)
    art.paste(_scales(size, unit), (0, 0), body)
    _face(PIL.ImageDraw.Draw(art), unit)
    return art.resize((width, height), PIL.Image.Resampling.LANCZOS)


def _body_outline() -> np.ndarray:
    """(N, 2) pixels at 720 wide: blunt at the head on the left, drawn out to the tail."""
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    x, y = np.cos(angle), np.sin(angle)
    return np.stack([315 + 235 * x, 280 + 158 * y * (1 - 0.28 * x) ** 1.2], axis=1)


def _fins(draw: PIL.ImageDraw.ImageDraw, unit: float) -> None:
    tail = _smooth([(510, 275), (665, 120), (690, 190), (640, 280), (690, 375), (660, 445)])
    back = _smooth([(215, 150), (300, 42), (410, 70), (470, 215)])
    belly = _smooth([(260, 415), (300, 505), (375, 480), (400, 390)])
    for points in (tail, back, belly):
        draw.polygon([(x * unit, y * unit) for x, y in points], fill=(214, 84, 26, 255))
    for share in np.linspace(0.2, 0.8, 7):  # rays of the tail
        end = (645 + 25 * abs(share - 0.5) * 2, 150 + 270 * share)
        line = [(520 * unit, 278 * unit), (end[0] * unit, end[1] * unit)]
        draw.line(line, fill=(176, 58, 18, 255), width=round(5 * unit))


def _smooth(corners: list[tuple[int, int]], rounds: int = 4) -> np.ndarray:
    """(N, 2), the closed polygon with its corners cut off again and again (Chaikin 1974)."""
    points = np.array(corners, np.float64)
    for _ in range(rounds):
        following = np.roll(points, -1, axis=0)
        cut = 0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following
        points = np.stack(cut, axis=1).reshape(-1, 2)
    return points


def _scales(size: tuple[int, int], unit: float) -> PIL.Image.Image:
    """Orange from above to yellow below, with rows of overlapping scales."""
    y, x = np.mgrid[: size[1], : size[0]] / unit
    light = np.clip((y - 120) / 320, 0, 1)[..., None]
    color = (1 - light) * (236, 96, 22) + light * (255, 214, 92)
    row = np.floor(y / 30)
    across = (x + 20 * (row % 2)) % 40 - 20
    arc = np.abs(np.hypot(across, y % 30 + 6) - 24) < 2.2
    color[arc & (x > 215)] *= 0.82
    return PIL.Image.fromarray(color.round().astype(np.uint8))


def _face(draw: PIL.ImageDraw.ImageDraw, unit: float) -> None:
    def disc(x: float, y: float, radius: float, fill: tuple[int, int, int]) -> None:
        box = [(x - radius) * unit, (y - radius) * unit, (x + radius) * unit, (y + radius) * unit]
        draw.ellipse(box, fill=fill)

    gill = [150 * unit, 165 * unit, 250 * unit, 395 * unit]
    draw.arc(gill, -75, 75, fill=(190, 70, 20), width=round(7 * unit))
    disc(155, 235, 36, (255, 255, 255))
    disc(147, 238, 21, (28, 26, 40))
    disc(140, 229, 7, (255, 255, 255))
    mouth = [70 * unit, 290 * unit, 140 * unit, 350 * unit]
    draw.arc(mouth, 20, 130, fill=(150, 44, 14), width=round(8 * unit))
    fin = _smooth([(255, 290), (360, 265), (385, 330), (330, 375)])
    draw.polygon([(x * unit, y * unit) for x, y in fin], fill=(205, 78, 24))


def vase(width: int = 600, height: int = 720) -> PIL.Image.Image:
    """A turned vase with a painted pattern, lit and rendered before a grey backdrop."""
    lens = coords.Lens.from_field_of_view(34, width, height)
    camera = coords.orbit_camera(0, 14, 2.3, lens)
    rendered = mesh_raster.render(_vase_mesh(), camera, supersample=3)
    shade = np.linspace(205, 150, height)[:, None, None]
    backdrop = np.broadcast_to(shade, (height, width, 3)).astype(np.uint8)
    picture = PIL.Image.fromarray(backdrop.copy())
    picture.paste(
        PIL.Image.fromarray(rendered.rgba[..., :3].copy()), (0, 0), _coverage(rendered.rgba)
    )
    return picture


def _coverage(rgba: np.ndarray) -> PIL.Image.Image:
    return PIL.Image.fromarray(np.ascontiguousarray(rgba[..., 3]))


def _vase_mesh(rings: int = 420, sides: int = 720) -> Mesh:
    """A profile turned about +Z, one metre high; light is in the vertices' colours."""
    along = np.linspace(0, 1, rings)
    radius = np.interp(along, *_smooth_profile())
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    slope = np.gradient(radius, along)
    grid_radius, grid_angle = np.meshgrid(radius, angle, indexing="ij")
    height = np.repeat(along[:, None], sides, axis=1)
    position = np.stack(
        [grid_radius * np.sin(grid_angle), -grid_radius * np.cos(grid_angle), height - 0.5], axis=-1
    )
    normal = np.stack(
        [np.sin(grid_angle), -np.cos(grid_angle), np.repeat(-slope[:, None], sides, axis=1)],
        axis=-1,
    )
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    color = _lit(_pattern(height, grid_angle), normal)
    opaque = np.full((*color.shape[:2], 1), 255)
    rgba = np.concatenate([color, opaque], axis=-1).round().astype(np.uint8)
    faces = _grid_faces(rings, sides)
    return Mesh(position.reshape(-1, 3).astype(np.float32), faces, rgba.reshape(-1, 4))


def _smooth_profile() -> tuple[np.ndarray, np.ndarray]:
    """Height 0..1 and radius in metres: foot, belly, neck, lip."""
    heights = [0.0, 0.02, 0.05, 0.2, 0.42, 0.62, 0.78, 0.88, 0.96, 1.0]
    radii = [0.15, 0.165, 0.16, 0.26, 0.315, 0.24, 0.13, 0.115, 0.15, 0.175]
    fine = np.linspace(0, 1, 400)
    kernel = np.hanning(81) / np.hanning(81).sum()
    rough = np.pad(np.interp(fine, heights, radii), 40, mode="edge")
    return fine, np.convolve(rough, kernel, mode="valid")


def _pattern(height: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """(rings, sides, 3) sRGB 0..255: cobalt on white, with bands, waves and petals."""
    white, cobalt, teal = (
        np.array([238, 234, 222]),
        np.array([28, 58, 140]),
        np.array([38, 140, 150]),
    )
    color = np.broadcast_to(white, (*height.shape, 3)).astype(np.float64).copy()
    wave = np.abs(height - 0.40 - 0.035 * np.sin(8 * angle)) < 0.02
    petals = np.abs(height - 0.20) < 0.07 * np.abs(np.cos(6 * angle))
    dots = ((height - 0.56) / 0.03) ** 2 + (np.sin(8 * angle) / 0.75) ** 2 < 1
    color[wave | dots], color[petals] = teal, cobalt
    bands = [(0.0, 0.05), (0.295, 0.305), (0.485, 0.5), (0.63, 0.645), (0.74, 0.86), (0.97, 1.0)]
    for low, high in bands:
        color[(height >= low) & (height <= high)] = cobalt
    return color


def _lit(color: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Soft light from the upper left, and a gloss."""
    light = np.array([-0.55, -0.65, 0.55]) / np.linalg.norm([-0.55, -0.65, 0.55])
    toward_eye = coords.orbit_position(0, 14, 1)
    half = (light + toward_eye) / np.linalg.norm(light + toward_eye)
    diffuse = 0.5 + 0.5 * (normal @ light)
    gloss = np.clip(normal @ half, 0, 1) ** 60
    return np.clip(color * (0.25 + 0.8 * diffuse[..., None]) + 150 * gloss[..., None], 0, 255)


def _grid_faces(rings: int, sides: int) -> np.ndarray:
    """(F, 3): a tube of quads, each cut in two."""
    ring, side = np.meshgrid(np.arange(rings - 1), np.arange(sides), indexing="ij")
    a, b = ring * sides + side, ring * sides + (side + 1) % sides
    c, d = b + sides, a + sides
    return np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3).astype(np.uint32)


def main() -> None:
    """Write all three."""
    coffee().save(FOLDER / "coffee.jpg", quality=92, subsampling=0, optimize=True)
    fish().save(FOLDER / "fish.png", optimize=True)
    vase().save(FOLDER / "vase.png", optimize=True)


if __name__ == "__main__":
    main()
