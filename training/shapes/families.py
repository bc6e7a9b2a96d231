"""The table of families, and the one way from a seed to a shape.

Owns which families are trained on, how often each is drawn, and which are held out. Must not know
pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from . import (
    aircraft,
    bars,
    bird,
    building,
    composition,
    four_legged,
    furniture,
    head,
    held_out,
    plant,
    road,
    sitting,
    soft,
    stack,
    tool,
    two_legged,
    vessel,
)
from .program import Program

Family = Callable[[np.random.Generator], Program]

TRAINED: Mapping[str, tuple[Family, float]] = {
    "four_legged": (four_legged.four_legged, 3.0),
    "sitting": (sitting.sitting, 2.5),
    "toy": (sitting.toy, 2.5),
    "two_legged": (two_legged.two_legged, 2.5),
    "bird": (bird.bird, 2.0),
    "road": (road.road, 2.5),
    "open_vessel": (vessel.open_vessel, 1.5),
    "closed_vessel": (vessel.closed_vessel, 1.5),
    "turned_post": (vessel.turned_post, 0.7),
    "chair": (furniture.chair, 1.4),
    "sofa": (furniture.sofa, 1.0),
    "table": (furniture.table, 1.0),
    "cabinet": (furniture.cabinet, 1.2),
    "tool": (tool.tool, 1.5),
    "building": (building.building, 1.5),
    "aircraft": (aircraft.aircraft, 1.0),
    "plant": (plant.plant, 1.2),
    "head": (head.head, 1.2),
    "blob": (soft.blob, 0.6),
    "fruit": (soft.fruit, 0.8),
    "composition": (composition.composition, 1.5),
    "long_body": (bars.long_body, 1.2),
    "plates": (bars.plates, 0.5),
    "rod_frame": (bars.rod_frame, 0.5),
    "chain": (bars.chain, 0.4),
    "open_shell": (bars.open_shell, 0.6),
    "letter": (bars.letter, 0.3),
    "pile": (stack.pile, 0.8),
    "machine": (stack.machine, 1.5),
    "boat": (stack.boat, 0.7),
    "shoe": (stack.shoe, 0.7),
}
HELD_OUT: Mapping[str, tuple[Family, float]] = {
    "fish": (held_out.fish, 1.0),
    "lamp": (held_out.lamp, 1.0),
    "locomotive": (held_out.locomotive, 1.0),
}


def draw(random: np.random.Generator, families: Mapping[str, tuple[Family, float]]) -> str:
    """The name of a family, by the table's weights."""
    weights = np.array([weight for _, weight in families.values()])
    return list(families)[random.choice(len(weights), p=weights / weights.sum())]


def shape(name: str, seed: int | tuple[int, ...]) -> Program:
    """The shape of a family that a seed stands for; nothing else decides it."""
    family = TRAINED[name] if name in TRAINED else HELD_OUT[name]
    return family[0](np.random.default_rng(seed))
