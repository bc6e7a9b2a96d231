"""Furniture: chairs and armchairs, tables, cabinets, beds, shelves."""

from __future__ import annotations

import numpy as np

from .. import distance as k
from .palette import DARK, palette
from .program import Program


def _legs(
    program: Program, random: np.random.Generator, half: tuple[float, float], height: float
) -> None:
    """Four legs under a board of half sizes ``half``, or a foot in the middle."""
    u = random.uniform
    radius = u(0.018, 0.055)
    if random.random() < 0.15:
        program.cone((0, 0, 0.02), (0, 0, height), (radius * 1.6, radius * 1.4))
        with program.styled(around=int(random.integers(3, 6))):
            program.limb((0, 0, 0.1), (min(half) * 0.9, 0, radius), (radius, radius * 0.8))
        return
    splay = u(0, 0.08)
    top = np.array((half[0] - radius * 1.3, half[1] - radius * 1.3, height))
    foot = np.array((top[0] + splay, top[1] + splay, 0.0))
    with program.styled(mirror=(0, 1)):
        if random.random() < 0.5:
            program.cone(foot, top, (radius * u(0.6, 1), radius), 0.004)
        else:
            program.box((top + foot) / 2, (radius, radius, height / 2), 0.005)
    if random.random() < 0.3:
        bar = height * u(0.2, 0.6)
        with program.styled(mirror=(0,)):
            at = (half[0] - radius * 1.3, 0, bar)
            program.box(at, (radius * 0.6, half[1], radius * 0.6), 0.004)


def chair(random: np.random.Generator) -> Program:
    """A seat on legs with a back of boards, bars or a cushion, perhaps with arms; or a stool."""
    u = random.uniform
    program = Program(materials=palette(random))
    wide, deep, seat, thick = u(0.2, 0.3), u(0.2, 0.3), u(0.3, 0.6), u(0.015, 0.06)
    with program.styled(material=1):
        _legs(program, random, (wide, deep), seat)
    if random.random() < 0.3:
        program.cone((0, 0, seat), (0, 0, seat + 2 * thick), (wide, wide), thick * 0.5)
    else:
        program.box((0, 0, seat + thick), (wide, deep, thick), thick * u(0.1, 0.9))
    if random.random() < 0.12:
        return program
    high, lean = u(0.25, 0.6), u(0, 0.12)
    low, top = np.array((0, deep, seat)), np.array((0, deep + lean, seat + high))
    post = wide - 0.03
    with program.styled(mirror=(0,), material=1):
        program.limb(low + (post, 0, 0), top + (post, 0, 0), (0.025, 0.02))
        if random.random() < 0.35:
            arm = seat + u(0.15, 0.25)
            program.box((wide, 0, arm), (0.03, deep, 0.02), 0.01)
            program.limb((wide, -deep * 0.8, seat), (wide, -deep * 0.8, arm), (0.02, 0.02))
    kind = random.integers(3)
    if kind == 0:
        program.box((low + top * 2) / 3, (wide, u(0.015, 0.05), high * u(0.25, 0.4)), 0.015)
    elif kind == 1:
        for share in np.linspace(0.35, 1, int(random.integers(2, 5))):
            program.box(low + (top - low) * share, (wide, 0.015, 0.03), 0.01)
    else:
        program.box(top, (wide, 0.02, 0.04), 0.01)
        for x in np.linspace(-0.7, 0.7, int(random.integers(2, 6))) * wide:
            program.limb(low + (x, 0, 0), top + (x, 0, 0), (0.012, 0.012))
    return program


def sofa(random: np.random.Generator) -> Program:
    """Padded seats with a back and arm rests, one to three places wide."""
    u = random.uniform
    program = Program(materials=palette(random))
    places = int(random.integers(1, 4))
    wide, deep, seat = 0.28 * places * u(0.9, 1.2), u(0.28, 0.36), u(0.18, 0.26)
    back, thick, foot = u(0.2, 0.45), u(0.06, 0.12), u(0.0, 0.1)
    soft = u(0.02, 0.07)
    program.box((0, 0, foot + seat / 2), (wide, deep, seat / 2), soft)
    program.box((0, deep - thick, foot + seat + back / 2), (wide, thick, back / 2 + seat / 2), soft)
    with program.styled(mirror=(0,)):
        rest = u(0.1, 0.22)
        at = np.array((wide + thick * 0.5, 0, foot + (seat + rest) / 2))
        if random.random() < 0.4:
            roll = np.array((wide + thick * 0.4, 0, foot + seat + rest))
            program.cone(roll - (0, deep, 0), roll + (0, deep, 0), (thick, thick), 0.02)
        program.box(at, (thick * 0.7, deep, (seat + rest) / 2), soft)
    with program.styled(material=int(random.choice((0, 1)))):
        for index in range(places):
            x = (index + 0.5 - places / 2) * 2 * wide / places
            size = (wide / places * 0.97, deep * 0.85, u(0.05, 0.08))
            program.box((x, -0.06, foot + seat + 0.03), size, 0.05)
    if foot > 0.03:
        with program.styled(material=2, mirror=(0, 1)):
            leg = (wide * 0.9, deep * 0.85, 0)
            program.cone(leg, (leg[0], leg[1], foot + 0.05), (0.02, 0.035))
    return program


