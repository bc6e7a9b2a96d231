"""What the core speaks: pictures, cameras, depths, meshes, splats and results.

Owns the shapes, units and frames of every value that crosses a module. Shapes are checked once,
when a value is made; arrays come out C-contiguous and read-only. Must not know how any value is
computed, read or written.

The house frame is Blender's: right-handed, +Z up, the front faces -Y, metres.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InvalidData

if TYPE_CHECKING:
    from .settings import Settings


def _array(name: str, value: Any, dtype: Any, *shape: int | None) -> np.ndarray:
    """``value`` as a read-only C-contiguous array; ``None`` in ``shape`` is any length."""
    array = np.asarray(value, dtype=dtype, order="C")
    fits = array.ndim == len(shape) and all(
        want is None or have == want for have, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise InvalidData(f"{name} has shape {array.shape}, expected ({wanted})")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidData(f"{name} holds values that are not finite")
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A picture.

    Attributes:
        rgba: (H, W, 4) uint8, sRGB, straight alpha, top row first.
        focal_length: of the lens that took it, in pixels of this picture; 0 if unknown.
    """

    rgba: np.ndarray
    focal_length: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "rgba", _array("rgba", self.rgba, np.uint8, None, None, 4))
        if 0 in self.rgba.shape:
            raise InvalidData("a picture needs at least one pixel")

    @property
    def width(self) -> int:
        """Columns, pixels."""
        return int(self.rgba.shape[1])

    @property
    def height(self) -> int:
        """Rows, pixels."""
        return int(self.rgba.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """What the user says about where the subject is. Both may be absent.

    Attributes:
        box: (left, top, right, bottom) in pixels of the picture, edges in continuous coordinates.
        mask: (H, W) uint8 of the picture's size: 255 is subject, 0 is background, and
            128 leaves the pixel to the cut-out.
    """

    box: tuple[float, float, float, float] | None = None
    mask: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.mask is not None:
            object.__setattr__(self, "mask", _array("mask", self.mask, np.uint8, None, None))
        if self.box is not None:
            left, top, right, bottom = (float(edge) for edge in self.box)
            if not (left < right and top < bottom):
                raise InvalidData("the box is empty", "give left,top,right,bottom in pixels")
            object.__setattr__(self, "box", (left, top, right, bottom))


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A pinhole camera.

    Attributes:
        camera_from_world: (4, 4) float64 rigid, OpenCV axes (x right, y down, z forward), metres.
        K: (3, 3) float64, pixels; the centre of the top left pixel is (0.5, 0.5).
        width, height: pixels.
    """

    camera_from_world: np.ndarray
    K: np.ndarray
    width: int
    height: int

    def __post_init__(self) -> None:
        pose = _array("camera_from_world", self.camera_from_world, np.float64, 4, 4)
        object.__setattr__(self, "camera_from_world", pose)
        object.__setattr__(self, "K", _array("K", self.K, np.float64, 3, 3))
        rotation = pose[:3, :3]
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-6):
            raise InvalidData("camera_from_world is not a rigid transform")
        if np.linalg.det(rotation) < 0:
            raise InvalidData("camera_from_world mirrors the world")

    @property
    def world_from_camera(self) -> np.ndarray:
        """(4, 4) float64, the camera's own pose."""
        rotation, shift = self.camera_from_world[:3, :3], self.camera_from_world[:3, 3]
        pose = np.eye(4)
        pose[:3, :3] = rotation.T
        pose[:3, 3] = -rotation.T @ shift
        return pose

    @property
    def position(self) -> np.ndarray:
        """(3,) float64, the centre of projection in the world, metres."""
        return self.world_from_camera[:3, 3]


class DepthKind(StrEnum):
    """What the numbers of a ``Depth`` mean; nothing turns one kind into another by itself.

    METRIC: metres along the camera's forward axis (not along the ray).
    RELATIVE: the same in an unknown unit; ratios hold.
    DISPARITY: ``scale / metres + shift`` with an unknown positive scale and an unknown shift;
        larger is nearer, and not even ratios hold. What MiDaS and DPT give.
    """

    METRIC = "metric"
    RELATIVE = "relative"
    DISPARITY = "disparity"


@dataclass(frozen=True, slots=True, eq=False)
class Depth:
    """How far away each pixel of a picture is; the pixel grids agree.

    Conversions between kinds are in ``depth/conversion.py``, and each is asked for by name.

    Attributes:
        values: (H, W) float32, 0 where nothing is known; its meaning and unit is ``kind``.
            METRIC and RELATIVE are positive wherever they are valid.
        kind: a ``DepthKind``.
        camera: the camera of the picture, if it is known.
        valid: (H, W) bool, where ``values`` says something; everywhere if left out.
    """

    values: np.ndarray
    kind: DepthKind
    camera: Camera | None = None
    valid: np.ndarray = None  # type: ignore[assignment]  # an array once it is made

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        shape = np.shape(self.values)
        valid = np.ones(shape, bool) if self.valid is None else self.valid
        set_field(self, "kind", DepthKind(self.kind))
        set_field(self, "valid", _array("valid", valid, bool, None, None))
        if self.valid.shape != shape:
            raise InvalidData(f"valid has shape {self.valid.shape}, values have {shape}")
        values = np.where(self.valid, self.values, 0)
        set_field(self, "values", _array("values", values, np.float32, None, None))
        if 0 in shape:
            raise InvalidData("a depth needs at least one pixel")
        if self.kind is not DepthKind.DISPARITY and (self.values[self.valid] <= 0).any():
            raise InvalidData(
                f"{self.kind} depth is not positive everywhere",
                "leave pixels without depth out of `valid`; a disparity is another kind",
            )
        if self.camera and (self.camera.height, self.camera.width) != self.values.shape:
            raise InvalidData("the depth and its camera differ in size")

    @property
    def width(self) -> int:
        """Columns, pixels."""
        return int(self.values.shape[1])

    @property
    def height(self) -> int:
        """Rows, pixels."""
        return int(self.values.shape[0])

    @property
    def z(self) -> np.ndarray:
        """(H, W) float32 distances along the camera's forward axis, 0 where nothing is known.

        Raises:
            InvalidData: these are disparities.
        """
        if self.kind is DepthKind.DISPARITY:
            raise InvalidData(
                "a disparity is no depth: its scale and shift are unknown",
                "convert it with depth.conversion.depth_from_disparity",
            )
        return self.values


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A picture and the camera that took it; the pixel grids agree."""

    image: Image
    camera: Camera

    def __post_init__(self) -> None:
        if (self.image.width, self.image.height) != (self.camera.width, self.camera.height):
            raise InvalidData("the picture and its camera differ in size")


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Triangles in the house frame.

    UV seams repeat vertices: a watertight mesh is one that closes after merging equal positions.

    Attributes:
        vertices: (V, 3) float32, metres.
        faces: (F, 3) uint32, counter-clockwise seen from outside.
        colors: (V, 4) uint8 sRGB, or None.
        uvs: (V, 2) float32, v up, or None.
        texture: an ``Image``, or None.
    """

    vertices: np.ndarray
    faces: np.ndarray
    colors: np.ndarray | None = None
    uvs: np.ndarray | None = None
    texture: Image | None = None

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "vertices", _array("vertices", self.vertices, np.float32, None, 3))
        set_field(self, "faces", _array("faces", self.faces, np.uint32, None, 3))
        count = len(self.vertices)
        if len(self.faces) and int(self.faces.max()) >= count:
            raise InvalidData("faces name vertices that are not there")
        if self.colors is not None:
            set_field(self, "colors", _array("colors", self.colors, np.uint8, count, 4))
        if self.uvs is not None:
            set_field(self, "uvs", _array("uvs", self.uvs, np.float32, count, 2))
        if self.texture is not None and self.uvs is None:
            raise InvalidData("a texture needs uvs")


