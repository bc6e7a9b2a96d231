"""Splats to pixels in plain torch: short, differentiable by autograd alone, slow.

Owns the same equations as the compiled kernels, written once more from the paper (Zwicker et al.
2001, "EWA Volume Splatting") for whoever wants to read or check them, in any precision and on any
device. What is drawn is decided first, without gradient: the splats that a camera sees, front to
back, and every (splat, pixel) pair in that order. Heavy: imports torch.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..formats import sh
from .rasterization import Cameras, Meta, RasterSettings, Splats

_THRESHOLD = 1 / 255
_ALPHA_LIMIT = 0.999
_FINISHED = 1e-4
# The Jacobian is taken at most this far outside the picture, in half fields of view.
_MARGIN = 0.3


class Screen(NamedTuple):
    """Splats as one camera sees them.

    Attributes:
        means2d: (N, 2) pixels.
        conics: (N, 3) the inverse covariance (xx, xy, yy).
        depths: (N,) metres.
        opacities: (N,) as drawn.
        reaches: (N, 2) pixels, half the sides of the box outside of which nothing is drawn.
    """

    means2d: Tensor
    conics: Tensor
    depths: Tensor
    opacities: Tensor
    reaches: Tensor


class Pairs(NamedTuple):
    """Which splat is drawn on which pixel: two (P,) int64, by pixel and there front to back."""

    splat: Tensor
    pixel: Tensor


class Camera(NamedTuple):
    """One of ``Cameras``."""

    view: Tensor
    K: Tensor
    width: int
    height: int


def rasterize(
    splats: Splats, cameras: Cameras, settings: RasterSettings
) -> tuple[Tensor, Tensor, Meta]:
    """What ``rasterization.rasterize`` answers for tensors."""
    drawn = [_draw(splats, cameras, index, settings) for index in range(len(cameras.viewmats))]
    colors, alphas, screens = zip(*drawn, strict=True)
    return torch.stack(colors), torch.stack(alphas), meta(screens)


def _draw(
    splats: Splats, cameras: Cameras, index: int, settings: RasterSettings
) -> tuple[Tensor, Tensor, Screen]:
    view, K = cameras.viewmats[index].to(splats.means), cameras.Ks[index].to(splats.means)
    camera = Camera(view, K, cameras.width, cameras.height)
    with torch.no_grad():
        everywhere = project(splats, camera, settings)
        order = visible(everywhere, camera, settings)
    seen = Splats(*(getattr(splats, name)[order] for name in Splats.__slots__))
    screen = project(seen, camera, settings)
    with torch.no_grad():
        pairs = drawn_pairs(screen, camera)
    channels = channels_of(seen, screen.depths, camera, settings)
    colors, alphas = finish(*blend(screen, channels, pairs, camera), settings, index)
    return colors, alphas, _spread(screen, order, len(splats.means))


def finish(
    colors: Tensor, alphas: Tensor, settings: RasterSettings, index: int
) -> tuple[Tensor, Tensor]:
    """The same over the background, and depth divided by alpha where that is asked for."""
    if settings.backgrounds is not None and settings.render_mode.startswith("RGB"):
        behind = settings.backgrounds[index].to(colors)
        behind = torch.nn.functional.pad(behind, (0, colors.shape[-1] - len(behind)))
        colors = colors + (1 - alphas) * behind
    if settings.render_mode.endswith("ED"):
        depth = colors[..., -1:] / alphas.clamp(min=1e-10)
        colors = torch.cat([colors[..., :-1], depth], dim=-1)
    return colors, alphas


def rotations(quats: Tensor) -> Tensor:
    """(N, 3, 3) of quaternions wxyz of any length."""
    w, x, y, z = torch.nn.functional.normalize(quats, dim=-1).unbind(-1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def jacobians(local: Tensor, camera: Camera) -> Tensor:
    """(N, 2, 3) of the projection, taken inside 1.3 times the field of view."""
    x, y, z = local.unbind(-1)
    K, zero = camera.K, torch.zeros_like(z)
    margin_x = _MARGIN * 0.5 * camera.width / K[0, 0]
    margin_y = _MARGIN * 0.5 * camera.height / K[1, 1]
    left, right = -K[0, 2] / K[0, 0], (camera.width - K[0, 2]) / K[0, 0]
    top, bottom = -K[1, 2] / K[1, 1], (camera.height - K[1, 2]) / K[1, 1]
    tx = (x / z).clamp(left - margin_x, right + margin_x)
    ty = (y / z).clamp(top - margin_y, bottom + margin_y)
    rows = [[K[0, 0] / z, zero, -K[0, 0] * tx / z], [zero, K[1, 1] / z, -K[1, 1] * ty / z]]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def project(splats: Splats, camera: Camera, settings: RasterSettings) -> Screen:
    """Every splat, whether it is seen or not."""
    rotation, translation = camera.view[:3, :3], camera.view[:3, 3]
    local = splats.means @ rotation.T + translation
    axes = rotations(splats.quats) * splats.scales[:, None, :]
    on_screen = jacobians(local, camera) @ rotation @ axes
    covariances = on_screen @ on_screen.transpose(1, 2)
    xx, xy, yy = covariances[:, 0, 0], covariances[:, 0, 1], covariances[:, 1, 1]
    sharp = xx * yy - xy * xy
    xx, yy = xx + settings.eps2d, yy + settings.eps2d
    area = xx * yy - xy * xy
    opacities = splats.opacities
    if settings.rasterize_mode == "antialiased":
        opacities = opacities * (sharp / area).clamp(min=0).sqrt()
    means2d = (local @ camera.K.T)[:, :2] / local[:, 2:]
    reach = 2 * (opacities.detach() / _THRESHOLD).clamp(min=1).log()
    reaches = (reach[:, None] * torch.stack([xx, yy], dim=-1).detach()).sqrt()
    conics = torch.stack([yy, -xy, xx], dim=-1) / area[:, None]
    return Screen(means2d, conics, local[:, 2], opacities, reaches)


def visible(screen: Screen, camera: Camera, settings: RasterSettings) -> Tensor:
    """Indices of the splats that are drawn, front to back, equal depths in their order."""
    size = torch.tensor([camera.width, camera.height]).to(screen.means2d)
    radii = screen.reaches.ceil()
    inside = (screen.means2d + radii > 0) & (screen.means2d - radii < size)
    seen = inside.all(-1) & (screen.depths >= settings.near_plane)
    seen &= (screen.depths <= settings.far_plane) & (screen.opacities >= _THRESHOLD)
    seen &= (radii > settings.radius_clip).any(-1) & screen.conics.isfinite().all(-1)
    seen &= (radii < 1e9).all(-1) & (screen.means2d.abs() < 1e9).all(-1)
    indices = seen.nonzero().squeeze(-1)
    return indices[screen.depths[indices].float().argsort(stable=True)]


def drawn_pairs(screen: Screen, camera: Camera) -> Pairs:
    """Pairs that are neither too faint nor behind a finished pixel.

    Args:
        screen: front to back.
        camera: gives the picture's size.
    """
    size = torch.tensor([camera.width, camera.height]).to(screen.means2d)
    first = (screen.means2d - screen.reaches - 0.5).ceil().clamp(min=0)
    last = torch.minimum((screen.means2d + screen.reaches - 0.5).floor(), size - 1)
    columns, rows = (last - first + 1).clamp(min=0).long().unbind(-1)
    counts = columns * rows
    splat = torch.arange(len(counts), device=counts.device).repeat_interleave(counts)
    step = torch.arange(len(splat), device=counts.device) - (counts.cumsum(0) - counts)[splat]
    x = first[splat, 0].long() + step % columns[splat]
    y = first[splat, 1].long() + step // columns[splat]
    pixel = y * camera.width + x
    kept = alphas_of(screen, Pairs(splat, pixel), camera) >= _THRESHOLD
    pixel, order = pixel[kept].sort(stable=True)
    pairs = Pairs(splat[kept][order], pixel)
    through = transmittances(alphas_of(screen, pairs, camera), pairs)
    finished = through[1] <= _FINISHED
    return Pairs(pairs.splat[~finished], pairs.pixel[~finished])


def alphas_of(screen: Screen, pairs: Pairs, camera: Camera) -> Tensor:
    """(P,) what each splat covers of each pixel."""
    x, y = pairs.pixel % camera.width + 0.5, pairs.pixel // camera.width + 0.5
    dx, dy = x - screen.means2d[pairs.splat, 0], y - screen.means2d[pairs.splat, 1]
    xx, xy, yy = screen.conics[pairs.splat].unbind(-1)
    falloff = 0.5 * (xx * dx * dx + yy * dy * dy) + xy * dx * dy
    return (screen.opacities[pairs.splat] * torch.exp(-falloff)).clamp(max=_ALPHA_LIMIT)


def transmittances(alphas: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor]:
    """(P,) what is left of each pixel's light before each pair, and after it."""
    steps = torch.log1p(-alphas.double())
    sums = steps.cumsum(0)
    _, length = pairs.pixel.unique_consecutive(return_counts=True)
    start = (length.cumsum(0) - length).repeat_interleave(length)
    sums = sums - (sums[start] - steps[start])
    return torch.exp(sums - steps).to(alphas), torch.exp(sums).to(alphas)


