"""The task runner: its pure parts for all three systems, and real set-ups (slow)."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
SERVER_IMPORTS = "cv2 msgpack numba numpy onnxruntime rembg scipy skimage zmq glimpse3d"
OTHER_PYTHONS = ("3.12", "3.13")


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_under_test", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def build() -> ModuleType:
    return load(ROOT / "build.py")


def test_interpreter_of_an_environment(build: ModuleType) -> None:
    windows = build.venv_python(PureWindowsPath("C:\\my code\\.venv"), "win32")
    assert str(windows) == "C:\\my code\\.venv\\Scripts\\python.exe"
    for platform in ("linux", "darwin"):
        python = build.venv_python(PurePosixPath("/my code/.venv"), platform)
        assert str(python) == "/my code/.venv/bin/python"


def test_this_environment_has_that_layout(build: ModuleType) -> None:
    assert Path(build.venv_python(Path(sys.prefix), sys.platform)).exists()


@pytest.mark.parametrize(
    ("extras", "target"),
    [((), "."), (("server",), ".[server]"), (("server", "test"), ".[server,test]")],
)
def test_pip_command(build: ModuleType, extras: tuple[str, ...], target: str) -> None:
    command = build.pip_command(PureWindowsPath("C:\\x\\python.exe"), extras)
    assert command[:4] == ["C:\\x\\python.exe", "-m", "pip", "install"]
    assert command[-4:] == ["-c", "constraints.txt", "-e", target]
    assert not {"--upgrade", "-U", "--group", "--user"} & set(command)


def test_commands_are_shown_as_one_would_type_them(build: ModuleType) -> None:
    command = ["python", "-m", "glimpse3d", "my photo.png"]
    assert build.shown(command, "win32") == 'python -m glimpse3d "my photo.png"'
    for platform in ("linux", "darwin"):
        assert build.shown(command, platform) == "python -m glimpse3d 'my photo.png'"


def test_tests_are_parted_into_those_in_blender_and_the_others(build: ModuleType) -> None:
    assert build.parted([]) == ([], [])
    assert build.parted(["-q", "-k", "camera"]) == (["-q", "-k", "camera"],) * 2
    inside, outside = "tests/blender/test_zip.py::test_x", "tests/core/test_sh.py"
    assert build.parted(["-q", inside]) == (None, ["-q", inside])
    assert build.parted(["tests/blender", "-x"]) == (None, ["tests/blender", "-x"])
    assert build.parted([outside]) == ([outside], None)
    assert build.parted(["-q", inside, outside]) == (["-q", outside], ["-q", inside])


def test_recipe_changes_with_the_files_but_not_with_line_ends(build: ModuleType) -> None:
    before = build.recipe_of([b"numpy\nscipy\n", b"numpy==2\n"])
    assert build.recipe_of([b"numpy\r\nscipy\r\n", b"numpy==2\r\n"]) == before
    assert build.recipe_of([b"numpy\nscipy\n", b"numpy==3\n"]) != before
    assert build.recipe_of([b"numpy\nscipy\nnumpy==2\n", b""]) != before


def test_work_there_is(build: ModuleType) -> None:
    def stamp(*extras: str, place: str = "here", recipe: str = "r") -> object:
        return build.Stamp(place, recipe, extras)

    def work(now: object, *wanted: str) -> object:
        return build.work_for(now, "here", "r", wanted)

    make_server = build.Work(make=True, extras=("server",))
    assert work(None, "server") == make_server
    assert work(stamp("server", recipe=""), "server") == make_server  # interrupted
    assert work(stamp("server", place="3.12"), "server") == make_server
    assert work(stamp("server")) is None  # more than wanted stands there
    assert work(stamp("server", "test"), "test", "server") is None
    assert work(stamp("heic"), "test") == build.Work(make=False, extras=("heic", "test"))
    assert work(stamp("test", recipe="old"), "test") == build.Work(make=False, extras=("test",))


def test_only_tests_and_checks_ask_for_torch(build: ModuleType) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert set(build.TESTING) <= set(extras)
    asked = re.findall(r"ensure\((\(\)|\w+)\)", (ROOT / "build.py").read_text("utf-8"))
    assert sorted(asked) == ["()"] * 3 + ["TESTING"] * 2  # run, addon, bench; test, check

    def torch_among(needs: list[str]) -> bool:
        return any(re.match(r"torch|gsplat|transformers|ray\b", need) for need in needs)

    assert torch_among([need for name in build.TESTING for need in extras[name]])
    assert not torch_among([*project["dependencies"], *extras["server"], *extras["test"]])


def test_every_direct_dependency_is_frozen() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    needs = {re.split(r"[<>=\[; ]", need)[0] for group in groups for need in group}
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    frozen = {line.partition("==")[0] for line in lines if not line.startswith("#") and line}
    assert needs <= frozen
    assert all("==" in line for line in lines if line and not line.startswith("#"))
    assert "//" not in "".join(lines)  # no index, no file of one machine
    assert not [name for name in frozen if re.match(r"nvidia-|cuda-|triton$", name)]  # torch's own


def test_a_python_that_will_not_do_is_told_so(build: ModuleType) -> None:
    assert build.complaint((3, 11), lambda name: name) == ""
    assert build.complaint((3, 13), lambda name: name) == ""
    assert "3.11" in build.complaint((3, 10), lambda name: name)
    debian = build.complaint((3, 12), lambda name: None if name == "ensurepip" else name)
    assert "ensurepip" in debian and "apt install python3.12-venv" in debian


def test_exit_codes_are_the_childs(build: ModuleType, tmp_path: Path) -> None:
    assert build.call([sys.executable, "-c", "raise SystemExit(7)"]) == (7, False)
    code = "import pathlib; pathlib.Path('here').touch()"
    assert build.call([sys.executable, "-c", code], tmp_path) == (0, False)
    assert (tmp_path / "here").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_killed_child_gives_a_shells_code(build: ModuleType) -> None:
    code = f"import os; os.kill(os.getpid(), {int(signal.SIGTERM)})"
    assert build.call([sys.executable, "-c", code]) == (128 + signal.SIGTERM, False)


COMMANDS = ["run", "test", "soak", "addon", "check", "bench"]


def start(folder: Path, *arguments: str, python: str = sys.executable) -> "subprocess.Popen[str]":
    own_group = {} if sys.platform == "win32" else {"start_new_session": True}
    return subprocess.Popen(
        [python, str(folder / "build.py"), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **own_group,
    )  # fmt: skip


def output(folder: Path, *arguments: str, python: str = sys.executable) -> tuple[int, str]:
    process = start(folder, *arguments, python=python)
    text, _ = process.communicate(timeout=1800)
    return process.returncode, text


def test_help_and_mistakes_set_nothing_up(tmp_path: Path) -> None:
    shutil.copy(ROOT / "build.py", tmp_path)
    code, text = output(tmp_path, "--help")
    assert code == 0
    assert re.findall(r"^  (\w+)", text, re.MULTILINE) == COMMANDS
    assert output(tmp_path)[0] == 2
    code, text = output(tmp_path, "fly")
    assert code == 2 and "'fly'" in text and "Traceback" not in text
    assert [path.name for path in tmp_path.iterdir()] == ["build.py"]


def test_a_foreign_environment_is_left_alone(tmp_path: Path) -> None:
    for name in ("build.py", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "mine").touch()
    code, text = output(tmp_path, "run", "photo.png")
    assert code == 2 and "not made by build.py" in text
    assert (tmp_path / ".venv" / "mine").exists()


def test_a_checkout_that_cannot_be_set_up_says_why(tmp_path: Path) -> None:
    shutil.copy(ROOT / "build.py", tmp_path)
    code, text = output(tmp_path, "run", "photo.png")
    assert code == 2 and "pyproject.toml" in text and "Traceback" not in text


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What pip and the commands need of this checkout, elsewhere, at a path with a space."""
    folder = tmp_path / "a checkout"
    folder.mkdir()
    for name in ("build.py", "pyproject.toml", "constraints.txt", "LICENSE", "README.md"):
        shutil.copy(ROOT / name, folder)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "glimpse3d", folder / "glimpse3d", ignore=ignored)
    return folder


