"""Backgrounds, placed subjects and the cut-out's network, where torch is installed."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install -e .[train]")

from training import backgrounds, cutouts, train_matte  # noqa: E402
from training.data import collect, sample, write_shard  # noqa: E402
from training.matte_network import CutoutNetwork, losses, overlap  # noqa: E402
from training.train import restore, save  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
torch.set_num_threads(1)
SMALL = train_matte.MatteRecipe(width=16, batch=2, rate=3e-3)


@pytest.fixture(scope="module")
def subjects() -> np.ndarray:
    return collect([sample((5, index)) for index in range(3)]).picture


@pytest.fixture(scope="module")
def batch(subjects: np.ndarray) -> cutouts.Cutouts:
    return cutouts.cutouts(np.random.default_rng(0), subjects, 48)


@pytest.mark.parametrize("painter", [painter for painter, _ in backgrounds.PAINTERS])
def test_every_painter_is_a_function_of_its_seed(painter: backgrounds.Painter) -> None:
    first, again, other = (painter(np.random.default_rng(seed), 64) for seed in (1, 1, 2))
    assert first.shape == (64, 64, 3) and first.dtype == np.float32
    assert np.isfinite(first).all() and first.min() >= -1e-3 and first.max() <= 1.3
    assert (first == again).all()
    assert np.abs(first - other).mean() > 0.01


def test_no_photograph_is_one_that_the_cut_out_is_measured_on() -> None:
    measured = ("coffee", "chelsea", "rocket", "astronaut", "brick", "grass", "gravel")
    assert not [name for name in backgrounds.PHOTOGRAPHS if name.partition(".")[0] in measured]


def test_the_subject_is_where_the_alpha_says(subjects: np.ndarray) -> None:
    """Two pictures that differ in the subject alone differ inside its alpha, or in its shadow."""
    for seed in range(6):
        layer = cutouts._subject(np.random.default_rng(seed), subjects)
        assert layer.shape == (cutouts.SIZE, cutouts.SIZE, 4)
        assert (layer[..., :3] <= layer[..., 3:] + 1e-3).all()  # premultiplied
        assert layer[..., 3].sum() > 0.015 * cutouts.SIZE**2
        shadow = cutouts._shadow(np.random.default_rng(seed), layer[..., 3])
        assert shadow.min() >= 0 and shadow.max() <= 0.85


def test_pictures_vary_in_size_and_some_have_nobody(batch: cutouts.Cutouts) -> None:
    share = (batch.alpha > 127).mean(axis=(1, 2))
    assert batch.picture.dtype == batch.alpha.dtype == np.uint8
    there = share > 0
    assert there.mean() > 0.85
    assert share[there].min() < 0.08 and share[there].max() > 0.3
    centers = [np.argwhere(alpha > 127).mean(axis=0) for alpha in batch.alpha[there]]
    assert np.abs(np.mean(centers, axis=0) - cutouts.SIZE / 2).max() < 0.15 * cutouts.SIZE


def test_halving_keeps_what_is_where(batch: cutouts.Cutouts) -> None:
    small = train_matte.halved(batch)
    assert small.picture.shape == (48, cutouts.SIZE // 2, cutouts.SIZE // 2, 3)
    assert abs(small.alpha.mean() - batch.alpha.mean()) < 1
    blocks = batch.alpha.reshape(48, cutouts.SIZE // 2, 2, -1, 2).mean(axis=(2, 4))
    assert np.abs(small.alpha - blocks).max() <= 1


def test_the_truth_scores_best(batch: cutouts.Cutouts) -> None:
    picture, alpha = train_matte.tensors(batch)
    perfect = alpha.logit(1e-3)
    assert losses(perfect, alpha)["total"] < 0.1 * losses(0 * perfect, alpha)["total"]
    assert overlap(perfect, alpha).min() > 0.99
    with torch.no_grad():
        assert CutoutNetwork(16)(picture[:2]).shape == alpha[:2].shape


def test_nobody_said_of_nobody_is_full_overlap() -> None:
    nobody, somebody = torch.zeros(1, 32, 32), torch.ones(1, 32, 32)
    assert overlap(nobody - 1, nobody) == 1
    assert overlap(nobody + 1, nobody) == 0 == overlap(nobody - 1, somebody)


def test_a_cut_loses_nothing(batch: cutouts.Cutouts, tmp_path: Path) -> None:
    few = train_matte.halved(cutouts.Cutouts(batch.picture[:2], batch.alpha[:2]))
    run = train_matte.begin(SMALL)
    for _ in range(3):
        train_matte.step(run, SMALL, few)
    save(run, SMALL, tmp_path / "last.pt")
    again = train_matte.begin(SMALL)
    restore(again, tmp_path / "last.pt")
    assert again.step == 3
    assert train_matte.step(run, SMALL, few) == train_matte.step(again, SMALL, few)


def test_a_few_steps_learn_a_batch_by_heart(batch: cutouts.Cutouts) -> None:
    few = train_matte.halved(cutouts.Cutouts(batch.picture[:4], batch.alpha[:4]))
    run = train_matte.begin(SMALL)
    run.step = 200
    first = train_matte.step(run, SMALL, few)["total"]
    for _ in range(40):
        last = train_matte.step(run, SMALL, few)["total"]
    assert last < 0.75 * first


def test_batches_come_from_shards_and_are_halved_at_first(tmp_path: Path) -> None:
    write_shard(tmp_path / "shard-1-000000.npz", collect([sample((5, k)) for k in range(3)]))
    run = train_matte.begin(SMALL)
    source = train_matte.feed(SMALL, run, tmp_path)
    assert next(source).picture.shape == (4, cutouts.SIZE // 2, cutouts.SIZE // 2, 3)
    run.minutes = SMALL.minutes
    assert next(source).picture.shape == (2, cutouts.SIZE, cutouts.SIZE, 3)


@pytest.mark.slow
def test_a_minute_of_training_then_export(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="onnxscript is not installed: pip install -e .[train]")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "training.train_matte", "--minutes", "1", "--width", "16"]
    command += ["--out", str(tmp_path), "--shards", str(tmp_path / "cache")]
    subprocess.run(command, check=True, timeout=900, env=environment, cwd=ROOT)
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 4
    assert float(rows[-1]["seen_total"]) < float(rows[0]["seen_total"])
    out = tmp_path / "small.onnx"
    command = [sys.executable, "-m", "training.export_matte", str(tmp_path / "last.pt"), str(out)]
    done = subprocess.run(
        command, check=True, timeout=300, env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert "sha256" in done.stderr
    assert out.stat().st_size < 2e6 and out.with_suffix(".json").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("coarse", [0.5, 1.0])
def test_the_exported_file_says_the_same(tmp_path: Path, coarse: float) -> None:
    pytest.importorskip("onnxscript", reason="onnxscript is not installed: pip install -e .[train]")
    from training.export_matte import difference, export, side_of

    known: dict[str, object] = {"coarse": coarse}
    network = CutoutNetwork(16).eval()
    export(network, known, tmp_path / "small.onnx")
    side = side_of(known)
    assert side == (64 if coarse == 1 else 128)
    noise = np.random.default_rng(0).random((3, 3, side, side), np.float32)
    assert difference(network, tmp_path / "small.onnx", noise) < 0.005
