"""The small networks of our own that come inside the package, each with its card.

Owns where they lie (``data/<name>.onnx`` beside ``data/<name>.json``), that a file is the one its
card describes, and how the runtime is started. Must not know what a network computes; networks
that are fetched are ``weights``'.

A card is a JSON object with ``sha256`` (lower-case hex), ``size`` (bytes), ``licence``, ``data``
(what it learnt from), ``command`` (how it was trained), ``date`` and ``scores``.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from .errors import BackendUnavailable, BadFile, WeightsMissing

FOLDER = Path(__file__).parent / "data"


def card(name: str, instead: str) -> dict[str, Any]:
    """What is known of a network.

    Args:
        name: of the network.
        instead: the option that does without it, for the hint of a refusal.

    Raises:
        WeightsMissing: there is no card of that name in the package.
        BadFile: it is not a card.
    """
    path = FOLDER / f"{name}.json"
    try:
        found = json.loads(_bytes_of(path, instead))
    except ValueError as error:
        raise BadFile(f"{path} is damaged: {error}", _hint(instead)) from error
    if not isinstance(found, dict) or not isinstance(found.get("sha256"), str):
        raise BadFile(f"{path} is damaged: it names no SHA-256", _hint(instead))
    return found


def read(name: str, instead: str) -> bytes:
    """The network's file, compared with its card.

    Raises:
        WeightsMissing: the file or its card is not in the package.
        BadFile: it is not the file that the card describes.
    """
    wanted = card(name, instead)["sha256"]
    path = FOLDER / f"{name}.onnx"
    content = _bytes_of(path, instead)
    digest = hashlib.sha256(content).hexdigest()
    if digest != wanted:
        raise BadFile(
            f"{path} is damaged: its SHA-256 is {digest} instead of {wanted}", _hint(instead)
        )
    return content


def session(name: str, instead: str) -> Any:
    """The network in onnxruntime, on one thread, so that the same input gives the same bytes.

    Raises:
        BackendUnavailable: onnxruntime is not installed, does not work here, or refuses the file.
        WeightsMissing: the file or its card is not in the package.
        BadFile: it is not the file that the card describes.
    """
    content = read(name, instead)
    try:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as state
    except ImportError as error:
        raise BackendUnavailable(
            f"onnxruntime does not work here: {error}",
            f"pip install onnxruntime, or choose {instead}",
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # it warns of what it folded away
    refusals = (
        state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf,
        state.NotImplemented, state.RuntimeException,
    )  # fmt: skip
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except refusals as error:
        raise BackendUnavailable(
            f"onnxruntime {onnxruntime.__version__} refuses the network {name}: {error}",
            f"install the version that Glimpse3D asks for, or choose {instead}",
        ) from error


def _bytes_of(path: Path, instead: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise WeightsMissing(f"{path} is not there", _hint(instead)) from error


def _hint(instead: str) -> str:
    return f"install Glimpse3D again, or choose {instead}"
