"""The comparison of short trainings, where torch is installed (extra ``train``)."""

import csv
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install -e .[train]")

from training import ablations, frustum  # noqa: E402
from training.data import collect, sample  # noqa: E402
from training.train import tensors  # noqa: E402

torch.set_num_threads(1)
FEW = ["--steps", "3", "--batch", "2", "--quarter", "1", "--judged", "4"]
TWO = ["--only", "base", "width 32"]


def table(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "ablations.csv").open(newline="") as file:
        return {row["variant"]: row for row in csv.DictReader(file)}


def test_two_variants_make_a_table_and_go_on_after_a_cut(tmp_path: Path) -> None:
    ablations.main(["--out", str(tmp_path), *FEW, "--only", "base"])
    assert list(table(tmp_path)) == ["base"]
    first = ablations.load(tmp_path / "base.npz", "3 steps of 2, 4 samples")
    ablations.main(["--out", str(tmp_path), *FEW, *TWO])
    found = table(tmp_path)
    assert list(found) == ["base", "width 32"]
    again = ablations.load(tmp_path / "base.npz", "3 steps of 2, 4 samples")
    assert again.cpu_seconds == first.cpu_seconds  # it was not run once more
    other = ablations.load(tmp_path / "width-32.npz", "3 steps of 2, 4 samples")
    change = (other.held - first.held)[ablations.EVEN]
    assert float(found["width 32"]["held_difference"]) == pytest.approx(change.mean(), abs=6e-5)
    error = change.std(ddof=1) / 2
    assert float(found["width 32"]["held_error"]) == pytest.approx(error, abs=6e-5)
    assert float(found["base"]["held_difference"]) == 0
    assert float(found["base"]["seen"]) > 0.1  # it begins with a solid

    with pytest.raises(ValueError, match="another folder"):
        ablations.main(["--out", str(tmp_path), *FEW, "--steps", "4", *TWO])


def test_signed_distances_are_those_of_the_solid_and_are_learnt() -> None:
    batch = collect([sample((3, index)) for index in range(2)])
    coded = ablations.with_distances(batch).occupancy.astype(float)
    solid = tensors(batch)[2].occupancy.permute(0, 2, 3, 1).numpy() > 0.5
    assert np.array_equal(coded > 127.5, solid)
    # A step along a ray changes the distance by a cell at most, a step aside by its width.
    cells = (coded / 127.5 - 1) * ablations.DEEPEST
    for axis, most in ((1, ablations.LATERAL), (2, ablations.LATERAL), (3, 1.0)):
        assert np.abs(np.diff(cells, axis=axis)).max() < most + 0.35
    assert coded.min() == 0
    assert coded.shape[3] == frustum.BINS

    recipe = ablations.Recipe(minutes=30.0, width=16, batch=2, rate=3e-3)
    before = ablations.begin(recipe).averaged
    pool = collect([sample((3, 0)), sample((3, 0))])
    after = ablations.train(ablations.Variant(distance=True), pool, recipe)
    scores = [ablations.overlaps(each, pool)[ablations.EVEN].mean() for each in (before, after)]
    assert scores[1] > scores[0] + 0.02
