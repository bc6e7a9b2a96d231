"""Models whose files are pinned by their commit alone: the hub's checksums are learnt and held."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from glimpse3d import cli, hub, models, weights
from glimpse3d.errors import BadFile, WeightsMissing
from glimpse3d.progress import Progress
from tests.hub_server import Hub, serving

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SMALL, LARGE = b'{"model_type": "dpt"}', bytes(range(256)) * 400
FILES = (models.ModelFile("config.json", 20), models.ModelFile("model.safetensors", 100_000))
MODEL = models.Model("tiny", "Tiny", "MIT", "someone/Tiny", COMMIT, FILES)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setitem(models.KNOWN, "tiny", MODEL)
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with serving() as found:
        monkeypatch.setenv("HF_ENDPOINT", found.url)
        prefix = f"someone/Tiny/{COMMIT}"
        found.files = {f"{prefix}/config.json": SMALL, f"{prefix}/model.safetensors": LARGE}
        yield found


def test_every_revision_is_a_whole_commit_and_no_two_models_share_a_name() -> None:
    for name, model in models.KNOWN.items():
        assert model.name == name
        assert len(model.revision) == 40 and set(model.revision) <= set("0123456789abcdef")
        assert all(len(file.sha256) in (0, 64) and file.size > 0 for file in model.files)
    assert len({model.repo_id for model in models.KNOWN.values()}) == len(models.KNOWN)


def test_sizes_and_checksums_are_learnt_and_kept_beside_the_files(served: Hub) -> None:
    place = hub.fetch(MODEL, Progress())
    assert (place / "config.json").read_bytes() == SMALL
    assert (place / "model.safetensors").read_bytes() == LARGE
    settled = weights.settled(MODEL)
    assert [file.size for file in settled.files] == [len(SMALL), len(LARGE)]
    assert all(len(file.sha256) == 64 for file in settled.files)
    assert weights.missing(MODEL) == ()
    weights.verify(MODEL, Progress())
    asked = len(served.requests)
    hub.fetch(MODEL, Progress())
    assert len(served.requests) == asked


def test_a_changed_byte_is_found_afterwards(served: Hub) -> None:
    place = hub.fetch(MODEL, Progress())
    weight = (place / "model.safetensors").resolve()
    weight.write_bytes(LARGE[:-1] + b"x")
    with pytest.raises(BadFile, match="SHA-256"):
        weights.verify(MODEL, Progress())
    weight.write_bytes(LARGE[:-1])
    with pytest.raises(BadFile, match="damaged"):
        weights.folder("someone/Tiny", files=("config.json",))


def test_content_that_is_not_what_the_hub_names_is_refused(
    served: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The small file's etag is git's name of its content; the transfer brings another."""
    whole = hub.http_get

    def other(url: str, target: object, **options: object) -> None:
        whole(url, target, **options)
        target.seek(0)  # type: ignore[attr-defined]
        target.truncate()  # type: ignore[attr-defined]
        target.write(b"?" * len(SMALL))  # type: ignore[attr-defined]
        target.flush()  # type: ignore[attr-defined]

    monkeypatch.setattr(hub, "http_get", other)
    with pytest.raises(BadFile, match="git name"):
        hub.fetch(MODEL, Progress())
    assert weights.missing(MODEL) == MODEL.files and not weights.lock_of(MODEL).exists()


def test_another_commit_than_the_pinned_one_is_refused(
    served: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = hub.get_hf_file_metadata

    class Moved:
        def __init__(self, found: object) -> None:
            self.etag, self.size, self.commit_hash = found.etag, found.size, "f" * 40  # type: ignore[attr-defined]

    monkeypatch.setattr(hub, "get_hf_file_metadata", lambda *a, **k: Moved(true(*a, **k)))
    with pytest.raises(BadFile, match="commit"):
        hub.fetch(MODEL, Progress())


def test_what_came_otherwise_is_used_and_verified_only_after_a_fetch(served: Hub) -> None:
    place = hub.fetch(MODEL, Progress())
    weights.lock_of(MODEL).unlink()  # as if the hub's own library had brought it
    assert weights.folder("someone/Tiny", files=("config.json",)) == place
    with pytest.raises(WeightsMissing, match="no checksum is known"):
        weights.verify(MODEL, Progress())
    moved = len(served.transfers())
    assert cli.main(["models", "fetch", "tiny", "--yes"]) == 0
    assert len(served.transfers()) == moved  # compared, not transferred again
    assert cli.main(["models", "verify", "tiny"]) == 0


def test_offline_nothing_is_asked(served: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsMissing, match="HF_HUB_OFFLINE"):
        hub.fetch(MODEL, Progress())
    assert served.requests == []


def test_a_damaged_record_says_what_to_do(served: Hub) -> None:
    hub.fetch(MODEL, Progress())
    for text in ("{", "[1]", '{"config.json": 5}'):
        weights.lock_of(MODEL).write_text(text, "utf-8")
        with pytest.raises(BadFile) as caught:
            weights.missing(MODEL)
        assert "models fetch tiny" in caught.value.hint


def test_removing_leaves_nothing(served: Hub) -> None:
    hub.fetch(MODEL, Progress())
    assert json.loads(weights.lock_of(MODEL).read_text("utf-8")).keys() == {
        "config.json",
        "model.safetensors",
    }
    assert hub.remove(MODEL) >= len(LARGE)
    assert not weights.lock_of(MODEL).exists() and weights.missing(MODEL) == MODEL.files
    shutil.rmtree(weights.hub_folder())
