"""Polygons: outlines of flat things and profiles of turned things.

Owns closed random polygons, star and gear outlines, smoothed profiles. Counter-clockwise or not
does not matter to the distance.
"""

from __future__ import annotations

import numpy as np


def smooth(points: np.ndarray, rounds: int = 1, closed: bool = True) -> np.ndarray:
    """(N, 2) corners cut off at a quarter of each side, ``rounds`` times (Chaikin's scheme)."""
    for _ in range(rounds):
        ahead = np.roll(points, -1, axis=0)
        pairs = np.stack((0.75 * points + 0.25 * ahead, 0.25 * points + 0.75 * ahead), axis=1)
        if closed:
            points = pairs.reshape(-1, 2)
        else:
            points = np.concatenate((points[:1], pairs[:-1].reshape(-1, 2), points[-1:]))
    return points


def star(spikes: int, outer: float, inner: float, phase: float = 0.0) -> np.ndarray:
    """(2 spikes, 2) points in turn on two circles."""
    angle = np.arange(2 * spikes) * np.pi / spikes + phase
    radius = np.where(np.arange(2 * spikes) % 2 == 0, outer, inner)
    return np.stack((np.cos(angle) * radius, np.sin(angle) * radius), axis=1)


def regular(corners: int, radius: float, phase: float = 0.0) -> np.ndarray:
    """(corners, 2) a regular polygon."""
    angle = np.arange(corners) * 2 * np.pi / corners + phase
    return np.stack((np.cos(angle), np.sin(angle)), axis=1) * radius


def rectangle(width: float, height: float) -> np.ndarray:
    """(4, 2) about the origin; whole width and height."""
    return np.array(((-1, -1), (1, -1), (1, 1), (-1, 1))) * (width / 2, height / 2)


def random_outline(random: np.random.Generator) -> np.ndarray:
    """(N, 2) a closed outline of radius about 1: round, star, gear, L, T, or freely drawn."""
    kind = random.integers(6)
    if kind == 0:
        return regular(int(random.integers(3, 9)), 1.0, random.uniform(0, 6))
    if kind == 1:
        return star(
            int(random.integers(4, 8)), 1.0, random.uniform(0.35, 0.8), random.uniform(0, 6)
        )
    if kind == 2:
        width, height = random.uniform(0.4, 1.2, 2)
        return rectangle(2 * width, 2 * height)
    if kind == 3:
        arm, leg = random.uniform(0.25, 0.8, 2)
        corners = [(-1, -1), (1, -1), (1, -1 + arm), (-1 + leg, -1 + arm), (-1 + leg, 1), (-1, 1)]
        return np.array(corners, float)
    angle = np.sort(random.uniform(0, 2 * np.pi, int(random.integers(5, 10))))
    angle = np.linspace(0, 2 * np.pi, len(angle), endpoint=False) * 0.7 + angle * 0.3
    radius = random.uniform(0.45, 1.1, len(angle))
    points = np.stack((np.cos(angle), np.sin(angle)), axis=1) * radius[:, None]
    return smooth(points, 1) if random.random() < 0.6 else points


def random_profile(random: np.random.Generator, knots: int = 0) -> np.ndarray:
    """(N, 2) radius and height of a closed turned solid, heights -1 to 1."""
    knots = knots or int(random.integers(2, 6))
    height = np.linspace(-1, 1, knots) + np.pad(random.uniform(-0.15, 0.15, knots - 2), 1)
    radius = np.abs(random.normal(0.6, 0.25, knots)).clip(0.12, 1.1)
    line = np.stack((radius, height), axis=1)
    if random.random() < 0.6:
        line = smooth(line, 2, closed=False)
    return np.concatenate(([(0, -1)], line, [(0, 1)]))


def walled(profile: np.ndarray, wall: float, floor: float) -> np.ndarray:
    """(N, 2) the profile of an open vessel: up outside, down inside.

    Args:
        profile: (N, 2) radius and height of the outside from the floor to the rim, rising.
        wall: thickness.
        floor: thickness of the bottom.
    """
    inner = profile[::-1] - (wall, 0)
    inner[:, 0] = inner[:, 0].clip(0.01)
    inner[:, 1] = inner[:, 1].clip(profile[0, 1] + floor)
    ends = [(0.0, float(profile[0, 1] + floor))], [(0.0, float(profile[0, 1]))]
    return np.concatenate((ends[1], profile, inner, ends[0]))
