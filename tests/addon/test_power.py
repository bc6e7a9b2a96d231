"""What can be added to the local server: which build fits, what is asked, and what a GPU says."""

import json
import sys
import time
from pathlib import Path

import pytest

from blender_addon import gpu_probe
from blender_addon.power import BUILDS, PARTS, TORCH, Extras, Gpus, GpuSearch, fitting

TABLE = """
+---------------------------------------------------------------------------+
| NVIDIA-SMI 580.82.07    Driver Version: 580.82.07    CUDA Version: 13.0    |
"""
FAKE = """#!/bin/sh
case "$1" in
--query-gpu=*) echo "NVIDIA Test GPU, 81559, 580.82.07"; echo "NVIDIA T4, 15360, 580.82.07" ;;
*) echo "Driver Version: 580.82.07   CUDA Version: 13.0" ;;
esac
"""


@pytest.mark.parametrize(
    ("cuda", "system", "name"),
    [
        (13000, "linux", "cu130"),
        (13020, "win32", "cu130"),
        (12080, "linux", "cu126"),
        (12060, "win32", "cu126"),
        (12040, "linux", "cpu"),
        (0, "linux", "cpu"),
        (0, "win32", "cpu"),
        (0, "darwin", "usual"),
    ],
)
def test_the_newest_build_that_the_driver_speaks(cuda: int, system: str, name: str) -> None:
    gpus = Gpus(("NVIDIA T4",), 15360, "580.82", cuda, "nvidia-smi") if cuda else Gpus()
    assert fitting(gpus, system).name == name


def test_a_driver_without_a_gpu_gets_the_processors_build() -> None:
    assert fitting(Gpus((), 0, "580.82", 13000, "nvidia-smi"), "linux").name == "cpu"


def test_a_part_brings_what_it_needs_and_takes_it_along() -> None:
    nothing = Extras()
    one = nothing.added("triposr", "cpu")
    assert one == Extras("cpu", ("triposr",))
    both = one.added("readers", "cu130")  # a GPU was put in since: the build stays what it is
    assert both == Extras("cpu", ("triposr", "readers"))
    assert both.added(TORCH, "cu130") == Extras("cu130", ("triposr", "readers"))
    assert both.removed("triposr") == Extras("cpu", ("readers",))
    assert both.removed(TORCH) == nothing
    assert nothing.added(TORCH, "cpu") == Extras("cpu")


def test_what_is_noted_is_read_again_and_strange_names_are_left_out() -> None:
    for build in BUILDS:
        for parts in ((), ("triposr",), tuple(each.name for each in PARTS)):
            assert Extras.read(Extras(build.name, parts).line()) == Extras(build.name, parts)
    assert Extras.read("") == Extras.read("triposr") == Extras()
    assert Extras.read("cpu warp triposr") == Extras("cpu", ("triposr",))


def test_sizes_are_said_for_every_system() -> None:
    for system in ("linux", "win32", "darwin"):
        for build in BUILDS:
            if build.offered(system):
                assert Extras(build.name).megabytes(system) > 100
    all_of_it = Extras("cpu", tuple(each.name for each in PARTS)).megabytes("linux")
    assert all_of_it > Extras("cpu").megabytes("linux")
    assert Extras().megabytes() == 0


def test_the_parts_are_extras_of_the_project() -> None:
    import tomllib

    root = Path(__file__).resolve().parents[2]
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    for part in PARTS:
        needs = extras["optional-dependencies"][part.name]
        assert any(need.startswith("torch") for need in needs)


def test_what_the_drivers_command_says() -> None:
    found = gpu_probe.read("NVIDIA H100 80GB HBM3, 81559, 580.82.07\n", TABLE)
    assert found == {
        "gpus": [{"name": "NVIDIA H100 80GB HBM3", "memory_mb": 81559}],
        "driver": "580.82.07", "cuda": 13000, "seen_by": "nvidia-smi",
    }  # fmt: skip
    assert gpu_probe.read("NVIDIA GB10, [N/A], 580.95\n", "CUDA UMD Version: 13.0")["cuda"] == 13000
    assert gpu_probe.read("", "failed")["gpus"] == []


def searched(folder: Path) -> Gpus:
    search = GpuSearch(folder, Path(sys.executable))
    limit = time.monotonic() + 60
    while search.found is None:
        assert time.monotonic() < limit
        search.poll()
        time.sleep(0.02)
    assert not search.poll() and list(folder.glob("gpu*")) == []
    return search.found


@pytest.mark.skipif(sys.platform == "win32", reason="a command of one's own is a script here")
def test_a_look_at_this_machine_and_at_one_with_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = searched(tmp_path)
    assert bool(own.names) == bool(own.seen_by and own.cuda)
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "nvidia-smi").write_text(FAKE)
    (folder / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    found = searched(tmp_path)
    assert found.names == ("NVIDIA Test GPU", "NVIDIA T4") and found.memory_mb == 81559
    assert (found.driver, found.cuda, found.seen_by) == ("580.82.07", 13000, "nvidia-smi")


def test_a_probe_that_prints_nonsense_is_no_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = tmp_path / "strange.py"
    strange.write_text("print('{')")
    monkeypatch.setattr("blender_addon.power.PROBE", strange)
    assert searched(tmp_path) == Gpus()
    with pytest.raises(ValueError):
        Gpus.read(json.dumps("not a map")[:3])
