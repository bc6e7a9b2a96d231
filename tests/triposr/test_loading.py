"""Weights as they come: whole, cut short, of another model, or out to run code."""

import json
import os
from pathlib import Path

import pytest
import safetensors.torch
import torch
import yaml

from glimpse3d.errors import BackendUnavailable, BadFile, InvalidSettings, WeightsMissing
from glimpse3d.progress import Progress
from glimpse3d.reconstructors.triposr import config
from glimpse3d.reconstructors.triposr.backend import TripoSRReconstructor, TripoSRSettings
from glimpse3d.reconstructors.triposr.network import TripoSR
from tests.triposr.goldens import FOLDER, copy_to, error, reference


def tensors() -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(FOLDER / "model.ckpt", weights_only=True)
    return found


def with_weights(folder: Path, content: object) -> Path:
    """A copy of the model with other content in its weights' file."""
    copy_to(folder)
    torch.save(content, folder / "model.ckpt")
    return folder


def with_entry(folder: Path, name: str, value: object) -> Path:
    """A copy of the model whose ``config.yaml`` says something else; None leaves it out."""
    copy_to(folder)
    tree = yaml.safe_load((folder / "config.yaml").read_text("utf-8"))
    *path, last = name.split(".")
    part = tree
    for each in path:
        part = part[each]
    if value is None:
        del part[last]
    else:
        part[last] = value
    (folder / "config.yaml").write_text(yaml.safe_dump(tree), "utf-8")
    return folder


def test_every_tensor_is_taken_over() -> None:
    network = TripoSR.from_pretrained(FOLDER)
    taken = network.state_dict()
    assert taken.keys() == tensors().keys()
    assert all(torch.equal(taken[name], value) for name, value in tensors().items())
    assert not any(each.requires_grad for each in network.parameters())


def test_safetensors_come_first_and_give_the_same(tmp_path: Path) -> None:
    copy_to(tmp_path)
    safetensors.torch.save_file(tensors(), tmp_path / "model.safetensors")
    (tmp_path / "model.ckpt").write_bytes(b"nothing")
    network = TripoSR.from_pretrained(tmp_path)
    assert error(network.encode(reference()["image_u8"]), reference()["scene_codes"]) < 2e-5


def test_weights_in_half_precision_are_computed_in_single(tmp_path: Path) -> None:
    halved = {name: value.to(torch.float16) for name, value in tensors().items()}
    network = TripoSR.from_pretrained(with_weights(tmp_path, halved))
    assert {each.dtype for each in network.parameters()} == {torch.float32}
    assert error(network.encode(reference()["image_u8"]), reference()["scene_codes"]) < 5e-2


@pytest.mark.parametrize("length", [0, 3, 5000, 2_000_000, -1000, -20])
def test_a_file_cut_short_is_refused(length: int, tmp_path: Path) -> None:
    copy_to(tmp_path)
    data = (FOLDER / "model.ckpt").read_bytes()
    (tmp_path / "model.ckpt").write_bytes(data[:length])
    with pytest.raises(BadFile, match=r"model\.ckpt") as caught:
        TripoSR.from_pretrained(tmp_path)
    assert "models fetch" in caught.value.hint


def test_safetensors_cut_short_are_refused(tmp_path: Path) -> None:
    copy_to(tmp_path)
    safetensors.torch.save_file(tensors(), tmp_path / "model.safetensors")
    data = (tmp_path / "model.safetensors").read_bytes()
    for part in (data[:-100], data[:1000], b"", b"version https://example.org/spec\n"):
        (tmp_path / "model.safetensors").write_bytes(part)
        with pytest.raises(BadFile, match=r"model\.safetensors"):
            TripoSR.from_pretrained(tmp_path)


