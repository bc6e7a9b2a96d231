"""The network, step by step, against what the published implementation computes."""

import numpy as np
import pytest
import scipy.spatial
import torch

from glimpse3d import coords
from glimpse3d.errors import Cancelled, InvalidData, NoForeground
from glimpse3d.progress import Progress
from glimpse3d.reconstructors.triposr import picture
from glimpse3d.reconstructors.triposr.config import DINO_VITB16, Config
from glimpse3d.reconstructors.triposr.network import TripoSR
from glimpse3d.types import Camera
from tests.triposr.goldens import FOLDER, error, reference

PUBLISHED = Config(
    picture_size=512, plane_size=32, channels=1024, heads=16, head_dim=64, layers=16,
    norm_groups=32, token_channels=768, plane_channels=40, neurons=64, hidden_layers=9,
    activation="silu", radius=0.87, density_bias=-1.0, samples_per_ray=128,
)  # fmt: skip


@pytest.fixture(scope="module")
def network() -> TripoSR:
    return TripoSR.from_pretrained(FOLDER)


def test_the_picture_is_prepared_to_the_last_bit() -> None:
    prepared = picture.prepare(reference()["image_rgba"])
    np.testing.assert_array_equal(prepared, reference()["image_u8"])


@pytest.mark.parametrize(("rows", "columns"), [(31, 64), (64, 31), (20, 20)])
def test_the_crop_puts_the_subject_in_the_middle(rows: int, columns: int) -> None:
    rgba = np.zeros((90, 100, 4), np.uint8)
    rgba[11 : 11 + rows, 7 : 7 + columns] = 255
    square = picture.crop(rgba)
    kept_rows, kept_columns = np.nonzero(square[..., 3])
    side = int((max(rows, columns) - 1) / 0.85)
    assert square.shape == (side, side, 4)
    assert (np.ptp(kept_rows) + 1, np.ptp(kept_columns) + 1) == (rows - 1, columns - 1)
    for kept in (kept_rows, kept_columns):
        assert abs((kept.min() + kept.max() + 1) / 2 - side / 2) <= 1


@pytest.mark.parametrize("pixels", [(0, 0), (1, 5), (5, 1)])
def test_a_picture_of_nothing_is_refused(pixels: tuple[int, int]) -> None:
    rgba = np.zeros((20, 20, 4), np.uint8)
    rgba[: pixels[0], : pixels[1]] = 255
    with pytest.raises(NoForeground):
        picture.prepare(rgba)


def test_image_tokens(network: TripoSR) -> None:
    found = network.image_tokens(reference()["image_u8"])
    assert error(found, reference()["image_tokens"]) < 1.5e-5


def test_scene_codes(network: TripoSR) -> None:
    found = network.encode(reference()["image_u8"])
    assert error(found, reference()["scene_codes"]) < 2e-5


def test_density_and_colour(network: TripoSR) -> None:
    wanted = reference()
    density, color = network.query(wanted["scene_codes"], wanted["points"])
    assert error(torch.log(density).numpy(), np.log(wanted["density"])) < 1e-3
    assert error(color, wanted["color"]) < 1e-3


def test_points_in_any_chunks_give_the_same(network: TripoSR) -> None:
    codes, points = reference()["scene_codes"], reference()["points"]
    whole = network.raw(codes, points)
    parts = torch.cat([network.raw(codes, part) for part in np.array_split(points, 7)])
    assert error(parts, whole.numpy()) < 1e-5
    assert network.raw(codes, np.zeros((0, 3))).shape == (0, 4)


def test_mesh(network: TripoSR) -> None:
    wanted = reference()
    found = network.extract_mesh(wanted["mesh_codes"], 64, 25.0, "density")
    corners = wanted["mesh_vertices"]
    size = np.ptp(corners, axis=0).max()
    for ours, theirs in ((found.vertices, corners), (corners, found.vertices)):
        distance, _ = scipy.spatial.cKDTree(theirs).query(ours)
        assert distance.max() < 1e-3 * size
    assert found.colors is not None
    _, nearest = scipy.spatial.cKDTree(corners).query(found.vertices)
    difference = found.colors[:, :3].astype(int) - wanted["mesh_colors"][nearest]
    assert np.abs(difference).max() <= 1


