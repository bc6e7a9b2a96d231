"""Clouds to write and read, and how far apart two of them are."""

import numpy as np
from scipy.spatial import cKDTree

from glimpse3d import coords
from glimpse3d.types import GaussianCloud
from tests.splats.golden import make


def some_cloud(count: int, degree: int, seed: int = 0, spread: float = 0.5) -> GaussianCloud:
    random = np.random.default_rng(seed)
    rotations = random.normal(size=(count, 4))
    return GaussianCloud(
        random.normal(size=(count, 3)) * spread,
        np.exp(random.normal(size=(count, 3)) * 0.5 - 3),
        rotations / np.linalg.norm(rotations, axis=1, keepdims=True),
        random.uniform(0.05, 0.95, count),
        random.normal(size=(count, (degree + 1) ** 2, 3)) * 0.2,
    )


def golden_cloud() -> GaussianCloud:
    """What ``golden/make.py`` gave to the other programs, in the house frame."""
    rows = make.scene()

    def columns(*names: str) -> np.ndarray:
        return np.stack([rows[name] for name in names], axis=1).astype(np.float64)

    higher = columns(*(f"f_rest_{k}" for k in range(45))).reshape(len(rows), 3, 15)
    dc = columns("f_dc_0", "f_dc_1", "f_dc_2")[:, None]
    in_file = GaussianCloud(
        columns("x", "y", "z"),
        np.exp(columns("scale_0", "scale_1", "scale_2")),
        columns("rot_0", "rot_1", "rot_2", "rot_3"),
        1 / (1 + np.exp(-columns("opacity")[:, 0])),
        np.concatenate([dc, higher.transpose(0, 2, 1)], axis=1),
    )
    return coords.rotate_cloud(in_file, coords.PLY_FROM_HOUSE.T)


def differences(ours: GaussianCloud, truth: GaussianCloud) -> dict[str, float]:
    """The largest of each kind, splats matched by their places: formats sort them.

    ``sh`` is over the degrees that ``ours`` has. ``shape`` compares what is seen of sizes and
    turns, the covariances over their largest entry: axes may swap or point the other way.
    """
    _, match = cKDTree(truth.means).query(ours.means)
    assert len(set(match)) == len(ours) == len(truth)
    known = ours.sh.shape[1]
    shapes = covariances(truth)[match]
    largest = np.abs(shapes).max(axis=(1, 2), keepdims=True)
    apart = {
        "mean": ours.means - truth.means[match],
        "scale": np.log(ours.scales / truth.scales[match]),
        "opacity": ours.opacities - truth.opacities[match],
        "dc": ours.sh[:, 0] - truth.sh[match, 0],
        "sh": ours.sh[:, 1:] - truth.sh[match, 1:known],
        "shape": (covariances(ours) - shapes) / largest,
    }
    return {name: float(np.abs(values).max(initial=0.0)) for name, values in apart.items()}


def covariances(cloud: GaussianCloud) -> np.ndarray:
    """(N, 3, 3) float64, square metres."""
    w, x, y, z = cloud.rotations.astype(np.float64).T
    turns = np.stack(
        [
            np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
            np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], -1),
            np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1),
        ],
        axis=1,
    )
    axes = turns * cloud.scales[:, None].astype(np.float64)
    return axes @ axes.transpose(0, 2, 1)
