"""Where machine code lies, and that nothing stale is ever taken for new."""

import ast
import os
import subprocess
import sys
import time
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


DECLARED_MEANWHILE = """
import sys, threading
import numba
from glimpse3d.splats import kernels

def one(x):
    return x

sys.setswitchinterval(1e-6)
ended = threading.Event()

def declare():
    for _ in range(500):
        kernels.kernel(one)
    ended.set()

thread = threading.Thread(target=declare)
thread.start()
places = set()
while not ended.is_set():
    places.add(numba.njit(cache=True)(one).stats.cache_path)
thread.join()
print(*places, sep="\\n")
"""


def test_what_other_threads_compile_meanwhile_lies_where_it_always_does(tmp_path: Path) -> None:
    """No setting of numba's is changed, not even for a moment, and nothing lands in the cwd."""
    script, here = tmp_path / "other" / "script.py", tmp_path / "here"
    for each in (script.parent, here):
        each.mkdir()
    script.write_text(DECLARED_MEANWHILE)
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    said = subprocess.check_output(
        [sys.executable, script], cwd=here, text=True,
        env={**environment, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )  # fmt: skip
    assert list(here.iterdir()) == []
    assert [Path(each).parent for each in said.split("\n") if each] == [script.parent]


def test_folders_of_versions_long_gone_are_removed_and_nothing_else(tmp_path: Path) -> None:
    def made(name: str, days: float) -> Path:
        folder = tmp_path / name
        (folder / "splats_0").mkdir(parents=True)
        (folder / "splats_0" / "blend.draw_tiles.nbi").write_bytes(b"code")
        then = time.time() - days * 86_400
        os.utime(folder, (then, then))
        return folder

    old = made("kernels-0123456789abcdef", 31)
    fresh, others = made("kernels-fedcba9876543210", 29), made("kernels-of-mine", 400)
    foreign = made("weights", 400)
    kernels.remove_old(tmp_path)
    assert not old.exists()
    assert all((each / "splats_0").is_dir() for each in (fresh, others, foreign))
    kernels.remove_old(tmp_path / "missing")  # nothing to do is no error


def test_a_folder_in_use_is_marked_so_once_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    kernels.folder.cache_clear()
    try:
        folder = kernels.folder()
        folder.mkdir(parents=True)
        for days, marked in ((20.0, True), (0.5, False)):
            then = time.time() - days * 86_400
            os.utime(folder, (then, then))
            kernels.folder.cache_clear()
            kernels.folder()
            assert (folder.stat().st_mtime > then + 3600) is marked
    finally:
        kernels.folder.cache_clear()
