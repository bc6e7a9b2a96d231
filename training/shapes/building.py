"""Buildings: houses with pitched roofs, towers, blocks, churches, castles, tents."""

from __future__ import annotations

import numpy as np

from .palette import DARK, PALE, palette
from .program import Program, rotation


def building(random: np.random.Generator) -> Program:
    """A main body with windows and a roof, then wings, towers, chimneys, a plinth."""
    u = random.uniform
    program = Program(materials=palette(random))
    half = np.array((u(0.2, 0.45), u(0.2, 0.5), u(0.15, 0.7)))
    program.box((0, 0, half[2]), half, 0.004, (u(-0.1, 0.03),) * 2)
    _windows(program, random, half)
    _roof(program, random, np.array((0, 0, 2 * half[2])), half)
    if random.random() < 0.45:
        wing = half * u(0.4, 0.85, 3)
        at = np.array((random.choice((-1, 1)) * (half[0] + wing[0] * 0.8), u(-0.2, 0.2), 0))
        program.box(at + (0, 0, wing[2]), wing, 0.004)
        _roof(program, random, at + (0, 0, 2 * wing[2]), wing)
    if random.random() < 0.35:
        _tower(program, random, half)
    if random.random() < 0.4:
        with program.styled(material=2):
            top = (half[0] * u(-0.6, 0.6), half[1] * u(-0.5, 0.5), 2 * half[2] + 0.15)
            program.box(top, (0.05, 0.05, u(0.15, 0.3)), 0.004)
    if random.random() < 0.3:
        with program.styled(material=3):
            program.box((0, 0, 0), (half[0] * 1.3, half[1] * 1.3, 0.03), 0.01)
    return program


def _windows(program: Program, random: np.random.Generator, half: np.ndarray) -> None:
    u = random.uniform
    rows, columns = int(random.integers(1, 5)), int(random.integers(1, 5))
    pane = int(random.choice((DARK, PALE)))
    deep = u(-0.005, 0.02)
    size = half[[0, 2]] / (columns, rows) * u(0.35, 0.7)
    for row in range(rows):
        z = (row + 0.6) * 2 * half[2] / rows * 0.92
        for column in range(columns):
            share = (column + 0.5) / columns * 2 - 1
            with program.styled(material=pane):
                program.box((share * half[0], 0, z), (size[0], half[1] + deep, size[1]), 0.003)
                if random.random() < 0.5:
                    along = half[1] / columns * 0.5
                    program.box((0, share * half[1], z), (half[0] + deep, along, size[1]), 0.003)
    with program.styled(material=2):
        program.box((half[0] * u(-0.5, 0.5), -half[1], 0.1), (0.05, 0.015, u(0.08, 0.14)), 0.003)


def _roof(program: Program, random: np.random.Generator, at: np.ndarray, half: np.ndarray) -> None:
    u = random.uniform
    high, over = u(0.15, 0.5), u(1.0, 1.2)
    kind = random.integers(5)
    with program.styled(material=1):
        if kind <= 1:
            wide = half[0] * over
            gable = np.array(((-wide, 0), (wide, 0), (wide * u(-0.2, 0.2), high)))
            turn = rotation((0, 0, 1), 0 if kind == 0 else 90)
            if kind == 1:
                gable[:, 0] *= half[1] / half[0]
            through = 2 * over * half[1 if kind == 0 else 0]
            program.plate(gable, through, at, 0.005, turn)
        elif kind == 2:
            program.box(
                at + (0, 0, high / 2), (*(half[:2] * over * 0.55), high / 2), 0.005, (-0.85,) * 2
            )
        elif kind == 3:
            radius = float(min(half[:2]))
            program.ellipsoid(at, (*(half[:2] * u(0.8, 1)), radius * u(0.4, 1.1)))
        else:
            program.box(at, (*(half[:2] * over), u(0.01, 0.05)), 0.005)


def _tower(program: Program, random: np.random.Generator, half: np.ndarray) -> None:
    u = random.uniform
    wide, high = u(0.08, 0.18), half[2] * 2 + u(0.1, 0.6)
    corner = half[:2] * (random.choice((-1, 0, 1)), random.choice((-1, 1)))
    low, top = np.array((*corner, 0)), np.array((*corner, high))
    if random.random() < 0.5:
        program.cone(low, top, (wide, wide * u(0.8, 1)))
    else:
        program.box((low + top) / 2, (wide, wide, high / 2), 0.004)
    with program.styled(material=1):
        program.cone(top, top + (0, 0, u(0.1, 0.5)), (wide * u(1, 1.4), u(0.005, wide)), 0.002)
