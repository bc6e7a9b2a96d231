"""The house frame, and every conversion into it or out of it.

Owns rotations, camera rigs and the matrices between conventions; named ``destination_from_source``.
Must not know files, backends or pixels' contents. numpy only, travels with ``formats``.

The house frame is Blender's: right-handed, +Z up, the front faces -Y, metres. Azimuth 0 looks at
the front from -Y and grows counter-clockwise seen from above, towards +X; elevation up is positive.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .errors import InvalidData
from .formats import sh
from .types import Camera, GaussianCloud, Mesh

# x right, y down, z forward  <->  x right, y up, z back (OpenGL, Blender and nerfstudio cameras).
OPENGL_FROM_OPENCV = np.diag([1.0, -1.0, -1.0])
# glTF: +Y up, the front faces +Z.
GLTF_FROM_HOUSE = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
# Splat PLY as trainers write it: OpenCV's axes as a world, y down; the front faces -Z.
PLY_FROM_HOUSE = OPENGL_FROM_OPENCV @ GLTF_FROM_HOUSE
# TripoSR and SyncDreamer: +Z up, the front faces +X, azimuth counter-clockwise from +X.
HOUSE_FROM_FRONT_X = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


@dataclass(frozen=True, slots=True)
class Lens:
    """A pinhole with square pixels and its principal point in the middle.

    Attributes:
        focal: pixels.
        width, height: pixels.
    """

    focal: float
    width: int
    height: int

    @classmethod
    def from_field_of_view(cls, degrees: float, width: int, height: int) -> Lens:
        """``degrees`` is the vertical field of view."""
        return cls(0.5 * height / math.tan(math.radians(degrees) / 2), width, height)

    @property
    def K(self) -> np.ndarray:  # noqa: N802  the field's own letter
        """(3, 3) float64."""
        middle = self.width / 2, self.height / 2
        return np.array([[self.focal, 0, middle[0]], [0, self.focal, middle[1]], [0, 0, 1.0]])


def orbit_position(azimuth: float, elevation: float, radius: float) -> np.ndarray:
    """(3,) float64, a point on the sphere around the origin; degrees and metres."""
    a, e = math.radians(azimuth), math.radians(elevation)
    return radius * np.array([math.sin(a) * math.cos(e), -math.cos(a) * math.cos(e), math.sin(e)])


def look_at(position: np.ndarray, target: np.ndarray, lens: Lens) -> Camera:
    """A camera at ``position`` that sees ``target`` in its middle, +Z up in the picture.

    Raises:
        InvalidData: straight above or below, where up is undefined.
    """
    forward = np.asarray(target, np.float64) - position
    distance = float(np.linalg.norm(forward))
    right = np.cross(forward, [0.0, 0.0, 1.0])
    if np.linalg.norm(right) < 1e-9 * max(distance, 1e-12):
        raise InvalidData("a camera straight above its target has no upright pose")
    forward = forward / distance
    right = right / np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = [right, np.cross(forward, right), forward]
    pose[:3, 3] = -pose[:3, :3] @ position
    return Camera(pose, lens.K, lens.width, lens.height)


def orbit_camera(azimuth: float, elevation: float, radius: float, lens: Lens) -> Camera:
    """A camera on the sphere around the origin, looking at it; degrees and metres."""
    return look_at(orbit_position(azimuth, elevation, radius), np.zeros(3), lens)


def orbit(azimuths: Sequence[float], elevation: float, radius: float, lens: Lens) -> list[Camera]:
    """One camera an azimuth: a turntable's, or a view generator's rig."""
    return [orbit_camera(azimuth, elevation, radius, lens) for azimuth in azimuths]


def syncdreamer_rig() -> list[Camera]:
    """SyncDreamer's 16 views in the house frame (arXiv 2309.03453).

    All stand at elevation 30 degrees, azimuth 22.5 degrees times k, radius 1.5, with a focal
    length of 280 px at 256 x 256 px.
    """
    return orbit([22.5 * k for k in range(16)], 30.0, 1.5, Lens(280.0, 256, 256))


def azimuth_elevation(camera: Camera) -> tuple[float, float]:
    """Where the camera stands as seen from the origin, degrees; azimuth in (-180, 180]."""
    x, y, z = camera.position
    return float(np.degrees(np.arctan2(x, -y))), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def project(camera: Camera, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """World points to pixels.

    Returns:
        (N, 2) float64 pixels (x right, y down, centre of the first pixel at 0.5), and (N,) float64
        depth along the camera's axis, metres; pixels mean nothing where the depth is not positive.
    """
    local = points @ camera.camera_from_world[:3, :3].T + camera.camera_from_world[:3, 3]
    depth = local[:, 2]
    homogeneous = local @ camera.K.T
    return homogeneous[:, :2] / np.where(depth > 0, depth, np.inf)[:, None], depth


def check_rotation(rotation: np.ndarray) -> np.ndarray:
    """``rotation`` as (3, 3) float64.

    Raises:
        InvalidData: not a rotation; a mirror image cannot be carried by quaternions.
    """
    matrix = np.array(rotation, np.float64)
    rigid = matrix.shape == (3, 3) and np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-6)
    if not rigid or np.linalg.det(matrix) < 0:
        raise InvalidData("not a rotation: expected a (3, 3) orthogonal matrix, determinant +1")
    return matrix


def rotation_about(axis: Sequence[float], degrees: float) -> np.ndarray:
    """(3, 3) float64, counter-clockwise about ``axis`` (Rodrigues)."""
    x, y, z = np.asarray(axis, np.float64) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def quaternion_from_rotation(rotation: np.ndarray) -> np.ndarray:
    """(4,) float64 wxyz, unit, w not negative."""
    m = check_rotation(rotation)
    # Of the four ways to write q, the one that divides by the largest part is stable (Shepperd).
    squares = np.array(
        [
            1 + m[0, 0] + m[1, 1] + m[2, 2],
            1 + m[0, 0] - m[1, 1] - m[2, 2],
            1 - m[0, 0] + m[1, 1] - m[2, 2],
            1 - m[0, 0] - m[1, 1] + m[2, 2],
        ]
    )
    wx, wy, wz = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
    xy, xz, yz = m[0, 1] + m[1, 0], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1]
    rows = [
        [squares[0], wx, wy, wz],
        [wx, squares[1], xy, xz],
        [wy, xy, squares[2], yz],
        [wz, xz, yz, squares[3]],
    ]
    q = np.array(rows[int(squares.argmax())])
    q /= np.linalg.norm(q)
    return q if q[0] >= 0 else -q


def multiply_quaternions(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(..., 4) wxyz: the rotation ``right``, then ``left``."""
    a, b, c, d = np.moveaxis(np.asarray(left), -1, 0)
    w, x, y, z = np.moveaxis(np.asarray(right), -1, 0)
    return np.stack(
        [
            a * w - b * x - c * y - d * z,
            a * x + b * w + c * z - d * y,
            a * y - b * z + c * w + d * x,
            a * z + b * y - c * x + d * w,
        ],
        axis=-1,
    )


