"""Pictures out of Blender: byte for byte what stands in the image, or what its viewer shows."""

import struct
import zlib
from importlib import import_module
from pathlib import Path
from types import ModuleType

import bpy
import numpy as np
import pytest

from tests.blender import rendering

RANDOM = np.random.default_rng(0)


@pytest.fixture
def image(addon: ModuleType, scene: bpy.types.Scene) -> ModuleType:
    return import_module(f"{addon.__name__}.scene.image")


@pytest.fixture
def bad_image(addon: ModuleType) -> type[Exception]:
    return import_module(f"{addon.__name__}._vendor.glimpse3d.errors").BadImage


def decoded(png: bytes) -> np.ndarray:
    """(H, W, 4) uint8, by hand, so that Blender's reader cannot undo what the writer did wrong."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, start = {}, 8
    while start < len(png):
        size, kind = struct.unpack_from(">I4s", png, start)
        body = png[start + 8 : start + 8 + size]
        (crc,) = struct.unpack_from(">I", png, start + 8 + size)
        assert crc == zlib.crc32(kind + body)
        chunks[kind] = chunks.get(kind, b"") + body
        start += 12 + size
    width, height, depth, color, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert depth == 8 and rest == [0, 0, 0]
    step = {2: 3, 6: 4}[color]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert (rows[:, 0] == 1).all()
    pixels = np.cumsum(rows[:, 1:].reshape(height, width, step), axis=1, dtype=np.uint8)
    rgba = np.full((height, width, 4), 255, np.uint8)
    rgba[..., :step] = pixels
    return rgba


def filled(name: str, rgba: np.ndarray, **settings: bool) -> bpy.types.Image:
    """A generated image with these values 0..1, top row first."""
    height, width = rgba.shape[:2]
    made = bpy.data.images.new(name, width, height, alpha=True, **settings)
    made.pixels.foreach_set(np.ascontiguousarray(rgba[::-1], np.float32).reshape(-1))
    made.update()
    return made


def random_bytes(height: int = 7, width: int = 13) -> np.ndarray:
    return RANDOM.integers(0, 256, (height, width, 4), dtype=np.uint8)


def test_byte_images_keep_every_value(image: ModuleType) -> None:
    rgba = random_bytes(32, 32)
    rgba[..., :3].reshape(-1)[:256] = np.arange(256)
    np.testing.assert_array_equal(decoded(image.png_bytes(filled("a", rgba / 255))), rgba)


def test_opaque_images_are_sent_without_alpha(image: ModuleType) -> None:
    rgba = random_bytes()
    rgba[..., 3] = 255
    png = image.png_bytes(filled("a", rgba / 255))
    assert png[25] == 2  # the colour type of three channels
    np.testing.assert_array_equal(decoded(png), rgba)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("transform", ["AgX", "Standard", "Filmic"])
def test_files_keep_every_value_whatever_the_view_transform(
    image: ModuleType, scene: bpy.types.Scene, tmp_path: Path, packed: bool, transform: str
) -> None:
    rgba = random_bytes()
    path = tmp_path / "picture.png"
    path.write_bytes(image.encode_png(rgba))
    scene.view_settings.view_transform = transform
    scene.view_settings.exposure = 1.5
    loaded = bpy.data.images.load(str(path))
    if packed:
        loaded.pack()
        path.unlink()
    np.testing.assert_array_equal(decoded(image.png_bytes(loaded)), rgba)


def test_an_image_not_looked_at_yet_is_loaded(image: ModuleType, tmp_path: Path) -> None:
    rgba = random_bytes()
    path = tmp_path / "picture.png"
    path.write_bytes(image.encode_png(rgba))
    loaded = bpy.data.images.load(str(path))
    assert not loaded.has_data
    np.testing.assert_array_equal(decoded(image.png_bytes(loaded)), rgba)


def test_alpha_that_is_switched_off_is_left_out(image: ModuleType, tmp_path: Path) -> None:
    rgba = random_bytes()
    path = tmp_path / "picture.png"
    path.write_bytes(image.encode_png(rgba))
    loaded = bpy.data.images.load(str(path))
    loaded.alpha_mode = "NONE"
    seen = decoded(image.png_bytes(loaded))
    np.testing.assert_array_equal(seen[..., :3], rgba[..., :3])
    assert (seen[..., 3] == 255).all()


def test_float_images_are_light_and_become_srgb(image: ModuleType) -> None:
    srgb = np.linspace(0, 1, 256).reshape(16, 16)
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    rgba = np.ones((16, 16, 4))
    rgba[..., :3] = linear[..., None]
    made = filled("light", rgba, float_buffer=True)
    seen = decoded(image.png_bytes(made))
    np.testing.assert_array_equal(seen[..., 0], np.arange(256).reshape(16, 16))


def test_float_values_beyond_the_screen_are_clipped(image: ModuleType) -> None:
    rgba = np.ones((2, 3, 4))
    rgba[0, :, 0] = (-3.0, 7.0, np.inf)
    rgba[1, :, 1] = (np.nan, -np.inf, 0.0)
    seen = decoded(image.png_bytes(filled("light", rgba, float_buffer=True)))
    assert seen[0, :, 0].tolist() == [0, 255, 255]
    assert seen[1, :, 1].tolist() == [0, 0, 0]


def plain_png(values: np.ndarray, depth: int, color: int) -> bytes:
    """(H, W, C) of any channels and 8 or 16 bits as PNG, without filters."""
    height, width = values.shape[:2]
    rows = [b"\0" + row.astype(f">u{depth // 8}").tobytes() for row in values]
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"".join(rows))),
        (b"IEND", b""),
    )
    chunks = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_sixteen_bits_with_alpha_come_out_straight(image: ModuleType, tmp_path: Path) -> None:
    rgba = random_bytes()
    rgba[..., 3] = np.maximum(rgba[..., 3], 40)
    path = tmp_path / "deep.png"
    path.write_bytes(plain_png(rgba.astype(np.uint16) * 257, 16, 6))
    loaded = bpy.data.images.load(str(path))
    seen = decoded(image.png_bytes(loaded))
    assert loaded.is_float
    np.testing.assert_array_equal(seen[..., 3], rgba[..., 3])
    assert np.abs(seen.astype(int) - rgba).max() <= 1


def test_sixteen_bits_of_data_are_not_taken_for_light(image: ModuleType, tmp_path: Path) -> None:
    rgba = random_bytes()
    rgba[..., 3] = 255
    path = tmp_path / "deep.png"
    path.write_bytes(plain_png(rgba.astype(np.uint16) * 257, 16, 6))
    loaded = bpy.data.images.load(str(path))
    loaded.colorspace_settings.name = "Non-Color"
    np.testing.assert_array_equal(decoded(image.png_bytes(loaded)), rgba)


@pytest.mark.parametrize(("channels", "color"), [(1, 0), (2, 4), (3, 2)])
def test_files_of_fewer_channels_keep_every_value(
    image: ModuleType, tmp_path: Path, channels: int, color: int
) -> None:
    values = RANDOM.integers(0, 256, (5, 9, channels), dtype=np.uint8)
    path = tmp_path / "few.png"
    path.write_bytes(plain_png(values, 8, color))
    seen = decoded(image.png_bytes(bpy.data.images.load(str(path))))
    expected = np.full((5, 9, 4), 255, np.uint8)
    expected[..., :3] = values if channels == 3 else values[..., :1]
    expected[..., 3] = values[..., 1] if channels == 2 else 255
    np.testing.assert_array_equal(seen, expected)


@pytest.mark.parametrize("transform", ["AgX", "Standard"])
def test_a_render_comes_as_its_viewer_shows_it(
    image: ModuleType, scene: bpy.types.Scene, transform: str
) -> None:
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    rendering.prepare(scene, 16, 12, samples=1)
    scene.render.film_transparent = False
    scene.view_settings.view_transform = transform
    expected = rendering.render(scene)
    settings = scene.render.image_settings
    settings.file_format, settings.color_mode, settings.quality = "JPEG", "BW", 3
    seen = decoded_any(image.png_bytes(bpy.data.images["Render Result"], scene))
    np.testing.assert_array_equal(seen, expected)
    assert (settings.file_format, settings.color_mode, settings.quality) == ("JPEG", "BW", 3)
    if transform == "Standard":
        assert seen[..., :3].min() >= 254  # Blender dithers
    else:
        assert seen[..., :3].max() < 240, "white light is not white through AgX"


def decoded_any(png: bytes) -> np.ndarray:
    """(H, W, 4) uint8, by Blender's reader: its writer chooses its filters freely."""
    made = bpy.data.images.new("any", 1, 1)
    made.pack(data=png, data_len=len(png))
    made.source = "FILE"
    width, height = made.size
    flat = np.array(made.pixels[:], np.float32).reshape(height, width, 4)[::-1]
    return np.rint(flat * 255).astype(np.uint8)


