"""What a picture says of its size, before anything decodes it."""

import io
import struct

import numpy as np
import PIL.Image
import pytest

from glimpse3d.errors import BadFile
from glimpse3d.formats import picture_header


def encoded(kind: str, width: int, height: int, **options: object) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    stream = io.BytesIO()
    PIL.Image.fromarray(noise).save(stream, kind, **options)
    return stream.getvalue()


def with_exif(kind: str) -> bytes:
    exif = PIL.Image.Exif()
    exif[0x010E] = "words " * 500
    return encoded(kind, 37, 21, exif=exif)


@pytest.mark.parametrize(
    "data",
    [
        encoded("PNG", 37, 21), encoded("JPEG", 37, 21), encoded("JPEG", 37, 21, progressive=True),
        with_exif("JPEG"), with_exif("PNG"),
        encoded("JPEG", 37, 21).replace(b"\xff\xdb", b"\xff\xff\xff\xdb", 1),
    ],
    ids=["png", "jpeg", "progressive", "exif", "png exif", "padded"],
)  # fmt: skip
def test_the_size_is_that_of_the_pixels(data: bytes) -> None:
    assert picture_header.check(data, "it") == (37, 21)
    with pytest.raises(BadFile, match="37 x 21 pixels"):
        picture_header.check(data, "it", most=37 * 21 - 1)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_no_cut_and_no_noise_raises_anything_else(kind: str) -> None:
    data = encoded(kind, 37, 21)
    rng = np.random.default_rng(1)
    for cut in range(0, 700):
        noise = bytearray(data[:cut])
        for place in rng.integers(2, max(cut, 3), 3):
            noise[place : place + 1] = bytes([rng.integers(256)])
        try:
            width, height = picture_header.check(bytes(noise), "it")
        except BadFile:
            continue
        assert 0 < width * height <= picture_header.MAX_PIXELS


@pytest.mark.parametrize(
    "data",
    [
        b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"\xff\xd8\xff\xe0\0\0" * 9,
        encoded("PNG", 20, 20)[:16] + struct.pack(">II", 60_000, 60_000) + bytes(20),
        encoded("PNG", 20, 20)[:16] + struct.pack(">II", 2**32 - 1, 2**32 - 1) + bytes(20),
        encoded("PNG", 20, 20)[:16] + struct.pack(">II", 0, 5) + bytes(20),
        encoded("GIF", 20, 20),
    ],
    ids=["empty", "text", "png alone", "jpeg alone", "no step", "60000", "most", "none", "gif"],
)  # fmt: skip
def test_what_is_none_or_claims_too_much_is_refused(data: bytes) -> None:
    with pytest.raises(BadFile, match="it"):
        picture_header.check(data, "it")
