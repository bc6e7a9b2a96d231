"""What a server offers as settings, read by the add-on: whole from ours, harmless from any."""

import math
from typing import Any

import pytest

from blender_addon import schema
from glimpse3d.settings import PRESETS, from_dict, to_dict
from inference_server import catalogue

OURS = catalogue.describe_all()


def looked_up(settings: dict[str, Any], name: str) -> Any:
    for part in name.split("."):
        settings = settings[part]
    return settings


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_setting_of_ours_is_offered_with_what_the_preset_means(preset: str) -> None:
    values = to_dict(PRESETS[preset])
    fields = {each.name: each for each in schema.read(OURS).general(preset)}
    rows = {row["name"] for row in OURS["settings"] if row["type"] != "tuple"}
    assert set(fields) == rows - set(schema.ELSEWHERE)
    for name, field in fields.items():
        assert field.default == looked_up(values, name)
        assert field.help and field.label


def test_a_choice_of_backends_names_them_all() -> None:
    (matte,) = [each for each in schema.read(OURS).general("draft") if each.name == "matte"]
    names = [each.name for each in matte.choices]
    assert names == ["auto", *(row["name"] for row in OURS["backends"]["matte"])]


@pytest.mark.parametrize("preset", list(PRESETS))
def test_what_is_changed_is_a_request_that_the_server_takes(preset: str) -> None:
    offered = schema.read(OURS)
    fields = offered.fields[preset]
    request = schema.request((each, each.default) for each in fields)
    asked = from_dict({"preset": preset, **request})
    catalogue.check_settings(asked)
    assert to_dict(asked)["turntable"] == to_dict(PRESETS[preset])["turntable"]
    backends = {each.backend for each in fields if each.backend}
    assert set(request["options"]) == backends
    for backend in backends:
        assert offered.of_backend(preset, backend)


def test_a_backends_own_default_follows_the_preset() -> None:
    row = {"name": "grid", "type": "int", "default": 64, "low": 8, "high": 512, "choices": [],
           "help": "samples"}  # fmt: skip
    fine = {"name": "mine", "title": "Mine", "when": "", "settings": [row],
            "presets": {"high": {"grid": 256}}}  # fmt: skip
    offered = schema.read({"backends": {"reconstructor": [fine]}})
    found = [offered.of_backend(preset, "mine")[0].default for preset in schema.PRESETS]
    assert found == [64, 64, 256]


def row(**changes: Any) -> dict[str, Any]:
    good = {"name": "size", "type": "float", "default": 1.0, "low": 0, "high": 2, "choices": [],
            "help": "metres"}  # fmt: skip
    return {**good, **changes}


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": 5}, {"name": "Size"}, {"name": "a.b.c"}, {"name": "__class__"}, {"name": ""},
        {"name": "x" * 500}, {"name": "size; import os"}, {"type": "object"}, {"type": None},
        {"type": []}, {"default": "1"}, {"default": True}, {"default": 3.0}, {"default": math.nan},
        {"default": None}, {"low": 5, "high": 1},
        {"type": "str", "default": "c", "choices": ["a", "b"]},
        {"type": "str", "default": "c99", "choices": [f"c{number}" for number in range(100)]},
        {"type": "str", "default": "", "choices": ["", "b"]},
    ],
)  # fmt: skip
def test_a_row_without_sense_is_left_out(wrong: dict[str, Any]) -> None:
    offered = schema.read({"settings": [row(**wrong), row(name="kept")]})
    assert [each.name for each in offered.general("draft")] == ["kept"]


@pytest.mark.parametrize(
    "catalogue_",
    [
        {}, {"settings": 3}, {"settings": [1, "a", None, []]}, {"presets": []},
        {"backends": [1]}, {"backends": {"matte": {"a": 1}}},
        {"backends": {"matte": [{"name": []}]}},
        {"presets": {"draft": {"reconstructor": 5}}},
    ],
)  # fmt: skip
def test_nonsense_is_an_empty_schema(catalogue_: dict[str, Any]) -> None:
    assert not any(schema.read(catalogue_).fields.values())


def test_limits_and_lengths_are_what_blender_can_hold() -> None:
    wide = row(low=-math.inf, high=10**30, help="x" * 10_000)
    many = [row(name=f"n{index}") for index in range(10_000)]
    fields = schema.read({"settings": [wide, *many]}).general("draft")
    assert len(fields) <= 64 and len(fields[0].help) <= 300
    assert -(2**31) < fields[0].low <= fields[0].high < 2**31


def test_stages_without_end_are_cut_as_rows_are() -> None:
    backends = {
        f"stage{stage}": [
            {"name": f"b{index}", "settings": [row(name=f"n{number}") for number in range(40)]}
            for index in range(40)
        ]
        for stage in range(40)
    }
    assert len(schema.read({"backends": backends}).fields["draft"]) == 256


def test_a_menu_shows_each_choice_once() -> None:
    menu = row(type="str", default="b", choices=["b", "", "a", "b", 5, "x" * 1000, "a"])
    (found,) = schema.read({"settings": [menu]}).general("draft")
    assert [each.name for each in found.choices] == ["b", "a"]


def test_reserved_attributes_are_no_settings() -> None:
    rows = [row(name="is_property_set"), row(name="kept")]
    offered = schema.read({"settings": rows}, {"is_property_set"})
    assert [each.name for each in offered.general("draft")] == ["kept"]


def test_two_settings_never_share_a_property() -> None:
    twice = [row(), row(), row(name="turn.size"), row(name="turn.size")]
    attributes = [each.attribute for each in schema.read({"settings": twice}).general("draft")]
    assert attributes == ["size", "turn__size"]
