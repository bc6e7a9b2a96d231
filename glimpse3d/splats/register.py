"""Brings a reconstruction into the frame of a rig of views: scale, shift and tilt.

Owns the search. A network that paints views and one that makes a shape never share a frame by
themselves: they agree in azimuth, as both know the input picture, and in nothing else. Must not
know which networks those were, nor move single splats. numpy around the compiled renderer; no
torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..coords import rotate_cloud, rotation_about
from ..errors import InvalidData
from ..progress import Progress
from ..settings import check, option
from ..types import Camera, GaussianCloud, Mesh, View
from .rasterization import Cameras, RasterSettings, Splats, rasterize

# What is searched: the scale's logarithm, the shift in object sizes, the tilt in degrees, and by
# how many object sizes splats reach beyond the surface that they stand for.
_SCALE, _SHIFT, _TILT, _SWELL = 0, slice(1, 4), 4, 5
_NUDGES = np.array([0.01, 0.01, 0.01, 0.01, 1.0, 0.01])  # steps of the numerical derivative
_MOMENT_ROUNDS = 4
_COARSE_PIXELS, _COARSE_GAUSSIANS, _COARSE_VIEWS = 32, 1000, 8
_REFINED, _COARSE_STEPS = 3, 5
# Square pixels. What viewers add, 0.3, makes the silhouette of small pictures a twentieth larger.
_BLUR = 0.03
_SOFTNESS = 1.5  # pixels
# Splats are drawn so much smaller: as large as they are, their outer halves reach beyond edges, and
# the object comes out too small.
_SHRINK = np.float32(0.7)
# A colour counts this much beside the silhouette.
_COLOR_WEIGHT = 0.6
_LEAST_GAIN = 1e-3


@dataclass(frozen=True, slots=True)
class RegisterSettings:
    """How far and how finely is searched."""

    largest_tilt: float = option(50.0, "degrees, either way", low=0, high=180)
    tilt_step: float = option(10.0, "degrees between the tilts begun with", low=1, high=90)
    resolution: int = option(96, "longest side of the pictures compared", low=16, high=1024)
    gaussians: int = option(10_000, "splats that stand for the cloud", low=100, high=1_000_000)
    steps: int = option(12, "of the last refinement at most", low=1, high=1000)
    color: bool = option(True, "compare colours too, not the silhouettes alone")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """``x -> scale * R x + shift``, R turning about the world's x axis.

    Attributes:
        scale: larger than 0.
        shift: (3,) float64, metres.
        tilt: degrees, counter-clockwise seen from +X: a positive one brings the front, at -Y,
            down.
    """

    scale: float
    shift: np.ndarray
    tilt: float

    def apply(self, cloud: GaussianCloud) -> GaussianCloud:
        """The cloud, moved, its view-dependent colour with it."""
        turned = rotate_cloud(cloud, self.rotation)
        return replace(
            turned,
            means=turned.means * np.float32(self.scale) + self.shift.astype(np.float32),
            scales=turned.scales * np.float32(self.scale),
        )

    def apply_to_mesh(self, mesh: Mesh) -> Mesh:
        """The mesh, moved."""
        vertices = mesh.vertices @ self.rotation.T * self.scale + self.shift
        return replace(mesh, vertices=vertices)

    @property
    def rotation(self) -> np.ndarray:
        """(3, 3) float64."""
        return rotation_about((1, 0, 0), self.tilt)


@dataclass(frozen=True, slots=True, eq=False)
class Registered:
    """A cloud in the views' frame.

    Attributes:
        cloud: moved.
        similarity: how.
        overlap: mean over the views of what rendering and mask share of what either covers.
    """

    cloud: GaussianCloud
    similarity: Similarity
    overlap: float


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """What is compared at one resolution.

    Attributes:
        cloud: fewer and larger splats than the whole.
        cameras: small ones.
        rgba: (H, W, 4) float32 each, premultiplied.
        edges: (H, W) float32 each, what a mask gains if its outline moves out by the object's size.
        size: metres.
        color: whether colours count.
    """

    cloud: GaussianCloud
    cameras: list[Camera]
    rgba: list[np.ndarray]
    edges: list[np.ndarray]
    size: float
    color: bool

    def rendered(self, values: np.ndarray) -> list[np.ndarray]:
        """(H, W, 4) premultiplied, one a view, of the cloud moved by (6,) values."""
        moved = self.similarity(values).apply(self.cloud)
        splats = Splats(
            moved.means, moved.rotations, moved.scales * _SHRINK, moved.opacities, moved.sh
        )
        settings = RasterSettings(eps2d=_BLUR, sh_degree=moved.sh_degree)
        return [_soft(np.dstack(_draw(splats, camera, settings))) for camera in self.cameras]

    def similarity(self, values: np.ndarray) -> Similarity:
        """What (6,) values mean."""
        scale = float(np.exp(values[_SCALE]))
        return Similarity(scale, values[_SHIFT] * self.size, float(values[_TILT]))

    def residuals(self, values: np.ndarray) -> np.ndarray:
        """(R,) float64, all differences of all views."""
        parts = []
        pictures = zip(self.rendered(values), self.rgba, self.edges, strict=True)
        for drawn, wanted, edge in pictures:
            parts.append((drawn[..., 3] - wanted[..., 3] - values[_SWELL] * edge).ravel())
            if self.color:
                parts.append(_COLOR_WEIGHT * _color_difference(drawn, wanted).ravel())
        return np.concatenate(parts).astype(np.float64)


def register(
    cloud: GaussianCloud,
    views: Sequence[View],
    settings: RegisterSettings | None = None,
    progress: Progress | None = None,
) -> Registered:
    """Find the scale, shift and tilt in which a cloud looks like the views.

    Args:
        cloud: about the origin, its azimuth right already.
        views: from around the object, masks in their alpha; a colour cast a view does no harm.
        settings: None is the defaults.
        progress: reports and cancels.

    Raises:
        InvalidData: fewer than two views, or masks that are empty or full.
        Cancelled: the caller asked to stop.
    """
    settings = settings or RegisterSettings()
    progress = progress or Progress()
    _check(cloud, views)
    few = [views[i] for i in _spread(len(views), _COARSE_VIEWS)]
    coarse = _scene(cloud, few, _COARSE_PIXELS, _COARSE_GAUSSIANS, settings.color)
    starts = np.arange(-settings.largest_tilt, settings.largest_tilt + 1e-6, settings.tilt_step)
    guesses = []
    for tilt in progress.track(starts, "tilts", len(starts)):
        values = _by_moments(coarse, float(tilt))
        guesses.append((float((coarse.residuals(values) ** 2).mean()), values))
    guesses.sort(key=lambda each: each[0])
    refined = [_refine(coarse, values, _COARSE_STEPS) for _, values in guesses[:_REFINED]]
    refined.sort(key=lambda each: each[0])
    fine = _scene(cloud, views, settings.resolution, settings.gaussians, settings.color)
    _, values = _refine(fine, refined[0][1], settings.steps)
    pairs = zip(fine.rendered(values), fine.rgba, strict=True)
    overlap = np.mean([_overlap(drawn, wanted) for drawn, wanted in pairs])
    similarity = fine.similarity(values)
    return Registered(similarity.apply(cloud), similarity, float(overlap))


def _check(cloud: GaussianCloud, views: Sequence[View]) -> None:
    if len(views) < 2 or not len(cloud):
        raise InvalidData("registering needs splats, and views from two sides at least")
    for index, view in enumerate(views):
        covered = float(view.image.rgba[..., 3].mean()) / 255
        if not 0.001 < covered < 0.999:
            raise InvalidData(
                f"the mask of view {index} covers {covered:.0%} of the picture",
                "cut the object out first: alpha is the mask",
            )


def _spread(count: int, wanted: int) -> list[int]:
    """At most so many indices, evenly spread."""
    return sorted({round(i * (count - 1) / max(wanted - 1, 1)) for i in range(min(wanted, count))})


def _scene(
    cloud: GaussianCloud, views: Sequence[View], pixels: int, count: int, color: bool
) -> _Scene:
    cameras, pictures = [], []
    for view in views:
        camera, rgba = _small(view, pixels)
        cameras.append(camera)
        pictures.append(rgba)
    low, high = np.quantile(cloud.means, [0.01, 0.99], axis=0)
    size = max(float((high - low).max()), 1e-9)
    soft = [_soft(rgba) for rgba in pictures]
    edges = [_edge(rgba[..., 3], camera, size) for rgba, camera in zip(soft, cameras, strict=True)]
    return _Scene(_thinned(cloud, count), cameras, soft, edges, size, color)


def _small(view: View, pixels: int) -> tuple[Camera, np.ndarray]:
    """The view at so many pixels along its longer side, premultiplied 0..1."""
    share = min(1.0, pixels / max(view.image.width, view.image.height))
    width = max(round(view.image.width * share), 1)
    height = max(round(view.image.height * share), 1)
    rgba = view.image.rgba.astype(np.float32) / np.float32(255)
    rgba[..., :3] *= rgba[..., 3:]
    stretch = np.diag([width / view.image.width, height / view.image.height, 1.0])
    camera = Camera(view.camera.camera_from_world, stretch @ view.camera.K, width, height)
    return camera, cv2.resize(rgba, (width, height), interpolation=cv2.INTER_AREA)


def _soft(rgba: np.ndarray) -> np.ndarray:
    """The picture with outlines wide enough to be compared where they do not meet yet."""
    return np.asarray(cv2.GaussianBlur(rgba, (0, 0), _SOFTNESS))


def _edge(alpha: np.ndarray, camera: Camera, size: float) -> np.ndarray:
    """(H, W) the slope of a mask times how many pixels the object's size is."""
    down, right = np.gradient(alpha)
    focal = float(np.sqrt(camera.K[0, 0] * camera.K[1, 1]))
    distance = max(float(np.linalg.norm(camera.position)), 1e-9)
    return np.asarray(np.hypot(down, right) * np.float32(focal * size / distance))