def rotate_cloud(cloud: GaussianCloud, rotation: np.ndarray) -> GaussianCloud:
    """The cloud turned about the origin, its view-dependent colour with it."""
    matrix = check_rotation(rotation)
    quaternion = quaternion_from_rotation(matrix)
    return GaussianCloud(
        means=cloud.means @ matrix.T,
        scales=cloud.scales,
        rotations=multiply_quaternions(quaternion, cloud.rotations),
        opacities=cloud.opacities,
        sh=sh.rotate(cloud.sh, matrix),
    )


def rotate_mesh(mesh: Mesh, rotation: np.ndarray) -> Mesh:
    """The mesh turned about the origin."""
    return replace(mesh, vertices=mesh.vertices @ check_rotation(rotation).T)


def rotate_camera(camera: Camera, rotation: np.ndarray) -> Camera:
    """The camera carried along when the world is turned about the origin."""
    pose = np.array(camera.camera_from_world)
    pose[:3, :3] = pose[:3, :3] @ check_rotation(rotation).T
    return replace(camera, camera_from_world=pose)


def scale_mesh(mesh: Mesh, factor: float) -> Mesh:
    """The mesh made larger about the origin."""
    return replace(mesh, vertices=mesh.vertices * np.float32(factor))


def scale_camera(camera: Camera, factor: float) -> Camera:
    """The camera carried along when the world is made larger about the origin."""
    pose = np.array(camera.camera_from_world)
    pose[:3, 3] *= factor
    return replace(camera, camera_from_world=pose)


def opengl_pose(camera: Camera) -> np.ndarray:
    """(4, 4) float64 world from camera with OpenGL camera axes, as Blender and nerfstudio use."""
    pose = camera.world_from_camera
    pose[:3, :3] = pose[:3, :3] @ OPENGL_FROM_OPENCV
    return pose


def camera_from_opengl_pose(pose: np.ndarray, K: np.ndarray, width: int, height: int) -> Camera:
    """The inverse of ``opengl_pose``."""
    rotation = OPENGL_FROM_OPENCV @ np.asarray(pose, np.float64)[:3, :3].T
    camera_from_world = np.eye(4)
    camera_from_world[:3, :3] = rotation
    camera_from_world[:3, 3] = -rotation @ np.asarray(pose, np.float64)[:3, 3]
    return Camera(camera_from_world, K, width, height)
