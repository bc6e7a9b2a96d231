"""Turns a Blender image into PNG bytes, its colours exactly as the user sees them.

Owns reading pixels out of image datablocks and writing them as PNG. Must not know what becomes of
the picture. ``Image.save_render`` sends a picture through the scene's view transform, which washes
it out: right for a Render Result alone, whose viewer does the same.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np

from .._vendor.glimpse3d.errors import BadImage
from . import temporary

MAX_PIXELS = 100_000_000
# Their pixels exist as a render, to be read through the scene's view transform.
RENDERS = ("RENDER_RESULT", "COMPOSITING")
_OPAQUE = ("NONE",)
_UNASSOCIATED = ("NONE", "CHANNEL_PACKED")
_USUAL = "sRGB"
# Colours as they are: what a picture looks like where no scene has its say.
_PLAIN = {
    "view_transform": "Standard", "look": "None", "exposure": 0.0, "gamma": 1.0,
    "use_curve_mapping": False, "use_white_balance": False,
}  # fmt: skip
_RGB, _RGBA = 2, 6  # PNG colour types


def png_bytes(image: bpy.types.Image, scene: bpy.types.Scene | None = None) -> bytes:
    """The picture in ``image`` as an 8-bit sRGB PNG, straight alpha.

    Byte images in sRGB, and those that hold data, keep every value; from other colour spaces they
    are put into sRGB, as the Image Editor does. Images in float hold scene-linear light, which is
    put into sRGB, too, unless their colour space says that they hold data.

    Args:
        image: file, packed, generated, painted, or a Render Result or Viewer.
        scene: whose view transform a render is seen through; the context's if None.

    Raises:
        BadImage: it holds no pixels, or too many.
    """
    if image.type in RENDERS:
        with temporary.folder() as folder:
            return _saved(image, scene or bpy.context.scene, folder).read_bytes()
    return encode_png(rgba(image))


def rgba(image: bpy.types.Image) -> np.ndarray:
    """(H, W, 4) uint8 sRGB, top row first.

    Raises:
        BadImage: it holds no pixels, too many, colours that cannot be put into sRGB, or is several
            pictures.
    """
    if image.source == "TILED" and len(image.tiles) > 1:  # Blender would hand out the first alone
        raise BadImage(
            "the image is made of several tiles, and one picture is wanted",
            "open the file of one tile",
        )
    space = image.colorspace_settings
    if image.size[0] and not image.is_float and not space.is_data and space.name != _USUAL:
        return _converted(image)
    return _values(image)


def _values(image: bpy.types.Image) -> np.ndarray:
    width, height = image.size  # reading it loads the file
    count = width * height
    if not count:
        raise BadImage(
            f"the image {image.name!r} has no pixels",
            "open it in the Image Editor and see whether its file is still there",
        )
    if count > MAX_PIXELS:
        raise BadImage(
            f"the image {image.name!r} has {count} pixels, {MAX_PIXELS} are allowed",
            "scale it down with Image > Resize",
        )
    channels = image.channels
    flat = np.empty(count * channels, np.float32)
    image.pixels.foreach_get(flat)
    pixels = flat.reshape(height, width, channels)[::-1]
    values = np.ones((height, width, 4), np.float32)
    values[..., : min(channels, 3)] = pixels[..., :3]
    if channels <= 2:
        values[..., :3] = pixels[..., :1]
    if channels in (2, 4) and image.alpha_mode not in _OPAQUE:
        values[..., 3] = pixels[..., -1]
    if image.is_float and image.alpha_mode not in _UNASSOCIATED:
        values = _straight(values)
    if image.is_float and not image.colorspace_settings.is_data:
        values[..., :3] = _srgb(values[..., :3])
    finite = np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=0.0)
    return np.rint(np.clip(finite, 0, 1) * 255).astype(np.uint8)


def _straight(rgba: np.ndarray) -> np.ndarray:
    """Blender keeps floats multiplied by their alpha."""
    color, alpha = rgba[..., :3], rgba[..., 3:]
    color = np.divide(color, alpha, out=np.zeros_like(color), where=alpha > 0)
    return np.concatenate([color, alpha], axis=-1)


def _srgb(linear: np.ndarray) -> np.ndarray:
    """Scene-linear light as the screen shows it (IEC 61966-2-1)."""
    light = np.clip(np.nan_to_num(linear, nan=0.0, posinf=1.0, neginf=0.0), 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def encode_png(rgba: np.ndarray, keep_alpha: bool = False) -> bytes:
    """(H, W, 4) uint8 as PNG (W3C, Portable Network Graphics).

    Opaque pictures are written without their alpha, unless it is to be kept.
    """
    height, width = rgba.shape[:2]
    opaque = not keep_alpha and bool((rgba[..., 3] == 255).all())
    pixels = np.ascontiguousarray(rgba[..., :3] if opaque else rgba)
    rows = pixels.reshape(height, -1)
    step = pixels.shape[2]
    # Filter 1, the difference to the pixel on the left: photographs pack to two thirds.
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = 1
    filtered[:, 1 : step + 1] = rows[:, :step]
    filtered[:, step + 1 :] = rows[:, step:] - rows[:, :-step]
    header = struct.pack(">IIBBBBB", width, height, 8, _RGB if opaque else _RGBA, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"sRGB", b"\0"),
            _chunk(b"IDAT", zlib.compress(filtered.data, 3)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _saved(image: bpy.types.Image, scene: bpy.types.Scene, folder: Path) -> Path:
    """What is seen of it through the scene's view transform, by Blender's own writer."""
    path = folder / "picture.png"
    own = scene.render.image_settings
    wanted = {"file_format": "PNG", "color_mode": "RGBA", "color_depth": "8"}
    if hasattr(own, "media_type"):  # from Blender 5.0 on films and pictures are told apart first
        wanted = {"media_type": "IMAGE", **wanted}
    with _held(own, {**wanted, "color_management": "FOLLOW_SCENE"}):
        try:
            image.save_render(str(path), scene=scene)
        except (RuntimeError, OSError) as error:
            raise BadImage(
                f"{image.name!r} holds no picture", "render one first, then choose it again"
            ) from error
    return path


def _converted(image: bpy.types.Image) -> np.ndarray:
    """A byte image of another colour space in sRGB, as the Image Editor shows it."""
    scene = bpy.context.scene
    view = {name: value for name, value in _PLAIN.items() if hasattr(scene.view_settings, name)}
    with temporary.folder() as folder:
        try:
            device = _held(scene.display_settings, {"display_device": _USUAL})
            with device, _held(scene.view_settings, view):
                path = _saved(image, scene, folder)
        except TypeError as error:  # colour management of somebody's own has no such view
            raise BadImage(
                f"the colours of {image.name!r} cannot be put into sRGB",
                "set the picture's colour space to sRGB",
            ) from error
        seen = bpy.data.images.load(str(path))
        try:
            return _values(seen)  # 5.2 labels such a file with the space that it no longer is in
        finally:
            bpy.data.images.remove(seen)


@contextmanager
def _held(thing: bpy.types.bpy_struct, wanted: dict[str, object]) -> Iterator[None]:
    """Some of Blender's settings as they are wanted, and back as they were."""
    former = {name: getattr(thing, name) for name in wanted}
    try:
        for name, value in wanted.items():
            setattr(thing, name, value)
        yield
    finally:
        for name, value in former.items():
            setattr(thing, name, value)
