"""The ZIP that is shipped: valid in Blender's own eyes, installable, complete."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import bpy

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(bpy.utils.system_resource("SCRIPTS"))
CHECKER = SCRIPTS / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"


def test_blender_calls_it_valid(zip_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, str(CHECKER), "validate", str(zip_path)], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Success parsing TOML" in ran.stdout, ran.stdout


def test_it_is_installed_as_one_file_and_enabled(addon: ModuleType, addon_name: str) -> None:
    folder = Path(str(addon.__file__)).parent
    assert folder.is_relative_to(os.environ["BLENDER_USER_RESOURCES"])
    assert addon.__name__ == addon_name == "bl_ext.user_default.glimpse3d"


def test_its_wheels_are_the_ones_in_use(addon: ModuleType) -> None:
    import msgpack
    import zmq

    extensions = Path(os.environ["BLENDER_USER_RESOURCES"]) / "extensions"
    for module in (msgpack, zmq):
        assert Path(str(module.__file__)).is_relative_to(extensions)
    assert msgpack.Packer.__module__ == "msgpack.fallback"
    assert zmq.has("curve")


def test_the_vendored_code_speaks_for_itself(addon: ModuleType) -> None:
    from importlib import import_module

    client = import_module(f"{addon.__name__}._vendor.inference_server.client")
    cameras = import_module(f"{addon.__name__}._vendor.glimpse3d.formats.cameras")
    splat_ply = import_module(f"{addon.__name__}._vendor.glimpse3d.formats.splat_ply")
    assert callable(client.Client) and callable(cameras.read) and callable(splat_ply.read)
    for module in (client.protocol, cameras.Camera, splat_ply.GaussianCloud):
        where = getattr(module, "__module__", None) or module.__name__
        assert where.startswith(f"{addon.__name__}._vendor."), where


def test_the_server_inside_is_of_the_same_version(zip_path: Path) -> None:
    with zipfile.ZipFile(zip_path) as archive:
        names = archive.namelist()
        manifest = archive.read("blender_manifest.toml").decode()
    found = re.search(r'^version = "(.+)"$', manifest, re.MULTILINE)
    assert found
    assert f"server/glimpse3d-{found[1]}-py3-none-any.whl" in names
    assert "server/constraints.txt" in names and "LICENSE" in names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".part")]


def test_the_same_sources_give_the_same_bytes(zip_path: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "addon_build" / "extension.py"), "--platform=here"]
    for name in ("one", "two"):
        subprocess.run([*command, f"--dist={tmp_path / name}"], check=True)
    one, two = (tmp_path / name / zip_path.name for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_the_list_of_updates_is_the_one_that_blender_itself_writes(
    zip_path: Path, tmp_path: Path
) -> None:
    (tmp_path / zip_path.name).write_bytes(zip_path.read_bytes())
    subprocess.run(
        [sys.executable, str(CHECKER), "server-generate", f"--repo-dir={tmp_path}"], check=True
    )
    theirs = json.loads((tmp_path / "index.json").read_text())
    code = "import sys; sys.path.insert(0, sys.argv[1]); import listing, pathlib; "
    code += "listing.write(pathlib.Path(sys.argv[2]), sys.argv[3])"
    arguments = [str(ROOT / "addon_build"), str(tmp_path), zip_path.name.split("-")[1]]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)
    assert json.loads((tmp_path / "index.json").read_text()) == theirs
