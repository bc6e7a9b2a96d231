"""SAM: the library's own masks by box and points, and the choice of what is the subject."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
import transformers
from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

from glimpse3d.errors import InvalidData, InvalidSettings, NoForeground
from glimpse3d.mattes import sam, sam_choice, sam_question
from glimpse3d.mattes.sam import Sam, SamSettings
from glimpse3d.progress import Progress
from glimpse3d.stages import Matte
from glimpse3d.types import Image, Prompt
from tests.readers import tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.sam(tmp_path_factory.mktemp("sam"))


@pytest.fixture(scope="module")
def backend() -> Sam:
    return Sam()


def cut(backend: Sam, folder: Path, image: Image, prompt: Prompt, points: str = "") -> np.ndarray:
    settings = SamSettings(weights=str(folder), device="cpu", points=points)
    found = backend(image, prompt, settings, Progress())
    np.testing.assert_array_equal(found.rgba[..., :3], image.rgba[..., :3])
    return found.rgba[..., 3] == 255


def theirs(folder: Path, image: Image, several: bool, **asked: object) -> np.ndarray:
    """The mask of the library's own processor and model that promises most."""
    processor = transformers.SamProcessor(SamImageProcessorPil.from_pretrained(folder))
    picture = PIL.Image.fromarray(np.ascontiguousarray(image.rgba[..., :3]))
    inputs = processor(picture, return_tensors="pt", **asked)
    sizes = inputs.pop("original_sizes"), inputs.pop("reshaped_input_sizes")
    network = transformers.SamModel.from_pretrained(folder).eval()
    inputs = {
        name: value.float() if value.is_floating_point() else value
        for name, value in inputs.items()
    }
    with torch.inference_mode():
        found = network(**inputs, multimask_output=several)
    masks = processor.post_process_masks(found.pred_masks, *sizes)[0]
    best: np.ndarray = masks[0, int(found.iou_scores[0, 0].argmax())].numpy()
    return best


@pytest.mark.parametrize("size", [(50, 37), (64, 64), (37, 90), (131, 70), (200, 199)])
def test_the_picture_is_prepared_as_the_library_does(size: tuple[int, int], folder: Path) -> None:
    image = tiny.picture(*size)
    picture = PIL.Image.fromarray(np.ascontiguousarray(image.rgba[..., :3]))
    wanted = SamImageProcessorPil.from_pretrained(folder)(picture, return_tensors="np")
    rules = sam_question.read_rules(folder)
    seen = sam_question.input_size((image.height, image.width), rules.longest)
    assert seen == tuple(wanted.reshaped_input_sizes[0])
    np.testing.assert_allclose(sam_question.prepared(image, rules), wanted.pixel_values, atol=1e-6)


@pytest.mark.parametrize("size", [(70, 64), (37, 90), (131, 70)])
def test_a_box_gives_the_librarys_mask(size: tuple[int, int], folder: Path, backend: Sam) -> None:
    image = tiny.picture(*size)
    box = (5.0, 8.0, size[0] - 7.0, size[1] - 11.0)
    found = cut(backend, folder, image, Prompt(box=box))
    wanted = theirs(folder, image, several=False, input_boxes=[[list(box)]])
    assert 0 < wanted.mean() < 1
    np.testing.assert_array_equal(found, wanted)


def test_points_give_the_librarys_mask(folder: Path, backend: Sam) -> None:
    image = tiny.picture(70, 64)
    found = cut(backend, folder, image, Prompt(), "20,20 44,30 60,50,0")
    asked = {
        "input_points": [[[20.0, 20.0], [44.0, 30.0], [60.0, 50.0]]],
        "input_labels": [[1, 1, 0]],
    }
    np.testing.assert_array_equal(found, theirs(folder, image, several=False, **asked))
    alone = cut(backend, folder, image, Prompt(), "20,20")
    asked = {"input_points": [[[20.0, 20.0]]], "input_labels": [[1]]}
    np.testing.assert_array_equal(alone, theirs(folder, image, several=True, **asked))


def test_box_and_points_are_asked_together(folder: Path, backend: Sam) -> None:
    image = tiny.picture(70, 64)
    found = cut(backend, folder, image, Prompt(box=(5, 8, 60, 50)), "20,20 60,50,0")
    wanted = theirs(
        folder, image, several=False, input_boxes=[[[5.0, 8.0, 60.0, 50.0]]],
        input_points=[[[20.0, 20.0], [60.0, 50.0]]], input_labels=[[1, 0]],
    )  # fmt: skip
    np.testing.assert_array_equal(found, wanted)


def test_half_precision_is_the_encoders_alone_and_the_mask_nearly_the_same(folder: Path) -> None:
    image, masks = tiny.picture(70, 64), []
    for precision in ("float32", "bfloat16"):
        backend = Sam()
        settings = SamSettings(weights=str(folder), device="cpu", precision=precision)
        masks.append(backend(image, Prompt(box=(5, 8, 60, 50)), settings, Progress()).rgba[..., 3])
    assert backend._network.vision_encoder.dtype is torch.bfloat16
    assert {each.dtype for each in backend._network.prompt_encoder.parameters()} == {torch.float32}
    assert (masks[0] == masks[1]).mean() > 0.97


