"""Backgrounds that programs paint, for pictures whose subject is to be cut out.

Owns the painters and the table of how often each is drawn. Must not know subjects. Every painter is
a pure function of its random generator and returns (size, size, 3) float32 in 0..1, sRGB.

Four photographs that ship inside scikit-image's wheel serve too, in random crops and colours:
``camera`` (CC0, Lav Varshney), ``clock_motion`` (public domain, Stefan van der Walt), ``retina``
(CC0, Mikael Haggstrom) and ``hubble_deep_field`` (public domain, NASA).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np

PHOTOGRAPHS = ("camera.png", "clock_motion.png", "retina.jpg", "hubble_deep_field.jpg")

Painter = Callable[[np.random.Generator, int], np.ndarray]


def background(random: np.random.Generator, size: int) -> np.ndarray:
    """A finished background: one painter's picture, or two mixed, then light and blur."""
    picture = _painted(random, size)
    if random.random() < 0.2:
        share = _soft_mask(random, size)[..., None]
        picture = picture * share + _painted(random, size) * (1 - share)
    return finished(random, picture)


def _painted(random: np.random.Generator, size: int) -> np.ndarray:
    painters, weights = zip(*PAINTERS, strict=True)
    share = np.array(weights) / sum(weights)
    return painters[random.choice(len(painters), p=share)](random, size)


