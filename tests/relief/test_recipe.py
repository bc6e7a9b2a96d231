"""Depth in the recipe: who asks for it, what is refused, what stands in the result."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from glimpse3d import pipeline, plugins
from glimpse3d.errors import InvalidData, InvalidSettings
from glimpse3d.progress import Progress, Report
from glimpse3d.settings import Settings, TurntableSettings, from_dict, preset, to_dict
from glimpse3d.types import Depth, Image
from tests import shapes
from tests.relief.views import View, view

CAMERA = shapes.front_camera(size=192)
SEEN = view(shapes.vase(), CAMERA)


@dataclass(frozen=True)
class KnownSettings:
    pass


class Known:
    """An estimator that knows the one picture of these tests."""

    Settings = KnownSettings
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    TITLE = WHEN = "for tests"
    view: ClassVar[View] = SEEN

    def load(self, settings: KnownSettings, progress: Progress) -> None:
        progress(1.0)

    def unload(self) -> None:
        pass

    def __call__(self, image: Image, settings: KnownSettings, progress: Progress) -> Depth:
        if (image.height, image.width) != self.view.metric.values.shape:
            return Depth(np.ones((4, 4)), self.view.metric.kind)
        return self.view.disparity


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plugins.BUILTIN["depth"], "known", "tests.relief.test_recipe:Known")


def settings(**changes: object) -> Settings:
    turntable = TurntableSettings(frames=2, resolution=64)
    return preset("draft", turntable=turntable, depth="known", gaussians=500, **changes)


def test_relief_is_made_from_the_depth_that_was_asked_for() -> None:
    reports: list[Report] = []
    result = pipeline.run(SEEN.cutout, settings(reconstructor="relief"), Progress(reports.append))
    shapes.assert_closed(result.mesh)
    assert {stage: each.ran for stage, each in result.choices.items()} == {
        "matte": "alpha", "depth": "known", "reconstructor": "relief",
    }  # fmt: skip
    assert list(result.timings) == ["matte", "depth", "reconstructor", "splats"]
    fractions = [report.fraction for report in reports]
    assert fractions == sorted(fractions) and fractions[-1] == pytest.approx(1.0)
    assert result.settings == from_dict(to_dict(result.settings))


def test_detail_refines_the_front_of_another_reconstruction() -> None:
    plain, fine = (pipeline.run(SEEN.cutout, settings(detail=each)) for each in ("none", "depth"))
    assert "depth" not in plain.choices and "detail" not in plain.timings
    assert fine.choices["depth"].ran == "known" and "detail" in fine.timings
    shapes.assert_closed(fine.mesh)
    assert len(fine.mesh.faces) == len(plain.mesh.faces)
    assert fine.mesh.vertices.tobytes() != plain.mesh.vertices.tobytes()
    assert fine.mesh.texture.rgba.tobytes() == plain.mesh.texture.rgba.tobytes()


def test_detail_of_what_is_depth_already_is_refused_before_any_work() -> None:
    seen: list[Report] = []
    with pytest.raises(InvalidSettings) as caught:
        pipeline.run(
            SEEN.cutout, settings(reconstructor="relief", detail="depth"), Progress(seen.append)
        )
    assert caught.value.field == "detail" and caught.value.hint
    assert not seen
    with pytest.raises(InvalidSettings):
        settings(detail="more")


def test_depth_of_another_size_is_refused() -> None:
    other = Image(np.ascontiguousarray(SEEN.cutout.rgba[:, :-1]))
    for changes in ({"reconstructor": "relief"}, {"detail": "depth"}):
        with pytest.raises(InvalidData, match="4 x 4 pixels") as caught:
            pipeline.run(other, settings(**changes))
        assert caught.value.hint
