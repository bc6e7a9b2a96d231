"""Birds: perched, standing, swimming or with wings spread."""

from __future__ import annotations

import numpy as np

from .palette import DARK, palette
from .program import Program, rotation


def bird(random: np.random.Generator) -> Program:
    """An egg of a body, neck and head with a beak, wings, tail, two thin legs or none."""
    u = random.uniform
    program = Program(materials=palette(random))
    pitch = u(-5, 60)
    turn = rotation((1, 0, 0), -pitch)
    long, wide, deep = u(0.35, 0.5), u(0.16, 0.3), u(0.16, 0.3)
    forward, up = turn @ (0, -1, 0), turn @ (0, 0, 1)
    centre = np.array((0, 0, 0.5))
    with program.styled(blend=u(0.03, 0.08)):
        program.ellipsoid(centre, (wide, long, deep), turn)
        head = _head(program, random, centre + forward * long * 0.75 + up * deep * 0.3, deep)
        tail = centre - forward * long * 0.8
        end = tail - forward * u(0.15, 0.5) + up * u(-0.05, 0.15)
        with program.styled(material=1):
            program.limb(tail, end, (0.05, u(0.05, 0.16)), u(0.25, 0.6))
    del head
    with program.styled(mirror=(0,), material=1, blend=0.02):
        if random.random() < 0.3:
            _spread(program, random, centre + up * deep * 0.4, wide)
        else:
            side = centre + (wide * 0.75, 0, 0.02) - forward * long * 0.2
            program.ellipsoid(side, (wide * 0.35, long * u(0.7, 0.95), deep * u(0.5, 0.8)), turn)
        if random.random() < 0.75:
            with program.styled(material=2):
                foot = np.array((wide * 0.45, centre[1], 0.5 - deep - u(0.08, 0.4)))
                radius = u(0.015, 0.04)
                program.limb(centre + (wide * 0.4, 0, -deep * 0.6), foot, (radius * 1.4, radius))
                program.ellipsoid(foot + (0, -0.05, 0), (0.06, 0.1, radius * 1.2))
    return program


def _head(program: Program, random: np.random.Generator, at: np.ndarray, deep: float) -> np.ndarray:
    u = random.uniform
    size = deep * u(0.45, 0.8)
    neck = u(0.05, 0.15) if random.random() < 0.7 else u(0.2, 0.5)
    head = at + (0, -u(0, 0.15), neck)
    program.limb(at, head, (size * 0.9, size * 0.75))
    with program.styled(material=int(random.choice((0, 0, 3)))):
        program.ball(head, size)
    with program.styled(material=2, blend=0.0):
        beak = head + (0, -size * u(1.4, 3), -size * u(-0.1, 0.5))
        program.limb(
            head + (0, -size * 0.5, 0), beak, (size * 0.45, size * u(0.04, 0.3)), u(0.4, 1)
        )
    with program.styled(material=DARK, mirror=(0,), blend=0.0):
        program.ball(head + (size * 0.72, -size * 0.5, size * 0.35), size * 0.2)
    if random.random() < 0.3:
        with program.styled(material=3, blend=0.01):
            comb = head + (0, size * u(0, 0.5), size * u(0.8, 1.4))
            program.ellipsoid(comb, (size * 0.15, size * u(0.4, 0.9), size * u(0.4, 0.7)))
    return head


def _spread(program: Program, random: np.random.Generator, root: np.ndarray, wide: float) -> None:
    u = random.uniform
    lift = np.radians(u(-20, 60))
    way = np.array((np.cos(lift), u(-0.3, 0.4), np.sin(lift)))
    elbow = root + (wide * 0.4, 0, 0) + way * u(0.25, 0.45)
    tip = elbow + (u(0.2, 0.45), u(0, 0.3), u(-0.2, 0.2))
    flat = u(0.12, 0.3)
    turn = rotation((0, 1, 0), -np.degrees(lift))
    program.ellipsoid((root + elbow) / 2, (0.3, u(0.12, 0.2), 0.04), turn)
    program.ellipsoid((elbow + tip) / 2, (0.28, u(0.1, 0.18), 0.03 + 0.02 * flat))
