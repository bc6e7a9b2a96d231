"""Where machine code lies, and that nothing stale is ever taken for new."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from glimpse3d.splats import cpu_pass, kernels

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "glimpse3d" / "splats"


def imported_files(path: Path) -> set[Path]:
    """Our own files that a file names in its imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            names = [base.with_suffix(".py"), *(base / f"{a.name}.py" for a in node.names)]
            found |= {each.resolve() for each in names if each.is_file()}
    return found


def test_the_hash_covers_every_kernel_and_all_that_kernels_import() -> None:
    covered = {(FOLDER / name).resolve() for name in kernels.SOURCES}
    assert all(path.is_file() for path in covered)
    compiled = {
        path for path in FOLDER.glob("*.py")
        if any(mark in path.read_text("utf-8") for mark in ("@kernel", "@inlined"))
    }  # fmt: skip
    assert len(compiled) >= 5 and compiled <= covered
    waiting, seen = list(compiled), set()
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += imported_files(path)
    assert seen <= covered


def test_machine_code_lies_in_the_folder_of_these_sources() -> None:
    cpu_pass.compile_kernels()
    names = {path.name.partition("-")[0] for path in kernels.folder().rglob("*.nbi")}
    assert {"blend.draw_tiles", "blend_gradient.pull_tiles", "projection._fill_screen"} <= names
    assert {"projection_gradient.pull_screen", "shading.pull_shade"} <= names


@pytest.mark.parametrize("variable", ["NUMBA_CACHE_DIR", "XDG_CACHE_HOME"])
def test_the_folder_can_be_chosen(variable: str, tmp_path: Path) -> None:
    if variable == "XDG_CACHE_HOME" and sys.platform in ("darwin", "win32"):
        pytest.skip("this platform has its own place")
    cleared = {
        k: v for k, v in os.environ.items() if k not in ("NUMBA_CACHE_DIR", "NUMBA_CPU_NAME")
    }
    code = "from glimpse3d.splats import kernels; print(kernels.folder())"
    said = subprocess.check_output(
        [sys.executable, "-c", code], env={**cleared, variable: str(tmp_path)}, cwd=ROOT, text=True
    )
    assert Path(said.strip()).parent == tmp_path / "glimpse3d"
    assert Path(said.strip()).name == kernels.folder().name
