"""A small TripoSR with random weights, and what the published implementation computes with it."""

import shutil
from functools import cache
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[1] / "data" / "triposr_tiny"
PARTS = ("config.yaml", "dino_config.json", "model.ckpt")


@cache
def reference() -> dict[str, np.ndarray]:
    """Name -> array of what was computed, from the picture to the mesh."""
    with np.load(FOLDER / "reference.npz") as file:
        return {name: file[name] for name in file.files}


def error(found: object, wanted: np.ndarray) -> float:
    """The largest difference over the root mean square of what is wanted."""
    difference = np.asarray(found, np.float64) - wanted
    return float(np.abs(difference).max() / np.sqrt(np.square(wanted, dtype=np.float64).mean()))


def copy_to(folder: Path) -> Path:
    """A copy of the model that a test may spoil."""
    for name in PARTS:
        shutil.copyfile(FOLDER / name, folder / name)
    return folder
