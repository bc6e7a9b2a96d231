"""Pictures of discs over backdrops, whose true cut-out is known."""

import numpy as np

from glimpse3d.types import Image


def disc(height: int, width: int, x: float, y: float, radius: float) -> np.ndarray:
    """(H, W) coverage 0..1 of a disc with a one-pixel soft rim, by its distance function."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    return np.clip(radius + 0.5 - np.hypot(columns - x, rows - y), 0, 1)


def over(backdrop: np.ndarray, coverage: np.ndarray, color: tuple[int, int, int]) -> Image:
    """A picture without alpha: ``color`` where there is coverage, the backdrop elsewhere."""
    rgb = backdrop * (1 - coverage[..., None]) + np.array(color) * coverage[..., None]
    opaque = np.full((*coverage.shape, 1), 255)
    return Image(np.concatenate([np.rint(rgb), opaque], axis=2).astype(np.uint8))


def backdrop(kind: str, height: int, width: int) -> np.ndarray:
    """(H, W, 3) float 0..255."""
    rng = np.random.default_rng(5)
    if kind == "white":
        return np.full((height, width, 3), 250.0)
    if kind == "gradient":
        ramp = np.linspace(90, 220, height)[:, None, None]
        return np.broadcast_to(ramp, (height, width, 3)) + rng.normal(0, 1.5, (height, width, 1))
    if kind == "noise":
        return rng.uniform(40, 160, (height, width, 1)) * np.array([0.8, 1.0, 1.1])
    rows, columns = np.mgrid[:height, :width]
    bricks = (rows // 12 + columns // 20) % 2
    return np.where(bricks[..., None] == 0, [70.0, 90, 120], [120.0, 135, 150])


def overlap(found: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union."""
    return float((found & truth).sum() / (found | truth).sum())
