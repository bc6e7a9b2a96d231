"""What a client may ask for: settings, presets and backends as plain maps, and the check of them.

Owns the translation between the core's settings and the wire. Must not know sockets or jobs. Only
backends' light files are imported.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from glimpse3d import plugins, weights
from glimpse3d.errors import (
    BackendUnavailable,
    BadFile,
    Glimpse3DError,
    InvalidData,
    InvalidSettings,
    UnknownBackend,
    WeightsMissing,
)
from glimpse3d.models import Model
from glimpse3d.settings import PRESETS, Settings, describe, from_dict, to_dict
from glimpse3d.stages import WithWeights
from glimpse3d.types import Prompt

log = logging.getLogger(__name__)

# What it can beyond the first protocol.
FEATURES = ("weights",)
_MESHES = "trimesh"  # reads them, and is an extra
_NEEDS = {
    "generate": {"image"},
    "cutout": {"image"},
    "splats": {"mesh"},
    "fetch_weights": {"stage", "backend"},
}
_TAKES = {
    "generate": {"image", "mask", "box", "settings"},
    "cutout": {"image", "mask", "box", "settings"},
    "splats": {"mesh", "settings"},
    "fetch_weights": {"stage", "backend"},
}
_OWN = {"image", "mask", "mesh", "box", "settings", "stage", "backend"}


def supported() -> tuple[str, ...]:
    """The kinds of job that this server can do now."""
    meshes = ("splats",) if find_spec(_MESHES) else ()
    return ("generate", "cutout", *meshes, "fetch_weights")


def describe_all() -> dict[str, Any]:
    """All that an interface needs to draw every choice."""
    return {
        "settings": _rows(Settings),
        "presets": {name: to_dict(settings) for name, settings in PRESETS.items()},
        "automatic": {stage: list(names) for stage, names in plugins.AUTOMATIC.items()},
        "backends": {stage: _backends(stage) for stage in plugins.RECIPE},
    }


def _backends(stage: str) -> list[dict[str, Any]]:
    found = []
    for name in plugins.names(stage):
        try:
            kind = plugins.find(stage, name)
        except BackendUnavailable as error:
            log.warning("left out: %s", error)
            continue
        presets = {preset: dict(changes) for preset, changes in kind.PRESETS.items()}
        found.append({"name": name, "title": kind.TITLE, "when": kind.WHEN,
                      "presets": presets, "settings": _rows(kind.Settings)})  # fmt: skip
    return found


def describe_weights() -> list[dict[str, Any]]:
    """What each backend needs that comes from elsewhere, and how much of it is not here yet.

    Returns:
        rows of ``stage``, ``backend``, ``model``, ``title``, ``licence``, ``source`` (an address),
        ``bytes`` (of all), ``left`` (to fetch; 0 is all here), ``lacks`` (a sentence on what must
        be installed first, or nothing).
    """
    found = []
    for stage in plugins.BUILTIN:
        for name in plugins.names(stage):
            try:
                backend = plugins.backend(stage, name)
            except BackendUnavailable:
                continue
            if isinstance(backend, WithWeights):
                found.append({"stage": stage, "backend": name, **_about_weights(backend)})
    return found


def _about_weights(backend: Any) -> dict[str, Any]:
    model: Model = backend.MODEL
    lacks = ""
    try:
        backend.check_ready(backend.Settings())
        weights.check_fetchable(model)
    except BackendUnavailable as error:
        lacks = str(error)
    except (WeightsMissing, BadFile) as error:
        log.debug("%s", error)  # ``left`` tells
    return {
        "model": model.name, "title": model.title, "licence": model.licence,
        "source": weights.source(model), "bytes": model.size,
        "left": weights.bytes_to_fetch(model), "lacks": lacks,
    }  # fmt: skip


def model_of(body: Mapping[str, Any]) -> Model:
    """Whose weights a request asks to fetch.

    Raises:
        UnknownBackend: no such stage or backend.
        InvalidData: it needs none.
    """
    stage, name = body["stage"], body["backend"]
    if stage not in plugins.BUILTIN:
        known = ", ".join(plugins.BUILTIN)
        raise UnknownBackend(f"there is no stage {stage!r}", f"known: {known}")
    backend = plugins.backend(stage, name)
    if not isinstance(backend, WithWeights):
        raise InvalidData(f"{name} needs no weights", "ask for generate right away")
    return backend.MODEL


def _rows(settings_type: type) -> list[dict[str, Any]]:
    return [{**row, "choices": list(row["choices"])} for row in describe(settings_type)]


def check_request(body: Mapping[str, Any]) -> None:
    """Refuse a job that could not run, before it is queued.

    Raises:
        Glimpse3DError: what is wrong with the request, or lacks here.
    """
    kind = body["kind"]
    given = _OWN & body.keys()
    if missing := _NEEDS[kind] - given:
        raise Glimpse3DError("bad_message", f"{kind} needs {', '.join(sorted(missing))}")
    if foreign := given - _TAKES[kind]:
        raise Glimpse3DError("bad_message", f"{kind} takes no {', '.join(sorted(foreign))}")
    if kind == "fetch_weights":
        weights.check_fetchable(model_of(body))
        return
    if kind not in supported():
        raise BackendUnavailable(
            f"the server cannot read meshes: {_MESHES} is not installed there",
            "run there: pip install 'glimpse3d[formats]'",
        )
    prompt_box(body)
    settings = settings_of(body)
    check_settings(settings)
    if kind != "splats":
        plugins.check_ready(settings, ("matte",) if kind == "cutout" else plugins.RECIPE)


def settings_of(body: Mapping[str, Any]) -> Settings:
    """The settings of a request.

    Raises:
        InvalidSettings: a setting is unknown or out of range.
    """
    values = body.get("settings", {})
    options = values.get("options", {})
    maps = {"options": options, "turntable": values.get("turntable", {})}
    if isinstance(options, dict):
        maps.update(options)
    for name, value in maps.items():
        if not isinstance(value, dict):
            raise InvalidSettings(name, f"{value!r} is not a map of settings")
    return from_dict(values)


def prompt_box(body: Mapping[str, Any]) -> tuple[float, float, float, float] | None:
    """The box of a request, if it has one.

    Raises:
        InvalidData: not four numbers, or empty.
    """
    box = body.get("box")
    if box is None:
        return None
    if not all(type(edge) in (int, float) for edge in box):
        raise InvalidData("the box is not four numbers", "give left,top,right,bottom in pixels")
    return Prompt(tuple(box)).box


def check_settings(settings: Settings) -> None:
    """Refuse unknown backends and wrong options of those that may run.

    Raises:
        InvalidSettings, UnknownBackend: naming what is wrong.
    """
    for stage in plugins.RECIPE:
        chosen = getattr(settings, stage)
        names = plugins.AUTOMATIC[stage] if chosen == "auto" else (chosen,)
        for name in names:
            plugins.settings_for(stage, name, settings.preset, settings.options.get(name, {}))
