"""The wheels that travel in the extension.

Owns which they are, where they are kept (``build/addon``) and how msgpack is made one wheel for
every Blender. Must not know the extension's own files. Standard library and pip only.
"""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "build" / "addon"

# Blender's name of a platform -> the platform that pip asks the index for.
PLATFORMS = {
    "linux-x64": "manylinux_2_28_x86_64",
    "windows-x64": "win_amd64",
    "macos-x64": "macosx_11_0_x86_64",
    "macos-arm64": "macosx_11_0_arm64",
}
# Python 3.11 is in Blender 4.2 to 5.0; the stable ABI from 3.12 on serves all after it.
ZMQ_PYTHONS = ("3.11", "3.12")
# Blender takes an extension's Python versions from the tags that name one, and only from those:
# a wheel for "py3", or for the stable ABI alone, would lock out all versions but 3.11.
MSGPACK_TAGS = ("cp311", "cp312", "cp313", "cp314", "cp315")
DATE = (2020, 1, 1, 0, 0, 0)  # the same bytes from the same files


class BuildError(Exception):
    """The extension cannot be built; the message says why."""


def pip(*arguments: str) -> None:
    """Run pip in this interpreter's environment.

    Raises:
        BuildError: it failed; its own words are part of the message.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if ran.returncode:
        said = f"{ran.stdout}{ran.stderr}".strip()
        raise BuildError(f"pip {' '.join(arguments)} failed:\n{said}")


def frozen(name: str) -> str:
    """The version of ``name`` in constraints.txt, so that add-on and server have the same."""
    text = (ROOT / "constraints.txt").read_text("utf-8")
    found = re.search(rf"^{re.escape(name)}==(\S+)", text, re.MULTILINE)
    if found is None:
        raise BuildError(f"constraints.txt does not name {name}")
    return found[1]


def for_platform(platform: str) -> list[Path]:
    """The wheels of one Blender platform: pyzmq for two ABIs and msgpack."""
    version = frozen("pyzmq")
    system = PLATFORMS[platform]
    zmq = [published(f"pyzmq=={version}", python, system) for python in ZMQ_PYTHONS]
    return sorted([*zmq, pure_msgpack()])


def published(requirement: str, python: str, system: str) -> Path:
    """A wheel as the index has it, fetched once."""
    folder = CACHE / "published" / f"{requirement}-{python}-{system}"
    if not (kept := sorted(folder.glob("*.whl"))):
        options = ["--no-deps", "--only-binary=:all:", "--implementation=cp"]
        target = [f"--python-version={python}", f"--platform={system}"]
        with tempfile.TemporaryDirectory() as new:
            pip("download", "--quiet", *options, *target, f"--dest={new}", requirement)
            keep(Path(new), folder)
        kept = sorted(folder.glob("*.whl"))
    return kept[0]


def keep(new: Path, folder: Path) -> None:
    """Move what stands in ``new`` into ``folder``, file by file, each at one stroke."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(new.iterdir()):
        near = folder / f"{path.name}.{id(path)}.part"
        shutil.copyfile(path, near)
        near.replace(folder / path.name)


def pure_msgpack() -> Path:
    """One msgpack for all platforms and Pythons: a published wheel without its compiled part.

    Its ``__init__`` falls back to the Python code beside it when there is no compiled module.
    """
    version = frozen("msgpack")
    path = CACHE / "pure" / f"msgpack-{version}-{'.'.join(MSGPACK_TAGS)}-none-any.whl"
    if not path.exists():
        source = published(f"msgpack=={version}", "3.11", PLATFORMS["windows-x64"])
        with zipfile.ZipFile(source) as wheel:
            files = {name: wheel.read(name) for name in wheel.namelist()}
        with tempfile.TemporaryDirectory() as new:
            write_wheel(pure(files), Path(new) / path.name)
            keep(Path(new), path.parent)
    return path


def pure(files: dict[str, bytes]) -> dict[str, bytes]:
    """A wheel's files without compiled modules, tagged for any platform."""
    kept = {name: data for name, data in files.items() if not name.endswith((".so", ".pyd"))}
    about = next(name for name in kept if name.endswith(".dist-info/WHEEL"))
    record = about.removesuffix("WHEEL") + "RECORD"
    lines = [line for line in kept[about].decode().splitlines() if not line.startswith("Tag:")]
    lines = [line.replace("Purelib: false", "Purelib: true") for line in lines if line]
    lines += [f"Tag: {tag}-none-any" for tag in MSGPACK_TAGS]
    kept[about] = ("\n".join(lines) + "\n").encode()
    del kept[record]
    rows = [f"{name},{_digest(data)},{len(data)}" for name, data in sorted(kept.items())]
    return {**kept, record: "\n".join([*rows, f"{record},,", ""]).encode()}


def _digest(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return "sha256=" + digest.decode().rstrip("=")


def write_wheel(files: dict[str, bytes], path: Path) -> None:
    """The files as a ZIP whose bytes depend on nothing else."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in files.items():
            wheel.writestr(zip_entry(name), data, compresslevel=9)


def zip_entry(name: str) -> zipfile.ZipInfo:
    """An entry that looks the same from every system and at any time."""
    entry = zipfile.ZipInfo(name, DATE)
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    # Wheels are packed already.
    entry.compress_type = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
    return entry


def of_project() -> Path:
    """This project's own wheel: core and server of exactly this checkout."""
    sources = [ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE")]
    for package in ("glimpse3d", "inference_server"):
        sources += source_files(ROOT / package)
    folder = CACHE / "project" / hash_of(sources)
    if not (kept := sorted(folder.glob("glimpse3d-*.whl"))):
        with tempfile.TemporaryDirectory() as new:
            pip("wheel", "--quiet", "--no-deps", f"--wheel-dir={new}", ".")
            keep(Path(new), folder)
        kept = sorted(folder.glob("glimpse3d-*.whl"))
    return kept[0]


def source_files(folder: Path) -> list[Path]:
    """All files below a folder but what Python and file managers leave there, sorted."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and not path.name.startswith(".")
        and path.suffix != ".pyc"
    )


def hash_of(paths: Iterable[Path]) -> str:
    """One short hash of these files' names and bytes."""
    total = hashlib.sha256()
    for path in paths:
        data = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(ROOT).as_posix()} {data}\n".encode())
    return total.hexdigest()[:16]
