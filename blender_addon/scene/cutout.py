"""Cut-outs of a picture as datablocks: the server's, and the user's own, painted by alpha.

Owns how they are made, whose they are, and what can be told of a picture by its alpha. Must not
know servers or panels. A painted cut-out is a copy of the picture: Blender's own texture paint
erases its background and brings back what was erased, and the picture's colours stay its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from .._vendor.glimpse3d.errors import BadFile, BadImage
from .._vendor.glimpse3d.formats import picture_header
from . import image, sources, thumbnails

# The custom properties on a cut-out: its picture, and who made it.
PICTURE, MAKER = "glimpse3d_picture", "glimpse3d_maker"
SERVER, USER = "server", "user"
SMALL = 256  # pixels; below, little is left to make a surface from
SOLID = 128  # alpha that counts as subject
_LEAST_CLEAR = 0.02  # of the picture; less is no cut-out
_WITHOUT_ALPHA = (8, 24, 96)  # bits a pixel
_MOST_PIXELS = 2**24  # of a picture that is looked at, which takes a tenth of a second
_LOOKS = 256  # along the shorter side


@dataclass(frozen=True, slots=True)
class Facts:
    """What a picture tells before anything is computed.

    Attributes:
        width, height: pixels; 0 if it cannot be read.
        is_cut: it has a background that is transparent already.
        touched: edges that the subject reaches: ``left``, ``right``, ``top``, ``bottom``.
        is_empty: it is transparent everywhere.
    """

    width: int
    height: int
    is_cut: bool = False
    touched: tuple[str, ...] = ()
    is_empty: bool = False

    @property
    def is_small(self) -> bool:
        """A side is so short that details will be missing."""
        return 0 < min(self.width, self.height) < SMALL


def facts(picture: bpy.types.Image) -> Facts:
    """Look at a picture; its pixels are read only if it may have an alpha."""
    width, height = picture.size
    if picture.type in image.RENDERS or not width or not height:
        return Facts(width, height)
    channels = picture.channels
    if channels not in (2, 4) or picture.depth in _WITHOUT_ALPHA or width * height > _MOST_PIXELS:
        return Facts(width, height)
    flat = np.empty(width * height * channels, np.float32)
    picture.pixels.foreach_get(flat)
    return of_alpha(flat.reshape(height, width, channels)[::-1, :, -1], 0.5)


def of_alpha(alpha: np.ndarray, opaque: float = SOLID) -> Facts:
    """The facts of an (H, W) alpha, top row first; from ``opaque`` on it is the subject.

    Edges are looked at whole, the inside here and there: panels wait for it.
    """
    height, width = alpha.shape
    step = max(1, min(height, width) // _LOOKS)
    solid = alpha[::step, ::step] >= opaque
    ends = {"left": alpha[:, 0], "right": alpha[:, -1], "top": alpha[0], "bottom": alpha[-1]}
    edges = {name: edge >= opaque for name, edge in ends.items()}
    if not solid.any():
        return Facts(width, height, is_empty=True)
    if 1 - solid.mean() < _LEAST_CLEAR:
        return Facts(width, height)
    touched = tuple(name for name, edge in edges.items() if edge.any())
    return Facts(width, height, True, touched)


def add_preview(path: Path, picture: bpy.types.Image) -> bpy.types.Image:
    """The server's cut-out beside its picture, packed; an earlier one of the picture goes.

    Raises:
        BadFile: the file is no picture; an earlier one stays.
    """
    data = path.read_bytes()
    picture_header.check(data, "the server's cut-out")
    name = f"{picture.name[:50]} cut-out"
    made = bpy.data.images.new(name, 1, 1)
    made.pack(data=data, data_len=len(data))
    made.source = "FILE"
    if 0 in made.size:
        bpy.data.images.remove(made)
        raise BadFile("the server's cut-out is not a picture", "make the result again")
    if (old := preview_of(picture)) is not None:
        bpy.data.images.remove(old)
        made.name = name
    made[PICTURE], made[MAKER] = picture, SERVER
    _draw_thumbnail(made)
    return made


def _draw_thumbnail(cut: bpy.types.Image) -> None:
    """Blender's own would show the background."""
    icon = cut.preview_ensure()
    if icon is not None:  # none without a window, in some releases
        thumbnails.show(thumbnails.of_image(cut), icon)


def preview_of(picture: bpy.types.Image) -> bpy.types.Image | None:
    """The server's cut-out of this picture, if it was asked for."""
    return _made_by(SERVER, picture)


def painted_of(picture: bpy.types.Image) -> bpy.types.Image | None:
    """The user's own cut-out of this picture, if there is one."""
    return _made_by(USER, picture)


def _made_by(maker: str, picture: bpy.types.Image) -> bpy.types.Image | None:
    ours = (each for each in bpy.data.images if each.get(MAKER) == maker)
    return next((each for each in ours if each.get(PICTURE) == picture), None)


def picture_of(shown: bpy.types.Image | None) -> bpy.types.Image | None:
    """Whose cut-out a picture is; the picture itself if it is nobody's."""
    return shown.get(PICTURE) or shown if shown is not None else None


def paint(picture: bpy.types.Image) -> bpy.types.Image:
    """A copy of the picture to paint on; it begins as the server's cut-out, if there is one.

    Raises:
        BadImage: the picture holds no pixels.
    """
    if (found := painted_of(picture)) is not None:
        return found
    pixels = image.rgba(picture)
    cut = preview_of(picture)
    if cut is not None and tuple(cut.size) == tuple(picture.size):
        pixels[..., 3] = image.rgba(cut)[..., 3]
    made = sources.packed(pixels, f"{picture.name[:50]} painted", keep_alpha=True)
    made[PICTURE], made[MAKER] = picture, USER
    made.use_fake_user = True  # nobody uses it until it is sent
    return made


def png_bytes(picture: bpy.types.Image, painted: bpy.types.Image) -> bytes:
    """The picture's colours with the alpha that was painted, as a PNG.

    Raises:
        BadImage: their sizes differ, or nothing or everything was left.
    """
    if tuple(picture.size) != tuple(painted.size):
        raise BadImage("the painted cut-out is not as large as the picture", "paint it anew")
    pixels = image.rgba(picture)
    pixels[..., 3] = image.rgba(painted)[..., 3]
    found = of_alpha(pixels[..., 3])
    if not found.is_cut:
        what = "everything was erased" if found.is_empty else "nothing was erased"
        raise BadImage(f"{what} on the painted cut-out", "erase the background, keep the subject")
    return image.encode_png(pixels)
