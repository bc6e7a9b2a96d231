"""Turned things: open vessels with handles and spouts, and closed ones with knobs and caps."""

from __future__ import annotations

import numpy as np

from .outline import smooth, walled
from .palette import palette
from .program import Program


def _outside(random: np.random.Generator) -> np.ndarray:
    """(N, 2) radius and height from the floor to the rim: cups, bowls, vases, buckets."""
    u = random.uniform
    kind = random.integers(4)
    high = u(0.3, 1.3)
    if kind == 0:
        points = [(u(0.25, 0.5), 0), (u(0.4, 0.6), high)]
    elif kind == 1:
        points = [(u(0.15, 0.3), 0), (0.45, high * 0.1), (0.58, high * 0.35), (0.62, high * 0.6)]
        return smooth(np.array(points, float), 2, closed=False)
    elif kind == 2:
        belly, neck = u(0.4, 0.6), u(0.15, 0.4)
        points = [(u(0.2, 0.4), 0), (belly, high * u(0.2, 0.4)), (belly, high * u(0.5, 0.65)),
                  (neck, high * 0.85), (neck * u(0.9, 1.6), high)]  # fmt: skip
    else:
        radii = u(0.2, 0.6, int(random.integers(3, 6)))
        points = list(zip(radii, np.linspace(0, high, len(radii)), strict=True))
    line = np.array(points, float)
    return smooth(line, 2, closed=False) if random.random() < 0.7 else line


def _radius_at(line: np.ndarray, height: float) -> float:
    return float(np.interp(height, line[:, 1], line[:, 0]))


def _handle(program: Program, random: np.random.Generator, line: np.ndarray) -> None:
    """A bow from low to high on the +X side."""
    u = random.uniform
    high = line[-1, 1]
    low, top = high * u(0.15, 0.4), high * u(0.65, 0.95)
    out = u(0.12, 0.4)
    radius = u(0.025, 0.07)
    start, end = _radius_at(line, low) - radius * 0.3, _radius_at(line, top) - radius * 0.3
    reach = max(start, end) + out
    points = [(start, 0, low), (reach * 0.93, 0, low + 0.15 * (top - low)),
              (reach, 0, (low + top) / 2), (reach * 0.95, 0, top - 0.1 * (top - low)),
              (end, 0, top)]  # fmt: skip
    with program.styled(material=int(random.choice((0, 0, 1))), blend=0.02):
        program.tube(points, [radius] * len(points), u(0.6, 1.6))


def _spout(program: Program, random: np.random.Generator, line: np.ndarray) -> None:
    u = random.uniform
    high = line[-1, 1]
    low = high * u(0.2, 0.6)
    base = _radius_at(line, low)
    tip = base + u(0.25, 0.5)
    points = [(-base * 0.8, 0, low), (-(base + tip) / 2, 0, low + high * u(0.0, 0.25)),
              (-tip, 0, high * u(0.75, 1.1))]  # fmt: skip
    wide = u(0.06, 0.14)
    with program.styled(blend=0.04):
        program.tube(points, (wide * 1.4, wide, wide * u(0.4, 0.8)))


def open_vessel(random: np.random.Generator) -> Program:
    """Cups, bowls, vases, pots, buckets; what they hold, now and then."""
    u = random.uniform
    program = Program(materials=palette(random))
    line = _outside(random)
    wall = u(0.02, 0.06)
    squash = 1.0 if random.random() < 0.85 else u(0.6, 1.0)
    inner = 0 if random.random() < 0.5 else 1
    with program.styled(hollow=0.0):
        program.lathe(walled(line, wall, u(0.02, 0.08)), rounding=0.004, squash=squash)
    high = float(line[-1, 1])
    if random.random() < 0.35:
        level = high * u(0.5, 0.9)
        fill = _radius_at(line, level) - wall * 0.5
        with program.styled(material=1 + inner):
            program.cone((0, 0, level - 0.05), (0, 0, level), (fill * 0.98, fill))
    if squash == 1.0:
        handles = random.choice((0, 1, 2), p=(0.45, 0.4, 0.15))
        with program.styled(mirror=(0,) if handles == 2 else ()):
            if handles:
                _handle(program, random, line)
        if random.random() < 0.2:
            _spout(program, random, line)
        if random.random() < 0.12:
            _bail(program, random, line)
    return _turned_about(program, random)


