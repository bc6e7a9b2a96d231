"""The splat part of ``addon.py``, which runs it inside Blender: times, and truth of pictures.

Owns what is measured there. Must not know how the scenes were made. Blender's own Python runs it:
numpy and bpy, and the extension's files as they lie in the checkout.
"""

from __future__ import annotations

import csv
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from blender_addon._vendor.glimpse3d import cloud_edits, coords
from blender_addon._vendor.glimpse3d.formats import sh, splat_ply, splats
from blender_addon.scene import (
    cameras,
    splat_data,
    splat_display,
    splat_order,
    splat_overlay,
    splat_shader,
)
from blender_addon.scene import splats as splat_objects

SIDE = 256
VERSION = ".".join(str(part) for part in bpy.app.version)
ROWS: list[list[object]] = []


def row(
    what: str, value: float, unit: str, least: float | None = None, most: float | None = None
) -> None:
    """One line of the table."""
    limits = ["" if limit is None else limit for limit in (least, most)]
    ROWS.append([VERSION, what, value, unit, *limits])
    print(VERSION, what, f"{value:.4g}", unit, flush=True)


def seconds(
    work: Callable[[], object], runs: int = 3, clock: Callable[[], float] = time.thread_time
) -> float:
    """CPU seconds of this thread, the quickest of several runs."""
    times = []
    for _ in range(runs):
        start = clock()
        work()
        times.append(clock() - start)
    return min(times)


def empty() -> bpy.types.Scene:
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    return bpy.context.scene


def has_gpu() -> bool:
    """Whether this Blender can have a GPU without a window."""
    try:
        import gpu

        if hasattr(gpu, "init"):
            gpu.init()
            return True
    except SystemError:
        pass
    return False


# From a file's bytes to an object that is seen.
def shown(path: Path, on_gpu: bool) -> bpy.types.Object:
    """Read, fill the attributes, and do what the viewport does before it draws."""
    scene = bpy.context.scene
    cloud = splats.read(path).cloud
    thing = splat_objects.add_cloud(cloud, scene.collection, "splats")
    bpy.context.view_layer.update()
    data = thing.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    seen = splat_data.read_cloud(data)
    if on_gpu:
        splat_shader.upload(seen)
    else:
        splat_shader.packed(seen, len(seen))
    splat_order.far_to_near(seen.means, np.array([0.3, 0.8, -0.2]))
    return thing


def measure_import(folder: Path, on_gpu: bool) -> None:
    for count, degree, most in ((1_000_000, 0, 1.5), (1_000_000, 3, 5.0), (100_000, 3, 0.35)):
        path = folder / f"random_{count}_{degree}.ply"
        times = []
        for _ in range(3):
            empty()
            times.append(seconds(lambda path=path: shown(path, on_gpu), runs=1))
        until = "uploaded and sorted" if on_gpu else "sorted, ready for upload"
        row(f"import: {count} splats, degree {degree}, {until}", min(times), "s", most=most)
        if count == 1_000_000 and degree == 0:
            loop = 10 * seconds(lambda: python_colors(100_000), runs=1)
            row("a Python loop over the colours of 1000000 splats alone", loop, "s")
            row("... as a multiple of our whole import", loop / min(times), "times")
            thing = bpy.context.scene.objects["splats"]
            thing.modifiers[0].show_viewport = True
            row("quads of 1000000 splats for a render", seconds(quads, 1), "s")


def quads() -> None:
    bpy.context.view_layer.update()
    bpy.context.evaluated_depsgraph_get()


def python_colors(count: int) -> None:
    """The usual way: a colour at a time in Python, then into an attribute."""
    coefficients = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)
    mesh = bpy.data.meshes.new("loop")
    mesh.vertices.add(count)
    attribute = mesh.attributes.new("Col", "FLOAT_COLOR", "POINT")
    for index in range(count):
        red, green, blue = coefficients[index]
        color = [max(0.0, min(1.0, sh.C0 * each + 0.5)) for each in (red, green, blue)]
        attribute.data[index].color = (*color, 1.0)
    bpy.data.meshes.remove(mesh)