def test_images_without_pixels_are_refused(
    image: ModuleType, bad_image: type[Exception], tmp_path: Path
) -> None:
    path = tmp_path / "gone.png"
    path.write_bytes(image.encode_png(random_bytes()))
    gone = bpy.data.images.load(str(path))
    path.unlink()
    junk = tmp_path / "junk.png"
    junk.write_bytes(b"this is no picture")
    broken = bpy.data.images.load(str(junk))
    for each in (gone, broken):
        with pytest.raises(bad_image, match="no pixels") as caught:
            image.png_bytes(each)
        assert caught.value.hint


def test_nothing_rendered_is_refused(
    image: ModuleType, bad_image: type[Exception], scene: bpy.types.Scene
) -> None:
    with pytest.raises(RuntimeError, match="no camera"):
        bpy.ops.render.render()
    former = scene.render.image_settings.file_format
    with pytest.raises(bad_image, match="no picture"):
        image.png_bytes(bpy.data.images["Render Result"], scene)
    assert scene.render.image_settings.file_format == former


def test_pictures_beyond_the_limit_are_refused(
    image: ModuleType, bad_image: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image, "MAX_PIXELS", 50)
    with pytest.raises(bad_image, match="91 pixels"):
        image.png_bytes(filled("a", random_bytes() / 255))


