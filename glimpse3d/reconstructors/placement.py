"""From a reconstructor's camera space to the house frame.

Owns the turn that stands an object upright, centres it and scales it, its camera with it. Must
not know how the object was made.
"""

from __future__ import annotations

import numpy as np

from ..coords import rotation_about

# OpenCV camera axes (x right, y down, z forward) to a level camera that looks along +Y.
_HOUSE_FROM_LEVEL = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
_ROUNDS = 200


def place(vertices: np.ndarray, elevation: float) -> tuple[np.ndarray, np.ndarray]:
    """Turn, centre and scale so that the camera stands at azimuth 0 and ``elevation``.

    Both angles are those of the camera seen from the middle of the box around the object. Turning
    changes that box, so the turn is found by repetition; each round removes most of the error.

    Args:
        vertices: (V, 3) camera space, OpenCV axes, any unit.
        elevation: degrees.

    Returns:
        (V, 3) float64 house frame, box centred on the origin, longest side 1; and (4, 4) float64
        camera_from_world.
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
    scale = 1 / float((high - low).max())
    camera_from_world = np.eye(4)
    camera_from_world[:3, :3] = house_from_camera.T
    camera_from_world[:3, 3] = house_from_camera.T @ middle * scale
    return (turned - middle) * scale, camera_from_world
