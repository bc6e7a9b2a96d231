"""Pictures as users have them, read to upright 8-bit sRGB; and PNG written back.

Owns file formats, orientation, colour profiles, bit depths, and every refusal of a bad picture.
Must not know what a picture is used for.
"""

from __future__ import annotations

import io
import logging
import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import PIL.features
import PIL.Image
import PIL.ImageCms

from .errors import BadImage
from .focal_length import exif_of, focal_pixels
from .types import Image

log = logging.getLogger(__name__)

MIN_SIDE = 16  # pixels; less holds no shape
MAX_PIXELS = 100_000_000
MAX_SIDE = 32_767  # OpenCV's own limit in what comes after

# Only decoders that read pixels: some of pillow's others start foreign programs (EPS) or guess.
FORMATS = (
    "PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "DIB", "GIF", "AVIF", "HEIF", "JPEG2000",
    "PPM", "TGA", "ICO", "QOI",
)  # fmt: skip
# Several pictures in one of these are a film or a document; in an ICO, or in the MPO that phones
# write, they are versions of one.
FILMS = ("GIF", "PNG", "WEBP", "AVIF", "HEIF", "TIFF")

WHITE, BLACK = 240, 15  # a painted mask may have passed through a lossy format

_KINDS = "save it as PNG or JPEG"
_DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError,
    struct.error, zlib.error,
)  # fmt: skip

_UPRIGHT = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112  # EXIF tag


def read(source: Path | str | bytes) -> Image:
    """Read a picture file, or the bytes of one.

    Orientation is applied, an embedded profile is converted to sRGB, and any depth or colour mode
    becomes 8-bit RGBA with straight alpha.

    Raises:
        BadImage: it is missing, damaged, not a picture, too small, too large, or moving.
    """
    name, data = ("the picture", source) if isinstance(source, bytes) else _file(Path(source))
    if not data:
        raise BadImage(f"{name} is empty", "choose another picture")
    _check_container(name, data)
    with _warnings_logged(name):
        picture = _open(name, data)
        _check_header(name, picture)
        rgba = np.asarray(_decode(name, picture))
        return Image(rgba, focal_pixels(picture.getexif(), *picture.size))


def write_png(image: Image, path: Path | None = None) -> bytes:
    """Encode as PNG, and write it to ``path`` if one is given.

    The same picture gives the same bytes. RGB if every pixel is opaque, else RGBA with straight
    alpha and the colours under alpha 0 kept; a known focal length is kept as well.
    """
    opaque = bool((image.rgba[..., 3] == 255).all())
    pixels = np.ascontiguousarray(image.rgba[..., :3]) if opaque else image.rgba
    stream = io.BytesIO()
    exif = exif_of(image.focal_length) if image.focal_length else None
    PIL.Image.fromarray(pixels).save(stream, "PNG", compress_level=1, exif=exif)
    data = stream.getvalue()
    if path is not None:
        path.write_bytes(data)
    return data


def read_mask(path: Path | str | bytes, image: Image) -> np.ndarray:
    """Read a painted mask for ``image``.

    White is subject, black is background, every other colour is undecided. Transparent pixels are
    undecided too, so that strokes painted on an empty layer are a mask.

    Returns:
        (H, W) uint8 of 255, 0 and 128.

    Raises:
        BadImage: unreadable, of another size than ``image``, or neither black nor white anywhere.
    """
    painted = read(path)
    if (painted.width, painted.height) != (image.width, image.height):
        raise BadImage(
            f"the mask has {painted.width} x {painted.height} pixels, "
            f"the picture {image.width} x {image.height}",
            "paint the mask on a copy of the picture",
        )
    color, solid = painted.rgba[..., :3], painted.rgba[..., 3] >= 128
    mask = np.full(solid.shape, 128, np.uint8)
    mask[solid & (color >= WHITE).all(axis=2)] = 255
    mask[solid & (color <= BLACK).all(axis=2)] = 0
    if (mask == 128).all():
        raise BadImage(
            "the mask decides nothing: it holds neither black nor white",
            "paint the subject white, the background black, and leave the rest grey",
        )
    return mask


def _file(path: Path) -> tuple[str, bytes]:
    name = path.name or str(path)
    if not path.exists():
        raise BadImage(f"there is no file {os.fspath(path)}", "check the path")
    if not path.is_file():
        raise BadImage(f"{name} is not a file", "name a picture file")
    try:
        return name, path.read_bytes()
    except OSError as error:
        raise BadImage(f"{name} cannot be read: {error.strerror}", "check its rights") from error


def _check_container(name: str, data: bytes) -> None:
    """HEIC and AVIF share a container; each needs a decoder that may be absent."""
    if data[4:8] != b"ftyp":
        return
    size = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[start : start + 4] for start in (8, *range(16, size, 4))}
    if brands & {b"avif", b"avis"}:
        if not PIL.features.check("avif"):
            raise BadImage(f"{name} is AVIF, which this pillow cannot read", _KINDS)
    elif brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}:
        try:
            import pillow_heif
        except ImportError as error:
            raise BadImage(
                f"{name} is HEIC, whose reader is not installed",
                "pip install pillow-heif, or save the picture as JPEG or PNG",
            ) from error
        pillow_heif.register_heif_opener()


