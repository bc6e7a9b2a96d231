"""How much the model may do at once, so that it fits into the memory there is.

Owns the estimate of what the weights, encoding and decoding take, and the chunks that follow from
it. Must not know settings, nor how results are used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ... import device as devices
from ...errors import OutOfMemory

if TYPE_CHECKING:
    from .network import TripoSR

GIGABYTE = 10**9
# Points decoded at once: what fits a CPU's cache is fastest there, a GPU wants many.
POINTS_ON_CPU = 8192

_MOST_POINTS = 2**20
_FEWEST_POINTS = 4096
# Beside what is estimated: a GPU's context and its libraries' own buffers.
RESERVE = {"cpu": 0, "cuda": GIGABYTE * 6 // 10}
# What an allocator that rounds up and splits makes of an estimate.
_WASTE = 1.15
# Copies of all tokens alive at once in the widest layer of a block, the gated feed-forward: its
# two halves are four wide each, so are the gate's activation and the product, beside the stream.
_TOKEN_COPIES = 20
# Copies of a point's features: as they are sampled, and in the order of points.
_FEATURE_COPIES = 2
# What a layer of the decoder takes, gives, and its activation.
_NEURON_COPIES = 3
# A point, its three places on the planes, and what is said of it.
_POINT_VALUES = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """What may be done at once.

    Attributes:
        points: decoded at once.
        peak: bytes that weights, encoding and decoding take together at most.
    """

    points: int
    peak: int


def available(network: TripoSR, device: torch.device) -> int | None:
    """Bytes that the network may have on a device, those that it has there already included.

    None for a CPU: a system that moves pages in and out has no number for that.
    """
    free = devices.free_bytes(device)
    if free is None:
        return None
    held = sum(each.nbytes for each in network.parameters() if each.device.type == device.type)
    return free + held


def plan(
    network: TripoSR,
    target: tuple[torch.device, torch.dtype],
    limit: int | None,
    resolution: int,
) -> Plan:
    """Fit the model into ``limit`` bytes.

    Args:
        network: may be without weights yet.
        target: where it is to run, and the type that matrices are multiplied in.
        limit: bytes; None is as many as it likes.
        resolution: of the grid that it will be asked on.

    Raises:
        OutOfMemory: it does not fit, however little is done at once.
    """
    device, dtype = target
    held = network.weight_bytes(dtype) + RESERVE[device.type]
    encoding = int(encode_bytes(network) * _WASTE)
    tables, each = table_bytes(network, resolution), int(point_bytes(network) * _WASTE)
    points = POINTS_ON_CPU if device.type == "cpu" else _MOST_POINTS
    if limit is not None:
        while points > _FEWEST_POINTS and held + tables + points * each > limit:
            points //= 2
    peak = held + max(encoding, tables + points * each)
    if limit is not None and peak > limit:
        raise OutOfMemory(
            f"TripoSR needs {peak / GIGABYTE:.1f} GB here, and may take {limit / GIGABYTE:.1f} GB",
            _advice(device, dtype),
        )
    return Plan(points, peak)


def encode_bytes(network: TripoSR) -> int:
    """What encoding takes beside the weights, at most: the same in every precision."""
    sizes, vision = network.sizes, network.vision
    width = max(sizes.channels, sizes.heads * sizes.head_dim)
    filled = 3 * sizes.plane_size**2 * width
    seen = ((sizes.picture_size // vision.patch_size) ** 2 + 1) * vision.channels
    return (filled + seen) * _TOKEN_COPIES * torch.float32.itemsize


def point_bytes(network: TripoSR) -> int:
    """What decoding one point takes."""
    features = 3 * network.sizes.plane_channels * _FEATURE_COPIES
    neurons = network.sizes.neurons * _NEURON_COPIES
    return (features + neurons + _POINT_VALUES) * torch.float32.itemsize


def table_bytes(network: TripoSR, resolution: int) -> int:
    """What the decoder's first layer takes where it is folded into the planes, at grid points."""
    tables = 3 + 1  # one of them is held twice while it is put in order
    return tables * network.sizes.neurons * resolution**2 * torch.float32.itemsize


def _advice(device: torch.device, dtype: torch.dtype) -> str:
    if device.type == "cpu":
        return "raise memory_limit"
    if dtype is torch.float32:
        return "choose precision=bfloat16, a lower resolution, or device=cpu"
    return "close what else uses the GPU, choose a lower resolution, or device=cpu"
