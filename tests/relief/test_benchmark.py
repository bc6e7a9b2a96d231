"""The picture of ``docs/relief.md`` can be made again, and its numbers keep their order."""

import re
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_documented_picture_is_made_by_its_command(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/relief.py", "--output", str(tmp_path / "relief.png")]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert ran.returncode == 0, ran.stderr
    mirror, flat, plain, fine = map(float, re.findall(r"0\.\d{4}", ran.stdout))
    assert max(mirror, flat) < 0.012
    assert fine < 0.6 * plain
    with (
        PIL.Image.open(tmp_path / "relief.png") as made,
        PIL.Image.open(ROOT / "docs" / "images" / "relief.png") as shown,
    ):
        assert made.size == shown.size
