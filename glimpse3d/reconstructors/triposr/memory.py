"""How much the model may do at once, so that it fits into the memory there is.

Owns the estimate of what loading, encoding and decoding take, and the sizes of chunks that follow.
Must not know how memory is measured or settings' names.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...errors import OutOfMemory
from .config import Config, VisionConfig

GIBIBYTE = 2**30

# Decoding in cache-sized chunks is fastest on a CPU, in large ones on a GPU.
_POINTS_ON_CPU = 8192
_MOST_POINTS = 2**20
_FEWEST_POINTS = 4096
# Beside what is estimated: the device's own context and what an allocator wastes.
_RESERVE = {"cpu": 0, "cuda": GIBIBYTE // 2}
_WASTE = 1.15
# Copies of a token alive at once in the widest layer of a block, the gated feed-forward: its two
# halves of 4, the gate's activation and the product, of 4 each, and the stream beside them.
_TOKEN_COPIES = 20
# Copies of a point's features alive at once: as sampled, gathered by point, and what a layer of
# the decoder takes and gives with its activation.
_FEATURE_COPIES = 2
_NEURON_COPIES = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """What may be done at once.

    Attributes:
        points: decoded at once.
        peak: bytes that loading, encoding and decoding will take at most.
    """

    points: int
    peak: int


def plan(
    parameters: int, sizes: Config, vision: VisionConfig, target: tuple[torch.device, torch.dtype],
    limit: int | None,
) -> Plan:  # fmt: skip
    """Fit the model into ``limit`` bytes.

    Args:
        parameters: how many numbers the weights are.
        sizes, vision: what the model is made of.
        target: where it runs, and the type that matrices are multiplied in.
        limit: bytes; None is as much as it likes.

    Raises:
        OutOfMemory: it does not fit, however small the chunks.
    """
    device, dtype = target
    weights = parameters * dtype.itemsize
    held = int((weights + _RESERVE[device.type]) * 1.0)
    encoding = int(encode_bytes(sizes, vision) * _WASTE)
    each = int(point_bytes(sizes) * _WASTE)
    points = _POINTS_ON_CPU if device.type == "cpu" else _MOST_POINTS
    if limit is not None:
        while points > _FEWEST_POINTS and held + points * each > limit:
            points //= 2
    peak = held + max(encoding, points * each)
    if limit is not None and peak > limit:
        raise OutOfMemory(
            f"TripoSR needs {peak / GIBIBYTE:.1f} GB, and {limit / GIBIBYTE:.1f} GB are to be had",
            _advice(device, dtype),
        )
    return Plan(points, peak)


def encode_bytes(sizes: Config, vision: VisionConfig) -> int:
    """What encoding takes beside the weights, in single precision."""
    tokens = 3 * sizes.plane_size**2 * sizes.channels
    seen = ((sizes.picture_size // vision.patch_size) ** 2 + 1) * vision.channels
    return (tokens * _TOKEN_COPIES + seen * _TOKEN_COPIES) * torch.float32.itemsize


def point_bytes(sizes: Config) -> int:
    """What decoding one point takes, in single precision."""
    features = 3 * sizes.plane_channels * _FEATURE_COPIES
    return (features + sizes.neurons * _NEURON_COPIES + 16) * torch.float32.itemsize


def _advice(device: torch.device, dtype: torch.dtype) -> str:
    if dtype is torch.float32 and device.type == "cuda":
        return "choose precision=bfloat16, or device=cpu"
    if device.type == "cuda":
        return "close what else uses the GPU, or choose device=cpu"
    return "raise memory_limit, or close other programs"
