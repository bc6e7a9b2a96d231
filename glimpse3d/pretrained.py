"""Networks of the transformers library, read from a folder of weights.

Owns strict reading: the folder must be of the model that is asked for, every tensor must be
there, nothing is fetched and no code in a file is run. Must not know what a network is for.
Heavy: imports torch and transformers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers

from . import device as devices
from .errors import BadFile, Glimpse3DError
from .pixel_values import read_json
from .reader_weights import CONFIG

log = logging.getLogger(__name__)

_HINT = "name a folder, or owner/name, of the right model; or fetch its weights again"
_NAMES_SHOWN = 3


def read(
    kind: str, folder: Path, device: torch.device, dtype: torch.dtype, unused: str = ""
) -> Any:
    """A network in evaluation mode on ``device``.

    Args:
        kind: the class in transformers, such as ``DPTForDepthEstimation``.
        folder: with ``config.json`` and the weights, as the library saves them.
        device: where it goes.
        dtype: of its weights and of what is computed.
        unused: how the names of tensors begin that the library makes and the network never
            asks; published files leave them out.

    Raises:
        BadFile: the folder is of another model, a tensor is missing or of another shape, or a
            file is damaged or would run code.
        OutOfMemory: it does not fit.
    """
    wanted = getattr(transformers, kind)
    _check_type(folder / CONFIG, wanted.config_class.model_type)
    try:
        with _quiet(), devices.memory_errors("choose device=cpu, or close other programs"):
            network, about = wanted.from_pretrained(
                folder, dtype=dtype, local_files_only=True, output_loading_info=True
            )
            network = network.eval().requires_grad_(False).to(device)
    except Glimpse3DError:
        raise
    except Exception as error:  # the library passes on whatever its readers raise
        raise _unreadable(f"the weights in {folder}", error) from error
    _check_complete(folder, about, unused)
    return network


def tokenizer(folder: Path) -> Any:
    """The tokenizer that lies beside a network.

    Raises:
        BadFile: it is missing or damaged.
    """
    with _quiet():
        try:
            return transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # as above
            raise _unreadable(f"the tokenizer in {folder}", error) from error


def _unreadable(what: str, error: Exception) -> BadFile:
    first = " ".join(str(error).split())[:300]
    return BadFile(f"{what} cannot be read: {first}", _HINT)


def _check_type(config: Path, wanted: str) -> None:
    found = read_json(config).get("model_type")
    if found != wanted:
        raise BadFile(f"{config} is of the model {found!r}, expected {wanted!r}", _HINT)


def _check_complete(folder: Path, about: dict[str, Any], unused: str) -> None:
    """The library fills what a file lacks with chance, and goes on."""
    lacking = sorted(
        name for name in about["missing_keys"] if not (unused and name.startswith(unused))
    )
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