def measure_sorting() -> None:
    means = np.random.default_rng(0).normal(size=(1_000_000, 3)).astype(np.float32)
    forward = np.array([0.3, 0.8, -0.2])
    taken = seconds(lambda: splat_order.far_to_near(means, forward), 7)
    row("sorting 1000000 splats anew", taken, "s", most=0.12)


# Exactness.
def measure_exactness(folder: Path) -> None:
    empty()
    cloud = splats.read(folder / "random_100000_3.ply").cloud
    thing = splat_objects.add_cloud(cloud, bpy.context.scene.collection, "splats")
    again = folder / "again.ply"
    splat_ply.write(splat_data.read_cloud(thing.data), again)
    back = splat_ply.read(again)
    errors = [
        np.abs(getattr(back, name) - getattr(cloud, name))
        / np.maximum(1, np.abs(getattr(cloud, name)))
        for name in ("means", "scales", "rotations", "opacities", "sh")
    ]
    row(
        "export and import again: largest relative error",
        max(e.max() for e in errors),
        "",
        most=1e-6,
    )
    turn = np.eye(4)
    turn[:3, :3] = coords.rotation_about((0.3, -0.5, 0.8), 77)
    moved = cloud_edits.transform(cloud, turn)
    directions = np.random.default_rng(1).normal(size=(len(cloud), 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    before = np.einsum("nk,nkc->nc", sh.basis(directions, 3), cloud.sh)
    after = np.einsum("nk,nkc->nc", sh.basis(directions @ turn[:3, :3].T, 3), moved.sh)
    row("turned harmonics: largest error", np.abs(after - before).max(), "", most=1e-5)


# Pictures.
def compare(seen: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """Decibels over grey, and how much of the silhouettes is common; both premultiplied."""
    ours, theirs = (each[..., :3] + 0.5 * (1 - each[..., 3:]) for each in (seen, expected))
    error = ((np.clip(ours, 0, 1) - np.clip(theirs, 0, 1)) ** 2).mean()
    first, second = seen[..., 3] > 0.5, expected[..., 3] > 0.5
    return -10 * np.log10(error), np.sum(first & second) / np.sum(first | second)


def rendered(folder: Path) -> np.ndarray:
    """(SIDE, SIDE, 4) premultiplied, top row first, as the file has it."""
    scene = bpy.context.scene
    scene.render.filepath = str(folder / "render.png")
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    flat = np.empty(SIDE * SIDE * 4, np.float32)
    image.pixels.foreach_get(flat)
    bpy.data.images.remove(image)
    straight = flat.reshape(SIDE, SIDE, 4)[::-1]
    return np.concatenate([straight[..., :3] * straight[..., 3:], straight[..., 3:]], axis=-1)


def set_scene(folder: Path, count: int) -> bpy.types.Scene:
    scene = empty()
    thing = splat_objects.add_splats(folder / f"knot_{count}.ply", scene.collection, "knot")
    splat_display.set_raw(thing, True)
    cameras.add_rig(folder / "cameras.json", scene.collection, "knot")
    cameras.look_through(bpy.data.objects["knot turntable camera"], scene)
    scene.frame_set(2)
    splat_objects.prepare_cycles(scene)
    scene.view_settings.view_transform = "Raw"
    scene.render.film_transparent = True
    return scene


def measure_renders(folder: Path) -> None:
    engines = bpy.context.scene.render.bl_rna.properties["engine"].enum_items.keys()
    eevee = next(name for name in engines if name.startswith("BLENDER_EEVEE"))
    for count, least in ((10_000, 35.0), (100_000, 39.0)):
        with np.load(folder / f"knot_{count}.npz") as stored:
            expected = stored["supersampled"]
        scene = set_scene(folder, count)
        scene.render.engine = "CYCLES"
        scene.cycles.device, scene.cycles.samples = "CPU", 4
        scene.cycles.use_adaptive_sampling = scene.cycles.use_denoising = False
        start = time.process_time()
        decibels, common = compare(rendered(folder), expected)
        row(f"Cycles, {count} splats, 4 samples", decibels, "dB", least=least)
        row("... silhouette in common", common, "", least=0.97)
        row("... CPU seconds of all threads", time.process_time() - start, "s")
        scene.render.engine = eevee
        scene.eevee.taa_render_samples = 16
        scene.eevee.use_shadows = scene.eevee.use_raytracing = False
        decibels, common = compare(rendered(folder), expected)
        row(f"EEVEE, {count} splats, 16 samples", decibels, "dB")
        row("... silhouette in common", common, "")


def measure_overlay(folder: Path) -> None:
    """As the viewport draws: with its blur, and without as Cycles has none."""
    import gpu

    shaders = splat_shader.compile_shaders()
    for count in (10_000, 100_000):
        cloud = splats.read(folder / f"knot_{count}.ply").cloud
        with np.load(folder / f"knot_{count}.npz") as stored:
            for name, blur, samples in (("viewer", 0.3, 1), ("supersampled", 0.0, 2)):
                seen = drawn(gpu, shaders, cloud, stored, blur, samples)
                decibels, common = compare(seen, stored[name])
                row(f"overlay, {count} splats, against {name}", decibels, "dB", least=43.0)
                row("... silhouette in common", common, "", least=0.97)
        uploaded = splat_shader.upload(cloud)
        with np.load(folder / f"knot_{count}.npz") as stored:
            for samples in (1, 4):
                frame = partial(drawn, gpu, shaders, cloud, stored, 0.3, samples, uploaded, 1)
                taken = seconds(frame, 5, time.process_time)  # software draws in its own threads
                side = SIDE * samples
                what = f"overlay, {count} splats, a frame of {side} x {side}, all threads"
                row(what, taken, "s", most=0.5)


def drawn(
    gpu: object,
    shaders: object,
    cloud: object,
    stored: object,
    blur: float,
    samples: int,
    uploaded: object = None,
    read: int | None = None,
) -> np.ndarray:
    """Sort, draw, wait, and read back, or no more than ``read`` rows."""
    side = SIDE * samples
    camera_from_object = np.diag([1.0, -1, -1, 1]) @ stored["pose"]
    near, far = 0.01, 100.0
    clip_from_camera = np.zeros((4, 4))
    clip_from_camera[0, 0] = clip_from_camera[1, 1] = 2 * stored["K"][0, 0] / SIDE
    clip_from_camera[2, 2:] = -(far + near) / (far - near), -2 * far * near / (far - near)
    clip_from_camera[3, 2] = -1
    uploaded = uploaded or splat_shader.upload(cloud)
    indices = splat_order.far_to_near(cloud.means, -camera_from_object[2, :3])
    order = splat_shader.texture(indices, 1, "R32F")
    nothing = gpu.types.Buffer("FLOAT", side * side, np.ones(side * side, np.float32))
    behind = gpu.types.GPUTexture((side, side), format="DEPTH_COMPONENT32F", data=nothing)
    colors = gpu.types.GPUTexture((side, side), format="RGBA16F")
    framebuffer = gpu.types.GPUFrameBuffer(depth_slot=behind, color_slots=colors)
    with framebuffer.bind():
        framebuffer.clear(color=(0.0, 0.0, 0.0, 0.0))
        sizes = (side, side, blur, uploaded.degree)
        view = splat_shader.view_block(camera_from_object, clip_from_camera, sizes)
        splat_overlay.draw_splats(shaders, uploaded, order, view, uploaded.count)
        buffer = framebuffer.read_color(0, 0, side, read or side, 4, 0, "FLOAT")
    if read:
        return np.zeros(0)
    buffer.dimensions = side * side * 4
    seen = np.array(buffer, np.float32).reshape(side, side, 4)[::-1]
    return seen.reshape(SIDE, samples, SIDE, samples, 4).mean(axis=(1, 3))


def main(folder: Path, out: Path) -> None:
    on_gpu = has_gpu()
    measure_import(folder, on_gpu)
    measure_sorting()
    measure_exactness(folder)
    measure_renders(folder)
    if on_gpu:
        measure_overlay(folder)
    with out.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(ROWS)
    sys.stdout.flush()
    os._exit(0)  # some versions hang or crash at their end


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
