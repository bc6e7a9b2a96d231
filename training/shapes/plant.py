"""Plants: trees of several growths, cacti, potted leaves, flowers, mushrooms."""

from __future__ import annotations

import numpy as np

from .palette import colour, palette, plain
from .program import Program, rotation


def plant(random: np.random.Generator) -> Program:
    """One growth of five; leaves are green three times in four."""
    program = Program(materials=palette(random))
    if random.random() < 0.75:
        program.materials[0] = plain(colour(random, random.uniform(0.2, 0.42)), 0.05)
        program.materials[0][14] = 0.5
        program.materials[1] = plain(colour(random, 0.07), 0.0)
    kinds = (_broad_tree, _fir, _cactus, _pot, _mushroom, _branching)
    kinds[random.integers(len(kinds))](program, random)
    return program


def _broad_tree(program: Program, random: np.random.Generator) -> None:
    u = random.uniform
    high, radius = u(0.3, 0.7), u(0.03, 0.1)
    with program.styled(material=1):
        program.limb((0, 0, 0), (u(-0.1, 0.1), u(-0.1, 0.1), high), (radius, radius * 0.7))
    crown = u(0.2, 0.4)
    bump = (u(0.01, 0.03), u(15, 40)) if random.random() < 0.6 else (0.0, 1.0)
    with program.styled(blend=u(0.0, 0.1), bump=bump):
        for _ in range(int(random.integers(1, 9))):
            at = np.array((0, 0, high + crown * 0.6)) + random.normal(0, 0.5, 3) * crown
            program.ellipsoid(at, crown * u(0.45, 0.9, 3))
        program.ball((0, 0, high + crown * 0.5), crown * 0.8)


def _fir(program: Program, random: np.random.Generator) -> None:
    u = random.uniform
    with program.styled(material=1):
        program.cone((0, 0, 0), (0, 0, 0.3), (u(0.04, 0.08), 0.05))
    layers, low, high, wide = int(random.integers(1, 6)), u(0.08, 0.3), u(0.7, 1.2), u(0.2, 0.45)
    for index in range(layers):
        z = low + (high - low) * index / layers
        radius = wide * (1 - index / (layers + 0.5))
        top = z + (high - low) / layers * u(1.0, 1.6)
        program.cone((0, 0, z), (0, 0, top), (radius, radius * u(0.02, 0.3)), 0.01)


def _cactus(program: Program, random: np.random.Generator) -> None:
    u = random.uniform
    radius, high = u(0.08, 0.16), u(0.4, 0.9)
    program.limb((0, 0, 0), (0, 0, high), (radius, radius * u(0.8, 1.1)))
    for side in (1, -1):
        if random.random() < 0.75:
            z, out = high * u(0.3, 0.7), u(0.2, 0.3)
            knee = np.array((side * out, u(-0.1, 0.1), z))
            with program.styled(blend=0.03):
                points = ((0, 0, z), knee, knee + (0, 0, u(0.15, 0.4)))
                program.tube(points, (radius * 0.6,) * 3)
    if random.random() < 0.5:
        _planter(program, random, radius * 2)


def _planter(program: Program, random: np.random.Generator, radius: float) -> None:
    tall = random.uniform(0.15, 0.35)
    with program.styled(material=2):
        program.cone((0, 0, -tall), (0, 0, 0.03), (radius * random.uniform(0.6, 1), radius), 0.02)


def _pot(program: Program, random: np.random.Generator) -> None:
    u = random.uniform
    radius = u(0.12, 0.25)
    _planter(program, random, radius)
    count, rise = int(random.integers(4, 10)), u(0.1, 0.7)
    for layer in range(int(random.integers(1, 3))):
        with program.styled(around=count, material=0):
            out = np.array((u(0.15, 0.35), 0, rise * (1 + layer * 0.5) * 0.5))
            tip = out * 1.6 + (0, 0, u(-0.2, 0.3))
            base = rotation((0, 0, 1), layer * 180 / count)
            program.tube(
                (base @ (0, 0, 0), base @ out, base @ tip), (0.02, u(0.04, 0.1), 0.01), 0.35
            )
    if random.random() < 0.35:
        with program.styled(material=3):
            program.limb((0, 0, 0), (0, 0, rise + 0.3), (0.02, 0.015))
            with program.styled(around=int(random.integers(4, 9))):
                program.ellipsoid((0.1, 0, rise + 0.32), (0.1, u(0.04, 0.08), 0.03))
            program.ball((0, 0, rise + 0.33), 0.06)


def _mushroom(program: Program, random: np.random.Generator) -> None:
    u = random.uniform
    for _ in range(int(random.integers(1, 4))):
        foot = np.array((*random.normal(0, 0.18, 2), 0))
        high, wide = u(0.2, 0.6), u(0.15, 0.35)
        with program.styled(material=1):
            top = foot + (0, 0, high)
            program.limb(foot, top, (wide * u(0.2, 0.45), wide * u(0.15, 0.35)))
        with program.styled(material=0, cut=(0, 0, -1, wide * u(0, 0.3))):
            program.ellipsoid(foot + (0, 0, high), (wide, wide, wide * u(0.4, 1)))


def _branching(program: Program, random: np.random.Generator) -> None:
    """A chain that forks: bare trees, corals, antlers."""
    u = random.uniform
    ends = [(np.zeros(3), np.array((0, 0, 1.0)), u(0.05, 0.12), u(0.25, 0.45))]
    with program.styled(material=1, blend=0.02):
        for _ in range(int(random.integers(5, 14))):
            at, way, radius, step = ends.pop(0)
            tip = at + way * step
            program.limb(at, tip, (radius, radius * 0.75))
            for _ in range(2):
                turned = way + random.normal(0, 0.55, 3)
                ends.append((tip, turned / np.linalg.norm(turned), radius * 0.7, step * 0.85))
    if random.random() < 0.4:
        for at, _, _, _ in ends:
            program.ball(at, u(0.06, 0.15))
