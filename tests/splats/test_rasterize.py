"""Gradients of the compiled rasteriser against autograd in float64, and what it promises."""

import logging
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from glimpse3d import coords
from glimpse3d.coords import Lens
from glimpse3d.errors import BackendUnavailable, InvalidData, InvalidSettings
from glimpse3d.formats import sh
from glimpse3d.splats import (
    blend,
    blend_gradient,
    cpu_pass,
    projection,
    projection_gradient,
    rasterization,
    render,
    shading,
)
from glimpse3d.splats.rasterization import Cameras, Meta, RasterSettings, Splats, rasterize
from tests import reference_renderer
from tests.core.test_render import cameras, orbit, some_splats

torch = pytest.importorskip("torch", reason="gradients are torch's")

from glimpse3d.splats import backend_torch  # noqa: E402
from glimpse3d.splats.backend_gsplat import causes  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
INPUTS = (*Splats.__slots__, "viewmats", "backgrounds")
# Relative, L2, over all numbers of an input.
TOLERANCE = 1e-4


class Scene(NamedTuple):
    """What is drawn; backgrounds stand in ``settings`` as an array."""

    splats: Splats
    cameras: Cameras
    settings: RasterSettings


class Drawn(NamedTuple):
    """``gradients`` by name, of the sum of all numbers times fixed random ones."""

    colors: "torch.Tensor"
    alphas: "torch.Tensor"
    meta: Meta
    gradients: dict[str, "torch.Tensor"]


def harmonics(splats: Splats, seed: int = 0) -> Splats:
    """The same with coefficients up to degree 3, some colours below 0."""
    random = np.random.default_rng(seed)
    colors = random.normal(size=(len(splats.means), 16, 3)).astype(np.float32)
    return replace(splats, colors=colors)


def rounded(views: Cameras) -> Cameras:
    """The same in numbers that float32 holds."""
    single = views.viewmats.astype(np.float32), views.Ks.astype(np.float32)
    return replace(views, viewmats=single[0], Ks=single[1])


def inside_out(count: int) -> Scene:
    """A camera among the splats: many lie behind it or beside its view."""
    return Scene(some_splats(count), cameras(orbit(40, 30, radius=0.3)), RasterSettings())


def off_frustum() -> Scene:
    """Large splats whose centres lie outside of the picture, some beyond the Jacobian's limits."""
    beside = coords.look_at(np.array([0.0, -2, 0]), np.array([2.0, -2, 0]), Lens(50.0, 40, 30))
    return Scene(some_splats(300, size=0.3), cameras(beside), RasterSettings())


def saturated() -> Scene:
    """Opacity 1: alphas are limited, and pixels finish."""
    splats = some_splats(400, size=0.2)
    opaque = replace(splats, opacities=np.ones(400, np.float32))
    return Scene(opaque, cameras(orbit(), orbit(azimuth=170)), RasterSettings())


def dust() -> Scene:
    """Splats far smaller than a pixel, in a picture of several tiles."""
    return Scene(some_splats(200, size=1e-4), cameras(orbit(70, 40)), RasterSettings())


SCENES: dict[str, Callable[[], Scene]] = {
    "saturated": saturated,
    "behind": lambda: inside_out(300),
    "off_frustum": off_frustum,
    "dust": dust,
    "one_pixel": lambda: Scene(some_splats(80), cameras(orbit(1, 1)), RasterSettings()),
    "empty": lambda: Scene(some_splats(0), cameras(orbit()), RasterSettings()),
    "one_splat": lambda: Scene(some_splats(1, seed=3), cameras(orbit()), RasterSettings()),
    "many": lambda: Scene(
        some_splats(10_000, size=0.02), cameras(orbit(64, 64)), RasterSettings()
    ),
    "channels": lambda: Scene(some_splats(200, 7), cameras(orbit()), RasterSettings()),
    "harmonics": lambda: Scene(
        harmonics(some_splats(300)), cameras(orbit(), orbit(azimuth=200)),
        RasterSettings(sh_degree=3),
    ),
}  # fmt: skip


