"""The local server's installation and life: real environments, real pip, real processes.

Only the packages are small: a wheel of our name that has the server's modules empty stands for
what would take hundreds of megabytes. The server that is started and killed is the real one.
"""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blender_addon import child, launcher, server_folder
from blender_addon.install_log import InstallLog
from blender_addon.launcher import Launcher
from blender_addon.local import Local
from blender_addon.power import Extras
from blender_addon.server_folder import COMPILED
from inference_server.client import Client
from tests.server.serving import ROOT, children, eventually, in_state, picture, ready

FROZEN = "torch==9.0\n"


def small_wheel(folder: Path, *needs: str, modules: tuple[str, ...] = COMPILED) -> Path:
    """A wheel named like ours, with modules in it that are empty."""
    path = folder / "glimpse3d-0.1.0-py3-none-any.whl"
    about = "Metadata-Version: 2.1\nName: glimpse3d\nVersion: 0.1.0\nProvides-Extra: server\n"
    about += "".join(f'Requires-Dist: {need}; extra == "server"\n' for need in needs)
    tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    info = "glimpse3d-0.1.0.dist-info"
    files = {f"{name}.py": "" for name in ("glimpse3d", *modules)}
    files |= {f"{info}/METADATA": about, f"{info}/WHEEL": tags}
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return path


def constraints(folder: Path) -> Path:
    path = folder / "constraints.txt"
    path.write_text(FROZEN)
    return path


def made(folder: Path, wheel: Path) -> Launcher:
    return Launcher(folder, Path(sys.executable), wheel, constraints(wheel.parent))


def pumped(running: Launcher, until: Callable[[], bool], seconds: float = 120.0) -> list[float]:
    """Poll until it is so; returns the fractions on the way."""
    end = time.monotonic() + seconds
    fractions = [running.fraction]
    while not until():
        assert time.monotonic() < end, (running.state, running.last_line, running.problem)
        running.poll()
        fractions.append(running.fraction)
        time.sleep(0.01)
    return fractions


def test_it_installs_then_renews_and_leaves_this_python_alone(
    tmp_path: Path, offline: None
) -> None:
    own = sorted(path.name for path in Path(sys.prefix).rglob("*.dist-info"))
    folder = tmp_path / "a user's folder"
    first = made(folder, small_wheel(tmp_path / "one"))
    assert first.state == "absent" and not folder.exists() and first.size_hint >= 100
    first.install()
    assert first.state == "installing" and first.last_line == "Making an environment of its own"
    fractions = pumped(first, lambda: first.state != "installing")
    assert first.state == "installed", first.problem
    assert fractions == sorted(fractions) and fractions[0] < 0.1 and first.fraction == 1.0
    assert "Successfully installed glimpse3d-0.1.0" in first.log_path.read_text()
    assert made(folder, first._place.wheel).state == "installed"

    other = small_wheel(tmp_path / "two", modules=(*COMPILED, "newer"))
    second = made(folder, other)  # the same version number, other bytes
    assert second.state == "outdated"
    second.start()
    assert second.state == "outdated"
    second.install()
    pumped(second, lambda: second.state != "installing")
    assert second.state == "installed", second.problem
    assert list(folder.glob("venv-2/[Ll]ib/**/newer.py"))
    assert sorted(path.name for path in Path(sys.prefix).rglob("*.dist-info")) == own


def test_a_cancelled_installation_is_incomplete_and_goes_on(
    tmp_path: Path, begun: Path, offline: None
) -> None:
    running = made(begun, small_wheel(tmp_path / "wheel"))
    (begun / "venv" / server_folder.MADE).unlink()
    pip = next((begun / "venv").glob("[Ll]ib/**/site-packages/pip"))
    running.install()
    pumped(running, lambda: not pip.exists())  # made anew
    step = running._child
    assert step is not None
    running.cancel()
    assert step.code not in (None, 0) and running.state == "incomplete"
    assert not running.poll() and made(begun, running._place.wheel).state == "incomplete"
    assert running.problem == "" and running.string is None


