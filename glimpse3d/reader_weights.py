"""Whether a network of the transformers library can be run here, and where its weights lie.

Owns the packages and the names of the files, as far as a look at the disk tells. Must not know
what a network is for. Light: nothing heavy is imported.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from . import weights
from .errors import BackendUnavailable

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
_PACKAGES = ("torch", "safetensors", "transformers")


def found(title: str, settings: Any, *more: str) -> Path:
    """The folder of weights that a backend's settings name.

    Args:
        title: of the backend, for sentences.
        settings: with ``weights`` and ``revision``.
        more: files that it needs beyond the network's and the pictures' descriptions.

    Raises:
        BackendUnavailable: a package is missing.
        WeightsMissing: they are not on this machine; nothing is fetched from here.
        BadFile: they were cut short.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise BackendUnavailable(
            f"{title} needs {', '.join(missing)}", 'pip install "glimpse3d[readers]"'
        )
    files = (CONFIG, PREPROCESSOR, *more)
    return weights.folder(settings.weights, settings.revision, files, WEIGHTS)
