"""Blender properties made of the settings that the connected server offers.

Owns those classes, and what of them the user changed. Must not know sockets or how they are drawn.
They are made anew when another catalogue comes; what a file holds is kept by name. Annotations
must be live objects here: no ``from __future__ import annotations``.
"""

import zlib
from typing import Any

import bpy

from .. import pulse, schema

PROPERTY = "glimpse3d_settings"
_EXACT = 2**24  # up to here every whole number is a 32-bit float


class _Made:
    """What is registered right now."""

    def __init__(self) -> None:
        self.welcome: object = None
        self.schema = schema.Schema({})
        self.classes: list[type] = []


_made = _Made()


def follow() -> None:
    """Take over what the server offers, once it greeted; called at every tick."""
    here = pulse.session()
    welcome = here.client.welcome if here is not None and here.client is not None else None
    if welcome is None or welcome is _made.welcome:
        return
    _made.welcome = welcome
    found = schema.read(welcome.catalogue, dir(bpy.types.PropertyGroup))
    if found != _made.schema:
        clear()
        _register(found)


def clear() -> None:
    """Take the classes back."""
    if hasattr(bpy.types.Scene, PROPERTY):
        delattr(bpy.types.Scene, PROPERTY)
    for each in reversed(_made.classes):
        bpy.utils.unregister_class(each)
    _made.classes, _made.schema = [], schema.Schema({})


def stop() -> None:
    """Take the classes back, and know no server."""
    clear()
    _made.welcome = None


def offered() -> schema.Schema:
    """What the server offers; empty before one was met."""
    return _made.schema


def chosen(scene: bpy.types.Scene, preset: str) -> bpy.types.PropertyGroup | None:
    """The values for this preset in a scene; None before a server was met."""
    values = getattr(scene, PROPERTY, None)
    return getattr(values, preset, None)


def changed(scene: bpy.types.Scene, preset: str, backends: set[str]) -> dict[str, Any]:
    """What the user changed, as ``submit`` takes it; options only of these backends."""
    values = chosen(scene, preset)
    fields = _made.schema.fields.get(preset, ())
    if values is None:
        return {}
    return schema.request(
        (each, value)
        for each in fields
        if values.is_property_set(each.attribute) and (each.backend in backends or not each.backend)
        if (value := getattr(values, each.attribute))
        or not each.choices  # no choice has that number
    )


def reset(scene: bpy.types.Scene, preset: str) -> None:
    """Back to what the preset means."""
    values = chosen(scene, preset)
    if values is not None:
        for each in _made.schema.fields.get(preset, ()):
            values.property_unset(each.attribute)


def _register(found: schema.Schema) -> None:
    presets = {}
    for preset, fields in found.fields.items():
        notes = {each.attribute: _property(each) for each in fields}
        kind = type(
            f"GLIMPSE3D_PG_{preset}", (bpy.types.PropertyGroup,), {"__annotations__": notes}
        )
        presets[preset] = bpy.props.PointerProperty(type=_known(kind))
    every = {"__annotations__": presets}
    _known(type("GLIMPSE3D_PG_settings", (bpy.types.PropertyGroup,), every))
    setattr(bpy.types.Scene, PROPERTY, bpy.props.PointerProperty(type=_made.classes[-1]))
    _made.schema = found


def _known(kind: type) -> type:
    bpy.utils.register_class(kind)
    _made.classes.append(kind)
    return kind


def _property(field: schema.Field) -> Any:
    about = {"name": field.label, "description": _sentence(field.help), "default": field.default}
    if field.kind == "bool":
        return bpy.props.BoolProperty(**about)
    if field.kind == "int":
        return bpy.props.IntProperty(**about, min=int(field.low), max=int(field.high))
    if field.kind == "float":
        return bpy.props.FloatProperty(**about, min=field.low, max=field.high, precision=3)
    if not field.choices:
        return bpy.props.StringProperty(**about)
    items = [
        (each.name, each.title, _sentence(each.when), number)
        for each, number in zip(field.choices, _numbers(field.choices), strict=True)
    ]
    return bpy.props.EnumProperty(**{**about, "items": items})


def _numbers(choices: tuple[schema.Choice, ...]) -> list[int]:
    """A number for each choice, by its name: files keep it, so others must not change it.

    Blender's menus carry it as a 32-bit float, so it has to fit into its 24 bits.
    """
    found: list[int] = []
    for each in choices:
        number = zlib.crc32(each.name.encode()) % _EXACT
        while number in found:
            number = (number + 1) % _EXACT
        found.append(number)
    return found


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
