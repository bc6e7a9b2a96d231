"""What a TripoSR of a given size is made of, as its ``config.yaml`` says.

Owns the names and the reading of that file, and refuses what this implementation does not do.
Must not know tensors or where the file came from.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ...errors import BadFile

# Parts of the published model; a file that names others describes another model.
_CLASSES = {
    "image_tokenizer_cls": "DINOSingleImageTokenizer",
    "tokenizer_cls": "Triplane1DTokenizer",
    "backbone_cls": "Transformer1D",
    "post_processor_cls": "TriplaneUpsampleNetwork",
    "decoder_cls": "NeRFMLP",
    "renderer_cls": "TriplaneNeRFRenderer",
}
# What is left out of the published file, and anything else would change the mathematics.
_FIXED: dict[str, Any] = {
    "backbone.attention_bias": False,
    "backbone.activation_fn": "geglu",
    "backbone.only_cross_attention": False,
    "backbone.double_self_attention": False,
    "backbone.norm_type": "layer_norm",
    "backbone.norm_elementwise_affine": True,
    "backbone.gradient_checkpointing": False,
    "decoder.bias": True,
    "renderer.feature_reduction": "concat",
    "renderer.density_activation": "exp",
    "renderer.color_activation": "sigmoid",
}


@dataclass(frozen=True, slots=True)
class Config:
    """The sizes of one model.

    Attributes:
        picture_size: pixels along a side of the square picture that the tokenizer sees.
        plane_size: tokens along a side of a plane.
        channels: of a triplane token.
        heads, head_dim, layers: of the transformer.
        norm_groups: of the group norm before it.
        token_channels: of an image token, as the transformer's cross-attention takes it.
        plane_channels: of a plane after upsampling.
        neurons, hidden_layers, activation: of the decoder, ``silu`` or ``relu``.
        radius: half the side of the box that the planes span.
        density_bias: added to the raw density before the exponential.
        samples_per_ray: of a volume render.
    """

    picture_size: int
    plane_size: int
    channels: int
    heads: int
    head_dim: int
    layers: int
    norm_groups: int
    token_channels: int
    plane_channels: int
    neurons: int
    hidden_layers: int
    activation: str
    radius: float
    density_bias: float
    samples_per_ray: int


def read(path: Path) -> Config:
    """The sizes that a ``config.yaml`` of the published layout names.

    Raises:
        BadFile: not YAML, an entry is missing or of the wrong type, or another model's.
    """
    try:
        tree = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BadFile(f"{path} cannot be read: {error}", _HINT) from error
    if not isinstance(tree, Mapping):
        raise BadFile(f"{path} holds no settings", _HINT)
    try:
        return _Reader(path, tree).config()
    except RecursionError as error:
        raise BadFile(f"entries of {path} refer to each other in a circle", _HINT) from error


_HINT = "take config.yaml and the weights from one download of stabilityai/TripoSR"
_ACTIVATIONS = ("silu", "relu")


class _Reader:
    """Looks entries up by their dotted names, so that an error can name them."""

    def __init__(self, path: Path, tree: Mapping[str, Any]) -> None:
        self.path = path
        self.tree = tree

    def config(self) -> Config:
        self._check_model()
        config = Config(
            picture_size=self._count("cond_image_size"),
            plane_size=self._count("tokenizer.plane_size"),
            channels=self._count("tokenizer.num_channels"),
            heads=self._count("backbone.num_attention_heads", 16),
            head_dim=self._count("backbone.attention_head_dim", 88),
            layers=self._count("backbone.num_layers", 1),
            norm_groups=self._count("backbone.norm_num_groups", 32),
            token_channels=self._count("backbone.cross_attention_dim"),
            plane_channels=self._count("post_processor.out_channels"),
            neurons=self._count("decoder.n_neurons"),
            hidden_layers=self._count("decoder.n_hidden_layers"),
            activation=self._one_of("decoder.activation", _ACTIVATIONS, "relu"),
            radius=self._number("renderer.radius"),
            density_bias=self._number("renderer.density_bias", -1.0),
            samples_per_ray=self._count("renderer.num_samples_per_ray", 128),
        )
        self._check_agreement(config)
        return config

    def _check_model(self) -> None:
        for name, wanted in _CLASSES.items():
            found = str(self._entry(name))
            if found.rpartition(".")[2] != wanted:
                raise self._refusal(f"{name} is {found}: not a TripoSR")
        for name, value in _FIXED.items():
            if self._entry(name, value) != value:
                raise self._refusal(f"{name} is {self._entry(name)!r}; only {value!r} is known")

    def _check_agreement(self, config: Config) -> None:
        """Sizes that the file states twice."""
        for name, value in {
            "backbone.in_channels": config.channels,
            "post_processor.in_channels": config.channels,
            "decoder.in_channels": 3 * config.plane_channels,
        }.items():
            if self._count(name) != value:
                raise self._refusal(f"{name} is {self._entry(name)}, the other entries say {value}")
        if config.channels % config.norm_groups:
            raise self._refusal(f"{config.channels} channels make no {config.norm_groups} groups")
        if config.radius <= 0:
            raise self._refusal(f"renderer.radius is {config.radius}")

    def _entry(self, name: str, default: Any = None) -> Any:
        """An entry by its dotted name, ``${...}`` followed; ``default`` where there is none."""
        found: Any = self.tree
        for part in name.split("."):
            if not isinstance(found, Mapping) or part not in found:
                if default is None:
                    raise self._refusal(f"{name} is missing")
                return default
            found = found[part]
        if isinstance(found, str) and found.startswith("${") and found.endswith("}"):
            return self._entry(found[2:-1].strip())
        return found

    def _count(self, name: str, default: int | None = None) -> int:
        value = self._entry(name, default)
        if type(value) is not int or not 0 < value <= 1_000_000:
            raise self._refusal(f"{name} is {value!r}, expected a positive whole number")
        return value

    def _number(self, name: str, default: float | None = None) -> float:
        value = self._entry(name, default)
        if type(value) not in (int, float):
            raise self._refusal(f"{name} is {value!r}, expected a number")
        return float(value)

    def _one_of(self, name: str, known: tuple[str, ...], default: str) -> str:
        value = str(self._entry(name, default)).lower()
        if value not in known:
            raise self._refusal(f"{name} is {value!r}, known are {', '.join(known)}")
        return value

    def _refusal(self, why: str) -> BadFile:
        return BadFile(f"{self.path}: {why}", _HINT)


@dataclass(frozen=True, slots=True)
class VisionConfig:
    """The sizes of the image tokenizer's vision transformer.

    Attributes:
        channels: of a token.
        layers, heads: of the encoder.
        inner: channels of the hidden layer of each block.
        patch_size: pixels along a side of a patch.
        grid: patches along a side of the picture that it was trained on.
        epsilon: of every layer norm.
    """

    channels: int
    layers: int
    heads: int
    inner: int
    patch_size: int
    grid: int
    epsilon: float = 1e-12


# facebook/dino-vitb16, which every published TripoSR has inside.
DINO_VITB16 = VisionConfig(768, 12, 12, 3072, 16, 14)


# Of the published vision transformers of that family, whatever their width.
_HEAD_CHANNELS = 64
_IN_CHECKPOINT = "image_tokenizer.model."


def vision_in(path: Path, shapes: Mapping[str, Sequence[int]]) -> VisionConfig:
    """The sizes of the vision transformer in a checkpoint, as its tensors' shapes tell them.

    Where it is of another kind, those of the published model: what does not fit is named later.

    Args:
        path: of the checkpoint, for the refusal.
        shapes: of its tensors, by name.

    Raises:
        BadFile: its width is none of that family's.
    """
    names = [name.removeprefix(_IN_CHECKPOINT) for name in shapes]
    layers = sum(
        name.startswith("encoder.layer.") and name.endswith("before.weight") for name in names
    )
    try:
        _, positions, channels = shapes[f"{_IN_CHECKPOINT}embeddings.position_embeddings"]
        patch = shapes[f"{_IN_CHECKPOINT}embeddings.patch_embeddings.projection.weight"][-1]
        inner = shapes[f"{_IN_CHECKPOINT}encoder.layer.0.intermediate.dense.weight"][0]
    except (KeyError, ValueError, IndexError):
        return DINO_VITB16
    if channels % _HEAD_CHANNELS:
        raise BadFile(
            f"{path}: a tokenizer of {channels} channels does not tell how many heads it has",
            "put the tokenizer's own config.json beside it as dino_config.json",
        )
    heads, grid = channels // _HEAD_CHANNELS, math.isqrt(max(positions - 1, 1))
    return VisionConfig(channels, layers, heads, inner, patch, grid)


def check_tokens(path: Path, sizes: Config, vision: VisionConfig) -> None:
    """Refuse a tokenizer and a transformer that do not fit each other.

    Raises:
        BadFile: naming the numbers.
    """
    if sizes.token_channels != vision.channels:
        raise BadFile(
            f"{path}: backbone.cross_attention_dim is {sizes.token_channels}, and the tokenizer's "
            f"tokens have {vision.channels} channels",
            _HINT,
        )
    if sizes.picture_size < vision.patch_size:
        raise BadFile(
            f"{path}: cond_image_size is {sizes.picture_size}, smaller than a patch", _HINT
        )


def read_vision(path: Path) -> VisionConfig:
    """The sizes that a ViT's ``config.json`` names, for models smaller than the published one.

    Raises:
        BadFile: not JSON, or an entry is missing.
    """
    try:
        values = json.loads(path.read_text("utf-8"))
        found = VisionConfig(
            channels=int(values["hidden_size"]),
            layers=int(values["num_hidden_layers"]),
            heads=int(values["num_attention_heads"]),
            inner=int(values["intermediate_size"]),
            patch_size=int(values["patch_size"]),
            grid=int(values["image_size"]) // int(values["patch_size"]),
            epsilon=float(values["layer_norm_eps"]),
        )
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise BadFile(f"{path} describes no vision transformer: {error!r}", _HINT) from error
    if min(found.channels, found.layers, found.heads, found.grid, found.patch_size) < 1:
        raise BadFile(f"{path} describes no vision transformer: a size is not positive", _HINT)
    if found.channels % found.heads:
        raise BadFile(f"{path}: {found.channels} channels make no {found.heads} heads", _HINT)
    return found
