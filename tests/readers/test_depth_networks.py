"""DPT and GLPN: the same numbers as transformers' own processors and pipelines, or a refusal."""

import gc
import weakref
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import safetensors.torch
import torch
import transformers
from transformers.models.dpt.image_processing_pil_dpt import (
    DPTImageProcessorPil,
    get_resize_output_image_size,
)
from transformers.models.glpn.image_processing_pil_glpn import GLPNImageProcessorPil

from glimpse3d import pixel_values
from glimpse3d.depth import dpt, glpn
from glimpse3d.depth.dpt import DPT, DPTSettings
from glimpse3d.depth.glpn import GLPN, GLPNSettings
from glimpse3d.errors import BadFile, InvalidData
from glimpse3d.progress import Progress
from glimpse3d.stages import DepthEstimator
from glimpse3d.types import DepthKind, Image
from tests.readers import tiny

# Odd sides, halves to round, narrow ones, and smaller than what the network wants.
SIZES = [(50, 37), (32, 32), (97, 33), (33, 131), (64, 48), (45, 75)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {
        "dpt": tiny.dpt(root / "dpt"),
        "hybrid": tiny.dpt_hybrid(root / "hybrid"),
        "aspect": tiny.dpt_of_any_shape(root / "aspect"),
        "glpn": tiny.glpn(root / "glpn"),
    }


def pillow(image: Image) -> PIL.Image.Image:
    return PIL.Image.fromarray(np.ascontiguousarray(image.rgba[..., :3]))


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("multiple", [1, 8, 32])
def test_sizes_are_rounded_as_the_library_does(keep: bool, multiple: int) -> None:
    chance = np.random.default_rng(0)
    normalisation = pixel_values.Normalisation(2, (0.5,) * 3, (0.5,) * 3)
    for size in ((384, 384), (512, 640)):
        rules = dpt.Rules(size, multiple, keep, normalisation)
        for height, width in [*chance.integers(60, 3000, (60, 2)), (768, 12), (576, 432)]:
            theirs = get_resize_output_image_size(
                np.zeros((3, height, width)), size, keep, multiple
            )
            ours = dpt.input_size((int(height), int(width)), rules)
            assert ours == (theirs.height, theirs.width)


@pytest.mark.parametrize("width", [33, 64, 95, 641, 1000])
@pytest.mark.parametrize("height", [32, 63, 480])
def test_glpn_cuts_sides_down_to_whole_steps(width: int, height: int) -> None:
    assert glpn.input_size((height, width), 0, 32) == (height // 32 * 32, width // 32 * 32)


def test_glpn_sees_no_more_than_it_is_told() -> None:
    assert glpn.input_size((480, 640), 640, 32) == (480, 640)
    assert glpn.input_size((1000, 1500), 640, 32) == (416, 640)  # 426.67 cut down
    assert glpn.input_size((1500, 1000), 640, 32) == (640, 416)
    assert glpn.input_size((200, 100), 640, 32) == (192, 96)  # never enlarged


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["dpt", "aspect", "glpn"])
def test_what_the_network_sees_is_what_the_library_shows_it(
    name: str, size: tuple[int, int], folders: dict[str, Path]
) -> None:
    image, folder = tiny.picture(*size), folders[name]
    shape = image.height, image.width
    if name == "glpn":
        theirs = GLPNImageProcessorPil.from_pretrained(folder)
        of_glpn = glpn.read_rules(folder)
        seen, how = glpn.input_size(shape, 0, of_glpn.divisor), of_glpn.normalisation
    else:
        theirs = DPTImageProcessorPil.from_pretrained(folder)
        of_dpt = dpt.read_rules(folder)
        seen, how = dpt.input_size(shape, of_dpt), of_dpt.normalisation
    wanted = theirs(pillow(image), return_tensors="np").pixel_values
    ours = pixel_values.normalised(pixel_values.colors(image), seen, how)
    assert ours.shape == wanted.shape and ours.dtype == np.float32
    np.testing.assert_allclose(ours, wanted, atol=1e-6)


@pytest.mark.parametrize("name", ["dpt", "hybrid", "aspect", "glpn"])
def test_depth_is_that_of_the_librarys_pipeline(name: str, folders: dict[str, Path]) -> None:
    folder, image = folders[name], tiny.picture(75, 45)
    processor = GLPNImageProcessorPil if name == "glpn" else DPTImageProcessorPil
    network = transformers.AutoModelForDepthEstimation.from_pretrained(folder)
    theirs = transformers.pipeline(
        "depth-estimation", model=network, image_processor=processor.from_pretrained(folder)
    )(pillow(image))["predicted_depth"].numpy()
    if name == "glpn":
        found = GLPN()(image, GLPNSettings(weights=str(folder), device="cpu"), Progress())
        assert found.kind is DepthKind.METRIC
    else:
        found = DPT()(image, DPTSettings(weights=str(folder), device="cpu"), Progress())
        assert found.kind is DepthKind.DISPARITY
    assert found.values.shape == (45, 75) and found.valid.all()
    np.testing.assert_allclose(found.values, theirs, atol=1e-4 * np.ptp(theirs))


def test_the_end_of_glpns_scale_can_be_set(folders: dict[str, Path]) -> None:
    image, known = tiny.picture(75, 45), {"weights": str(folders["glpn"]), "device": "cpu"}
    own = GLPN()(image, GLPNSettings(**known), Progress())
    far = GLPN()(image, GLPNSettings(**known, farthest=80.0), Progress())
    np.testing.assert_allclose(far.z, 8 * own.z, rtol=1e-6)  # its configuration says 10


def test_both_are_depth_estimators() -> None:
    assert isinstance(DPT(), DepthEstimator) and isinstance(GLPN(), DepthEstimator)


def test_half_precision_gives_nearly_the_same(folders: dict[str, Path]) -> None:
    image = tiny.picture(75, 45)

    def depth(precision: str) -> np.ndarray:
        settings = DPTSettings(weights=str(folders["dpt"]), device="cpu", precision=precision)
        return DPT()(image, settings, Progress()).values

    whole, half = depth("float32"), depth("bfloat16")
    assert 0 < np.abs(whole - half).max() < 0.1 * np.ptp(whole)


def test_a_picture_smaller_than_a_patch_is_refused(folders: dict[str, Path]) -> None:
    narrow = tiny.picture(16, 400)
    with pytest.raises(InvalidData, match="patch") as caught:
        DPT()(narrow, DPTSettings(weights=str(folders["aspect"]), device="cpu"), Progress())
    assert "crop" in caught.value.hint
    for width, height in ((31, 100), (100, 31), (20, 20)):
        with pytest.raises(InvalidData, match="GLPN would see"):
            GLPN()(
                tiny.picture(width, height),
                GLPNSettings(weights=str(folders["glpn"]), device="cpu"),
                Progress(),
            )


@pytest.mark.parametrize("name", ["dpt", "glpn"])
def test_depth_that_is_the_same_everywhere_is_refused(name: str, tmp_path: Path) -> None:
    folder = getattr(tiny, name)(tmp_path)
    path = folder / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    for key in tensors:
        if key.startswith("head"):
            tensors[key] = torch.zeros_like(tensors[key])
    safetensors.torch.save_file(tensors, path, {"format": "pt"})
    backend, settings = (
        (DPT(), DPTSettings(weights=str(folder), device="cpu"))
        if name == "dpt"
        else (GLPN(), GLPNSettings(weights=str(folder), device="cpu"))
    )
    with pytest.raises(InvalidData, match="everywhere"):
        backend(tiny.picture(), settings, Progress())


@pytest.mark.parametrize(
    "change",
    [
        {"do_pad": True},
        {"do_resize": False},
        {"do_rescale": False},
        {"rescale_factor": 1.0},
        {"size": {"shortest_edge": 32}},
        {"size": 0},
        {"ensure_multiple_of": 0},
        {"image_std": [0.5, 0.5, 0.0]},
        {"image_mean": [0.5]},
        {"image_mean": "grey"},
        {"resample": "bicubic"},
    ],
)
def test_a_processor_that_does_something_else_is_refused(
    change: dict[str, object], tmp_path: Path
) -> None:
    folder = tiny.dpt(tmp_path, **change)
    with pytest.raises(BadFile, match=r"preprocessor_config\.json"):
        dpt.read_rules(folder)


def test_unloading_frees_the_network(folders: dict[str, Path]) -> None:
    backend = DPT()
    backend.load(DPTSettings(weights=str(folders["dpt"]), device="cpu"), Progress())
    held = weakref.ref(backend._network)
    assert backend.loaded
    backend.unload()
    gc.collect()
    assert held() is None and not backend.loaded
    backend.unload()


def test_a_plain_transformer_that_would_be_given_other_than_squares_is_refused(
    tmp_path: Path,
) -> None:
    folder = tiny.dpt(tmp_path, keep_aspect_ratio=True)
    with pytest.raises(BadFile, match="squares"):
        DPT().load(DPTSettings(weights=str(folder), device="cpu"), Progress())


def test_a_second_load_is_nothing_and_other_settings_replace_the_network(
    folders: dict[str, Path],
) -> None:
    backend = DPT()
    settings = DPTSettings(weights=str(folders["dpt"]), device="cpu")
    backend.load(settings, Progress())
    first = backend._network
    backend.load(settings, Progress())
    assert backend._network is first
    backend.load(DPTSettings(weights=str(folders["aspect"]), device="cpu"), Progress())
    assert backend._network is not first