def _thinned(cloud: GaussianCloud, count: int) -> GaussianCloud:
    """Fewer splats, each larger, that cover as much."""
    if len(cloud) <= count:
        return cloud
    chosen = np.sort(np.random.default_rng(0).permutation(len(cloud))[:count])
    growth = np.float32(np.sqrt(len(cloud) / count))
    return GaussianCloud(
        cloud.means[chosen],
        cloud.scales[chosen] * growth,
        cloud.rotations[chosen],
        cloud.opacities[chosen],
        cloud.sh[chosen],
    )


def _draw(
    splats: Splats, camera: Camera, settings: RasterSettings
) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) premultiplied colour and (H, W, 1) alpha."""
    pose, K = camera.camera_from_world[None], camera.K[None]
    cameras = Cameras(pose, K, camera.width, camera.height)
    colors, alphas, _ = rasterize(splats, cameras, settings)
    return colors[0], alphas[0]


def _by_moments(scene: _Scene, tilt: float) -> np.ndarray:
    """(6,) values at which the silhouettes' areas and centres agree best, the tilt being given."""
    values = np.zeros(len(_NUDGES))
    values[_TILT] = tilt
    wanted = [_moments(rgba[..., 3]) for rgba in scene.rgba]
    for _ in range(_MOMENT_ROUNDS):
        rows, sides, ratios = [], [], []
        drawn = [_moments(picture[..., 3]) for picture in scene.rendered(values)]
        for camera, (area, centre), (wish, aim) in zip(scene.cameras, drawn, wanted, strict=True):
            if area > 0:
                ratios.append(0.5 * np.log(wish / area))
            else:
                # Nothing is drawn there: aim at where the object's middle would appear.
                centre = camera.K[:2, 2]
            pose = camera.camera_from_world
            middle = pose[:3, :3] @ (values[_SHIFT] * scene.size) + pose[:3, 3]
            reach = np.diag(camera.K)[:2] * scene.size / max(float(middle[2]), 1e-6)
            rows.append(reach[:, None] * pose[:2, :3])
            sides.append(aim - centre)
        move = np.linalg.lstsq(np.concatenate(rows), np.concatenate(sides), rcond=None)[0]
        values[_SHIFT] += np.clip(move, -1, 1)
        values[_SCALE] += float(np.clip(np.median(ratios or [0.0]), -0.7, 0.7))
    return values


