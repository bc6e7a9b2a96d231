"""Tests inside real Blender: the built ZIP is installed once, into a user folder of its own.

They run in an environment with bpy; ``build.py test`` makes it and names the ZIP in
``GLIMPSE3D_TEST_ZIP``. Without that variable the ZIP is built from this checkout first. Where there
is no bpy these files are not collected. ``build.py test`` runs them on their own: bpy wants its own
process, and that process leaves by ``os._exit``, because some versions hang or crash at their end.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import bpy

    from tests.blender.serving import Addon, Server

ROOT = Path(__file__).resolve().parents[2]
HAS_BLENDER = importlib.util.find_spec("bpy") is not None
USER = tempfile.TemporaryDirectory(prefix="glimpse3d-blender-")

if HAS_BLENDER:
    # Before bpy is imported: never the folder of the person who runs the tests.
    os.environ["BLENDER_USER_RESOURCES"] = USER.name
else:
    collect_ignore_glob = ["test_*.py"]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remember what the session came to."""
    session.config.stash[CODE] = int(exitstatus)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave at once: 4.2 crashes and 4.5 hangs at the end if a timer is still registered."""
    if HAS_BLENDER and CODE in config.stash:
        sys.stdout.flush()
        sys.stderr.flush()
        USER.cleanup()
        os._exit(config.stash[CODE])


CODE = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def zip_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension for this platform."""
    if given := os.environ.get("GLIMPSE3D_TEST_ZIP"):
        return Path(given)
    dist = tmp_path_factory.mktemp("dist")
    command = [sys.executable, str(ROOT / "addon_build" / "extension.py")]
    subprocess.run([*command, "--platform=here", f"--dist={dist}"], check=True)
    return next(dist.glob("*.zip"))


@pytest.fixture(scope="session")
def addon_name(zip_path: Path) -> str:
    """The package's name in Blender, once the ZIP is installed and enabled."""
    import bpy

    result = bpy.ops.extensions.package_install_files(
        filepath=str(zip_path), repo="user_default", enable_on_install=True, overwrite=True
    )
    assert result == {"FINISHED"}
    name = "bl_ext.user_default.glimpse3d"
    assert name in bpy.context.preferences.addons, "installed, but not enabled: see the log above"
    return name


@pytest.fixture(scope="session")
def addon(addon_name: str) -> ModuleType:
    """The add-on's package, as Blender imported it."""
    return sys.modules[addon_name]


@pytest.fixture
def scene(addon: ModuleType) -> Iterator[object]:
    """The only scene of an empty file."""
    import bpy

    # Not read_factory_settings: that one switches all add-ons off.
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    yield bpy.context.scene


@pytest.fixture
def ui(addon: ModuleType, scene: object) -> Iterator["Addon"]:
    """The add-on, online and not connected."""
    import bpy

    from tests.blender.serving import Addon

    bpy.context.preferences.system.use_online_access = True
    yield (reached := Addon(addon))
    bpy.context.preferences.system.use_online_access = True
    reached.forget()


@pytest.fixture
def server(tmp_path: Path) -> Iterator["Server"]:
    """A server of the test's own."""
    from tests.blender.serving import Server

    running = Server(tmp_path / "data")
    yield running
    running.stop()


@pytest.fixture
def disc() -> "bpy.types.Image":
    """A picture to send: a square in one colour, on nothing."""
    import bpy
    import numpy as np

    image = bpy.data.images.new("disc", 64, 64, alpha=True)
    rgba = np.zeros((64, 64, 4), np.float32)
    rgba[16:48, 16:48] = (0.8, 0.4, 0.2, 1)
    image.pixels.foreach_set(rgba.ravel())
    return image
