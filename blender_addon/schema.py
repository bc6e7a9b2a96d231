"""The settings that a server offers, read from its ``welcome``, and a request made of them.

Owns what of a server's rows can be shown and sent back. Must not know Blender or sockets. A row
that makes no sense is left out: a server may be of another release, or hostile.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

PRESETS = ("draft", "standard", "high")
# Settings that have their own place on the panel.
ELSEWHERE = ("preset", "seed", "reconstructor")
_KINDS: Mapping[str, tuple[type, ...]] = {
    "bool": (bool,), "int": (int,), "float": (float, int), "str": (str,),
}  # fmt: skip
_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}(\.[a-z][a-z0-9_]{0,30})?")
_ABBREVIATIONS = ("cpu", "cuda", "fps")
_MOST_ROWS, _MOST_CHOICES, _LONGEST = 64, 64, 300
_MOST_FIELDS = 256  # of a preset: making properties of them holds Blender for a moment
_REACH = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values of a setting that is a word."""

    name: str
    title: str
    when: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """A setting.

    Attributes:
        name: as the request names it; a dot leads into a nested map.
        kind: ``bool``, ``int``, ``float`` or ``str``.
        default: of that kind.
        low, high: limits of a number, both inclusive.
        choices: of a word; empty if any will do.
        help: what it does, one clause.
        backend: whose own setting it is; empty if it is everybody's.
        stage: of that backend, or of the backends that it chooses among.
    """

    name: str
    kind: str
    default: Any
    low: float
    high: float
    choices: tuple[Choice, ...]
    help: str
    backend: str = ""
    stage: str = ""

    @property
    def label(self) -> str:
        """What stands beside it, below its ``heading``."""
        return _words(self.name.rpartition(".")[2])

    @property
    def heading(self) -> str:
        """What stands above it and the others of its group; empty if it stands alone."""
        return _words(self.name.rpartition(".")[0])

    @property
    def attribute(self) -> str:
        """Its name as a property in Blender."""
        name = self.name.replace(".", "__")
        return f"own__{self.backend}__{name}" if self.backend else name


@dataclass(frozen=True, slots=True)
class Schema:
    """What can be set.

    Attributes:
        fields: preset -> its settings; their defaults are what the preset means.
        usual: preset -> the method that is used where none is named.
    """

    fields: Mapping[str, tuple[Field, ...]]
    usual: Mapping[str, str] = field(default_factory=dict)

    def general(self, preset: str) -> list[Field]:
        """Everybody's settings."""
        return [each for each in self.fields.get(preset, ()) if not each.backend]

    def of_backend(self, preset: str, backend: str) -> list[Field]:
        """A backend's own settings."""
        return [each for each in self.fields.get(preset, ()) if each.backend == backend]


def _words(name: str) -> str:
    return " ".join(_word(word) for word in name.split("_"))


def _word(word: str) -> str:
    """As it is written where words begin large."""
    return word.upper() if word in _ABBREVIATIONS else word.capitalize()


def read(catalogue: Mapping[str, Any], reserved: Collection[str] = ()) -> Schema:
    """The schema in a server's catalogue; what cannot be understood is left out.

    Args:
        catalogue: what the server sent.
        reserved: attributes that no setting may have.
    """
    presets = _map(catalogue.get("presets"))
    return Schema(
        {
            preset: tuple(islice(_unique(_fields(catalogue, preset), reserved), _MOST_FIELDS))
            for preset in PRESETS
        },
        {preset: str(_map(presets.get(preset)).get("reconstructor", "")) for preset in PRESETS},
    )


def request(fields: Iterator[tuple[Field, Any]]) -> dict[str, Any]:
    """What ``submit`` takes for settings that were changed: nested maps, options by backend."""
    settings: dict[str, Any] = {}
    for each, value in fields:
        place = settings
        if each.backend:
            place = settings.setdefault("options", {}).setdefault(each.backend, {})
        *outer, last = each.name.split(".")
        for name in outer:
            place = place.setdefault(name, {})
        place[last] = value
    return settings


def _fields(catalogue: Mapping[str, Any], preset: str) -> Iterator[Field]:
    values = _map(_map(catalogue.get("presets")).get(preset))
    stages = _map(catalogue.get("backends"))
    automatic = _map(catalogue.get("automatic"))
    for row in _maps(catalogue.get("settings")):
        found = _field(row, values)
        if found is None or found.name in ELSEWHERE:
            continue
        if found.kind == "str" and found.name in stages:
            choices = _backends(stages[found.name], found.name in automatic)
            found = replace(found, choices=choices, stage=found.name)
            if found.default not in {each.name for each in choices}:
                continue
        yield found
    for stage, backends in stages.items():
        for backend in _maps(backends):
            yield from _own(stage, backend, preset)


def _own(stage: str, backend: Mapping[str, Any], preset: str) -> Iterator[Field]:
    name = backend.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or not isinstance(stage, str):
        return
    values = _map(_map(backend.get("presets")).get(preset))
    for row in _maps(backend.get("settings")):
        if (found := _field(row, values)) is not None:
            yield replace(found, backend=name, stage=stage)


def _backends(rows: object, automatic: bool) -> tuple[Choice, ...]:
    found = [Choice("auto", "Automatic", "the first that can do it")] if automatic else []
    for row in _maps(rows):
        words = [row.get(key) for key in ("name", "title", "when")]
        if all(isinstance(word, str) for word in words) and _NAME.fullmatch(str(words[0])):
            found.append(Choice(*(str(word)[:_LONGEST] for word in words)))
    return tuple(found)


def _field(row: Mapping[str, Any], values: Mapping[str, Any]) -> Field | None:
    """A row as a setting; None if it is of no known kind or contradicts itself."""
    name, kind = str(row.get("name")), str(row.get("type"))
    if not _NAME.fullmatch(name) or kind not in _KINDS:
        return None
    default = _looked_up(values, name, row.get("default"))
    low, high = _limit(row.get("low"), -_REACH), _limit(row.get("high"), _REACH)
    choices = row.get("choices")
    words = _choices(choices) if isinstance(choices, list) else []
    if type(default) not in _KINDS[kind] or (words and default not in words):
        return None
    if kind in ("int", "float") and not low <= default <= high:
        return None
    help_ = row.get("help")
    return Field(
        name, kind, float(default) if kind == "float" else default, low, high,
        tuple(Choice(word, _word(word.replace("_", " "))) for word in words),
        help_[:_LONGEST] if isinstance(help_, str) else "",
    )  # fmt: skip


def _choices(rows: list[Any]) -> list[str]:
    """Words that a menu can show, each once."""
    words = [each for each in rows if isinstance(each, str) and 0 < len(each) <= _LONGEST]
    return list(dict.fromkeys(words))[:_MOST_CHOICES]


def _looked_up(values: Mapping[str, Any], name: str, default: Any) -> Any:
    """What a preset says of a setting whose name may lead into nested maps."""
    found: Any = values
    for part in name.split("."):
        found = _map(found).get(part, default)
        if found is default:
            return default
    return found


def _limit(value: Any, otherwise: float) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        return otherwise
    return float(min(max(value, -_REACH), _REACH))


def _unique(fields: Iterator[Field], reserved: Collection[str]) -> Iterator[Field]:
    seen = set(reserved)
    for each in fields:
        if each.attribute not in seen and len(each.attribute) < 60:
            seen.add(each.attribute)
            yield each


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _maps(rows: object) -> list[dict[str, Any]]:
    if not isinstance(rows, list):
        return []
    return [row for row in rows if isinstance(row, dict)][:_MOST_ROWS]
