"""Every sentence that the extension shows, found in its source.

Owns where in the code such sentences stand. ``python addon_build/sentences.py`` prints those that
a translation lacks, as lines to be filled in and put into it. Must not know Blender. Standard
library only.
"""

from __future__ import annotations

import ast
import re
import runpy
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ADDON = ROOT / "blender_addon"
TRANSLATIONS = ADDON / "translations"
# Calls -> which of their arguments are shown, by position.
SHOWN = {
    "_": (0,),
    "pgettext_iface": (0,),
    "poll_message_set": (0,),
    "draw_text": (1,),
    "Button": (1,),
    "Part": (1, 2),
    "Build": (1,),
    "report": (1,),
}
# Errors, whose message and hint are clauses: the panel shows them as sentences.
CLAUSES = {"Problem": (1, 2), "Glimpse3DError": (1, 2), "WireError": (1, 2)}
_CODED = ("BadImage", "BadFile", "InvalidData", "NoForeground", "OutputFailed")
KEYWORDS = ("text", "title", "confirm_text", "message", "heading")
PROPERTY_KEYWORDS = ("name", "description")
# Tables whose values, or keys, are shown.
TABLES = {"STEPS": "values", "_STATES": "values", "START": "values", "PRESETS": "items"}
TABLES |= {"MEANINGS": "values", "STAGES": "values", "EDGES": "values", "SIDES": "words"}
TABLES |= {"OF_SERVER": "keys", "OF_EXTENSION": "keys", "_HINTS": "hints"}
LABELS = ("bl_label", "bl_description")
_PLAIN = re.compile(r"[^\W\d_]{2}")  # there is a word in it


def collected(folder: Path = ADDON) -> dict[str, str]:
    """Each sentence and where it first stands, as ``file:line``."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*.py")):
        inside = path.relative_to(folder)
        if inside.parts[0] in ("_vendor", TRANSLATIONS.name):
            continue
        for text, line in in_source(path.read_text("utf-8")):
            found.setdefault(text, f"{inside.as_posix()}:{line}")
    return found


def in_source(source: str) -> Iterator[tuple[str, int]]:
    """The sentences of one file, with their lines."""
    tree = ast.parse(source)
    tables = TABLES | dict.fromkeys(_named_items(tree), "items")
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from _of_class(node)
        elif isinstance(node, ast.Call):
            yield from _of_call(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [each.id for each in targets if isinstance(each, ast.Name)]
            if names and names[0] in tables:
                yield from _of_table(node.value, tables[names[0]])
            elif names in (["hint"], ["needed"]):
                yield from _sentences([node.value])


def _named_items(tree: ast.Module) -> Iterator[str]:
    """Tables of choices that a property names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("EnumProperty"):
            yield from (
                each.value.id
                for each in node.keywords
                if each.arg == "items" and isinstance(each.value, ast.Name)
            )


def _of_class(node: ast.ClassDef) -> Iterator[tuple[str, int]]:
    bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
    tooltip = ast.get_docstring(node)
    if "Operator" in bases and tooltip:
        yield " ".join(tooltip.split()), node.lineno
    for line in node.body:
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) in LABELS:
            yield from _texts([line.value])


def _of_call(node: ast.Call) -> Iterator[tuple[str, int]]:
    name = ast.unparse(node.func).rpartition(".")[2]
    is_property = name.endswith("Property")
    keywords = PROPERTY_KEYWORDS if is_property else KEYWORDS
    yield from _texts(each.value for each in node.keywords if each.arg in keywords)
    shown = [node.args[index] for index in SHOWN.get(name, ()) if index < len(node.args)]
    yield from _texts(shown)
    clauses = CLAUSES.get(name, (0, 1) if name in _CODED else ())
    yield from _sentences(node.args[index] for index in clauses if index < len(node.args))
    if is_property:
        for each in node.keywords:
            if each.arg == "items":
                yield from _of_table(each.value, "items")


def _of_table(node: ast.expr, kind: str) -> Iterator[tuple[str, int]]:
    if kind in ("keys", "values") and isinstance(node, ast.Dict):
        rows = node.values if kind == "values" else [key for key in node.keys if key is not None]
        yield from _texts(rows)
    elif kind == "words" and isinstance(node, ast.Tuple):
        yield from _texts(node.elts)
    elif isinstance(node, ast.List | ast.Tuple):
        for row in node.elts:
            if isinstance(row, ast.Tuple):
                parts = row.elts[1:3] if kind == "items" else row.elts[1:2]
                for text, line in _texts(parts):
                    yield (text[:1].upper() + text[1:] if kind == "hints" else text), line


def _texts(nodes: Iterable[ast.expr]) -> Iterator[tuple[str, int]]:
    """Plain texts, also the two of a choice. What is put together at run time is none."""
    for node in nodes:
        if isinstance(node, ast.IfExp):
            yield from _texts([node.body, node.orelse])
        elif isinstance(node, ast.Constant) and _is_shown(node.value):
            yield str(node.value), node.lineno


def _is_shown(value: object) -> bool:
    return isinstance(value, str) and _PLAIN.search(value) is not None


def _sentences(nodes: Iterable[ast.expr]) -> Iterator[tuple[str, int]]:
    """Clauses as ``blender_addon/ui/words.sentence`` makes them: a file keeps its name."""
    for text, line in _texts(nodes):
        first = text.partition(" ")[0].rstrip(".,:;")
        is_name = any(each in first for each in "./\\_:")
        yield (text[:1] if is_name else text[:1].upper()) + text[1:].rstrip("."), line


def languages() -> list[str]:
    """Those with a translation. ``german_splats.py`` is a part of ``german.py``."""
    return [path.stem for path in sorted(TRANSLATIONS.glob("[a-z]*.py")) if "_" not in path.stem]


def parts(language: str) -> list[dict[str, str]]:
    """The translation into a language, file by file: English -> that language."""
    paths = [TRANSLATIONS / f"{language}.py", *sorted(TRANSLATIONS.glob(f"{language}_*.py"))]
    return [dict(runpy.run_path(str(path))["SENTENCES"]) for path in paths]


def table(language: str) -> dict[str, str]:
    """The whole translation into a language."""
    return {english: text for part in parts(language) for english, text in part.items()}


def missing(language: str) -> list[str]:
    """Lines to put into a translation, each after where its sentence stands."""
    known = table(language)
    return [
        f'    # {where}\n    {text!r}: "",'
        for text, where in collected().items()
        if not known.get(text)
    ]


def superfluous(language: str) -> list[str]:
    """Sentences of a translation that the extension does not show any more."""
    shown = collected()
    return [text for text in table(language) if text not in shown]


def main() -> int:
    """Tell what every translation lacks and has too much; 1 if there is something."""
    found = 0
    for language in languages():
        lacking, extra = missing(language), superfluous(language)
        found += len(lacking) + len(extra)
        for line in lacking:
            print(line)
        for text in extra:
            print(f"    # no longer shown: {text!r}")
        print(f"{language}: {len(lacking)} missing, {len(extra)} no longer shown", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