@dataclass(frozen=True, slots=True, eq=False)
class GaussianCloud:
    """Gaussian splats, activated: no logs and no logits outside ``formats``.

    Attributes:
        means: (N, 3) float32, metres.
        scales: (N, 3) float32, standard deviations in metres.
        rotations: (N, 4) float32, unit quaternions wxyz, world from the splat's own axes.
        opacities: (N,) float32, 0..1.
        sh: (N, K, 3) float32, K = 1, 4, 9 or 16 coefficients of the 3DGS basis; the colour
            seen is ``sum(Y_k * sh_k) + 0.5`` in sRGB.
    """

    means: np.ndarray
    scales: np.ndarray
    rotations: np.ndarray
    opacities: np.ndarray
    sh: np.ndarray

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "means", _array("means", self.means, np.float32, None, 3))
        count = len(self.means)
        set_field(self, "scales", _array("scales", self.scales, np.float32, count, 3))
        set_field(self, "rotations", _array("rotations", self.rotations, np.float32, count, 4))
        set_field(self, "opacities", _array("opacities", self.opacities, np.float32, count))
        set_field(self, "sh", _array("sh", self.sh, np.float32, count, None, 3))
        if self.sh.shape[1] not in (1, 4, 9, 16):
            raise InvalidData(f"sh holds {self.sh.shape[1]} coefficients, expected 1, 4, 9 or 16")

    def __len__(self) -> int:
        return len(self.means)

    @property
    def sh_degree(self) -> int:
        """0 to 3."""
        return int(self.sh.shape[1] ** 0.5) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Reconstruction:
    """What a reconstructor returns.

    Attributes:
        mesh: in the house frame, centred on the origin, longest side 1.
        camera: the camera of the picture that it was given, on that picture's pixel grid, in the
            same frame; azimuth 0, so it stands in the plane x = 0 on the -Y side.
        estimates: what the reconstructor found or assumed about the picture, by name: angles in
            degrees (``field_of_view``, ``elevation``), ``confidence`` from 0 to 1.
        warning: one sentence for people, if there is something that they should know.
    """

    mesh: Mesh
    camera: Camera
    estimates: Mapping[str, float] = field(default_factory=dict)
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a stage took, in seconds."""

    wall_seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Choice:
    """Which backend ran for a stage, and why that one.

    Attributes:
        asked: the name in the settings, such as ``auto``.
        ran: the name of the backend that ran.
        why: one sentence for people; empty if it was asked for by name.
    """

    asked: str
    ran: str
    why: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Everything one picture became. ``input``, ``prompt`` and ``settings`` make it again.

    Attributes:
        mesh: textured, house frame, longest side ``settings.size`` metres.
        gaussians: the same object as splats.
        camera: the input picture's own camera: azimuth 0, pixel grid of ``input``.
        turntable: the cameras of the video, in order.
        views: generated pictures with their cameras; empty if no stage made any.
        input: the picture as given, sRGB, upright.
        prompt: the box and the mask that came with it.
        cutout: ``input`` with the background's alpha at 0; the same pixel grid.
        settings: as they were used.
        choices: stage -> which backend ran.
        timings: stage -> seconds.
        estimates: what was found or assumed about the picture, see ``Reconstruction``.
        warnings: sentences for people.
    """

    mesh: Mesh
    gaussians: GaussianCloud
    camera: Camera
    turntable: tuple[Camera, ...]
    input: Image
    cutout: Image
    settings: Settings
    prompt: Prompt = field(default_factory=Prompt)
    views: tuple[View, ...] = ()
    choices: Mapping[str, Choice] = field(default_factory=dict)
    timings: Mapping[str, Timing] = field(default_factory=dict)
    estimates: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
