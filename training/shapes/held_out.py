"""Families that are never trained on: fish, lamps, locomotives. They tell what carries over."""

from __future__ import annotations

import numpy as np

from .outline import smooth
from .palette import DARK, PALE, palette
from .program import Program, rotation


def fish(random: np.random.Generator) -> Program:
    """A flat-sided body with fins and a tail, nose towards -Y."""
    u = random.uniform
    program = Program(materials=palette(random))
    long, wide, high = u(0.4, 0.6), u(0.08, 0.22), u(0.12, 0.38)
    with program.styled(blend=0.05):
        program.ellipsoid((0, 0, 0), (wide, long, high))
        program.limb((0, long * 0.4, 0), (0, long * 1.15, 0), (wide * 0.8, wide * 0.3))
    side = rotation((0, 0, 1), 90)
    with program.styled(material=1, blend=0.01):
        reach, fork = u(0.15, 0.4), u(-0.1, 0.12)
        tail = np.array(((0, 0), (0.25, reach), (0.2 - fork, 0), (0.25, -reach * u(0.6, 1))))
        program.plate(tail, 0.025, (0, long * 1.05, 0), turn=side)
        fin = np.array(((-0.2, 0), (0.25, 0), (u(0.1, 0.3), u(0.1, 0.3)), (0, u(0.05, 0.25))))
        program.plate(fin, 0.025, (0, u(-0.1, 0.1), high * 0.85), turn=side)
        with program.styled(mirror=(0,)):
            way = np.array((u(0.1, 0.3), u(0.05, 0.2), -u(0.0, 0.2)))
            root = np.array((wide * 0.8, -long * 0.3, -high * 0.2))
            program.limb(root, root + way, (0.03, 0.08), 0.3)
    with program.styled(material=DARK, mirror=(0,)):
        program.ball((wide * 0.62, -long * 0.7, high * 0.2), u(0.03, 0.06))
    return program


def lamp(random: np.random.Generator) -> Program:
    """A foot, a straight or jointed stem, a shade."""
    u = random.uniform
    program = Program(materials=palette(random))
    foot, high = u(0.12, 0.3), u(0.4, 1.0)
    program.cone((0, 0, 0), (0, 0, u(0.03, 0.12)), (foot, foot * u(0.3, 1)), 0.01)
    if random.random() < 0.6:
        top = np.array((0, 0, high))
        program.limb((0, 0, 0), top, (u(0.015, 0.06), u(0.015, 0.04)))
        way = np.array((0, 0, 1.0))
    else:
        knee = np.array((u(-0.3, 0.3), u(0, 0.2), high * 0.6))
        top = knee + (u(-0.2, 0.2), -u(0.2, 0.4), high * 0.4)
        program.tube(((0, 0, 0), knee, top), (0.02, 0.02, 0.02))
        way = np.array((0, 0.5, 0.87))
    with program.styled(material=1, hollow=0.012, cut=(0, 0, -1, u(0.1, 0.16))):
        wide, tall = u(0.18, 0.4), u(0.15, 0.35)
        program.cone(top - way * tall, top + way * tall * 0.3, (wide, wide * u(0.2, 0.9)), 0.01)
    with program.styled(material=PALE):
        program.ball(top - way * 0.05, 0.08)
    return program


def locomotive(random: np.random.Generator) -> Program:
    """A boiler, a cab, a chimney and many wheels on a frame; the front towards -Y."""
    u = random.uniform
    program = Program(materials=palette(random))
    long, radius, wheel = u(0.4, 0.7), u(0.13, 0.2), u(0.08, 0.14)
    axis = wheel * 1.6 + radius
    program.cone((0, -long, axis), (0, long * 0.4, axis), (radius, radius), 0.02)
    with program.styled(material=1):
        program.box((0, long * 0.7, axis + 0.06), (radius * 1.3, long * 0.32, radius * 1.5), 0.01)
        roof = np.array(((-1, 0), (1, 0), (0.6, 0.25), (-0.6, 0.25))) * radius * 1.5
        program.plate(smooth(roof, 1), long * 0.75, (0, long * 0.7, axis + 0.06 + radius * 1.4))
        program.box((0, 0, wheel * 1.3), (radius * 1.1, long * 1.05, 0.04), 0.01)
    with program.styled(material=2):
        tall = u(0.15, 0.35)
        program.cone(
            (0, -long * 0.7, axis), (0, -long * 0.7, axis + radius + tall), (0.05, u(0.05, 0.1))
        )
        program.ellipsoid((0, -long * 0.1, axis + radius), (0.08, 0.08, u(0.06, 0.14)))
    with program.styled(material=DARK, mirror=(0,)):
        for y in np.linspace(-long * 0.8, long * 0.85, int(random.integers(3, 6))):
            program.cone((radius * 0.7, y, wheel), (radius * 1.25, y, wheel), (wheel, wheel), 0.01)
    return program