def _bail(program: Program, random: np.random.Generator, line: np.ndarray) -> None:
    """A bow over the opening, as on baskets and pails."""
    radius, high = line[-1]
    angle = np.linspace(0, np.pi, 9)
    lift = random.uniform(0.7, 1.4) * radius
    points = [(np.cos(a) * radius, 0, high - 0.03 + np.sin(a) * lift) for a in angle]
    with program.styled(material=2):
        program.tube(points, [random.uniform(0.015, 0.05)] * 9)


def closed_vessel(random: np.random.Generator) -> Program:
    """Bottles, jars, pots with lids, cans, pawns, vases seen as full; rings, knobs, spouts."""
    u = random.uniform
    program = Program(materials=palette(random))
    line = _outside(random)
    if random.random() < 0.3:
        line = line * (u(0.4, 0.8), u(1.0, 1.6))
    high = float(line[-1, 1])
    solid = np.concatenate(([(0, 0)], line, [(0, high)]))
    program.lathe(solid, rounding=u(0.002, 0.03), squash=1 if random.random() < 0.85 else u(0.5, 1))
    rim = float(line[-1, 0])
    with program.styled(material=1):
        kind = random.integers(5)
        if kind == 0:
            program.ellipsoid((0, 0, high), (rim, rim, rim * u(0.2, 0.6)))
            program.ball((0, 0, high + rim * 0.5), rim * u(0.15, 0.3))
        elif kind == 1:
            neck = rim * u(0.3, 0.7)
            tall = u(0.1, 0.5)
            with program.styled(blend=0.06, material=0):
                program.cone((0, 0, high - 0.05), (0, 0, high + tall), (neck * 1.1, neck))
            program.cone((0, 0, high + tall), (0, 0, high + tall * 1.3), (neck * 1.15,) * 2, 0.02)
        elif kind == 2:
            program.cone((0, 0, high - 0.02), (0, 0, high + u(0.03, 0.15)), (rim * 1.05,) * 2, 0.02)
        for _ in range(int(random.integers(0, 3))):
            level = high * u(0.1, 0.9)
            program.ring((0, 0, level), (_radius_at(line, level), u(0.01, 0.05)))
    if random.random() < 0.35:
        _handle(program, random, line)
    if random.random() < 0.3:
        _spout(program, random, line)
    return _turned_about(program, random)


def _turned_about(program: Program, random: np.random.Generator) -> Program:
    """Now and then a wave in the wall, as in hand-made things."""
    if random.random() < 0.12:
        program.bend(wave=(random.uniform(0.02, 0.06), random.uniform(2, 6), random.uniform(0, 6)))
    return program


def turned_post(random: np.random.Generator) -> Program:
    """Slender upright turned things: pawns, posts, spindles, candlesticks, bowling pins."""
    u = random.uniform
    program = Program(materials=palette(random))
    count = int(random.integers(4, 9))
    radii = np.exp(random.normal(np.log(0.13), 0.45, count)).clip(0.04, 0.4)
    radii[0] *= u(1.2, 2.5)
    line = np.stack((radii, np.linspace(0, u(0.8, 1.6), count)), axis=1)
    line = smooth(line, int(random.integers(0, 3)), closed=False)
    high = float(line[-1, 1])
    program.lathe(np.concatenate(([(0, 0)], line, [(0, high)])), rounding=u(0.002, 0.02))
    with program.styled(material=1):
        if random.random() < 0.6:
            program.ball((0, 0, high + 0.08), u(0.08, 0.25))
        if random.random() < 0.3:
            program.cone((0, 0, 0), (0, 0, u(0.02, 0.1)), (u(0.2, 0.4),) * 2)
        if random.random() < 0.35:
            with program.styled(around=int(random.choice((2, 3, 4, 6)))):
                level, out = high * u(0.4, 0.9), u(0.15, 0.35)
                program.limb((0, 0, level), (out, 0, level + u(-0.1, 0.1)), (0.06, u(0.03, 0.1)))
    return program