def table(random: np.random.Generator) -> Program:
    """A board on legs: tables, desks, benches, stands; round or square, with shelves, drawers."""
    u = random.uniform
    program = Program(materials=palette(random))
    wide, deep, high, thick = u(0.3, 0.75), u(0.2, 0.45), u(0.2, 0.75), u(0.012, 0.05)
    if random.random() < 0.25:
        deep = wide
        program.cone((0, 0, high), (0, 0, high + 2 * thick), (wide, wide), thick * 0.5)
        half = (wide * 0.7, wide * 0.7)
    else:
        program.box((0, 0, high + thick), (wide, deep, thick), thick * u(0.1, 0.9))
        half = (wide * u(0.85, 1), deep * u(0.85, 1))
    with program.styled(material=int(random.choice((0, 1)))):
        _legs(program, random, half, high)
        kind = random.integers(4)
        if kind == 0:
            program.box((0, 0, high * u(0.15, 0.5)), (half[0] * 0.95, half[1] * 0.95, 0.015), 0.005)
        elif kind == 1:
            program.box(
                (half[0] * 0.6, 0, high * 0.65), (half[0] * 0.38, half[1] * 0.9, high * 0.33)
            )
        elif kind == 2:
            program.box((0, 0, high - 0.03), (half[0] * 0.9, half[1] * 0.9, 0.04), 0.004)
    return program


def cabinet(random: np.random.Generator) -> Program:
    """Boxes with doors, drawers and knobs; open shelves; beds with a mattress."""
    u = random.uniform
    program = Program(materials=palette(random))
    wide, deep, high = u(0.2, 0.6), u(0.12, 0.35), u(0.25, 0.8)
    foot = u(0.0, 0.12)
    centre = np.array((0, 0, foot + high))
    kind = random.random()
    if kind < 0.2:
        return _bed(program, random)
    program.box(centre, (wide, deep, high), u(0.004, 0.04))
    rows, columns = int(random.integers(1, 5)), int(random.integers(1, 4))
    open_front = kind < 0.5
    for row in range(rows):
        for column in range(columns):
            x = (column + 0.5 - columns / 2) * 2 * wide / columns
            z = (row + 0.5 - rows / 2) * 2 * high / rows
            size = (wide / columns * 0.88, deep * 0.9, high / rows * 0.88)
            at = centre + (x, -deep * 0.2, z)
            if open_front:
                with program.styled(operation=k.SUBTRACT, material=1):
                    program.box(at, size, 0.004)
            else:
                with program.styled(material=1):
                    program.box(at + (0, -deep * 0.8, 0), (size[0], 0.2 * deep + 0.008, size[2]))
                with program.styled(material=DARK):
                    program.ball(at + (size[0] * u(-0.1, 0.1), -deep - 0.01, 0), 0.018)
    if foot > 0.03:
        with program.styled(material=2):
            _legs(program, random, (wide * 0.95, deep * 0.95), foot + 0.02)
    return program


def _bed(program: Program, random: np.random.Generator) -> Program:
    u = random.uniform
    wide, long, high = u(0.25, 0.5), u(0.5, 0.65), u(0.1, 0.25)
    program.box((0, 0, high), (wide, long, 0.05), 0.01)
    with program.styled(material=1):
        program.box((0, 0, high + 0.09), (wide * 0.95, long * 0.96, u(0.05, 0.09)), 0.04)
    with program.styled(material=2, mirror=(0,)):
        program.box((wide * 0.45, long * 0.75, high + 0.19), (wide * 0.35, 0.1, 0.05), 0.04)
    for end, tall in ((long, u(0.25, 0.45)), (-long, u(0.12, 0.3))):
        program.box((0, end, tall / 2 + 0.05), (wide, 0.02, tall / 2), 0.01)
    _legs(program, random, (wide, long), high)
    return program
