"""A server that ends with the program that started it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.serving import ROOT


def started(data: Path, *flags: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "inference_server", "--data", str(data), *flags]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None and process.stdin is not None
    assert process.stdout.readline().startswith(b"glimpse3d://")
    process.stdin.close()
    return process


def test_it_stops_in_good_order_when_its_input_closes(tmp_path: Path) -> None:
    with started(tmp_path / "data", "--attached") as process:
        assert process.wait(8) == 0  # by itself, before it is ended by force
    with started(tmp_path / "data", "--attached") as process:  # the store was given back
        assert process.wait(8) == 0


def test_one_that_is_not_attached_goes_on(tmp_path: Path) -> None:
    with started(tmp_path / "data") as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.terminate()
        assert process.wait(8) == 0