def blend(screen: Screen, channels: Tensor, pairs: Pairs, camera: Camera) -> tuple[Tensor, Tensor]:
    """(H, W, X) premultiplied channels without background, (H, W, 1) alphas."""
    alphas = alphas_of(screen, pairs, camera)
    weights = alphas * transmittances(alphas, pairs)[0]
    values = torch.cat([channels, torch.ones_like(channels[:, :1])], dim=1)[pairs.splat]
    flat = torch.zeros(camera.width * camera.height, values.shape[1]).to(values)
    flat = flat.index_add(0, pairs.pixel, weights[:, None] * values)
    picture = flat.reshape(camera.height, camera.width, -1)
    return picture[..., :-1], picture[..., -1:]


def channels_of(splats: Splats, depths: Tensor, camera: Camera, settings: RasterSettings) -> Tensor:
    """(N, X) what each splat adds to a pixel."""
    if not settings.render_mode.startswith("RGB"):
        return depths[:, None]
    colors = splats.colors
    if settings.sh_degree is not None:
        position = torch.linalg.inv(camera.view)[:3, 3]
        x, y, z = torch.nn.functional.normalize(splats.means - position, dim=-1).unbind(-1)
        basis = torch.stack(sh.polynomials(x, y, z, settings.sh_degree), dim=-1)
        coefficients = colors[:, : basis.shape[1]]
        colors = (torch.einsum("nk,nkc->nc", basis, coefficients) + 0.5).clamp(min=0)
    if settings.render_mode.endswith("D"):
        colors = torch.cat([colors, depths[:, None]], dim=1)
    return colors


def _spread(screen: Screen, order: Tensor, count: int) -> Screen:
    """The same for all ``count`` splats, 0 where they are not seen; without gradient."""
    return Screen(
        *(
            torch.zeros((count, *each.shape[1:])).to(each).index_copy(0, order, each.detach())
            for each in screen
        )
    )


def meta(screens: tuple[Screen, ...]) -> Meta:
    """Where splats landed on each screen."""
    stacked = Screen(*(torch.stack(each) for each in zip(*screens, strict=True)))
    radii = stacked.reaches.ceil().int()
    return Meta("torch", stacked.means2d, stacked.conics, radii, stacked.depths, stacked.opacities)
