import importlib.util
import itertools
import math
import sys
import types
from collections.abc import Iterator

import numpy as np
import pytest
import skimage.measure
import torch
from scipy.ndimage import zoom
from scipy.spatial import cKDTree

from benchmarks import triposr_scene
from glimpse3d import coarse_to_fine
from glimpse3d.coarse_to_fine import Extraction, Grid
from glimpse3d.errors import BackendUnavailable, InvalidData, NoForeground
from glimpse3d.isosurface import signed_volume
from glimpse3d.reconstructors.triposr.backend import TripoSRReconstructor, TripoSRSettings
from glimpse3d.reconstructors.triposr.extraction import GridDensity
from glimpse3d.reconstructors.triposr.network import TripoSR
from tests import shapes
from tests.triposr.goldens import FOLDER, reference

LEVEL = math.log(25) + 1


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Many small products: on a busy machine threads wait for each other longer than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def network() -> TripoSR:
    return TripoSR.from_pretrained(FOLDER)


@pytest.fixture(scope="module")
def machine() -> torch.nn.Sequential:
    """A decoder of the published size that computes a small machine with thin parts."""
    sizes = [120, *[64] * 9]
    layers: list[torch.nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.SiLU()]
    made = torch.nn.Sequential(*layers, torch.nn.Linear(64, 4))
    triposr_scene.set_decoder(made, LEVEL)
    return made.requires_grad_(False)


def grid(resolution: int) -> Grid:
    return Grid(resolution, (-0.87,) * 3, (0.87,) * 3)


@pytest.mark.parametrize("name", ["scene_codes", "mesh_codes"])
def test_the_folded_decoder_says_what_the_network_says(network: TripoSR, name: str) -> None:
    planes = network.planes(reference()[name])
    density = GridDensity(planes, network.decoder.layers, 48, 1000)
    indices = np.random.default_rng(0).integers(0, 48, (5000, 3))
    indices[:8] = 47 * np.array(list(np.ndindex(2, 2, 2)))
    wanted = network.raw(planes, grid(48).positions(indices).astype(np.float32))[:, 0].numpy()
    assert np.abs(density(indices) - wanted).max() < 1e-4 * np.abs(wanted).max()


@pytest.mark.parametrize(
    "steepness",
    [pytest.param(80, marks=pytest.mark.slow), 200, pytest.param(400, marks=pytest.mark.slow)],
)
def test_few_samples_of_a_network_give_the_dense_surface(
    machine: torch.nn.Sequential, steepness: int
) -> None:
    planes = triposr_scene.planes(40, 64, 0.87, steepness)
    density = GridDensity(planes, machine, 128, 8192)
    sparse = coarse_to_fine.extract(density, grid(128), Extraction(LEVEL))
    assert sparse.mode == "sparse"
    assert sparse.queries < 130**3 / 6
    dense = coarse_to_fine.extract(density, grid(128), Extraction(LEVEL, mode="dense"))
    assert np.array_equal(sparse.faces, dense.faces)
    assert np.abs(sparse.vertices - dense.vertices).max() < 1e-4 * 1.74 / 127


def test_an_antenna_a_third_of_a_texel_thin_is_whole(machine: torch.nn.Sequential) -> None:
    density = GridDensity(triposr_scene.planes(40, 64, 0.87, 400), machine, 256, 8192)
    found = coarse_to_fine.extract(density, grid(256), Extraction(LEVEL))
    assert found.mode == "sparse"
    antenna = found.vertices[(found.vertices[:, 2] > 0.33) & (found.vertices[:, 2] < 0.42)]
    assert np.ptp(antenna[:, :2], axis=0).max() == pytest.approx(0.02, abs=0.007)
    assert np.diff(np.sort(antenna[:, 2])).max() < 0.01


def test_raw_codes_of_random_weights_are_foam_and_go_dense(network: TripoSR) -> None:
    noise = np.random.default_rng(1).normal(size=(3, 8, 64, 64)).astype(np.float32)
    noise *= float(reference()["scene_codes"].std())
    density = GridDensity(torch.from_numpy(noise), network.decoder.layers, 128, 8192)
    indices = np.random.default_rng(0).integers(0, 128, (4000, 3))
    level = float(np.median(density(indices)))
    found = coarse_to_fine.extract(density, grid(128), Extraction(level))
    assert found.mode == "dense"


