"""From a reconstructor's camera space to the house frame.

Owns the turn that stands an object upright, centres it and scales it, its camera with it. Must
not know how the object was made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .coords import rotation_about

# OpenCV camera axes (x right, y down, z forward) to a level camera that looks along +Y.
_HOUSE_FROM_LEVEL = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
_ROUNDS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Camera space to the house frame: turn, then move, then scale.

    Attributes:
        turn: (3, 3) float64 house_from_camera rotation.
        middle: (3,) float64 of the turned object's box.
        scale: metres a unit of camera space.
    """

    turn: np.ndarray
    middle: np.ndarray
    scale: float

    def points(self, of_camera: np.ndarray) -> np.ndarray:
        """(N, 3) float64 house frame from (N, 3) camera space."""
        return (of_camera @ self.turn.T - self.middle) * self.scale

    @property
    def camera_from_world(self) -> np.ndarray:
        """(4, 4) float64, of the camera whose space it was."""
        pose = np.eye(4)
        pose[:3, :3] = self.turn.T
        pose[:3, 3] = self.turn.T @ self.middle * self.scale
        return pose


def place(vertices: np.ndarray, elevation: float) -> Placement:
    """Turn, centre and scale so that the camera stands at azimuth 0 and ``elevation``.

    Both angles are those of the camera seen from the middle of the box around the object. Turning
    changes that box, so the turn is found by repetition; each round removes most of the error.

    Args:
        vertices: (V, 3) camera space, OpenCV axes, any unit.
        elevation: degrees.

    Returns:
        what takes the vertices to the house frame, box centred on the origin, longest side 1.
    """
    yaw, pitch = 0.0, elevation
    for _ in range(_ROUNDS):
        turn = rotation_about((0, 0, 1), yaw) @ rotation_about((1, 0, 0), -pitch)
        house_from_camera = turn @ _HOUSE_FROM_LEVEL
        turned = vertices @ house_from_camera.T
        low, high = turned.min(axis=0), turned.max(axis=0)
        middle = (low + high) / 2
        yaw_error = np.degrees(np.arctan2(middle[0], middle[1]))
        pitch_error = elevation - np.degrees(np.arctan2(-middle[2], np.hypot(*middle[:2])))
        if max(abs(yaw_error), abs(pitch_error)) < 1e-12:
            break
        yaw, pitch = yaw + yaw_error, pitch + pitch_error
    return Placement(house_from_camera, middle, 1 / float((high - low).max()))
