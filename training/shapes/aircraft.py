"""Aircraft: aeroplanes, helicopters, rockets; the nose towards -Y."""

from __future__ import annotations

import numpy as np

from .palette import DARK, palette
from .program import Program, rotation

SPAN = rotation((1, 0, 0), 90)  # a plate's outline, drawn as (x, y towards the nose), laid level


def aircraft(random: np.random.Generator) -> Program:
    """One of aeroplane, helicopter, rocket."""
    program = Program(materials=palette(random))
    kind = random.random()
    if kind < 0.6:
        _aeroplane(program, random)
    elif kind < 0.8:
        _helicopter(program, random)
    else:
        _rocket(program, random)
    return program


def _wing(root: float, span: float, tip: float, sweep: float) -> np.ndarray:
    """(4, 2) the right half of a wing, from the middle; second axis forwards."""
    return np.array(
        ((0, root / 2), (span, tip / 2 - sweep), (span, -tip / 2 - sweep), (0, -root / 2))
    )


def _aeroplane(program: Program, random: np.random.Generator) -> None:
    u = random.uniform
    long, radius, high = u(0.5, 0.8), u(0.06, 0.15), 0.4
    nose, tail = np.array((0, -long, high)), np.array((0, long, high + u(0, 0.08)))
    with program.styled(blend=0.03):
        program.ellipsoid((0, 0, high), (radius, long * 1.05, radius * u(0.9, 1.2)))
        program.limb(nose * (1, 0.75, 1), tail, (radius, radius * u(0.25, 0.6)))
        with program.styled(mirror=(0,), material=int(random.choice((0, 1)))):
            level = high + radius * random.choice((-0.6, 0, 0.8))
            span, sweep = u(0.5, 0.95), u(-0.05, 0.4)
            wing = _wing(u(0.2, 0.4), span, u(0.06, 0.25), sweep)
            tilt = rotation((0, 1, 0), -u(-5, 8))
            program.plate(wing, u(0.025, 0.05), (0, u(-0.15, 0.1), level), 0.01, tilt @ SPAN)
            if random.random() < 0.2:
                program.plate(wing, 0.03, (0, -0.05, level + 0.25), 0.01, SPAN)
                program.limb(
                    (span * 0.7, -0.05, level), (span * 0.7, -0.05, level + 0.25), (0.01, 0.01)
                )
            fin = _wing(u(0.12, 0.22), u(0.2, 0.35), u(0.06, 0.12), u(0, 0.15))
            program.plate(fin, 0.025, tail + (0, -0.08, 0), 0.01, SPAN)
        with program.styled(material=1):
            upright = rotation((0, 1, 0), -90) @ SPAN
            fin = _wing(u(0.15, 0.28), u(0.18, 0.32), u(0.06, 0.14), u(0, 0.2))
            program.plate(fin, 0.025, tail + (0, -0.1, 0), 0.01, upright)
    with program.styled(material=DARK):
        program.ellipsoid(
            (0, -long * u(0.4, 0.7), high + radius * 0.6), (radius * 0.7, 0.14, radius * 0.6)
        )
    with program.styled(material=2, mirror=(0,)):
        if random.random() < 0.5:
            at = np.array((span * u(0.3, 0.6), -0.05, level - radius * 0.5))
            program.cone(at - (0, 0.12, 0), at + (0, 0.12, 0), (radius * 0.5, radius * 0.35))
        elif random.random() < 0.5:
            program.limb((0, -long, high), (u(0.15, 0.3), -long, high), (0.015, 0.03), 0.5)
        if random.random() < 0.5:
            wheel = np.array((radius + 0.08, -0.1, high - radius - 0.1))
            program.limb((0, -0.1, high - radius * 0.5), wheel, (0.012, 0.012))
            program.cone(wheel, wheel + (0.03, 0, 0), (0.05, 0.05))


def _helicopter(program: Program, random: np.random.Generator) -> None:
    u = random.uniform
    body = np.array((u(0.15, 0.22), u(0.25, 0.4), u(0.16, 0.24)))
    with program.styled(blend=0.05):
        program.ellipsoid((0, 0, 0.4), body)
        end = np.array((0, body[1] + u(0.35, 0.6), 0.47))
        program.limb((0, body[1] * 0.5, 0.45), end, (body[2] * 0.5, 0.03))
    with program.styled(material=DARK):
        program.ellipsoid((0, -body[1] * 0.45, 0.44), body * (0.85, 0.6, 0.75))
    with program.styled(material=1):
        top = 0.4 + body[2]
        program.cone((0, 0, top - 0.05), (0, 0, top + 0.1), (0.04, 0.025))
        with program.styled(around=int(random.integers(2, 5))):
            program.box((0.35, 0, top + 0.1), (0.36, 0.03, 0.008), 0.004)
        program.box(end + (0.03, 0, 0.05), (0.01, 0.03, u(0.1, 0.16)), 0.004)
        program.box(end + (0, -0.03, 0.06), (0.012, 0.06, 0.1), 0.004)
    with program.styled(material=2, mirror=(0,)):
        skid = np.array((body[0] * 0.9, 0, 0.4 - body[2] - 0.1))
        program.limb(skid - (0, 0.25, 0), skid + (0, 0.25, 0), (0.015, 0.015))
        for y in (-0.12, 0.12):
            program.limb((body[0] * 0.4, y, 0.3), skid + (0, y, 0), (0.012, 0.012))


def _rocket(program: Program, random: np.random.Generator) -> None:
    u = random.uniform
    radius, high = u(0.09, 0.22), u(0.6, 1.2)
    program.cone((0, 0, 0.1), (0, 0, high), (radius * u(0.8, 1.1), radius), 0.01)
    with program.styled(material=1, blend=0.02):
        if random.random() < 0.5:
            program.ellipsoid((0, 0, high), (radius, radius, radius * u(1, 3)))
        else:
            program.cone((0, 0, high), (0, 0, high + radius * u(1, 3)), (radius, 0.01), 0.005)
    with program.styled(material=2, around=int(random.integers(3, 5))):
        fin = np.array(
            ((0, 0), (u(0.12, 0.3), -u(0.05, 0.25)), (u(0.1, 0.25), 0.02), (0, u(0.2, 0.4)))
        )
        program.plate(fin, 0.03, (radius * 0.9, 0, 0.15))
    with program.styled(material=DARK):
        program.cone((0, 0, 0), (0, 0, 0.12), (radius * 0.8, radius * 0.4))
        program.ball((0, -radius * 0.75, high * 0.75), radius * 0.4)