def test_an_installation_goes_on_with_the_environment_that_stands(
    tmp_path: Path, begun: Path, offline: None
) -> None:
    mark = next((begun / "venv").glob("[Ll]ib/**/site-packages")) / "mark.py"
    mark.touch()
    running = made(begun, small_wheel(tmp_path / "wheel"))
    assert running.state == "incomplete"
    running.install()
    pumped(running, lambda: running.state != "installing")
    assert running.state == "installed" and mark.exists()
    (begun / "venv" / "pyvenv.cfg").write_text("version = 3.7.1\n")  # of another Blender
    running._place.version_file.unlink()
    again = made(begun, running._place.wheel)
    again.install()
    pumped(again, lambda: not mark.exists())
    again.cancel()


def test_a_failed_installation_says_why_and_can_be_tried_again(
    tmp_path: Path, begun: Path, offline: None
) -> None:
    running = made(begun, small_wheel(tmp_path / "wheel", "no-such-package"))
    running.install()
    pumped(running, lambda: running.state != "installing")
    assert running.state == "failed"
    assert "no-such-package" in running.problem and "server elsewhere" in running.hint
    running.retry()
    assert running.state == "incomplete" and running.problem == running.hint == ""


def test_packages_that_cannot_be_imported_are_no_installation(
    tmp_path: Path, begun: Path, offline: None
) -> None:
    running = made(begun, small_wheel(tmp_path / "wheel", modules=COMPILED[1:]))
    running.install()
    pumped(running, lambda: running.state != "installing")
    assert running.state == "failed" and COMPILED[0] in running.problem
    assert str(running.log_path) in running.hint


def test_two_at_once_do_not_install_into_one_folder(tmp_path: Path, offline: None) -> None:
    wheel = small_wheel(tmp_path / "wheel")
    first, second = made(tmp_path / "local", wheel), made(tmp_path / "local", wheel)
    first.install()
    second.install()
    assert second.state == "failed" and "another Blender" in second.problem
    assert first.state == "installing"
    first.cancel()
    second.install()
    assert second.state == "installing"
    second.cancel()


def test_a_full_disk_is_told_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_folder, "DISK_MB", 10**9)
    running = made(tmp_path / "local", small_wheel(tmp_path / "wheel"))
    running.install()
    assert running.state == "failed" and "MB left" in running.problem and "room" in running.hint
    assert not (tmp_path / "local").exists()


def test_a_machine_without_packages_is_told_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    running = made(tmp_path / "local", small_wheel(tmp_path / "wheel"))
    running.install()
    assert running.state == "failed" and "Intel" in running.problem
    assert "another machine" in running.hint and not (tmp_path / "local").exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    running = made(tmp_path / "file" / "local", small_wheel(tmp_path / "wheel"))
    running.install()
    assert running.state == "failed" and running.hint == "choose another folder"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment in which the project runs: this one's packages and this checkout."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = next(folder.glob("[Ll]ib/**/site-packages"))
    ours = next(path for path in sys.path if path.endswith("site-packages"))
    (packages / "project.pth").write_text(f"{ROOT}\n{ours}\n")
    return folder


@pytest.fixture
def installed(tmp_path: Path, environment: Path) -> Iterator[Callable[[], Launcher]]:
    """Launchers on one folder where the server is installed."""
    folder = tmp_path / "local"
    folder.mkdir()
    (folder / "venv").symlink_to(environment)
    wheel = small_wheel(tmp_path / "wheel")
    (folder / "version.txt").write_text(made(folder, wheel)._place.version())
    launchers: list[Launcher] = []

    def make() -> Launcher:
        launchers.append(made(folder, wheel))
        assert launchers[-1].state == "installed"
        return launchers[-1]

    yield make
    for each in launchers:
        each.stop()


def started(running: Launcher) -> Launcher:
    running.start()
    assert running.state == "starting" and running.string is None
    pumped(running, lambda: running.state != "starting", 30.0)
    assert running.state == "running", running.problem
    return running


def test_it_starts_a_server_that_answers_and_stops_it(
    installed: Callable[[], Launcher],
) -> None:
    running = started(installed())
    assert running.string is not None
    client = ready(Client(running.string, name="test"))
    assert client.where.host == "127.0.0.1"
    client.close()
    secret = running.string.rpartition("#")[2].split(".")[2]
    files = [path for path in running.folder.glob("*") if path.is_file()]
    assert not [path for path in files if secret in path.read_text("utf-8", "replace")]
    process = running._child
    assert process is not None
    before = time.monotonic()
    running.stop()
    assert time.monotonic() - before < launcher.STOP_SECONDS / 2
    assert process.code == 0 and running.state == "installed" and running.string is None


