"""The task runner: sets this checkout up on a bare machine and runs its commands.

Owns ``.venv`` beside the code: made by the Python that runs this file, filled by that
environment's own pip with the versions of ``constraints.txt``, filled again when they change.
Must not know what the packages compute. Standard library only, no shell; Linux, macOS, Windows.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
OLD = ROOT / ".venv-old"
STAMP = VENV / "glimpse3d-setup.json"
ADDON_BUILD = ROOT / "addon_build"
IN_BLENDER = ROOT / "tests" / "blender"
OLDEST = (3, 11)
INTERRUPTED = 130
# What the tests and the type checker want; torch is among it, and nothing else asks for torch.
TESTING = ("readers", "server", "test", "train", "triposr")


class SetupError(Exception):
    """The environment cannot be made; the message says what to do."""


@dataclass(frozen=True)
class Stamp:
    """What stands in ``.venv``.

    Attributes:
        place: the folder and the Python that the environment was made for.
        recipe: hash of what was asked of pip; empty while an installation is unfinished.
        extras: the extras that are installed, sorted.
    """

    place: str
    recipe: str = ""
    extras: tuple[str, ...] = ()


@dataclass(frozen=True)
class Work:
    """What there is to do before a command can run: make the environment, install extras."""

    make: bool
    extras: tuple[str, ...]


def venv_python(venv: PurePath, platform: str) -> PurePath:
    """The environment's interpreter, on ``sys.platform`` ``platform``."""
    return venv / "Scripts" / "python.exe" if platform == "win32" else venv / "bin" / "python"


def pip_command(python: PurePath, extras: Iterable[str]) -> list[str]:
    """What installs this checkout; for any pip from 23.2 on, run in the checkout's folder."""
    names = ",".join(extras)
    target = f".[{names}]" if names else "."
    quiet = "--disable-pip-version-check"
    return [str(python), "-m", "pip", "install", quiet, "-c", "constraints.txt", "-e", target]


def shown(command: Sequence[str], platform: str) -> str:
    """A command as one would type it."""
    return subprocess.list2cmdline(command) if platform == "win32" else shlex.join(command)


def recipe_of(parts: Iterable[bytes]) -> str:
    """One hash of all files that decide what is installed; line ends do not count."""
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part.replace(b"\r\n", b"\n")).digest())
    return total.hexdigest()


def work_for(now: Stamp | None, place: str, recipe: str, wanted: Iterable[str]) -> Work | None:
    """What to do so that ``wanted`` extras stand; None if they do.

    An unfinished installation, or one of another Python or folder, is begun again. Extras that
    were asked for once are kept.
    """
    if now is None:
        return Work(make=True, extras=tuple(sorted(wanted)))
    extras = tuple(sorted({*now.extras, *wanted}))
    if not now.recipe or now.place != place:
        return Work(make=True, extras=extras)
    if now.recipe != recipe or now.extras != extras:
        return Work(make=False, extras=extras)
    return None


def complaint(
    version: tuple[int, int], find: Callable[[str], object] = importlib.util.find_spec
) -> str:
    """Why this Python cannot make the environment, and what to do; empty if it can."""
    name = f"{version[0]}.{version[1]}"
    if version < OLDEST:
        return f"this is Python {name}; run build.py with Python 3.11, 3.12 or 3.13"
    missing = [module for module in ("venv", "ensurepip") if find(module) is None]
    if missing:
        return (
            f"this Python {name} came without {' and '.join(missing)}; "
            f"on Debian and Ubuntu: sudo apt install python{name}-venv"
        )
    return ""


def read_stamp() -> Stamp | None:
    """What an earlier start left in ``.venv``; None if there is no ``.venv``.

    Raises:
        SetupError: somebody else made ``.venv``.
    """
    if not VENV.exists() or not any(VENV.iterdir()):
        return None
    if not STAMP.exists():
        raise SetupError(f"{VENV} was not made by build.py; move it away or delete it")
    try:
        values = json.loads(STAMP.read_text("utf-8"))
        return Stamp(values["place"], values["recipe"], tuple(values["extras"]))
    except (ValueError, KeyError, TypeError):
        return Stamp(place="")


def write_stamp(stamp: Stamp) -> None:
    """Leave word for the next start."""
    STAMP.write_text(json.dumps(asdict(stamp)), "utf-8")


def call(command: Sequence[str], folder: Path | None = None) -> tuple[int, bool]:
    """Show a command and run it.

    Ctrl-C reaches the command by itself; it is given the time to tidy up.

    Returns:
        its exit code as a shell would tell it, and whether ctrl-C came meanwhile.
    """
    print("+", shown(command, sys.platform), file=sys.stderr, flush=True)
    interrupted = False
    with subprocess.Popen(command, cwd=folder) as process:
        while process.returncode is None:
            try:
                process.wait()
            except KeyboardInterrupt:
                interrupted = True
    code = process.returncode
    return (128 - code if code < 0 else code), interrupted