def test_smooth_codes_give_the_dense_surface(network: TripoSR) -> None:
    coarse = reference()["mesh_codes"]
    smooth = zoom(coarse, (1, 1, 4, 4), order=1).astype(np.float32)
    density = GridDensity(torch.from_numpy(smooth), network.decoder.layers, 128, 8192)
    where = grid(128)
    found = coarse_to_fine.extract(density, where, Extraction(LEVEL))
    dense = coarse_to_fine.extract(density, where, Extraction(LEVEL, mode="dense"))
    assert np.array_equal(found.faces, dense.faces)
    assert np.abs(found.vertices - dense.vertices).max() < 1e-4 * 1.74 / 127


def test_the_mesh_is_closed_and_has_its_colours(network: TripoSR) -> None:
    mesh = network.extract_mesh(reference()["mesh_codes"], 64)
    shapes.assert_closed(mesh)
    _, colors = network.query(reference()["mesh_codes"], mesh.vertices)
    assert mesh.colors is not None
    assert np.abs(mesh.colors[:, :3] - 255 * colors.numpy()).max() <= 0.51
    assert (mesh.colors[:, 3] == 255).all()


def test_the_threshold_is_one_of_density(network: TripoSR) -> None:
    codes = reference()["mesh_codes"]
    mesh = network.extract_mesh(codes, 96, 40.0)
    inner = np.abs(mesh.vertices).max(axis=1) < 0.85
    raw = network.raw(codes, mesh.vertices[inner])[:, 0].numpy()
    assert np.median(np.abs(raw - (math.log(40) + 1))) < 0.15
    with pytest.raises(NoForeground):
        network.extract_mesh(codes, 32, 1e30)
    with pytest.raises(InvalidData):
        network.extract_mesh(codes, 32, 0.0)


def of_package(volume: torch.Tensor, level: float) -> tuple[torch.Tensor, torch.Tensor]:
    """torchmcubes' own contract by way of scikit-image: inside is above, the last axis comes first,
    and each triangle has vertices of its own."""
    vertices, faces, _, _ = skimage.measure.marching_cubes(
        volume.numpy(), level, method="lorensen", gradient_direction="ascent"
    )
    corners = vertices[faces].reshape(-1, 3)[:, ::-1].copy()
    return torch.from_numpy(corners), torch.arange(len(corners), dtype=torch.int32).view(-1, 3)


@pytest.mark.parametrize("interpolation", ["density", "log"])
def test_torchmcubes_is_used_by_name(
    network: TripoSR, monkeypatch: pytest.MonkeyPatch, interpolation: str
) -> None:
    package = types.ModuleType("torchmcubes")
    package.marching_cubes = of_package  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchmcubes", package)
    codes = reference()["mesh_codes"]
    theirs = network.extract_mesh(codes, 64, interpolation=interpolation, cubes="torchmcubes")
    ours = network.extract_mesh(codes, 64, interpolation=interpolation)
    inner = np.abs(ours.vertices).max(axis=1) < 0.87 - 1e-6  # ours is closed at the box by "log"
    far, _ = cKDTree(theirs.vertices).query(ours.vertices[inner])
    assert far.max() < 2e-4 * 1.74 / 63
    if interpolation == "density":
        assert len(theirs.vertices) == len(ours.vertices) and len(theirs.faces) == len(ours.faces)
        whole = signed_volume(ours.vertices.astype(float), ours.faces.astype(int))
        same = signed_volume(theirs.vertices.astype(float), theirs.faces.astype(int))
        assert same == pytest.approx(whole, rel=1e-4)
    with pytest.raises(NoForeground):
        network.extract_mesh(codes, 32, 1e30, cubes="torchmcubes")


@pytest.mark.skipif(importlib.util.find_spec("torchmcubes") is not None, reason="it is installed")
def test_torchmcubes_that_is_not_installed_is_said_early(network: TripoSR) -> None:
    with pytest.raises(BackendUnavailable, match="torchmcubes") as caught:
        network.extract_mesh(reference()["mesh_codes"], 32, cubes="torchmcubes")
    assert "pip install" in caught.value.hint
    own = TripoSRSettings(weights=str(FOLDER), cubes="torchmcubes")
    with pytest.raises(BackendUnavailable, match="torchmcubes"):
        TripoSRReconstructor.check_ready(own)
    TripoSRReconstructor.check_ready(TripoSRSettings(weights=str(FOLDER)))
