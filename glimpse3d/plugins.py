"""Names to backends, lazily.

Owns the table of built-in backends and the look-up of other packages' entry points
(group ``glimpse3d.<stage>``). Must not know what a backend does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from .errors import BackendUnavailable, UnknownBackend
from .settings import changed

BUILTIN: dict[str, dict[str, str]] = {
    "matte": {
        "alpha": "glimpse3d.mattes.alpha:Alpha",
        "rembg": "glimpse3d.mattes.rembg:Rembg",
        "embedded": "glimpse3d.mattes.embedded:Embedded",
        "grabcut": "glimpse3d.mattes.grabcut:GrabCut",
    },
    "reconstructor": {
        "inflate": "glimpse3d.reconstructors.inflate:Inflate",
        "triposr": "glimpse3d.reconstructors.triposr.backend:TripoSRReconstructor",
    },
}

# What "auto" tries, in this order; the first that can run on the picture without fetching.
AUTOMATIC: dict[str, tuple[str, ...]] = {"matte": ("alpha", "rembg", "embedded")}


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


@cache
def backend(stage: str, name: str) -> Any:
    """The one instance of a backend in this process, so that what it loaded stays warm."""
    return find(stage, name)()


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
