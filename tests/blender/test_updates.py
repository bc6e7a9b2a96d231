"""Blender itself fetches an update from the folder that ``build.py addon`` writes."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.blender.serving import ROOT

pytestmark = pytest.mark.slow
NEXT = "0.999.0"
# A Blender with the folder among its repositories: it installs, a job and a setting are kept, the
# folder is renewed, and Blender is told to update what there is an update of.
SCRIPT = """
import json, os, shutil, sys, tomllib
from pathlib import Path
import bpy

address, folder, newer = sys.argv[1:]
preferences = bpy.context.preferences
preferences.system.use_online_access = True
repository = preferences.extensions.repos.new(name="Ours", module="ours", remote_url=address)
index = preferences.extensions.repos.find("Ours")
name = "bl_ext.ours.glimpse3d"

def manifest():
    path = Path(sys.modules[name].__file__).with_name("blender_manifest.toml")
    return tomllib.loads(path.read_text())["version"]

bpy.ops.extensions.repo_sync(repo_index=index)
bpy.ops.extensions.package_install(repo_index=index, pkg_id="glimpse3d", enable_on_install=True)
before = manifest()
kept = Path(bpy.utils.extension_path_user(name, path="jobs", create=True)) / "kept"
kept.write_text("a job")
preferences.addons[name].preferences.connect_at_start = False
for path in Path(newer).iterdir():
    shutil.copy(path, folder)
bpy.ops.extensions.repo_sync(repo_index=index)
bpy.ops.extensions.package_upgrade_all()
ticked = sys.modules[f"{name}.pulse"].tick()
print("FACTS", json.dumps({
    "before": before, "after": manifest(), "kept": kept.read_text(), "ticked": ticked,
    "setting": preferences.addons[name].preferences.connect_at_start,
    "trouble": str(sys.modules[f"{name}.pulse"].trouble()),
}), flush=True)
os._exit(0)
"""
SERVE = """
import functools, http.server, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of the folder's list, as any web server would give it."""
    command = [sys.executable, "-c", SERVE, str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as web:
        assert web.stdout is not None
        yield f"http://127.0.0.1:{web.stdout.readline().strip()}/index.json"
        web.kill()


def listed(folder: Path, version: str) -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import listing, pathlib; "
    code += "listing.write(pathlib.Path(sys.argv[2]), sys.argv[3])"
    arguments = [str(ROOT / "addon_build"), str(folder), version]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)


def renumbered(archive: Path, made: Path) -> None:
    """The same extension as a later version."""
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(made, "w") as new:
        for each in old.infolist():
            data = old.read(each)
            if each.filename == "blender_manifest.toml":
                version = archive.name.split("-")[1]
                text = data.decode()
                assert f'version = "{version}"' in text
                data = text.replace(f'\nversion = "{version}"', f'\nversion = "{NEXT}"').encode()
            new.writestr(each, data)


def test_blender_updates_it_and_jobs_and_settings_stay(zip_path: Path, tmp_path: Path) -> None:
    _, version, platform = zip_path.name.split("-", 2)
    web, newer, user = (tmp_path / name for name in ("web", "newer", "user"))
    for folder in (web, newer, user):
        folder.mkdir()
    (web / zip_path.name).write_bytes(zip_path.read_bytes())
    listed(web, version)
    renumbered(zip_path, newer / f"glimpse3d-{NEXT}-{platform}")
    listed(newer, NEXT)
    own = {**os.environ, "BLENDER_USER_RESOURCES": str(user)}
    with served(web) as address:
        command = [sys.executable, "-c", SCRIPT, address, str(web), str(newer)]
        done = subprocess.run(command, env=own, capture_output=True, text=True, timeout=300)
    lines = [line for line in done.stdout.splitlines() if line.startswith("FACTS ")]
    assert lines, done.stdout[-2000:] + done.stderr[-4000:]
    assert json.loads(lines[-1].removeprefix("FACTS ")) == {
        "before": version, "after": NEXT, "kept": "a job", "ticked": 0.25, "setting": False,
        "trouble": "None",
    }  # fmt: skip
