"""The extension's packaging: what can be said of it without Blender and without an index."""

import base64
import hashlib
import importlib
import io
import json
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from glimpse3d import __version__
from inference_server import WIRE_SIDE

ROOT = Path(__file__).resolve().parents[1]
LONGEST_SENTENCE = 64  # characters, Blender's rule for taglines and permissions


@pytest.fixture(scope="module", autouse=True)
def scripts() -> Iterator[None]:
    """The scripts import each other as they do when one is run."""
    sys.path.insert(0, str(ROOT / "addon_build"))
    yield
    sys.path.remove(str(ROOT / "addon_build"))


@pytest.fixture
def extension() -> ModuleType:
    return importlib.import_module("extension")


@pytest.fixture
def wheels() -> ModuleType:
    return importlib.import_module("wheels")


@pytest.fixture
def blenders() -> ModuleType:
    return importlib.import_module("blenders")


def test_the_manifest_keeps_blenders_rules() -> None:
    manifest = tomllib.loads((ROOT / "blender_addon" / "blender_manifest.toml").read_text("utf-8"))
    assert manifest["version"] == __version__
    assert manifest["license"] == ["SPDX:GPL-3.0-or-later"]
    assert manifest["blender_version_min"] == "4.2.0"
    assert "Blender" not in manifest["name"]
    for sentence in (manifest["tagline"], *manifest["permissions"].values()):
        assert len(sentence) <= LONGEST_SENTENCE and sentence[-1].isalnum()
    assert set(manifest["permissions"]) == {"network", "files", "clipboard"}


def test_a_zips_manifest_adds_its_platform_and_wheels(extension: ModuleType) -> None:
    text = (ROOT / "blender_addon" / "blender_manifest.toml").read_text("utf-8")
    made = tomllib.loads(extension.manifest(text, "macos-arm64", ["a.whl", "b.whl"]))
    added = {"platforms": ["macos-arm64"], "wheels": ["./wheels/a.whl", "./wheels/b.whl"]}
    assert made == {**tomllib.loads(text), **added}


