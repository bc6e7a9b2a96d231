"""The Blender extension as ZIP files, one a platform.

Owns what lies in a ZIP: the add-on's files, ``_vendor``, the manifest with its wheels, and the
server as this project's own wheel. Must not know Blender or what any of the files does.
Standard library and pip only; run by ``build.py addon``.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import runpy
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

import listing
import wheels
from wheels import CACHE, PLATFORMS, ROOT, BuildError

ADDON = ROOT / "blender_addon"
VENDOR = ADDON / "_vendor"
MANIFEST = "blender_manifest.toml"
LARGEST = 30_000_000  # bytes a ZIP
# What of the core travels beside the formats: it imports nothing but numpy and itself.
CORE = ("errors.py", "types.py", "coords.py", "cloud_edits.py")


class NoPlatformError(BuildError):
    """There is no extension for this machine."""


def main(arguments: list[str]) -> int:
    """Build what is asked for; tells where the files are."""
    parser = argparse.ArgumentParser(prog="build.py addon", description="Build the extension.")
    parser.add_argument(
        "--platform", action="append", choices=[*PLATFORMS, "here"],
        help="only this one; may be given again (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--dist", type=Path, default=ROOT / "dist", metavar="FOLDER",
        help="where the ZIP files go (default: dist)",
    )  # fmt: skip
    parser.add_argument("--vendor", action="store_true", help="fill blender_addon/_vendor, no more")
    options = parser.parse_args(arguments)
    try:
        fill_vendor()
        if not options.vendor:
            for platform in options.platform or PLATFORMS:
                path = build(here() if platform == "here" else platform, options.dist)
                how = "valid" if is_checked(path) else "not checked: build.py test gets a Blender"
                print(f"{path} ({path.stat().st_size / 1e6:.2f} MB, {how})", flush=True)
            print(f"{listing.write(options.dist, version())} (Blender's list of updates)")
    except BuildError as error:
        print(f"build.py addon: {error}", file=sys.stderr)
        return 1
    return 0


def here(system: str = sys.platform, machine: str | None = None) -> str:
    """Blender's name of this platform.

    Raises:
        NoPlatformError: there is no extension for it.
    """
    if machine is None:
        machine = platform.machine()
    names = {"linux": "linux", "win32": "windows", "darwin": "macos"}
    processors = {"x86_64": "x64", "amd64": "x64", "arm64": "arm64", "aarch64": "arm64"}
    name = f"{names.get(system, system)}-{processors.get(machine.lower(), machine)}"
    if name not in PLATFORMS:
        raise NoPlatformError(f"there is no extension for {name}, only for {', '.join(PLATFORMS)}")
    return name


def version() -> str:
    """The project's version, which is also the extension's.

    Raises:
        BuildError: the two differ.
    """
    text = (ROOT / "glimpse3d" / "__init__.py").read_text("utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    theirs = tomllib.loads((ADDON / MANIFEST).read_text("utf-8"))["version"]
    if found is None or found[1] != theirs:
        ours = found[1] if found else "nothing"
        raise BuildError(f"{MANIFEST} says version {theirs}, glimpse3d/__init__.py says {ours}")
    return theirs


def vendored() -> dict[str, bytes]:
    """What lies in ``_vendor``: path -> bytes."""
    files = {
        "__init__.py": b'"""Copies of the wire side and the file formats, made by build.py."""\n',
        "glimpse3d/__init__.py": (
            '"""The part of the core that the add-on reads results with."""\n\n'
            f'__version__ = "{version()}"\n'
        ).encode(),
    }
    core = [ROOT / "glimpse3d" / name for name in CORE]
    core += wheels.source_files(ROOT / "glimpse3d" / "formats")
    server = ROOT / "inference_server"
    wire = [server / name for name in ("__init__.py", *wire_side(server / "__init__.py"))]
    for path in (*core, *wire):
        files[path.relative_to(ROOT).as_posix()] = path.read_bytes()
    return files


def wire_side(path: Path) -> list[str]:
    """The files that travel, from the tuple in which the server's package lists them."""
    return list(runpy.run_path(str(path))["WIRE_SIDE"])


def fill_vendor() -> None:
    """Make ``blender_addon/_vendor`` what it should be; files that are right stay untouched."""
    files = vendored()
    present = wheels.source_files(VENDOR) if VENDOR.exists() else []
    for path in present:
        if path.relative_to(VENDOR).as_posix() not in files:
            path.unlink(missing_ok=True)
    for name, data in files.items():
        path = VENDOR / name
        if path.exists() and path.read_bytes() == data:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        near = CACHE / f"vendor-{os.getpid()}.part"
        near.parent.mkdir(parents=True, exist_ok=True)
        near.write_bytes(data)
        near.replace(path)


def manifest(text: str, platform: str, names: list[str]) -> str:
    """The manifest of one platform's ZIP: the one in the source plus platform and wheels."""
    head, mark, rest = text.partition("\n[")
    listed = "".join(f'    "./wheels/{name}",\n' for name in names)
    return f'{head}platforms = ["{platform}"]\nwheels = [\n{listed}]\n{mark}{rest}'


def contents(platform: str) -> dict[str, bytes]:
    """Everything in one platform's ZIP: path -> bytes."""
    travelling = wheels.for_platform(platform)
    server = wheels.of_project()
    files = {
        path.relative_to(ADDON).as_posix(): path.read_bytes()
        for path in wheels.source_files(ADDON)
        if path.name != MANIFEST
    }
    text = (ADDON / MANIFEST).read_text("utf-8")
    files[MANIFEST] = manifest(text, platform, [path.name for path in travelling]).encode()
    files["LICENSE"] = (ROOT / "LICENSE").read_bytes()
    files["server/constraints.txt"] = (ROOT / "constraints.txt").read_bytes()
    files[f"server/{server.name}"] = server.read_bytes()
    return files | {f"wheels/{path.name}": path.read_bytes() for path in travelling}


def build(platform: str, folder: Path) -> Path:
    """Write one platform's ZIP; the same sources give the same bytes.

    Raises:
        BuildError: a wheel cannot be had, or the ZIP is too large.
    """
    fill_vendor()
    files = contents(platform)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"glimpse3d-{version()}-{platform.replace('-', '_')}.zip"
    with tempfile.TemporaryDirectory(dir=folder) as new:
        near = Path(new) / path.name
        with zipfile.ZipFile(near, "w") as archive:
            for name in sorted(files):
                archive.writestr(wheels.zip_entry(name), files[name], compresslevel=9)
        if (size := near.stat().st_size) > LARGEST:
            raise BuildError(f"{path.name} has {size / 1e6:.1f} MB, {LARGEST / 1e6:.0f} at most")
        near.replace(path)
    return path


def is_checked(path: Path) -> bool:
    """Let Blender's own checker look at a ZIP; false if no Blender is here to be asked.

    Raises:
        BuildError: it finds something wrong.
    """
    found = ROOT.glob(".venv-bpy-*/[Ll]ib/**/bl_pkg/cli/blender_ext.py")
    checker = max(found, default=None)
    if checker is None:
        return False
    command = [sys.executable, str(checker), "validate", str(path)]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        raise BuildError(f"Blender refuses {path.name}:\n{ran.stdout}{ran.stderr}")
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