def test_painted_strokes_become_points_where_they_are_thickest() -> None:
    mask = np.full((60, 80), 128, np.uint8)
    mask[10:21, 10:41] = 255  # thick in the middle rows
    mask[40:43, 50:70] = 255
    mask[:, 78:] = 0
    points = sam_choice.joined(sam.points_from("3,4"), Prompt(mask=mask))
    assert points.labels.tolist() == [1, 1, 1, 0]
    np.testing.assert_array_equal(points.places[0], [3, 4])
    assert points.places[1][1] == 15.5 and 15 <= points.places[1][0] <= 36
    assert points.places[2][1] == 41.5
    assert points.places[3][0] > 78


def ball(side: int, x: float, y: float, radius: float, steep: float = 8.0) -> np.ndarray:
    """(side, side) logits of a disc; ``steep`` is their slope in its rim, per pixel."""
    rows, columns = np.mgrid[:side, :side] + 0.5
    return steep * (radius - np.hypot(rows - y, columns - x))


def test_the_largest_stable_thing_in_the_middle_wins() -> None:
    side = 64
    candidates = {
        "subject": ball(side, 32, 32, 20),
        "its handle": ball(side, 45, 32, 6),
        "beside it": ball(side, 8, 8, 8),
        "background": -ball(side, 32, 32, 20),
        "everything": np.full((side, side), 5.0),
        "nothing": np.full((side, side), -5.0),
        "vague": ball(side, 32, 32, 24, steep=0.05),
        "speck": ball(side, 32, 32, 1),
    }
    scores = sam_choice.scores(np.array(list(candidates.values())))
    by_name = dict(zip(candidates, scores, strict=True))
    assert max(by_name, key=lambda name: by_name[name]) == "subject"
    assert by_name["subject"] > 2 * by_name["its handle"] > 0
    for name in ("beside it", "background", "everything", "nothing", "vague"):
        assert by_name[name] < 0.05, name


def test_stability_is_that_of_the_library() -> None:
    from transformers.models.sam.image_processing_pil_sam import _compute_stability_score

    logits = np.random.default_rng(0).normal(0, 2, (5, 32, 32)).astype(np.float32)
    wanted = _compute_stability_score(torch.from_numpy(logits), 0.0, 1)
    np.testing.assert_allclose(sam_choice.stability(logits), wanted.numpy(), rtol=1e-6)


def test_the_grid_covers_the_picture_evenly() -> None:
    from transformers.models.sam.image_processing_pil_sam import _build_point_grid

    np.testing.assert_allclose(
        sam_choice.grid(5, (30, 80)), _build_point_grid(5) * [80, 30], rtol=1e-12
    )


def test_left_to_itself_it_takes_the_best_of_all_masks_that_the_network_offers(
    folder: Path, backend: Sam, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random weights are stable nowhere: the bar is lowered, the rest is the real thing."""
    monkeypatch.setattr(sam_choice, "_LEAST_STABLE", 0.0)
    image = tiny.picture(70, 64)
    found = cut(backend, folder, image, Prompt())
    network = transformers.SamModel.from_pretrained(folder).eval()
    rules = sam_question.read_rules(folder)
    seen = sam_question.input_size((64, 70), rules.longest)
    points = sam_choice.grid(12, (64, 70)) * [seen[1] / 70, seen[0] / 64]
    with torch.inference_mode():
        logits = network(
            pixel_values=torch.from_numpy(sam_question.prepared(image, rules)),
            input_points=torch.tensor(points, dtype=torch.float32)[None, :, None],
        ).pred_masks[0]
    flat = logits.flatten(0, 1)
    height = round(seen[0] * flat.shape[-2] / 64)
    best = int(sam_choice.scores(flat[:, :height].numpy()).argmax())
    whole = torch.nn.functional.interpolate(flat[best][None, None], (64, 64), mode="bilinear")
    wanted = torch.nn.functional.interpolate(
        whole[..., : seen[0], : seen[1]], (64, 70), mode="bilinear"
    )
    np.testing.assert_array_equal(found, wanted[0, 0].numpy() > 0)


def test_nothing_stable_is_no_foreground(folder: Path, backend: Sam) -> None:
    with pytest.raises(NoForeground) as caught:
        cut(backend, folder, tiny.picture(70, 64), Prompt())
    assert "box" in caught.value.hint


def test_transparent_pixels_stay_transparent(folder: Path, backend: Sam) -> None:
    rgba = np.array(tiny.picture(70, 64).rgba)
    rgba[:, ::2, 3] = 90
    settings = SamSettings(weights=str(folder), device="cpu", points="20,20")
    with pytest.raises(NoForeground):
        clear = rgba.copy()
        clear[..., 3] = 0
        backend(Image(clear), Prompt(), settings, Progress())
    found = backend(Image(rgba), Prompt(), settings, Progress()).rgba[..., 3]
    assert set(np.unique(found)) == {0, 90, 255}


@pytest.mark.parametrize("text", ["5", "1,2,3", "a,b", "1,2,0,1", "1;2", "1,,2"])
def test_what_is_no_point_is_refused(text: str) -> None:
    with pytest.raises(InvalidSettings, match="points"):
        SamSettings(points=text)


def test_points_outside_and_of_the_background_alone_are_refused(folder: Path, backend: Sam) -> None:
    image = tiny.picture(70, 64)
    for points in ("71,10", "-1,10", "10,64.5"):
        with pytest.raises(InvalidData, match="outside"):
            cut(backend, folder, image, Prompt(), points)
    with pytest.raises(InvalidData, match="background"):
        cut(backend, folder, image, Prompt(), "10,10,0")


def test_it_is_a_matte_that_auto_leaves_alone() -> None:
    assert isinstance(Sam(), Matte)
    assert Sam().why_not(tiny.picture(), SamSettings())
