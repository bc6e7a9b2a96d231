"""What Blender itself knows of our words: tooltips, reasons, and the language that is set."""

import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import pytest


def operators(addon: ModuleType) -> list[Any]:
    registration: Any = sys.modules[f"{addon.__name__}.registration"]
    return [each for each in registration.CLASSES if issubclass(each, bpy.types.Operator)]


def test_every_operator_and_property_has_its_tooltip(addon: ModuleType) -> None:
    classes = operators(addon)
    assert len(classes) > 15
    for each in classes:
        name = each.bl_idname.partition(".")[2]
        kind = getattr(bpy.ops.glimpse3d, name).get_rna_type()
        assert kind.description, each
        for prop in kind.properties:
            # Items of a choice have theirs; the file browser shows its own fields.
            known = prop.identifier in ("rna_type", "filepath") or prop.type == "ENUM"
            assert known or prop.is_hidden or prop.description, (each, prop.identifier)


def test_every_operator_that_can_be_grey_says_why(addon: ModuleType) -> None:
    for each in operators(addon):
        ours = [base for base in each.__mro__ if base.__module__.startswith(addon.__name__)]
        for base in ours:
            if "poll" in base.__dict__:
                said = inspect.getsource(base)
                assert re.search(r"poll_message_set|needs_\w+\(cls", said), base


def test_why_an_operator_is_grey_is_said_in_the_users_language(addon: ModuleType) -> None:
    """Blender shows a reason as it is given, unlike labels and tooltips, which it translates."""
    folder = Path(str(addon.__file__)).parent / "ui"
    said = [
        found
        for path in sorted(folder.glob("*.py"))
        for found in re.findall(r"\w\.poll_message_set\((.*)", path.read_text("utf-8"))
    ]
    assert len(said) > 25
    assert not [each for each in said if not each.startswith("_(")]


def test_the_table_of_translations_is_blenders(addon: ModuleType) -> None:
    translations: Any = sys.modules[f"{addon.__name__}.translations"]
    table = translations.table()
    german = table["de_DE"]
    assert german["*", "Generate"] == german["Operator", "Generate"] == "Erzeugen"
    languages = bpy.app.translations.locales
    if not languages:
        pytest.skip("this bpy came without languages")
    with pytest.raises(ValueError):  # it is registered: a second time is refused
        bpy.app.translations.register(addon.__name__, table)
    view = bpy.context.preferences.view
    view.language = next(name for name in ("de_DE", "de") if name in languages)
    try:
        assert bpy.app.translations.pgettext_iface("Connection Doctor") == "Verbindungsdoktor"
        shape = bpy.types.Scene.bl_rna.properties["glimpse3d_splats"].fixed_type.properties["shape"]
        german_names = [bpy.app.translations.pgettext_iface(each.name) for each in shape.enum_items]
        assert "Kugel" in german_names
    finally:
        view.language = "en_US"


def test_what_is_put_together_is_german_too(
    addon: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    words: Any = sys.modules[f"{addon.__name__}.ui.words"]
    history: Any = sys.modules[f"{addon.__name__}.history"]
    translations: Any = sys.modules[f"{addon.__name__}.translations"]
    german = translations.table()["de_DE"]
    problem = history.Problem("out_of_memory", "the GPU has 3 of 9 MB left", "look into its log")
    assert words.told(problem) == ["The GPU has 3 of 9 MB left", "Look into its log"]
    monkeypatch.setattr(words, "_", lambda text: german.get(("*", text), text))  # some have none
    assert words.told(problem) == [
        "Dem Server ging der Speicher aus", "The GPU has 3 of 9 MB left", "In sein Protokoll sehen",
    ]  # fmt: skip
    assert "links, oben" in words.touched(("left", "top"))
    assert words.queued(2) != "Queued, 2 before it"
