"""Fits of a small solid whose pictures were drawn from its triangles."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from glimpse3d.coords import Lens, opengl_pose, orbit_camera
from glimpse3d.errors import (
    BackendUnavailable,
    BadFile,
    Cancelled,
    InvalidData,
    InvalidSettings,
)
from glimpse3d.progress import Progress, Report
from glimpse3d.splats import loss_curve
from glimpse3d.splats.camera_check import check_cameras
from glimpse3d.splats.disagreement import Trust
from glimpse3d.splats.optimise import optimise
from glimpse3d.splats.optimise_settings import (
    GENERATED_VIEWS,
    Optimised,
    OptimiseSettings,
    Surface,
)
from glimpse3d.splats.render import RenderSettings, render
from glimpse3d.types import Camera, GaussianCloud, Image, View
from tests import shapes
from tests.splats import scenes

SHORT = OptimiseSettings(iterations=60, held_out=4, evaluate_every=20)
WHITE = RenderSettings(background=(1.0, 1.0, 1.0))
INDEX = 6


@cache
def views() -> tuple[View, ...]:
    lens = Lens.from_field_of_view(40, 72, 72)
    mesh = scenes.solid(INDEX)
    taken = []
    for index in range(16):
        camera = orbit_camera(137.5 * index, -40 + 6 * index, 1.9, lens)
        picture = shapes.photograph(mesh, camera, lambda points: scenes.paint(points, INDEX))
        taken.append(View(picture, camera))
    return tuple(taken)


def start() -> GaussianCloud:
    return scenes.cloud(INDEX, 1500)


@cache
def fitted() -> Optimised:
    return optimise(start(), views(), SHORT)


def decibels(cloud: GaussianCloud, view: View) -> float:
    drawn = render(cloud, view.camera, WHITE).rgb
    rgba = view.image.rgba / 255
    truth = rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]
    return -10 * float(np.log10(((np.clip(drawn, 0, 1) - truth) ** 2).mean()))


def kept_decibels(cloud: GaussianCloud, indices: tuple[int, ...] = (3, 7, 11, 15)) -> float:
    return float(np.mean([decibels(cloud, views()[index]) for index in indices]))


def test_views_that_were_never_fitted_look_better() -> None:
    result = fitted()
    assert result.held_out == (3, 7, 11, 15)
    before, after = kept_decibels(start()), kept_decibels(result.cloud)
    assert after > before + 4
    assert after > 25
    assert len(result.cloud) == len(start())
    assert np.allclose(np.linalg.norm(result.cloud.rotations, axis=1), 1, atol=1e-5)


def test_the_answer_is_the_best_state_that_was_looked_at() -> None:
    result = fitted()
    assert result.best.psnr == max(sample.psnr for sample in result.history.samples)
    assert kept_decibels(result.cloud) == pytest.approx(result.best.psnr, abs=0.02)
    assert [sample.iteration for sample in result.history.samples] == [0, 20, 40, 60]
    assert len(result.history.losses) == 60
    assert result.backend == "cpu"


def test_the_best_state_survives_a_fit_that_goes_wrong() -> None:
    wild = replace(SHORT, rate_means=10.0, rate_scales=0.5, rate_sh0=0.5)
    result = optimise(start(), views(), wild)
    assert result.history.samples[-1].psnr < result.history.samples[0].psnr
    assert kept_decibels(result.cloud) > kept_decibels(start()) - 0.05


def test_the_same_fit_twice_is_the_same_to_the_bit() -> None:
    assert np.array_equal(optimise(start(), views(), SHORT).cloud.means, fitted().cloud.means)


def opengl_mistaken(camera: Camera) -> Camera:
    """What one gets who takes the inverse of an OpenGL pose for an OpenCV view matrix."""
    return replace(camera, camera_from_world=np.linalg.inv(opengl_pose(camera)))


@pytest.mark.parametrize(
    ("mistake", "hint"),
    [
        (opengl_mistaken, "these are OpenGL cameras"),
        (lambda camera: replace(camera, camera_from_world=camera.world_from_camera), "world from"),
        (lambda camera: replace(camera, camera_from_world=opengl_pose(camera)), "OpenGL poses"),
    ],
)
def test_cameras_of_another_convention_are_refused_by_name(mistake, hint) -> None:  # type: ignore[no-untyped-def]
    wrong = [View(view.image, mistake(view.camera)) for view in views()]
    with pytest.raises(InvalidData, match="do not see the cloud") as refused:
        optimise(start(), wrong, SHORT)
    assert hint in refused.value.hint


def test_a_cloud_elsewhere_is_refused_and_right_cameras_are_not() -> None:
    check_cameras(start(), views())
    away = replace(start(), means=start().means + np.float32(5))
    with pytest.raises(InvalidData, match="overlap by 0%") as refused:
        check_cameras(away, views())
    assert "register" in refused.value.hint


def test_a_fit_that_was_cut_off_goes_on_as_if_it_was_not(tmp_path: Path) -> None:
    file = tmp_path / "fit.npz"
    settings = replace(SHORT, checkpoint_every=20, affine_color=True, robust=True)
    whole = optimise(start(), views(), settings)

    def cut_off(report: Report) -> None:
        if "step 40" in report.note:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        optimise(start(), views(), settings, Progress(cut_off), checkpoint=file)
    resumed = optimise(start(), views(), settings, checkpoint=file)
    for name in ("means", "scales", "rotations", "opacities", "sh"):
        assert np.array_equal(getattr(resumed.cloud, name), getattr(whole.cloud, name)), name
    assert resumed.history.losses == whole.history.losses
    assert np.array_equal(resumed.trust, whole.trust)
    assert [path.name for path in tmp_path.iterdir()] == ["fit.npz"]
    # A fit that had ended is answered from its file.
    again = optimise(start(), views(), settings, checkpoint=file)
    assert np.array_equal(again.cloud.means, whole.cloud.means)
    assert (again.backend, again.history.losses) == ("cpu", whole.history.losses)


def test_checkpoints_of_other_fits_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "fit.npz"
    short = replace(SHORT, iterations=2)
    optimise(start(), views(), short, checkpoint=file)
    with pytest.raises(BadFile, match="other settings"):
        optimise(start(), views(), replace(short, seed=1), checkpoint=file)
    with pytest.raises(BadFile, match="another cloud"):
        optimise(scenes.cloud(INDEX, 1000), views(), short, checkpoint=file)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(BadFile, match="no checkpoint"):
        optimise(start(), views(), short, checkpoint=file)


def test_progress_shows_pictures_and_cancels() -> None:
    seen: list[Report] = []
    optimise(start(), views(), replace(SHORT, iterations=20), Progress(seen.append))
    shown = [report for report in seen if report.preview is not None]
    assert len(shown) == 2
    assert "dB" in shown[-1].note and shown[-1].fraction == 1.0
    preview = shown[-1].preview
    assert preview is not None and (preview.width, preview.height) == (72, 72)
    assert preview.rgba[..., :3].std() > 10
    count = [0]

    def cancelled() -> bool:
        count[0] += 1
        return count[0] > 5

    with pytest.raises(Cancelled):
        optimise(start(), views(), SHORT, Progress(cancelled=cancelled))


def test_a_fit_stops_when_nothing_gets_better() -> None:
    idle = replace(
        SHORT, iterations=400, evaluate_every=2, patience=2,
        rate_means=0.0, rate_scales=0.0, rate_quats=0.0, rate_opacities=0.0, rate_sh0=0.0,
    )  # fmt: skip
    result = optimise(start(), views(), idle)
    assert result.stopped_early
    assert len(result.history.losses) == 4


def test_view_dependent_colour_comes_in_when_its_time_is_there() -> None:
    late = replace(SHORT, iterations=10, sh_degree=1, sh_every=20)
    cloud = optimise(start(), views(), late).cloud
    assert cloud.sh_degree == 1 and not cloud.sh[:, 1:].any()
    early = replace(late, sh_every=5)
    assert np.abs(optimise(start(), views(), early).cloud.sh[:, 1:]).max() > 0


def cast(view: View, random: np.random.Generator) -> View:
    rgba = view.image.rgba.astype(np.float64)
    gain, offset = random.uniform(0.75, 1.25, 3), random.uniform(-25, 25, 3)
    rgba[..., :3] = np.clip(rgba[..., :3] * gain + offset, 0, 255)
    return View(Image(np.rint(rgba).astype(np.uint8)), view.camera)


def test_views_that_disagree_spoil_less() -> None:
    """Every fitted view has a colour cast, and two show another thing altogether."""
    random = np.random.default_rng(0)
    spoiled = [0, 5]
    mixed = list(views())
    for index in range(len(mixed)):
        if index % 4 != 3:
            mixed[index] = cast(mixed[index], random)
    for index in spoiled:
        rgba = mixed[index].image.rgba[::-1].copy()
        mixed[index] = View(Image(rgba), mixed[index].camera)
    longer = replace(SHORT, iterations=150, evaluate_every=50)
    plain = optimise(start(), mixed, longer)
    careful = optimise(
        start(),
        mixed,
        replace(GENERATED_VIEWS, iterations=150, held_out=4, evaluate_every=50),
    )
    assert kept_decibels(careful.cloud) > kept_decibels(plain.cloud) + 1.0
    trusted = [index for index in range(16) if index % 4 != 3 and index not in spoiled]
    assert careful.trust[spoiled].max() < 0.5 * careful.trust[trusted].min()
    assert not careful.trust[[3, 7, 11, 15]].any()
    fitted_views = [index for index in range(16) if index % 4 != 3]
    assert np.allclose(careful.colors[fitted_views].mean(0), np.eye(3, 4), atol=1e-4)


def test_trust_falls_with_a_view_that_errs_more() -> None:
    trust = Trust(5)
    for view, error in enumerate([0.1, 0.11, 0.09, 0.1, 0.5]):
        trust.observe(view, error)
    weights = trust.weights()
    assert weights.mean() == pytest.approx(1)
    assert weights[4] < 0.1 * weights[:4].min()
    assert np.allclose(weights[[0, 2, 3]], weights[0])


def test_depth_and_normals_turn_splats_back_onto_the_surface() -> None:
    """A plate whose splats were shaken: pictures without contrast say nothing of its depth."""
    random = np.random.default_rng(0)
    across = np.linspace(-0.4, 0.4, 24)
    x, z = (each.ravel() for each in np.meshgrid(across, across))
    count = len(x)
    tilted = np.column_stack([np.ones(count), random.normal(scale=0.25, size=(count, 3))])
    facing = np.array([np.sqrt(0.5), np.sqrt(0.5), 0, 0])  # z, the thin axis, towards -y
    cloud = GaussianCloud(
        np.column_stack([x, random.normal(scale=0.03, size=count), z]),
        np.tile([0.022, 0.022, 0.002], (count, 1)),
        _product(tilted / np.linalg.norm(tilted, axis=1, keepdims=True), facing),
        np.full(count, 0.9),
        np.zeros((count, 1, 3)),
    )
    camera = orbit_camera(0, 0, 2.0, Lens.from_field_of_view(30, 64, 64))
    mask = np.zeros((64, 64, 4), np.uint8)
    mask[9:55, 9:55] = (128, 128, 128, 255)
    known = mask[..., 3] > 0
    surface = Surface(
        np.where(known, 2.0, 0.0).astype(np.float32),
        (known[..., None] * np.array([0, -1, 0])).astype(np.float32),
    )
    settings = OptimiseSettings(iterations=150, evaluate_every=150, rate_quats=1e-2)
    told = replace(settings, depth=1.0, normal=0.3)
    view = View(Image(mask), camera)
    with_it = optimise(cloud, [view], told, surfaces=[surface]).cloud
    without = optimise(cloud, [view], settings).cloud
    assert _off_plane(with_it) < 0.75 * _off_plane(without)
    assert _misalignment(with_it) < 0.6 * _misalignment(without)


def _product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    from glimpse3d.coords import multiply_quaternions

    return multiply_quaternions(left, np.broadcast_to(right, left.shape))


def _off_plane(cloud: GaussianCloud) -> float:
    return float(np.abs(cloud.means[:, 1]).mean())


def _misalignment(cloud: GaussianCloud) -> float:
    w, x, y, z = cloud.rotations.T
    along = np.abs(2 * (y * z - w * x))  # the y part of the thin axis
    return float(np.degrees(np.arccos(np.clip(along, 0, 1))).mean())


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without CUDA")
@pytest.mark.parametrize("strategy", ["mcmc", "default"])
def test_strategies_that_need_cuda_say_so(strategy: str) -> None:
    with pytest.raises(BackendUnavailable, match="CUDA") as refused:
        optimise(start(), views(), replace(SHORT, strategy=strategy))
    assert "strategy=fixed" in refused.value.hint


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA and gsplat")
@pytest.mark.parametrize("strategy", ["mcmc", "default"])
def test_strategies_change_the_number_of_splats(strategy: str) -> None:
    settings = replace(SHORT, iterations=400, strategy=strategy, most_gaussians=2000)
    result = optimise(start(), views(), settings)
    assert result.backend == "gsplat"
    assert kept_decibels(result.cloud) > kept_decibels(start())
    if strategy == "mcmc":
        assert len(start()) < len(result.cloud) <= 2000


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"depth": 1.0}, InvalidSettings, "no depth was given"),
        ({"normal": 1.0}, InvalidSettings, "no normals were given"),
        ({"held_out": 1}, None, ""),
    ],
)
def test_weights_want_what_they_weigh(changes, error, message) -> None:  # type: ignore[no-untyped-def]
    settings = replace(SHORT, iterations=1, **changes)
    if error is None:
        assert optimise(start(), views(), settings).held_out == ()
        return
    with pytest.raises(error, match=message):
        optimise(start(), views(), settings)


def test_nothing_to_fit_is_refused() -> None:
    with pytest.raises(InvalidData, match="at least one view"):
        optimise(start(), [], SHORT)
    with pytest.raises(InvalidData, match="16 views and 1 surfaces"):
        optimise(start(), views(), SHORT, surfaces=[Surface()])


def test_the_curve_shows_losses_and_decibels() -> None:
    image = loss_curve.draw(fitted().history)
    assert (image.width, image.height) == (800, 400)
    colors = {tuple(color) for color in image.rgba[..., :3].reshape(-1, 3)}
    assert {(31, 119, 180), (214, 90, 30)} <= colors
    # Decibels rise, so that their last point stands above their first.
    rows, columns = np.nonzero((image.rgba[..., :3] == (214, 90, 30)).all(axis=2))
    plot = (columns > 60) & (columns < 740) & (rows > 35)
    first, last = columns[plot].min(), columns[plot].max()
    assert rows[plot][columns[plot] == last].mean() < rows[plot][columns[plot] == first].mean()
