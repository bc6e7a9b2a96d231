"""The weights' file, read without trusting it.

Owns the reading (memory-mapped, never running code that a file may hold) and the
comparison with what the network needs. Must not know what the tensors are for.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ...errors import BadFile, WeightsMissing
from . import WEIGHTS

VISION_CONFIG = "dino_config.json"

_HINT = "fetch them again with: glimpse3d models fetch triposr"
_FLOATS = (torch.float32, torch.float16, torch.bfloat16)
_NAMES_SHOWN = 3


def find(folder: Path) -> Path:
    """The file of weights in ``folder``.

    Raises:
        WeightsMissing: there is none.
    """
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    raise WeightsMissing(f"{folder} holds neither {WEIGHTS[0]} nor {WEIGHTS[1]}", _HINT)


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, memory-mapped.

    Raises:
        BadFile: not a checkpoint, cut short, or one that would run code.
    """
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_ckpt(path)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise BadFile(f"{path} is no safetensors file, or cut short: {error}", _HINT) from error


def _read_ckpt(path: Path) -> dict[str, Tensor]:
    if not zipfile.is_zipfile(path):
        raise BadFile(f"{path} is no PyTorch checkpoint, or cut short", _HINT)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except MemoryError:
        raise
    except Exception as error:  # torch raises what pickle raises; all of it is the file's fault
        first = str(error).partition("\n")[0]
        raise BadFile(f"{path} is damaged, or holds more than numbers: {first}", _HINT) from error
    return _tensors(path, found)


def _tensors(path: Path, found: Any) -> dict[str, Tensor]:
    if not isinstance(found, Mapping):
        raise BadFile(f"{path} holds a {type(found).__name__}, expected named tensors", _HINT)
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise BadFile(f"{path}: the entry {name!r} is no tensor", _HINT)
    return dict(found)


def check(path: Path, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Compare names, shapes and types with the network's own, before anything is taken over.

    Raises:
        BadFile: naming what does not fit.
    """
    missing = sorted(wanted.keys() - found.keys())
    foreign = sorted(found.keys() - wanted.keys())
    if missing or foreign:
        parts = [("lacks", missing), ("has, and the model has not,", foreign)]
        said = " and ".join(f"{verb} {_some(names)}" for verb, names in parts if names)
        raise BadFile(f"{path} is of another model: it {said}", _HINT)
    for name, tensor in wanted.items():
        if found[name].shape != tensor.shape:
            have, want = tuple(found[name].shape), tuple(tensor.shape)
            raise BadFile(f"{path} is of another size: {name} is {have}, expected {want}", _HINT)
        if found[name].dtype not in _FLOATS:
            raise BadFile(f"{path}: {name} is of type {found[name].dtype}", _HINT)


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
