"""What an import brings along and takes, seen in fresh interpreters.

What imports are allowed is ``test_architecture``'s.
"""

import subprocess
import sys

import pytest

from tests.import_reading import ROOT
from tests.test_architecture import BACKENDS, LIGHT_FOREIGN

WATCH = """
import atexit, sys
idle = set(sys.modules)
atexit.register(lambda: print("loaded", *(set(sys.modules) - idle)))
"""


def names_loaded(code: str, *arguments: str) -> set[str]:
    """Top-level names beyond the standard library that ``code`` loads in a fresh interpreter."""
    ran = subprocess.run(
        [sys.executable, "-c", WATCH + code, *arguments],
        capture_output=True, text=True, timeout=60, cwd=ROOT,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    loaded = ran.stdout.splitlines()[-1].split()
    assert loaded[0] == "loaded"
    return {name.partition(".")[0] for name in loaded[1:]} - set(sys.stdlib_module_names)


def test_import_brings_little_more_than_numpy() -> None:
    assert names_loaded("import glimpse3d") == {"glimpse3d", "numpy"}


def test_import_takes_little_more_than_numpy() -> None:
    code = "import sys, time; start = time.process_time(); __import__(sys.argv[1]); "
    code += "print(time.process_time() - start)"

    def seconds(module: str) -> float:
        command = [sys.executable, "-c", code, module]
        return float(subprocess.run(command, capture_output=True, check=True, cwd=ROOT).stdout)

    pairs = [(seconds("glimpse3d"), seconds("numpy")) for _ in range(5)]
    ours, theirs = (min(column) for column in zip(*pairs, strict=True))
    assert ours <= 1.6 * theirs


def test_importing_every_backend_brings_nothing_heavy() -> None:
    names = names_loaded("; ".join(f"import {module}" for module in BACKENDS.values()))
    assert names <= {"glimpse3d", *LIGHT_FOREIGN}


@pytest.mark.parametrize("command", [("--help",), ("generate", "--help"), ("backends",)])
def test_help_brings_nothing_heavy(command: tuple[str, ...]) -> None:
    code = "import runpy; runpy.run_module('glimpse3d', run_name='__main__', alter_sys=True)"
    names = names_loaded(code, *command)
    assert "glimpse3d" in names
    assert names <= {"__main__", "glimpse3d", *LIGHT_FOREIGN}
