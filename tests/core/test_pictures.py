"""Pictures as users have them: every kind is read to the right colours, every bad one refused."""

import io
import logging
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import PIL.features
import PIL.Image
import pytest

from glimpse3d import pictures
from glimpse3d.errors import BadImage
from glimpse3d.types import Image

WIDTH, HEIGHT = 24, 20
RED, GREEN, BLUE, GREY = (200, 40, 30), (20, 180, 60), (30, 60, 210), (90, 90, 90)

# CIE xy of the primaries, and the transfer curve's gamma; the white point of all is D65.
PRIMARIES = {
    "sRGB": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    "Display P3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    "Adobe RGB": ((0.640, 0.330), (0.210, 0.710), (0.150, 0.060)),
}
D65, D50 = np.array([0.95047, 1.0, 1.08883]), np.array([0.96422, 1.0, 0.82521])
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def quarters() -> np.ndarray:
    """(H, W, 3) uint8: red, green, blue and grey, so that no turn looks like another."""
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[: HEIGHT // 2, : WIDTH // 2], rgb[: HEIGHT // 2, WIDTH // 2 :] = RED, GREEN
    rgb[HEIGHT // 2 :, : WIDTH // 2], rgb[HEIGHT // 2 :, WIDTH // 2 :] = BLUE, GREY
    return rgb


def encoded(picture: PIL.Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def quarters_as(kind: str, **options: object) -> bytes:
    return encoded(PIL.Image.fromarray(quarters()), kind, **options)


def png(
    width: int, height: int, depth: int, color_type: int, rows: bytes, **chunks: bytes
) -> bytes:
    """A PNG by hand, for what pillow does not write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    extra = b"".join(chunk(name.encode(), data) for name, data in chunks.items())
    data = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + data + chunk(b"IEND", b"")


def deep_rows(values: np.ndarray) -> bytes:
    """16-bit big-endian rows, each behind its filter byte."""
    return b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)


def xyz_from_linear(space: str) -> np.ndarray:
    """(3, 3), D65: the columns are the primaries, scaled so that they add up to white."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in PRIMARIES[space]]).T
    return columns * np.linalg.solve(columns, D65)


def profile(space: str, gamma: float | None, signature: bytes = b"RGB ") -> bytes:
    """An ICC profile by hand: a matrix and one curve; ``gamma`` None is the curve of sRGB."""
    adapt = np.linalg.inv(BRADFORD) @ np.diag((BRADFORD @ D50) / (BRADFORD @ D65)) @ BRADFORD
    columns = (adapt @ xyz_from_linear(space)).T

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    if gamma is None:
        numbers = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
        curve = b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + fixed(*numbers)
    else:
        curve = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(gamma * 256))
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78 + 1)
    tags = {b"desc": text, b"cprt": b"text\0\0\0\0CC0\0", b"wtpt": b"XYZ \0\0\0\0" + fixed(*D50)}
    if signature == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        for name, column in zip(b"rgb", columns, strict=True):
            tags[bytes([name]) + b"XYZ"] = b"XYZ \0\0\0\0" + fixed(*column)
            tags[bytes([name]) + b"TRC"] = curve
    offset, table, body = 132 + 12 * len(tags), b"", b""
    for tag, data in tags.items():
        data += bytes(-len(data) % 4)
        table += tag + struct.pack(">II", offset + len(body), len(data))
        body += data
    size = offset + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x04000000, b"mntr", signature, b"XYZ ")
    head += struct.pack(">6H4s", 2024, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + fixed(*D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def srgb_of(space: str, gamma: float | None, color: tuple[int, int, int]) -> np.ndarray:
    """(3,) 0..255: the colour in sRGB by matrices alone, clipped to its gamut."""
    value = np.array(color) / 255
    curve = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    linear = curve if gamma is None else value**gamma
    mixed = np.linalg.solve(xyz_from_linear("sRGB"), xyz_from_linear(space) @ linear).clip(0, 1)
    encoded = np.where(mixed <= 0.0031308, 12.92 * mixed, 1.055 * mixed ** (1 / 2.4) - 0.055)
    return 255 * encoded


def test_plain_rgb_is_exact() -> None:
    for kind in ("PNG", "BMP", "TIFF", "PPM", "QOI", "TGA"):
        image = pictures.read(quarters_as(kind))
        assert (image.rgba[..., :3] == quarters()).all(), kind
        assert (image.rgba[..., 3] == 255).all(), kind


def test_lossless_webp_and_good_jpeg() -> None:
    assert (pictures.read(quarters_as("WEBP", lossless=True)).rgba[..., :3] == quarters()).all()
    jpeg = pictures.read(quarters_as("JPEG", quality=95, subsampling=0)).rgba[..., :3]
    assert np.abs(jpeg.astype(int) - quarters()).mean() < 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(orientation: int) -> None:
    upright = quarters()
    # How a camera that notes this orientation has stored the upright picture (EXIF 2.3, 4.6.4).
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    picture = PIL.Image.fromarray(np.ascontiguousarray(stored))
    for kind in ("PNG", "TIFF"):
        image = pictures.read(encoded(picture, kind, exif=exif))
        assert (image.rgba[..., :3] == upright).all(), kind
    jpeg = pictures.read(encoded(picture, "JPEG", quality=95, subsampling=0, exif=exif)).rgba
    assert np.abs(jpeg[..., :3].astype(int) - upright).mean() < 2


def test_palette_with_and_without_transparency() -> None:
    picture = PIL.Image.fromarray(quarters()).quantize(4)
    assert (pictures.read(encoded(picture, "PNG")).rgba[..., :3] == quarters()).all()
    green = picture.getpixel((WIDTH - 1, 0))
    assert isinstance(green, int)
    image = pictures.read(encoded(picture, "PNG", transparency=green))
    expected = np.where((quarters() == GREEN).all(axis=2), 0, 255)
    assert (image.rgba[..., 3] == expected).all()
    assert (image.rgba[..., :3] == quarters()).all()
    faint = bytes(77 if index == green else 255 for index in range(4))
    assert set(
        np.unique(pictures.read(encoded(picture, "PNG", transparency=faint)).rgba[..., 3])
    ) == {77, 255}
    gif = pictures.read(encoded(picture, "GIF", transparency=green))
    assert (gif.rgba[..., 3] == expected).all()


def test_one_bit_greyscale_and_grey_with_alpha() -> None:
    checker = (np.indices((HEIGHT, WIDTH)).sum(axis=0) % 2 * 255).astype(np.uint8)
    one_bit = pictures.read(encoded(PIL.Image.fromarray(checker).convert("1"), "PNG"))
    assert (one_bit.rgba[..., :3] == checker[..., None]).all()
    ramp = np.linspace(0, 255, HEIGHT * WIDTH).astype(np.uint8).reshape(HEIGHT, WIDTH)
    grey = pictures.read(encoded(PIL.Image.fromarray(ramp), "PNG"))
    assert (grey.rgba[..., :3] == ramp[..., None]).all()
    both = PIL.Image.merge("LA", [PIL.Image.fromarray(ramp), PIL.Image.fromarray(checker)])
    image = pictures.read(encoded(both, "PNG"))
    assert (image.rgba[..., :3] == ramp[..., None]).all()
    assert (image.rgba[..., 3] == checker).all()


def test_transparent_colour_of_grey_and_rgb_png() -> None:
    grey = PIL.Image.fromarray(np.full((HEIGHT, WIDTH), 9, np.uint8))
    grey.putpixel((3, 4), 200)
    alpha = pictures.read(encoded(grey, "PNG", transparency=9)).rgba[..., 3]
    assert alpha[4, 3] == 255 and alpha.sum() == 255
    image = pictures.read(quarters_as("PNG", transparency=BLUE)).rgba
    assert ((image[..., 3] == 0) == (quarters() == BLUE).all(axis=2)).all()


def test_sixteen_bits_are_scaled_not_cut() -> None:
    ramp = np.linspace(0, 65535, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH)
    data = png(WIDTH, HEIGHT, 16, 0, deep_rows(ramp), tRNS=struct.pack(">H", ramp[5, 6]))
    image = pictures.read(data)
    assert (image.rgba[..., 0] == np.rint(ramp / 257)).all()
    assert image.rgba[5, 6, 3] == 0 and (image.rgba[..., 3] == 0).sum() == 1
    rgb = np.stack([ramp, ramp[::-1], ramp[:, ::-1]], axis=2)
    deep = pictures.read(png(WIDTH, HEIGHT, 16, 2, deep_rows(rgb.reshape(HEIGHT, -1))))
    assert np.abs(deep.rgba[..., :3] - rgb / 257).max() <= 1
    tiff = pictures.read(encoded(PIL.Image.fromarray(ramp), "TIFF"))
    assert (tiff.rgba[..., 1] == np.rint(ramp / 257)).all()


@pytest.mark.parametrize(("space", "gamma"), [("Display P3", None), ("Adobe RGB", 563 / 256)])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_wide_gamut_profiles_become_srgb(space: str, gamma: float | None, kind: str) -> None:
    options: dict[str, dict[str, object]] = {
        "WEBP": {"lossless": True},
        "JPEG": {"quality": 100, "subsampling": 0},
    }
    for color in (RED, GREEN, BLUE, GREY, (255, 0, 0), (250, 250, 250)):
        patch = PIL.Image.new("RGB", (32, 32), color)
        data = encoded(patch, kind, icc_profile=profile(space, gamma), **options.get(kind, {}))
        middle = pictures.read(data).rgba[16, 16, :3]
        assert np.abs(middle - srgb_of(space, gamma, color)).max() <= 2, color
    assert np.abs(srgb_of(space, gamma, GREEN) - GREEN).max() > 10  # the profile matters


def test_profile_keeps_alpha() -> None:
    rgba = np.dstack([quarters(), np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH)])
    data = encoded(PIL.Image.fromarray(rgba), "PNG", icc_profile=profile("Display P3", None))
    image = pictures.read(data)
    assert (image.rgba[..., 3] == rgba[..., 3]).all()
    assert np.abs(image.rgba[0, 0, :3] - srgb_of("Display P3", None, RED)).max() <= 2


def test_profile_that_is_srgb_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    rgb = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    data = encoded(PIL.Image.fromarray(rgb), "PNG", icc_profile=profile("sRGB", None))
    assert (pictures.read(data).rgba[..., :3] == rgb).all()


def test_greyscale_profile() -> None:
    patch = PIL.Image.new("L", (32, 32), 100)
    data = encoded(patch, "PNG", icc_profile=profile("sRGB", 1.8, b"GRAY"))
    expected = srgb_of("sRGB", 1.8, (100, 100, 100))
    assert np.abs(pictures.read(data).rgba[16, 16, :3] - expected).max() <= 2
    assert np.abs(expected - 100).max() > 5


@pytest.mark.parametrize("broken", [b"not a profile", profile("Display P3", None, b"CMYK")])
def test_broken_profile_is_taken_as_srgb_and_logged(
    broken: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        image = pictures.read(quarters_as("PNG", icc_profile=broken))
    assert (image.rgba[..., :3] == quarters()).all()
    assert "profile" in caplog.text


def test_cmyk_jpeg() -> None:
    patch = PIL.Image.new("CMYK", (32, 32), (0, 255, 255, 0))
    image = pictures.read(encoded(patch, "JPEG", quality=100))
    assert np.abs(image.rgba[16, 16, :3].astype(int) - (255, 0, 0)).max() <= 3


def test_bytes_and_paths_read_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a picture.png"
    path.write_bytes(quarters_as("PNG"))
    for source in (path, str(path), path.read_bytes()):
        assert (pictures.read(source).rgba[..., :3] == quarters()).all()


def test_phone_jpeg_with_a_second_picture_inside_is_its_first() -> None:
    first, second = PIL.Image.fromarray(quarters()), PIL.Image.new("RGB", (WIDTH, HEIGHT))
    data = encoded(first, "MPO", save_all=True, append_images=[second], quality=95)
    assert np.abs(pictures.read(data).rgba[..., :3].astype(int) - quarters()).mean() < 12


def moving(kind: str) -> bytes:
    frames = [PIL.Image.new("RGB", (32, 32), color) for color in (RED, GREEN, BLUE)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:])


def cut_off(kind: str) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(PIL.Image.fromarray(noise), kind)
    return data[: len(data) // 2]


def huge(kind: str) -> bytes:
    if kind == "PNG":
        return png(30000, 30000, 8, 2, b"\0" * 99)
    data = bytearray(quarters_as("BMP"))
    data[18:26] = struct.pack("<ii", 30000, 30000)
    return bytes(data)


HEIC = struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic" + bytes(64)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"this is a text, not a picture\n" * 9, "not a picture"),
        (bytes(5000), "not a picture"),
        (quarters_as("PNG")[:20], "damaged"),
        (cut_off("PNG"), "damaged"),
        (cut_off("JPEG"), "damaged"),
        (cut_off("WEBP"), "damaged"),
        (cut_off("TIFF"), "damaged"),
        (encoded(PIL.Image.new("RGB", (1, 1)), "PNG"), "1 x 1"),
        (encoded(PIL.Image.new("RGB", (400, 15)), "PNG"), "400 x 15"),
        (huge("PNG"), "pixels"),
        (huge("BMP"), "pixels"),
        (png(11000, 9100, 8, 2, b"\0" * 99), "11000 x 9100"),
        (moving("GIF"), "3 pictures"),
        (moving("PNG"), "3 pictures"),
        (moving("WEBP"), "3 pictures"),
        (moving("TIFF"), "3 pictures"),
        (encoded(PIL.Image.new("F", (32, 32)), "TIFF"), "floating-point"),
    ],
)
def test_bad_pictures_are_refused_in_one_sentence_with_a_hint(data: bytes, words: str) -> None:
    with pytest.raises(BadImage, match=words) as caught:
        pictures.read(data)
    assert caught.value.hint and "\n" not in str(caught.value)
    assert caught.value.code == "bad_image"


