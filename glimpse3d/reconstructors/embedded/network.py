"""The shipped network and what it says of a picture.

Owns the onnxruntime session, the network's grid as its file describes it, and averaging over
several looks. Must not know meshes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import embedded_weights
from ...errors import BackendUnavailable
from ...outline.medial import half_thickness
from .solid import chances, expected_overlap, levels

NAME = "reconstructor"
INSTEAD = "--reconstructor inflate"
# Pixels of the picture by which looks are shifted: one cell of the grid.
_SHIFT = 2
_SHIFTS = ((0, 0), (_SHIFT, 0), (-_SHIFT, 0), (0, _SHIFT), (0, -_SHIFT))


@dataclass(frozen=True, slots=True)
class Grid:
    """The network's frustum, cut into cells.

    Attributes:
        image: pixels of the square picture that it is given.
        rays: of the grid, along a side.
        cells: along a ray.
        depth_per_tangent: half of the grid's depth over the tangent of half the field of view;
            the subject's middle has depth 1.
        fill: longer side of the subject's box over the picture's.
    """

    image: int
    rays: int
    cells: int
    depth_per_tangent: float
    fill: float

    def depths(self, tangent: float) -> tuple[float, float]:
        """The nearest and the farthest depth."""
        half = self.depth_per_tangent * tangent
        return 1 - half, 1 + half


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What the network says, averaged over its looks.

    Attributes:
        logits: (cells, rays, rays) float32, near to far, above 0 where it is solid.
        elevation: degrees from which the picture was taken, above the horizon.
        confidence: 0..1, overlap (intersection over union) that is to be expected between the
            solid and the truth, by the look that doubts it most.
    """

    logits: np.ndarray
    elevation: float
    confidence: float


class Network:
    """An onnxruntime session.

    Attributes:
        grid: where its answers lie.
    """

    def __init__(self, session: Any) -> None:
        """Take over a session.

        Raises:
            BackendUnavailable: the file does not describe its grid.
        """
        self._session = session
        described = session.get_modelmeta().custom_metadata_map.get("frustum")
        if described is None:
            raise BackendUnavailable(
                "the network's file does not describe its grid", f"choose {INSTEAD}"
            )
        values = json.loads(described)
        self.grid = Grid(
            values["image"],
            values["grid"],
            values["bins"],
            values["depth_per_tangent"],
            values["fill"],
        )

    @classmethod
    def shipped(cls) -> Network:
        """The network that came with the package; see ``embedded_weights.session``."""
        return cls(embedded_weights.session(NAME, INSTEAD))

    def look(self, rgba: np.ndarray, tangent: float, passes: int) -> Prediction:
        """What is solid, averaged over ``passes`` looks.

        Args:
            rgba: (image, image, 4) uint8 sRGB, straight alpha, the subject's box centred.
            tangent: of half the field of view.
            passes: how many of ten: mirrored or not, shifted by a cell in four directions or not.
        """
        half = half_thickness(rgba[..., 3] >= 128) / self.grid.image
        picture = np.concatenate((rgba.transpose(2, 0, 1).astype(np.float32) / 255, half[None]))
        picture[:3, rgba[..., 3] == 0] = 0
        answers = [
            self._answer(picture, tangent, mirrored, shift)
            for mirrored, shift in list(_looks())[:passes]
        ]
        logits, elevations = (list(each) for each in zip(*answers, strict=True))
        mean: np.ndarray = np.mean(logits, axis=0)
        inside = _rays_inside(rgba[..., 3], self.grid.rays)
        solid = (mean > levels(mean, inside))[:, inside]
        overlaps = [expected_overlap(solid, chances(each[:, inside])) for each in logits]
        return Prediction(
            mean,
            float(np.degrees(np.mean(elevations))),
            min(overlaps),
        )

    def _answer(
        self, picture: np.ndarray, tangent: float, mirrored: bool, shift: tuple[int, int]
    ) -> tuple[np.ndarray, float]:
        """Logits and elevation of one look, moved back to where the picture has them."""
        logits, elevation = self._run(_moved(picture, mirrored, shift), tangent)
        down, right = (each * self.grid.rays // self.grid.image for each in shift)
        return _moved_back(logits, mirrored, (down, right)), elevation

    def _run(self, picture: np.ndarray, tangent: float) -> tuple[np.ndarray, float]:
        inputs = {"picture": picture[None], "tangent": np.array([tangent], np.float32)}
        logits, elevation = self._session.run(["occupancy", "elevation"], inputs)
        return logits[0], float(elevation[0])


def _looks() -> Iterator[tuple[bool, tuple[int, int]]]:
    """The picture and its mirror image first: what they disagree on is a guess."""
    for shift in _SHIFTS:
        for mirrored in (False, True):
            yield mirrored, shift


def _moved(picture: np.ndarray, mirrored: bool, shift: tuple[int, int]) -> np.ndarray:
    """(C, H, W) shifted down and right, then mirrored; the subject's margin is wider than that."""
    moved = np.roll(picture, shift, axis=(1, 2))
    return np.ascontiguousarray(moved[..., ::-1] if mirrored else moved)


def _moved_back(answer: np.ndarray, mirrored: bool, shift: tuple[int, int]) -> np.ndarray:
    turned = answer[..., ::-1] if mirrored else answer
    return np.roll(turned, (-shift[0], -shift[1]), axis=(1, 2))


def _rays_inside(alpha: np.ndarray, rays: int) -> np.ndarray:
    """(rays, rays) bool: whose pixels are more subject than background."""
    part = len(alpha) // rays
    return alpha.reshape(rays, part, rays, part).mean(axis=(1, 3)) > 127.5