def tensors(scene: Scene, kind: "torch.dtype") -> dict[str, "torch.Tensor"]:
    """The inputs as leaves that want gradients."""
    splats, views, settings = scene
    arrays = {name: getattr(splats, name) for name in Splats.__slots__}
    arrays["viewmats"] = np.asarray(views.viewmats, np.float32)
    behind = np.random.default_rng(7).uniform(0, 1, (len(views.viewmats), splats.colors.shape[-1]))
    arrays["backgrounds"] = behind if settings.backgrounds is None else settings.backgrounds
    return {
        name: torch.tensor(np.asarray(array, np.float32), dtype=kind, requires_grad=True)
        for name, array in arrays.items()
    }


def pull(leaves: dict[str, "torch.Tensor"], colors: "torch.Tensor", alphas: "torch.Tensor") -> dict:
    """Gradients by name of both pictures times fixed random numbers, summed."""
    random = np.random.default_rng(11)
    total = sum(
        (each * torch.tensor(random.normal(size=each.shape)).to(each)).sum()
        for each in (colors, alphas)
    )
    found = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
    pairs = zip(leaves.items(), found, strict=True)
    return {name: torch.zeros_like(leaf) if each is None else each for (name, leaf), each in pairs}


def drawn(scene: Scene, backend: str, kind: "torch.dtype" = torch.float32) -> Drawn:
    leaves = tensors(scene, kind)
    splats = Splats(*(leaves[name] for name in Splats.__slots__))
    Ks = torch.tensor(np.asarray(scene.cameras.Ks), dtype=kind)
    views = replace(scene.cameras, viewmats=leaves["viewmats"], Ks=Ks)
    settings = replace(scene.settings, backgrounds=leaves["backgrounds"])
    colors, alphas, meta = rasterize(splats, views, settings, backend)  # type: ignore[arg-type]
    return Drawn(colors.detach(), alphas.detach(), meta, pull(leaves, colors, alphas))


def decided(scene: Scene, meta: Meta) -> Drawn:
    """Autograd in float64 through what ``meta`` says was drawn where, and in which order."""
    leaves = tensors(scene, torch.float64)
    pictures = [_decided_one(scene, leaves, meta, k) for k in range(len(scene.cameras.Ks))]
    colors, alphas = (torch.stack(each) for each in zip(*pictures, strict=True))
    return Drawn(colors.detach(), alphas.detach(), meta, pull(leaves, colors, alphas))


def _decided_one(
    scene: Scene, leaves: dict[str, "torch.Tensor"], meta: Meta, index: int
) -> tuple["torch.Tensor", "torch.Tensor"]:
    settings = replace(scene.settings, backgrounds=leaves["backgrounds"])
    seen = (meta.radii[index] > 0).any(-1).nonzero().squeeze(-1)
    order = seen[meta.depths[index][seen].argsort(stable=True)]
    splats = Splats(*(leaves[name][order] for name in Splats.__slots__))
    K = torch.tensor(np.asarray(scene.cameras.Ks[index]), dtype=torch.float64)
    width, height = scene.cameras.width, scene.cameras.height
    camera = backend_torch.Camera(leaves["viewmats"][index], K, width, height)
    names = ("means2d", "conics", "depths", "opacities", "radii")
    landed = backend_torch.Screen(*(getattr(meta, name)[index][order].double() for name in names))
    pairs = backend_torch.drawn_pairs(landed, camera)
    screen = backend_torch.project(splats, camera, settings)
    channels = backend_torch.channels_of(splats, screen.depths, camera, settings)
    colors, alphas = backend_torch.blend(screen, channels, pairs, camera)
    return backend_torch.finish(colors, alphas, settings, index)


def assert_same_gradients(ours: Drawn, wanted: Drawn) -> None:
    for name in INPUTS:
        error = (ours.gradients[name].double() - wanted.gradients[name]).norm()
        assert error <= TOLERANCE * wanted.gradients[name].norm(), name


@pytest.mark.parametrize("name", list(SCENES))
@pytest.mark.parametrize(("mode", "render_mode"), [("classic", "RGB"), ("antialiased", "RGB+ED")])
def test_gradients_are_those_of_autograd(name: str, mode: str, render_mode: str) -> None:
    scene = SCENES[name]()
    settings = replace(scene.settings, rasterize_mode=mode, render_mode=render_mode)  # type: ignore[arg-type]
    scene = scene._replace(settings=settings)
    ours = drawn(scene, "cpu")
    assert ours.meta.backend == "cpu"
    wanted = decided(scene, ours.meta)
    largest = max(1.0, float(wanted.colors.abs().max()))
    assert (ours.colors - wanted.colors).abs().max() < 2e-5 * largest
    assert_same_gradients(ours, wanted)
    if name not in ("empty", "dust"):  # dust that is antialiased is not seen
        assert all(wanted.gradients[each].any() for each in INPUTS)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("render_mode", ["D", "ED", "RGB+D"])
