"""The cut-outs: what they find, what they keep exactly, and when they refuse."""

import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from glimpse3d import settings as core_settings
from glimpse3d.errors import InvalidSettings, NoForeground, WeightsMissing
from glimpse3d.mattes import rembg
from glimpse3d.mattes.alpha import Alpha, AlphaSettings
from glimpse3d.mattes.grabcut import GrabCut, GrabCutSettings
from glimpse3d.mattes.rembg import Rembg, RembgSettings
from glimpse3d.progress import Progress
from glimpse3d.stages import Matte
from glimpse3d.types import Image, Prompt
from tests.discs import backdrop, disc, over, overlap


def grabcut(image: Image, prompt: Prompt | None = None, **changes: object) -> Image:
    return GrabCut()(image, prompt or Prompt(), GrabCutSettings(**changes), Progress())  # type: ignore[arg-type]


def test_these_are_mattes_and_describe_themselves() -> None:
    for kind in (Alpha, Rembg, GrabCut):
        assert isinstance(kind(), Matte)
        assert kind.TITLE and kind.WHEN
        core_settings.describe(kind.Settings)


@pytest.mark.parametrize(
    ("kind", "least"), [("white", 0.98), ("gradient", 0.97), ("noise", 0.95), ("bricks", 0.95)]
)
@pytest.mark.parametrize("size", [(240, 320), (301, 207)])
def test_grabcut_finds_a_disc(kind: str, least: float, size: tuple[int, int]) -> None:
    height, width = size
    truth = disc(height, width, 0.55 * width, 0.45 * height, 0.27 * min(size))
    image = over(backdrop(kind, height, width), truth, (200, 60, 40))
    found = grabcut(image)
    assert overlap(found.rgba[..., 3] > 127, truth > 0.5) > least
    assert (found.rgba[..., :3] == image.rgba[..., :3]).all()


def test_grabcut_has_a_clean_soft_edge() -> None:
    truth = disc(480, 640, 330, 250, 150)
    alpha = grabcut(over(backdrop("white", 480, 640), truth, (40, 70, 160))).rgba[..., 3]
    assert np.abs(alpha / 255 - truth).mean() < 0.002
    distance = np.hypot(*(np.mgrid[:480, :640] + 0.5 - np.array([250, 330])[:, None, None]))
    assert (alpha[distance < 140] == 255).all()
    assert (alpha[distance > 160] == 0).all()


def test_grabcut_takes_a_subject_that_leaves_the_picture() -> None:
    truth = disc(300, 300, 150, 290, 110)
    found = grabcut(over(backdrop("gradient", 300, 300), truth, (30, 120, 40)))
    assert overlap(found.rgba[..., 3] > 127, truth > 0.5) > 0.95


def test_grabcut_drops_specks_and_fills_pin_holes() -> None:
    height, width = 256, 256
    body, speck, hole = (
        disc(height, width, x, y, r) for x, y, r in ((128, 128, 70), (20, 20, 4), (128, 128, 3))
    )
    white = backdrop("white", height, width)
    image = over(white, np.clip(body + speck - hole, 0, 1), (30, 30, 90))
    alpha = grabcut(image).rgba[..., 3]
    assert alpha[15:25, 15:25].max() == 0
    assert (alpha[120:136, 120:136] == 255).all()
    assert grabcut(image, smallest_part=0.0).rgba[20, 20, 3] > 127


def test_box_says_which_of_two() -> None:
    left, right = disc(200, 400, 100, 100, 50), disc(200, 400, 300, 100, 50)
    for kind in ("white", "bricks"):
        image = over(backdrop(kind, 200, 400), left + right, (210, 190, 40))
        assert overlap(grabcut(image).rgba[..., 3] > 127, (left + right) > 0.5) > 0.93
        found = grabcut(image, Prompt(box=(230, 30.5, 371, 170)))
        assert overlap(found.rgba[..., 3] > 127, right > 0.5) > 0.93
        assert found.rgba[:, :229, 3].max() == 0


def test_painted_mask_is_obeyed_exactly_where_it_is_sure() -> None:
    truth = disc(240, 320, 100, 120, 60)
    decoy = disc(240, 320, 240, 120, 60)
    image = over(backdrop("noise", 240, 320), truth + decoy, (220, 200, 60))
    mask = np.full((240, 320), 128, np.uint8)
    mask[100:140, 80:120] = 255
    mask[:, 170:] = 0
    mask[5:9, 5:9] = 255  # nonsense on the background, but the user's word
    alpha = grabcut(image, Prompt(mask=mask)).rgba[..., 3]
    assert (alpha[mask == 255] == 255).all() and (alpha[mask == 0] == 0).all()
    assert overlap(alpha[:, :170] > 127, truth[:, :170] > 0.5) > 0.95


