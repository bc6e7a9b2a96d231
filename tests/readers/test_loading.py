"""Weights as they come, for all readers alike: whole, of another model, damaged, absent."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import safetensors.torch
import torch

from glimpse3d import pipeline, plugins
from glimpse3d.captions.blip2 import Blip2, Blip2Settings
from glimpse3d.depth.dpt import DPT, DPTSettings
from glimpse3d.depth.glpn import GLPN, GLPNSettings
from glimpse3d.errors import (
    BackendUnavailable,
    BadFile,
    InvalidSettings,
    OutOfMemory,
    WeightsMissing,
)
from glimpse3d.mattes.sam import Sam, SamSettings
from glimpse3d.progress import Progress
from glimpse3d.settings import Settings
from tests.readers import tiny


class Reader(NamedTuple):
    name: str
    make: Any
    backend: Any
    settings: Any
    known: str


READERS = [
    Reader("dpt", tiny.dpt, DPT, DPTSettings, "dpt-large"),
    Reader("glpn", tiny.glpn, GLPN, GLPNSettings, "glpn-nyu"),
    Reader("sam", tiny.sam, Sam, SamSettings, "sam"),
    Reader("blip2", tiny.blip2, Blip2, Blip2Settings, "blip2"),
]
each_reader = pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)


def load(reader: Reader, folder: Path | str, **settings: str) -> Any:
    backend = reader.backend()
    backend.load(reader.settings(weights=str(folder), device="cpu", **settings), Progress())
    return backend


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(folder / "model.safetensors")


@each_reader
def test_every_tensor_of_the_file_is_taken_over(reader: Reader, tmp_path: Path) -> None:
    folder = reader.make(tmp_path)
    taken = load(reader, folder)._network.state_dict()
    for name, value in tensors(folder).items():
        assert name in taken and torch.equal(taken[name], value), name


@each_reader
def test_a_checkpoint_of_the_older_kind_gives_the_same(reader: Reader, tmp_path: Path) -> None:
    folder = reader.make(tmp_path)
    content = tensors(folder)
    torch.save(content, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    taken = load(reader, folder)._network.state_dict()
    assert all(torch.equal(taken[name], value) for name, value in content.items())


@each_reader
def test_the_folder_of_another_model_is_refused(reader: Reader, tmp_path: Path) -> None:
    other = tiny.glpn if reader.name != "glpn" else tiny.dpt
    folder = other(tmp_path)
    (folder / "tokenizer.json").write_text("{}", "utf-8")
    with pytest.raises(BadFile, match=r"config\.json|tokenizer") as caught:
        load(reader, folder)
    assert caught.value.hint


@each_reader
def test_a_lacking_tensor_is_named_and_not_made_up(reader: Reader, tmp_path: Path) -> None:
    folder = reader.make(tmp_path)
    content = tensors(folder)
    name = sorted(name for name in content if name.endswith("weight"))[0]
    del content[name]
    safetensors.torch.save_file(content, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadFile, match="lack") as caught:
        load(reader, folder)
    assert name.rpartition(".")[0].rpartition(".")[2] in caught.value.message


def test_what_the_network_never_asks_may_be_missing_and_changes_nothing(tmp_path: Path) -> None:
    """Intel's DPT files lack the first fusion's own branch; chance fills it, and nobody sees it."""
    folder = tiny.dpt(tmp_path)
    settings, found = DPTSettings(weights=str(folder), device="cpu"), []
    for seed in (0, 1):
        torch.manual_seed(seed)
        found.append(DPT()(tiny.picture(), settings, Progress()).values)
    assert (found[0] == found[1]).all()


@each_reader
def test_a_tensor_of_another_shape_is_refused(reader: Reader, tmp_path: Path) -> None:
    folder = reader.make(tmp_path)
    content = tensors(folder)
    name = sorted(name for name, value in content.items() if value.ndim >= 2)[0]
    content[name] = torch.cat([content[name]] * 2)
    safetensors.torch.save_file(content, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadFile, match="cannot be read"):
        load(reader, folder)


@each_reader
def test_damaged_files_are_refused(reader: Reader, tmp_path: Path) -> None:
    folder = reader.make(tmp_path)
    backend = reader.backend()
    for name, lengths in (("model.safetensors", (0, 50, -100)), ("config.json", (0, 30))):
        whole = (folder / name).read_bytes()
        for length in lengths:
            (folder / name).write_bytes(whole[:length])
            with pytest.raises(BadFile):
                backend.load(reader.settings(weights=str(folder), device="cpu"), Progress())
            assert not backend.loaded
        (folder / name).write_bytes(whole)
    for text in ("", "[]", "{", "\x00"):
        (folder / "preprocessor_config.json").write_text(text, "utf-8")
        with pytest.raises(BadFile, match="preprocessor"):
            load(reader, folder)


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


@each_reader
def test_code_in_a_checkpoint_is_not_run(reader: Reader, tmp_path: Path) -> None:
    folder = reader.make(tmp_path)
    content = {**tensors(folder), "extra": Payload(tmp_path / "ran")}
    torch.save(content, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(BadFile):
        load(reader, folder)
    assert not (tmp_path / "ran").exists()


@each_reader
def test_code_named_in_the_configuration_is_not_run(reader: Reader, tmp_path: Path) -> None:
    folder = reader.make(tmp_path)
    values = json.loads((folder / "config.json").read_text("utf-8"))
    values["auto_map"] = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}
    (folder / "config.json").write_text(json.dumps(values), "utf-8")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')", "utf-8")
    load(reader, folder)
    assert not (tmp_path / "ran").exists()


@each_reader
def test_an_incomplete_folder_says_what_it_lacks(reader: Reader, tmp_path: Path) -> None:
    folder = reader.make(tmp_path)
    for name in ("model.safetensors", "preprocessor_config.json", "config.json"):
        (folder / name).unlink()
        with pytest.raises(WeightsMissing, match=name.replace(".", r"\.")):
            load(reader, folder)


@each_reader
def test_absent_weights_name_the_command_and_nothing_is_fetched(
    reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(WeightsMissing) as caught:
        load(reader, reader.settings().weights)
    assert caught.value.model == reader.known
    assert f"glimpse3d models fetch {reader.known}" in caught.value.hint
    assert not list(tmp_path.iterdir())


@each_reader
def test_devices_and_precisions_that_are_not_there_are_refused(
    reader: Reader, tmp_path: Path
) -> None:
    folder = reader.make(tmp_path)
    if not torch.cuda.is_available():
        with pytest.raises(BackendUnavailable, match="CUDA"):
            reader.backend().load(reader.settings(weights=str(folder), device="cuda"), Progress())
    with pytest.raises(InvalidSettings):
        load(reader, folder, precision="float16")
    half = load(reader, folder, precision="bfloat16")
    assert torch.bfloat16 in {each.dtype for each in half._network.parameters()}


@each_reader
def test_what_was_loaded_is_given_back(reader: Reader, tmp_path: Path) -> None:
    backend = load(reader, reader.make(tmp_path))
    assert backend.loaded
    backend.unload()
    assert not backend.loaded and backend._network is None


@pytest.fixture
def loaded_sam(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A process in which the real SAM holds its network, and nothing else was used."""
    monkeypatch.setattr(plugins, "_made", {})
    matte = plugins.backend("matte", "sam")
    matte.load(SamSettings(weights=str(tiny.sam(tmp_path / "sam")), device="cpu"), Progress())
    return matte


