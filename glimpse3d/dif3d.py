"""The documented interface of DIF3D (github.com/Mehdialmoo/DIF3D), over this library's parts.

Owns its class, its defaults and its output folders. Where the published program opened windows,
this one goes on; where it estimated depth and then left it out, this one blends it into the mesh.
Must not know how any backend works.

Coordinates in its ``.pcd`` files: metres from the camera, x right, y up, z towards the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import pictures, pipeline, plugins
from .coords import OPENGL_FROM_OPENCV, Lens, orbit
from .depth import conversion
from .depth import png as depth_png
from .errors import BadImage, InvalidData
from .export.folder import output_errors
from .export.mesh import write_mesh
from .export.pcd import write_pcd
from .export.video import write_video
from .framing import FOREGROUND_RATIO, Frame, frame, subject_box
from .fusion import fuse
from .mesh_raster import render
from .progress import Progress
from .reconstructors.relief import ReliefSettings
from .reconstructors.relief_cloud import seen_cloud
from .reconstructors.relief_depth import intrinsics
from .settings import FORMATS, STANDARD, check, option
from .stages import Detail
from .types import Camera, Depth, Image, Prompt, Reconstruction

DETAIL = Detail(STANDARD.faces, STANDARD.texture_size)
VIEWS, FPS, VIEW_SIZE = 30, 30, 256
# Where the views are taken from: object sizes, and degrees.
_RADIUS, _FIELD_OF_VIEW = 2.2, 40.0
_BEHIND = 127.5  # the grey that TripoSR was trained on


@dataclass(frozen=True, slots=True)
class Variables:
    """What ``Runtime.set_variables`` takes; DIF3D's names and defaults."""

    input_path: str = option("input/", "a picture, or a folder with one picture in it")
    output_path: str = option("output/", "folder of the results")
    pretrained_model: str = option("stabilityai/TripoSR", "TripoSR's weights: folder or owner/name")
    chunk_size: int = option(8192, "taken for old programs' sake: free memory decides", low=1)
    padding: int = option(16, "pixels along the borders whose depth is not believed", low=0)
    foreground_ratio: float = option(
        FOREGROUND_RATIO, "longer side of the subject over the square's", low=0.1, high=1
    )
    mc_resolution: int = option(256, "samples along a side of the volume", low=16, high=1024)
    model_save_format: str = option("obj", "of the mesh", choices=FORMATS)
    depth_model: str = option("vinvino02/glpn-nyu", "GLPN's weights: folder or owner/name")
    fusion: bool = option(True, "blend the depth into the mesh; DIF3D promised it")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What ``img_process`` finds: the subject in a square, and how far it is."""

    cutout: Image
    depth: Depth


class Runtime:
    """DIF3D's one class. Every step does those before it that are still to be done.

    Attributes:
        variables: what was chosen.
        result: what ``modelRun`` made, in the house frame; None before.

    >>> runtime = Runtime()
    >>> runtime.set_variables(output_path="somewhere/")  # doctest: +SKIP
    """

    def __init__(self) -> None:
        self.variables = Variables()
        self._seen: _Seen | None = None
        self.result: Reconstruction | None = None

    def set_variables(
        self,
        input_path: str = "input/",
        output_path: str = "output/",
        pretrained_model: str = "stabilityai/TripoSR",
        chunk_size: int = 8192,
        padding: int = 16,
        foreground_ratio: float = FOREGROUND_RATIO,
        mc_resolution: int = 256,
        model_save_format: str = "obj",
        *,
        depth_model: str = "vinvino02/glpn-nyu",
        fusion: bool = True,
    ) -> None:
        """Choose, and make the output folders; what was computed before is forgotten.

        Raises:
            InvalidSettings: a value is out of range.
            OutputFailed: the folders cannot be made.
        """
        self.variables = Variables(
            str(input_path), str(output_path), str(pretrained_model), chunk_size, padding,
            foreground_ratio, mc_resolution, model_save_format, str(depth_model), fusion,
        )  # fmt: skip
        self._seen = self.result = None
        for name in ("images", "renderfiles", "3dfiles"):
            self._folder(name)

    def initialize(self) -> None:
        """Read the weights of both networks.

        Raises:
            WeightsMissing: they are not on this machine; the hint names the command.
            BackendUnavailable, BadFile, OutOfMemory: they cannot be run here.
        """
        for stage, name in (("depth", "glpn"), ("reconstructor", "triposr")):
            plugins.backend(stage, name).load(self._settings(stage, name), Progress())

    def initilize(self) -> None:
        """``initialize``, as DIF3D spells it."""
        self.initialize()

    def img_process(self) -> list[Path]:
        """Cut the subject out, and estimate its depth.

        Returns:
            ``images/Removed_BG.png``, and ``images/depth.png``: 16 bits, millimetres.

        Raises:
            BadImage: there is no picture, or more than one.
            NoForeground: nothing was found in it.
        """
        self.result = None
        picture = pictures.read(self._picture())
        whole, _ = pipeline.cut_out(picture, STANDARD, Prompt(), Progress())
        cutout = _squared(whole, self.variables)
        plain = _over(cutout, _BEHIND)
        estimator, own = plugins.backend("depth", "glpn"), self._settings("depth", "glpn")
        estimator.load(own, Progress())
        depth = _without_borders(estimator(plain, own, Progress()), self.variables.padding)
        folder = self._folder("images")
        paths = [folder / "Removed_BG.png", folder / "depth.png"]
        with output_errors(folder):
            pictures.write_png(plain, paths[0])
            depth_png.write(depth, paths[1])
        self._seen = _Seen(cutout, depth)
        return paths

    def modelRun(self) -> list[Path]:  # noqa: N802  the published name
        """Lift the front by its depth, ask TripoSR for the whole, and blend one into the other.

        Returns:
            ``3dfiles/``: ``pointcloud_raw.pcd``, ``pointcloud.pcd`` without stray points, and
            ``forfront_raw_mesh.obj``, closed by a flat back, with its texture.

        Raises:
            InvalidData: the depth says nothing of the subject, or runs against TripoSR's shape.
            WeightsMissing, BackendUnavailable, OutOfMemory: TripoSR cannot run.
        """
        seen = self._processed()
        paths = self._write_front(seen)
        reconstructor = plugins.backend("reconstructor", "triposr")
        own = self._settings("reconstructor", "triposr")
        reconstructor.load(own, Progress())
        made = reconstructor(seen.cutout, own, DETAIL, Progress())
        if self.variables.fusion:
            made = fuse(made, seen.cutout, seen.depth, Progress())
        self.result = made
        return paths

    def render(self) -> list[Path]:
        """Thirty views around the object, and a video of them.

        Returns:
            ``renderfiles/render_000.png`` to ``render_029.png``, and ``render.mp4``.
        """
        made, folder = self._finished(), self._folder("renderfiles")
        lens = Lens.from_field_of_view(_FIELD_OF_VIEW, VIEW_SIZE, VIEW_SIZE)
        azimuths = [360 / VIEWS * index for index in range(VIEWS)]
        views = [
            _over(render(made.mesh, camera), 255.0) for camera in orbit(azimuths, 0, _RADIUS, lens)
        ]
        paths = [folder / f"render_{index:03d}.png" for index in range(VIEWS)]
        with output_errors(folder):
            for view, path in zip(views, paths, strict=True):
                pictures.write_png(view, path)
        write_video(views, FPS, folder / "render.mp4")
        return [*paths, folder / "render.mp4"]

    def export_mesh(self) -> list[Path]:
        """Write ``3dfiles/mesh`` in the format that was chosen, its texture beside it."""
        name = f"mesh.{self.variables.model_save_format}"
        return write_mesh(self._finished().mesh, self._folder("3dfiles") / name)

    def _processed(self) -> _Seen:
        if self._seen is None:
            self.img_process()
        assert self._seen is not None
        return self._seen

    def _finished(self) -> Reconstruction:
        if self.result is None:
            self.modelRun()
        assert self.result is not None
        return self.result

    def _settings(self, stage: str, name: str) -> object:
        chosen: dict[str, dict[str, object]] = {
            "glpn": {"weights": self.variables.depth_model},
            "triposr": {
                "weights": self.variables.pretrained_model,
                "resolution": self.variables.mc_resolution,
            },
        }
        return plugins.settings_for(stage, name, "standard", chosen[name])

    def _folder(self, name: str) -> Path:
        folder = Path(self.variables.output_path) / name
        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _picture(self) -> Path:
        path = Path(self.variables.input_path)
        if not path.is_dir():
            return path
        inside = sorted(each for each in path.iterdir() if each.is_file() and each.name[0] != ".")
        if len(inside) != 1:
            raise BadImage(
                f"{path} holds {len(inside)} files", "name one picture: input_path='photo.png'"
            )
        return inside[0]

    def _write_front(self, seen: _Seen) -> list[Path]:
        """The depth alone as points and as a mesh."""
        own, folder = ReliefSettings(back="flat"), self._folder("3dfiles")
        known = conversion.masked(seen.depth, seen.cutout.rgba[..., 3] >= 128)
        camera = Camera(np.eye(4), intrinsics(known, own), known.width, known.height)
        raw = conversion.points(known, camera)[known.valid]
        cleaned = seen_cloud(known, seen.cutout.rgba[..., 3], own)
        relief = plugins.backend("reconstructor", "relief")
        made = relief.from_depth(seen.cutout, seen.depth, own, DETAIL, Progress())
        paths = [folder / "pointcloud_raw.pcd", folder / "pointcloud.pcd"]
        colors = seen.cutout.rgba[known.valid, :3]
        write_pcd(paths[0], raw @ OPENGL_FROM_OPENCV, colors)
        at = np.floor(cleaned.points @ camera.K.T / cleaned.points[:, 2:]).astype(int)
        colors = seen.cutout.rgba[at[:, 1], at[:, 0], :3]
        points, normals = (each @ OPENGL_FROM_OPENCV for each in (cleaned.points, cleaned.normals))
        write_pcd(paths[1], points, colors, normals)
        return paths + write_mesh(made.mesh, folder / "forfront_raw_mesh.obj")


def _squared(cutout: Image, variables: Variables) -> Image:
    """A square in which the subject's longer side takes its ratio, of about the same pixels."""
    left, top, right, bottom = subject_box(cutout)
    side = max(right - left, bottom - top) / variables.foreground_ratio
    crop: Frame = frame(cutout, max(round(side), pictures.MIN_SIDE), variables.foreground_ratio)
    return crop.image


def _over(image: Image, grey: float) -> Image:
    """Opaque, over an even ground of 0..255."""
    alpha = image.rgba[..., 3:] / 255
    mixed = np.full_like(image.rgba, 255)
    mixed[..., :3] = np.rint(image.rgba[..., :3] * alpha + grey * (1 - alpha))
    return Image(mixed)


def _without_borders(depth: Depth, padding: int) -> Depth:
    """Unknown along the borders.

    Raises:
        InvalidData: nothing is left.
    """
    inner = np.zeros(depth.values.shape, bool)
    inner[padding : depth.height - padding, padding : depth.width - padding] = True
    if not inner.any():
        raise InvalidData(
            f"a padding of {padding} leaves nothing of {depth.width} x {depth.height} pixels",
            "choose a smaller padding or a larger picture",
        )
    return conversion.masked(depth, inner)
