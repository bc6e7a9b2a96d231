"""The cut-out by the network inside the package."""

import sys
import time

import cv2
import numpy as np
import pytest

from glimpse3d import embedded_weights
from glimpse3d.cutting.foreground import decontaminated
from glimpse3d.errors import BackendUnavailable, NoForeground
from glimpse3d.mattes.embedded import Embedded, EmbeddedSettings
from glimpse3d.progress import Progress
from glimpse3d.stages import Matte
from glimpse3d.types import Image, Prompt
from tests.discs import backdrop, disc, over, overlap

MATTE = Embedded()


def cut(image: Image, prompt: Prompt | None = None, **changes: object) -> Image:
    return MATTE(image, prompt or Prompt(), EmbeddedSettings(**changes), Progress())  # type: ignore[arg-type]


def blurred_noise(height: int, width: int, seed: int) -> np.ndarray:
    """(H, W, 3) float 0..255: large soft patches of many colours."""
    noise = np.random.default_rng(seed).normal(0, 1, (64, 64, 3))
    soft = cv2.resize(cv2.GaussianBlur(noise, (0, 0), 3), (width, height))
    return np.clip(120 + 45 * soft / soft.std(), 0, 255)


def test_it_is_a_matte() -> None:
    assert isinstance(MATTE, Matte)
    assert MATTE.why_not(Image(np.zeros((8, 8, 4), np.uint8)), EmbeddedSettings()) == ""


@pytest.mark.parametrize(
    ("kind", "least"), [("white", 0.98), ("gradient", 0.97), ("noise", 0.95), ("bricks", 0.95)]
)
@pytest.mark.parametrize("size", [(240, 320), (301, 207)])
def test_it_finds_a_disc(kind: str, least: float, size: tuple[int, int]) -> None:
    height, width = size
    truth = disc(height, width, 0.55 * width, 0.45 * height, 0.27 * min(size))
    found = cut(over(backdrop(kind, height, width), truth, (200, 60, 40)))
    assert overlap(found.rgba[..., 3] > 127, truth > 0.5) > least


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_finds_a_disc_among_patches(seed: int) -> None:
    truth = disc(256, 256, 130, 120, 62)
    found = cut(over(blurred_noise(256, 256, seed), truth, (235, 225, 60)))
    assert overlap(found.rgba[..., 3] > 127, truth > 0.5) > 0.9


@pytest.mark.parametrize("kind", ["white", "gradient", "noise", "bricks"])
def test_a_picture_of_nothing_is_no_foreground(kind: str) -> None:
    with pytest.raises(NoForeground) as caught:
        cut(over(backdrop(kind, 240, 320), np.zeros((240, 320)), (0, 0, 0)))
    assert "--box" in caught.value.hint


@pytest.mark.parametrize("kind", ["white", "bricks"])
def test_a_box_says_which_of_two(kind: str) -> None:
    left, right = disc(200, 400, 100, 100, 50), disc(200, 400, 300, 100, 50)
    image = over(backdrop(kind, 200, 400), left + right, (210, 190, 40))
    found = cut(image, Prompt(box=(230, 30.5, 371, 170)))
    assert overlap(found.rgba[..., 3] > 127, right > 0.5) > 0.93
    assert found.rgba[:, :229, 3].max() == 0


def test_a_painted_mask_is_obeyed_exactly_where_it_is_sure() -> None:
    truth, decoy = disc(240, 320, 100, 120, 60), disc(240, 320, 240, 120, 60)
    image = over(backdrop("noise", 240, 320), truth + decoy, (220, 200, 60))
    mask = np.full((240, 320), 128, np.uint8)
    mask[100:140, 80:120] = 255
    mask[:, 170:] = 0
    mask[5:9, 5:9] = 255
    found = cut(image, Prompt(mask=mask)).rgba
    assert (found[mask == 255, 3] == 255).all() and (found[mask == 0, 3] == 0).all()
    assert (found[mask == 255, :3] == image.rgba[mask == 255, :3]).all()
    assert overlap(found[:, :170, 3] > 127, truth[:, :170] > 0.5) > 0.95


def test_what_is_transparent_stays_so() -> None:
    truth = disc(200, 200, 100, 100, 60)
    rgba = np.array(over(backdrop("white", 200, 200), truth, (160, 30, 30)).rgba)
    rgba[:100, :, 3] = 0
    rgba[100:, :, 3] = 128
    alpha = cut(Image(rgba)).rgba[..., 3]
    assert alpha[:100].max() == 0
    assert (alpha[110:140, 80:120] == 128).all()


@pytest.mark.parametrize("size", [(16, 16), (17, 400), (1500, 23), (257, 256)])
def test_any_size_gives_a_cut_out_or_says_why_not(size: tuple[int, int]) -> None:
    image = Image(np.random.default_rng(1).integers(0, 256, (*size, 4), dtype=np.uint8))
    try:
        assert cut(image).rgba.shape == image.rgba.shape
    except NoForeground as error:
        assert error.hint


def test_the_same_picture_gives_the_same_bytes() -> None:
    truth = disc(240, 320, 150, 120, 70)
    image = over(blurred_noise(240, 320, 3), truth, (200, 60, 40))
    first = cut(image).rgba
    assert (cut(image).rgba == first).all()
    fresh = Embedded()
    assert (fresh(image, Prompt(), EmbeddedSettings(), Progress()).rgba == first).all()


def test_it_is_quick_at_a_thousand_pixels() -> None:
    truth = disc(1024, 1024, 520, 500, 300)
    image = over(blurred_noise(1024, 1024, 4), truth, (235, 225, 60))
    cut(image)
    start = time.process_time()
    cut(image)
    assert time.process_time() - start < 1.2  # about 0.5 s on a core of a busy server


@pytest.mark.parametrize("soft", [2, 10])
def test_the_backgrounds_colour_leaves_the_edge(soft: int) -> None:
    rows, columns = np.mgrid[:400, :600] + 0.5
    alpha = np.clip((140 - np.hypot(columns - 310, rows - 190)) / soft + 0.5, 0, 1)
    red = np.stack([200 + 30 * np.sin(columns / 90), 60 + 20 * np.cos(rows / 70), 0 * rows], -1)
    blue = np.stack([0 * rows, 90 + 30 * np.sin(columns / 40), 200 + 0 * rows], -1)
    mixed = red * alpha[..., None] + blue * (1 - alpha[..., None])
    seen, levels = np.rint(mixed).astype(np.uint8), np.rint(alpha * 255).astype(np.uint8)
    edge, rest = (levels > 25) & (levels < 255), (levels == 0) | (levels == 255)
    found = decontaminated(seen, levels)
    before, after = (np.abs(one[edge] - red[edge]).mean() for one in (seen, found))
    assert after < 0.2 * before
    assert (found[rest] == seen[rest]).all()


def test_without_the_runtime_grabcut_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BackendUnavailable) as caught:
        Embedded().load(EmbeddedSettings(), Progress())
    assert "--matte grabcut" in caught.value.hint


def test_the_network_is_small_and_its_card_complete() -> None:
    card = embedded_weights.card("cutout", "")
    assert len(embedded_weights.read("cutout", "")) == card["size"] < 6e6
    assert {"licence", "data", "command", "date", "scores"} <= card.keys()
