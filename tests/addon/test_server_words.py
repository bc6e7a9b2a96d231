"""What our own servers send as words is translated, too: settings, choices, methods, notes."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from blender_addon import schema
from blender_addon.translations import LANGUAGES, servers_german
from inference_server import catalogue

ROOT = Path(__file__).resolve().parents[2]
# Names of networks, programs, processors and number formats are the same in any language.
NAMES = {
    "Bfloat16", "CPU", "CUDA", "DPT (MiDaS 3)", "Float16", "Float32", "GLPN", "GrabCut",
    "Segment Anything", "Torchmcubes", "TripoSR", "rembg",
}  # fmt: skip
NETWORKS = "own__rembg__model"


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def of_settings() -> Iterator[str]:
    """What the panel shows of the settings, as ``server_settings`` hands it to Blender."""
    for fields in schema.read(catalogue.describe_all()).fields.values():
        for each in fields:
            yield from (each.label, each.heading, sentence(each.help))
            for choice in each.choices if each.attribute != NETWORKS else ():
                yield from (choice.title, sentence(choice.when))


def of_methods() -> Iterator[str]:
    for row in catalogue.describe_all()["backends"]["reconstructor"]:
        yield from (row["title"], sentence(row["when"]))


def reports() -> Iterator[tuple[str, str]]:
    """Stages and notes of progress: ``("stage", name)`` and ``("note", text)``."""
    worker = ROOT / "inference_server" / "worker.py"
    for path in (*sorted((ROOT / "glimpse3d").rglob("*.py")), worker):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and path.parent.name != "captions":  # none asks for one
                yield from of_call(node)


def of_call(node: ast.Call) -> Iterator[tuple[str, str]]:
    name = ast.unparse(node.func)
    texts = [each.value for each in node.args if isinstance(each, ast.Constant)]
    words = [each for each in texts if isinstance(each, str)]
    if name.endswith(".stage") and words and len(node.args) + len(node.keywords) > 1:
        yield "stage", words[0]
    elif name.endswith(".track") and words:
        yield "note", words[-1]
    elif name in ("progress", "self.progress", "part") and len(node.args) > 1 and words:
        yield "note", words[0]


def known() -> dict[str, str]:
    return {
        english: text
        for parts in LANGUAGES.values()
        for part in parts
        for english, text in part.SENTENCES.items()
    }


def shown() -> set[str]:
    notes = {sentence(text) for kind, text in reports() if kind == "note"}
    return ({*of_settings(), *of_methods()} | notes) - NAMES - {""}


def test_what_there_is_to_translate_was_found() -> None:
    assert len(set(of_settings())) > 100
    assert len(list(of_methods())) == 8
    assert len({text for kind, text in reports() if kind == "stage"}) > 15
    assert len({text for kind, text in reports() if kind == "note"}) > 20


def test_every_word_of_our_own_servers_is_translated() -> None:
    missing = sorted(shown() - set(known()))
    assert not missing, f"put these into servers_german.py: {missing}"


def test_no_word_stays_that_no_server_sends() -> None:
    assert set(servers_german.SENTENCES) - shown() == set()


def test_every_stage_of_the_work_has_its_meaning() -> None:
    source = (ROOT / "blender_addon/ui/meanings.py").read_text("utf-8")
    tables = {
        ast.unparse(node.targets[0]): ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
    }
    stages = {text for kind, text in reports() if kind == "stage"}
    assert stages - set(tables["STAGES"]) == set()


@pytest.mark.parametrize(
    ("name", "label"), [("turntable.fps", "FPS"), ("field_of_view", "Field Of View")]
)
def test_abbreviations_are_written_large(name: str, label: str) -> None:
    fields = schema.read(catalogue.describe_all()).fields["draft"]
    assert label in {each.label for each in fields if each.name == name}
