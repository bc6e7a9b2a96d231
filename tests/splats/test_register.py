"""Known scales, shifts and tilts of solids that were drawn from their triangles, found again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from glimpse3d.coords import rotate_cloud
from glimpse3d.errors import Cancelled, InvalidData, InvalidSettings
from glimpse3d.progress import Progress
from glimpse3d.splats.register import RegisterSettings, Similarity, register
from glimpse3d.types import GaussianCloud, Image, View
from tests.splats import scenes


def unknown(seed: int) -> Similarity:
    """Scale 0.7 to 1.4, shift 0.2 in any direction, tilt within 40 degrees."""
    random = np.random.default_rng(seed)
    shift = random.normal(size=3)
    return Similarity(
        float(np.exp(random.uniform(np.log(0.7), np.log(1.4)))),
        0.2 * shift / np.linalg.norm(shift),
        float(random.uniform(-40, 40)),
    )


def undone(cloud: GaussianCloud, moved: Similarity) -> GaussianCloud:
    """The cloud that ``moved`` would bring to where it stands now."""
    back = replace(
        cloud,
        means=(cloud.means - moved.shift.astype(np.float32)) / np.float32(moved.scale),
        scales=cloud.scales / np.float32(moved.scale),
    )
    return rotate_cloud(back, moved.rotation.T)


def assert_found(index: int, views: list[View], limits: tuple[float, float, float]) -> None:
    true = unknown(100 + index)
    found = register(undone(scenes.cloud(index), true), views)
    similarity = found.similarity
    assert abs(similarity.scale / true.scale - 1) < limits[0]
    assert np.linalg.norm(similarity.shift - true.shift) < limits[1]
    assert abs(similarity.tilt - true.tilt) < limits[2]
    # What is answered is the cloud itself, every splat of it, moved by what was found.
    far = np.abs(found.cloud.means - scenes.cloud(index).means).max()
    assert len(found.cloud) == len(scenes.cloud(index))
    assert far < limits[0] + limits[1] + np.radians(limits[2])
    assert found.overlap > 0.85


def test_one_solid() -> None:
    assert_found(7, list(scenes.views(7)), (0.01, 0.01, 1.0))


@pytest.mark.slow
@pytest.mark.parametrize("index", list(range(scenes.COUNT)))
def test_ten_solids(index: int) -> None:
    assert_found(index, list(scenes.views(index)), (0.01, 0.01, 1.0))


@pytest.mark.slow
@pytest.mark.parametrize("index", list(range(scenes.COUNT)))
def test_views_that_disagree(index: int) -> None:
    random = np.random.default_rng(index)
    views = [scenes.disturbed(view, random) for view in scenes.views(index)]
    assert_found(index, views, (0.03, 0.03, 3.0))


def test_similarity_moves_clouds_and_meshes_alike() -> None:
    true = unknown(3)
    cloud = undone(scenes.cloud(0), true)
    again = true.apply(cloud)
    assert np.allclose(again.means, scenes.cloud(0).means, atol=1e-6)
    assert np.allclose(again.scales, scenes.cloud(0).scales, rtol=1e-5)
    mesh = true.apply_to_mesh(scenes.solid(0))
    expected = true.scale * scenes.solid(0).vertices @ true.rotation.T + true.shift
    assert np.allclose(mesh.vertices, expected, atol=1e-6)
    # A positive tilt brings the front, which is at -Y, down.
    assert (Similarity(1.0, np.zeros(3), 30.0).rotation @ [0, -1, 0])[2] < -0.4


def test_pictures_without_masks_are_refused() -> None:
    view = scenes.views(0)[0]
    rgba = view.image.rgba.copy()
    rgba[..., 3] = 255
    with pytest.raises(InvalidData, match="mask of view 1") as refused:
        register(scenes.cloud(0), [view, View(Image(rgba), view.camera)])
    assert "cut the object out" in refused.value.hint


def test_one_view_is_refused() -> None:
    with pytest.raises(InvalidData, match="two sides"):
        register(scenes.cloud(0), list(scenes.views(0)[:1]))


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(InvalidSettings, match="tilt_step"):
        RegisterSettings(tilt_step=0.0)


def test_cancelling_stops_the_search() -> None:
    with pytest.raises(Cancelled):
        register(scenes.cloud(0), list(scenes.views(0)), progress=Progress(cancelled=lambda: True))
