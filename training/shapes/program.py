"""Building a signed-distance program part by part.

Owns the vocabulary that the families write in: primitives, how they join, mirroring, repetition,
hollowing, cutting, bending. Frame: Z up, the front towards -Y, lengths of about 1. Must not know
families or pictures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from .. import distance as k

Vector = Sequence[float] | np.ndarray


def rotation(axis: Vector, degrees: float) -> np.ndarray:
    """(3, 3) turn by the right hand about ``axis``."""
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return c * np.eye(3) + s * cross + (1 - c) * np.outer((x, y, z), (x, y, z))


def axis_to(direction: Vector) -> np.ndarray:
    """(3, 3) turn whose third column is ``direction``; its first column stays level."""
    z = np.asarray(direction, float) / np.linalg.norm(direction)
    side = np.cross((0.0, 1.0, 0.0) if abs(z[1]) < 0.9 else (0.0, 0.0, 1.0), z)
    x = side / np.linalg.norm(side)
    return np.stack((x, np.cross(z, x), z), axis=1)


@dataclass(frozen=True)
class Style:
    """How the next parts are added.

    Attributes:
        material: row of the palette.
        operation: distance.UNION, SUBTRACT or INTERSECT with all that stands before.
        blend: length over which the joint is smoothed.
        mirror: axes, of 0 and 1, that the part is also added across.
        around: how many times the part is added, evenly turned about Z.
        hollow: half the thickness of the shell that stands for the part; 0 for a full one.
        cut: (nx, ny, nz, offset) in the part's own axes; what lies beyond is taken away.
        bump: height and frequency of a wavy displacement.
    """

    material: int = 0
    operation: int = k.UNION
    blend: float = 0.0
    mirror: tuple[int, ...] = ()
    around: int = 1
    hollow: float = 0.0
    cut: tuple[float, float, float, float] | None = None
    bump: tuple[float, float] = (0.0, 1.0)


@dataclass
class Program:
    """A shape in the making: instruction rows, polygon corners, materials, one deformation."""

    style: Style = field(default_factory=Style)
    rows: list[np.ndarray] = field(default_factory=list)
    corners: list[np.ndarray] = field(default_factory=list)
    materials: list[np.ndarray] = field(default_factory=list)
    deformation: np.ndarray = field(default_factory=lambda: np.eye(k.DEFORMATION)[k.STRETCH])

    @contextmanager
    def styled(self, **changes: object) -> Iterator[Program]:
        """Add the parts inside the block with some of the style changed."""
        before = self.style
        self.style = replace(before, **changes)  # type: ignore[arg-type]
        try:
            yield self
        finally:
            self.style = before

    def solid(self) -> k.Solid:
        """The program as the compiled loops read it."""
        corners = np.concatenate(self.corners) if self.corners else np.zeros((1, 2))
        return k.Solid(np.stack(self.rows), corners, self.deformation)

    def ellipsoid(self, centre: Vector, radii: Vector, turn: np.ndarray | None = None) -> None:
        """A ball stretched along its own axes."""
        self._add(k.ELLIPSOID, centre, turn, radii, max(radii))

    def ball(self, centre: Vector, radius: float) -> None:
        """A ball."""
        self.ellipsoid(centre, (radius, radius, radius))

    def box(
        self,
        centre: Vector,
        half: Vector,
        rounding: float = 0.01,
        taper: tuple[float, float] = (0.0, 0.0),
        turn: np.ndarray | None = None,
    ) -> None:
        """A box of half sizes ``half``; at +z its sides are 1 + taper, at -z 1 - taper as long."""
        rounding = min(rounding, 0.98 * min(half))
        wide = [half[axis] * (1 + abs(taper[axis])) for axis in (0, 1)]
        reach = math.hypot(wide[0], wide[1], half[2])
        self._add(k.BOX, centre, turn, (*half, rounding, *taper), reach)

    def limb(self, start: Vector, end: Vector, radii: tuple[float, float], flat: float = 1) -> None:
        """A round bar between two points; ``flat`` scales its second thickness."""
        start, end = np.asarray(start, float), np.asarray(end, float)
        length = max(float(np.linalg.norm(end - start)), 1e-4)
        turn = axis_to(end - start) if length > 1e-4 else np.eye(3)

        reach = length / 2 + max(radii) * max(1.0, flat)
        self._add(k.CAPSULE, (start + end) / 2, turn, (radii[0], radii[1], length, flat), reach)

    def tube(
        self, points: Sequence[Vector] | np.ndarray, radii: Sequence[float], flat: float = 1
    ) -> None:
        """Bars along a polyline, one radius a point."""
        for index in range(len(points) - 1):
            self.limb(points[index], points[index + 1], (radii[index], radii[index + 1]), flat)

    def cone(
        self,
        start: Vector,
        end: Vector,
        radii: tuple[float, float],
        rounding: float = 0.005,
        flat: float = 1,
    ) -> None:
        """A frustum of a cone, or a cylinder, between two points."""
        start, end = np.asarray(start, float), np.asarray(end, float)
        half = max(float(np.linalg.norm(end - start)) / 2, 1e-3)
        low, high = max(radii[0], 1e-4), max(radii[1], 1e-4)
        rounding = min(rounding, 0.9 * min(low, high, half))
        reach = math.hypot(max(low, high) * max(1.0, flat), half)
        sizes = (low, high, half, rounding, flat)
        self._add(k.FRUSTUM, (start + end) / 2, axis_to(end - start), sizes, reach)

    def ring(
        self,
        centre: Vector,
        radii: tuple[float, float],
        axis: Vector = (0, 0, 1),
        flat: float = 1,
    ) -> None:
        """A torus of ring radius and tube radius about ``axis``; ``flat`` scales its height."""
        reach = radii[0] + radii[1] * max(1.0, flat)
        self._add(k.TORUS, centre, axis_to(axis), (*radii, flat), reach)

    def lathe(
        self,
        profile: Sequence[Vector] | np.ndarray,
        centre: Vector = (0, 0, 0),
        rounding: float = 0.0,
        squash: float = 1.0,
        turn: np.ndarray | None = None,
    ) -> None:
        """A closed polygon of (radius, height), turned about the upright axis."""
        points = np.asarray(profile, float)
        reach = float(np.hypot(points[:, 0] * max(1.0, squash), points[:, 1]).max()) + rounding
        # The kernel divides x by the squash.
        self._add(k.LATHE, centre, turn, (rounding, squash), reach, points)

    def plate(
        self,
        outline: Sequence[Vector] | np.ndarray,
        thickness: float,
        centre: Vector = (0, 0, 0),
        rounding: float = 0.005,
        turn: np.ndarray | None = None,
    ) -> None:
        """A polygon of (x, z), ``thickness`` through along y."""
        points = np.asarray(outline, float)
        half = thickness / 2
        reach = math.hypot(float(np.hypot(points[:, 0], points[:, 1]).max()), half)
        sizes = (half, min(rounding, 0.9 * half))
        self._add(k.EXTRUSION, centre, turn, sizes, reach, points)

    def bend(self, bend: Vector = (0, 0), wave: Vector = (0, 1, 0), twist: float = 0) -> None:
        """Deform the whole shape: x and y sheared by z squared, a wave along z, a twist."""
        slope = 2 * math.hypot(*bend) + abs(wave[0] * wave[1]) + 0.8 * abs(twist)
        self.deformation = np.array([*bend, *wave, twist, 1.0 + slope])

    def _add(
        self,
        kind: int,
        centre: Vector,
        turn: np.ndarray | None,
        sizes: Vector,
        reach: float,
        polygon: np.ndarray | None = None,
    ) -> None:
        style = self.style
        row = np.zeros(k.INSTRUCTION)
        row[k.KIND], row[k.OPERATION], row[k.BLEND] = kind, style.operation, style.blend
        row[k.MATERIAL] = style.material
        row[k.HOLLOW] = style.hollow
        row[k.BUMP], row[k.BUMP_FREQUENCY] = style.bump
        row[k.REACH] = reach + style.hollow + style.bump[0]
        row[k.SIZE : k.SIZE + len(sizes)] = sizes
        if style.cut is not None:
            row[k.CLIP : k.CLIP + 4], row[k.CLIPPED] = style.cut, 1
        if polygon is not None:
            row[k.FIRST_CORNER] = sum(len(part) for part in self.corners)
            row[k.CORNERS] = len(polygon)
            self.corners.append(polygon)
        local_from_object = np.eye(3) if turn is None else np.asarray(turn, float).T
        for image in self._images():
            copy = row.copy()
            copy[k.CENTRE : k.CENTRE + 3] = image @ np.asarray(centre, float)
            copy[k.MATRIX : k.MATRIX + 9] = (local_from_object @ image.T).ravel()
            self.rows.append(copy)

    def _images(self) -> Iterator[np.ndarray]:
        """The mirrorings and turns that the style asks for, (3, 3) each."""
        mirrors = [np.eye(3)]
        for axis in self.style.mirror:
            flip = np.eye(3)
            flip[axis, axis] = -1
            mirrors += [flip @ other for other in mirrors]
        for step in range(self.style.around):
            turn = rotation((0, 0, 1), 360 * step / self.style.around)
            for mirror in mirrors:
                yield turn @ mirror