def test_where_a_network_does_not_fit_beside_the_others_they_make_room(
    loaded_sam: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    estimator = plugins.backend("depth", "dpt")
    whole = estimator.load

    def greedy(settings: DPTSettings, progress: Progress) -> None:
        if loaded_sam.loaded:
            raise OutOfMemory("the GPU ran out of memory")
        whole(settings, progress)

    monkeypatch.setattr(estimator, "load", greedy)
    folder = tiny.dpt(tmp_path / "dpt")
    settings = Settings(options={"dpt": {"weights": str(folder), "device": "cpu"}})
    pipeline._backend("depth", "dpt", settings, Progress())
    assert estimator.loaded and not loaded_sam.loaded


def test_where_computing_runs_out_of_memory_the_others_make_room_as_well(
    loaded_sam: Any, tmp_path: Path
) -> None:
    tries = []

    def work() -> str:
        tries.append(loaded_sam.loaded)
        if loaded_sam.loaded:
            raise OutOfMemory("the GPU ran out of memory")
        return "done"

    assert pipeline._with_room("depth", "dpt", work) == "done" and tries == [True, False]


def test_where_there_is_nobody_to_make_room_it_fails_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plugins, "_made", {})
    tries = []

    def work() -> None:
        tries.append(1)
        raise OutOfMemory("the GPU ran out of memory")

    with pytest.raises(OutOfMemory):
        pipeline._with_room("depth", "dpt", work)
    assert tries == [1]