def test_gradients_in_every_mode(degree: int, render_mode: str) -> None:
    settings = RasterSettings(render_mode=render_mode, sh_degree=degree)  # type: ignore[arg-type]
    scene = Scene(
        harmonics(some_splats(150, seed=degree), degree), cameras(orbit(40, 30)), settings
    )
    ours = drawn(scene, "cpu")
    assert_same_gradients(ours, decided(scene, ours.meta))


def test_shades_like_the_formats_basis() -> None:
    random = np.random.default_rng(0)
    splats = harmonics(some_splats(60))
    position = random.normal(size=3) * 3
    directions = splats.means - position
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for degree in range(4):
        found = np.empty((60, 3), np.float32)
        everyone = np.arange(60, dtype=np.int32)
        shading.shade(splats.means, splats.colors, position, degree, everyone, found)
        values = sh.basis(directions, degree)
        wanted = np.einsum("nk,nkc->nc", values, splats.colors[:, : values.shape[1]]) + 0.5
        assert np.allclose(found, np.maximum(wanted, 0), atol=1e-5)


@pytest.mark.parametrize("mode", ["classic", "antialiased"])
@pytest.mark.parametrize("render_mode", ["RGB", "D", "RGB+ED"])
# A view rounded to float32 is not quite a rotation: its inverse, where directions begin, differs.
@pytest.mark.parametrize(("degree", "tolerance"), [(None, 1e-9), (2, 1e-6)])
def test_plain_torch_is_the_plain_renderer(
    mode: str, render_mode: str, degree: int | None, tolerance: float
) -> None:
    behind = np.random.default_rng(5).uniform(0, 1, (2, 3)).astype(np.float32)
    settings = RasterSettings(
        rasterize_mode=mode,  # type: ignore[arg-type]
        render_mode=render_mode,  # type: ignore[arg-type]
        sh_degree=degree,
        backgrounds=behind,
    )
    splats = some_splats(200) if degree is None else harmonics(some_splats(200))
    scene = Scene(splats, rounded(cameras(orbit(), orbit(azimuth=200))), settings)
    ours = drawn(scene, "torch", torch.float64)
    colors, alphas = reference_renderer.draw(*scene)
    assert ours.meta.backend == "torch" and ours.colors.dtype == torch.float64
    assert np.abs(ours.colors.numpy() - colors).max() < tolerance
    assert np.abs(ours.alphas.numpy() - alphas).max() < 1e-9


def test_both_tell_the_same_of_where_splats_landed() -> None:
    scene = Scene(some_splats(300), cameras(orbit(), orbit(azimuth=80)), RasterSettings())
    one, other = drawn(scene, "cpu").meta, drawn(scene, "torch", torch.float64).meta
    for name, tolerance in {
        "means2d": 1e-4, "conics": 1e-4, "radii": 1, "depths": 1e-5, "opacities": 1e-6
    }.items():  # fmt: skip
        ours, theirs = getattr(one, name), getattr(other, name)
        assert ours.shape == theirs.shape and not ours.requires_grad
        assert (ours - theirs).abs().max() <= tolerance


def test_threads_and_repeats_give_the_same_bits() -> None:
    settings = RasterSettings(render_mode="RGB+ED", sh_degree=3)
    views = cameras(orbit(150, 130), orbit(150, 130, 100.0))
    scene = Scene(harmonics(some_splats(9000, size=0.03)), views, settings)
    first = drawn(scene, "cpu")
    for threads in (1, 2, 5):
        again = drawn(scene._replace(settings=replace(settings, threads=threads)), "cpu")
        assert torch.equal(first.colors, again.colors)
        assert all(torch.equal(first.gradients[name], again.gradients[name]) for name in INPUTS)


