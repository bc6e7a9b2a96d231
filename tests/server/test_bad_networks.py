"""Networks that cut, stall, flip bits or are far away: every byte is right, and far is not slow."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glimpse3d import pictures
from glimpse3d.types import Image
from inference_server import connection
from inference_server.client import Client
from inference_server.events import JobChanged
from inference_server.keys import Keys
from tests.server.proxy import Proxy
from tests.server.serving import Server, downloaded, ended, patient, pump, ready
from tests.server.test_transfers import JOB, MEGABYTE, plant

Connect = Callable[..., Client]
FAR = 0.05  # seconds each way


@contextmanager
def through(proxy: Proxy, server: Server) -> Iterator[Client]:
    """A client that is ready, behind a proxy."""
    with proxy:
        client = Client(replace(connection.read(server.string), port=proxy.port), name="test")
        yield ready(client, 60)
        client.close()


def noise(megapixels: float, seed: int) -> bytes:
    """A PNG that no packing makes smaller: 4 bytes a pixel."""
    side = int((megapixels * 1e6) ** 0.5)
    rgba = np.random.default_rng(seed).integers(0, 256, (side, side, 4), np.uint8)
    return pictures.write_png(Image(rgba))


def uploaded(data: Path, content: bytes) -> Path:
    """Where the only client's upload lies at the server."""
    owner = hashlib.sha256(next(iter(Keys(data / "keys").clients()))).hexdigest()[:16]
    return data / "uploads" / owner / hashlib.sha256(content).hexdigest()


def test_a_far_server_is_not_a_slow_one(start: Callable[..., Server], tmp_path: Path) -> None:
    content = plant(tmp_path / "data", 24 * MEGABYTE)
    with through(Proxy((server := start()).port, delay=FAR), server) as client:
        began = time.monotonic()
        downloaded(client, JOB.hex(), tmp_path / "out", 60)
        took = time.monotonic() - began
        assert len(client._lanes.links) == 4
        assert client._lanes.window > 4 * MEGABYTE
    assert (tmp_path / "out" / "splats.ply").read_bytes() == content
    # A piece of 256 KiB each time there and back would be 2.6 MB/s; an idle machine does 15.
    assert len(content) / took > 5e6


def test_a_picture_reaches_a_far_server_as_fast(
    start: Callable[..., Server], tmp_path: Path
) -> None:
    picture = noise(4, seed=1)
    with through(Proxy((server := start()).port, delay=FAR), server) as client:
        began = time.monotonic()
        job = client.generate(picture, patient())
        pump(client, lambda event: isinstance(event, JobChanged), 60)
        took = time.monotonic() - began
        client.cancel(job)
    assert uploaded(tmp_path / "data", picture).read_bytes() == picture
    assert len(picture) / took > 4e6


WEATHER: list[dict[str, Any]] = [
    {"lifetime": 0.4},
    {"lifetime": 0.1},
    {"delay": 0.02},
    {"harm": "stall", "every": 2 * MEGABYTE, "times": 1},
    {"harm": "flip", "every": 2 * MEGABYTE, "times": 3},
]


@pytest.mark.slow
@pytest.mark.parametrize("weather", WEATHER, ids=lambda each: "-".join(map(str, each.values())))
def test_every_byte_is_right_whatever_the_network_does(
    start: Callable[..., Server], tmp_path: Path, weather: dict[str, Any]
) -> None:
    content = plant(tmp_path / "data", 10 * MEGABYTE)
    server, picture = start(), noise(1.6, seed=2)
    with through(Proxy(server.port, upwards=True, **weather), server) as client:
        job = client.generate(picture, patient(seconds=1))
        assert ended(client, job, 240).state == "succeeded"
    assert uploaded(tmp_path / "data", picture).read_bytes() == picture
    with through(Proxy(server.port, **weather), server) as client:
        downloaded(client, JOB.hex(), tmp_path / "out", 240)
        folder = downloaded(client, job, tmp_path / "whole", 240)
    assert (tmp_path / "out" / "splats.ply").read_bytes() == content
    results = tmp_path / "data" / "results" / job
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in results.iterdir()
    }
