import numpy as np
import pytest

from glimpse3d import coords
from glimpse3d.coords import Lens
from glimpse3d.errors import InvalidData
from glimpse3d.types import Camera, Mesh

LENS = Lens.from_field_of_view(40, 640, 480)


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    return coords.rotation_about(rng.normal(size=3), rng.uniform(0, 360))


def random_camera(rng: np.random.Generator) -> Camera:
    position = rng.normal(size=3) * 3
    return coords.look_at(position, rng.normal(size=3) * 0.1, LENS)


def matrix_of(q: np.ndarray) -> np.ndarray:
    """The textbook matrix of a unit quaternion, written out independently."""
    w, x, y, z = q
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def test_azimuth_zero_stands_in_front_and_ninety_on_plus_x() -> None:
    assert np.allclose(coords.orbit_position(0, 0, 2), [0, -2, 0])
    assert np.allclose(coords.orbit_position(90, 0, 2), [2, 0, 0])
    assert np.allclose(coords.orbit_position(0, 90, 2), [0, 0, 2])


def test_a_camera_in_front_sees_right_as_plus_x_and_up_as_plus_z() -> None:
    camera = coords.orbit_camera(0, 0, 3, LENS)
    points = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0, 0.1]])
    pixels, depth = coords.project(camera, points)
    assert np.allclose(pixels[0], [320, 240])
    assert pixels[1, 0] > 320 and np.isclose(pixels[1, 1], 240)
    assert pixels[2, 1] < 240 and np.isclose(pixels[2, 0], 320)
    assert np.allclose(depth, 3)


def test_field_of_view_is_vertical() -> None:
    camera = coords.orbit_camera(0, 0, 3, LENS)
    top = np.array([[0, 0, 3 * np.tan(np.radians(20))]])
    assert np.allclose(coords.project(camera, top)[0], [[320, 0]], atol=1e-9)


def test_azimuth_and_elevation_come_back_from_the_camera() -> None:
    for azimuth in (-170.0, -30.0, 0.0, 45.0, 179.0):
        for elevation in (-60.0, 0.0, 17.0):
            camera = coords.orbit_camera(azimuth, elevation, 1.7, LENS)
            assert np.allclose(coords.azimuth_elevation(camera), (azimuth, elevation))


def test_syncdreamer_rig_is_what_its_four_numbers_say() -> None:
    """The rig's own frame: front on +X, azimuth from +X, OpenCV camera axes."""
    front_from_house = coords.HOUSE_FROM_FRONT_X.T
    cameras = coords.syncdreamer_rig()
    assert len(cameras) == 16
    for k, camera in enumerate(cameras):
        azimuth, elevation = np.radians(22.5 * k), np.radians(30.0)
        position = 1.5 * np.array(
            [
                np.cos(azimuth) * np.cos(elevation),
                np.sin(azimuth) * np.cos(elevation),
                np.sin(elevation),
            ]
        )
        assert np.allclose(front_from_house @ camera.position, position, atol=1e-6)
        forward = -position / 1.5
        right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
        down = np.cross(forward, right)
        rotation = camera.camera_from_world[:3, :3] @ coords.HOUSE_FROM_FRONT_X
        assert np.allclose(rotation, [right, down, forward], atol=1e-6)
        assert np.allclose(camera.K, [[280, 0, 128], [0, 280, 128], [0, 0, 1]], atol=1e-6)
    assert np.isclose(2 * np.degrees(np.arctan(128 / 280)), 49.134, atol=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_opengl_pose_round_trip(seed: int) -> None:
    camera = random_camera(np.random.default_rng(seed))
    pose = coords.opengl_pose(camera)
    assert np.allclose(pose[:3, 3], camera.position)
    assert np.allclose(pose[:3, 2], -camera.camera_from_world[2, :3])  # looks along -z
    back = coords.camera_from_opengl_pose(pose, camera.K, 640, 480)
    assert np.allclose(back.camera_from_world, camera.camera_from_world, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_turning_world_and_camera_together_changes_no_pixel(seed: int) -> None:
    rng = np.random.default_rng(seed)
    camera, rotation, points = random_camera(rng), random_rotation(rng), rng.normal(size=(9, 3))
    before, depth = coords.project(camera, points * 0.3)
    after, depth_after = coords.project(
        coords.rotate_camera(camera, rotation), points * 0.3 @ rotation.T
    )
    assert np.allclose(before, after) and np.allclose(depth, depth_after)


def test_scaling_world_and_camera_together_changes_no_pixel() -> None:
    rng = np.random.default_rng(3)
    camera, points = random_camera(rng), rng.normal(size=(9, 3)) * 0.3
    before, depth = coords.project(camera, points)
    after, depth_after = coords.project(coords.scale_camera(camera, 0.25), points * 0.25)
    assert np.allclose(before, after) and np.allclose(depth * 0.25, depth_after)


def test_quaternions_agree_with_matrices() -> None:
    rng = np.random.default_rng(0)
    half_turns = [np.diag([1.0, -1, -1]), np.diag([-1.0, 1, -1]), np.diag([-1.0, -1, 1])]
    rotations = [random_rotation(rng) for _ in range(50)] + half_turns
    for first in rotations:
        q = coords.quaternion_from_rotation(first)
        assert np.allclose(matrix_of(q), first, atol=1e-12)
        second = random_rotation(rng)
        product = coords.multiply_quaternions(coords.quaternion_from_rotation(second), q)
        assert np.allclose(matrix_of(product), second @ first, atol=1e-12)


def test_a_mirror_is_refused() -> None:
    mirror = np.diag([1.0, 1.0, -1.0])
    mesh = Mesh(np.zeros((3, 3)), [[0, 1, 2]])
    with pytest.raises(InvalidData, match="not a rotation"):
        coords.rotate_mesh(mesh, mirror)
    with pytest.raises(InvalidData, match="mirrors"):
        pose = np.eye(4)
        pose[:3, :3] = mirror
        Camera(pose, LENS.K, 640, 480)


def test_frames_of_the_formats() -> None:
    """Up and front of the house land where each format has them; none of them mirrors."""
    up, front = np.array([0, 0, 1]), np.array([0, -1, 0])
    assert np.array_equal(coords.GLTF_FROM_HOUSE @ up, [0, 1, 0])
    assert np.array_equal(coords.GLTF_FROM_HOUSE @ front, [0, 0, 1])
    assert np.array_equal(coords.PLY_FROM_HOUSE @ up, [0, -1, 0])
    assert np.array_equal(coords.PLY_FROM_HOUSE @ front, [0, 0, -1])
    assert np.array_equal(coords.HOUSE_FROM_FRONT_X @ [1, 0, 0], front)
    for matrix in (coords.GLTF_FROM_HOUSE, coords.PLY_FROM_HOUSE, coords.HOUSE_FROM_FRONT_X):
        assert np.isclose(np.linalg.det(matrix), 1)


def test_straight_above_has_no_upright_pose() -> None:
    with pytest.raises(InvalidData, match="straight above"):
        coords.orbit_camera(0, 90, 1, LENS)
