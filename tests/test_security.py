"""The table of ``docs/security.md`` names tests that are there, and none of them runs code."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "`tests/" in line]
NAMED = sorted(set(re.findall(r"`(tests/[a-z_/]+\.py)::(test_[a-z0-9_]+)`", PAGE)))


def test_every_row_of_the_table_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    heads = [line for line in rows if line.startswith("| threat ")]
    assert len(ROWS) == len(rows) - len(heads) >= 19
    assert len(NAMED) > 40


@pytest.mark.parametrize("path", sorted({path for path, _ in NAMED}))
def test_the_tests_that_are_named_are_there(path: str) -> None:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    there = {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}
    assert {name for file, name in NAMED if file == path} <= there


def test_no_source_loads_code_with_weights() -> None:
    """Whatever loads what a stranger trained says that it wants numbers alone."""
    loads = 0
    for folder in ("glimpse3d", "inference_server", "blender_addon", "training", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text("utf-8"))
            for call in (each for each in ast.walk(tree) if isinstance(each, ast.Call)):
                said = {each.arg: ast.unparse(each.value) for each in call.keywords}
                if ast.unparse(call.func) == "torch.load":
                    loads += 1
                    assert said.get("weights_only") == "True", path
                for name in ("trust_remote_code", "allow_pickle"):
                    assert said.get(name, "False") == "False", path
    assert loads >= 2