def test_a_second_blender_has_a_server_of_its_own(installed: Callable[[], Launcher]) -> None:
    first, second = started(installed()), started(installed())
    assert first.string != second.string
    assert first.state == "running"
    first.stop()
    third = started(installed())
    assert third.string not in (None, second.string)
    assert sorted(path.name for path in first.folder.glob("data*/")) == ["data", "data-2"]


def test_a_server_that_dies_is_told_and_can_be_started_again(
    installed: Callable[[], Launcher],
) -> None:
    running = started(installed())
    assert running._child is not None
    os.kill(running._child.pid, signal.SIGKILL)
    pumped(running, lambda: running.state != "running", 10.0)
    assert running.state == "failed" and running.string is None
    assert "ended" in running.problem and str(running.server_log_path) in running.hint
    started(running)


def test_an_environment_whose_python_is_gone_is_incomplete(
    installed: Callable[[], Launcher],
) -> None:
    running = installed()
    (running.folder / "venv").unlink()
    (running.folder / "venv").mkdir()
    running.start()
    assert running.poll() is False and running._child is None
    assert made(running.folder, running._place.wheel).state == "incomplete"


BLENDER = """
import sys, time
from pathlib import Path
from blender_addon.launcher import Launcher
from blender_addon.local import Local
from blender_addon.power import Extras
running = Launcher(*map(Path, sys.argv[1:]))
running.start()
while running.state == "starting":
    running.poll()
    time.sleep(0.01)
print(running.state, running._child.pid, flush=True)
print(running.string, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals and /proc")
def test_no_orphan_when_blender_is_killed_at_work(installed: Callable[[], Launcher]) -> None:
    local = installed()
    arguments = [local.folder, local._place.python, local._place.wheel, local._place.constraints]
    command = [sys.executable, "-c", textwrap.dedent(BLENDER), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as blender:
        assert blender.stdout is not None
        state, pid = blender.stdout.readline().split()
        assert state == "running"
        client = ready(Client(blender.stdout.readline().strip(), name="test"))
        in_state(client, client.generate(picture(), {"preset": "high"}), "running")
        family = [int(pid), *children(int(pid), "")]
        assert len(family) > 1 and all(map(alive, family))
        blender.kill()
    client.close()
    eventually(lambda: not any(map(alive, family)), 5.0)


INSTALLING = """
import sys, time
from pathlib import Path
from blender_addon.launcher import Launcher
from blender_addon.local import Local
from blender_addon.power import Extras
running = Launcher(*map(Path, sys.argv[1:]))
running.install()
print(running.state, flush=True)
time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a lock is not passed on to children there")
def test_what_a_killed_blender_installs_is_waited_for(tmp_path: Path, offline: None) -> None:
    folder, wheel = tmp_path / "local", small_wheel(tmp_path / "wheel")
    running = made(folder, wheel)
    arguments = [folder, sys.executable, wheel, wheel.parent / "constraints.txt"]
    command = [sys.executable, "-c", INSTALLING, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as blender:
        assert blender.stdout is not None
        assert blender.stdout.readline().strip() == "installing"
        blender.kill()
    running.install()
    assert running.state == "failed" and "right now" in running.problem

    def free() -> bool:
        running.retry()
        running.install()
        return running.state == "installing"

    eventually(free, 60.0)
    pumped(running, lambda: running.state != "installing")
    assert running.state == "installed", running.problem


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def test_a_lock_ends_with_its_file(tmp_path: Path) -> None:
    first = child.lock(tmp_path / "lock")
    assert first is not None and child.lock(tmp_path / "lock") is None
    first.close()
    again = child.lock(tmp_path / "lock")
    assert again is not None
    again.close()


@pytest.fixture
def log(tmp_path: Path) -> tuple[Path, InstallLog]:
    path = tmp_path / "install.log"
    return path, InstallLog(path, 100.0)


def test_progress_is_the_megabytes_that_are_fetched(log: tuple[Path, InstallLog]) -> None:
    path, reader = log
    reader.follow(None)
    assert (reader.fraction, reader.last_line) == (0.0, "")
    with path.open("a") as file:
        for line, fraction in (
            ("WARNING: the index at this place is ignored\n", 0.0),
            ("  Downloading one-1.0-py3-none-any.whl (40.0 MB)\n", 0.0),
            ("  Using cached two-1.0-py3-none-any.whl (500 kB)\n", 0.8 * 0.40),
            ("  Downloading three-1.0-py3-none-any.whl (0.1 GB)\n", 0.8 * 0.405),
            ("  Downloading four-1.0.whl (40.0", 0.8 * 0.405),  # a line half written
            (" MB)\n", 0.8),
            ("Installing collected packages: one, two, three, four\n", 0.8),
        ):
            file.write(line)
            file.flush()
            reader.follow(None)
            assert reader.fraction == pytest.approx(fraction)
    (path.parent / "one-1.0.dist-info").mkdir()
    (path.parent / "two-1.0.dist-info").mkdir()
    reader.follow(path.parent)
    assert reader.fraction == pytest.approx(0.8 + 0.18 / 2)
    assert reader.last_line == "Installing collected packages: one, two, three, four"


def test_pytorch_comes_first_and_is_not_the_end(log: tuple[Path, InstallLog]) -> None:
    path, reader = log
    lines = [
        "  Downloading torch-2.0-py3-none-any.whl (60.0 MB)",
        "Installing collected packages: torch",
    ]
    lines += ["Successfully installed torch-2.0", "  Downloading one-1.0.whl (1.0 MB)"]
    path.write_text("".join(f"{line}\n" for line in lines))
    reader.follow(path.parent)
    assert reader.fraction == pytest.approx(0.8 * 0.6)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left", "room"),
        ("ERROR: Connection aborted: <urllib3 NewConnectionError> refused", "internet"),
        ("ERROR: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", "proxy"),
        ("ERROR: No matching distribution found for numba==0.68.1", "elsewhere"),
        ("ERROR: [Errno 13] Permission denied: '/x'", "folder"),
        ("/blender/python: No module named ensurepip", "blender.org"),
        ("something else", ""),
    ],
)
def test_what_pip_says_becomes_a_hint(line: str, hint: str, log: tuple[Path, InstallLog]) -> None:
    path, reader = log
    path.write_text(f"Collecting numba\n{line}\n")
    reader.follow(None)
    said, advice = reader.problem()
    assert said == line.removeprefix("ERROR: ")
    assert hint in advice and bool(hint) == bool(advice)


