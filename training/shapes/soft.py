"""Soft bodies: blobs melted together, and fruit and other grown rounds."""

from __future__ import annotations

import numpy as np

from .outline import smooth
from .palette import colour, palette, plain
from .program import Program


def blob(random: np.random.Generator) -> Program:
    """Balls melted together, dented and wavy: clouds, stones, clay, toys."""
    u = random.uniform
    program = Program(materials=palette(random))
    count = int(random.integers(1, 8))
    mirror = (0,) if random.random() < 0.4 else ()
    bump = (u(0.01, 0.06), u(4, 18)) if random.random() < 0.5 else (0.0, 1.0)
    place = np.zeros(3)
    with program.styled(blend=u(0.05, 0.35), mirror=mirror, bump=bump):
        for index in range(count):
            size = u(0.15, 0.4)
            with program.styled(material=0 if random.random() < 0.7 else index % 4):
                program.ellipsoid(place, size * np.exp(random.normal(0, 0.35, 3)))
            step = random.normal(size=3)
            place = place * 0.7 + step / np.linalg.norm(step) * size * 1.1
    if random.random() < 0.3:
        program.bend(tuple(random.normal(0, 0.35, 2)), twist=float(random.normal(0, 0.6)))
    return program


def fruit(random: np.random.Generator) -> Program:
    """A turned or bent body with a dimple, ribs or a bunch, stalk and leaf."""
    u = random.uniform
    program = Program(materials=palette(random))
    program.materials[2] = plain(colour(random, 0.28), 0.1)
    kind = random.integers(6)
    top = 0.3
    if kind == 0:
        radius = np.array((0.02, u(0.15, 0.3), u(0.3, 0.42), u(0.28, 0.42), u(0.12, 0.3), 0.04))
        height = np.array((-0.38, -0.42, -0.2, u(0.0, 0.15), 0.36, u(0.22, 0.33)))
        line = smooth(np.stack((radius, height), axis=1), 2, closed=False)
        program.lathe(np.concatenate(([(0, line[0, 1])], line, [(0, line[-1, 1])])), rounding=0.01)
    elif kind == 1:
        ribs, tall = int(random.integers(5, 12)), u(0.2, 0.3)
        with program.styled(around=ribs, blend=u(0.02, 0.08)):
            program.ellipsoid((0.2, 0, 0), (0.22, u(0.1, 0.15), tall))
    elif kind == 2:
        angle = np.linspace(-u(0.4, 1.2), u(0.4, 1.2), 7)
        points = np.stack((np.cos(angle) * 0.8 - 0.7, 0 * angle, np.sin(angle) * 0.8), axis=1)
        radii = 0.13 * np.sin(np.linspace(0.35, 2.8, 7)) * u(0.8, 1.4) + 0.02
        with program.styled(blend=0.02):
            program.tube(list(points), list(radii))
        top = float(points[-1, 2])
    elif kind == 3:
        program.limb((0, 0, -0.4), (0, 0, 0.3), (0.06, 0.1))
        for _ in range(int(random.integers(8, 24))):
            z = u(-0.4, 0.3)
            at = random.normal(0, 0.12 * (1 + z), 2)
            program.ball((*at, z), u(0.08, 0.13))
    elif kind == 4:
        program.ellipsoid((0, 0, 0), (u(0.2, 0.35), u(0.2, 0.35), u(0.25, 0.5)))
    else:
        with program.styled(blend=0.1):
            program.ball((0, 0, -0.15), u(0.25, 0.35))
            program.ball((0, 0, 0.2), u(0.12, 0.22))
    _stalk(program, random, top)
    return program


def _stalk(program: Program, random: np.random.Generator, top: float) -> None:
    u = random.uniform
    with program.styled(material=1):
        if random.random() < 0.7:
            end = (u(-0.08, 0.08), u(-0.08, 0.08), top + u(0.1, 0.3))
            program.limb((0, 0, top - 0.1), end, (u(0.012, 0.035), u(0.015, 0.04)))
    with program.styled(material=2, around=int(random.integers(1, 6))):
        if random.random() < 0.5:
            long = u(0.1, 0.25)
            program.ellipsoid((long, 0, top + u(0, 0.08)), (long, long * u(0.2, 0.5), 0.02))
