"""The network and its training, where torch is installed (extra ``train``)."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install -e .[train]")

from training import frustum  # noqa: E402
from training.data import Batch, augment, collect, sample  # noqa: E402
from training.network import Reconstructor, inflated, losses, overlap  # noqa: E402
from training.train import Recipe, begin, resume, save, step, tensors  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
torch.set_num_threads(1)
SMALL = Recipe(width=16, batch=2, rate=3e-3)


@pytest.fixture(scope="module")
def batch() -> Batch:
    return collect([sample((3, index)) for index in range(4)])


def test_shapes_of_the_answer(batch: Batch) -> None:
    picture, tangent, target = tensors(batch)
    logits, back, elevation = Reconstructor(16)(picture, tangent)
    assert logits.shape == (4, frustum.BINS, frustum.GRID, frustum.GRID) == target.occupancy.shape
    assert back.shape == target.back.shape == (4, 3, frustum.GRID, frustum.GRID)
    assert elevation.shape == (4,)


def test_the_truth_scores_best(batch: Batch) -> None:
    picture, tangent, target = tensors(batch)
    # Cells that the surface passes are half full, so even the truth has some cross-entropy.
    perfect = target.occupancy.logit(1e-4), target.back, target.elevation
    network = Reconstructor(16)
    assert losses(perfect, target).total < 0.25 * losses(network(picture, tangent), target).total
    assert overlap(perfect[0], target).min() > 0.99


def test_every_ray_of_the_mask_meets_something(batch: Batch) -> None:
    target = tensors(batch)[2]
    inside = target.mask > 0
    filled = target.occupancy.amax(dim=1, keepdim=True) > 0.5
    assert (filled & inside).sum() / inside.sum() > 0.985
    assert not (filled & ~inside).float().mean() > 0.02


def test_mirroring_keeps_picture_and_cells_together(batch: Batch) -> None:
    random = np.random.default_rng(0)
    for _ in range(4):
        changed = augment(batch, random)
        alpha = changed.picture[..., 3].reshape(4, 64, 2, 64, 2).mean(axis=(2, 4)) > 127
        filled = changed.occupancy.max(axis=3) > 127
        before = batch.picture[..., 3].reshape(4, 64, 2, 64, 2).mean(axis=(2, 4)) > 127
        was = batch.occupancy.max(axis=3) > 127
        assert (alpha & filled).sum() == (before & was).sum()


def test_colour_outside_the_mask_does_not_matter(batch: Batch) -> None:
    network = Reconstructor(16).eval()
    picture, tangent, _ = tensors(batch)
    painted = torch.where(picture[:, 3:4] > 0, picture, torch.ones_like(picture))
    painted[:, 3:] = picture[:, 3:]
    with torch.no_grad():
        torch.testing.assert_close(network(picture, tangent)[0], network(painted, tangent)[0])


def test_learning_begins_with_a_solid_and_not_with_nothing(batch: Batch) -> None:
    picture, _, target = tensors(batch)
    solid = inflated(picture)
    assert overlap(solid, target).min() > 0.1
    # Thickest where the silhouette is widest, and nothing beyond it.
    thickness = (solid > 0).sum(dim=1).float()
    half = torch.nn.functional.avg_pool2d(picture[:, 4:], 2)[:, 0]
    assert torch.corrcoef(torch.stack((thickness.ravel(), half.ravel())))[0, 1] > 0.95


def test_a_cut_loses_nothing(batch: Batch, tmp_path: Path) -> None:
    run = begin(SMALL)
    for _ in range(3):
        step(run, SMALL, batch)
    save(run, SMALL, tmp_path / "last.pt")
    again = resume(SMALL, tmp_path / "last.pt")
    assert again.step == 3
    one, other = step(run, SMALL, batch), step(again, SMALL, batch)
    assert one == other
    for first, second in zip(run.averaged.parameters(), again.averaged.parameters(), strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_a_few_steps_learn_a_batch_by_heart(batch: Batch) -> None:
    run = begin(SMALL)
    run.step = 200
    first = step(run, SMALL, batch)["total"]
    for _ in range(25):
        last = step(run, SMALL, batch)["total"]
    assert last < 0.75 * first


@pytest.mark.slow
def test_two_minutes_of_training_then_export(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="onnxscript is not installed: pip install -e .[train]")
    command = [sys.executable, "-m", "training.train", "--minutes", "2"]
    command += ["--width", "24", "--batch", "4"]  # many steps, also where other work runs beside
    command += ["--out", str(tmp_path), "--shards", str(tmp_path / "cache")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, timeout=900, env=environment, cwd=ROOT)
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 4
    assert float(rows[-1]["train_total"]) < 0.9 * float(rows[0]["train_total"])
    # Sixteen shapes of each kind are few: both together, so that chance counts for less.
    first, last = (float(row["seen_iou"]) + float(row["held_iou"]) for row in (rows[0], rows[-1]))
    assert last > first
    out = tmp_path / "small.onnx"
    command = [sys.executable, "-m", "training.export", str(tmp_path / "last.pt"), str(out)]
    done = subprocess.run(
        command, check=True, timeout=300, env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert "sha256" in done.stderr
    assert out.stat().st_size < 15e6


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_exported_file_says_the_same(batch: Batch, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="onnxscript is not installed: pip install -e .[train]")
    from training.export import difference, export

    network = Reconstructor(16).eval()
    export(network, {"step": 0}, tmp_path / "small.onnx")
    found = difference(network, tmp_path / "small.onnx", tensors(batch)[0].numpy())
    assert found["occupancy"] < 0.02
    assert found["back"] < 0.005
    assert found["elevation"] < 0.002
