"""From one kind of depth to another, each asked for by name; and from pixels to points.

Owns the formulas between ``DepthKind``s and the checks that go with them. Must not know who
estimated a depth. numpy only.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import InvalidData
from ..types import Camera, Depth, DepthKind, Image

# A network's constant is not quite one after it was enlarged.
_ROUNDING = 1e-5


def depth_from_disparity(
    disparity: Depth, scale: float, shift: float, kind: DepthKind = DepthKind.METRIC
) -> Depth:
    """``1 / (scale * disparity + shift)``: what a disparity is once both numbers are known.

    Args:
        disparity: of kind DISPARITY.
        scale: positive; larger disparities are nearer.
        shift: in 1 / unit of the outcome.
        kind: METRIC if the numbers were fitted to metres, else RELATIVE.

    Returns:
        pixels whose inverse distance is not positive lie behind infinity and are not valid.

    Raises:
        InvalidData: not a disparity, a scale that is not positive, or nothing is left.
    """
    check_kind(disparity, DepthKind.DISPARITY)
    if not scale > 0 or not np.isfinite([scale, shift]).all():
        raise InvalidData(f"a disparity with scale {scale} and shift {shift} has no depth")
    inverse = scale * disparity.values.astype(np.float64) + shift
    known = disparity.valid & (inverse > 0)
    if not known.any():
        raise InvalidData("every pixel of the disparity lies beyond infinity", "fit it anew")
    z = 1 / np.where(known, inverse, 1.0)
    return Depth(z, kind, disparity.camera, known)


def depth_between(disparity: Depth, near: float, far: float) -> Depth:
    """RELATIVE depth in which the nearest valid pixel is at ``near`` and the farthest at ``far``.

    A choice, where nothing tells scale and shift: what is seen as round depends on it.

    Raises:
        InvalidData: not a disparity, all of it equal, or not ``0 < near < far``.
    """
    check_kind(disparity, DepthKind.DISPARITY)
    if not 0 < near < far:
        raise InvalidData(f"near {near} and far {far} enclose nothing", "0 < near < far")
    check_varies(disparity)
    known = disparity.values[disparity.valid].astype(np.float64)
    scale = (1 / near - 1 / far) / (known.max() - known.min())
    return depth_from_disparity(disparity, scale, 1 / far - scale * known.min(), DepthKind.RELATIVE)


def disparity_from_depth(depth: Depth) -> Depth:
    """``1 / z``: scale 1 and shift 0 in the depth's own unit.

    Raises:
        InvalidData: it is a disparity already.
    """
    inverse = 1 / np.where(depth.valid, depth.z.astype(np.float64), 1.0)
    return Depth(inverse, DepthKind.DISPARITY, depth.camera, depth.valid)


def metric(relative: Depth, metres_per_unit: float) -> Depth:
    """RELATIVE depth whose unit became known.

    Raises:
        InvalidData: not relative, or a unit that is not positive.
    """
    check_kind(relative, DepthKind.RELATIVE)
    if not 0 < metres_per_unit < np.inf:
        raise InvalidData(f"{metres_per_unit} metres are no unit")
    return replace(relative, values=relative.values * metres_per_unit, kind=DepthKind.METRIC)


def masked(depth: Depth, mask: np.ndarray) -> Depth:
    """The same depth, known only where ``mask`` (H, W) is true as well.

    Raises:
        InvalidData: of another size.
    """
    if np.shape(mask) != depth.values.shape:
        raise InvalidData(f"the mask has shape {np.shape(mask)}, the depth {depth.values.shape}")
    return replace(depth, valid=depth.valid & np.asarray(mask, bool))


def points(depth: Depth, camera: Camera | None = None) -> np.ndarray:
    """(H, W, 3) float64 in the world: where each pixel's centre lies; NaN where nothing is known.

    Args:
        depth: METRIC or RELATIVE; in the unit of the world.
        camera: the depth's own one if it is left out.

    Raises:
        InvalidData: a disparity, no camera, or a camera of another size.
    """
    taken = camera or depth.camera
    if taken is None:
        raise InvalidData("a depth without a camera has no points", "name its camera")
    if (taken.height, taken.width) != depth.values.shape:
        raise InvalidData("the depth and its camera differ in size")
    z = np.where(depth.valid, depth.z, np.nan).astype(np.float64)
    columns, rows = np.arange(depth.width) + 0.5, np.arange(depth.height) + 0.5
    pixels = np.stack([*np.meshgrid(columns, rows), np.ones(z.shape)], axis=-1)
    in_camera = pixels @ np.linalg.inv(taken.K).T * z[..., None]
    pose = taken.world_from_camera
    return in_camera @ pose[:3, :3].T + pose[:3, 3]


def check_kind(depth: Depth, *kinds: DepthKind) -> None:
    """Refuse a depth that means something else.

    Raises:
        InvalidData: naming both.
    """
    if depth.kind not in kinds:
        raise InvalidData(f"the depth is {depth.kind}, expected {' or '.join(kinds)}")


def check_fits(depth: Depth, image: Image) -> None:
    """Refuse a depth that is not of this picture's size.

    Raises:
        InvalidData: naming both sizes.
    """
    if (depth.width, depth.height) != (image.width, image.height):
        raise InvalidData(
            f"the depth has {depth.width} x {depth.height} pixels, "
            f"the picture {image.width} x {image.height}",
            "read the depth from this very picture",
        )


def check_varies(depth: Depth) -> None:
    """Refuse a depth that says nothing: no valid pixel, or the same number in all of them.

    Raises:
        InvalidData: saying which.
    """
    known = depth.values[depth.valid]
    if known.size == 0:
        raise InvalidData("the depth is known nowhere", "check the mask")
    if float(np.ptp(known)) <= _ROUNDING * float(np.abs(known).max()):
        raise InvalidData(
            f"the depth is {known[0]:g} everywhere", "choose another picture or another estimator"
        )
