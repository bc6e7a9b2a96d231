"""Names to backends, lazily.

Owns the table of built-in backends and the look-up of other packages' entry points
(group ``glimpse3d.<stage>``). Must not know what a backend does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from .errors import BackendUnavailable, UnknownBackend
from .settings import Settings, changed
from .stages import DepthReconstructor, WithWeights

BUILTIN: dict[str, dict[str, str]] = {
    "matte": {
        "alpha": "glimpse3d.mattes.alpha:Alpha",
        "rembg": "glimpse3d.mattes.rembg:Rembg",
        "embedded": "glimpse3d.mattes.embedded:Embedded",
        "grabcut": "glimpse3d.mattes.grabcut:GrabCut",
        "sam": "glimpse3d.mattes.sam:Sam",
    },
    "depth": {
        "dpt": "glimpse3d.depth.dpt:DPT",
        "glpn": "glimpse3d.depth.glpn:GLPN",
    },
    "caption": {
        "blip2": "glimpse3d.captions.blip2:Blip2",
    },
    "reconstructor": {
        "embedded": "glimpse3d.reconstructors.embedded.backend:Embedded",
        "inflate": "glimpse3d.reconstructors.inflate:Inflate",
        "triposr": "glimpse3d.reconstructors.triposr.backend:TripoSRReconstructor",
        "relief": "glimpse3d.reconstructors.relief:Relief",
    },
}

# The stages that making an object can have, each with a setting of its name; the others are asked
# by themselves.
RECIPE = ("matte", "depth", "reconstructor")
# What "auto" tries, in this order; the first that can run on the picture without fetching.
AUTOMATIC: dict[str, tuple[str, ...]] = {"matte": ("alpha", "rembg", "embedded")}


_made: dict[tuple[str, str], Any] = {}


@cache
def _foreign(stage: str) -> dict[str, EntryPoint]:
    return {each.name: each for each in entry_points(group=f"glimpse3d.{stage}")}


def names(stage: str) -> list[str]:
    """Backends of a stage, ours first."""
    ours = BUILTIN[stage]
    return [*ours, *(name for name in sorted(_foreign(stage)) if name not in ours)]


def find(stage: str, name: str) -> Any:
    """The backend's class; light, nothing is loaded.

    Raises:
        UnknownBackend: no backend of that name.
        BackendUnavailable: another package's entry point does not import.
    """
    if name in BUILTIN[stage]:
        module, _, attribute = BUILTIN[stage][name].partition(":")
        return getattr(import_module(module), attribute)
    if name in _foreign(stage):
        try:
            return _foreign(stage)[name].load()
        except (ImportError, AttributeError) as error:
            raise BackendUnavailable(f"the {stage} {name!r} does not import: {error}") from error
    raise UnknownBackend(f"there is no {stage} {name!r}", f"known: {', '.join(names(stage))}")


def backend(stage: str, name: str) -> Any:
    """The one instance of a backend in this process, so that what it loaded stays warm."""
    if (stage, name) not in _made:
        _made[stage, name] = find(stage, name)()
    return _made[stage, name]


def unload_others(stage: str, name: str) -> bool:
    """Let every other backend give back what it loaded; whether there was any other."""
    others = [each for key, each in _made.items() if key != (stage, name)]
    for each in others:
        each.unload()
    return bool(others)


def builds_on_depth(settings: Settings) -> bool:
    """Whether the reconstructor that is asked for needs depth."""
    return isinstance(backend("reconstructor", settings.reconstructor), DepthReconstructor)


def asked_for(settings: Settings) -> list[tuple[str, str]]:
    """Stage and backend of everything that a run asks for by name."""
    stages = list(RECIPE)
    if settings.detail != "depth" and not builds_on_depth(settings):
        stages.remove("depth")
    chosen = [(stage, getattr(settings, stage)) for stage in stages]
    return [(stage, name) for stage, name in chosen if name != "auto"]


def check_ready(settings: Settings, stages: Sequence[str] = RECIPE) -> None:
    """Refuse a run whose end is known now: a backend asked for by name lacks what it needs.

    Args:
        settings: what is asked for.
        stages: those that will run, of the recipe's.

    Raises:
        UnknownBackend, InvalidSettings: there is no such backend, or it has no such option.
        BackendUnavailable, WeightsMissing, BadFile: as far as a look at the disk tells.
    """
    for stage, name in asked_for(settings):
        if stage not in stages:
            continue
        found = backend(stage, name)
        if isinstance(found, WithWeights):
            options = settings.options.get(name, {})
            found.check_ready(settings_for(stage, name, settings.preset, options))


def settings_for(stage: str, name: str, preset: str, options: Mapping[str, Any]) -> Any:
    """A backend's own settings: its defaults, then the preset's values, then ``options``.

    Backends of two stages may share a name, and with it a map of options: no two of them have a
    field of one name, and each takes its own.

    Raises:
        InvalidSettings: an option is unknown or out of range.
    """
    kind = find(stage, name)
    others = {
        field.name
        for other in BUILTIN
        if other != stage and name in names(other)
        for field in fields(find(other, name).Settings)
    }
    own = {key: value for key, value in options.items() if key not in others}
    return changed(kind.Settings(), {**kind.PRESETS.get(preset, {}), **own})
