"""What the documents tell a reader to type works, in the order they tell it.

Blocks of one document run one after the other in one folder that holds a copy of ``examples/``.
Commands of ``build.py`` are run by CI in the clean clone: they must stand in ``.ci/run`` word for
word. A block that cannot run here says why, on the line before it: ``<!-- not run: why -->``.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]
RUNNER = "python3.11 build.py "
SHOWN_ONLY = ("json", "text", "toml")
NOT_RUN = re.compile(r"<!-- not run: (\S.*\S) -->")


class Block(NamedTuple):
    """One fenced block: ``why_not`` is the reason of a mark before it, empty if it is to run."""

    line: int
    language: str
    text: str
    why_not: str


def blocks_of(document: str) -> list[Block]:
    blocks = []
    lines = document.splitlines()
    start = None
    for number, line in enumerate(lines):
        if not line.lstrip().startswith("```"):
            continue
        if start is not None:
            mark = NOT_RUN.fullmatch(lines[start - 1].strip()) if start else None
            language, text = lines[start].strip("` "), "\n".join(lines[start + 1 : number])
            blocks.append(Block(start + 1, language, text, mark[1] if mark else ""))
            start = None
        else:
            start = number
    assert start is None, "a block is never closed"
    return blocks


def commands_of(block: Block) -> list[str]:
    """Every line of a ``bash`` block; the lines after ``$`` of a ``console`` block."""
    lines = block.text.replace("\\\n", " ").splitlines()
    if block.language == "console":
        lines = [line[2:] for line in lines if line.startswith("$ ")]
        assert lines, f"line {block.line}: no line of this console block begins with '$ '"
    commands = [line.strip() for line in lines]
    return [command for command in commands if command and not command.startswith("#")]


def run_block(block: Block, folder: Path) -> None:
    if block.language == "python":
        session = block.text.startswith(">>>")
        script = folder / f"block_{block.line}{'.txt' if session else '.py'}"
        script.write_text(block.text + "\n", "utf-8")
        run([sys.executable, *(["-m", "doctest"] if session else []), str(script)], folder)
    elif block.language in ("bash", "console"):
        for command in commands_of(block):
            if not command.startswith(RUNNER):
                run(shlex.split(command, comments=True), folder)
    else:
        assert block.language in SHOWN_ONLY, f"line {block.line}: nobody can run {block.language!r}"


def run(command: list[str], folder: Path) -> None:
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    program = shutil.which(command[0], path=path)
    assert program, f"there is no program {command[0]!r}"
    ran = subprocess.run(
        [program, *command[1:]], cwd=folder, env={**os.environ, "PATH": path},
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600,
    )  # fmt: skip
    assert ran.returncode == 0, f"{shlex.join(command)}\n{ran.stdout}"


def ci_commands() -> list[str]:
    lines = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    return [line for line in lines if line.startswith(RUNNER)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_document_says_works(document: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for block in blocks_of(document.read_text("utf-8")):
        if not block.why_not:
            run_block(block, tmp_path)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_of_the_task_runner_are_those_of_ci(document: Path) -> None:
    shells = [each for each in blocks_of(document.read_text("utf-8")) if not each.why_not]
    told = [
        command.partition("#")[0].strip()
        for block in shells
        if block.language in ("bash", "console")
        for command in commands_of(block)
        if command.startswith(RUNNER)
    ]
    assert [command for command in told if command not in ci_commands()] == []


def test_ci_begins_with_the_two_commands_of_the_readme() -> None:
    picture, *rest = ci_commands()
    assert picture.startswith(f"{RUNNER}run examples/")
    assert (ROOT / shlex.split(picture)[3]).is_file()
    assert rest == [f"{RUNNER}{what}" for what in ("test", "check", "addon", "test --slow")]
    readme = (ROOT / "README.md").read_text("utf-8")
    assert picture in readme and rest[0] in readme


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_within_the_repository_lead_somewhere(document: Path) -> None:
    text = document.read_text("utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)|(?:src|href)=\"([^\"#]+)\"", text)
    local = [one or other for one, other in targets if "://" not in (one or other)]
    assert [target for target in local if not (document.parent / target).exists()] == []


PLANTED = """
```bash
glimpse3d --version  # says it
python -c \\
  "raise SystemExit(3)"
```
<!-- not run: needs a GPU -->
```python
import torch
```
```console
$ glimpse3d --help
usage
```
```fortran
STOP
```
"""


def test_blocks_are_found_and_none_is_passed_over(tmp_path: Path) -> None:
    shell, marked, console, other = blocks_of(PLANTED)
    assert commands_of(shell)[0] == "glimpse3d --version  # says it"
    assert (marked.language, marked.why_not, marked.line) == ("python", "needs a GPU", 8)
    assert commands_of(console) == ["glimpse3d --help"]
    with pytest.raises(AssertionError, match="SystemExit"):
        run_block(shell._replace(text=shell.text.partition("\n")[2]), tmp_path)
    with pytest.raises(AssertionError, match="nobody can run 'fortran'"):
        run_block(other, tmp_path)
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        run_block(marked._replace(text="1 / 0"), tmp_path)
    run_block(marked._replace(text=">>> 1 + 1\n2"), tmp_path)
    with pytest.raises(AssertionError, match="Failed example"):
        run_block(marked._replace(text=">>> 1 + 1\n3"), tmp_path)
    with pytest.raises(AssertionError, match="never closed"):
        blocks_of(PLANTED + "```bash")
