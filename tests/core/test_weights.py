"""Weights as users meet them, fetched by the hub's own library from a hub on this machine."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from glimpse3d import cli, models, weights
from glimpse3d.errors import BadFile, Cancelled, DiskFull, OutputFailed, WeightsMissing
from glimpse3d.models import Model, ModelFile
from glimpse3d.progress import Progress, Report
from tests.hub_server import Hub, serving

if os.environ.get("CI") != "true":
    pytest.importorskip("huggingface_hub")
import huggingface_hub

from glimpse3d import hub as transfer

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONFIG = b"cond_image_size: 512\n"
# Three of the blocks of 10 MB in which the hub's library writes.
CHECKPOINT = np.random.default_rng(7).bytes(26_000_000)


def file_of(name: str, content: bytes) -> ModelFile:
    return ModelFile(name, len(content), hashlib.sha256(content).hexdigest())


FILES = (file_of("config.yaml", CONFIG), file_of("model.ckpt", CHECKPOINT))
FACTS = [str(file.size) for file in FILES] + [file.sha256 for file in FILES]
SMALL = Model("small", "Small", "MIT", "someone/Small", COMMIT, FILES)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that serves the small model, asked by this process as by one with an empty cache."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setitem(models.KNOWN, "small", SMALL)
    with serving() as hub:
        hub.files = {f"someone/Small/{COMMIT}/{name}": content for name, content in CONTENTS}
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


CONTENTS = (("config.yaml", CONFIG), ("model.ckpt", CHECKPOINT))


def contents() -> dict[str, bytes]:
    place = weights.snapshot(SMALL.repo_id, COMMIT)
    return {path.name: path.read_bytes() for path in place.iterdir()} if place.is_dir() else {}


def blobs() -> list[str]:
    place = weights.repository(SMALL.repo_id) / "blobs"
    return sorted(path.name for path in place.iterdir()) if place.is_dir() else []


def plant(content: bytes) -> Path:
    """What a former try left of the checkpoint."""
    begun = weights.partial_of(SMALL, FILES[1])
    begun.parent.mkdir(parents=True)
    begun.write_bytes(content)
    return begun


def test_what_is_fetched_is_found_by_us_and_by_the_hubs_library(hub: Hub) -> None:
    with pytest.raises(WeightsMissing) as lacking:
        weights.folder("someone/Small", files=("config.yaml",))
    assert lacking.value.model == "small"
    assert lacking.value.hint == "run: glimpse3d models fetch small"
    assert hub.requests == []

    place = transfer.fetch(SMALL, Progress())
    assert contents() == dict(CONTENTS)
    for file in FILES:
        found = huggingface_hub.hf_hub_download(
            SMALL.repo_id, file.name, revision=COMMIT,
            cache_dir=weights.hub_folder(), local_files_only=True,
        )  # fmt: skip
        assert Path(found) == place / file.name
    assert weights.folder("someone/Small", files=("config.yaml", "model.ckpt")) == place
    weights.verify(SMALL, Progress())

    asked = len(hub.requests)
    assert transfer.fetch(SMALL, Progress()) == place
    assert len(hub.requests) == asked


def test_what_the_hubs_library_fetched_is_not_fetched_again(hub: Hub) -> None:
    for file in FILES:
        huggingface_hub.hf_hub_download(
            SMALL.repo_id, file.name, revision=COMMIT,
            cache_dir=weights.hub_folder(), endpoint=hub.url,
        )  # fmt: skip
    assert len(hub.transfers()) == 1
    assert weights.missing(SMALL) == ()
    transfer.fetch(SMALL, Progress())
    assert len(hub.transfers()) == 1


def test_a_token_stays_with_the_hub(hub: Hub) -> None:
    transfer.fetch(SMALL, Progress())
    assert {each.authorization for each in hub.transfers()} == {""}
    asked = {each.authorization for each in hub.requests if "/resolve/" in each.path}
    assert asked == {"Bearer hf_secret"}


def test_progress_tells_how_much_of_how_much(hub: Hub) -> None:
    seen: list[Report] = []
    transfer.fetch(SMALL, Progress(seen.append))
    fractions = [report.fraction for report in seen]
    assert fractions == sorted(fractions) and fractions[-1] == 1
    notes = [report.note for report in seen if report.stage == "fetch model.ckpt"]
    assert {"0.0 kB of 26 MB", "10 MB of 26 MB", "21 MB of 26 MB"} <= set(notes)


FETCH = """
import sys
from glimpse3d import hub
from glimpse3d.models import Model, ModelFile
from glimpse3d.progress import Progress
sizes, hashes = map(int, sys.argv[2:4]), sys.argv[4:6]
files = tuple(map(ModelFile, ("config.yaml", "model.ckpt"), sizes, hashes))
hub.fetch(Model("small", "Small", "MIT", "someone/Small", sys.argv[1], files), Progress())
"""


def wait_for(process: subprocess.Popen[str] | subprocess.Popen[bytes], size: int) -> Path:
    """Until another process has fetched that much of the checkpoint."""
    begun = weights.partial_of(SMALL, FILES[1])
    deadline = time.monotonic() + 60
    while not begun.is_file() or begun.stat().st_size < size:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    return begun


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_killed_fetch_goes_on_where_it_stopped(hub: Hub) -> None:
    hub.cuts, hub.cut_after, hub.stall = 1, 21_000_000, threading.Event()
    process = subprocess.Popen([sys.executable, "-c", FETCH, COMMIT, *FACTS], cwd=ROOT)
    begun = wait_for(process, 20_000_000)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = begun.stat().st_size
    assert begun.read_bytes() == CHECKPOINT[:kept]
    assert weights.bytes_to_fetch(SMALL) == len(CHECKPOINT) - kept

    hub.stall.set()
    transfer.fetch(SMALL, Progress())
    assert [each.start for each in hub.transfers()] == [0, kept]
    assert contents() == dict(CONTENTS)
    assert not [name for name in blobs() if name.endswith(".incomplete")]


def test_a_cut_connection_is_taken_up_again(hub: Hub) -> None:
    hub.cuts, hub.cut_after = 1, 15_000_000
    transfer.fetch(SMALL, Progress())
    assert len(hub.transfers()) == 2 and hub.transfers()[1].start >= 10_000_000
    assert contents() == dict(CONTENTS)


def test_a_mirror_without_ranges_serves_as_well(hub: Hub) -> None:
    plant(CHECKPOINT[:12_000_000])
    hub.ranges = False
    transfer.fetch(SMALL, Progress())
    assert contents() == dict(CONTENTS)


@pytest.mark.parametrize("left", [b"x" * 1000, b"x" * len(CHECKPOINT)])
def test_a_beginning_of_something_else_is_found_out_and_thrown_away(hub: Hub, left: bytes) -> None:
    plant(left)
    with pytest.raises(BadFile, match="SHA-256"):
        transfer.fetch(SMALL, Progress())
    assert "model.ckpt" not in contents()
    transfer.fetch(SMALL, Progress())
    assert contents() == dict(CONTENTS)


def test_a_beginning_that_is_too_long_is_begun_again(hub: Hub) -> None:
    plant(CHECKPOINT + b"more")
    transfer.fetch(SMALL, Progress())
    assert contents() == dict(CONTENTS)


def test_other_bytes_than_the_pinned_ones_are_refused(hub: Hub) -> None:
    hub.files[f"someone/Small/{COMMIT}/model.ckpt"] = CHECKPOINT[:-1] + b"!"
    with pytest.raises(BadFile, match="SHA-256"):
        transfer.fetch(SMALL, Progress())
    assert list(contents()) == ["config.yaml"]
    assert len(blobs()) == 1
    hub.files[f"someone/Small/{COMMIT}/model.ckpt"] = CHECKPOINT[:-1]
    moved = len(hub.transfers())
    with pytest.raises(BadFile, match="25999999 bytes instead of 26000000"):
        transfer.fetch(SMALL, Progress())
    assert len(hub.transfers()) == moved


def test_cancelling_keeps_what_was_fetched(hub: Hub) -> None:
    seen: list[Report] = []
    stop = Progress(seen.append, lambda: bool(seen) and "21 MB" in seen[-1].note)
    with pytest.raises(Cancelled):
        transfer.fetch(SMALL, stop)
    kept = weights.partial_of(SMALL, FILES[1]).stat().st_size
    assert kept >= 10_000_000
    transfer.fetch(SMALL, Progress())
    assert hub.transfers()[-1].start == kept
    assert contents() == dict(CONTENTS)


def test_offline_nothing_is_asked(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsMissing, match="HF_HUB_OFFLINE"):
        transfer.fetch(SMALL, Progress())
    assert hub.requests == []
    monkeypatch.delenv("HF_HUB_OFFLINE")
    place = transfer.fetch(SMALL, Progress())
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert transfer.fetch(SMALL, Progress()) == place


def test_an_unreachable_hub_is_told_as_such(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(WeightsMissing, match="could not be fetched") as refused:
        transfer.fetch(SMALL, Progress())
    assert "goes on where it stopped" in refused.value.hint
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    hub.files = {}
    with pytest.raises(WeightsMissing, match="Repository Not Found"):
        transfer.fetch(SMALL, Progress())


def test_too_small_a_disk_is_told_before_anything_is_fetched(hub: Hub) -> None:
    huge = Model("huge", "Huge", "MIT", "someone/Huge", COMMIT, (ModelFile("x", 10**18, "0" * 64),))
    with pytest.raises(DiskFull, match=r"needs 1000000000\.00 GB"):
        transfer.fetch(huge, Progress())
    assert hub.requests == []


def test_a_cache_that_cannot_be_made_is_told(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "hf").write_text("a file")
    with pytest.raises(OutputFailed, match="cannot be changed"):
        transfer.fetch(SMALL, Progress())


def test_damage_is_found_and_repaired(hub: Hub) -> None:
    place = transfer.fetch(SMALL, Progress())
    content = bytearray(CHECKPOINT)
    content[13_000_000] ^= 1
    (place / "model.ckpt").write_bytes(content)
    with pytest.raises(BadFile, match=r"model\.ckpt is damaged: its SHA-256"):
        weights.verify(SMALL, Progress())
    (place / "model.ckpt").write_bytes(content[:-1])
    for look in (
        lambda: weights.verify(SMALL, Progress()),
        lambda: weights.folder("someone/Small", files=("config.yaml",)),
    ):
        with pytest.raises(BadFile, match="25999999 bytes instead of 26000000"):
            look()
    transfer.fetch(SMALL, Progress())
    weights.verify(SMALL, Progress())


def test_removing_takes_the_model_and_nothing_else(hub: Hub) -> None:
    other = Model("other", "Other", "MIT", "someone/Other", COMMIT, FILES)
    for name, content in CONTENTS:
        hub.files[f"someone/Other/{COMMIT}/{name}"] = content
    transfer.fetch(SMALL, Progress())
    transfer.fetch(other, Progress())
    assert transfer.remove(SMALL) == SMALL.size
    assert contents() == {} and blobs() == []
    weights.verify(other, Progress())
    assert transfer.remove(SMALL) == 0
    plant(CHECKPOINT[:1000])
    assert transfer.remove(SMALL) == 1000 and blobs() == []


def test_without_links_the_file_itself_has_the_name(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError("a required privilege is not held by the client")

    with monkeypatch.context() as windows:
        windows.setattr(Path, "symlink_to", refused)
        place = transfer.fetch(SMALL, Progress())
    assert not any((place / file.name).is_symlink() for file in FILES)
    assert blobs() == []
    weights.verify(SMALL, Progress())
    assert transfer.remove(SMALL) == SMALL.size
    assert weights.missing(SMALL) == FILES


def test_two_do_not_fetch_the_same_at_once(hub: Hub) -> None:
    store = weights.repository(SMALL.repo_id)
    lock = store.parent / ".locks" / store.name / f"{FILES[1].sha256}.lock"
    lock.parent.mkdir(parents=True)
    with (
        huggingface_hub.utils.WeakFileLock(lock),
        pytest.raises(WeightsMissing, match="somebody else is fetching"),
    ):
        transfer.fetch(SMALL, Progress())
    assert hub.transfers() == []
    transfer.fetch(SMALL, Progress())
    assert contents() == dict(CONTENTS)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_says_that_it_goes_on(hub: Hub) -> None:
    hub.cuts, hub.cut_after, hub.stall = 1, 11_000_000, threading.Event()
    command = [sys.executable, "-c", ASK.replace('"small"])', '"small", "--yes"])'), COMMIT, *FACTS]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    wait_for(process, 10_000_000)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "the same command goes on with it" in said and "Traceback" not in said
    assert weights.partial_of(SMALL, FILES[1]).stat().st_size >= 10_000_000


def test_a_folder_of_ones_own_is_taken(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(CONFIG)
    one_of = ("model.safetensors", "model.ckpt")
    with pytest.raises(WeightsMissing, match=r"no model\.safetensors or model\.ckpt"):
        weights.folder(tmp_path, files=("config.yaml",), one_of=one_of)
    (tmp_path / "model.ckpt").write_bytes(b"anything")
    assert weights.folder(str(tmp_path), files=("config.yaml",), one_of=one_of) == tmp_path
    for nowhere in (tmp_path / "not here", tmp_path / "config.yaml", "/no/such/place"):
        with pytest.raises(WeightsMissing, match="there is no folder"):
            weights.folder(nowhere, files=("config.yaml",))


def test_an_unknown_repository_needs_the_hubs_own_command(hub: Hub) -> None:
    with pytest.raises(WeightsMissing) as lacking:
        weights.folder("someone/Tuned", "v2", files=("config.yaml",), one_of=("model.ckpt",))
    assert "hf download someone/Tuned config.yaml model.ckpt --revision v2" in lacking.value.hint
    assert lacking.value.model == ""
    store = weights.repository("someone/Tuned")
    (store / "refs").mkdir(parents=True)
    (store / "refs" / "v2").write_text(COMMIT)
    place = store / "snapshots" / COMMIT
    place.mkdir(parents=True)
    (place / "config.yaml").write_bytes(CONFIG)
    (place / "model.ckpt").write_bytes(b"tuned")
    assert weights.folder("someone/Tuned", "v2", files=("config.yaml",)) == place


AGREE = """
import importlib, itertools, os
from huggingface_hub import constants
from glimpse3d import weights
values = {"HF_HOME": "~/a", "HF_HUB_CACHE": "$HOME/b", "HUGGINGFACE_HUB_CACHE": "/c",
          "XDG_CACHE_HOME": "/d", "HF_HUB_OFFLINE": "yes", "TRANSFORMERS_OFFLINE": "1"}
