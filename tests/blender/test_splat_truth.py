"""Splats of every opacity and colour, as Cycles draws them and as our rasteriser does."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import bpy
import numpy as np
import pytest

from tests.blender import rendering
from tests.blender.serving import ROOT, project

SIDE = 256


@pytest.mark.slow
def test_cycles_draws_ten_thousand_splats_as_our_rasteriser_does(
    addon: ModuleType, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'benchmarks')!r}); import addon;"
        f"from pathlib import Path; addon.make_pictures(Path({str(tmp_path)!r}), (10_000,))"
    )
    with project("-c", code) as child:
        assert child.wait(600) == 0
    splats = import_module(f"{addon.__name__}.scene.splats")
    display = import_module(f"{addon.__name__}.scene.splat_display")
    cameras = import_module(f"{addon.__name__}.scene.cameras")
    thing = splats.add_splats(tmp_path / "knot_10000.ply", scene.collection, "knot")
    cameras.add_rig(tmp_path / "cameras.json", scene.collection, "knot")
    rendering.prepare(scene, SIDE, SIDE, samples=4)
    cameras.look_through(bpy.data.objects["knot turntable camera"], scene)
    scene.frame_set(2)
    splats.prepare_cycles(scene)
    display.set_raw(thing, True)
    scene.view_settings.view_transform = "Raw"
    seen = rendering.render(scene)
    with np.load(tmp_path / "knot_10000.npz") as stored:
        premultiplied = stored["supersampled"]
    alpha = premultiplied[..., 3:]
    straight = np.concatenate([premultiplied[..., :3] / np.maximum(alpha, 1e-6), alpha], axis=-1)
    expected = np.rint(np.clip(straight, 0, 1) * 255).astype(np.uint8)
    assert rendering.psnr(seen, expected) > 37
    first, second = seen[..., 3] > 127, expected[..., 3] > 127
    assert (first & second).sum() / (first | second).sum() > 0.98