def base_python() -> str:
    """The Python that this environment was made from."""
    return str(Path(sys.executable).resolve())


def python_of(folder: Path) -> str:
    return str(load(ROOT / "build.py").venv_python(folder / ".venv", sys.platform))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="ctrl-C goes to a POSIX process group")
def test_an_interrupted_set_up_is_done_again(checkout: Path) -> None:
    process = start(checkout, "run", "--help", python=base_python())
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Collecting"):
            break
    os.killpg(process.pid, signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in rest and "stopped" in rest

    code, text = output(checkout, "run", "--help", python=base_python())
    assert code == 0 and "-m venv" in text and "--preset" in text
    listed = subprocess.check_output([python_of(checkout), "-m", "pip", "list"], text=True)
    assert "glimpse3d" in listed and "torch" not in listed and "pyzmq" not in listed

    started = time.perf_counter()
    code, text = output(checkout, "run", "--help", python=base_python())
    assert code == 0 and "pip" not in text
    assert time.perf_counter() - started < 5


@pytest.mark.slow
@pytest.mark.parametrize("version", OTHER_PYTHONS)
def test_other_pythons_set_up_the_base_and_the_server(version: str, checkout: Path) -> None:
    python = find_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version} on this machine")
    script = "import build; build.ensure(('server',))"
    subprocess.run([python, "-c", script], cwd=checkout, check=True, timeout=1800)
    code = "import sys; [__import__(name) for name in sys.argv[1:]]"
    command = [python_of(checkout), "-c", code, *SERVER_IMPORTS.split()]
    subprocess.run(command, cwd=checkout, check=True, timeout=600)


def find_python(version: str) -> str | None:
    """An interpreter of that version, tried out: what stands on PATH may be an empty shim."""
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for command in (f"python{version}", *map(str, pyenv)):
        path = shutil.which(command)
        if path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
            return path
    return None
