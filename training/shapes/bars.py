"""Slender and flat things: long bodies, plates, frames of rods, chains, open shells, letters."""

from __future__ import annotations

import numpy as np

from .. import distance as k
from .composition import random_turn
from .outline import random_outline, smooth
from .palette import palette
from .program import Program, rotation


def long_body(random: np.random.Generator) -> Program:
    """A long box, barrel, prism or train of parts along Y, with attachments; met end-on often."""
    u = random.uniform
    program = Program(materials=palette(random))
    long, wide, high = u(0.5, 1.2), u(0.12, 0.35), u(0.12, 0.35)
    kind = random.integers(4)
    if kind == 0:
        taper = tuple(u(-0.2, 0.2, 2))
        program.box((0, 0, 0), (wide, high, long), u(0.005, 0.12), taper, rotation((1, 0, 0), 90))
    elif kind == 1:
        radii = (wide, wide * u(0.5, 1))
        program.cone((0, -long, 0), (0, long, 0), radii, u(0.01, 0.1), u(0.6, 1))
    elif kind == 2:
        program.plate(random_outline(random) * max(wide, high), 2 * long, rounding=0.02)
    else:
        program.ellipsoid((0, 0, 0), (wide, long, high))
    for _ in range(int(random.integers(0, 6))):
        y, size = u(-long, long), wide * u(0.25, 0.8)
        at = np.array((u(-wide, wide), y, high * random.choice((-1, 1, 1))))
        with program.styled(material=int(random.integers(1, 6)), mirror=(0,)):
            if random.random() < 0.6:
                program.box(at, (size * 0.6, size * u(0.5, 2), size * 0.7), 0.02)
            else:
                program.cone(at, at + (0, 0, size), (size * 0.5, size * 0.4))
    return program


def plates(random: np.random.Generator) -> Program:
    """One to four slabs, upright, lying or leaning: signs, books, boards, dishes, screens."""
    u = random.uniform
    program = Program(materials=palette(random))
    count = int(random.choice((1, 1, 2, 3, 4)))
    if count > 1:
        end = np.array((0, 0.25 * (count - 1), 0.1 * (count - 1)))
        program.limb((0, -0.1, -0.1), end, (u(0.03, 0.08), u(0.03, 0.08)))
    for index in range(count):
        turn = rotation((0, 0, 1), u(-30, 30)) @ rotation(
            (1, 0, 0), random.choice((0, 0, 90, u(-40, 40)))
        )
        thick = float(np.exp(u(np.log(0.025), np.log(0.2))))
        at = np.array((0, index * u(0.08, 0.25), index * u(-0.05, 0.15)))
        size = u(0.35, 0.7)
        outline = random_outline(random) * (size, size * u(0.5, 1.3))
        with program.styled(material=index):
            program.plate(outline, thick, at, thick * u(0.05, 0.4), turn)
            if random.random() < 0.35:
                with program.styled(operation=k.SUBTRACT):
                    hole = (at, 3 * thick, 0.005, turn)
                    program.plate(outline * u(0.3, 0.8), hole[1], hole[0], hole[2], turn)
    if random.random() < 0.4:
        with program.styled(material=3):
            program.cone((0, 0, -0.9), (0, 0, 0), (u(0.02, 0.05),) * 2)
            program.box((0, 0, -0.9), (u(0.15, 0.4), u(0.1, 0.3), 0.03), 0.01)
    return program


def rod_frame(random: np.random.Generator) -> Program:
    """Edges of a box, a prism, a tripod or a lattice, made of bars; sometimes with boards."""
    u = random.uniform
    program = Program(materials=palette(random))
    radius = float(np.exp(u(np.log(0.018), np.log(0.07))))
    square = random.random() < 0.5
    half = u(0.25, 0.6, 3)
    sides = int(random.choice((3, 4, 4, 4, 5, 6)))
    angle = np.arange(sides) * 2 * np.pi / sides + np.pi / sides
    ring = np.stack((np.cos(angle) * half[0], np.sin(angle) * half[1]), axis=1) * 1.3
    shrink, levels = u(0.1, 1.1), int(random.integers(1, 4))
    heights = np.linspace(-half[2], half[2], levels + 1)
    corners = [
        np.column_stack((ring * (1 + (shrink - 1) * index / levels), np.full(sides, z)))
        for index, z in enumerate(heights)
    ]

    def bar(start: np.ndarray, end: np.ndarray) -> None:
        if square:
            program.cone(start, end, (radius, radius), 0.005)
        else:
            program.limb(start, end, (radius, radius))

    for index in range(levels + 1):
        for side in range(sides):
            here, there = corners[index][side], corners[index][(side + 1) % sides]
            if index or random.random() < 0.6:
                bar(here, there)
            if index < levels:
                bar(here, corners[index + 1][side])
                if random.random() < 0.25:
                    bar(here, corners[index + 1][(side + 1) % sides])
    if random.random() < 0.5:
        with program.styled(material=1):
            level = int(random.integers(1, levels + 1))
            program.box(
                (0, 0, heights[level]), (half[0] * 0.9, half[1] * 0.9, u(0.015, 0.05)), 0.01
            )
    return program


