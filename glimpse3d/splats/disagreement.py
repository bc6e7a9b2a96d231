"""What views that were painted by a network disagree in: credibility and colour.

Owns how much each view counts and the colour cast that each may have. Must not know splats.
Heavy: imports torch.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

# Of the running mean of a view's errors, what the newest one adds.
_NEW = 0.3
# A view whose error is this many spreads above the usual one counts half.
_TOLERANCE = 2.0
# The spread is taken to be at least this share of the usual error: views are never quite alike.
_LEAST_SPREAD = 0.15
_COLOR_RATE = 5e-3


class Trust:
    """Weights of the views from their errors: Cauchy's, of errors above the median only.

    Attributes:
        errors: (V,) float64, running means; NaN before a view's first.
    """

    def __init__(self, count: int) -> None:
        self.errors = np.full(count, np.nan)

    def observe(self, view: int, error: float) -> None:
        """Take in the error that a view has just shown."""
        before = self.errors[view]
        self.errors[view] = error if np.isnan(before) else before + _NEW * (error - before)

    def weights(self) -> np.ndarray:
        """(V,) float64, mean 1 over the views that were seen; 1 for those that were not."""
        seen = ~np.isnan(self.errors)
        result = np.ones(len(self.errors))
        if np.count_nonzero(seen) >= 3:
            errors = self.errors[seen]
            usual = float(np.median(errors))
            spread = 1.4826 * float(np.median(np.abs(errors - usual)))
            spread = max(spread, _LEAST_SPREAD * usual, 1e-12)
            excess = np.maximum(errors - usual, 0) / (_TOLERANCE * spread)
            weights = 1 / (1 + excess**2)
            result[seen] = weights / weights.mean()
        return result


class ViewColors:
    """One affine map of colours a view, their mean held at the identity.

    Attributes:
        maps: (V, 3, 4) parameter; the last column is the offset.
        fitted: (F,) indices of the views that are fitted.
    """

    def __init__(self, count: int, fitted: list[int], device: torch.device) -> None:
        identity = torch.eye(3, 4, device=device)
        self.maps = torch.nn.Parameter(identity.repeat(count, 1, 1))
        self.fitted = torch.tensor(fitted, device=device)
        self.optimiser = torch.optim.Adam([self.maps], lr=_COLOR_RATE, betas=(0.9, 0.99))

    def apply(self, view: int, picture: Tensor, alpha: Tensor, background: Tensor) -> Tensor:
        """(H, W, 3) the picture over (3,) ``background`` as that view shows it."""
        chosen = self.maps[view]
        behind = (1 - alpha) * background
        return (picture - behind) @ chosen[:, :3].T + alpha * chosen[:, 3] + behind

    def step(self) -> None:
        """Move the maps, then take their common part out: it belongs to the cloud."""
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        with torch.no_grad():
            common = self.maps[self.fitted].mean(0) - torch.eye(3, 4, device=self.maps.device)
            self.maps[self.fitted] -= common