def test_the_list_of_updates_names_each_zip_of_this_version(
    extension: ModuleType, tmp_path: Path
) -> None:
    listing = importlib.import_module("listing")
    text = (ROOT / "blender_addon" / "blender_manifest.toml").read_text("utf-8")
    names = ["pyzmq-27.3.0-cp312-abi3-x.whl", "pyzmq-27.3.0-cp311-cp311-x.whl"]
    names.append("msgpack-1.2.4-cp311.cp313.cp39-none-any.whl")
    for platform in ("linux-x64", "macos-arm64"):
        path = tmp_path / f"glimpse3d-{__version__}-{platform.replace('-', '_')}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("blender_manifest.toml", extension.manifest(text, platform, names))
    (tmp_path / "glimpse3d-0.0.1-linux_x64.zip").touch()
    written = json.loads(listing.write(tmp_path, __version__).read_text())
    assert written["version"] == "v1" and written["blocklist"] == []
    rows = written["data"]
    assert [row["platforms"] for row in rows] == [["linux-x64"], ["macos-arm64"]]
    for row in rows:
        data = (tmp_path / row["archive_url"]).read_bytes()
        assert row["archive_size"] == len(data)
        assert row["archive_hash"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
        assert row["python_versions"] == ["3.9", "3.11", "3.13"]
        assert row["version"] == __version__ and "wheels" not in row


def test_versions_that_differ_are_refused(
    extension: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert extension.version() == __version__
    (tmp_path / "blender_manifest.toml").write_text('version = "9.9.9"\n')
    monkeypatch.setattr(extension, "ADDON", tmp_path)
    with pytest.raises(extension.BuildError, match=r"9\.9\.9"):
        extension.version()


@pytest.mark.parametrize(
    ("system", "machine", "name"),
    [
        ("linux", "x86_64", "linux-x64"),
        ("win32", "AMD64", "windows-x64"),
        ("darwin", "arm64", "macos-arm64"),
        ("darwin", "x86_64", "macos-x64"),
    ],
)
def test_platforms_by_blenders_names(
    system: str, machine: str, name: str, extension: ModuleType
) -> None:
    assert extension.here(system, machine) == name


def test_a_platform_without_an_extension_is_told(extension: ModuleType) -> None:
    with pytest.raises(extension.NoPlatformError, match="linux-arm64"):
        extension.here("linux", "aarch64")


def test_vendored_code_runs_under_any_name_and_brings_nothing_of_ours(
    extension: ModuleType, tmp_path: Path
) -> None:
    files = extension.vendored()
    assert {f"inference_server/{name}" for name in WIRE_SIDE} <= set(files)
    assert "glimpse3d/formats/splat_ply.py" in files and "glimpse3d/settings.py" not in files
    for name, data in files.items():
        path = tmp_path / "renamed" / "_vendor" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    modules = [
        "renamed._vendor." + name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in files
        if name != "__init__.py"
    ]
    code = "import sys; [__import__(name) for name in sys.argv[1:]]; "
    code += "print(sys.modules['renamed._vendor.glimpse3d'].__version__); "
    code += "print(*{name.partition('.')[0] for name in sys.modules})"
    ran = subprocess.run(
        [sys.executable, "-c", code, *modules], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    version, loaded = ran.stdout.splitlines()
    foreign = set(loaded.split()) - set(sys.stdlib_module_names)
    assert version == __version__
    assert {"renamed", "numpy", "zmq", "msgpack"} <= foreign
    assert not foreign & {"glimpse3d", "inference_server", "scipy", "PIL", "numba"}


def test_filling_vendor_mends_it_and_touches_what_is_right(
    extension: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extension, "VENDOR", tmp_path)
    extension.fill_vendor()
    right, wrong, strange = (
        tmp_path / "glimpse3d" / name for name in ("coords.py", "types.py", "x.py")
    )
    before = right.stat().st_mtime_ns
    wrong.write_text("changed")
    strange.touch()
    extension.fill_vendor()
    assert right.stat().st_mtime_ns == before and not strange.exists()
    assert wrong.read_bytes() == (ROOT / "glimpse3d" / "types.py").read_bytes()


def test_a_compiled_wheel_becomes_a_pure_one_for_all_pythons(
    wheels: ModuleType, tmp_path: Path
) -> None:
    tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-win_amd64\n\n"
    files = {
        "msgpack/__init__.py": b"x = 1\n",
        "msgpack/_cmsgpack.cp311-win_amd64.pyd": b"\0",
        "msgpack-1.0.dist-info/WHEEL": tags.encode(),
        "msgpack-1.0.dist-info/RECORD": b"old",
    }
    wheels.write_wheel(wheels.pure(files), tmp_path / "one.whl")
    wheels.write_wheel(wheels.pure(files), tmp_path / "two.whl")
    data = (tmp_path / "one.whl").read_bytes()
    assert data == (tmp_path / "two.whl").read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as made:
        about = made.read("msgpack-1.0.dist-info/WHEEL").decode()
        rows = [
            row.split(",") for row in made.read("msgpack-1.0.dist-info/RECORD").decode().split()
        ]
        assert {name for name, _, _ in rows} == set(made.namelist())
        for name, digest, size in rows[:-1]:
            ours = base64.urlsafe_b64encode(hashlib.sha256(made.read(name)).digest())
            assert digest == "sha256=" + ours.decode().rstrip("=")
            assert int(size) == len(made.read(name))
    assert "Root-Is-Purelib: true" in about and ".pyd" not in str(rows)
    # One tag must name each Python, or Blender takes the extension for one of 3.11 alone.
    assert {f"Tag: cp3{minor}-none-any" for minor in (11, 12, 13)} <= set(about.splitlines())


def test_the_wheels_have_the_servers_versions(wheels: ModuleType) -> None:
    frozen = (ROOT / "constraints.txt").read_text("utf-8")
    for name in ("pyzmq", "msgpack"):
        assert f"\n{name}=={wheels.frozen(name)}\n" in frozen
    with pytest.raises(wheels.BuildError, match="bpy"):
        wheels.frozen("bpy")


def test_the_projects_wheel_is_made_anew_when_its_sources_change(
    wheels: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "ROOT", tmp_path)
    (tmp_path / "one.py").write_text("1")
    before = wheels.hash_of([tmp_path / "one.py"])
    (tmp_path / "one.py").write_text("2")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "one.pyc").touch()
    assert wheels.hash_of([tmp_path / "one.py"]) != before
    assert wheels.source_files(tmp_path) == [tmp_path / "one.py"]


def test_a_python_that_is_an_empty_shim_is_not_taken(
    blenders: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = tmp_path / "python3.98"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(blenders.AbsentError, match=r"3\.98"):
        blenders.find_python("3.98")
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert blenders.find_python(own) == sys.executable


def test_every_blender_is_pinned_and_has_a_folder_of_its_own(blenders: ModuleType) -> None:
    every = (blenders.FIRST, *blenders.OTHERS)
    assert [each.folder.name for each in every] == [
        ".venv-bpy-4.5", ".venv-bpy-4.2", ".venv-bpy-5.0", ".venv-bpy-5.1", ".venv-bpy-5.2"
    ]  # fmt: skip
    assert all(len(each.version.split(".")) == 3 for each in every)
