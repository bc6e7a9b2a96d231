"""The server that comes with the extension: from the shipped ZIP to a result in the scene."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest

from tests.blender.serving import Addon

pytestmark = pytest.mark.slow
# Of processor time all ticks are asked, of wall time three quarters: others take some of that.
LONGEST_TICK = 0.05  # seconds


@pytest.fixture
def ui(ui: Addon) -> Iterator[Addon]:
    """Its local server ends with the test."""
    yield ui
    ui.session.stop_local()


def shaded_ball(side: int = 128) -> bpy.types.Image:
    """A ball in soft light, on nothing."""
    y, x = (np.mgrid[:side, :side] + 0.5 - side / 2) / (0.4 * side)
    height = np.sqrt(np.clip(1 - x**2 - y**2, 0, 1))
    light = np.clip(0.3 + 0.5 * height - 0.2 * x + 0.2 * y, 0, 1)
    rgba = np.stack([0.9 * light, 0.5 * light, 0.2 * light, x**2 + y**2 < 1], -1)
    image = bpy.data.images.new("ball", side, side, alpha=True)
    image.pixels.foreach_set(rgba.astype(np.float32).ravel())
    return image


def packages_of(prefix: str) -> list[str]:
    found = Path(prefix).glob("[Ll]ib/**/site-packages/*")
    return sorted(path.name for path in found if path.name != "__pycache__")


def megabytes_told(log: str) -> float:
    """What pip said it fetched or had fetched before; and whole files that lay on this disk."""
    sizes = re.findall(r"(?:Downloading|Using cached) .*\((\d+(?:\.\d+)?) (kB|MB)\)", log)
    total = sum(float(size) * (1 if unit == "MB" else 0.001) for size, unit in sizes)
    local = re.findall(r"^\s*Processing (/\S+\.whl)", log, re.MULTILINE)
    return total + sum(Path(path).stat().st_size for path in local) / 1e6


def test_from_the_zip_to_a_result_by_a_server_of_its_own(ui: Addon) -> None:
    untouched = [packages_of(prefix) for prefix in (sys.prefix, sys.base_prefix)]
    local = ui.session.launcher
    assert local.state == "absent" and not local.folder.exists()
    assert local.folder.is_relative_to(os.environ["BLENDER_USER_RESOURCES"])

    assert bpy.ops.glimpse3d.server_start() == {"FINISHED"}
    ui.until(lambda: local.fraction > 0.1 or local.state == "failed", 600)
    assert local.state == "installing", local.problem
    assert bpy.ops.glimpse3d.server_stop() == {"FINISHED"}
    assert local.state == "incomplete" and ui.session.state == "none"

    assert bpy.ops.glimpse3d.server_start() == {"FINISHED"}
    ui.until(lambda: ui.session.state == "ready" or local.state == "failed", 900)
    assert local.state == "running", local.problem
    assert ui.session.is_local and ui.session.address.startswith("127.0.0.1:")

    settings = '{"preset": "draft"}'
    job = ui.generate(shaded_ball(), settings)
    ui.until(lambda: job.is_final, 300)
    assert (job.state, job.problem, job.imported) == ("done", None, True)
    parts = {each.get("glimpse3d_part") for each in bpy.data.objects}
    assert {"mesh", "splats"} <= parts

    mesh = next(each for each in bpy.data.objects if each.get("glimpse3d_part") == "mesh")
    assert max(mesh.dimensions) == pytest.approx(1.0, abs=0.02)
    assert max(ui.busy) < LONGEST_TICK and np.quantile(ui.held, 0.75) < LONGEST_TICK

    assert megabytes_told(local.log_path.read_text()) <= local.size_hint
    inside = [path for path in local.folder.rglob("*") if path.is_file()]
    limits = sys.modules[type(local._place).__module__]
    paths = [path.relative_to(local.folder).as_posix() for path in inside]
    as_windows = [re.sub(r"^venv/lib/python3\.\d+/", "venv/Lib/", path) for path in paths]
    assert max(map(len, as_windows)) <= limits.LONGEST_INSIDE
    disk = sum(path.stat().st_size for path in inside if not path.is_symlink()) / 1e6
    assert disk <= limits.DISK_MB
    assert [packages_of(prefix) for prefix in (sys.prefix, sys.base_prefix)] == untouched

    pid = local._child.pid
    assert bpy.ops.glimpse3d.server_stop() == {"FINISHED"}
    assert local.state == "installed" and ui.session.state == "none"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
