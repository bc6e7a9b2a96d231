"""The notebook is what a reader runs: its cells work in order, and it says what is forbidden."""

import ast
import importlib.util
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from glimpse3d.formats.bundle import read_bundle

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "notebooks" / "glimpse3d_colab.ipynb"
TREE: dict[str, Any] = json.loads(NOTEBOOK.read_text("utf-8"))
CODE, TEXT = (
    {cell["id"]: "".join(cell["source"]) for cell in TREE["cells"] if cell["cell_type"] == kind}
    for kind in ("code", "markdown")
)

EXECUTE = """
    import sys, warnings
    warnings.simplefilter("ignore")
    import nbformat
    from nbclient import NotebookClient
    path, folder = sys.argv[1:]
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
    nbformat.write(notebook, path)
"""


def test_it_is_clean_and_every_cell_is_python() -> None:
    assert (TREE["nbformat"], TREE["nbformat_minor"]) == (4, 5)
    for cell in TREE["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
            ast.parse("".join(cell["source"]))
    assert len({cell["id"] for cell in TREE["cells"]}) == len(TREE["cells"])


def test_it_says_plainly_what_is_forbidden() -> None:
    text = " ".join(TEXT.values()).replace("\n", " ")
    assert "forbid" in text and "On free runtimes besides: SSH" in text
    assert "PAID_RUNTIME = False" in CODE["serve"]  # nobody serves by running all cells
    for word in ("ngrok", "cloudflared", "localtunnel", "0.0.0.0"):
        assert word not in NOTEBOOK.read_text("utf-8")


def execute(folder: Path, **changes: str) -> dict[str, Any]:
    """Run all cells in a fresh kernel; ``changes`` are lines in place of those that begin so."""
    lacking = [name for name in ("nbclient", "ipykernel") if importlib.util.find_spec(name) is None]
    if lacking:
        pytest.skip(f"needs {' and '.join(lacking)}: pip install 'glimpse3d[test]'")
    tree = json.loads(NOTEBOOK.read_text("utf-8"))
    for cell in tree["cells"]:
        lines = [changes.get(line.split(" ")[0], line) for line in cell["source"]]
        cell["source"] = [line if line.endswith("\n") else f"{line}\n" for line in lines]
    path = folder / "run.ipynb"
    path.write_text(json.dumps(tree))
    kernels = folder / "jupyter" / "kernels" / "python3"
    kernels.mkdir(parents=True)
    words = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    about = {"argv": words, "display_name": "Python 3", "language": "python"}
    (kernels / "kernel.json").write_text(json.dumps(about))
    environment = {
        **os.environ, "JUPYTER_PATH": str(folder / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"), "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }  # fmt: skip
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(EXECUTE), str(path), str(folder)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    cells = json.loads(path.read_text())["cells"]
    return {cell["id"]: cell["outputs"] for cell in cells if cell["cell_type"] == "code"}


def said(outputs: list[dict[str, Any]]) -> str:
    return "".join("".join(each.get("text", "")) for each in outputs)


@pytest.mark.slow
def test_the_cells_make_a_bundle_and_serve_where_they_may(tmp_path: Path) -> None:
    picture = ROOT / "examples" / "coffee.jpg"
    told = execute(
        tmp_path,
        PICTURE=f"PICTURE = {str(picture)!r}",
        MATTE="MATTE = 'grabcut'",
        PAID_RUNTIME="PAID_RUNTIME = True",
        PORT="PORT = 0",
    )
    assert "triangles" in said(told["generate"])
    assert any("image/png" in each.get("data", {}) for each in told["look"])
    made = tmp_path / "glimpse3d-results" / "coffee.g3d.zip"
    about = read_bundle(made, tmp_path / "unpacked")
    assert about.choices["reconstructor"].ran == "inflate" and "mesh.glb" in about.files
    assert said(told["serve"]).startswith("glimpse3d://127.0.0.1:")
    assert said(told["stop"]).strip() == "stopped"
