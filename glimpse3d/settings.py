"""Settings as plain frozen dataclasses, their presets, and their description for interfaces.

Owns what may be asked of a run. Command line, wire and panel are generated from the fields here
and from each backend's own ``Settings``. Must not know any backend.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeVar

from .errors import InvalidSettings

SettingsType = TypeVar("SettingsType")

FORMATS = ("glb", "obj", "stl")
DETAILS = ("none", "depth")


def option(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field with limits and a line of help; units belong into the help."""
    about = {"help": help, "low": low, "high": high, "choices": choices}
    return field(default=default, metadata=about)


def check(settings: Any) -> None:
    """Refuse values of the wrong type or out of range; call it from ``__post_init__``.

    Whole numbers are taken where a float is wanted, lists where a tuple is.

    Raises:
        InvalidSettings: naming the field.
    """
    for each in fields(settings):
        value = getattr(settings, each.name)
        if "help" not in each.metadata:
            continue
        kind = type(each.default)
        if kind is float and type(value) is int:
            value = float(value)
            object.__setattr__(settings, each.name, value)
        if kind is tuple and isinstance(value, list):
            value = tuple(value)
            object.__setattr__(settings, each.name, value)
        if type(value) is not kind:
            raise InvalidSettings(each.name, f"{value!r} is not of type {kind.__name__}")
        _check_range(each.name, value, each.metadata)


def _check_range(name: str, value: Any, about: Mapping[str, Any]) -> None:
    low, high, choices = about["low"], about["high"], about["choices"]
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidSettings(name, f"{value} is not a number one can work with")
    if low is not None and value < low:
        raise InvalidSettings(name, f"{value} is too small", f"the smallest is {low}")
    if high is not None and value > high:
        raise InvalidSettings(name, f"{value} is too large", f"the largest is {high}")
    for item in value if isinstance(value, tuple) else (value,):
        if choices and item not in choices:
            raise InvalidSettings(name, f"{item!r} is unknown", f"known: {', '.join(choices)}")


@dataclass(frozen=True, slots=True)
class TurntableSettings:
    """The video that turns once around the object."""

    frames: int = option(120, "pictures in one turn", low=1, high=1440)
    fps: int = option(30, "pictures per second", low=1, high=120)
    elevation: float = option(15.0, "degrees above the horizon", low=-80, high=80)
    radius: float = option(2.2, "distance to the centre in object sizes", low=0.9, high=20)
    field_of_view: float = option(40.0, "degrees, vertical", low=5, high=120)
    resolution: int = option(512, "width and height in pixels, even", low=64, high=2048)

    def __post_init__(self) -> None:
        check(self)
        if self.resolution % 2:
            raise InvalidSettings("resolution", f"{self.resolution} is odd", "take an even number")


@dataclass(frozen=True, slots=True)
class Settings:
    """All that decides what one picture becomes. Plain values, so that it travels as a map.

    Attributes:
        options: backend name -> changes to that backend's own settings.
    """

    preset: str = option("standard", "quality", choices=("draft", "standard", "high"))
    matte: str = option("auto", "cut-out backend")
    depth: str = option("dpt", "depth estimator, for what is made from depth")
    reconstructor: str = option("embedded", "reconstruction backend")
    detail: str = option(
        "none", "what refines the front: the picture's depth, or nothing", choices=DETAILS
    )
    size: float = option(1.0, "longest side of the object in metres", low=1e-4, high=1e4)
    faces: int = option(30_000, "triangles at most, 0 keeps all", low=0, high=5_000_000)
    texture_size: int = option(2048, "longest side of the texture in pixels", low=64, high=8192)
    gaussians: int = option(30_000, "splats on the surface", low=16, high=2_000_000)
    seed: int = option(0, "seed of everything random", low=0, high=2**31 - 1)
    formats: tuple[str, ...] = option(("glb",), "mesh formats to write", choices=FORMATS)
    turntable: TurntableSettings = field(default_factory=TurntableSettings)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self)
        if 0 < self.faces < 64:
            raise InvalidSettings("faces", f"{self.faces} cannot hold a shape", "64 or more, or 0")
        if not self.formats:
            raise InvalidSettings("formats", "no mesh format is named", f"one of {FORMATS}")


DRAFT = Settings(
    preset="draft",
    faces=10_000,
    texture_size=1024,
    gaussians=10_000,
    turntable=TurntableSettings(frames=60, fps=15, resolution=384),
)
STANDARD = Settings()
HIGH = Settings(
    preset="high",
    faces=100_000,
    texture_size=4096,
    gaussians=100_000,
    turntable=TurntableSettings(frames=240, resolution=768),
)
PRESETS: dict[str, Settings] = {each.preset: each for each in (DRAFT, STANDARD, HIGH)}


def preset(name: str, **changes: Any) -> Settings:
    """A preset's settings, some of them changed.

    >>> preset("draft", size=0.3).size
    0.3

    Raises:
        InvalidSettings: an unknown preset or field, or a value out of range.
    """
    if name not in PRESETS:
        raise InvalidSettings("preset", f"{name!r} is unknown", f"known: {', '.join(PRESETS)}")
    return changed(PRESETS[name], changes)


def changed(settings: SettingsType, changes: Mapping[str, Any]) -> SettingsType:
    """A copy with some fields changed; maps reach into nested settings.

    >>> changed(STANDARD, {"turntable": {"frames": 12}}).turntable.fps
    30

    Raises:
        InvalidSettings: an unknown field, or a value out of range.
    """
    known = {each.name for each in fields(settings)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in known:
            raise InvalidSettings(name, "there is no such setting", f"known: {sorted(known)}")
        old = getattr(settings, name)
        nested = is_dataclass(old) and isinstance(value, Mapping)
        values[name] = changed(old, value) if nested else value
    return replace(settings, **values)  # type: ignore[type-var]


def to_dict(settings: Any) -> dict[str, Any]:
    """Plain values for JSON and the wire; ``from_dict`` reads them back."""
    return {each.name: _plain(getattr(settings, each.name)) for each in fields(settings)}


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return to_dict(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def from_dict(values: Mapping[str, Any]) -> Settings:
    """The settings that ``to_dict`` wrote; fields left out keep the preset's value.

    Raises:
        InvalidSettings: an unknown field, or a value out of range.
    """
    if not isinstance(values, Mapping):
        raise InvalidSettings("settings", "expected a map of settings")
    return preset(values.get("preset", "standard"), **values)


def describe(settings_type: type) -> list[dict[str, Any]]:
    """The fields of a settings dataclass, for whoever draws an interface from them.

    Returns:
        one map a field: ``name``, ``type`` (``int``, ``float``, ``str``, ``bool``, ``tuple``),
        ``default``, ``low``, ``high``, ``choices``, ``help``; nested settings come with names
        joined by a dot.
    """
    rows: list[dict[str, Any]] = []
    for each in fields(settings_type):
        if "help" in each.metadata:
            row = {"name": each.name, "type": type(each.default).__name__}
            rows.append({**row, "default": _plain(each.default), **each.metadata})
        elif is_dataclass(each.default_factory):
            for inner in describe(each.default_factory):
                rows.append({**inner, "name": f"{each.name}.{inner['name']}"})
    return rows
