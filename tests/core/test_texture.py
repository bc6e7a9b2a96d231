import numpy as np
import pytest

from glimpse3d import mesh_raster
from glimpse3d.coords import Lens, look_at, orbit_camera
from glimpse3d.errors import InvalidData, NoForeground
from glimpse3d.progress import Progress
from glimpse3d.texture import extend_colors, two_sheet, visible_faces
from glimpse3d.types import Camera, Image, Mesh
from tests import shapes

RED, GREEN, BLUE = [220, 30, 20], [10, 250, 10], [20, 40, 230]


def plain(camera: Camera, mesh: Mesh, color: list[int], background: list[int]) -> Image:
    """A photograph of one colour, whose edge pixels have the background mixed in."""
    alpha = shapes.photograph(mesh, camera).rgba[..., 3]
    share = alpha[..., None] / 255
    mixed = np.rint(share * color + (1 - share) * background)
    return Image(np.dstack([mixed, alpha]).astype(np.uint8))


def other_side(camera: Camera, azimuth: float) -> Camera:
    """The same camera further around."""
    radius = float(np.linalg.norm(camera.position))
    lens = Lens(float(camera.K[0, 0]), camera.width, camera.height)
    return orbit_camera(azimuth, 10.0, radius, lens)


def paint(mesh: Mesh, camera: Camera, picture: Image, size: int = 512) -> Mesh:
    return two_sheet(mesh, camera, picture, None, size, Progress())


def test_the_front_is_the_picture_itself() -> None:
    camera = shapes.front_camera(size=240)
    for mesh in (shapes.sphere(), shapes.vase(), shapes.knot()):
        picture = shapes.photograph(mesh, camera)
        painted = paint(mesh, camera, picture)
        shapes.assert_closed(painted)
        seen = mesh_raster.render(painted, camera, 2).rgba
        assert shapes.iou(seen, picture.rgba) > 0.99
        assert shapes.psnr(seen, picture.rgba) > 28


