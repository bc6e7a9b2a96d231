"""What a source file imports, wherever the import stands. Knows no rules."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("blender_addon", "glimpse3d", "inference_server", "addon_build", "training")


class Import(NamedTuple):
    """``name`` is dotted and absolute; ``top`` is true if importing the module imports it too."""

    name: str
    line: int
    top: bool


def modules_under(root: Path) -> dict[str, str]:
    """Module name -> source; a package is named ``package.__init__``."""
    files = [path for package in PACKAGES for path in (root / package).rglob("*.py")]
    if (root / "build.py").exists():
        files.append(root / "build.py")
    return {
        ".".join(path.relative_to(root).with_suffix("").parts): path.read_text("utf-8")
        for path in files
    }


@cache
def imports_of(module: str, source: str) -> list[Import]:
    return list(_imports(ast.parse(source), module, top=True))


def _imports(node: ast.AST, module: str, top: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        for name in _names(child, module):
            yield Import(name, child.lineno, top)
        hidden = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        typing_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        yield from _imports(child, module, top and not hidden and not typing_only)


def _names(node: ast.AST, module: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = _absolute("." * node.level + (node.module or ""), module)
        return [base if alias.name == "*" else f"{base}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        name = node.args[0].value
        called = ast.unparse(node.func).rpartition(".")[2]
        if called in ("import_module", "__import__") and isinstance(name, str):
            return [_absolute(name, module)]
    return []


def _absolute(name: str, module: str) -> str:
    plain = name.lstrip(".")
    level = len(name) - len(plain)
    if not level:
        return plain
    return ".".join([*module.split(".")[:-level], *([plain] if plain else [])])


def below(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in prefixes)
