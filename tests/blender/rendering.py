"""Takes pictures with Cycles, small and soon: white light from everywhere, colours untouched."""

import tempfile
from pathlib import Path

import bpy
import numpy as np


def prepare(scene: bpy.types.Scene, width: int, height: int, samples: int = 8) -> None:
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = samples
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.use_denoising = False
    scene.cycles.seed = 0
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.render.resolution_percentage = 100
    scene.render.film_transparent = True
    scene.view_settings.view_transform = "Standard"
    scene.view_settings.look = "None"
    scene.world = white_world()


def white_world() -> bpy.types.World:
    world = bpy.data.worlds.new("white")
    if world.node_tree is None:
        world.use_nodes = True
    kinds = {node.bl_idname: node for node in world.node_tree.nodes}
    kinds["ShaderNodeBackground"].inputs["Color"].default_value = (1, 1, 1, 1)
    return world


def render(scene: bpy.types.Scene) -> np.ndarray:
    """(H, W, 4) uint8 sRGB, straight alpha, top row first."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "render.png"
        scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True, scene=scene.name)
        return read_png(path)


def read_png(path: Path) -> np.ndarray:
    """(H, W, 4) uint8, top row first."""
    image = bpy.data.images.load(str(path))
    width, height = image.size
    flat = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(flat)
    bpy.data.images.remove(image)
    return np.rint(flat.reshape(height, width, 4)[::-1] * 255).astype(np.uint8)


def over_grey(rgba: np.ndarray) -> np.ndarray:
    """(H, W, 3) float, 0..255, before a middle grey."""
    alpha = rgba[..., 3:].astype(float) / 255
    return rgba[..., :3] * alpha + 128 * (1 - alpha)


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Decibels between two pictures, both before grey."""
    error = ((over_grey(first) - over_grey(second)) ** 2).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))
