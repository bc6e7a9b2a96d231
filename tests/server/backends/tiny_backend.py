"""TripoSR at the size of a test: a model of another name on the hub, and else the same backend.

And a cut-out that wants the same weights, and uses nothing of them.

Its files are the small reference model's; where they are served, the test says by HF_ENDPOINT.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from glimpse3d import models, weights
from glimpse3d.mattes.alpha import Alpha, AlphaSettings
from glimpse3d.reconstructors.triposr.backend import TripoSRReconstructor, TripoSRSettings
from glimpse3d.settings import option
from tests import tiny_model

FILES = tuple(models.ModelFile(*each) for each in tiny_model.facts())
MODEL = models.Model("tiny", "Tiny TripoSR", "MIT", tiny_model.REPO, tiny_model.COMMIT, FILES)
models.KNOWN[MODEL.name] = MODEL


@dataclass(frozen=True, slots=True)
class TinySettings(TripoSRSettings):
    """TripoSR's, with other weights and a coarse grid."""

    weights: str = option(tiny_model.REPO, "folder with the weights, or owner/name")
    resolution: int = option(24, "samples of the density along a side", low=16, high=64)


class Tiny(TripoSRReconstructor):
    """TripoSR, tiny."""

    Settings = TinySettings
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"draft": {"texture": False}}
    MODEL = MODEL
    TITLE = "Tiny TripoSR"
    WHEN = "in tests"


class TinyMatte(Alpha):
    """The picture's own alpha, once the weights are there."""

    MODEL = MODEL
    TITLE = "Tiny cut-out"

    @staticmethod
    def check_ready(settings: AlphaSettings) -> None:
        """See ``stages.WithWeights``."""
        names = tuple(each.name for each in FILES)
        weights.folder(tiny_model.REPO, tiny_model.COMMIT, names, names)