def ensure(extras: Iterable[str]) -> str:
    """Make ``.venv`` ready with these extras and return its interpreter.

    Raises:
        SetupError: it cannot be made.
        KeyboardInterrupt: ctrl-C while installing; the next start begins again.
    """
    python = str(venv_python(VENV, sys.platform))
    place = f"{ROOT} {sys.base_prefix} {sys.version}"
    recipe = recipe_of((ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    work = work_for(read_stamp(), place, recipe, extras)
    if work is None:
        return python
    if work.make:
        make_venv()
    write_stamp(Stamp(place, "", work.extras))
    if work.make:
        install([sys.executable, "-m", "venv", str(VENV)])
    install(pip_command(PurePath(python), work.extras))
    write_stamp(Stamp(place, recipe, work.extras))
    return python


def make_venv() -> None:
    """An empty folder for the environment, in place of what an earlier start left there.

    Raises:
        SetupError: this Python cannot make an environment.
    """
    problem = complaint(sys.version_info[:2])
    if not problem and Path(sys.prefix).resolve() == VENV.resolve():
        problem = "the environment must be made anew: run build.py with the Python outside .venv"
    if problem:
        raise SetupError(problem)
    shutil.rmtree(OLD, ignore_errors=True)
    if VENV.exists():
        print(f"+ remove {VENV}", file=sys.stderr, flush=True)
        VENV.rename(OLD)  # at one stroke: what is still in use is refused before anything is lost
        shutil.rmtree(OLD, ignore_errors=True)
    VENV.mkdir()


def install(command: Sequence[str]) -> None:
    """Run one step of the set-up in the checkout's folder.

    Raises:
        SetupError: it failed.
        KeyboardInterrupt: ctrl-C came.
    """
    code, interrupted = call(command, ROOT)
    if interrupted:
        raise KeyboardInterrupt
    if code:
        raise SetupError(
            f"the set-up failed with exit code {code}, its reason stands above; "
            "it needs the package index once: run the same command again to retry"
        )


def run(arguments: list[str]) -> int:
    """Make a 3D object of a picture; the flags are those of `glimpse3d generate`."""
    return call([ensure(()), "-m", "glimpse3d", "generate", *arguments])[0]


def test(arguments: list[str]) -> int:
    """Run the tests, also those in Blender; other flags go to pytest, as in `test -q -k camera`.

    --slow runs those that a plain `test` leaves out, and only those: nothing runs twice in one
    environment. Blender's own, .venv-bpy-*, are made when they are first needed.
    """
    python = ensure(TESTING)
    outside, inside = parted(arguments)
    steps = [[python, str(ADDON_BUILD / "extension.py"), "--vendor"]]
    steps += [[python, "-m", "pytest", *outside]] if outside is not None else []
    steps += [[python, str(ADDON_BUILD / "blenders.py"), *inside]] if inside is not None else []
    codes = []
    for step in steps:
        code, interrupted = call(step, ROOT)
        if interrupted:
            return INTERRUPTED
        codes.append(code)
    return next((code for code in codes if code), 0)


def parted(arguments: Sequence[str]) -> tuple[list[str] | None, list[str] | None]:
    """Pytest's arguments outside Blender and in it; None where the paths leave nothing to run."""
    paths = [each for each in arguments if (ROOT / each.partition("::")[0]).exists()]
    inside = [
        each
        for each in paths
        if IN_BLENDER in (ROOT / each.partition("::")[0]).parents or ROOT / each == IN_BLENDER
    ]
    outside = [each for each in paths if each not in inside]
    return (
        [each for each in arguments if each not in inside] if outside or not paths else None,
        [each for each in arguments if each not in outside] if inside or not paths else None,
    )


def soak(arguments: list[str]) -> int:
    """Run the long tests, marked soak: half an hour; flags go to pytest."""
    python = ensure(("server", "test"))
    folders = ["tests/core", "tests/server"]
    return call([python, "-m", "pytest", "--soak", *folders, *arguments], ROOT)[0]


def addon(arguments: list[str]) -> int:
    """Build the Blender extension into dist: a ZIP a platform, and the list of updates."""
    return call([ensure(()), str(ADDON_BUILD / "extension.py"), *arguments], ROOT)[0]


def check(arguments: list[str]) -> int:
    """Look at formatting, lint, types and the table of allowed imports."""
    if arguments:
        raise SetupError(f"check takes no arguments, not {' '.join(arguments)}")
    python = ensure(TESTING)
    call([python, str(ADDON_BUILD / "extension.py"), "--vendor"], ROOT)
    steps = (
        ["ruff", "format", "--check"],
        ["ruff", "check"],
        ["mypy"],
        ["pytest", "-q", "tests/test_architecture.py"],
    )
    codes = [call([python, "-m", *step], ROOT)[0] for step in steps]
    return next((code for code in codes if code), 0)


def bench(arguments: list[str]) -> int:
    """Measure speed, as ratios and stage times, into benchmarks/results/.

    --triposr measures TripoSR at full size instead, beside the plain path: a quarter of an hour.
    """
    python = ensure(("triposr",)) if "--triposr" in arguments else ensure(())
    return call([python, str(Path("benchmarks", "bench.py")), *arguments], ROOT)[0]


COMMANDS: dict[str, tuple[str, Callable[[list[str]], int]]] = {
    "run": ("PICTURE [flags]", run),
    "test": ("[--slow] [flags]", test),
    "soak": ("[flags]", soak),
    "addon": ("[--platform NAME]", addon),
    "check": ("", check),
    "bench": ("[flags]", bench),
}


def usage(platform: str) -> str:
    """All commands with their help."""
    lines = [f"usage: {'py -3.11' if platform == 'win32' else 'python3.11'} build.py COMMAND", ""]
    for name, (arguments, command) in COMMANDS.items():
        about = (command.__doc__ or "").split("\n")
        lines.append(f"  {name} {arguments}".rstrip())
        lines += [f"      {line.strip()}" for line in about if line.strip()]
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """Run one command and return its exit code."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage(sys.platform))
        return 0 if argv else 2
    try:
        if argv[0] not in COMMANDS:
            raise SetupError(f"there is no command {argv[0]!r}; one of {', '.join(COMMANDS)}")
        return COMMANDS[argv[0]][1](argv[1:])
    except (SetupError, OSError) as error:  # the file system's own words name the file
        print(f"build.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("build.py: stopped; the next start sets up anew", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
