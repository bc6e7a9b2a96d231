import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from glimpse3d import __version__, cli, plugins
from glimpse3d.cli_options import settings_from
from glimpse3d.settings import Settings, describe


def parsed(*flags: str) -> Settings:
    return settings_from(cli._parser().parse_args(["generate", "photo.png", *flags]))


def test_every_setting_has_a_flag_and_the_help_names_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["generate", "--help"])
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    for row in describe(Settings):
        flag = "--format" if row["name"] == "formats" else "--" + row["name"].replace(".", "-")
        assert flag.replace("_", "-") in said
    for stage in plugins.RECIPE:
        for backend in plugins.names(stage):
            for row in describe(plugins.find(stage, backend).Settings):
                assert f"--{backend}-{row['name']}".replace("_", "-") in said


def test_flags_change_what_they_name_and_nothing_else() -> None:
    settings = parsed("--preset", "draft", "--turntable-fps", "24", "--size", "0.3")
    assert settings.turntable.fps == 24
    assert settings.turntable.frames == 60  # the preset's own
    assert settings.size == 0.3
    assert settings.gaussians == parsed("--preset", "draft").gaussians


def test_backend_flags_become_options() -> None:
    settings = parsed("--inflate-elevation", "25", "--format", "obj", "--format", "glb")
    assert settings.options == {"inflate": {"elevation": 25.0}}
    assert settings.formats == ("obj", "glb")


def test_two_pictures_of_one_name_get_two_folders() -> None:
    paths = [Path("a/cup.png"), Path("b/cup.jpg"), Path("b/Cup.webp"), Path("vase.png")]
    assert cli._folder_names(paths) == ["cup", "cup-2", "Cup-3", "vase"]


def test_backends_are_listed_with_when_to_use_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["backends"]) == 0
    said = capsys.readouterr().out
    for stage in plugins.BUILTIN:
        for name in plugins.names(stage):
            assert name in said and plugins.find(stage, name).WHEN in said


def test_version_and_module_entry() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "glimpse3d", "--version"], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == f"glimpse3d {__version__}"


def test_a_bundle_holds_what_the_folder_holds(tmp_path: Path) -> None:
    picture = Path(__file__).parents[2] / "examples" / "vase.png"
    small = ["--turntable-frames", "2", "--turntable-resolution", "64", "--gaussians", "500"]
    formats = ["--format", "glb", "--format", "obj", "--format", "stl"]
    flags = ["-o", str(tmp_path / "vase"), "--zip", "--preset", "draft", *small, *formats]
    assert cli.main(["generate", str(picture), *flags]) == 0
    folder = {path.name: path.read_bytes() for path in (tmp_path / "vase").iterdir()}
    assert {"mesh.glb", "mesh.obj", "mesh.mtl", "mesh.stl"} <= set(folder)
    with zipfile.ZipFile(tmp_path / "vase.zip") as bundle:
        assert {name: bundle.read(name) for name in bundle.namelist()} == folder


def test_ctrl_c_inside_a_compiled_function_is_ctrl_c() -> None:
    try:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as pressed:
            raise SystemError("returned a result with an exception set") from pressed
    except SystemError as error:
        assert cli._was_interrupted(error)
    assert not cli._was_interrupted(SystemError("a defect"))