def test_a_python_without_ensurepip_is_told_by_name(log: tuple[Path, InstallLog]) -> None:
    path, reader = log
    path.write_text(
        "The virtual environment was not created successfully because ensurepip is not\n"
        "available.  On Debian/Ubuntu systems, you need to install the python3-venv\n"
        "package using the following command.\n\n    apt install python3.13-venv\n\n"
        "Failing command: /home/me/server/venv/bin/python3.13\n"
    )
    reader.follow(None)
    said, advice = reader.problem()
    assert said.startswith("ensurepip is not available") and "blender.org" in advice


def test_a_change_that_fails_or_is_cancelled_and_the_server_goes_on(
    tmp_path: Path, bare: Path, installed: Callable[[], Launcher], offline: None
) -> None:
    running = installed()
    beside = running.folder / "venv-2"
    shutil.copytree(bare, beside, symlinks=True)
    (beside / server_folder.MADE).write_text("cpu")
    local = Local(running, tmp_path, Path(sys.executable))

    def until(done: Callable[[], object]) -> None:
        limit = time.monotonic() + 120
        while not done():
            assert time.monotonic() < limit, (running.state, running.problem)
            local.poll()
            time.sleep(0.01)

    try:
        local.start()
        until(lambda: running.state == "running")
        local.change(Extras("cpu"))
        assert local.changing and running.state == "installing"
        local.cancel_change()
        until(lambda: running.state == "running")
        assert not local.changing and local.problem is None
        local.change(Extras("cpu"))
        until(lambda: not local.changing)
        assert local.problem is not None and "could not be installed" in local.problem.message
        until(lambda: running.state == "running" and local.gpus is not None)
        assert running.extras == Extras()
    finally:
        local.close()
    assert running.state == "installed"
