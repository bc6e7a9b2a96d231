"""Parts beside the local server's packages: added, taken out, renewed, and nothing in between.

Real environments and real pip; the packages are small, from an index of the tests' own.
"""

import shutil
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from blender_addon import server_folder
from blender_addon.launcher import Launcher
from blender_addon.power import BUILDS, PARTS, Extras
from blender_addon.server_folder import COMPILED
from tests.addon.test_launcher import constraints, pumped, small_wheel

TORCH_WHEEL = "torch-9.0+cpu-py3-none-any.whl"


@pytest.fixture
def torches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index of one's own, with a small torch for the processor alone."""
    page = tmp_path / "simple" / "torch" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="{TORCH_WHEEL.replace("+", "%2B")}">{TORCH_WHEEL}</a>')
    info = "torch-9.0+cpu.dist-info"
    with zipfile.ZipFile(page.with_name(TORCH_WHEEL), "w") as wheel:
        wheel.writestr("torch.py", "")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: torch\nVersion: 9.0+cpu\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    builds = [replace(each, index=(tmp_path / "simple").as_uri()) for each in BUILDS]
    monkeypatch.setattr("blender_addon.power.BUILDS", tuple(builds))
    return page.with_name(TORCH_WHEEL)


def powerful(tmp_path: Path, begun: Path, bare: Path, extras: Extras) -> Launcher:
    """An installed server, and the environment beside it made to its first step."""
    modules = (*COMPILED, *{name for part in PARTS for name in part.modules})
    made_before = next(tmp_path.glob("wheel/*.whl"), None)  # each has bytes of its own
    wheel = made_before or small_wheel(tmp_path / "wheel", modules=modules)
    constraints(wheel.parent).write_text("torch==9.0\n")
    running = Launcher(begun, Path(sys.executable), wheel, wheel.parent / "constraints.txt")
    if running.state == "incomplete":
        running.install()
        pumped(running, lambda: running.state != "installing")
        assert running.state == "installed", running.problem
    beside = running.places.building
    if not beside.exists():
        shutil.copytree(bare, beside, symlinks=True)
        (beside / server_folder.MADE).write_text(extras.line())
    return running


def content(folder: Path) -> dict[str, float]:
    """Every file, with when it was written; what Python compiled by itself is no content."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {path.relative_to(folder).as_posix(): path.lstat().st_mtime for path in files}


def test_a_part_is_added_and_taken_out_again(
    tmp_path: Path, begun: Path, bare: Path, torches: Path
) -> None:
    wanted = Extras("cpu", ("triposr",))
    running = powerful(tmp_path, begun, bare, wanted)
    assert running.extras == Extras()
    running.install(wanted)
    fractions = pumped(running, lambda: running.state != "installing")
    assert running.state == "installed" and fractions == sorted(fractions), running.problem
    assert running.extras == wanted and "torch-9.0+cpu" in running.log_path.read_text()
    assert not (begun / "venv").exists() and list(begun.glob("venv-2/[Ll]ib/**/torch.py"))

    torches.unlink()  # taking out fetches nothing
    again = powerful(tmp_path, begun, bare, Extras())
    assert again.state == "installed" and again.extras == wanted
    again.install(again.extras.removed("torch"))
    pumped(again, lambda: again.state != "installing")
    assert again.state == "installed" and again.extras == Extras(), again.problem
    assert not (begun / "venv-2").exists() and not list(begun.glob("venv/[Ll]ib/**/torch.py"))


def test_a_part_that_fails_or_is_cancelled_leaves_all_as_it_was(
    tmp_path: Path, begun: Path, bare: Path, torches: Path
) -> None:
    wanted = Extras("cpu")
    running = powerful(tmp_path, begun, bare, wanted)
    before = content(begun / "venv")
    noted = (begun / "version.txt").read_text()
    running.install(wanted)
    running.cancel()
    assert running.state == "installed" and content(begun / "venv") == before
    torches.unlink()
    running.install(wanted)
    pumped(running, lambda: running.state != "installing")
    assert running.state == "failed" and "torch" in running.problem
    running.retry()
    assert running.state == "installed" and running.extras == Extras()
    assert content(begun / "venv") == before and (begun / "version.txt").read_text() == noted


@pytest.mark.slow
def test_a_newer_release_renews_what_was_added_and_the_old_one_runs_until_then(
    tmp_path: Path, begun: Path, bare: Path, torches: Path
) -> None:
    wanted = Extras("cpu", ("readers",))
    first = powerful(tmp_path, begun, bare, wanted)
    first.install(wanted)
    pumped(first, lambda: first.state != "installing")
    with zipfile.ZipFile(first.places.wheel, "a") as wheel:  # other bytes: another release
        wheel.writestr("newer.py", "")
    second = powerful(tmp_path, begun, bare, wanted)
    assert second.state == "outdated" and second.extras == wanted
    before = content(begun / "venv-2")
    hidden = torches.with_suffix(".hidden")
    torches.rename(hidden)
    second.install()
    pumped(second, lambda: second.state != "installing")
    assert second.state == "failed" and content(begun / "venv-2") == before
    second.retry()
    assert second.state == "outdated" and second.places.own_python.exists()
    hidden.rename(torches)
    second.install()
    pumped(second, lambda: second.state != "installing")
    assert second.state == "installed" and second.extras == wanted, second.problem
    assert list(begun.glob("venv/[Ll]ib/**/newer.py")) and not (begun / "venv-2").exists()
