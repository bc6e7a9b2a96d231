"""A small result made by hand: a box with six differently coloured sides, and its splats."""

import numpy as np

from glimpse3d import coords
from glimpse3d.formats import sh
from glimpse3d.settings import Settings, TurntableSettings, preset
from glimpse3d.types import (
    Camera,
    Choice,
    GaussianCloud,
    Image,
    Mesh,
    Prompt,
    Result,
    Timing,
    View,
)

# Half the sides of the box: width (x), depth (y) and height (z), metres.
HALF = np.array([0.3, 0.2, 0.5])

# Outward direction -> sRGB colour.
SIDES: dict[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "front": ((0, -1, 0), (220, 40, 40)),
    "right": ((1, 0, 0), (40, 180, 60)),
    "back": ((0, 1, 0), (50, 70, 210)),
    "left": ((-1, 0, 0), (230, 190, 40)),
    "top": ((0, 0, 1), (200, 80, 200)),
    "bottom": ((0, 0, -1), (60, 190, 200)),
}


def side_corners(outward: tuple[int, int, int]) -> np.ndarray:
    """(4, 3) corners of a side, counter-clockwise from outside: lower left first."""
    n = np.array(outward, float)
    up = np.array([0.0, 0.0, 1.0]) if n[2] == 0 else np.array([0.0, 1.0, 0.0])
    right = np.cross(up, n)
    offsets = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    return np.array([(n + x * right + y * up) * HALF for x, y in offsets])


def atlas(cell: int = 16) -> Image:
    """The six colours side by side, each a square of ``cell`` pixels."""
    rgba = np.full((cell, cell * 6, 4), 255, np.uint8)
    for index, (_, color) in enumerate(SIDES.values()):
        rgba[:, index * cell : (index + 1) * cell, :3] = color
    return Image(rgba)


def box(textured: bool = True, colored: bool = False) -> Mesh:
    """24 vertices, 12 faces; every edge of the box is a seam."""
    vertices = np.concatenate([side_corners(outward) for outward, _ in SIDES.values()])
    faces = [
        [4 * s + a, 4 * s + b, 4 * s + c] for s in range(6) for a, b, c in ((0, 1, 2), (0, 2, 3))
    ]
    square = np.array([(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)])
    uvs = np.concatenate([np.add(square, (s, 0)) / (6, 1) for s in range(6)])
    colors = np.repeat([(*color, 255) for _, color in SIDES.values()], 4, axis=0)
    return Mesh(
        vertices,
        faces,
        colors if colored else None,
        uvs if textured else None,
        atlas() if textured else None,
    )


def splats(a_side: int = 100, seed: int = 0) -> GaussianCloud:
    """Flat round splats on the sides of the box."""
    random = np.random.default_rng(seed)
    means, colors, rotations = [], [], []
    for outward, color in SIDES.values():
        corners = side_corners(outward)
        u, v = random.random((2, a_side, 1))
        means.append(corners[0] + u * (corners[1] - corners[0]) + v * (corners[3] - corners[0]))
        x = (corners[1] - corners[0]) / np.linalg.norm(corners[1] - corners[0])
        y = (corners[3] - corners[0]) / np.linalg.norm(corners[3] - corners[0])
        turn = coords.quaternion_from_rotation(np.stack([x, y, np.cross(x, y)], axis=1))
        rotations.append(np.tile(turn, (a_side, 1)))
        colors.append(np.tile(np.array(color) / 255, (a_side, 1)))
    count = 6 * a_side
    return GaussianCloud(
        np.concatenate(means),
        np.tile([0.03, 0.03, 0.002], (count, 1)),
        np.concatenate(rotations),
        np.full(count, 0.9),
        sh.from_color(np.concatenate(colors))[:, None, :],
    )


def picture(width: int = 96, height: int = 128) -> Image:
    """The box's front side before a grey wall."""
    rgba = np.full((height, width, 4), (128, 130, 132, 255), np.uint8)
    rgba[height // 8 : -height // 8, width // 4 : -width // 4, :3] = SIDES["front"][1]
    return Image(rgba)


def cutout(image: Image) -> Image:
    rgba = np.array(image.rgba)
    rgba[..., 3] = np.where(rgba[..., 0] > 200, 255, 0)
    return Image(rgba)


def small_settings(**changes: object) -> Settings:
    turntable = TurntableSettings(frames=6, fps=12, resolution=64)
    return preset("draft", turntable=turntable, **changes)


def turntable(settings: Settings) -> tuple[Camera, ...]:
    own = settings.turntable
    lens = coords.Lens.from_field_of_view(own.field_of_view, own.resolution, own.resolution)
    azimuths = [360 / own.frames * index for index in range(own.frames)]
    return tuple(coords.orbit(azimuths, own.elevation, own.radius, lens))


def result(
    settings: Settings | None = None, prompt: Prompt | None = None, views: int = 0
) -> Result:
    settings = settings or small_settings()
    image = picture()
    camera = coords.orbit_camera(0.0, 7.5, 2.4, coords.Lens(250.0, image.width, image.height))
    rig = coords.syncdreamer_rig()[:views]
    seen = tuple(
        View(Image(np.full((256, 256, 4), 40 * k, np.uint8)), c) for k, c in enumerate(rig)
    )
    return Result(
        mesh=box(),
        gaussians=splats(),
        camera=camera,
        turntable=turntable(settings),
        input=image,
        cutout=cutout(image),
        settings=settings,
        prompt=prompt or Prompt(),
        views=seen,
        choices={"matte": Choice("auto", "grabcut", "no weights are here")},
        timings={"matte": Timing(1.25, 2.5)},
    )
