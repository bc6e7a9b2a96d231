"""A job outlives the Blender that asked for it: two processes, one after the other."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.blender.serving import ROOT, Server, patient

pytestmark = pytest.mark.slow
# What every one of them begins with; the ZIP is installed by the first and found by the second.
BEGIN = """
import json, os, sys
import bpy
import addon_utils
from tests.blender.serving import Addon

name = "bl_ext.user_default.glimpse3d"
zip_path, string, settings = sys.argv[1:]
if zip_path:
    bpy.ops.extensions.package_install_files(
        filepath=zip_path, repo="user_default", enable_on_install=True, overwrite=True
    )
elif name not in bpy.context.preferences.addons:
    addon_utils.enable(name, default_set=True)
bpy.context.preferences.system.use_online_access = True
ui = Addon(sys.modules[name])

def leave(**facts):
    print("FACTS", json.dumps(facts), flush=True)
    os._exit(0)  # as a crash does: nothing is said goodbye to
"""
FIRST = """
ui.connect(string)
picture = bpy.data.images.new("vase", 64, 64, alpha=True)
picture.pixels.foreach_set(([0.0] * 4 + [0.8, 0.4, 0.2, 1.0]) * (64 * 32))
job = ui.generate(picture, settings)
ui.until(lambda: job.state == "running" and job.fraction > 0.05)
leave(job=job.id, state=job.state, fraction=job.fraction)
"""
SECOND = """
(job,) = ui.jobs
before = job.state
ui.connect(string)
ui.ends(job)
imported = bpy.ops.glimpse3d.import_result(job=job.id) == {"FINISHED"}
meshes = [each.name for each in bpy.data.collections["vase"].objects if each.type == "MESH"]
leave(job=job.id, before=before, state=job.state, asked=job.imported, meshes=meshes)
"""


def blender(user: Path, script: str, *arguments: str) -> dict[str, object]:
    """What a Blender of its own, with this user folder, tells at its end."""
    own = {**os.environ, "BLENDER_USER_RESOURCES": str(user), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", BEGIN + script, *arguments]
    done = subprocess.run(command, env=own, cwd=ROOT, capture_output=True, text=True, timeout=300)
    lines = [line for line in done.stdout.splitlines() if line.startswith("FACTS ")]
    assert lines, done.stdout[-2000:] + done.stderr[-4000:]
    found: dict[str, object] = json.loads(lines[-1].removeprefix("FACTS "))
    return found


def test_a_job_is_fetched_by_the_next_blender(
    zip_path: Path, server: Server, tmp_path: Path
) -> None:
    user = tmp_path / "user"
    user.mkdir()
    first = blender(user, FIRST, str(zip_path), server.string, patient(seconds=3))
    assert first["state"] == "running"
    second = blender(user, SECOND, "", server.string, "")
    assert second["job"] == first["job"] and second["before"] == "interrupted"
    assert second["state"] == "done" and second["asked"] is True
    assert second["meshes"]
