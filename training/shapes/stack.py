"""Mixed bodies: things on things, machines of boxes and pipes, toys of blocks, boats, shoes."""

from __future__ import annotations

import numpy as np

from .. import distance as k
from .composition import random_part
from .outline import smooth
from .palette import DARK, palette
from .program import Program, rotation


def pile(random: np.random.Generator) -> Program:
    """Blocks of several forms stacked up."""
    u = random.uniform
    program = Program(materials=palette(random))
    z, size = 0.0, u(0.3, 0.5)
    for index in range(int(random.integers(2, 7))):
        high = u(0.05, 0.25)
        shift = random.normal(0, 0.06, 2)
        with program.styled(material=index % 6):
            at = np.array((*shift, z + high))
            kind = random.integers(4)
            turn = rotation((0, 0, 1), u(0, 90))
            if kind == 0:
                program.box(
                    at, (size * u(0.5, 1), size * u(0.5, 1), high), u(0.005, 0.05), turn=turn
                )
            elif kind == 1:
                program.cone(at - (0, 0, high), at + (0, 0, high), (size, size * u(0.3, 1)), 0.02)
            elif kind == 2:
                program.ellipsoid(at, (size * u(0.6, 1), size * u(0.6, 1), high))
            else:
                program.ring(at, (size * 0.75, min(high, size * 0.3)))
        z += 1.8 * high
        size *= u(0.6, 1.1)
    return program


def machine(random: np.random.Generator) -> Program:
    """A mirrored body with panels, pipes, knobs, wheels, dishes and holes."""
    u = random.uniform
    program = Program(materials=palette(random))
    half = u(0.2, 0.5, 3)
    mirror = (0,) if random.random() < 0.6 else ()
    program.box((0, 0, 0), half, u(0.01, 0.15), tuple(u(-0.25, 0.25, 2)))
    for _ in range(int(random.integers(2, 8))):
        way = np.eye(3)[random.integers(3)] * random.choice((-1, 1))
        at = way * half + u(-0.7, 0.7, 3) * half * (way == 0)
        size = u(0.05, 0.2)
        with program.styled(material=int(random.integers(1, 6)), mirror=mirror):
            kind = random.integers(5)
            if kind == 0:
                program.cone(at, at + way * u(0.05, 0.4), (size, size * u(0.5, 1.3)))
            elif kind == 1:
                knee = at + way * u(0.1, 0.25)
                end = knee + np.roll(way, 1) * u(-0.5, 0.5)
                program.tube((at, knee, end), (size * 0.4,) * 3)
            elif kind == 2:
                with program.styled(operation=k.SUBTRACT):
                    program.cone(at - way * 0.1, at + way * 0.1, (size, size))
            elif kind == 3:
                program.ring(at, (size, size * u(0.15, 0.4)), way)
            else:
                random_part(program, random, at, size)
    return program


def boat(random: np.random.Generator) -> Program:
    """A hull, open or decked, with cabin, mast, funnel or sail."""
    u = random.uniform
    program = Program(materials=palette(random))
    long, wide, deep = u(0.6, 0.9), u(0.18, 0.3), u(0.15, 0.3)
    flat = rotation((1, 0, 0), 90)
    plan = np.array(
        (
            (-wide, -long * 0.8),
            (wide, -long * 0.8),
            (wide, long * 0.35),
            (0, long),
            (-wide, long * 0.35),
        )
    )
    program.plate(smooth(plan, 2), deep, (0, 0, deep / 2), deep * u(0.1, 0.45), flat)
    if random.random() < 0.5:
        with program.styled(operation=k.SUBTRACT, material=1):
            program.plate(smooth(plan, 2) * 0.88, deep, (0, 0, deep * u(0.75, 1)), 0.02, flat)
    with program.styled(material=2):
        if random.random() < 0.7:
            half = (wide * u(0.4, 0.8), long * u(0.15, 0.45), u(0.06, 0.18))
            at = np.array((0, u(-0.1, 0.3), deep + half[2] * 0.9))
            program.box(at, half, 0.02, (u(-0.2, 0), u(-0.2, 0)))
            with program.styled(material=DARK):
                program.box(
                    at + (0, 0, half[2] * 0.2), (half[0] * 1.0, half[1] * 0.8, half[2] * 0.3)
                )
        if random.random() < 0.4:
            program.cone((0, 0.15, deep), (0, 0.2, deep + u(0.25, 0.5)), (0.06, 0.05))
    with program.styled(material=3):
        if random.random() < 0.5:
            mast = u(0.6, 1.2)
            program.limb((0, -0.1, 0.05), (0, -0.1, mast), (0.02, 0.015))
            sail = np.array(((0.03, 0.25), (u(0.3, 0.6), 0.25), (0.03, mast * 0.95)))
            program.plate(sail, 0.02, (0, -0.1, 0), turn=rotation((0, 0, 1), 90 + u(-25, 25)))
    return program


def shoe(random: np.random.Generator) -> Program:
    """Footwear: a sole, a foot's upper, an opening, a shaft or a heel."""
    u = random.uniform
    program = Program(materials=palette(random))
    sole = np.array(
        ((-0.14, 0.5), (0.12, 0.5), (0.17, 0.0), (0.2, -0.35), (0.05, -0.55), (-0.16, -0.4))
    )
    flat = rotation((1, 0, 0), -90)
    with program.styled(material=1):
        thick = u(0.03, 0.1)
        program.plate(smooth(sole, 2), thick, (0, 0, thick / 2), 0.015, flat)
        if random.random() < 0.3:
            program.cone((0, 0.38, -u(0.05, 0.3)), (0, 0.38, 0.05), (u(0.03, 0.1), 0.12))
    shaft = u(0.2, 0.9)
    with program.styled(blend=u(0.05, 0.12)):
        program.ellipsoid((0.01, -0.22, 0.1), (0.17, 0.32, u(0.1, 0.18)))
        program.ellipsoid((0, 0.15, 0.13), (0.14, 0.36, u(0.14, 0.22)))
        program.cone((0, 0.33, 0.1), (0, 0.36, shaft), (0.15, u(0.11, 0.17)), 0.02)
    with program.styled(operation=k.SUBTRACT, material=2):
        program.cone((0, 0.36, shaft * 0.55), (0, 0.37, shaft + 0.1), (u(0.08, 0.1), 0.12), 0.02)
    with program.styled(material=3):
        for index in range(int(random.integers(0, 5))):
            y = -0.28 + index * 0.09
            program.limb(
                (-0.07, y, 0.24 + index * 0.02), (0.07, y, 0.24 + index * 0.02), (0.015, 0.015)
            )
    return program
