"""The rasteriser beside gsplat: its plain functions anywhere, its pictures where a GPU is."""

import inspect
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from glimpse3d.splats.rasterization import Cameras, RasterSettings, Splats, rasterize
from tests.core.test_render import cameras, orbit, some_splats

torch = pytest.importorskip("torch", reason="gsplat is torch's")

from glimpse3d.splats import backend_gsplat  # noqa: E402


def plain_gsplat() -> Any:
    """gsplat's projection and harmonics in plain torch; importing them may fail in any way."""
    pytest.importorskip("gsplat", reason="gsplat is not installed", exc_type=ImportError)
    from gsplat.cuda import _torch_impl as plain

    return plain


@pytest.mark.parametrize("radius", [2.0, 0.5])
@pytest.mark.parametrize("mode", ["classic", "antialiased"])
def test_projection_is_gsplats(mode: str, radius: float) -> None:
    plain = plain_gsplat()
    splats, views = some_splats(1000), cameras(orbit(radius=radius), orbit(azimuth=250))
    settings = RasterSettings(rasterize_mode=mode)  # type: ignore[arg-type]
    _, _, meta = rasterize(splats, views, settings)
    means, quats, scales = (
        torch.tensor(getattr(splats, name)) for name in ("means", "quats", "scales")
    )
    units = torch.nn.functional.normalize(quats, dim=-1)
    covariances, _ = plain._quat_scale_to_covar_preci(units, scales, True, False, triu=False)
    viewmats = torch.tensor(views.viewmats, dtype=torch.float32)
    Ks = torch.tensor(views.Ks, dtype=torch.float32)
    _, means2d, depths, conics, compensations = plain._fully_fused_projection(
        means, covariances, viewmats, Ks, views.width, views.height, calc_compensations=True
    )
    seen = meta.radii.any(axis=-1)
    assert seen.sum() > 300
    assert np.allclose(meta.means2d[seen], means2d.numpy()[seen], rtol=1e-5, atol=1e-4)
    assert np.allclose(meta.depths[seen], depths.numpy()[seen], rtol=1e-5, atol=1e-6)
    scale = np.abs(meta.conics[seen]).max(axis=-1, keepdims=True)
    assert (np.abs(meta.conics[seen] - conics.numpy()[seen]) / scale).max() < 1e-3
    if mode == "antialiased":
        drawn = splats.opacities * compensations.numpy()
        assert np.abs(meta.opacities - drawn)[seen].max() < 1e-3


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_harmonics_are_gsplats(degree: int) -> None:
    plain = plain_gsplat()
    random = np.random.default_rng(degree)
    coefficients = random.normal(size=(50, 16, 3)).astype(np.float32)
    splats = replace(some_splats(50), colors=coefficients)
    # One splat a picture, of a camera that it fills: the middle pixel is its colour.
    views = cameras(orbit(9, 9))
    position = np.linalg.inv(views.viewmats[0])[:3, 3]
    directions = torch.tensor(splats.means - position.astype(np.float32))
    wanted = plain._spherical_harmonics(degree, directions, torch.tensor(coefficients)).numpy()
    wanted = np.maximum(wanted + 0.5, 0)
    for i in range(50):
        one = Splats(
            splats.means[i : i + 1],
            np.float32([[1, 0, 0, 0]]),
            np.full((1, 3), 30, np.float32),
            np.ones(1, np.float32),
            coefficients[i : i + 1],
        )
        colors, alphas, _ = rasterize(one, views, RasterSettings(sh_degree=degree))
        assert np.allclose(colors[0, 4, 4] / alphas[0, 4, 4], wanted[i], atol=2e-4)


