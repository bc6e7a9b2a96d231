"""The tests in real Blender: environments with bpy beside the code, and pytest inside them.

Owns which Blenders are tested, with which Python, and ``.venv-bpy-*``. Must not know what is
tested. Standard library and pip only; run by ``build.py test`` with the project's own Python, which
the tests start their servers with.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import extension
import wheels
from wheels import ROOT, BuildError

TESTS = "tests/blender"
MINUTES = 30  # for the tests in one Blender; one that hangs at its end is ended
NOTHING_COLLECTED = 5


class AbsentError(Exception):
    """This Blender cannot be had here; the message is the reason."""


@dataclass(frozen=True)
class Blender:
    """A release of the bpy package, pinned, and the only Python that it runs in."""

    version: str
    python: str

    @property
    def folder(self) -> Path:
        """Its environment."""
        return ROOT / f".venv-bpy-{self.version.rpartition('.')[0]}"

    @property
    def interpreter(self) -> Path:
        """The environment's Python."""
        windows = sys.platform == "win32"
        return self.folder / ("Scripts/python.exe" if windows else "bin/python")


FIRST = Blender("4.5.15", "3.11")
OTHERS = (
    Blender("4.2.23", "3.11"),
    Blender("5.0.1", "3.11"),
    Blender("5.1.2", "3.13"),
    Blender("5.2.3", "3.13"),
)


def main(arguments: list[str]) -> int:
    """Run the tests in the first Blender; with --slow its slow ones, and all others' fast ones."""
    slow = "--slow" in arguments
    plain = [each for each in arguments if each != "--slow"]
    runs = [(FIRST, arguments)] + [(blender, plain) for blender in OTHERS if slow]
    try:
        codes = [tested(blender, flags) for blender, flags in runs]
    except BuildError as error:
        print(f"build.py test: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return next((code for code in codes if code), 0)


def tested(blender: Blender, flags: Sequence[str]) -> int:
    """Run the tests in one Blender; 0 if it cannot be had here, which is told."""
    try:
        dist = ROOT / "build" / "addon" / "tested"
        archive = extension.build(extension.here(), dist)
        ensure(blender)
    except (AbsentError, extension.NoPlatformError) as reason:
        print(f"SKIPPED tests in Blender {blender.version}: {reason}", flush=True)
        return 0
    print(f"+ tests in Blender {blender.version}", file=sys.stderr, flush=True)
    targets = [] if any(TESTS in each for each in flags) else [TESTS]
    cache = f"cache_dir={blender.folder / '.pytest_cache'}"
    command = [str(blender.interpreter), "-m", "pytest", "-o", cache, *targets, *flags]
    environment = {
        **os.environ,
        "GLIMPSE3D_TEST_ZIP": str(archive),
        "GLIMPSE3D_TEST_PYTHON": sys.executable,
    }
    code = ended(command, environment)
    return 0 if code == NOTHING_COLLECTED and flags else code


def ended(command: Sequence[str], environment: dict[str, str]) -> int:
    """The exit code of a command; one that does not end is ended, with a shell's code for it."""
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        try:
            code = process.wait(MINUTES * 60)
        except subprocess.TimeoutExpired:
            process.kill()
            print(f"ended after {MINUTES} minutes", file=sys.stderr, flush=True)
            return 124
        except KeyboardInterrupt:
            process.kill()
            raise
    return 128 - code if code < 0 else code


def ensure(blender: Blender) -> None:
    """Make the environment, if it is not there.

    Raises:
        AbsentError: there is no such Python here, or the index has withdrawn this bpy.
        BuildError: pip failed for another reason.
    """
    needs = [f"bpy=={blender.version}", f"pytest=={wheels.frozen('pytest')}"]
    stamp = blender.folder / "glimpse3d-setup.txt"
    recipe = "\n".join([str(blender.folder), *needs])
    stands = stamp.exists() and stamp.read_text("utf-8") == recipe
    if stands and blender.interpreter.exists():  # its Python may have been taken away
        return
    python = find_python(blender.python)
    print(f"+ make {blender.folder}: {' '.join(needs)}", file=sys.stderr, flush=True)
    shutil.rmtree(blender.folder, ignore_errors=True)
    subprocess.run([python, "-m", "venv", str(blender.folder)], check=True)
    options = ["--quiet", "--disable-pip-version-check"]
    command = [str(blender.interpreter), "-m", "pip", "install", *options, *needs]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if f"No matching distribution found for bpy=={blender.version}" in ran.stderr:
        raise AbsentError(f"the package index has no bpy {blender.version} any more")
    if ran.returncode:
        raise BuildError(f"{' '.join(command)} failed:\n{ran.stdout}{ran.stderr}")
    stamp.write_text(recipe, "utf-8")


def find_python(version: str) -> str:
    """An interpreter of that version, tried out: what stands on PATH may be an empty shim.

    Raises:
        AbsentError: there is none.
    """
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    places = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    candidates = [sys.executable] if own == version else []
    candidates += [f"python{version}", *map(str, places)]
    for candidate in candidates:
        path = shutil.which(candidate)
        if (
            path
            and subprocess.run([path, "-c", "import ensurepip"], capture_output=True).returncode
            == 0
        ):
            return path
    raise AbsentError(f"its bpy needs a Python {version}, and there is none on PATH")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