def test_mask_without_doubt_is_the_alpha() -> None:
    image = over(backdrop("noise", 99, 101), disc(99, 101, 50, 50, 20), (220, 200, 60))
    mask = np.where(np.indices((99, 101)).sum(axis=0) % 7 < 3, 255, 0).astype(np.uint8)
    assert (grabcut(image, Prompt(mask=mask)).rgba[..., 3] == mask).all()


def test_grabcut_keeps_what_is_transparent() -> None:
    truth = disc(200, 200, 100, 100, 60)
    rgba = np.array(over(backdrop("white", 200, 200), truth, (160, 30, 30)).rgba)
    rgba[:100, :, 3] = 0
    rgba[100:, :, 3] = 128
    alpha = grabcut(Image(rgba)).rgba[..., 3]
    assert alpha[:100].max() == 0
    assert (alpha[110:140, 80:120] == 128).all()


@pytest.mark.parametrize("kind", ["white", "gradient", "noise", "bricks"])
def test_picture_of_nothing_is_no_foreground(kind: str) -> None:
    empty = over(backdrop(kind, 240, 320), np.zeros((240, 320)), (0, 0, 0))
    with pytest.raises(NoForeground) as caught:
        grabcut(empty)
    assert "box" in caught.value.hint


@pytest.mark.parametrize("size", [(16, 16), (17, 400), (1500, 23), (257, 256)])
def test_grabcut_takes_any_size(size: tuple[int, int]) -> None:
    height, width = size
    truth = disc(height, width, width / 2, height / 2, 0.3 * min(size))
    image = over(backdrop("white", height, width), truth, (20, 20, 120))
    found = grabcut(image)
    assert found.rgba.shape == image.rgba.shape
    if min(size) > 100 or size == (16, 16):
        assert overlap(found.rgba[..., 3] > 127, truth > 0.5) > 0.8


def test_grabcut_gives_the_same_picture_each_time() -> None:
    truth = disc(240, 320, 150, 120, 70)
    image = over(backdrop("bricks", 240, 320), truth, (200, 60, 40))
    first = grabcut(image).rgba
    assert all((grabcut(image).rgba == first).all() for _ in range(2))