def test_heic_needs_its_reader() -> None:
    try:
        import pillow_heif  # noqa: F401
    except ImportError:
        words = "HEIC"
    else:
        words = "damaged|not a picture"
    with pytest.raises(BadImage, match=words):
        pictures.read(HEIC)


def test_avif_is_read_where_pillow_can() -> None:
    if not PIL.features.check("avif"):
        pytest.skip("this pillow reads no AVIF")
    image = pictures.read(quarters_as("AVIF", quality=95))
    assert np.abs(image.rgba[..., :3].astype(int) - quarters()).mean() < 6


def test_missing_file_folder_and_nonsense_path(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="no file"):
        pictures.read(tmp_path / "nowhere.png")
    with pytest.raises(BadImage, match="not a file"):
        pictures.read(tmp_path)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for the peak memory")
def test_size_is_refused_before_any_memory_is_spent() -> None:
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadImage):
        pictures.read(huge("PNG"))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 50_000  # kilobytes; the pixels would take 3.6 GB


def test_png_round_trip_is_exact_and_deterministic(tmp_path: Path) -> None:
    rgba = np.random.default_rng(3).integers(0, 256, (33, 47, 4), dtype=np.uint8)
    rgba[:16, :, 3] = 0
    path = tmp_path / "out.png"
    data = pictures.write_png(Image(rgba), path)
    assert path.read_bytes() == data == pictures.write_png(Image(rgba.copy()), None)
    assert (pictures.read(data).rgba == rgba).all()