def finished(random: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """With a fall of light across it, less or more contrast, and out of focus or not."""
    size = picture.shape[0]
    if random.random() < 0.5:
        x, y = _plane(size)
        angle = random.uniform(0, 2 * np.pi)
        fall = np.cos(angle) * x + np.sin(angle) * y
        picture = picture * (1 + random.uniform(0, 0.5) * fall)[..., None]
    if random.random() < 0.4:
        middle, contrast = picture.mean(axis=(0, 1)), random.uniform(0.3, 1.2)
        picture = middle + (picture - middle) * contrast
    if random.random() < 0.35:
        picture = cv2.GaussianBlur(picture, (0, 0), float(np.exp(random.uniform(-0.7, 1.6))))
    return np.clip(picture, 0, 1).astype(np.float32)


def colour(random: np.random.Generator) -> np.ndarray:
    """(3,) float32; mostly dull, as most of what surrounds things is."""
    hue, saturation = random.random() * 6, random.beta(1.0, 2.6)
    value = random.beta(1.6, 1.2)
    ramp = np.clip(np.abs((hue + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return (value * (1 - saturation * (1 - ramp))).astype(np.float32)


def palette(random: np.random.Generator, count: int) -> np.ndarray:
    """(count, 3) float32: shades of one colour, neighbours of it, or colours at will."""
    base, spread = colour(random), random.uniform(0.02, 0.35)
    kind = random.random()
    if kind < 0.4:
        shades = base * np.exp(random.normal(0, 1.5 * spread, (count, 1)))
    elif kind < 0.75:
        shades = base + random.normal(0, spread, (count, 1)) + random.normal(0, 0.06, (count, 3))
    else:
        shades = np.stack([colour(random) for _ in range(count)])
    return np.clip(shades, 0, 1).astype(np.float32)


def plain(random: np.random.Generator, size: int) -> np.ndarray:
    """One colour, a gradient between two, or one that fades towards the corners."""
    first, second = palette(random, 2)
    if random.random() < 0.3:
        first = second = np.clip(random.normal(0.95, 0.05) * np.ones(3), 0, 1).astype(np.float32)
    x, y = _plane(size)
    if random.random() < 0.35:
        middle = random.normal(0, 0.4, 2)
        share = np.hypot(x - middle[0], y - middle[1]) / 1.6
    else:
        angle = random.uniform(0, 2 * np.pi)
        share = 0.5 + 0.5 * (np.cos(angle) * x + np.sin(angle) * y)
    share = np.clip(share, 0, 1)[..., None] ** random.uniform(0.6, 1.6)
    return (first * (1 - share) + second * share).astype(np.float32)


def clouds(random: np.random.Generator, size: int) -> np.ndarray:
    """Noise of every scale, from mist to grain, stretched or not: plaster, cloth, wood, water."""
    stretch = float(np.exp(random.normal(0, 1.2))) if random.random() < 0.5 else 1.0
    value = _noise(random, size, random.uniform(0.4, 2.4), stretch)
    if random.random() < 0.3:  # rings and veins
        value = 0.5 + 0.5 * np.sin(value * random.uniform(8, 50))
    colours = palette(random, random.integers(2, 5))
    place = np.clip(value, 0, 1) * (len(colours) - 1)
    below = np.minimum(place.astype(int), len(colours) - 2)
    share = (place - below)[..., None].astype(np.float32)
    return colours[below] * (1 - share) + colours[below + 1] * share


def leaves(random: np.random.Generator, size: int) -> np.ndarray:
    """Shapes of all sizes over one another, whose statistics are those of photographs.

    Lee, Mumford, Huang: "Occlusion Models for Natural Images", IJCV 2001.
    """
    picture = np.ascontiguousarray(np.broadcast_to(colour(random), (size, size, 3)))
    colours = palette(random, random.integers(4, 24))
    count = int(np.exp(random.uniform(np.log(8), np.log(220))))
    kind, smallest = random.integers(4), random.uniform(0.015, 0.06)
    radii = size * np.minimum(smallest * random.random(count) ** -0.8, 0.6)
    for radius in radii:
        shape = kind if kind < 3 else random.integers(3)
        fill = (colours[random.integers(len(colours))] + random.normal(0, 0.03)).tolist()
        cv2.fillPoly(picture, [_leaf(random, size, radius, shape)], fill, cv2.LINE_AA, shift=4)
    return _grained(random, picture)


def _leaf(random: np.random.Generator, size: int, radius: float, shape: int) -> np.ndarray:
    """(N, 2) int32 corners in sixteenths of a pixel: an oval, a bar, or any polygon."""
    count = (14, 4, int(random.integers(3, 8)))[shape]
    angles = np.sort(random.uniform(0, 2 * np.pi, count)) if shape == 2 else _around(count)
    reach = radius * (random.uniform(0.5, 1, count) if shape == 2 else np.ones(count))
    points = np.stack([np.cos(angles), np.sin(angles) * random.uniform(0.2, 1)], axis=1)
    turn = random.uniform(0, 2 * np.pi)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    corners = points * reach[:, None] @ rotation.T + random.uniform(0, size, 2)
    return (corners * 16).astype(np.int32)


def tiles(random: np.random.Generator, size: int) -> np.ndarray:
    """Stripes, checks, bricks or boards at any angle, each with a shade of its own."""
    wide, high = np.exp(random.uniform(np.log(4), np.log(40), 2)) * size / 128
    if random.random() < 0.25:
        wide = 4.0 * size
    x, y = _turned(random, size)
    row = np.floor(y / high).astype(int)
    shift = random.choice([0.0, 0.5]) * row + random.random()
    column = np.floor(x / wide + shift).astype(int)
    joint = random.uniform(0, 0.15) * min(wide, high)
    seam = ((y / high) % 1 * high < joint) | ((x / wide + shift) % 1 * wide < joint)
    colours = palette(random, random.integers(2, 6))
    if random.random() < 0.5:
        index = (row + column) % len(colours)
    else:
        index = random.integers(len(colours), size=997)[(row * 131 + column * 17) % 997]
    picture = colours[index]
    picture[seam] = colour(random)
    return _grained(random, picture)


def stones(random: np.random.Generator, size: int) -> np.ndarray:
    """Gravel, pebbles, cobbles: cells around random points, round or cracked."""
    count = int(np.exp(random.uniform(np.log(30), np.log(1200))))
    seeds = np.full((size, size), 255, np.uint8)
    seeds[tuple(random.integers(size, size=(2, count)))] = 0
    far, cell = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colours = palette(random, 64)
    usual = size / np.sqrt(count)
    light = 1.1 - random.uniform(0, 1.4) * (far / usual) ** 2
    dx, dy = cv2.Sobel(far, cv2.CV_32F, 1, 0), cv2.Sobel(far, cv2.CV_32F, 0, 1)
    lean = random.normal(0, 0.03, 2)
    shade = np.clip(light + lean[0] * dx + lean[1] * dy, 0.1, 1.3)
    return _grained(random, colours[cell % 64] * shade[..., None].astype(np.float32))


def strokes(random: np.random.Generator, size: int) -> np.ndarray:
    """Grass, straw, fur, twigs: many thin lines that mostly agree on a direction."""
    picture = np.ascontiguousarray(np.broadcast_to(colour(random), (size, size, 3)))
    colours = palette(random, 16)
    count = int(np.exp(random.uniform(np.log(60), np.log(700))))
    length = size * np.exp(random.uniform(np.log(0.06), np.log(0.6)))
    direction, spread = random.uniform(0, np.pi), random.uniform(0.05, 1.2)
    angle = random.normal(direction, spread, count)
    reach = length * random.uniform(0.3, 1, count)
    start = random.uniform(-0.1 * size, 1.1 * size, (count, 2))
    end = start + np.stack([np.cos(angle), np.sin(angle)], axis=1) * reach[:, None]
    widest = int(random.integers(1, 4))
    widths = random.integers(1, widest + 1, count)
    for a, b, width in zip(start.astype(int), end.astype(int), widths, strict=True):
        fill = colours[random.integers(16)].tolist()
        cv2.line(picture, a.tolist(), b.tolist(), fill, int(width), cv2.LINE_AA)
    return picture


def room(random: np.random.Generator, size: int) -> np.ndarray:
    """A wall above a floor or a table, the floor seen in perspective."""
    surfaces = (plain, clouds, tiles, leaves, stones, strokes)
    often = np.array([0.34, 0.22, 0.18, 0.1, 0.08, 0.08])
    wall, floor = (surfaces[k](random, size) for k in random.choice(6, 2, p=often))
    edge = int(size * np.clip(random.normal(0.6, 0.15), 0.25, 0.92))
    near = random.uniform(0.2, 0.9) * size
    ground = np.array([[near / 2, 0], [size - near / 2, 0], [size, size], [0, size]], np.float32)
    seen = np.array([[-0.2, 0], [1.2, 0], [1.2, 1], [-0.2, 1]], np.float32)
    seen = seen * (size, size - edge) + (0, edge)
    warp = cv2.getPerspectiveTransform(ground, seen.astype(np.float32))
    floor = cv2.warpPerspective(floor, warp, (size, size), borderMode=cv2.BORDER_REFLECT)
    wall[edge:] = floor[edge:]
    if random.random() < 0.3:  # the corner lies in shadow
        y = np.arange(size)[:, None, None]
        dim = random.uniform(0.1, 0.5) * np.exp(-(((y - edge) / (0.08 * size)) ** 2))
        wall = wall * (1 - dim)
    return wall.astype(np.float32)


def photograph(random: np.random.Generator, size: int) -> np.ndarray:
    """A crop of one of the photographs, mirrored, in colours of its own or others."""
    whole = _photographs()[random.choice(4, p=[0.45, 0.35, 0.1, 0.1])]
    side = int(min(whole.shape[:2]) * random.uniform(0.3, 1))
    top, left = (int(random.integers(0, whole.shape[axis] - side + 1)) for axis in (0, 1))
    crop = cv2.resize(
        whole[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA
    )
    if random.random() < 0.5:
        crop = crop[:, ::-1]
    picture = crop.astype(np.float32) / 255
    grey = picture.mean(axis=2, keepdims=True)
    if random.random() < 0.7:
        dark, light = np.sort(palette(random, 2), axis=0)
        picture = 0.3 * picture + 0.7 * (dark + grey * (light - dark))
    return np.ascontiguousarray(picture)


@cache
def _photographs() -> Sequence[np.ndarray]:
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    found = [cv2.imread(str(folder / name), cv2.IMREAD_COLOR) for name in PHOTOGRAPHS]
    return [cv2.cvtColor(one, cv2.COLOR_BGR2RGB) for one in found]


def _grained(random: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """With a fine unevenness over it, half of the time."""
    if random.random() < 0.5:
        size = picture.shape[0]
        value = _noise(random, size, random.uniform(0.3, 1.5), 1.0)
        picture = picture * (1 + random.uniform(0, 0.6) * (value - 0.5))[..., None]
    return np.clip(picture, 0, 1).astype(np.float32)


def _noise(random: np.random.Generator, size: int, slope: float, stretch: float) -> np.ndarray:
    """(size, size) float32 about 0.5, amplitude falling as frequency to the power ``slope``."""
    u, v = np.fft.rfftfreq(size)[None] * stretch, np.fft.fftfreq(size)[:, None] / stretch
    turn = 1 if random.random() < 0.5 else -1
    wave = np.fft.rfft2(random.standard_normal((size, size)).astype(np.float32))
    field = np.fft.irfft2(wave / (np.hypot(u, v) + 0.5 / size) ** slope, (size, size))
    field = (field - field.mean()) / max(float(field.std()), 1e-9)
    return (0.5 + 0.25 * field[::turn, ::turn]).astype(np.float32)


def _soft_mask(random: np.random.Generator, size: int) -> np.ndarray:
    sharpness = random.uniform(2, 20)
    return np.clip(0.5 + sharpness * (_noise(random, size, 2.2, 1.0) - 0.5), 0, 1)


def _plane(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in -1..1, right and down."""
    line = ((np.arange(size) + 0.5) * (2 / size) - 1).astype(np.float32)
    return line[None] + 0 * line[:, None], line[:, None] + 0 * line[None]


def _turned(random: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in pixels, turned; upright half of the time."""
    angle = random.uniform(0, np.pi) if random.random() < 0.5 else random.normal(0, 0.05)
    x, y = _plane(size)
    along = (np.cos(angle) * x + np.sin(angle) * y) * size / 2
    return along, (np.cos(angle) * y - np.sin(angle) * x) * size / 2


def _around(count: int) -> np.ndarray:
    return np.arange(count) * (2 * np.pi / count)


PAINTERS: Sequence[tuple[Painter, float]] = (
    (plain, 1.3),
    (clouds, 1.5),
    (leaves, 2.0),
    (tiles, 1.0),
    (stones, 1.0),
    (strokes, 1.0),
    (room, 2.0),
    (photograph, 1.2),
)