def test_the_left_sheet_has_the_pixels_of_the_picture() -> None:
    camera = shapes.front_camera(size=200)
    picture = shapes.photograph(shapes.sphere(), camera)
    texture = paint(shapes.sphere(), camera, picture).texture.rgba
    rows, columns = (np.flatnonzero((picture.rgba[..., 3] >= 128).any(axis=k)) for k in (1, 0))
    left = texture[:, : texture.shape[1] // 2]
    top, side = (left.shape[0] - np.ptp(rows) - 1) // 2, (left.shape[1] - np.ptp(columns) - 1) // 2
    middle = np.s_[60:140, 60:140]
    moved = left[top - rows[0] + 60 :, side - columns[0] + 60 :][:80, :80]
    assert np.array_equal(moved[..., :3], picture.rgba[middle][..., :3])


def test_no_background_gets_into_the_texture() -> None:
    camera = shapes.front_camera(size=160)
    for mesh in (shapes.sphere(), shapes.knot(0.03), shapes.box(0.9, 0.4, 0.02)):
        picture = plain(camera, mesh, RED, GREEN)
        assert (np.abs(picture.rgba[..., :3].astype(int) - GREEN).sum(axis=2) < 30).any()
        painted = paint(mesh, camera, picture).texture.rgba[..., :3]
        assert np.abs(painted.astype(int) - RED).max() <= 25


def test_the_far_side_is_taken_where_it_is_given() -> None:
    mesh, camera = shapes.vase(), shapes.front_camera(size=160)
    front, back = plain(camera, mesh, RED, GREEN), plain(camera, mesh, BLUE, GREEN)
    small = Image(np.ascontiguousarray(back.rgba[::2, ::2]))
    for far in (back, small):
        painted = two_sheet(mesh, camera, front, far, 512, Progress())
        for azimuth, color in ((0, RED), (180, BLUE)):
            seen = mesh_raster.render(painted, other_side(camera, azimuth)).rgba
            solid = seen[..., 3] == 255
            assert solid.sum() > 2000
            assert np.abs(np.median(seen[solid][:, :3], axis=0) - color).max() <= 2
    with pytest.raises(InvalidData):
        two_sheet(mesh, camera, front, Image(np.zeros((80, 80, 4))), 512, Progress())


def test_without_one_the_far_side_is_the_front_but_no_second_face() -> None:
    mesh, camera = shapes.sphere(), shapes.front_camera(elevation=0, size=200)
    front = np.array(plain(camera, mesh, RED, RED).rgba)
    front[95:105, 95:105, :3] = 255
    painted = paint(mesh, camera, Image(front))
    seen, behind = (
        mesh_raster.render(painted, other_side(camera, azimuth)).rgba for azimuth in (0, 180)
    )
    assert seen[..., 2][seen[..., 3] == 255].max() > 240
    assert behind[..., 2][behind[..., 3] == 255].max() < 120
    assert np.median(behind[behind[..., 3] == 255][:, 0]) == pytest.approx(RED[0], abs=5)


def test_what_a_ball_shows_is_the_cap_that_geometry_says() -> None:
    mesh, camera = shapes.sphere(0.5, 60), shapes.front_camera(size=300)
    seen = visible_faces(mesh, camera)
    middle = mesh.vertices[mesh.faces].mean(axis=1)
    outward = middle / np.linalg.norm(middle, axis=1, keepdims=True)
    toward = camera.position - middle
    cosine = np.einsum("ij,ij->i", outward, toward) / np.linalg.norm(toward, axis=1)
    assert seen[cosine > 0.12].all()
    assert not seen[cosine < 0].any()


def test_what_stands_behind_is_not_seen() -> None:
    front, back = shapes.sphere(0.2), shapes.sphere(0.15)
    count = len(front.vertices)
    both = Mesh(
        np.concatenate([front.vertices, back.vertices + np.float32([0, 0.6, 0])]),
        np.concatenate([front.faces, back.faces + count]),
    )
    camera = look_at(np.array([0, -2.0, 0]), np.zeros(3), Lens(200, 200, 200))
    seen = visible_faces(both, camera)
    assert seen[: len(front.faces)].mean() > 0.35
    assert not seen[len(front.faces) :].any()


@pytest.mark.parametrize("shape", [(90, 400), (400, 90), (31, 33), (5, 7), (1, 1)])
@pytest.mark.parametrize("size", [64, 257, 4096])
def test_the_texture_keeps_its_limit(shape: tuple[int, int], size: int) -> None:
    height, width = shape
    picture = Image(np.full((height, width, 4), 255))
    mesh, camera = shapes.sphere(0.3, 12), orbit_camera(0, 0, 2.0, Lens(max(shape), width, height))
    painted = paint(mesh, camera, picture, size)
    assert max(painted.texture.width, painted.texture.height) <= size
    assert painted.uvs.min() >= 0 and painted.uvs.max() <= 1
    if size == 4096:
        assert painted.texture.width >= 2 * width and painted.texture.height >= height


def test_every_face_stays_in_one_sheet() -> None:
    mesh, camera = shapes.knot(), shapes.front_camera(size=200)
    painted = paint(mesh, camera, shapes.photograph(mesh, camera))
    right = painted.uvs[painted.faces][..., 0] > 0.5
    assert (right.all(axis=1) | (~right).all(axis=1)).all()
    assert 0.2 < right.mean() < 0.8
    positions, _ = shapes.merged(painted)
    assert len(positions) == len(mesh.vertices)


def test_colours_go_on_from_the_nearest_sure_pixel() -> None:
    rgba = np.zeros((40, 60, 4), np.uint8)
    rgba[..., :3] = GREEN
    rgba[10:30, 10:30] = [*RED, 255]
    rgba[10:30, 30:50] = [*BLUE, 255]
    rgba[5, 5:55] = [*BLUE, 255]  # a hair is its own colour although it is all edge
    wide = extend_colors(rgba)
    assert not (wide == GREEN).all(axis=2).any()
    assert (wide[20, :28] == RED).all() and (wide[20, 32:] == BLUE).all()
    assert (wide[:6, 5:55] == BLUE).all() and (wide[36:, 2:20] == RED).all()


def test_nothing_to_paint_with_is_refused() -> None:
    mesh, camera = shapes.sphere(0.3, 8), shapes.front_camera(size=32)
    with pytest.raises(NoForeground):
        paint(mesh, camera, Image(np.zeros((32, 32, 4))))