def chain(random: np.random.Generator) -> Program:
    """An articulated or coiled bar: snakes, springs, hooks, links, jointed arms."""
    u = random.uniform
    program = Program(materials=palette(random))
    count, radius = int(random.integers(5, 16)), u(0.03, 0.13)
    kind = random.integers(3)
    step = np.arange(count)
    if kind == 0:
        turn = step * u(0.4, 0.9)
        points = np.stack((np.cos(turn) * 0.4, np.sin(turn) * 0.4, step * u(0.03, 0.12)), axis=1)
    elif kind == 1:
        x = np.linspace(-0.7, 0.7, count)
        points = np.stack(
            (x, u(0.05, 0.25) * np.sin(x * u(3, 9)), u(0, 0.2) * np.cos(x * 4)), axis=1
        )
    else:
        ways = np.cumsum(random.normal(0, 0.5, (count, 3)), axis=0) + random.normal(size=3)
        ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        points = np.cumsum(ways * u(0.1, 0.2), axis=0)
    points = points - (points.max(axis=0) + points.min(axis=0)) / 2
    radii = radius * np.linspace(1, u(0.2, 1.2), count)
    program.tube(list(points), list(radii))
    with program.styled(material=1):
        if random.random() < 0.5:
            for at, size in zip(points, radii, strict=True):
                program.ball(at, size * 1.35)
        else:
            program.ellipsoid(points[0], radius * u(1, 2.2, 3))
    return program


def open_shell(random: np.random.Generator) -> Program:
    """Thin-walled things cut open: bowls on their side, domes, boats, troughs, boxes, tubes."""
    u = random.uniform
    program = Program(materials=palette(random))
    wall = u(0.012, 0.035)
    turn = random_turn(random)
    plane = (0, 0, 1, u(-0.15, 0.35))
    kind = random.integers(4)
    half = u(0.3, 0.65, 3)
    with program.styled(hollow=wall, cut=plane):
        if kind == 0:
            program.ellipsoid((0, 0, 0), half, turn)
        elif kind == 1:
            program.box((0, 0, 0), half, u(0.01, 0.2), tuple(u(-0.15, 0.35, 2)), turn)
        elif kind == 2:
            way = turn[:, 0] * 0.6
            program.limb(-way, way, (half[0] * 0.7, half[1] * 0.7))
        else:
            way = turn[:, 2] * half[2]
            program.cone(-way, way, (half[0], half[1]), 0.01)
    for _ in range(int(random.integers(0, 4))):
        with program.styled(material=1):
            program.ellipsoid(random.normal(0, 0.2, 3) - turn[:, 2] * 0.15, u(0.06, 0.25, 3))
    return program


def letter(random: np.random.Generator) -> Program:
    """Strokes of one thickness in a plane, straight and bowed: letters, signs, symbols."""
    u = random.uniform
    program = Program(materials=palette(random))
    knots = np.array([(x, z) for x in (-0.35, 0, 0.35) for z in (-0.5, 0, 0.5)])
    wide, thick = u(0.06, 0.14), u(0.08, 0.4)
    for _ in range(int(random.integers(2, 5))):
        start, end = knots[random.choice(9, 2, replace=False)]
        if random.random() < 0.3:
            with program.styled(cut=(0, random.choice((-1, 1)), 0, 0.0) if u() < 0.6 else None):
                radius = u(0.2, 0.35)
                program.ring((start[0], 0, start[1]), (radius, wide), (0, 1, 0), thick / wide / 2)
        else:
            way = (end - start) / np.linalg.norm(end - start)
            side = np.array((-way[1], way[0])) * wide
            corners = np.array((start - side, end - side, end + side, start + side))
            program.plate(corners, thick, rounding=0.01)
    if random.random() < 0.3:
        base = smooth(np.array(((-0.6, -0.7), (0.6, -0.7), (0.6, -0.5), (-0.6, -0.5))), 1)
        with program.styled(material=1):
            program.plate(base, thick * u(1, 2.5), rounding=0.02)
    return program
