"""Words: every sentence is translated, every code has its button or a reason to have none."""

import ast
import importlib
import string
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from inference_server.errors import CODES

ROOT = Path(__file__).resolve().parents[2]
AMERICAN = ("color", "center", "gray", "canceled", "license ", "optimize", "initialize", "behavior")


@pytest.fixture(scope="module")
def sentences() -> Iterator[ModuleType]:
    sys.path.insert(0, str(ROOT / "addon_build"))
    yield importlib.import_module("sentences")
    sys.path.remove(str(ROOT / "addon_build"))


def languages() -> list[str]:
    found = sorted((ROOT / "blender_addon/translations").glob("[a-z]*.py"))
    return [path.stem for path in found if "_" not in path.stem]


def fields(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


def test_there_is_a_translation() -> None:
    assert "german" in languages()


@pytest.mark.parametrize("language", languages())
def test_no_sentence_is_missing(language: str, sentences: ModuleType) -> None:
    path = f"blender_addon/translations/{language}.py"
    lines = sentences.missing(language)
    assert not lines, f"fill these in and put them into {path}:\n" + "\n".join(lines)


@pytest.mark.parametrize("language", languages())
def test_no_sentence_stays_that_is_shown_no_more(language: str, sentences: ModuleType) -> None:
    assert sentences.superfluous(language) == []


@pytest.mark.parametrize("language", languages())
def test_no_sentence_is_translated_twice(language: str, sentences: ModuleType) -> None:
    parts = sentences.parts(language)
    assert len(sentences.table(language)) == sum(map(len, parts))


@pytest.mark.parametrize("language", languages())
def test_a_translation_has_the_same_places_to_fill(language: str, sentences: ModuleType) -> None:
    wrong = [
        english
        for english, translated in sentences.table(language).items()
        if fields(english) != fields(translated)
    ]
    assert wrong == []


def test_english_is_british_and_ends_as_blender_wants_it(sentences: ModuleType) -> None:
    for text, where in sentences.collected().items():
        assert not text.endswith((".", "!")), (where, text)
        assert not [word for word in AMERICAN if word in text.lower()], (where, text)


def test_every_place_where_a_sentence_can_stand_is_found(sentences: ModuleType) -> None:
    source = '''
STEPS = {"one": "A step"}
CHOICES = (("a", "A choice", "What it does"),)
SIDES = ("A side",)
class Do(Base, bpy.types.Operator):
    """A tooltip"""
    bl_label = "A label"
    kind: bpy.props.EnumProperty(items=[("a", "An item", "Its help")], name="A name")
    other: bpy.props.EnumProperty(items=CHOICES)
    def draw(self, context):
        cls.poll_message_set("A reason")
        row.label(text="A text" if x else "Another text", icon="NONE")
        draw_text(row, "A paragraph")
        hint = "a hint by name."
        raise Glimpse3DError("invalid_data", "a clause", "a hint")
        report({"INFO"}, "A report")
        row.prop(it, "not_shown", text="")
'''
    found = {text for text, _ in sentences.in_source(source)}
    assert found == {
        "A step", "A tooltip", "A label", "An item", "Its help", "A name", "A reason", "A text",
        "Another text", "A paragraph", "A hint by name", "A clause", "A hint", "A report",
        "A choice", "What it does", "A side",
    }  # fmt: skip


def tables(source: str) -> dict[str, dict[str, ast.expr]]:
    """The dictionaries of a file by their names: the file itself wants Blender."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            keys = [key.value for key in node.value.keys if isinstance(key, ast.Constant)]
            rows = dict(zip(map(str, keys), node.value.values, strict=True))
            found[ast.unparse(node.targets[0])] = rows
    return found


def test_every_code_and_edge_has_its_meaning() -> None:
    source = (ROOT / "blender_addon/ui/meanings.py").read_text("utf-8")
    found = tables(source)
    assert {*CODES, "offline"} <= set(found["MEANINGS"])
    assert set(found["EDGES"]) == {"left", "right", "top", "bottom"}


def test_every_code_has_a_button_or_a_reason_to_have_none() -> None:
    found = tables((ROOT / "blender_addon/ui/words.py").read_text("utf-8"))
    with_button = {*found["CONNECTION_BUTTONS"], *found["JOB_BUTTONS"]}
    without = set(found["WITHOUT_BUTTON"])
    assert with_button | without == {*CODES, "offline"}
    assert not with_button & without
