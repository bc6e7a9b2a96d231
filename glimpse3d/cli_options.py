"""Command-line options generated from the settings' own fields, and the settings read back.

Owns the mapping between fields and flags: ``turntable.fps`` is ``--turntable-fps``, and a
backend's own field carries the backend's name, ``--grabcut-rounds``. Must not know any backend.
"""

from __future__ import annotations

import argparse
from typing import Any

from . import plugins
from .errors import InvalidSettings
from .settings import Settings, describe, preset

# These have flags of another shape, or name a backend.
_BY_HAND = ("preset", *plugins.RECIPE, "formats")
_TYPES = {"int": int, "float": float, "str": str}


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Give ``parser`` a flag for every setting; a flag not given leaves no trace."""
    rows = {row["name"]: row for row in describe(Settings)}
    group = parser.add_argument_group("what to make")
    group.add_argument("--preset", choices=rows["preset"]["choices"], default="standard")
    for stage in plugins.RECIPE:
        automatic = ["auto"] if stage in plugins.AUTOMATIC else []
        names = ", ".join([*automatic, *plugins.names(stage)])
        group.add_argument(
            f"--{stage}", dest=stage, metavar="NAME", default=argparse.SUPPRESS,
            help=f"{rows[stage]['help']}: {names} (default: {rows[stage]['default']})",
        )  # fmt: skip
    group.add_argument(
        "--format", action="append", choices=rows["formats"]["choices"], dest="formats",
        default=argparse.SUPPRESS, help="mesh format to write; may be given again (default: glb)",
    )  # fmt: skip
    for name, row in rows.items():
        if name not in _BY_HAND:
            _add(group, name.replace(".", "-"), name, {**row, "default": _by_preset(name)})
    for stage in plugins.RECIPE:
        add_backends(parser, stage)


def add_backends(parser: argparse.ArgumentParser, stage: str) -> None:
    """Give ``parser`` a flag for every setting of a stage's backends."""
    for backend in plugins.names(stage):
        _add_backend(parser, stage, backend)


def _add_backend(parser: argparse.ArgumentParser, stage: str, backend: str) -> None:
    kind = plugins.find(stage, backend)
    rows = describe(kind.Settings)
    if rows:
        group = parser.add_argument_group(f"{stage} {backend}: {kind.TITLE}")
        for row in rows:
            _add(group, f"{backend}-{row['name']}", f"{backend}:{row['name']}", row)


def _add(group: Any, flag: str, destination: str, row: dict[str, Any]) -> None:
    help = f"{row['help']} (default: {row['default']})".replace("%", "%%")
    flag = "--" + flag.replace("_", "-")
    common = {"dest": destination, "default": argparse.SUPPRESS, "help": help}
    if row["type"] == "bool":
        group.add_argument(flag, action=argparse.BooleanOptionalAction, **common)
    else:
        choices = row["choices"] or None
        metavar = None if choices else row["type"].upper()
        group.add_argument(
            flag, type=_TYPES[row["type"]], choices=choices, metavar=metavar, **common
        )


def add_fields(group: Any, settings_type: type) -> None:
    """Give ``group`` a flag for every field; a flag not given leaves no trace."""
    for row in describe(settings_type):
        _add(group, row["name"], row["name"], row)


def _by_preset(name: str) -> str:
    values = []
    for each in ("draft", "standard", "high"):
        value: Any = preset(each)
        for part in name.split("."):
            value = getattr(value, part)
        values.append(f"{value:g}" if isinstance(value, float) else str(value))
    return values[0] if len(set(values)) == 1 else " | ".join(values)


def settings_from(arguments: argparse.Namespace) -> Settings:
    """The settings that the flags ask for.

    Raises:
        InvalidSettings: a value is out of range.
    """
    given = vars(arguments)
    names = {row["name"] for row in describe(Settings)} - {"preset"}
    changes: dict[str, Any] = {}
    options: dict[str, dict[str, Any]] = {}
    for key, value in given.items():
        if ":" in key:
            backend, _, field = key.partition(":")
            options.setdefault(backend, {})[field] = value
        elif key in names and "." in key:
            outer, _, field = key.partition(".")
            changes.setdefault(outer, {})[field] = value
        elif key in names:
            changes[key] = tuple(dict.fromkeys(value)) if key == "formats" else value
    settings = preset(arguments.preset, **changes, options=options)
    for stage in plugins.RECIPE:
        for name in _chosen(stage, settings):
            plugins.settings_for(stage, name, settings.preset, options.get(name, {}))
    return settings


def _chosen(stage: str, settings: Settings) -> tuple[str, ...]:
    name = getattr(settings, stage)
    return plugins.AUTOMATIC[stage] if name == "auto" else (name,)


def box_from(text: str) -> tuple[float, float, float, float]:
    """``left,top,right,bottom`` in pixels.

    Raises:
        InvalidSettings: not four numbers.
    """
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError:
        hint = "write --box left,top,right,bottom in pixels, such as --box 40,60,400,380"
        raise InvalidSettings("box", f"{text!r} is not four numbers", hint) from None
    return left, top, right, bottom