def _moments(alpha: np.ndarray) -> tuple[float, np.ndarray]:
    """Area in pixels, and (2,) centre."""
    area = float(alpha.sum())
    if area < 0.5:
        return 0.0, np.zeros(2)
    x = float(alpha.sum(0) @ (np.arange(alpha.shape[1]) + 0.5)) / area
    y = float(alpha.sum(1) @ (np.arange(alpha.shape[0]) + 0.5)) / area
    return area, np.array([x, y])


def _refine(scene: _Scene, values: np.ndarray, steps: int) -> tuple[float, np.ndarray]:
    """Least squares by Levenberg and Marquardt, derivatives by differences; the mean square too."""
    damping = 1e-3
    residuals = scene.residuals(values)
    cost = float(residuals @ residuals)
    for _ in range(steps):
        columns = [
            (scene.residuals(values + nudge) - residuals) / nudge[index]
            for index, nudge in enumerate(np.diag(_NUDGES))
        ]
        jacobian = np.stack(columns, axis=1) * _NUDGES
        square, slope = jacobian.T @ jacobian, jacobian.T @ residuals
        gained = 0.0
        while damping < 1e6:
            damped = square + damping * np.diag(np.diag(square) + 1e-12)
            tried = values - np.linalg.solve(damped, slope) * _NUDGES
            there = scene.residuals(tried)
            if float(there @ there) < cost:
                gained = 1 - float(there @ there) / cost
                values, residuals, cost = tried, there, float(there @ there)
                damping = max(damping / 10, 1e-6)
                break
            damping *= 10
        if gained < _LEAST_GAIN:
            break
    return cost / len(residuals), values


def _color_difference(drawn: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(H, W, 3) where both cover: the drawn colour, under the view's own cast, minus the wanted."""
    weight = np.minimum(drawn[..., 3], wanted[..., 3])
    both = weight > 0.5
    result = np.zeros_like(drawn[..., :3])
    if np.count_nonzero(both) < 8:
        return result
    ours = drawn[both][:, :3] / drawn[both][:, 3:]
    theirs = wanted[both][:, :3] / wanted[both][:, 3:]
    result[both] = _cast(ours, theirs) - theirs
    return result


def _cast(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """(P, 3) ``ours`` under the gain and offset a channel that bring it nearest to ``theirs``."""
    mean, aim = ours.mean(0), theirs.mean(0)
    spread = ((ours - mean) ** 2).mean(0)
    gain = ((ours - mean) * (theirs - aim)).mean(0) / (spread + 1e-4)
    return np.asarray(np.clip(gain, 0.3, 3) * (ours - mean) + aim)


def _overlap(drawn: np.ndarray, wanted: np.ndarray) -> float:
    either = float(np.maximum(drawn[..., 3], wanted[..., 3]).sum())
    return float(np.minimum(drawn[..., 3], wanted[..., 3]).sum()) / max(either, 1e-9)
