"""Animals that sit, lie or crouch: dogs, cats, hares, bears, frogs; solid or as toys."""

from __future__ import annotations

import numpy as np

from .palette import DARK, palette
from .program import Program, rotation


def sitting(random: np.random.Generator) -> Program:
    """An egg of a body on its haunches, front legs, head with muzzle and ears, tail; faces -Y."""
    u = random.uniform
    program = Program(materials=palette(random))
    wide, long = u(0.17, 0.3), u(0.3, 0.45)
    # Upright as a dog that sits, or level as a hare that crouches.
    pitch = u(30, 80) if random.random() < 0.6 else u(-5, 30)
    turn = rotation((1, 0, 0), -pitch)
    forward = turn @ (0, -1, 0)
    bump = (u(0.003, 0.012), u(15, 40)) if random.random() < 0.3 else (0.0, 1.0)
    centre = np.array((0.0, 0.0, long * abs(forward[2]) + wide * np.hypot(forward[1], 0.3)))
    with program.styled(blend=u(0.03, 0.1), bump=bump):
        thick = wide * u(0.85, 1.15)
        program.ellipsoid(centre, (wide, long, thick), turn)
        chest = centre + forward * long * u(0.4, 0.65)
        program.ball(chest, thick * u(0.65, 0.95))
        _haunches(program, random, centre - forward * long * 0.55, wide)
        _front_legs(program, random, chest, wide)
        neck = chest + forward * thick * u(0.3, 0.8) + (0, -u(0, 0.5) * thick, u(0.2, 0.9) * thick)
        program.limb(chest, neck, (thick * u(0.55, 0.8), thick * u(0.5, 0.7)))
        animal_head(program, random, neck, wide * u(0.55, 1.05))
        _tail(program, random, centre - forward * long * 0.8, wide)
    return program


def _haunches(program: Program, random: np.random.Generator, rump: np.ndarray, wide: float) -> None:
    """Folded hind legs: thighs beside the rump, long feet flat on the ground."""
    u = random.uniform
    size = wide * u(0.5, 0.85)
    thigh = np.array((wide * u(0.6, 1.0), rump[1] - u(0, 0.6) * size, size * u(0.75, 1.0)))
    with program.styled(mirror=(0,), material=int(random.choice((0, 0, 1)))):
        tilt = rotation((1, 0, 0), u(-40, 40))
        program.ellipsoid(thigh, (size * u(0.45, 0.7), size * u(0.9, 1.3), size * 0.85), tilt)
        foot = np.array((thigh[0] * u(1, 1.2), thigh[1] - size * u(0.4, 1.1), size * 0.2))
        program.ellipsoid(foot, (size * u(0.25, 0.4), size * u(0.6, 0.9), size * 0.22))


def _front_legs(
    program: Program, random: np.random.Generator, chest: np.ndarray, wide: float
) -> None:
    u = random.uniform
    radius = wide * u(0.16, 0.34)
    with program.styled(mirror=(0,), material=int(random.choice((0, 0, 1)))):
        shoulder = chest + (wide * u(0.3, 0.6), -0.1 * wide, -0.1 * wide)
        paw = np.array((shoulder[0] * u(0.6, 1.3), chest[1] - wide * u(0.1, 1.0), radius * 0.6))
        elbow = (shoulder + paw) / 2 + (0, u(0, 0.3) * wide, 0)
        program.tube((shoulder, elbow, paw), (radius * 1.3, radius * 1.05, radius * 0.85))
        program.ellipsoid(paw + (0, -radius * 0.4, 0), (radius, radius * u(1.1, 1.7), radius * 0.6))


def _tail(program: Program, random: np.random.Generator, rump: np.ndarray, wide: float) -> None:
    u = random.uniform
    kind = random.random()
    base = np.array((0.0, rump[1] + 0.2 * wide, max(rump[2], 0.25 * wide)))
    with program.styled(material=int(random.integers(3))):
        if kind < 0.4:
            program.ball(base + (0, wide * 0.4, 0), wide * u(0.2, 0.45))
        elif kind < 0.85:
            radius, side = wide * u(0.1, 0.25), u(-1, 1) * wide
            middle = base + (side * 0.5, wide * u(0.4, 1.0), u(-0.5, 0.8) * wide)
            end = middle + (side, wide * u(-0.5, 0.5), u(-0.5, 1.2) * wide)
            middle[2], end[2] = max(middle[2], radius), max(end[2], radius)
            program.tube((base, middle, end), (radius * 1.2, radius, radius * u(0.4, 1.2)))


def animal_head(program: Program, random: np.random.Generator, at: np.ndarray, size: float) -> None:
    """A skull with muzzle, trunk or none, eyes, and ears that stand, hang or fan out."""
    u = random.uniform
    skull = (size * u(0.8, 1.1), size * u(0.85, 1.15), size * u(0.75, 1.05))
    program.ellipsoid(at, skull)
    kind = random.random()
    nose = at + (0, -size * u(0.7, 1.4), -size * u(0.1, 0.5))
    with program.styled(material=int(random.choice((0, 1, 3)))):
        if kind < 0.75:
            program.limb(at, nose, (size * u(0.5, 0.75), size * u(0.25, 0.55)), u(0.7, 1.2))
        elif kind < 0.87:
            swing = nose + (size * u(-0.3, 0.3), -size * u(-0.3, 0.6), -size * u(0.3, 1.2))
            program.tube((at, nose, swing), (size * 0.45, size * 0.32, size * u(0.15, 0.28)))
    with program.styled(mirror=(0,), blend=0.01):
        _ears(program, random, at, size)
        with program.styled(material=DARK):
            eye = at + (skull[0] * 0.45, -skull[1] * 0.8, skull[2] * u(0.2, 0.45))
            program.ball(eye, size * u(0.08, 0.2))
    if kind < 0.75 and random.random() < 0.7:
        with program.styled(material=DARK, blend=0.01):
            program.ball(nose + (0, -size * 0.3, size * 0.1), size * u(0.1, 0.2))


