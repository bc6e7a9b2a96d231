"""Heads and busts: skull, face, hair, hat, neck and shoulders."""

from __future__ import annotations

import numpy as np

from .palette import DARK, PALE, palette
from .program import Program, rotation


def head(random: np.random.Generator) -> Program:
    """A head that faces -Y, human, animal or toy, on nothing, a neck, shoulders or a plinth."""
    u = random.uniform
    program = Program(materials=palette(random))
    wide, deep, tall = u(0.26, 0.36), u(0.3, 0.42), u(0.34, 0.46)
    jaw = u(0.6, 0.95)
    with program.styled(blend=u(0.04, 0.1)):
        program.ellipsoid((0, 0.04, 0.1), (wide, deep, tall * 0.85))
        program.ellipsoid((0, -0.08, -0.12), (wide * jaw, deep * 0.75, tall * 0.75))
        _face(program, random, wide, deep)
        _neck(program, random)
    with program.styled(material=DARK, mirror=(0,)):
        size = u(0.03, 0.07)
        program.ellipsoid((wide * 0.42, -deep * 0.8, 0.06), (size, size * 0.8, size * u(0.5, 1)))
    _hair(program, random, (wide, deep, tall))
    return program


def _face(program: Program, random: np.random.Generator, wide: float, deep: float) -> None:
    u = random.uniform
    kind = random.integers(3)
    if kind == 0:
        size = u(0.04, 0.09)
        program.ellipsoid((0, -deep * 0.92, -0.03), (size, size * u(0.8, 2), size * u(1, 2)))
    elif kind == 1:
        end = np.array((0, -deep - u(0.1, 0.4), -u(0.05, 0.2)))
        program.limb((0, -deep * 0.5, -0.1), end, (u(0.15, 0.22), u(0.08, 0.18)))
        with program.styled(material=DARK, blend=0.0):
            program.ball(end + (0, -0.1, 0.04), 0.05)
    with program.styled(mirror=(0,), blend=0.02):
        ear = (wide * u(0.9, 1.05), 0.03, u(-0.02, 0.4))
        program.ellipsoid(ear, (u(0.03, 0.12), u(0.05, 0.1), u(0.08, 0.25)))
    with program.styled(material=int(random.choice((1, DARK))), blend=0.0):
        program.ellipsoid((0, -deep * 0.82, -0.2), (u(0.06, 0.14), 0.06, u(0.015, 0.04)))


def _neck(program: Program, random: np.random.Generator) -> None:
    u = random.uniform
    kind = random.integers(4)
    if kind == 0:
        return
    program.limb((0, 0.06, -0.2), (0, 0.08, -0.55), (u(0.14, 0.2), u(0.14, 0.22)))
    if kind >= 2:
        with program.styled(material=int(random.choice((0, 2)))):
            half = u(0.35, 0.55)
            program.ellipsoid((0, 0.08, -0.68), (half, u(0.18, 0.28), u(0.18, 0.28)))
    if kind == 3:
        with program.styled(material=3, blend=0.0):
            program.cone((0, 0.08, -1.05), (0, 0.08, -0.75), (u(0.2, 0.35), u(0.15, 0.3)), 0.02)


def _hair(program: Program, random: np.random.Generator, size: tuple[float, float, float]) -> None:
    u = random.uniform
    wide, deep, tall = size
    kind = random.integers(5)
    tilt = rotation((1, 0, 0), u(-25, 0))
    with program.styled(material=2):
        if kind <= 1:
            bump = (0.02, u(12, 30)) if kind == 1 else (0.0, 1.0)
            shell = (wide * 1.1, deep * 1.05, tall * u(0.85, 1.1))
            with program.styled(bump=bump, cut=(0, -0.5, -0.87, u(0.0, 0.12))):
                program.ellipsoid((0, 0.08, 0.14), shell, tilt)
            if random.random() < 0.4:
                program.ellipsoid((0, deep * 0.9, -0.15), (wide * 0.9, 0.15, u(0.3, 0.5)))
        elif kind == 2:
            brim, top = u(1.0, 1.7) * deep, u(0.2, 0.5)
            base = np.array((0, 0.05, 0.26))
            program.cone(base, base + (0, 0, 0.05), (brim, brim * 0.98), 0.02)
            with program.styled(material=int(random.choice((2, 3)))):
                crown = (max(wide, deep) * 1.02, max(wide, deep) * u(0.3, 1.1))
                program.cone(base, base + (0, 0, top), crown, 0.05)
        elif kind == 3:
            with program.styled(material=PALE if random.random() < 0.3 else 2, mirror=(0,)):
                tip = np.array((wide * u(0.9, 1.6), 0.0, u(0.5, 0.9)))
                middle = np.array((wide * 1.1, 0, 0.4))
                program.tube(((wide * 0.6, 0, 0.25), middle, tip), (0.1, 0.07, 0.02))
