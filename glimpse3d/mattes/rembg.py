"""The cut-out by the networks of the rembg package.

Owns which of them are offered, where their weights lie, and what is missing. Must not know other
cut-outs. Light; rembg itself is imported by ``load`` only: its first import on a machine compiles
for about a minute.
"""

from __future__ import annotations

import importlib.util
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import PIL.Image

from ..errors import BackendUnavailable, InvalidSettings, NoForeground, WeightsMissing
from ..settings import check, option
from ..types import Image

if TYPE_CHECKING:
    from ..progress import Progress
    from ..types import Prompt

# isnet-general-use: sharper edges than u2net at the same 170 MB, free for every use (Apache-2.0).
DEFAULT = "isnet-general-use"
# All that run on this machine; rembg also has two that send the picture to somebody's server.
MODELS = (
    DEFAULT, "isnet-anime", "u2net", "u2netp", "u2net_human_seg", "u2net_cloth_seg", "silueta",
    "birefnet-general", "birefnet-general-lite", "birefnet-general-fp16", "birefnet-portrait",
    "birefnet-dis", "birefnet-hrsod", "birefnet-cod", "birefnet-massive", "bria-rmbg", "sam",
    "u2net_custom", "dis_custom", "ben_custom",
)  # fmt: skip
CUSTOM = ("u2net_custom", "dis_custom", "ben_custom")
SOURCE = "https://github.com/danielgatis/rembg/releases/download/v0.0.0/"

_SAM = ("sam_vit_b_01ec64.encoder.onnx", "sam_vit_b_01ec64.decoder.onnx")


@dataclass(frozen=True, slots=True)
class RembgSettings:
    """Which network, and whether it may be fetched."""

    model: str = option(DEFAULT, "network; each has a licence of its own", choices=MODELS)
    fetch: bool = option(True, "fetch weights that are missing")
    weights: str = option("", "ONNX file of a *_custom model, inside rembg's folder")

    def __post_init__(self) -> None:
        check(self)
        if (self.model in CUSTOM) != bool(self.weights):
            raise InvalidSettings("weights", "a file belongs to a *_custom model, and only there")


class Rembg:
    """Asks one of rembg's networks which pixels are the subject."""

    Settings = RembgSettings
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    TITLE = "rembg"
    WHEN = "photographs of any kind, once a network's weights are on the machine"

    def __init__(self) -> None:
        self._session: Any = None
        self._loaded: RembgSettings | None = None

    def why_not(self, image: Image, settings: RembgSettings) -> str:
        """Why it cannot run without fetching; tells without importing rembg."""
        if not installed():
            return "the package rembg is not installed"
        if not weights_at(settings):
            return f"the weights of {settings.model} are not on this machine"
        return ""

    def load(self, settings: RembgSettings, progress: Progress) -> None:
        """Import rembg and read the network, fetching its weights if they may be fetched.

        Raises:
            BackendUnavailable: rembg is not installed, or the model needs more than it.
            WeightsMissing: they are not here and not to be had, or damaged.
        """
        if self._loaded == settings:
            return
        if not installed():
            raise BackendUnavailable("the package rembg is not installed", "pip install rembg")
        fetching = not weights_at(settings)
        if fetching:
            _check_fetchable(settings)
        progress(0.1, "importing rembg; the first time takes a minute")
        note = "fetching the weights of" if fetching else "reading"
        try:
            from rembg.session_factory import new_session

            progress(0.4, f"{note} {settings.model}")
            self._session = new_session(settings.model, **_arguments(settings))
        except ImportError as error:
            raise BackendUnavailable(f"rembg does not work here: {error}") from error
        except (OSError, ValueError) as error:  # the network or a checksum, by way of pooch
            raise _missing(settings, f"could not be fetched: {error}") from error
        except _onnx_errors() as error:
            hint = f"delete {', '.join(map(str, weights_at(settings)))} and run again"
            raise WeightsMissing(f"the weights of {settings.model} are damaged", hint) from error
        self._loaded = settings
        progress(1.0)

    def unload(self) -> None:
        """Forget the network."""
        self._session = self._loaded = None

    def __call__(
        self, image: Image, prompt: Prompt, settings: RembgSettings, progress: Progress
    ) -> Image:
        """The picture with the network's mask as alpha, times the alpha that it had; colours kept.

        Raises:
            NoForeground: the network sees none.
        """
        self.load(settings, progress)
        picture = PIL.Image.fromarray(np.ascontiguousarray(image.rgba[..., :3]))
        with np.errstate(all="ignore"):  # a network that sees nothing at all divides 0 by 0
            masks = self._session.predict(picture, **_sam_prompt(settings, prompt))
        # The network for clothes gives a mask for each garment; the subject is all of them.
        mask = np.max([np.asarray(each.convert("L")) for each in masks], axis=0)
        rgba = np.array(image.rgba)
        rgba[..., 3] = np.rint(mask * (rgba[..., 3] / 255.0)).astype(np.uint8)
        if not (rgba[..., 3] >= 128).any():
            raise NoForeground(
                f"{settings.model} sees no subject in the picture",
                "choose another model, or the cut-out grabcut with a box",
            )
        progress(1.0)
        return Image(rgba)