@contextmanager
def _warnings_logged(name: str) -> Iterator[None]:
    """Pillow warns of odd metadata; that is for the log, not for standard error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for each in caught:
        log.info("%s: %s", name, each.message)


def _open(name: str, data: bytes) -> PIL.Image.Image:
    try:
        PIL.Image.init()
        readable = [each for each in FORMATS if each in PIL.Image.OPEN]  # HEIF may be absent
        return PIL.Image.open(io.BytesIO(data), formats=readable)
    except PIL.Image.DecompressionBombError as error:
        raise _too_large(f"{name} claims far more pixels than a picture has") from error
    except PIL.UnidentifiedImageError as error:
        raise BadImage(f"{name} is not a picture, or of an unknown kind", _KINDS) from error
    except (OSError, SyntaxError, ValueError, OverflowError) as error:
        raise _damaged(name) from error


def _check_header(name: str, picture: PIL.Image.Image) -> None:
    """Refuse by what the header says, before any pixel costs memory."""
    width, height = picture.size
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise _too_large(f"{name} has {width} x {height} pixels, too many")
    if min(width, height) < MIN_SIDE:
        raise BadImage(
            f"{name} has only {width} x {height} pixels",
            f"each side needs {MIN_SIDE} pixels or more",
        )
    try:
        frames = getattr(picture, "n_frames", 1) if picture.format in FILMS else 1
    except _DECODER_ERRORS as error:
        raise _damaged(name) from error
    if frames > 1:
        raise BadImage(f"{name} holds {frames} pictures", "save one of them as a picture file")


def _decode(name: str, picture: PIL.Image.Image) -> PIL.Image.Image:
    """Upright sRGB RGBA."""
    try:
        picture.load()
        orientation = picture.getexif().get(_ORIENTATION, 1)
        color, alpha = _split(name, picture)
    except _DECODER_ERRORS as error:
        raise _damaged(name) from error
    rgb = _to_srgb(name, color, picture.info.get("icc_profile"))
    rgb.putalpha(alpha)
    return rgb.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else rgb


def _split(name: str, picture: PIL.Image.Image) -> tuple[PIL.Image.Image, PIL.Image.Image]:
    """Eight-bit colour in the picture's own space (L, RGB or CMYK), and alpha (L)."""
    mode = picture.mode
    if mode == "F":
        raise BadImage(f"{name} holds floating-point light", "save it as 8-bit PNG or JPEG")
    if mode == "I" or mode.startswith("I;16"):
        return _split_deep(name, picture)
    if mode == "CMYK":
        return picture, PIL.Image.new("L", picture.size, 255)
    see_through = picture.has_transparency_data
    grey = mode in ("1", "L", "LA", "La")
    whole = picture.convert("RGBA" if see_through else "L" if grey else "RGB")
    alpha = whole.getchannel("A") if see_through else PIL.Image.new("L", picture.size, 255)
    return whole.convert("L" if grey else "RGB"), alpha


def _split_deep(name: str, picture: PIL.Image.Image) -> tuple[PIL.Image.Image, PIL.Image.Image]:
    """Greyscale of 16 bits; a mode of 32 bits is taken if its values are such."""
    values = np.asarray(picture).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise BadImage(f"{name} holds 32-bit values", "save it as 8-bit or 16-bit greyscale")
    transparent = values == picture.info.get("transparency", -1)
    grey = np.rint(values / 257).astype(np.uint8)
    alpha = np.where(transparent, 0, 255).astype(np.uint8)
    return PIL.Image.fromarray(grey), PIL.Image.fromarray(alpha)


def _to_srgb(name: str, color: PIL.Image.Image, icc: bytes | None) -> PIL.Image.Image:
    """RGB in sRGB. A profile that cannot be used is ignored, and the log says so."""
    if icc:
        try:
            return _through_profile(color, icc)
        except (PIL.ImageCms.PyCMSError, OSError, ValueError) as error:
            log.warning("%s: its colour profile is unusable, taken as sRGB (%s)", name, error)
    return color.convert("RGB")


def _through_profile(color: PIL.Image.Image, icc: bytes) -> PIL.Image.Image:
    profile = PIL.ImageCms.ImageCmsProfile(io.BytesIO(icc))
    space = profile.profile.xcolor_space.strip()
    if space == "RGB" and color.mode == "L":
        color = color.convert("RGB")
    if space != {"L": "GRAY"}.get(color.mode, color.mode):
        raise ValueError(f"a profile for {space} in a picture of {color.mode}")
    transform = PIL.ImageCms.buildTransform(profile, _srgb(), color.mode, "RGB")
    if color.mode == "RGB" and _is_identity(transform):
        return color
    converted = PIL.ImageCms.applyTransform(color, transform)
    assert converted is not None  # only a transform in place returns None
    return converted


def _is_identity(transform: PIL.ImageCms.ImageCmsTransform) -> bool:
    """Whether it changes colours by rounding only: sRGB by another name stays exact."""
    probe = _color_cube()
    moved = PIL.ImageCms.applyTransform(probe, transform)
    difference = np.asarray(moved).astype(int) - np.asarray(probe)
    return bool(np.abs(difference).max() <= 1)


@cache
def _color_cube() -> PIL.Image.Image:
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1)
    return PIL.Image.fromarray(cube.reshape(len(levels), -1, 3))


@cache
def _srgb() -> PIL.ImageCms.ImageCmsProfile:
    return PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB"))


def _too_large(message: str) -> BadImage:
    return BadImage(message, f"scale it down to {MAX_PIXELS // 10**6} million pixels or less")


def _damaged(name: str) -> BadImage:
    return BadImage(f"{name} is damaged or cut off", "copy or save the picture again")