def test_grabcut_of_twelve_megapixels_is_quick() -> None:
    truth = disc(3000, 4000, 2100, 1400, 900)
    rows, columns = np.mgrid[:3000, :4000]
    blocks = ((rows // 90 + columns // 140) % 2 * 60 + 60).astype(np.uint8)
    rgba = np.full((3000, 4000, 4), 255, np.uint8)
    rgba[..., :3] = blocks[..., None]
    rgba[truth > 0.5, :3] = (200, 60, 40)
    image = Image(rgba)
    start = time.process_time()
    found = grabcut(image)
    assert time.process_time() - start < 4  # 1.3 s on an idle core
    assert overlap(found.rgba[..., 3] > 127, truth > 0.5) > 0.99


def alpha_picture(alpha: np.ndarray) -> Image:
    rgba = np.full((*alpha.shape, 4), 90, np.uint8)
    rgba[..., 3] = alpha
    return Image(rgba)


def test_alpha_takes_a_cut_out_as_it_is() -> None:
    image = alpha_picture(np.rint(disc(200, 200, 100, 100, 60) * 255))
    assert Alpha().why_not(image, AlphaSettings()) == ""
    assert Alpha()(image, Prompt(), AlphaSettings(), Progress()) is image


def test_alpha_knows_what_is_no_cut_out() -> None:
    opaque = np.full((200, 200), 255)
    corners = opaque.copy()
    corners[:6, :6] = corners[-6:, -6:] = corners[:6, -6:] = corners[-6:, :6] = 0
    watermark = np.zeros((200, 200))
    watermark[90:110, 40:160] = 90
    veil = np.full((200, 200), 128)
    veil[:20], veil[20:40] = 0, 255
    soft_edges = opaque.copy()
    soft_edges[:8] = soft_edges[-8:] = 200
    cases = {
        "no transparency": opaque,
        "0.4% of the picture is transparent": corners,
        "0.0% of the picture is opaque": watermark,
        "half transparent": veil,
        "0.0% of the picture is transparent": soft_edges,
    }
    for words, alpha in cases.items():
        assert words in Alpha().why_not(alpha_picture(alpha), AlphaSettings())


def test_alpha_by_name_refuses_what_it_cannot_cut() -> None:
    for level in (255, 0):
        with pytest.raises(NoForeground):
            image = alpha_picture(np.full((32, 32), level))
            Alpha()(image, Prompt(), AlphaSettings(), Progress())


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of weights, and no way to the network."""
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_rembg_tells_what_is_missing(bare: Path) -> None:
    image = alpha_picture(np.full((32, 32), 255))
    assert "isnet-general-use" in Rembg().why_not(image, RembgSettings())
    old_place = bare / "isnet-general-use.onnx"
    old_place.write_bytes(b"weights")
    assert Rembg().why_not(image, RembgSettings()) == ""
    assert rembg.weights_at(RembgSettings()) == [old_place]
    assert "u2netp" in Rembg().why_not(image, RembgSettings(model="u2netp"))
    new_place = bare / "models" / "u2netp" / "u2netp.onnx"
    new_place.parent.mkdir(parents=True)
    new_place.write_bytes(b"weights")
    assert Rembg().why_not(image, RembgSettings(model="u2netp")) == ""


@pytest.mark.parametrize("fetch", [True, False])
def test_rembg_offline_names_the_fix(bare: Path, fetch: bool) -> None:
    for model in ("isnet-general-use", "sam"):
        with pytest.raises(WeightsMissing) as caught:
            Rembg().load(RembgSettings(model=model, fetch=fetch), Progress())
        assert "--matte rembg" in caught.value.hint
        assert str(bare / "models" / model) in caught.value.hint
        assert ("offline" in caught.value.message) == fetch


def test_rembg_custom_model_needs_its_file(bare: Path) -> None:
    with pytest.raises(InvalidSettings, match="weights"):
        RembgSettings(model="u2net_custom")
    with pytest.raises(InvalidSettings, match="weights"):
        RembgSettings(weights="mine.onnx")
    with pytest.raises(WeightsMissing, match=r"mine\.onnx"):
        Rembg().load(
            RembgSettings(model="u2net_custom", weights=str(bare / "mine.onnx")), Progress()
        )


def test_light_files_import_nothing_heavy() -> None:
    code = (
        "import sys, glimpse3d.mattes.alpha, glimpse3d.mattes.rembg, glimpse3d.mattes.grabcut as g;"
        "g.GrabCut().why_not(None, None);"
        "heavy = {'cv2', 'skimage', 'scipy', 'rembg', 'onnxruntime', 'numba'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def field(number: int, value: int | bytes) -> bytes:
    """One field of a protocol buffer."""

    def varint(number: int) -> bytes:
        low, rest = number & 0x7F, number >> 7
        return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])

    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def red_channel_network(side: int) -> bytes:
    """An ONNX file by hand (onnx.proto3): one 1 x 1 convolution that passes red through."""

    def tensor_type(name: bytes, channels: int) -> bytes:
        sides = (1, channels, side, side)
        shape = b"".join(field(1, field(1, length)) for length in sides)
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))

    weights = b"".join(field(1, length) for length in (1, 3, 1, 1)) + field(2, 1)
    weights += field(8, b"w") + field(9, struct.pack("<3f", 1, 0, 0))
    node = field(1, b"x") + field(1, b"w") + field(2, b"y") + field(4, b"Conv")
    graph = field(1, node) + field(2, b"red") + field(5, weights)
    graph += field(11, tensor_type(b"x", 3)) + field(12, tensor_type(b"y", 1))
    return field(1, 8) + field(7, graph) + field(8, field(1, b"") + field(2, 13))


@pytest.mark.slow
def test_rembg_runs_a_network_from_its_own_folder(bare: Path) -> None:
    """Slow: the first import of rembg on a machine compiles for a minute."""
    weights = rembg.folder("isnet-general-use") / "isnet-general-use.onnx"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(red_channel_network(1024))
    truth = disc(121, 200, 90, 60, 40)
    rgba = np.array(over(np.zeros((121, 200, 3)), truth, (255, 60, 40)).rgba)
    rgba[:, :90, 3] = 128
    matte = Rembg()
    found = matte(Image(rgba), Prompt(), RembgSettings(), Progress())
    right, left = found.rgba[:, 90:, 3], found.rgba[:, :90, 3]
    assert np.abs(right / 255 - truth[:, 90:]).mean() < 0.01
    assert np.abs(left / 128 - truth[:, :90]).mean() < 0.01
    assert (found.rgba[..., :3] == rgba[..., :3]).all()
    black = Image(np.dstack([np.zeros((64, 64, 3)), np.full((64, 64), 255)]).astype(np.uint8))
    with pytest.raises(NoForeground):
        matte(black, Prompt(), RembgSettings(), Progress())
    weights.write_bytes(b"not a network")
    with pytest.raises(WeightsMissing, match="damaged"):
        Rembg().load(RembgSettings(), Progress())


@pytest.mark.slow
def test_rembg_offers_and_looks_where_the_installed_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rembg.sessions import sessions, sessions_names_downloadable

    assert set(rembg.MODELS) == set(sessions_names_downloadable)
    names = ("U2NET_HOME", "REMBG_HOME", "XDG_DATA_HOME")
    for chosen in range(8):
        for index, name in enumerate(names):
            monkeypatch.delenv(name, raising=False)
            if chosen >> index & 1:
                monkeypatch.setenv(name, str(tmp_path / name))
        for model, session in sessions.items():
            if model in rembg.MODELS:
                assert os.fspath(rembg.folder(model)) == session.model_dir()
        assert os.fspath(rembg._old_home()) == session.legacy_home()
