"""Models of other sizes than the golden one: each against the plain form of its mathematics."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from glimpse3d.errors import BadFile
from glimpse3d.reconstructors.triposr import config
from glimpse3d.reconstructors.triposr.config import Config, VisionConfig
from glimpse3d.reconstructors.triposr.network import TripoSR
from tests.triposr.goldens import FOLDER, error
from tests.triposr.plain_model import Plain

FIRST = Config(
    picture_size=64, plane_size=4, channels=48, heads=3, head_dim=8, layers=2, norm_groups=8,
    token_channels=64, plane_channels=5, neurons=12, hidden_layers=3, activation="silu",
    radius=0.87, density_bias=-1.0, samples_per_ray=16,
)  # fmt: skip
VIEWER = VisionConfig(64, 2, 1, 96, 8, 5)
MODELS = {
    "patches as many as trained with": (replace(FIRST, picture_size=40), VIEWER),
    "one more patch": (replace(FIRST, picture_size=48), VIEWER),
    "fewer patches, some pixels left over": (replace(FIRST, picture_size=31), VIEWER),
    "odd planes, wider than tokens": (
        replace(FIRST, plane_size=7, channels=32, heads=5, head_dim=16, norm_groups=4), VIEWER),
    "narrower than tokens, one layer": (
        replace(FIRST, channels=96, heads=2, head_dim=4, layers=1, norm_groups=32), VIEWER),
    "another decoder and box": (
        replace(FIRST, neurons=9, hidden_layers=1, plane_channels=1, activation="relu",
                radius=1.3, density_bias=0.5), VIEWER),
    "another tokenizer": (
        replace(FIRST, token_channels=128, picture_size=112), VisionConfig(128, 3, 2, 64, 16, 3)),
}  # fmt: skip


def written(folder: Path, sizes: Config, vision: VisionConfig) -> dict[str, torch.Tensor]:
    """The published layout with random weights; how many heads the tokenizer has is not said."""
    with torch.device("meta"):
        names = TripoSR(sizes, vision).state_dict()
    generator = torch.Generator().manual_seed(5)
    weights = {}
    for name, each in names.items():
        spread = 1.5 * each[0].numel() ** -0.5 if each.ndim > 1 else 0.3
        weights[name] = torch.randn(each.shape, generator=generator) * spread
        if "norm" in name and name.endswith("weight"):
            weights[name] += 1
    torch.save(weights, folder / "model.ckpt")
    tree = yaml.safe_load((FOLDER / "config.yaml").read_text("utf-8"))
    tree["cond_image_size"] = sizes.picture_size
    tree["tokenizer"] = {"plane_size": sizes.plane_size, "num_channels": sizes.channels}
    tree["backbone"] = {
        "in_channels": "${tokenizer.num_channels}", "num_attention_heads": sizes.heads,
        "attention_head_dim": sizes.head_dim, "num_layers": sizes.layers,
        "norm_num_groups": sizes.norm_groups, "cross_attention_dim": sizes.token_channels,
    }  # fmt: skip
    tree["post_processor"] = {
        "in_channels": sizes.channels, "out_channels": sizes.plane_channels,
    }  # fmt: skip
    tree["decoder"] = {
        "in_channels": 3 * sizes.plane_channels, "n_neurons": sizes.neurons,
        "n_hidden_layers": sizes.hidden_layers, "activation": sizes.activation,
    }  # fmt: skip
    tree["renderer"] |= {
        "radius": sizes.radius, "density_bias": sizes.density_bias,
        "num_samples_per_ray": sizes.samples_per_ray,
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(tree), "utf-8")
    return weights


@pytest.mark.parametrize("name", list(MODELS))
def test_a_model_of_another_size_computes_the_same(name: str, tmp_path: Path) -> None:
    sizes, vision = MODELS[name]
    weights = written(tmp_path, sizes, vision)
    network, plain = TripoSR.from_pretrained(tmp_path), Plain(weights, sizes, vision)
    assert (network.sizes, network.vision) == (sizes, vision)
    rng = np.random.default_rng(3)
    for shape in ((97, 97), (33, 20), (sizes.picture_size,) * 2):
        image = rng.integers(0, 256, (*shape, 3), np.uint8)
        assert error(network.image_tokens(image), plain.tokens(image)[0].numpy()) < 1.5e-5
        codes = plain.codes(image)
        found = network.encode(image)
        assert found.shape == codes.shape and error(found, codes.numpy()) < 2e-5
    points = rng.uniform(-1.1 * sizes.radius, 1.1 * sizes.radius, (500, 3)).astype(np.float32)
    raw = plain.raw(codes, points)
    density, color = network.query(codes, points)
    assert error(torch.log(density), (raw[:, 0] + sizes.density_bias).numpy()) < 1e-4
    assert error(color, torch.sigmoid(raw[:, 1:]).numpy()) < 1e-4


def test_entries_left_out_have_the_published_values(tmp_path: Path) -> None:
    tree = yaml.safe_load((FOLDER / "config.yaml").read_text("utf-8"))
    for part, names in {
        "backbone": ("num_attention_heads", "attention_head_dim", "num_layers"),
        "decoder": ("activation",),
        "renderer": ("density_bias", "num_samples_per_ray"),
    }.items():
        for name in names:
            tree[part].pop(name, None)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(tree), "utf-8")
    found = config.read(tmp_path / "config.yaml")
    assert (found.heads, found.head_dim, found.layers) == (16, 88, 1)
    assert (found.activation, found.density_bias, found.samples_per_ray) == ("relu", -1.0, 128)


def test_a_tokenizer_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    written(tmp_path, replace(FIRST, token_channels=32), VIEWER)
    with pytest.raises(BadFile, match="32, and the tokenizer's tokens have 64"):
        TripoSR.from_pretrained(tmp_path)
    written(tmp_path, replace(FIRST, picture_size=7), VIEWER)
    with pytest.raises(BadFile, match="smaller than a patch"):
        TripoSR.from_pretrained(tmp_path)
    odd = VisionConfig(40, 2, 5, 96, 8, 5)
    written(tmp_path, replace(FIRST, token_channels=40), odd)
    with pytest.raises(BadFile, match="how many heads") as caught:
        TripoSR.from_pretrained(tmp_path)
    assert "dino_config.json" in caught.value.hint
    said = {"hidden_size": 40, "num_hidden_layers": 2, "num_attention_heads": 5,
            "intermediate_size": 96, "patch_size": 8, "image_size": 40,
            "layer_norm_eps": 1e-12}  # fmt: skip
    (tmp_path / "dino_config.json").write_text(json.dumps(said), "utf-8")
    assert TripoSR.from_pretrained(tmp_path).vision == odd
