"""How quick TripoSR is here, beside the plain path of its paper: loading, encoding, extraction.

Owns the full-size model with random weights, the plain path written as published (every grid
point through sampling and decoder, colours with it, then marching cubes), and the table that it
writes into ``benchmarks/results/triposr.csv``. The decoder is set by hand so that there is a real
surface. Times are CPU seconds on one thread; both paths run in one process, by turns. What memory
each path takes at its peak is measured in a process of its own. Must not know how our path works.
"""

from __future__ import annotations

import argparse
import csv
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import skimage.measure
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bench
import triposr_scene

from glimpse3d import coarse_to_fine, unwrap
from glimpse3d.cleaning import Cleaning, clean
from glimpse3d.coarse_to_fine import Extraction, Grid
from glimpse3d.progress import Progress
from glimpse3d.reconstructors.triposr import CONFIG, config
from glimpse3d.reconstructors.triposr.extraction import GridDensity
from glimpse3d.reconstructors.triposr.network import THRESHOLD, TripoSR
from glimpse3d.reconstructors.triposr.triplane import sample
from glimpse3d.types import Mesh

RESULTS = Path(__file__).resolve().parent / "results" / "triposr.csv"
STEEPNESS = (200.0, 80.0, 400.0)
CHUNK = 8192
SIZES = """\
cond_image_size: 512
image_tokenizer_cls: tsr.models.tokenizers.image.DINOSingleImageTokenizer
image_tokenizer: {pretrained_model_name_or_path: facebook/dino-vitb16}
tokenizer_cls: tsr.models.tokenizers.triplane.Triplane1DTokenizer
tokenizer: {plane_size: 32, num_channels: 1024}
backbone_cls: tsr.models.transformer.transformer_1d.Transformer1D
backbone:
  {in_channels: 1024, num_attention_heads: 16, attention_head_dim: 64, num_layers: 16,
   cross_attention_dim: 768}
post_processor_cls: tsr.models.network_utils.TriplaneUpsampleNetwork
post_processor: {in_channels: 1024, out_channels: 40}
decoder_cls: tsr.models.network_utils.NeRFMLP
decoder: {in_channels: 120, n_neurons: 64, n_hidden_layers: 9, activation: silu}
renderer_cls: tsr.models.nerf_renderer.TriplaneNeRFRenderer
renderer:
  {radius: 0.87, feature_reduction: concat, density_activation: exp, density_bias: -1.0,
   num_samples_per_ray: 128}
"""


class Row(NamedTuple):
    """One measured number; ``promise`` is what the project promises, empty where it does not."""

    what: str
    value: float
    unit: str
    promise: str = ""


def write_model(folder: Path) -> None:
    """The published layout with random weights: about 1.7 GB."""
    (folder / CONFIG).write_text(SIZES, "utf-8")
    with torch.device("meta"):
        shapes = TripoSR(config.read(folder / CONFIG)).state_dict()
    rng = torch.Generator().manual_seed(0)
    weights = {}
    for name, each in shapes.items():
        spread = each[0].numel() ** -0.5 if each.ndim > 1 else 0.02
        weights[name] = torch.randn(each.shape, generator=rng) * spread
        if each.ndim == 1 and "norm" in name and name.endswith("weight"):
            weights[name] += 1
    torch.save(weights, folder / "model.ckpt")


def seconds(work: Callable[[], object]) -> tuple[float, object]:
    """CPU seconds that ``work`` takes, and what it returns."""
    start = time.process_time()
    made = work()
    return time.process_time() - start, made


@torch.no_grad()
def plain_extraction(network: TripoSR, planes: torch.Tensor, resolution: int) -> int:
    """As published: all grid points, then marching cubes on the density, then vertex colours."""
    radius = network.sizes.radius
    axis = torch.linspace(-1, 1, resolution)
    grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    density = torch.cat(
        [
            torch.exp(network.decoder(sample(planes, part))[:, 0] + network.sizes.density_bias)
            for part in grid.split(CHUNK)
        ]
    )
    volume = (density - THRESHOLD).view((resolution,) * 3).numpy()
    vertices, faces, _, _ = skimage.measure.marching_cubes(volume, 0.0, method="lorensen")
    points = torch.from_numpy(vertices / (resolution - 1) * 2 - 1).float()
    for part in points.split(CHUNK):
        torch.sigmoid(network.decoder(sample(planes, part))[:, 1:])
    assert radius > 0
    return len(faces)


def with_surface(network: TripoSR, steepness: float) -> torch.Tensor:
    """Set the network's decoder by hand; return the codes that belong to it."""
    sizes = network.sizes
    triposr_scene.set_decoder(network.decoder.layers, math.log(THRESHOLD) - sizes.density_bias)
    network.requires_grad_(False)
    return triposr_scene.planes(sizes.plane_channels, 2 * sizes.plane_size, sizes.radius, steepness)


def dense_extraction(network: TripoSR, planes: torch.Tensor, resolution: int) -> int:
    """Ours, where the audit found foam: every grid point, yet no colours and no sampling."""
    side, sizes = network.sizes.radius, network.sizes
    grid = Grid(resolution, (-side,) * 3, (side,) * 3)
    how = Extraction(math.log(THRESHOLD) - sizes.density_bias, mode="dense")
    density = GridDensity(planes, network.decoder.layers, resolution, CHUNK)
    return len(coarse_to_fine.extract(density, grid, how).faces)