for chosen in itertools.product((False, True), repeat=len(values)):
    for (name, value), used in zip(values.items(), chosen):
        os.environ.pop(name, None)
        os.environ.update({name: value} if used else {})
    importlib.reload(constants)
    assert str(weights.hub_folder()) == constants.HF_HUB_CACHE, chosen
    assert weights.offline() == constants.HF_HUB_OFFLINE, chosen
"""


def test_the_environment_is_read_as_the_hubs_library_reads_it() -> None:
    subprocess.run([sys.executable, "-c", AGREE], cwd=ROOT, check=True)


def test_models_are_listed_with_size_licence_and_state(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["models", "list"]) == 0
    said = capsys.readouterr().out
    assert "TripoSR, 1.68 GB, licence MIT, stabilityai/TripoSR at 5b521936b01f" in said
    assert "not here; glimpse3d models fetch small" in said
    plant(CHECKPOINT[:20_000_000])
    cli.main(["models", "list"])
    assert "6 MB of 26 MB missing" in capsys.readouterr().out
    transfer.fetch(SMALL, Progress())
    cli.main(["models", "list"])
    assert f"here: {weights.snapshot(SMALL.repo_id, COMMIT)}" in capsys.readouterr().out


def test_without_a_terminal_nothing_is_fetched_unasked(
    hub: Hub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path(os.devnull).open() as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        assert cli.main(["models", "fetch", "small"]) == 2
    said = capsys.readouterr()
    assert "26 MB will be fetched into" in said.out
    assert "glimpse3d models fetch small --yes" in said.err
    assert hub.requests == []

    assert cli.main(["models", "fetch", "small", "--yes"]) == 0
    assert contents() == dict(CONTENTS)
    assert cli.main(["models", "verify", "small"]) == 0
    assert cli.main(["models", "remove", "small"]) == 0
    assert "26 MB freed" in capsys.readouterr().out
    assert cli.main(["models", "verify", "small"]) == 2
    assert "models fetch small" in capsys.readouterr().err


ASK = """
import sys
from glimpse3d import cli, models
sizes, hashes = map(int, sys.argv[2:4]), sys.argv[4:6]
files = tuple(map(models.ModelFile, ("config.yaml", "model.ckpt"), sizes, hashes))
models.KNOWN["small"] = models.Model("small", "Small", "MIT", "someone/Small", sys.argv[1], files)
sys.exit(cli.main(["models", "fetch", "small"]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 2), ("\n", 2), ("\x04", 2)])
def test_at_a_terminal_the_size_is_said_and_the_answer_counts(
    hub: Hub, answer: str, code: int
) -> None:
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", ASK, COMMIT, *FACTS]
    with subprocess.Popen(command, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        while b"[y/N]" not in said:
            said += os.read(ours, 1000)
        assert hub.requests == []
        assert b"26 MB will be fetched into" in said and b"Fetch 26 MB now?" in said
        os.write(ours, answer.encode())
        while part := read_terminal(ours):
            said += part
    os.close(ours)
    assert process.returncode == code
    if code == 0:
        assert contents() == dict(CONTENTS)
        assert b"26 MB of 26 MB" in said  # the bar was drawn
    else:
        assert hub.requests == [] and contents() == {}
        assert b"glimpse3d models fetch small --yes" in said


def read_terminal(ours: int) -> bytes:
    """What is said next; nothing once the other side is gone."""
    try:
        return os.read(ours, 1000)
    except OSError:
        return b""
