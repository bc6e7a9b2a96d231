"""Networks of the transformers library, read from a folder of weights.

Owns strict reading: the folder must be of the model that is asked for, every tensor must be
there, nothing is fetched and no code in a file is run. Must not know what a network is for.
Heavy: imports torch and transformers.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError

from . import device as devices
from .errors import BadFile
from .pixel_values import read_json

log = logging.getLogger(__name__)

CONFIG, PREPROCESSOR, TOKENIZER = (
    "config.json",
    "preprocessor_config.json",
    "tokenizer.json",
)
# One of these has to be there; safetensors come first.
WEIGHTS = (
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)  # fmt: skip

_HINT = "name a folder, or owner/name, of the right model; or fetch its weights again"
_NAMES_SHOWN = 3


def read(kind: str, folder: Path, device: torch.device, dtype: torch.dtype) -> Any:
    """A network in evaluation mode on ``device``.

    Args:
        kind: the class in transformers, such as ``DPTForDepthEstimation``.
        folder: with ``config.json`` and the weights, as the library saves them.
        device: where it goes.
        dtype: of its weights and of what is computed.

    Raises:
        BadFile: the folder is of another model, a tensor is missing or of another shape, or a
            file is damaged or would run code.
        OutOfMemory: it does not fit.
    """
    wanted = getattr(transformers, kind)
    _check_type(folder / CONFIG, wanted.config_class.model_type)
    with devices.memory_errors("choose device=cpu, or close other programs"), _quiet():
        try:
            network, about = wanted.from_pretrained(
                folder, dtype=dtype, local_files_only=True, output_loading_info=True
            )
        except MemoryError:
            raise
        except torch.OutOfMemoryError:
            raise
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError,
                pickle.UnpicklingError, EOFError) as error:  # fmt: skip
            first = " ".join(str(error).split())[:300]
            raise BadFile(f"the weights in {folder} cannot be read: {first}", _HINT) from error
        _check_complete(folder, about)
        return network.eval().requires_grad_(False).to(device)


def tokenizer(folder: Path) -> Any:
    """The tokenizer that lies beside a network.

    Raises:
        BadFile: it is missing or damaged.
    """
    with _quiet():
        try:
            return transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # the library passes on whatever its readers raise
            first = " ".join(str(error).split())[:300]
            raise BadFile(f"the tokenizer in {folder} cannot be read: {first}", _HINT) from error


def _check_type(config: Path, wanted: str) -> None:
    found = read_json(config).get("model_type")
    if found != wanted:
        raise BadFile(f"{config} is of the model {found!r}, expected {wanted!r}", _HINT)


def _check_complete(folder: Path, about: dict[str, Any]) -> None:
    """The library fills what a file lacks with chance, and goes on."""
    lacking = sorted(about["missing_keys"])
    if lacking:
        shown, more = ", ".join(lacking[:_NAMES_SHOWN]), len(lacking) - _NAMES_SHOWN
        others = f" and {more} more" if more > 0 else ""
        raise BadFile(f"the weights in {folder} lack {shown}{others}", _HINT)
    if about["unexpected_keys"]:
        log.info("%s: not used: %s", folder, ", ".join(sorted(about["unexpected_keys"])))


@contextmanager
def _quiet() -> Iterator[None]:
    """The library draws bars and prints reports; what matters of them becomes an error here."""
    said = transformers.logging
    level, drawn = said.get_verbosity(), said.is_progress_bar_enabled()
    said.set_verbosity_error()
    said.disable_progress_bar()
    try:
        yield
    finally:
        said.set_verbosity(level)
        if drawn:
            said.enable_progress_bar()