def test_gsplat_takes_what_it_is_called_with() -> None:
    plain_gsplat()
    import gsplat

    scene = Splats(*(torch.tensor(getattr(some_splats(3), name)) for name in Splats.__slots__))
    views = cameras(orbit())
    tensors = (torch.tensor(each, dtype=torch.float32) for each in (views.viewmats, views.Ks))
    settings = RasterSettings(render_mode="RGB+ED", backgrounds=torch.zeros(1, 3))
    given = backend_gsplat.arguments(scene, Cameras(*tensors, 75, 61), settings)
    parameters = inspect.signature(gsplat.rasterization).parameters
    assert set(given) <= set(parameters)
    missing = [each for each in parameters.values() if each.default is each.empty]
    assert {each.name for each in missing} <= set(given)
    for name in ("near_plane", "far_plane", "radius_clip", "eps2d", "rasterize_mode"):
        assert given[name] == parameters[name].default


def test_what_gsplat_left_unwritten_is_told_as_nothing() -> None:
    info = {
        "radii": torch.tensor([[[3, 4], [0, 0]]], dtype=torch.int32),
        "means2d": torch.tensor([[[1.0, 2.0], [torch.nan, torch.inf]]]),
        "conics": torch.tensor([[[1.0, 0.0, 1.0], [torch.nan] * 3]]),
        "depths": torch.tensor([[2.0, torch.nan]]),
        "opacities": torch.tensor([[0.5, 0.25]]),
    }
    meta = backend_gsplat.meta(info)
    assert meta.backend == "gsplat" and meta.info is info
    for name in info:
        assert not getattr(meta, name)[0, 1].any()
        assert torch.equal(getattr(meta, name)[0, 0], info[name][0, 0])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("mode", ["classic", "antialiased"])
@pytest.mark.parametrize("render_mode", ["RGB", "D", "ED", "RGB+D", "RGB+ED"])
@pytest.mark.parametrize("degree", [None, 0, 3])
def test_pictures_and_gradients_are_gsplats(
    mode: str, render_mode: str, degree: int | None
) -> None:
    random = np.random.default_rng(3)
    splats = some_splats(2000, size=0.04)
    if degree is not None:
        splats = replace(splats, colors=random.normal(size=(2000, 16, 3)).astype(np.float32))
    views = cameras(orbit(160, 120), orbit(160, 120, 200.0))
    behind = random.uniform(0, 1, (2, 3)).astype(np.float32)
    arrays = [np.asarray(getattr(splats, name), np.float32) for name in Splats.__slots__]
    arrays += [views.viewmats.astype(np.float32), behind]
    results = []
    for device in ("cpu", "cuda"):
        leaves = [torch.tensor(each, device=device, requires_grad=True) for each in arrays]
        Ks = torch.tensor(views.Ks, dtype=torch.float32, device=device)
        settings = RasterSettings(
            rasterize_mode=mode,  # type: ignore[arg-type]
            render_mode=render_mode,  # type: ignore[arg-type]
            sh_degree=degree,
            backgrounds=leaves[6],
        )
        cameras_ = Cameras(leaves[5], Ks, views.width, views.height)
        colors, alphas, meta = rasterize(Splats(*leaves[:5]), cameras_, settings)
        assert meta.backend == {"cpu": "cpu", "cuda": "gsplat"}[device]
        random = np.random.default_rng(4)
        weights = [
            torch.tensor(random.normal(size=each.shape)).to(each) for each in (colors, alphas)
        ]
        total = (colors * weights[0]).sum() + (alphas * weights[1]).sum()
        pulled = torch.autograd.grad(total, leaves, allow_unused=True)
        results.append([each.detach().cpu() for each in (colors, alphas)])
        results.append([None if each is None else each.cpu() for each in pulled])
    for ours, theirs in zip(results[0], results[2], strict=True):
        largest = max(1.0, float(theirs.abs().max()))
        assert ((ours - theirs).abs() > 1e-3 * largest).float().mean() < 1e-3
    for ours, theirs in zip(results[1], results[3], strict=True):
        if ours is not None and theirs is not None:
            assert (ours - theirs).norm() <= 1e-2 * theirs.norm() + 1e-6
