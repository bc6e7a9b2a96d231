"""BLIP-2: the library's own words, and a caption that names the object alone."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
import transformers
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

from glimpse3d import pixel_values
from glimpse3d.captions import blip2
from glimpse3d.captions.blip2 import Blip2, Blip2Settings, object_of
from glimpse3d.errors import BadFile, InvalidSettings
from glimpse3d.progress import Progress
from glimpse3d.stages import Captioner
from glimpse3d.types import Image
from tests.readers import tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.blip2(tmp_path_factory.mktemp("blip2"))


def theirs(folder: Path, image: Image, prompt: str, longest: int) -> str:
    """What the library's own processor and model say."""
    processor = transformers.Blip2Processor(
        BlipImageProcessorPil.from_pretrained(folder),
        transformers.AutoTokenizer.from_pretrained(folder),
        num_query_tokens=4,
    )
    network = transformers.Blip2ForConditionalGeneration.from_pretrained(folder).eval()
    picture = PIL.Image.fromarray(np.ascontiguousarray(image.rgba[..., :3]))
    inputs = processor(picture, text=prompt or None, return_tensors="pt")
    with torch.inference_mode():
        found = network.generate(**inputs, max_new_tokens=longest, do_sample=False)
    said: str = processor.batch_decode(found, skip_special_tokens=True)[0]
    return said.strip()


@pytest.mark.parametrize("size", [(50, 37), (28, 28), (37, 90)])
def test_the_picture_is_prepared_as_the_library_does(size: tuple[int, int], folder: Path) -> None:
    image = tiny.picture(*size)
    picture = PIL.Image.fromarray(np.ascontiguousarray(image.rgba[..., :3]))
    wanted = BlipImageProcessorPil.from_pretrained(folder)(picture, return_tensors="np")
    rules = blip2.read_rules(folder)
    ours = pixel_values.normalised(pixel_values.over_white(image), rules.size, rules.normalisation)
    np.testing.assert_allclose(ours, wanted.pixel_values, atol=1e-6)


@pytest.mark.parametrize("prompt", ["a photo of", "", "a red vase on"])
def test_words_are_those_of_the_library(prompt: str, folder: Path) -> None:
    backend, image = Blip2(), tiny.picture(50, 37, seed=3)
    settings = Blip2Settings(weights=str(folder), device="cpu", prompt=prompt, longest=9)
    backend.load(settings, Progress())
    wanted = theirs(folder, image, prompt, 9)
    said = backend._say(image, settings)
    assert said and said == wanted.removeprefix(prompt).strip()


def test_the_caption_is_one_line_of_the_template(folder: Path) -> None:
    settings = Blip2Settings(
        weights=str(folder), device="cpu", template="a studio photo of {object}, high detail"
    )
    said = Blip2()(tiny.picture(), settings, Progress())
    assert said.startswith("a studio photo of ") and said.endswith(", high detail")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("there is a close up of a red vase on a white background", "a red vase"),
        ("a photo of a cup with a handle", "a cup with a handle"),
        ("a close-up of a bird, against a black backdrop", "a bird"),
        ("A rendering of an old chair in front of a plain grey background.", "an old chair"),
        ("this is a picture of a photo of two apples", "two apples"),
        ("a 3d render of a robot standing on a white background", "a robot"),
        ("a teapot with a white background", "a teapot"),
        ("a cat on a mat", "a cat on a mat"),
        ("a photographer with a camera", "a photographer with a camera"),
        ("a red vase\nis on the table", "a red vase"),
        ("there is nothing", "nothing"),
        ("", ""),
    ],
)
def test_only_the_object_is_left(said: str, left: str) -> None:
    assert object_of(said) == left


def test_a_fixed_caption_needs_neither_network_nor_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    backend = Blip2()
    settings = Blip2Settings(fixed="a {strange} cup", template="photo of {object}")
    backend.load(settings, Progress())
    assert not backend.loaded
    assert backend(tiny.picture(), settings, Progress()) == "photo of a {strange} cup"


def test_what_is_hidden_under_transparent_pixels_is_not_spoken_of(folder: Path) -> None:
    """A cut-out keeps the colours of what was cut away; on paper it has white there."""
    rgba = np.array(tiny.picture(50, 37).rgba)
    rgba[:, 25:, 3] = 0
    white = rgba.copy()
    white[:, 25:] = (255, 255, 255, 0)
    np.testing.assert_array_equal(
        pixel_values.over_white(Image(rgba)), pixel_values.over_white(Image(white))
    )
    np.testing.assert_array_equal(pixel_values.over_white(Image(rgba))[:, :25], rgba[:, :25, :3])


def test_templates_that_name_no_object_are_refused() -> None:
    for template in ("a photo", "", "{object} and {object}"):
        with pytest.raises(InvalidSettings, match="template"):
            Blip2Settings(template=template)
    with pytest.raises(InvalidSettings, match="fixed"):
        Blip2Settings(fixed=" a cup")


def test_a_model_from_before_pictures_had_a_word_is_refused(tmp_path: Path) -> None:
    import json

    folder = tiny.blip2(tmp_path)
    values = json.loads((folder / "config.json").read_text("utf-8"))
    for name in ("image_token_index", "image_token_id"):
        values.pop(name, None)
    (folder / "config.json").write_text(json.dumps(values), "utf-8")
    with pytest.raises(BadFile, match="older"):
        Blip2().load(Blip2Settings(weights=str(folder), device="cpu"), Progress())


def test_it_is_a_captioner() -> None:
    assert isinstance(Blip2(), Captioner)
