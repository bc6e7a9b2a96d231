"""What the model takes of a machine's memory, at its published size, on tensors without content.

PyTorch's fake tensors go through every operation and hold nothing. A counter of their storages
stands where an allocator would, and refuses what goes beyond its cap.
"""

import gc
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from glimpse3d import device as devices
from glimpse3d.errors import OutOfMemory
from glimpse3d.progress import Progress
from glimpse3d.reconstructors.triposr import memory
from glimpse3d.reconstructors.triposr.backend import TripoSRReconstructor, TripoSRSettings
from glimpse3d.reconstructors.triposr.extraction import GridDensity
from glimpse3d.reconstructors.triposr.network import TripoSR
from tests.triposr.goldens import FOLDER
from tests.triposr.test_network import PUBLISHED

CPU, GPU = torch.device("cpu"), torch.device("cuda")
RESOLUTION = 256


class Allocator(TorchDispatchMode):
    """Counts the bytes of all tensors alive; the weights are there from the start."""

    def __init__(self, network: TripoSR, cap: float) -> None:
        super().__init__()
        self.cap, self.alive, self.peak = cap, 0, 0
        self.known: set[int] = set()
        for each in network.parameters():
            self.take(each)

    def __torch_dispatch__(
        self, operation: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = operation(*args, **(kwargs or {}))
        for each in tree_leaves(result):
            if isinstance(each, torch.Tensor):
                self.take(each)
        return result

    def take(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata not in self.known:
            self.known.add(storage._cdata)
            weakref.finalize(storage, self.give_back, storage._cdata, storage.nbytes())
            self.alive += storage.nbytes()
            self.peak = max(self.peak, self.alive)
            if self.alive > self.cap:
                raise torch.OutOfMemoryError(f"{self.alive} bytes of {self.cap}")

    def give_back(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.alive -= size


@cache
def hollow(dtype: torch.dtype) -> tuple[FakeTensorMode, TripoSR]:
    """The model at its published size without a byte of content, and the mode that it lives in."""
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    with mode, torch.device("meta"):
        made = TripoSR(PUBLISHED)
    with mode:
        shapes = made.state_dict().items()
        made.take({name: torch.empty(each.shape) for name, each in shapes}, CPU, dtype)
    return mode, made


@pytest.fixture(params=[torch.float32, torch.bfloat16], ids=["single", "half"])
def network(request: pytest.FixtureRequest) -> Iterator[TripoSR]:
    mode, made = hollow(request.param)
    with mode:
        yield made


def run(network: TripoSR) -> None:
    """Picture to codes; then three chunks of points beside the tables of a grid."""
    tokens = network.image_tokens(np.zeros((300, 300, 3), np.uint8))
    codes = network.codes_from_tokens(tokens)
    tables = GridDensity(codes, network.decoder.layers, RESOLUTION, network.points_at_once)
    network.query(codes, torch.zeros(2 * network.points_at_once + 5, 3))
    del tables


@pytest.mark.parametrize("gigabytes", [3, 6, 8, 15, 40])
def test_a_plan_holds(network: TripoSR, gigabytes: int) -> None:
    limit = gigabytes * memory.GIGABYTE
    plan = memory.plan(network, (GPU, network.dtype), limit, RESOLUTION)
    network.points_at_once = plan.points
    with Allocator(network, limit - memory.RESERVE["cuda"]) as allocator:
        run(network)
    estimated = plan.peak - memory.RESERVE["cuda"]
    assert 0.6 * estimated < allocator.peak <= estimated


def test_more_memory_means_larger_chunks(network: TripoSR) -> None:
    def points(gigabytes: float) -> int:
        limit = int(gigabytes * memory.GIGABYTE)
        return memory.plan(network, (GPU, network.dtype), limit, RESOLUTION).points

    assert points(3) < points(6) <= points(8) <= points(40)
    unlimited = memory.plan(network, (GPU, network.dtype), None, RESOLUTION)
    assert points(40) == unlimited.points


def test_what_does_not_fit_is_refused_before_it_is_read(network: TripoSR) -> None:
    least = network.weight_bytes(network.dtype) + memory.RESERVE["cuda"]
    with pytest.raises(OutOfMemory, match=r"needs \d"):
        memory.plan(network, (GPU, network.dtype), least + 10**8, RESOLUTION)
    with pytest.raises(OutOfMemory):
        memory.plan(network, (GPU, network.dtype), 6 * memory.GIGABYTE, 4096)


def test_the_counter_refuses(network: TripoSR) -> None:
    cap = network.weight_bytes(network.dtype) + 50_000_000
    with pytest.raises(torch.OutOfMemoryError), Allocator(network, cap):
        run(network)


def test_a_limit_is_a_setting() -> None:
    backend = TripoSRReconstructor()
    settings = TripoSRSettings(weights=str(FOLDER), device="cpu", memory_limit=0.005)
    with pytest.raises(OutOfMemory) as caught:
        backend.load(settings, Progress())
    assert "memory_limit" in caught.value.hint
    assert not backend.loaded
    backend.load(replace(settings, memory_limit=0.5), Progress())
    assert backend.loaded


def test_unload_frees_everything() -> None:
    backend = TripoSRReconstructor()
    settings = TripoSRSettings(weights=str(FOLDER), device="cpu")
    backend.unload()
    backend.load(settings, Progress())
    network = backend._network  # other tests hold networks of their own
    assert network is not None
    held = [weakref.ref(each) for each in (network, *network.parameters())]
    del network
    backend.unload()
    gc.collect()
    assert not backend.loaded
    assert [each for each in held if each() is not None] == []


def test_pytorchs_complaints_become_ours() -> None:
    with pytest.raises(OutOfMemory, match="GPU") as caught, devices.memory_errors("try this"):
        raise torch.OutOfMemoryError("CUDA out of memory")
    assert caught.value.hint == "try this"
    with pytest.raises(OutOfMemory, match="machine"), devices.memory_errors(""):
        torch.empty(2**60, dtype=torch.uint8)
    with pytest.raises(RuntimeError, match="shape"), devices.memory_errors(""):
        torch.zeros(2).view(3)
