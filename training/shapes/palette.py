"""Colours and surfaces: a few materials that go together for one shape.

Owns how materials are drawn at random. Must not know which part wears which.
"""

from __future__ import annotations

import colorsys

import numpy as np

from .. import shading as k

PATTERNS = (k.STRIPES, k.CHECKS, k.SPOTS, k.RINGS, k.GRADIENT, k.MARBLE, k.TWO_TONE)


def colour(random: np.random.Generator, hue: float | None = None) -> np.ndarray:
    """(3,) linear albedo; vivid, dull, pale and dark ones alike."""
    hue = float(random.random() if hue is None else hue + random.normal(0, 0.04)) % 1
    kind = random.random()
    if kind < 0.45:
        saturation, value = random.uniform(0.5, 1), random.uniform(0.35, 1)
    elif kind < 0.75:
        saturation, value = random.uniform(0.1, 0.5), random.uniform(0.15, 0.9)
    else:
        saturation, value = random.uniform(0, 0.12), random.uniform(0.03, 1)
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value)) ** 2.2 * 0.9 + 0.02


def plain(albedo: np.ndarray, gloss: float = 0.0, shininess: float = 20.0) -> np.ndarray:
    """A material of one colour."""
    row = np.zeros(k.MATERIAL_ROW)
    row[k.COLOUR_A : k.COLOUR_A + 3] = row[k.COLOUR_B : k.COLOUR_B + 3] = albedo
    row[k.GLOSS], row[k.SHININESS], row[k.FREQUENCY] = gloss, shininess, 1
    return row


def material(random: np.random.Generator, hue: float | None = None) -> np.ndarray:
    """A material: plain in six of ten, else patterned; dull, silky or glossy."""
    gloss = float(random.choice((0.0, 0.1, 0.5, 1.0), p=(0.4, 0.25, 0.2, 0.15)))
    row = plain(colour(random, hue), gloss, float(np.exp(random.uniform(1.5, 5))))
    row[k.GRAIN] = random.choice((0, 0.15, 0.5), p=(0.5, 0.3, 0.2))
    if random.random() < 0.4:
        row[k.PATTERN] = random.choice(PATTERNS)
        row[k.COLOUR_B : k.COLOUR_B + 3] = colour(random)
        row[k.DIRECTION : k.DIRECTION + 3] = direction(random)
        row[k.FREQUENCY] = np.exp(random.uniform(0.9, 3.2))
        row[k.PHASE] = random.uniform(0, 6.28)
        row[k.AMOUNT] = random.uniform(-0.5, 0.5)
    return row


def direction(random: np.random.Generator) -> np.ndarray:
    """(3,) a unit direction, half the time along an axis."""
    if random.random() < 0.5:
        return np.eye(3)[random.integers(3)]
    vector = random.normal(size=3)
    return vector / np.linalg.norm(vector)


def palette(random: np.random.Generator, count: int = 4) -> list[np.ndarray]:
    """Materials of one shape: half the time of related hues; the last two serve as details.

    Returns:
        ``count`` random rows, then a dark one (eyes, tyres, windows) and a pale one.
    """
    hue = float(random.random()) if random.random() < 0.5 else None
    rows = [material(random, hue) for _ in range(count)]
    dark = plain(np.full(3, random.uniform(0.01, 0.06)), float(random.choice((0, 0.8))), 60)
    pale = plain(np.full(3, random.uniform(0.5, 0.9)) * random.uniform(0.85, 1, 3), 0.1)
    return [*rows, dark, pale]


DARK, PALE = 4, 5  # rows of a palette of four
