"""Road vehicles: cars from a side profile, buses and vans, lorries; the front faces -Y."""

from __future__ import annotations

import numpy as np

from .. import distance as k
from .outline import smooth
from .palette import DARK, PALE, palette
from .program import Program, rotation

SIDE = rotation((0, 0, 1), 90)  # a plate's outline, drawn as (length, height), turned along Y


def road(random: np.random.Generator) -> Program:
    """One of car, box on wheels, lorry."""
    program = Program(materials=palette(random))
    kind = random.random()
    if kind < 0.45:
        _car(program, random)
    elif kind < 0.75:
        _van(program, random)
    else:
        _lorry(program, random)
    return program


def _wheels(
    program: Program, random: np.random.Generator, half: float, radius: float, stations: list[float]
) -> None:
    thick = radius * random.uniform(0.4, 0.9)
    for station in stations:
        with program.styled(material=DARK, mirror=(0,), blend=0.0):
            start = np.array((half - thick * 0.8, station, radius))
            program.cone(start, start + (thick, 0, 0), (radius, radius), radius * 0.2)
            with program.styled(material=PALE):
                hub = start + (thick * 0.5, 0, 0)
                program.cone(hub, hub + (thick * 0.55, 0, 0), (radius * 0.5, radius * 0.45))


def _car(program: Program, random: np.random.Generator) -> None:
    u = random.uniform
    half, radius = u(0.2, 0.3), u(0.08, 0.13)
    floor, waist, roof = radius * u(0.6, 1.1), u(0.2, 0.32), u(0.38, 0.55)
    bonnet, boot = u(-0.35, -0.1), u(0.15, 0.5)
    nose, tail = waist * u(0.75, 1), waist * u(0.8, 1.1)
    body = np.array(
        ((-0.6, floor), (0.6, floor), (0.62, tail), (-0.3, waist + 0.03), (-0.62, nose))
    )
    lean = u(0.03, 0.2)
    cabin = np.array(
        ((bonnet - 0.03, waist - 0.05), (boot, waist - 0.05), (boot - lean * u(0, 1), roof),
         (bonnet + lean, roof))
    )  # fmt: skip
    with program.styled(blend=0.02):
        program.plate(smooth(body, 1), 2 * half, rounding=u(0.02, 0.1), turn=SIDE)
        program.plate(smooth(cabin, 1), 2 * half * u(0.75, 0.95), rounding=u(0.02, 0.09), turn=SIDE)
    with program.styled(material=DARK):
        glass = (cabin - cabin.mean(axis=0)) * (0.8, 0.72) + cabin.mean(axis=0)
        program.plate(glass, 2 * half * u(0.86, 0.97), rounding=0.01, turn=SIDE)
        if random.random() < 0.7:
            ahead = (cabin - cabin.mean(axis=0)) * (1.02, 0.7) + cabin.mean(axis=0)
            program.plate(ahead, 2 * half * 0.65, rounding=0.01, turn=SIDE)
    with program.styled(material=PALE, mirror=(0,)):
        program.ellipsoid((half * 0.7, -0.6, (floor + nose) / 2 + 0.03), (0.05, 0.03, 0.03))
    _wheels(program, random, half, radius, [u(-0.44, -0.34), u(0.32, 0.44)])


def _van(program: Program, random: np.random.Generator) -> None:
    u = random.uniform
    long, half, high = u(0.45, 1.1), u(0.18, 0.28), u(0.2, 0.34)
    radius = u(0.06, 0.11)
    rounding = u(0.01, 0.09)
    centre = (0, 0, radius * 0.7 + high)
    program.box(centre, (half, long, high), rounding, (u(-0.1, 0.0), u(-0.06, 0.0)))
    top, low = centre[2] + high * u(0.6, 0.8), centre[2] + high * u(-0.1, 0.2)
    middle, tall = (top + low) / 2, (top - low) / 2
    with program.styled(material=DARK):
        program.box((0, -long * 0.97, middle), (half * 0.86, 0.05, tall), 0.02)
        count = int(random.integers(1, 8))
        span = long * u(0.7, 0.9)
        for index in range(count):
            y = -span + (index + 0.5) * 2 * span / count
            program.box((0, y, middle), (half * 0.985, span / count * 0.8, tall * 0.9), 0.01)
    if random.random() < 0.6:
        with program.styled(material=1):
            band = centre[2] - high * u(0.2, 0.7)
            program.box((0, 0, band), (half * 1.005, long * 1.003, high * 0.15), 0.005)
    with program.styled(material=PALE, mirror=(0,)):
        program.ball((half * 0.7, -long, radius + high * 0.3), 0.03)
    _wheels(program, random, half, radius, [-long * u(0.5, 0.75), long * u(0.4, 0.75)])


def _lorry(program: Program, random: np.random.Generator) -> None:
    u = random.uniform
    half, radius, deck = u(0.18, 0.25), u(0.07, 0.11), u(0.12, 0.18)
    cab, load = u(0.12, 0.2), u(0.3, 0.7)
    high, tall = u(0.14, 0.22), u(0.1, 0.28)
    front = np.array((0, -cab, deck + high))
    program.box((0, load, deck), (half * 0.8, cab + load, 0.04), 0.01)
    program.box(front, (half, cab, high), u(0.01, 0.06), (u(-0.1, 0), u(-0.3, 0)))
    with program.styled(material=DARK):
        program.box(
            front + (0, -cab * 0.6, high * 0.4), (half * 0.85, cab * 0.38, high * 0.4), 0.01
        )
        program.box(front + (0, 0, high * 0.4), (half * 0.99, cab * 0.5, high * 0.35), 0.01)
    kind = random.integers(4)
    with program.styled(material=1):
        middle = np.array((0, load + 0.04, deck + tall + 0.03))
        if kind == 0:
            program.box(middle, (half * 1.05, load, tall), u(0.005, 0.05))
        elif kind == 1:
            ends = middle - (0, load, 0), middle + (0, load, 0)
            program.cone(*ends, (min(tall, half) * 1.1,) * 2, 0.04, 1)
        elif kind == 2:
            program.box(middle, (half * 1.05, load, tall), 0.01, (u(0, 0.2), u(0, 0.1)))
            with program.styled(operation=k.SUBTRACT):
                program.box(middle + (0, 0, tall * 0.3), (half * 0.9, load * 0.93, tall), 0.01)
        else:
            arm = np.array((0, load * u(0.3, 1.2), deck + u(0.3, 0.6)))
            program.tube(
                ((0, load, deck), arm, arm - (0, u(0.2, 0.7), u(-0.1, 0.3))), (0.06, 0.05, 0.03)
            )
            program.cone((0, load, deck), (0, load, deck + 0.12), (half, half * 0.8))
    _wheels(program, random, half, radius, [-cab, load * 0.9, load * 1.35])
