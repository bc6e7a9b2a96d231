"""A fit under way as plain arrays, and back.

Owns which numbers a fit needs to go on exactly where it stood, and the check that they are this
fit's. Must not know files. Heavy: imports torch.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import BadFile
from ..settings import to_dict
from .optimise_settings import Sample

if TYPE_CHECKING:
    from .optimise import Fit

_ADAM = ("exp_avg", "exp_avg_sq", "step")


def pack(fit: Fit, seconds: float) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays by name, and what fits into JSON; ``seconds`` of CPU time so far."""
    assert fit.best is not None
    arrays = {f"now/{name}": value for name, value in fit.parameters.items()}
    arrays |= {f"best/{name}": value for name, value in fit.best[1].items()}
    arrays |= _moments(fit)
    arrays["colors"] = fit.colors.maps
    plain = {name: value.detach().cpu().numpy() for name, value in arrays.items()}
    plain["trust"] = fit.trust.errors
    plain["losses"] = np.array(fit.losses)
    about = {
        "settings": to_dict(fit.settings),
        "views": len(fit.views),
        "seconds": seconds,
        "backend": fit.backend,
        "samples": [asdict(sample) for sample in fit.samples],
        "best": asdict(fit.best[0]),
    }
    return plain, about


def _moments(fit: Fit) -> dict[str, Any]:
    """The optimisers' own tensors: all of them have them after a step, or none has."""
    found: dict[str, Any] = {}
    for name, optimiser in {**fit.optimisers, "colors": fit.colors.optimiser}.items():
        for state in optimiser.state.values():
            found |= {f"adam/{name}/{key}": state[key] for key in _ADAM}
    return found


def unpack(fit: Fit, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> float:
    """Put a packed state in place of the fit's own, and return its CPU seconds.

    Raises:
        BadFile: it is the state of a fit of other views, splats or settings.
    """
    expected = {**to_dict(fit.settings), "checkpoint_every": 0, "threads": 0, "patience": 0}
    found = {**about.get("settings", {}), "checkpoint_every": 0, "threads": 0, "patience": 0}
    if expected != found or about.get("views") != len(fit.views):
        raise BadFile(
            "the checkpoint is of a fit with other settings or views",
            "give the same ones, or delete it to begin anew",
        )
    try:
        _restore(fit, arrays)
        fit.backend = str(about["backend"])
        fit.samples = [Sample(**each) for each in about["samples"]]
        best = {
            name: torch.tensor(arrays[f"best/{name}"]).to(fit.device) for name in fit.parameters
        }
        fit.best = Sample(**about["best"]), best
        return float(about["seconds"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise BadFile(f"the checkpoint is of another cloud: {error}") from error


def _restore(fit: Fit, arrays: dict[str, np.ndarray]) -> None:
    leaves = {**fit.parameters, "colors": fit.colors.maps}
    with torch.no_grad():
        for name, leaf in leaves.items():
            value = arrays["colors"] if name == "colors" else arrays[f"now/{name}"]
            if value.shape != tuple(leaf.shape):
                raise ValueError(f"{name} has shape {value.shape}, not {tuple(leaf.shape)}")
            leaf.copy_(torch.tensor(value))
    for name, optimiser in {**fit.optimisers, "colors": fit.colors.optimiser}.items():
        if f"adam/{name}/step" in arrays:
            state = {key: torch.tensor(arrays[f"adam/{name}/{key}"]) for key in _ADAM}
            moved = {key: value.to(leaves[name].device) for key, value in state.items()}
            optimiser.state[leaves[name]] = moved
    fit.trust.errors = np.array(arrays["trust"])
    fit.losses = [float(loss) for loss in arrays["losses"]]
    fit.step = len(fit.losses)
