"""Free compositions: primitives of all kinds put together without a plan."""

from __future__ import annotations

import numpy as np

from .. import distance as k
from .outline import random_outline, random_profile
from .palette import palette
from .program import Program, rotation


def random_turn(random: np.random.Generator) -> np.ndarray:
    """(3, 3) half the time upright, else any."""
    if random.random() < 0.5:
        return rotation((0, 0, 1), random.choice((0, 0, 45, random.uniform(0, 360))))
    return rotation(random.normal(size=3), random.uniform(0, 360))


def random_part(
    program: Program, random: np.random.Generator, centre: np.ndarray, size: float
) -> None:
    """Add one primitive of about ``size`` at ``centre``."""
    half = size * np.exp(random.normal(0, 0.45, 3))
    turn = random_turn(random)
    kind = random.integers(7)
    if kind == 0:
        program.ellipsoid(centre, half, turn)
    elif kind == 1:
        rounding = min(half) * random.choice((0.05, 0.3, 0.8))
        program.box(centre, half, rounding, tuple(random.normal(0, 0.2, 2).clip(-0.6, 0.6)), turn)
    elif kind == 2:
        way = turn[:, 2] * half[2] * 1.3
        program.limb(centre - way, centre + way, (half[0] * 0.6, half[1] * 0.6))
    elif kind == 3:
        way = turn[:, 2] * half[2]
        low = half[0] if random.random() < 0.6 else half[1]
        program.cone(centre - way, centre + way, (low, half[0]), 0.1 * min(half))
    elif kind == 4:
        program.ring(centre, (half[0], 0.35 * min(half[:2])), turn[:, 2])
    elif kind == 5:
        program.lathe(random_profile(random) * size * 1.2, centre, 0.0, 1.0, turn)
    else:
        program.plate(random_outline(random) * size, half[1], centre, 0.1 * half[1], turn)


def composition(random: np.random.Generator) -> Program:
    """Two to nine parts, joined hard or soft, some cut away, often mirrored, sometimes bent."""
    program = Program(materials=palette(random))
    mirror = (0,) if random.random() < 0.5 else ()
    blend = float(random.choice((0, 0.06, 0.2)))
    count = int(random.integers(2, 10))
    place = np.zeros(3)
    for index in range(count):
        size = 0.45 * float(np.exp(random.normal(-0.1 * index, 0.3)))
        bump = (0.03 * size, 6 / size) if random.random() < 0.15 else (0.0, 1.0)
        cut = index > 1 and random.random() < 0.2
        with program.styled(
            material=int(random.integers(6)),
            blend=blend * size,
            mirror=mirror,
            bump=bump,
            operation=k.SUBTRACT if cut else k.UNION,
        ):
            random_part(program, random, place, size * (0.7 if cut else 1))
        before, step = place, random.normal(size=3)
        place = place * random.uniform(0.3, 1) + step / np.linalg.norm(step) * size * 0.8
        if index < count - 1 and random.random() < 0.7:
            with program.styled(material=int(random.integers(6)), mirror=mirror):
                radius = size * random.uniform(0.06, 0.25)
                program.limb(before, place, (radius, radius))
    if random.random() < 0.25:
        program.bend(tuple(random.normal(0, 0.3, 2)), (random.uniform(0, 0.15), 4, 0), 0.0)
    elif random.random() < 0.15:
        program.bend(twist=float(random.normal(0, 1.2)))
    return program