def textured(network: TripoSR, planes: torch.Tensor, faces: int, size: int) -> Mesh:
    """The surface at 256^3, simplified, unwrapped and baked."""
    found = network.extract_mesh(planes, 256)
    bare = Mesh(*clean(found.vertices, found.faces, Cleaning(0.001, False, 0, faces), Progress()))
    return unwrap.textured(
        bare, lambda points: network.query(planes, points)[1].numpy(), size, Progress()
    )


def random_picture() -> np.ndarray:
    """(512, 512, 3) uint8."""
    return np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)


# What is measured in a process of its own: each begins with loading, but for the first.
PATHS: dict[str, Callable[[TripoSR], object]] = {
    "load": lambda network: None,
    "encode": lambda network: network.encode(random_picture()),
    "extract 256^3": lambda network: network.extract_mesh(surface(network), 256),
    "extract 512^3": lambda network: network.extract_mesh(surface(network), 512),
    "extract 256^3, dense": lambda network: dense_extraction(network, surface(network), 256),
    "extract 256^3, plain": lambda network: plain_extraction(network, surface(network), 256),
    "texture of 2048, 30000 faces": lambda network: textured(
        network, surface(network), 30_000, 2048
    ),
    "texture of 4096, 40000 faces": lambda network: textured(
        network, surface(network), 40_000, 4096
    ),
}


def surface(network: TripoSR) -> torch.Tensor:
    """See ``with_surface``; the steepness that is most like a trained field's."""
    return with_surface(network, STEEPNESS[0])


def peak_gigabytes() -> float:
    """The most memory this process has held so far; pages of the weights' file count."""
    status = Path("/proc/self/status")
    if status.exists():  # unlike getrusage, this starts anew with each program
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def peak_of(path: str, folder: Path) -> float:
    """Gigabytes that a fresh process takes for one path at most."""
    command = [sys.executable, str(Path(__file__).resolve()), "--model", str(folder)]
    return float(subprocess.check_output([*command, "--peak", path], text=True))


def say_peak(path: str, folder: Path) -> None:
    """In that process."""
    if path:
        PATHS[path](TripoSR.from_pretrained(folder))
    print(peak_gigabytes())


def measure(folder: Path, large: bool) -> list[Row]:
    """Everything, once."""
    rows: list[Row] = []

    def note(what: str, value: float, unit: str, promise: str = "") -> None:
        rows.append(Row(what, value, unit, promise))
        print(f"{what:56} {value:10.3f} {unit:6} {promise}", flush=True)

    took, network = seconds(lambda: TripoSR.from_pretrained(folder))
    assert isinstance(network, TripoSR)
    note("load", took, "s", "at most 2.5")
    planes = with_surface(network, STEEPNESS[0])
    network.extract_mesh(planes, 256)  # compiles, or reads from its cache, what is compiled
    plain_seconds = 0.0
    for steepness in STEEPNESS:
        planes = with_surface(network, steepness)
        ours, mesh = seconds(lambda planes=planes: network.extract_mesh(planes, 256))
        plain, count = seconds(lambda planes=planes: plain_extraction(network, planes, 256))
        again, _ = seconds(lambda planes=planes: network.extract_mesh(planes, 256))
        best, name = min(ours, again), f"256^3, steepness {steepness:g}"
        note(f"{name}: faces, plain", float(count), "")
        note(f"{name}: faces, ours", float(len(mesh.faces)), "")
        note(f"{name}: plain extraction with colours", plain, "s")
        note(f"{name}: ours", best, "s")
        note(f"{name}: plain / ours", plain / best, "ratio", "at least 15")
        if steepness == STEEPNESS[0]:
            plain_seconds, our_seconds = plain, best
    planes = with_surface(network, STEEPNESS[0])
    if large:
        fine, _ = seconds(lambda: network.extract_mesh(planes, 512))
        note("512^3: ours", fine, "s")
        note("512^3: ours / plain 256^3", fine / plain_seconds, "ratio", "below 1")
    picture = random_picture()
    encode, _ = seconds(lambda: network.encode(picture))
    note("encode", encode, "s")
    whole = (encode + plain_seconds) / (encode + our_seconds)
    note("picture to mesh: plain / ours", whole, "ratio", "at least 1.9")
    for faces, size in ((30_000, 2048), (40_000, 4096)):
        bake, _ = seconds(lambda faces=faces, size=size: textured(network, planes, faces, size))
        note(f"extract 256^3, texture of {size}, {faces} faces", bake, "s")
    note("peak memory: importing", peak_of("", folder), "GB")
    for path in PATHS:
        note(f"peak memory: {path}", peak_of(path, folder), "GB")
    return rows


def write(rows: list[Row]) -> None:
    """Put the table into ``benchmarks/results/``, in place of the last one."""
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["machine", "commit", *Row._fields])
        where = [bench.machine(), bench.commit()]
        table.writerows([*where, row.what, f"{row.value:.4f}", *row[2:]] for row in rows)


def main(argv: list[str]) -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="build.py bench --triposr", description=__doc__)
    parser.add_argument("--model", type=Path, help="a folder that holds the model already")
    parser.add_argument("--without-512", action="store_true")
    parser.add_argument("--peak", choices=("", *PATHS), help="print that path's peak memory, GB")
    given = parser.parse_args(argv)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.model or Path(temporary)
        if given.model is None:
            write_model(folder)
        if given.peak is not None:
            say_peak(given.peak, folder)
            return 0
        rows = measure(folder, not given.without_512)
    write(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