def test_opaque_picture_is_written_without_alpha() -> None:
    rgba = np.dstack([quarters(), np.full((HEIGHT, WIDTH), 255, np.uint8)])
    data = pictures.write_png(Image(rgba))
    assert PIL.Image.open(io.BytesIO(data)).mode == "RGB"
    assert (pictures.read(data).rgba == rgba).all()


def picture() -> Image:
    return pictures.read(quarters_as("PNG"))


def test_painted_mask() -> None:
    levels = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    levels[:5], levels[5:9], levels[9:12] = 255, 0, (255, 0, 0)
    mask = pictures.read_mask(encoded(PIL.Image.fromarray(levels), "PNG"), picture())
    assert (mask[:5] == 255).all() and (mask[5:9] == 0).all() and (mask[9:] == 128).all()
    assert mask.dtype == np.uint8


def test_strokes_on_an_empty_layer_are_a_mask() -> None:
    rgba = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    rgba[2:4] = 255
    rgba[7:9, :, 3] = 255
    mask = pictures.read_mask(encoded(PIL.Image.fromarray(rgba), "PNG"), picture())
    assert (mask[2:4] == 255).all() and (mask[7:9] == 0).all()
    assert (np.delete(mask, [2, 3, 7, 8], axis=0) == 128).all()


def test_mask_of_another_size_or_without_a_word_is_refused() -> None:
    with pytest.raises(BadImage, match="30 x 30"):
        pictures.read_mask(encoded(PIL.Image.new("L", (30, 30), 255), "PNG"), picture())
    with pytest.raises(BadImage, match="decides nothing"):
        pictures.read_mask(encoded(PIL.Image.new("L", (WIDTH, HEIGHT), 99), "PNG"), picture())