@pytest.mark.parametrize("space", ["Linear Rec.709", "Non-Color", "sRGB"])
def test_a_byte_image_is_sent_as_the_image_editor_shows_it(
    space: str, image: ModuleType, addon: ModuleType, scene: bpy.types.Scene
) -> None:
    """Values that stand for light are put into sRGB, whatever the scene's own view is."""
    wanted = random_bytes()
    sources = import_module(f"{addon.__name__}.scene.sources")
    made = sources.packed(wanted, "in another space")
    made.colorspace_settings.name = space
    scene.view_settings.exposure = 2.0
    former = scene.view_settings.view_transform, scene.render.image_settings.file_format
    clear, error = np.ones(wanted.shape[:2], bool), 0
    if space.startswith("Linear"):
        light = wanted[..., :3] / 255
        seen = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
        wanted = np.dstack([seen * 255, wanted[..., 3]])
        # What is nearly transparent has few steps of colour left.
        clear, error = wanted[..., 3] > 64, 2
    found = decoded(image.png_bytes(made, scene))
    assert np.abs(found[clear] - wanted[clear]).max() <= error
    assert (scene.view_settings.view_transform, scene.render.image_settings.file_format) == former
    assert scene.view_settings.exposure == 2.0
    own = Path(bpy.utils.extension_path_user(addon.__name__, path="", create=True))
    assert not list(own.glob("temporary-*"))


def test_an_image_of_several_tiles_is_refused(
    image: ModuleType, bad_image: type[Exception], tmp_path: Path
) -> None:
    for number in (1001, 1002):
        (tmp_path / f"skin.{number}.png").write_bytes(image.encode_png(random_bytes()))
    tiles = bpy.data.images.load(str(tmp_path / "skin.1001.png"))
    assert image.rgba(tiles).shape == (7, 13, 4)
    tiles.source = "TILED"
    tiles.filepath = str(tmp_path / "skin.<UDIM>.png")
    tiles.reload()
    assert len(tiles.tiles) == 2
    with pytest.raises(bad_image, match="several tiles"):
        image.png_bytes(tiles)