def test_several_python_threads_at_once_give_the_same_bits() -> None:
    settings = RasterSettings(threads=2)
    scenes = [
        Scene(some_splats(800, seed=seed), cameras(orbit(90, 70)), settings) for seed in range(3)
    ]
    alone = [drawn(scene, "cpu") for scene in scenes]
    with ThreadPoolExecutor(4) as pool:
        for k, got in enumerate(pool.map(lambda k: drawn(scenes[k % 3], "cpu"), range(12))):
            assert torch.equal(got.colors, alone[k % 3].colors)
            assert all(torch.equal(got.gradients[n], alone[k % 3].gradients[n]) for n in INPUTS)


def test_gradients_arrive_in_the_inputs_own_type() -> None:
    scene = Scene(some_splats(50), rounded(cameras(orbit())), RasterSettings())
    double = drawn(scene, "cpu", torch.float64)
    single = drawn(scene, "cpu")
    assert double.colors.dtype == torch.float64 and single.colors.dtype == torch.float32
    for name in INPUTS:
        assert double.gradients[name].dtype == torch.float64
        assert torch.equal(double.gradients[name].float(), single.gradients[name])


def test_values_without_sense_have_no_gradient_and_do_no_harm() -> None:
    good = Scene(some_splats(60), cameras(orbit()), RasterSettings())
    bad = {name: np.array(getattr(some_splats(30, seed=1), name)) for name in Splats.__slots__}
    bad["means"][:10] = np.array([np.nan, np.inf, -np.inf, 3e38, 1e30] * 2)[:, None]
    bad["quats"][10:15] = 0
    bad["scales"][15:25] = np.array([np.nan, np.inf, 3e38, -np.inf, 1e25] * 2)[:, None]
    bad["opacities"][25:] = [np.nan, 0, -1, -np.inf, 1 / 256]
    both = Splats(*(np.concatenate([getattr(good.splats, n), bad[n]]) for n in Splats.__slots__))
    ours = drawn(good._replace(splats=both), "cpu")
    seen = (ours.meta.radii[0] > 0).any(-1)
    for name in Splats.__slots__:
        assert ours.gradients[name].isfinite().all() and not ours.gradients[name][~seen].any()
    left = Splats(*(getattr(both, name)[seen.numpy()] for name in Splats.__slots__))
    alone = drawn(good._replace(splats=left), "cpu")
    assert all(torch.equal(ours.gradients[n][seen], alone.gradients[n]) for n in Splats.__slots__)
    assert torch.equal(ours.gradients["viewmats"], alone.gradients["viewmats"])


def test_pictures_changed_in_place_are_noticed_on_the_way_back() -> None:
    scene = Scene(some_splats(20), cameras(orbit()), RasterSettings())
    leaves = tensors(scene, torch.float32)
    views = Cameras(leaves["viewmats"], torch.tensor(scene.cameras.Ks), 75, 61)
    behind = torch.full((1, 3), 0.5)
    settings = RasterSettings(backgrounds=behind)
    splats = Splats(*(leaves[name] for name in Splats.__slots__))
    first = torch.autograd.grad(rasterize(splats, views, settings)[0].sum(), leaves["means"])[0]
    colors = rasterize(splats, views, settings)[0]
    behind.zero_()  # the caller's own buffer may be used again
    assert torch.equal(torch.autograd.grad(colors.sum(), leaves["means"])[0], first)
    colors = rasterize(splats, views, settings)[0]
    colors.clamp_(0, 0.5)
    with pytest.raises(RuntimeError, match="inplace"):
        colors.sum().backward()


def test_a_step_down_the_gradient_makes_the_picture_more_alike() -> None:
    wanted = rasterize(some_splats(60, seed=1), cameras(orbit()))[0]
    scene = Scene(some_splats(60, seed=2), cameras(orbit()), RasterSettings())
    leaves = tensors(scene, torch.float32)
    moved = [leaves[name] for name in Splats.__slots__]
    views = Cameras(leaves["viewmats"], torch.tensor(scene.cameras.Ks), 75, 61)
    optimiser = torch.optim.Adam(moved, lr=5e-3)
    losses = []
    for _ in range(25):
        optimiser.zero_grad()
        loss = (rasterize(Splats(*moved), views)[0] - torch.tensor(wanted)).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_arrays_and_tensors_are_drawn_by_the_same_machine_code() -> None:
    behind = np.zeros((1, 3), np.float32)
    views = rounded(cameras(orbit()))
    scene = Scene(some_splats(20), views, RasterSettings(backgrounds=behind))
    read_only = [np.array(getattr(scene.splats, name)) for name in Splats.__slots__]
    for array in read_only:
        array.flags.writeable = False
    kernels = projection._fill_screen, blend.draw_tiles
    arrays = rasterize(Splats(*read_only), views)[0]
    compiled = [len(kernel.signatures) for kernel in kernels]
    assert np.array_equal(arrays, drawn(scene, "cpu").colors.numpy())
    assert [len(kernel.signatures) for kernel in kernels] == compiled


