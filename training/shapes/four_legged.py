"""Animals on four legs, from mouse to giraffe, standing."""

from __future__ import annotations

import numpy as np

from .palette import DARK, palette
from .program import Program


def four_legged(random: np.random.Generator) -> Program:
    """Barrel, four jointed legs, neck, head with snout, ears or horns, tail; faces -Y."""
    u = random.uniform
    program = Program(materials=palette(random))
    blend = u(0.03, 0.12)
    length, girth, height = u(0.35, 0.6), u(0.14, 0.3), u(0.15, 0.6)
    belly = height + girth * 0.8
    slope = u(-0.08, 0.08)
    chest, rump = np.array((0, -length, belly + slope)), np.array((0, length, belly - slope))
    front, rear = girth * u(0.85, 1.1), girth * u(0.75, 1.15)
    with program.styled(blend=blend):
        program.ellipsoid((0, 0, belly), (girth * u(0.8, 1.1), length * 1.15, girth * u(0.8, 1.1)))
        program.ball(chest, front)
        program.ball(rump, rear)
        _legs(program, random, (chest, rump), (front, rear), height)
        head = _neck(program, random, chest, front)
        _head(program, random, head, front * u(0.55, 0.95))
        _tail(program, random, rump, rear)
    return program


def _legs(
    program: Program,
    random: np.random.Generator,
    ends: tuple[np.ndarray, np.ndarray],
    widths: tuple[float, float],
    height: float,
) -> None:
    u = random.uniform
    thick = u(0.22, 0.45)
    stride = u(-0.12, 0.12, 2) if random.random() < 0.5 else np.zeros(2)
    with program.styled(mirror=(0,), material=int(random.integers(2))):
        for end, width, step in zip(ends, widths, stride, strict=True):
            hip = end + (width * u(0.5, 0.8), 0, -0.2 * width)
            foot = np.array((hip[0] * u(0.8, 1.15), end[1] + step, 0.0))
            knee = (hip + foot) / 2 + (0, u(-0.08, 0.1), u(0, 0.05))
            radius = width * thick
            program.tube((hip, knee, foot), (radius * 1.4, radius, radius * u(0.6, 0.95)))
            if random.random() < 0.6:
                program.ellipsoid(
                    foot + (0, -radius * 0.5, 0), (radius, radius * 1.6, radius * 0.6)
                )


def _neck(
    program: Program, random: np.random.Generator, chest: np.ndarray, girth: float
) -> np.ndarray:
    u = random.uniform
    reach = u(0.1, 0.35) if random.random() < 0.8 else u(0.4, 0.8)
    lift = np.radians(u(0, 80))
    head = chest + (0, -girth * 0.5 - reach * np.cos(lift), girth * 0.4 + reach * np.sin(lift))
    program.tube((chest, head), (girth * u(0.6, 0.9), girth * u(0.35, 0.6)))
    return head


def _head(program: Program, random: np.random.Generator, at: np.ndarray, size: float) -> None:
    u = random.uniform
    program.ellipsoid(at, (size * u(0.7, 1), size * u(0.8, 1.2), size * u(0.7, 1)))
    snout = at + (0, -size * u(0.6, 1.5), -size * u(0, 0.5))
    program.limb(at, snout, (size * 0.7, size * u(0.3, 0.55)))
    with program.styled(mirror=(0,), blend=0.01):
        kind = random.integers(4)
        base = at + (size * 0.55, size * 0.2, size * 0.65)
        if kind == 0:
            program.ellipsoid(base, (size * 0.4, size * 0.15, size * u(0.3, 0.6)))
        elif kind == 1:
            tip = base + (size * u(-0.1, 0.6), size * u(-0.2, 0.5), size * u(0.4, 1.6))
            program.limb(base - (0, 0, 0.2 * size), tip, (size * 0.25, size * 0.06), u(0.3, 1))
        elif kind == 2:
            drop = base + (size * 0.35, 0, -size * u(0.3, 1.0))
            program.limb(base, drop, (size * 0.2, size * 0.3), 0.4)
        with program.styled(material=DARK):
            program.ball(at + (size * 0.5, -size * 0.75, size * 0.3), size * u(0.1, 0.2))


def _tail(program: Program, random: np.random.Generator, rump: np.ndarray, girth: float) -> None:
    u = random.uniform
    if random.random() < 0.15:
        return
    start = rump + (0, girth * 0.7, girth * 0.3)
    reach = u(0.1, 0.6)
    middle = start + (u(-0.1, 0.1), reach * 0.5, reach * u(-0.4, 0.5))
    end = middle + (u(-0.1, 0.1), reach * u(0, 0.5), reach * u(-0.7, 0.7))
    radius = girth * u(0.1, 0.4)
    with program.styled(material=int(random.integers(3))):
        program.tube((start, middle, end), (radius, radius * 0.8, radius * u(0.3, 1.2)))