def test_a_text_file_named_ckpt_is_refused(tmp_path: Path) -> None:
    copy_to(tmp_path)
    (tmp_path / "model.ckpt").write_text("version https://example.org/spec/v1\nsize 1677246742\n")
    with pytest.raises(BadFile, match="no PyTorch checkpoint"):
        TripoSR.from_pretrained(tmp_path)


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_not_run(zipped: bool, tmp_path: Path) -> None:
    copy_to(tmp_path)
    content = {**tensors(), "extra": Payload(tmp_path / "ran")}
    torch.save(content, tmp_path / "model.ckpt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(BadFile):
        TripoSR.from_pretrained(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_other_content_is_refused(tmp_path: Path) -> None:
    for content in ([1, 2], {"state_dict": tensors()}, {1: torch.zeros(2)}, torch.zeros(3)):
        with pytest.raises(BadFile):
            TripoSR.from_pretrained(with_weights(tmp_path, content))


def test_names_of_newer_libraries_are_refused(tmp_path: Path) -> None:
    """With lenient loading they would leave a random tokenizer behind, and nobody would know."""
    renamed = {name.replace(".encoder.layer.", ".layers."): v for name, v in tensors().items()}
    with pytest.raises(BadFile, match="another model") as caught:
        TripoSR.from_pretrained(with_weights(tmp_path, renamed))
    assert "encoder.layer.0" in caught.value.message and "more" in caught.value.message


@pytest.mark.parametrize("change", ["shape", "type", "missing", "foreign"])
def test_one_tensor_that_does_not_fit_is_named(change: str, tmp_path: Path) -> None:
    content, name = tensors(), "backbone.proj_in.weight"
    if change == "shape":
        content[name] = content[name][:, :-1].clone()
    elif change == "type":
        content[name] = content[name].to(torch.int32)
    elif change == "missing":
        del content[name]
    else:
        name = "backbone.proj_in.scale"
        content[name] = torch.ones(1)
    with pytest.raises(BadFile, match=name.replace(".", r"\.")):
        TripoSR.from_pretrained(with_weights(tmp_path, content))


def test_a_folder_without_weights_says_so(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing):
        TripoSR.from_pretrained(tmp_path)
    copy_to(tmp_path)
    (tmp_path / "model.ckpt").unlink()
    with pytest.raises(WeightsMissing, match=r"model\.ckpt"):
        TripoSR.from_pretrained(tmp_path)


def test_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsMissing) as caught:
        TripoSR.from_pretrained("stabilityai/TripoSR")
    assert caught.value.model == "triposr" and "models fetch triposr" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_a_configuration_may_refer_to_itself(tmp_path: Path) -> None:
    with_entry(tmp_path, "backbone.in_channels", "${tokenizer.num_channels}")
    assert config.read(tmp_path / "config.yaml") == config.read(FOLDER / "config.yaml")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cond_image_size", None),
        ("cond_image_size", 0),
        ("cond_image_size", "large"),
        ("tokenizer.plane_size", True),
        ("tokenizer.num_channels", "${tokenizer.num_channels}"),
        ("tokenizer.num_channels", 96),
        ("backbone_cls", "tsr.models.Unknown"),
        ("backbone.activation_fn", "gelu"),
        ("backbone.attention_bias", True),
        ("decoder.activation", "tanh"),
        ("decoder.in_channels", 25),
        ("renderer.radius", -0.87),
        ("renderer.feature_reduction", "mean"),
        ("renderer", 5),
    ],
)
def test_a_configuration_of_another_model_is_refused(
    name: str, value: object, tmp_path: Path
) -> None:
    with_entry(tmp_path, name, value)
    with pytest.raises(BadFile, match=r"config\.yaml"):
        TripoSR.from_pretrained(tmp_path)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "a: [", "\x00\x01", "!!python/object:os.x {}"])
def test_a_configuration_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    copy_to(tmp_path)
    (tmp_path / "config.yaml").write_text(text, "utf-8")
    with pytest.raises(BadFile, match=r"config\.yaml"):
        TripoSR.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    "change", [{"hidden_size": 0}, {"num_attention_heads": 3}, {"patch_size": "x"}, None]
)
def test_a_tokenizer_of_no_size_is_refused(
    change: dict[str, object] | None, tmp_path: Path
) -> None:
    copy_to(tmp_path)
    values = json.loads((FOLDER / "dino_config.json").read_text("utf-8"))
    text = json.dumps({**values, **change}) if change else "{"
    (tmp_path / "dino_config.json").write_text(text, "utf-8")
    with pytest.raises(BadFile, match=r"dino_config\.json"):
        TripoSR.from_pretrained(tmp_path)


def test_a_failed_load_leaves_nothing_and_a_good_one_follows(tmp_path: Path) -> None:
    backend = TripoSRReconstructor()
    (tmp_path / "bad").mkdir()
    bad = TripoSRSettings(weights=str(with_weights(tmp_path / "bad", {})), device="cpu")
    good = TripoSRSettings(weights=str(FOLDER), device="cpu")
    for settings in (good, bad, good, bad, bad):
        if settings is bad:
            with pytest.raises(BadFile):
                backend.load(settings, Progress())
            assert not backend.loaded
        else:
            backend.load(settings, Progress())
            assert backend.loaded


def test_devices_and_precisions_that_are_not_there_are_refused() -> None:
    backend = TripoSRReconstructor()
    if not torch.cuda.is_available():
        with pytest.raises(BackendUnavailable, match="CUDA"):
            backend.load(TripoSRSettings(weights=str(FOLDER), device="cuda"), Progress())
    with pytest.raises(InvalidSettings):
        half = TripoSRSettings(weights=str(FOLDER), device="cpu", precision="float16")
        backend.load(half, Progress())