def test_compiled_ahead_is_compiled_for_good() -> None:
    render.compile_in_background().join()
    scene = Scene(harmonics(some_splats(20)), cameras(orbit()), RasterSettings(sh_degree=1))
    drawn(scene, "cpu")
    kernels = blend.draw_tiles, blend_gradient.pull_tiles, projection_gradient.pull_screen
    assert [len(kernel.signatures) for kernel in kernels] == [1, 1, 1]


PLAIN = """
import sys
from tests.core.test_render import RenderSettings, orbit, render, some_cloud
render(some_cloud(10, 1), orbit(), RenderSettings(depth=True))
assert "torch" not in sys.modules
"""

WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = None
import numpy as np, torch
from glimpse3d.errors import BackendUnavailable
from glimpse3d.splats.rasterization import Cameras, Splats, rasterize
arrays = np.ones((1, 3)), np.ones((1, 4)), np.ones((1, 3)), np.ones(1), np.ones((1, 3))
views = np.eye(4)[None], np.eye(3)[None]
tensors = Splats(*map(torch.tensor, arrays)), Cameras(*map(torch.tensor, views), 4, 4)
assert rasterize(*tensors)[2].backend == "torch"
try:
    rasterize(Splats(*arrays), Cameras(*views, 4, 4))
except BackendUnavailable as error:
    assert "numba" in str(error)
else:
    raise AssertionError
"""


@pytest.mark.parametrize("code", [PLAIN, WITHOUT_NUMBA])
def test_neither_torch_nor_numba_is_needed_for_the_other(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_slow_drawing_is_never_silent(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert rasterization.choose("vulkan") == rasterization.choose("vulkan") == "torch"
    assert caplog.text.count("slow") == 1
    assert (rasterization.choose("cpu"), rasterization.choose("cuda")) == ("cpu", "gsplat")


def test_refusals() -> None:
    scene = Scene(some_splats(5), cameras(orbit()), RasterSettings())
    with pytest.raises(InvalidSettings, match="tensors"):
        rasterize(scene.splats, scene.cameras, backend="torch")
    with pytest.raises(InvalidSettings, match="unknown"):
        drawn(scene, "vulkan")
    with pytest.raises(InvalidData, match="backgrounds"):
        drawn(scene._replace(settings=RasterSettings(backgrounds=np.zeros((1, 4)))), "cpu")
    far = Splats(*(torch.tensor(getattr(scene.splats, n)).to("meta") for n in Splats.__slots__))
    with pytest.raises(BackendUnavailable, match="main memory"):
        rasterize(far, scene.cameras, backend="cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA GPU is here")
def test_without_a_gpu_gsplat_is_not_even_imported() -> None:
    scene = Scene(some_splats(5), cameras(orbit()), RasterSettings())
    loaded = "gsplat" in sys.modules
    with pytest.raises(BackendUnavailable, match="this PyTorch"):
        drawn(scene, "gsplat")
    assert ("gsplat" in sys.modules) == loaded


def test_the_cause_that_gsplat_hides_is_told() -> None:
    try:
        try:
            raise OSError("CUDA_HOME is not set")
        except OSError:
            raise ImportError("gsplat_cuda.so")  # noqa: B904 - as gsplat does
    except ImportError as error:
        assert causes(error) == "OSError: CUDA_HOME is not set; then ImportError: gsplat_cuda.so"


def test_blocks_do_not_depend_on_threads() -> None:
    assert cpu_pass._blocks(0) == [0]
    assert cpu_pass._blocks(10_000) == [0, 4096, 8192, 10_000]