def installed() -> bool:
    """Whether rembg and the runtime that it needs are there; imports neither."""
    return all(importlib.util.find_spec(name) for name in ("rembg", "onnxruntime"))


def weights_at(settings: RembgSettings) -> list[Path]:
    """The model's files on this machine; empty unless all are there."""
    if settings.model in CUSTOM:
        path = Path(settings.weights).expanduser()
        return [path] if path.is_file() else []
    found = []
    for name in _files(settings.model):
        places = (folder(settings.model) / name, _old_home() / name)
        found += [next((place for place in places if place.is_file()), None)]
    return [path for path in found if path] if all(found) else []


def folder(model: str) -> Path:
    """Where rembg keeps a model's weights: its own rule of version 2.0.86."""
    if os.environ.get("U2NET_HOME"):
        home = _old_home()
    else:
        data = os.environ.get("XDG_DATA_HOME")
        default = Path(data) / "rembg" if data else Path("~/.rembg")
        home = Path(os.environ.get("REMBG_HOME", default)).expanduser()
    return home / "models" / model


def _old_home() -> Path:
    """Where rembg kept all weights before, and still looks."""
    default = Path(os.environ.get("XDG_DATA_HOME", "~")) / ".u2net"
    return Path(os.environ.get("U2NET_HOME", default)).expanduser()


def _files(model: str) -> tuple[str, ...]:
    return _SAM if model == "sam" else (f"{model}.onnx",)


def _arguments(settings: RembgSettings) -> dict[str, Any]:
    arguments: dict[str, Any] = {"providers": ["CPUExecutionProvider"]}
    if settings.model in CUSTOM:
        arguments["model_path"] = settings.weights
    return arguments


def _sam_prompt(settings: RembgSettings, prompt: Prompt) -> dict[str, Any]:
    """``sam`` takes the user's box; without one rembg asks it for what is in the middle."""
    if settings.model != "sam" or prompt.box is None:
        return {}
    return {"sam_prompt": [{"type": "rectangle", "data": list(prompt.box), "label": 1}]}


def _check_fetchable(settings: RembgSettings) -> None:
    """Refuse before rembg's long import where fetching cannot work.

    Raises:
        WeightsMissing: fetching is off, makes no sense, or the source is out of reach.
    """
    if settings.model in CUSTOM:
        raise WeightsMissing(f"there is no file {settings.weights}", "check the setting weights")
    if not settings.fetch:
        raise _missing(settings, "are not on this machine")
    request = urllib.request.Request(SOURCE, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except urllib.error.HTTPError as answer:  # any answer means that the source can be reached
        answer.close()
    except OSError as error:
        raise _missing(settings, "are not on this machine, and it is offline") from error


def _missing(settings: RembgSettings, why: str) -> WeightsMissing:
    return WeightsMissing(
        f"the weights of {settings.model} {why}",
        f"run once with --matte rembg while online, or put {' and '.join(_files(settings.model))} "
        f"into {folder(settings.model)}",
    )


def _onnx_errors() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (state.InvalidProtobuf, state.InvalidGraph, state.Fail, state.InvalidArgument)
