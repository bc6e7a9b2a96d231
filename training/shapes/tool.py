"""Hand tools and cutlery: a handle with something at its end, or two halves on a pivot."""

from __future__ import annotations

import numpy as np

from .outline import random_outline, smooth
from .palette import palette
from .program import Program, rotation


def tool(random: np.random.Generator) -> Program:
    """A tool drawn upright along Z, then laid, leant or stood up."""
    program = Program(materials=palette(random))
    if random.random() < 0.18:
        _pliers(program, random)
    else:
        length = _handle(program, random)
        with program.styled(material=1):
            _working_end(program, random, length)
    return _laid(program, random)


def _laid(program: Program, random: np.random.Generator) -> Program:
    """The same program, turned: upright, leaning, lying along any direction."""
    tilt = float(random.choice((0, 90, 90, random.uniform(0, 180))))
    turn = rotation((0, 0, 1), random.uniform(0, 360)) @ rotation((1, 0, 0), tilt)
    turn = turn @ rotation((0, 0, 1), random.uniform(0, 360))
    for row in program.rows:
        row[4:7] = turn @ row[4:7]
        row[7:16] = (row[7:16].reshape(3, 3) @ turn.T).ravel()
    return program


def _handle(program: Program, random: np.random.Generator) -> float:
    u = random.uniform
    length, radius = u(0.4, 1.0), u(0.03, 0.09)
    flat = u(0.4, 1.0)
    if random.random() < 0.5:
        program.cone((0, 0, 0), (0, 0, length), (radius, radius * u(0.5, 1)), 0.02, flat)
    else:
        waist = (0, 0, length * u(0.3, 0.6))
        radii = (radius, radius * u(0.7, 1.2), radius * u(0.5, 0.9))
        program.tube(((0, 0, 0), waist, (0, 0, length)), radii, flat)
    if random.random() < 0.3:
        with program.styled(material=2):
            program.ellipsoid((0, 0, 0), (radius * 1.3, radius * 1.3 * flat, radius * u(0.8, 2)))
    return length


def _working_end(program: Program, random: np.random.Generator, at: float) -> None:
    u = random.uniform
    kind = random.integers(8)
    if kind == 0:
        back, front = u(0.05, 0.25), u(0.1, 0.35)
        radius = u(0.05, 0.12)
        program.cone(
            (0, 0, at), (-front, 0, at + u(-0.05, 0.05)), (radius, radius * u(0.2, 1.1)), 0.01
        )
        program.cone((0, 0, at), (back, 0, at), (radius, radius * u(0.6, 1.2)), 0.02)
    elif kind == 1:
        blade = np.array(((-0.03, -0.1), (0.04, -0.1), (u(0.15, 0.35), 0.18), (u(0.1, 0.3), -0.22)))
        program.plate(smooth(blade, 1), u(0.03, 0.08), (0, 0, at), 0.01)
    elif kind == 2:
        long = u(0.2, 0.8)
        wide = u(0.03, 0.12)
        blade = np.array(((-wide, 0), (wide, 0), (wide, long * u(0.6, 1)), (0, long)))
        program.plate(blade, u(0.012, 0.05), (0, 0, at - 0.02))
    elif kind == 3:
        bowl = (u(0.08, 0.2), u(0.02, 0.08), u(0.1, 0.25))
        with program.styled(hollow=0.012, cut=(0, -1, 0, 0.25 * bowl[1])):
            program.ellipsoid((0, 0, at + bowl[2] * 0.9), bowl)
    elif kind == 4:
        program.limb((0, 0, at), (0, 0, at + u(0.2, 0.6)), (u(0.015, 0.04), u(0.01, 0.03)))
        program.box((0, 0, at + 0.5), (u(0.02, 0.05), 0.012, 0.03))
    elif kind == 5:
        program.plate(random_outline(random) * u(0.12, 0.3), u(0.03, 0.12), (0, 0, at + 0.1), 0.02)
    elif kind == 6:
        prongs = int(random.integers(2, 6))
        wide, long = u(0.05, 0.2), u(0.15, 0.4)
        program.box((0, 0, at), (wide, 0.02, 0.02))
        for x in np.linspace(-wide, wide, prongs):
            program.limb((x, 0, at), (x, u(-0.02, 0.02), at + long), (0.018, 0.01))
    else:
        size = (u(0.06, 0.25), u(0.03, 0.12), u(0.05, 0.25))
        program.box((0, 0, at + size[2] * 0.8), size, 0.02)
        with program.styled(material=3):
            program.box(
                (0, -size[1] * 0.9, at + size[2] * 0.8), (size[0] * 0.9, 0.06, size[2] * 0.9)
            )


def _pliers(program: Program, random: np.random.Generator) -> None:
    u = random.uniform
    open_by, long, jaw = u(0.05, 0.3), u(0.4, 0.8), u(0.15, 0.5)
    radius = u(0.02, 0.05)
    with program.styled(mirror=(0,)):
        knee = (open_by * u(0.6, 1.2), 0, -long * 0.4)
        program.tube(((0, 0, 0), knee, (open_by, 0, -long)), (radius,) * 3, u(0.5, 1))
        with program.styled(material=1):
            program.limb(
                (0, 0, 0), (open_by * u(-0.1, 0.5), 0, jaw), (radius * 1.4, radius * 0.5), 0.5
            )
        if random.random() < 0.4:
            program.ring((open_by + 0.06, 0, -long), (u(0.07, 0.12), radius * 0.8), (0, 1, 0))
    with program.styled(material=2):
        program.cone((0, -radius, 0), (0, radius, 0), (radius * 1.5, radius * 1.5))