def model_cameras(count: int, size: int) -> list[Camera]:
    """Around the model's own frame, as the published renders are taken; the first from +X."""
    lens = coords.Lens.from_field_of_view(40.0, size, size)
    house = coords.orbit([360.0 * k / count for k in range(count)], 10.0, 1.9, lens)
    return [coords.rotate_camera(each, coords.HOUSE_FROM_FRONT_X.T) for each in house]


def test_volume_renders(network: TripoSR) -> None:
    views = network.render(reference()["mesh_codes"], model_cameras(4, 32))
    assert error(views, reference()["view"]) < 1e-3


def test_a_picture_taken_past_the_box_is_white(network: TripoSR) -> None:
    camera = model_cameras(1, 8)[0]
    away = Camera(np.diag([-1.0, 1, -1, 1]) @ camera.camera_from_world, camera.K, 8, 8)
    assert bool((network.render(reference()["mesh_codes"], [away]) == 1).all())


def test_the_published_size_has_the_published_parameters() -> None:
    with torch.device("meta"):
        network = TripoSR(PUBLISHED, DINO_VITB16)
    names = network.state_dict()
    assert len(names) == 549
    assert sum(each.numel() for each in names.values()) == 419_275_628
    for name, shape in {
        "image_tokenizer.model.encoder.layer.11.attention.attention.query.weight": (768, 768),
        "image_tokenizer.model.embeddings.position_embeddings": (1, 197, 768),
        "image_tokenizer.model.pooler.dense.bias": (768,),
        "tokenizer.embeddings": (3, 1024, 32, 32),
        "backbone.transformer_blocks.15.attn2.to_k.weight": (1024, 768),
        "backbone.transformer_blocks.0.ff.net.0.proj.weight": (8192, 1024),
        "backbone.transformer_blocks.0.ff.net.2.bias": (1024,),
        "post_processor.upsample.weight": (1024, 40, 2, 2),
        "decoder.layers.18.weight": (4, 64),
    }.items():
        assert tuple(names[name].shape) == shape


@pytest.mark.parametrize("name", ["image_tokenizer", "backbone"])
def test_norms_have_the_published_epsilons(name: str) -> None:
    with torch.device("meta"):
        network = TripoSR(PUBLISHED)
    wanted = {"image_tokenizer": {1e-12}, "backbone": {1e-5, 1e-6}}[name]
    norms = (torch.nn.LayerNorm, torch.nn.GroupNorm)
    part = getattr(network, name)
    assert {each.eps for each in part.modules() if isinstance(each, norms)} == wanted
    assert network.backbone.norm.eps == 1e-6


def test_half_precision_is_near(network: TripoSR) -> None:
    half = TripoSR.from_pretrained(FOLDER, dtype=torch.bfloat16)
    found = half.encode(reference()["image_u8"])
    assert found.dtype == torch.float32
    wanted = reference()["scene_codes"]
    spread = np.sqrt(np.square(found.numpy() - wanted).mean() / np.square(wanted).mean())
    assert 1e-4 < spread < 3e-2
    assert half.weight_bytes(torch.bfloat16) < 0.62 * network.weight_bytes(torch.float32)
    density, _ = half.query(wanted, reference()["points"])
    assert error(torch.log(density).numpy(), np.log(reference()["density"])) < 1e-3


def test_encoding_stops_between_blocks(network: TripoSR) -> None:
    reports: list[float] = []
    progress = Progress(lambda report: reports.append(report.fraction), lambda: len(reports) >= 3)
    with pytest.raises(Cancelled):
        network.encode(reference()["image_u8"], progress)
    assert len(reports) == 3 and reports[-1] < 1


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(network: TripoSR, image: np.ndarray) -> None:
    with pytest.raises(InvalidData):
        network.encode(image)


def test_codes_and_points_of_other_shapes_are_refused(network: TripoSR) -> None:
    codes = reference()["scene_codes"]
    for wrong in (codes[:2], codes[:, :5], codes[0]):
        with pytest.raises(InvalidData):
            network.query(wrong, np.zeros((4, 3)))
    with pytest.raises(InvalidData):
        network.query(codes, np.zeros((4, 2)))


def test_numbers_that_overflow_are_refused(network: TripoSR) -> None:
    broken = TripoSR.from_pretrained(FOLDER)
    broken.backbone.proj_out.bias.data = torch.full_like(network.backbone.proj_out.bias, torch.nan)
    with pytest.raises(InvalidData, match="overflow"):
        broken.encode(reference()["image_u8"])