def _ears(program: Program, random: np.random.Generator, at: np.ndarray, size: float) -> None:
    u = random.uniform
    kind = random.integers(4)
    root = at + (size * u(0.35, 0.7), size * u(0, 0.3), size * u(0.5, 0.8))
    if kind == 0:  # round or pointed, standing
        program.ellipsoid(root, (size * u(0.25, 0.45), size * u(0.12, 0.2), size * u(0.3, 0.6)))
    elif kind == 1:  # long, up and back
        tip = root + (size * u(-0.1, 0.5), size * u(0, 1.0), size * u(0.7, 1.8))
        program.limb(root, tip, (size * u(0.18, 0.3), size * u(0.1, 0.25)), u(0.35, 0.8))
    elif kind == 2:  # hanging
        tip = root + (size * u(0.3, 0.6), size * u(-0.1, 0.2), -size * u(0.6, 1.3))
        program.limb(root, tip, (size * u(0.15, 0.25), size * u(0.2, 0.4)), u(0.3, 0.6))
    else:  # wide, fanned out
        side = at + (size * u(0.9, 1.3), size * 0.15, size * u(0, 0.4))
        fan = rotation((0, 0, 1), u(-40, 20))
        program.ellipsoid(
            side, (size * u(0.4, 0.75), size * u(0.08, 0.18), size * u(0.4, 0.8)), fan
        )


def toy(random: np.random.Generator) -> Program:
    """Soft toys and figurines of animals: a large head on a small body, stubby limbs."""
    u = random.uniform
    program = Program(materials=palette(random))
    girth = u(0.18, 0.28)
    with program.styled(blend=u(0.02, 0.08)):
        if random.random() < 0.5:
            _standing_toy(program, random, girth)
        else:
            _upright_toy(program, random, girth)
    return program


def _standing_toy(program: Program, random: np.random.Generator, girth: float) -> None:
    """On four stubby legs."""
    u = random.uniform
    long, leg, radius = girth * u(1.1, 1.9), girth * u(0.5, 1.2), girth * u(0.28, 0.45)
    centre = np.array((0.0, 0.0, leg + girth * 0.75))
    program.ellipsoid(centre, (girth, long, girth * u(0.85, 1.05)))
    with program.styled(mirror=(0, 1)):
        hip = centre + (girth * u(0.5, 0.7), long * u(0.5, 0.7), -girth * 0.3)
        foot = np.array((hip[0] * u(0.9, 1.1), hip[1] * u(0.9, 1.1), radius * 0.3))
        program.limb(hip, foot, (radius * 1.1, radius * u(0.8, 1.1)))
        if random.random() < 0.5:
            with program.styled(material=2, blend=0.0):
                program.cone(foot * (1, 1, 0), foot, (radius * 1.1, radius * 1.05), 0.02)
    size = girth * u(0.8, 1.35)
    neck = centre + (0, -long - size * u(0, 0.5), size * u(0.2, 1.0))
    program.limb(centre + (0, -long * 0.6, 0), neck, (girth * 0.7, girth * 0.55))
    animal_head(program, random, neck, size)
    _tail(program, random, centre + (0, long * 0.8, 0), girth * 0.8)


def _upright_toy(program: Program, random: np.random.Generator, girth: float) -> None:
    """On two legs or seated with the legs forward, arms held out."""
    u = random.uniform
    high, radius = girth * u(1.0, 1.5), girth * u(0.3, 0.5)
    seated = random.random() < 0.4
    leg = radius if seated else girth * u(0.5, 1.1)
    centre = np.array((0.0, 0.0, leg + high * 0.8))
    program.ellipsoid(centre, (girth, girth * u(0.75, 1.0), high))
    with program.styled(mirror=(0,)):
        hip = centre + (girth * u(0.4, 0.6), 0, -high * 0.6)
        foot = np.array((hip[0] * u(1, 1.6), -girth * u(1.0, 1.8) if seated else 0.0, radius * 0.6))
        program.limb(hip, foot, (radius * 1.1, radius))
        if random.random() < 0.6:
            program.ellipsoid(foot + (0, -radius * 0.5, 0), (radius, radius * 1.5, radius * 0.8))
        shoulder = centre + (girth * u(0.6, 0.85), 0, high * u(0.4, 0.6))
        reach = girth * u(0.6, 1.2)
        lift = np.radians(u(-70, 40))
        hand = shoulder + np.array((np.cos(lift), -u(0, 1.0), np.sin(lift))) * reach
        program.limb(shoulder, hand, (radius * 0.9, radius * u(0.6, 1.0)))
    size = girth * u(0.85, 1.5)
    head = centre + (0, -girth * u(0, 0.25), high * 0.8 + size * u(0.5, 0.9))
    animal_head(program, random, head, size)
    if random.random() < 0.5:
        _tail(program, random, centre + (0, girth * 0.6, -high * 0.5), girth * 0.7)
