"""Edits of splat objects: what a cloud's edit means for the object that holds it.

Owns poses, shared data and children. Must not know operators; the edits themselves are
``cloud_edits``'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix

from .._vendor.glimpse3d import cloud_edits
from .._vendor.glimpse3d.errors import InvalidData
from .._vendor.glimpse3d.types import GaussianCloud
from . import splat_data, splat_region, splats


@dataclass(frozen=True, slots=True)
class Measure:
    """What splats are chosen by.

    Attributes:
        by: ``OPACITY`` (0..1), ``SIZE`` (the longest standard deviation, metres) or ``COLOR`` (how
            far from ``color``, 0..1, without what depends on the view).
        low, high: what is taken, both included.
        color: sRGB 0..1.
    """

    by: str
    low: float
    high: float
    color: Sequence[float]

    def taken(self, cloud: GaussianCloud) -> np.ndarray:
        """(N,) bool."""
        if self.by == "OPACITY":
            values = cloud.opacities
        elif self.by == "SIZE":
            values = cloud_edits.sizes(cloud)
        else:
            apart = cloud_edits.colors(cloud) - np.array(self.color, np.float32)
            values = np.linalg.norm(apart, axis=1) / 3**0.5
        # Blender's fields hold single precision, and so do the values.
        return np.asarray((values >= np.float32(self.low)) & (values <= np.float32(self.high)))


def select(things: Sequence[bpy.types.Object], measure: Measure) -> int:
    """Select splats to be seen in Edit Mode; returns how many."""
    total = 0
    for thing in things:
        taken = measure.taken(splat_data.read_cloud(thing.data))
        splat_data.select(thing.data, taken)
        total += int(np.count_nonzero(taken))
    return total


def cropped(
    thing: bpy.types.Object,
    cloud: GaussianCloud,
    shape: str,
    bounds: Sequence[bpy.types.Object],
    invert: bool,
) -> GaussianCloud:
    """What of the cloud lies inside, or outside.

    Raises:
        InvalidData: nothing.
    """
    others = [each for each in bounds if each != thing]
    inside = splat_region.inside(cloud.means, np.array(thing.matrix_world), shape, others)
    kept = inside != invert
    if not kept.any():
        raise InvalidData(
            f"nothing of {thing.name} would be left", "move the bounds over the splats"
        )
    return cloud_edits.pick(cloud, kept)


def apply_transforms(things: Sequence[bpy.types.Object]) -> None:
    """Make location, rotation and scale part of the splats; the world and children stay as seen.

    Raises:
        InvalidData: an object has a scale of zero; none was changed.
    """
    moved = [
        cloud_edits.transform(splat_data.read_cloud(thing.data), np.array(thing.matrix_basis))
        for thing in things
    ]
    for thing, cloud in zip(things, moved, strict=True):
        replace(thing, cloud)
        for child in thing.children:
            child.matrix_parent_inverse = thing.matrix_basis @ child.matrix_parent_inverse
        thing.matrix_basis = Matrix.Identity(4)


def merge(active: bpy.types.Object, others: Sequence[bpy.types.Object]) -> int:
    """Put the splats of ``others`` into ``active``, where they stand, and remove those objects.

    Returns:
        how many splats there are now.

    Raises:
        InvalidData: an object has a scale of zero; none was changed.
    """
    clouds = [splat_data.read_cloud(active.data)]
    for thing in others:
        active_from_own = np.array(active.matrix_world.inverted_safe() @ thing.matrix_world)
        clouds.append(cloud_edits.transform(splat_data.read_cloud(thing.data), active_from_own))
    merged = cloud_edits.merge(clouds)
    replace(active, merged)
    for thing in others:
        bpy.data.objects.remove(thing)
    return len(merged)


def replace(thing: bpy.types.Object, cloud: GaussianCloud) -> None:
    """Give an object other splats; objects that shared its data keep what they had."""
    if thing.data.users > 1:
        thing.data = thing.data.copy()
    splats.replace_cloud(thing, cloud)
