"""Figures on two legs: people, dolls, robots, bears sitting up."""

from __future__ import annotations

import numpy as np

from .palette import DARK, palette
from .program import Program


def two_legged(random: np.random.Generator) -> Program:
    """Torso, legs, posed arms, head; round or boxy all over; sometimes seated, hatted, holding."""
    u = random.uniform
    program = Program(materials=palette(random))
    boxy = random.random() < 0.3
    stocky = u(0.6, 1.8)
    leg, torso = u(0.25, 0.55), u(0.28, 0.45)
    hip = np.array((0, 0, leg))
    shoulder = hip + (0, u(-0.05, 0.05), torso)
    width, depth = 0.13 * stocky, 0.09 * stocky * u(0.7, 1.3)
    with program.styled(blend=0.0 if boxy else u(0.01, 0.06)):
        middle = (hip + shoulder) / 2
        if boxy:
            taper = (float(u(-0.2, 0.3)), 0.0)
            program.box(middle, (width * 1.1, depth, torso * 0.5), u(0.005, 0.05), taper)
        else:
            program.limb(hip, shoulder, (width * u(0.8, 1.2), width * u(0.7, 1.15)), depth / width)
        _legs(program, random, hip, width, boxy)
        _arms(program, random, shoulder, width, boxy)
        _head(program, random, shoulder, boxy)
    return program


def _legs(
    program: Program, random: np.random.Generator, hip: np.ndarray, width: float, boxy: bool
) -> None:
    u = random.uniform
    spread, radius = width * u(0.45, 0.8), width * u(0.3, 0.5)
    with program.styled(material=1, mirror=(0,)):
        top = hip + (spread, 0, 0)
        if random.random() < 0.2:
            knee, foot = top + (0.05, -hip[2], 0.02), top + (0.05, -hip[2] * 1.1, -hip[2] * 0.6)
        else:
            foot = np.array((spread * u(0.7, 1.8), u(-0.08, 0.08), 0.0))
            knee = (top + foot) / 2 + (0, -u(0, 0.06), 0)
        if boxy:
            program.cone(top, foot, (radius, radius * 1.1), 0.01)
        else:
            program.tube((top, knee, foot), (radius * 1.15, radius, radius * 0.8))
        with program.styled(material=int(random.choice((1, 2, DARK)))):
            shoe = (radius * u(0.9, 1.2), radius * u(1.3, 2.2), radius * 0.6)
            if boxy:
                program.box(foot + (0, -radius * 0.6, 0), shoe, 0.01)
            else:
                program.ellipsoid(foot + (0, -radius * 0.7, 0), shoe)


def _arms(
    program: Program, random: np.random.Generator, shoulder: np.ndarray, width: float, boxy: bool
) -> None:
    u = random.uniform
    radius, reach = width * u(0.22, 0.38), u(0.28, 0.5)
    alike = random.random() < 0.6
    for side in (1,) if alike else (1, -1):
        with program.styled(mirror=(0,) if alike else (), material=int(random.choice((0, 0, 2)))):
            lift, swing = np.radians(u(-85, 60)), np.radians(u(-60, 40))
            start = shoulder + (side * width * 1.0, 0, -radius)
            way = np.array((side * np.cos(lift), np.sin(swing) * 0.5, np.sin(lift)))
            elbow = start + way * reach * 0.5
            bent = way + (0, u(-0.9, 0.2), u(-0.4, 0.8))
            hand = elbow + bent / np.linalg.norm(bent) * reach * 0.5
            program.tube((start, elbow, hand), (radius * 1.1, radius, radius * 0.8))
            with program.styled(material=3):
                program.ball(hand, radius * u(0.9, 1.4))
            if not alike and random.random() < 0.4:
                with program.styled(material=2):
                    pole = np.array((0, u(-0.2, 0.2), 1.0)) * u(0.15, 0.5)
                    program.limb(hand - pole, hand + pole, (radius * 0.4, radius * u(0.2, 0.6)))


def _head(program: Program, random: np.random.Generator, at: np.ndarray, boxy: bool) -> None:
    u = random.uniform
    size = u(0.09, 0.2)
    centre = at + (0, u(-0.05, 0.01), size * u(1.0, 1.4))
    with program.styled(material=3, blend=0.01):
        program.limb(at, centre, (size * 0.5, size * 0.5))
        if boxy:
            program.box(centre, (size, size * u(0.8, 1), size * u(0.7, 1)), u(0.005, 0.06))
        else:
            program.ellipsoid(
                centre, (size * u(0.8, 1.05), size * u(0.8, 1.1), size * u(0.9, 1.25))
            )
        with program.styled(material=DARK, mirror=(0,)):
            program.ball(centre + (size * 0.38, -size * 0.86, size * 0.15), size * u(0.1, 0.2))
    extra = random.integers(5)
    with program.styled(material=int(random.integers(3)), blend=0.0):
        top = centre + (0, 0, size * 0.6)
        if extra == 0:
            program.cone(top, top + (0, 0, size * u(0.5, 1.5)), (size, size * u(0.05, 1)), 0.01)
            program.cone(top, top + (0, 0, 0.04), (size * u(1, 2), size * u(1, 2)), 0.01)
        elif extra == 1:
            program.ellipsoid(
                centre + (0, size * 0.2, size * 0.25), (size * 1.15, size, size * 1.1)
            )
        elif extra == 2:
            with program.styled(mirror=(0,)):
                ear = (size * u(0.25, 0.5), size * 0.2, size * u(0.3, 0.9))
                program.ellipsoid(centre + (size * 0.7, 0, size * 0.9), ear)
