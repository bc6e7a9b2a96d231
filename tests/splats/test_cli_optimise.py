"""The command ``optimise`` on a folder of views, as people run it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from glimpse3d import pictures
from glimpse3d.cli import main
from glimpse3d.coords import Lens, orbit_camera
from glimpse3d.formats import cameras, splats
from tests import shapes
from tests.splats import scenes

INDEX = 6


def folder_of_views(folder: Path) -> Path:
    lens = Lens.from_field_of_view(40, 64, 64)
    rig = [orbit_camera(137.5 * index, -40 + 9 * index, 1.9, lens) for index in range(10)]
    for index, camera in enumerate(rig):
        picture = shapes.photograph(
            scenes.solid(INDEX), camera, lambda points: scenes.paint(points, INDEX)
        )
        pictures.write_png(picture, folder / cameras.view_name(index))
    file = cameras.CameraFile(rig[0], (), 30.0, tuple(rig))
    (folder / cameras.NAME).write_bytes(cameras.to_bytes(file, "a test"))
    return folder


def test_splats_and_pictures_make_better_splats(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    views = folder_of_views(tmp_path)
    begin, end, curve = (tmp_path / name for name in ("begin.ply", "out/end.ply", "out/loss.png"))
    splats.write(scenes.cloud(INDEX, 1500), begin)
    words = ["optimise", str(begin), str(views), "-o", str(end), "--curve", str(curve)]
    assert main([*words, "--iterations", "40", "--held-out", "5"]) == 0
    said = capsys.readouterr().out
    assert "1500 splats" in said and "10 views" in said and "2 views kept" in said
    before, after = (float(word) for word in _decibels(said))
    assert after > before + 2
    assert len(splats.read(end).cloud) == 1500
    assert not np.array_equal(splats.read(end).cloud.means, splats.read(begin).cloud.means)
    assert pictures.read(curve).width == 800


def _decibels(said: str) -> list[str]:
    words = said.split()
    return [words[index - 1] for index, word in enumerate(words) if word == "dB"]


def test_a_folder_without_its_pictures_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    views = folder_of_views(tmp_path)
    for file in views.glob("*.png"):
        file.unlink()
    begin = tmp_path / "begin.ply"
    splats.write(scenes.cloud(INDEX, 1500), begin)
    assert main(["optimise", str(begin), str(views), "-o", str(tmp_path / "end.ply")]) == 2
    assert "none of the pictures" in capsys.readouterr().err
    assert not (tmp_path / "end.ply").exists()
