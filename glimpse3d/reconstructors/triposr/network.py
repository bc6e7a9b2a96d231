"""The whole model: a picture to scene codes, and what the codes hold at a point.

Owns the assembly, the loading and the questions one may ask. Must not know settings, the house
frame or how a surface is found. The frame here is the model's own: front +X, right +Y, up +Z, the
box spans plus and minus ``config.radius`` (0.87 as published).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ... import weights
from ...errors import InvalidData
from ...progress import Progress
from ...types import Camera, Mesh
from . import CONFIG, WEIGHTS, checkpoint, config, extraction, memory, picture, renderer
from .config import Config, VisionConfig
from .tokenizer import ImageTokenizer
from .transformer import Transformer
from .triplane import Decoder, Tokens, Upsampler, sample

THRESHOLD = 25.0

# What is computed in half precision where that is asked for: nearly all of the arithmetic. The
# planes and the decoder stay as they are, since densities are exponentials.
_HALVED = ("image_tokenizer", "backbone")


class TripoSR(nn.Module):
    """The model; ``from_pretrained`` makes one that knows something.

    Scene codes are (3, F, H, W) float32: the planes (x, y), (x, z), (y, z). Questions take codes
    and points as tensors or arrays, and answer with tensors on the model's device.

    Args:
        sizes: as a ``config.yaml`` names them.
        vision: of the image tokenizer.

    Attributes:
        points_at_once: decoded in one go; memory grows with it.
    """

    def __init__(self, sizes: Config, vision: VisionConfig = config.DINO_VITB16) -> None:
        super().__init__()
        self.sizes = sizes
        self.vision = vision
        self.dtype = torch.float32
        self.points_at_once = memory.POINTS_ON_CPU
        self.image_tokenizer = ImageTokenizer(vision)
        self.tokenizer = Tokens(sizes)
        self.backbone = Transformer(sizes)
        self.post_processor = Upsampler(sizes)
        self.decoder = Decoder(sizes)

    @classmethod
    def from_pretrained(
        cls,
        folder_or_repo_id: str | Path,
        revision: str | None = None,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        memory_limit: int | None = None,
    ) -> Self:
        """Read ``config.yaml`` and the weights beside it, all or nothing.

        On a CPU the weights stay in their file and are read page by page as they are used.

        Args:
            folder_or_repo_id: a folder, or a repository of the hub whose files are on this machine.
            revision: of the repository; the pinned one if left out.
            device: where it runs.
            dtype: that matrices are multiplied in; densities and colours are float32 always.
            memory_limit: bytes; None is what a GPU has free, and no limit for a CPU.

        Raises:
            WeightsMissing: nothing is there; nothing is fetched.
            BadFile: what is there is damaged, or another model's.
            OutOfMemory: it does not fit; no weights were brought into memory.
        """
        folder = weights.folder(folder_or_repo_id, revision or "", (CONFIG,), WEIGHTS)
        sizes = config.read(folder / CONFIG)
        path = checkpoint.find(folder)
        found = checkpoint.read(path)
        vision_file = folder / checkpoint.VISION_CONFIG
        if vision_file.exists():
            vision = config.read_vision(vision_file)
        else:
            vision = config.vision_in(path, {name: each.shape for name, each in found.items()})
        config.check_tokens(folder / CONFIG, sizes, vision)
        with torch.device("meta"):
            network = cls(sizes, vision)
        network.fit(torch.device(device), dtype, memory_limit)
        checkpoint.check(path, found, network.state_dict())
        network.take(found, torch.device(device), dtype)
        return network

    def fit(
        self,
        device: torch.device,
        dtype: torch.dtype,
        memory_limit: int | None = None,
        resolution: int = 256,
    ) -> None:
        """Do as much at once as memory allows.

        Args:
            device: where it runs, or is to run.
            dtype: that matrices are multiplied in.
            memory_limit: bytes; None is what a GPU has free, and no limit for a CPU.
            resolution: of the meshes that will be asked for.

        Raises:
            OutOfMemory: it does not fit, however little is done at once.
        """
        free = memory.available(self, device)
        limits = [each for each in (free, memory_limit) if each is not None]
        planned = memory.plan(self, (device, dtype), min(limits, default=None), resolution)
        self.points_at_once = planned.points

    def take(
        self, found: dict[str, Tensor], device: torch.device, dtype: torch.dtype = torch.float32
    ) -> None:
        """Take over weights that fit: the tensors themselves where type and device agree."""
        self.dtype = dtype
        halved = self._halved(dtype)
        moved = {
            name: value.to(device, dtype if name in halved else torch.float32)
            for name, value in found.items()
        }
        self.load_state_dict(moved, strict=True, assign=True)
        self.requires_grad_(False).eval()

    def _halved(self, dtype: torch.dtype) -> set[str]:
        """Parameters that are kept in ``dtype``: matrices; norms stay in single precision."""
        if dtype is torch.float32:
            return set()
        return {
            f"{name}.{kind}"
            for name, module in self.named_modules()
            if isinstance(module, nn.Linear) and name.partition(".")[0] in _HALVED
            for kind, _ in module.named_parameters()
        }

    def weight_bytes(self, dtype: torch.dtype) -> int:
        """What the weights take in memory where matrices are multiplied in ``dtype``."""
        halved = self._halved(dtype)
        return sum(
            value.numel() * (dtype if name in halved else torch.float32).itemsize
            for name, value in self.named_parameters()
        )

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.tokenizer.embeddings.device

    @torch.no_grad()
    def image_tokens(self, image: np.ndarray) -> Tensor:
        """(1 + patches, C) tokens of a (H, W, 3) uint8 sRGB picture, class token first.

        Raises:
            InvalidData: not such a picture.
        """
        pixels = torch.from_numpy(picture.check(image)).to(self.device)
        planes = pixels.permute(2, 0, 1).float() / 255
        size = (self.sizes.picture_size,) * 2
        resized = functional.interpolate(
            planes[None], size, mode="bilinear", align_corners=False, antialias=True
        )
        with self._precision():
            return self.image_tokenizer(resized[0]).float()

    @torch.no_grad()
    def encode(self, image: np.ndarray, progress: Progress | None = None) -> Tensor:
        """Scene codes of a (H, W, 3) uint8 sRGB picture, such as ``picture.prepare`` makes.

        Raises:
            InvalidData: not such a picture, or the weights make no sense of it.
            Cancelled: ``progress`` was told to stop.
        """
        progress = progress or Progress()
        progress(0.0, "looking at the picture")
        tokens = self.image_tokens(image)
        with progress.stage("planes", 1.0) as part:
            codes = self.codes_from_tokens(tokens, part)
        if not bool(torch.isfinite(codes).all()):
            raise InvalidData(
                f"the network's numbers overflow in {self.dtype}",
                "choose precision=float32; if that does not help, the weights are damaged",
            )
        return codes

    @torch.no_grad()
    def codes_from_tokens(self, image_tokens: Tensor, progress: Progress | None = None) -> Tensor:
        """Scene codes of (M, C) image tokens."""
        with self._precision():
            tokens = self.backbone(self.tokenizer(), image_tokens, progress or Progress())
        return self.post_processor(self.tokenizer.planes(tokens.float()))

    def _precision(self) -> AbstractContextManager[Any]:
        if self.dtype is torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    @torch.no_grad()
    def raw(self, codes: Tensor | np.ndarray, points: Tensor | np.ndarray) -> Tensor:
        """(N, 4) float32, what the decoder says of (N, 3) points before any activation.

        Raises:
            InvalidData: codes or points of another shape.
        """
        planes, wanted = self.planes(codes), self._points(points)
        found = torch.empty(len(wanted), 4, device=self.device)
        for start in range(0, len(wanted), self.points_at_once):
            part = slice(start, start + self.points_at_once)
            found[part] = self.decoder(sample(planes, wanted[part] / self.sizes.radius))
        return found

    def query(
        self, codes: Tensor | np.ndarray, points: Tensor | np.ndarray
    ) -> tuple[Tensor, Tensor]:
        """(N,) density and (N, 3) sRGB 0..1 at (N, 3) points of the model's frame.

        Raises:
            InvalidData: codes or points of another shape.
        """
        raw = self.raw(codes, points)
        return torch.exp(raw[:, 0] + self.sizes.density_bias), torch.sigmoid(raw[:, 1:])

    def extract_mesh(
        self,
        codes: Tensor | np.ndarray,
        resolution: int = 256,
        threshold: float = THRESHOLD,
        interpolation: str = "log",
        progress: Progress | None = None,
        cubes: str = "own",
    ) -> Mesh:
        """The surface where the density is ``threshold``, with vertex colours, closed.

        Args:
            codes: of ``encode``.
            resolution: samples along a side of the box; its corners are samples.
            threshold: of the density.
            interpolation: between samples, of the ``log`` of the density, or of the ``density``
                itself, as the published implementation does.
            progress: told of each batch of points.
            cubes: ``own``, or ``torchmcubes`` where that package is installed.

        Returns:
            in the model's own frame, not the house's.

        Raises:
            NoForeground: the density stays below the threshold.
            InvalidData: codes of another shape.
            BackendUnavailable: ``torchmcubes`` is asked for and not installed.
        """
        wanted = extraction.Wanted(resolution, threshold, interpolation, cubes)
        return extraction.extract(self, self.planes(codes), wanted, progress)

    @torch.no_grad()
    def render(self, codes: Tensor | np.ndarray, cameras: Sequence[Camera]) -> Tensor:
        """(len(cameras), H, W, 3) float32 sRGB over white; all cameras of one size.

        Args:
            codes: of ``encode``.
            cameras: their world is the model's own frame.

        Raises:
            InvalidData: codes of another shape, or cameras that differ in size.
        """
        planes = self.planes(codes)
        if len({(each.width, each.height) for each in cameras}) != 1:
            raise InvalidData("cameras of one size are rendered together", "render them one by one")
        samples = self.sizes.samples_per_ray
        rays = max(self.points_at_once // samples, 1)
        marching = renderer.Marching(self.sizes.radius, samples, rays, self.device)
        return torch.stack(
            [
                renderer.render(lambda points: self.query(planes, points), each, marching)
                for each in cameras
            ]
        )

    def planes(self, codes: Tensor | np.ndarray) -> Tensor:
        """``codes`` as a (3, F, H, W) float32 tensor on the model's device.

        Raises:
            InvalidData: another shape, or numbers that are not finite.
        """
        planes = self._tensor(codes)
        if planes.ndim != 4 or planes.shape[:2] != (3, self.sizes.plane_channels):
            wanted = f"(3, {self.sizes.plane_channels}, rows, columns)"
            raise InvalidData(f"scene codes have shape {tuple(planes.shape)}, expected {wanted}")
        return planes

    def _tensor(self, values: Tensor | np.ndarray) -> Tensor:
        """Shares memory where it can; arrays that may only be read, as a mesh's, are copied."""
        if isinstance(values, np.ndarray):
            values = np.require(values, np.float32, "W")
        return torch.as_tensor(values, dtype=torch.float32, device=self.device)

    def _points(self, points: Tensor | np.ndarray) -> Tensor:
        found = self._tensor(points)
        if found.ndim != 2 or found.shape[1] != 3:
            raise InvalidData(f"points have shape {tuple(found.shape)}, expected (N, 3)")
        return found
