"""The smaller kinds of job: a cut-out alone, and splats on a mesh."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from glimpse3d import cli, pictures
from glimpse3d.export.mesh import write_mesh
from glimpse3d.formats import splat_ply
from glimpse3d.types import Image
from inference_server.client import Client
from tests.results import box
from tests.server.serving import Server, downloaded, ended, patient, picture, refusal
from tests.splats.test_hostile_meshes import HOSTILE

Connect = Callable[[str], Client]


@pytest.fixture
def client(server: Server, connect: Connect) -> Client:
    return connect(server.string)


@pytest.fixture
def glb(tmp_path: Path) -> Path:
    write_mesh(box(), tmp_path / "box.glb")
    return tmp_path / "box.glb"


def test_both_are_in_the_welcome(client: Client) -> None:
    assert client.welcome is not None
    assert {"cutout", "splats"} <= set(client.welcome.kinds)


def test_a_cutout_is_a_picture_a_mask_and_what_ran(client: Client, tmp_path: Path) -> None:
    options = {"matte": "alpha", "reconstructor": "triposr"}  # nothing is reconstructed
    job = ended(client, client.cutout(picture(side=64), options, box=(0, 0, 40, 64)))
    assert job.state == "succeeded" and job.kind == "cutout"
    folder = downloaded(client, job.id, tmp_path / "out")
    assert [path.name for path in sorted(folder.iterdir())] == [
        "cutout.png", "mask.png", "record.json",
    ]  # fmt: skip
    cutout = pictures.read(folder / "cutout.png")
    assert (cutout.rgba[:, 41:, 3] == 0).all() and (cutout.rgba[20:40, 10:38, 3] == 255).all()
    assert np.array_equal(pictures.read(folder / "mask.png").rgba[..., 0], cutout.rgba[..., 3])
    record = json.loads((folder / "record.json").read_text())
    assert record["matte"] == {"asked": "alpha", "ran": "alpha", "why": ""}
    assert record["kept"] == pytest.approx((cutout.rgba[..., 3] >= 128).mean(), abs=1e-6)
    assert record["box"] == [0, 0, 40, 64] and record["kind"] == "cutout"
    # What was seen can be asked for: the mask is one that `generate` takes.
    pictures.read_mask(folder / "mask.png", pictures.read(picture(side=64)))


def test_the_command_gives_what_it_gives_alone(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "disc.png"
    rgba = pictures.read(picture(side=80)).rgba.copy()
    rgba[rgba[..., 3] == 0] = 20, 90, 160, 255
    rgba[..., :3][rgba[..., 0] > 50] = 220, 60, 30
    pictures.write_png(Image(rgba), photo)
    words = ["cutout", str(photo), "--backend", "grabcut", "--box", "4,4,76,78"]
    assert cli.main([*words, "-o", str(tmp_path / "here.png")]) == 0
    there = [*words, "-o", str(tmp_path / "there.png"), "--server", server.string]
    assert cli.main(there) == 0, capsys.readouterr().err
    assert (tmp_path / "here.png").read_bytes() == (tmp_path / "there.png").read_bytes()
    here, there = (
        json.loads((tmp_path / f"{name}.json").read_text()) for name in ("here", "there")
    )
    for record in (here, there):
        del record["seconds"], record["output"]
    assert here == there


def test_splats_are_those_of_the_command(
    client: Client, server: Server, glb: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = tmp_path / "here.ply", tmp_path / "there.ply"
    words = ["splat", str(glb), "--count", "2000", "--seed", "3", "-o"]
    assert cli.main([*words, str(here)]) == 0
    assert cli.main([*words, str(there), "--server", server.string]) == 0, capsys.readouterr().err
    assert here.read_bytes() == there.read_bytes()
    job = ended(client, client.splats(glb.read_bytes(), {"gaussians": 500}))
    folder = downloaded(client, job.id, tmp_path / "out")
    assert len(splat_ply.read(folder / "splats.ply")) == 500
    record = json.loads((folder / "record.json").read_text())
    assert (record["triangles"], record["splats"], record["kind"]) == (12, 500, "splats")


def test_files_are_listed_in_the_order_in_which_clients_fetch(client: Client, glb: Path) -> None:
    """The last of the list is what tells the server that a result was delivered."""
    job = ended(client, client.splats(glb.read_bytes(), {"gaussians": 64}))
    assert [each["name"] for each in job.files] == ["record.json", "splats.ply"]


@pytest.mark.parametrize(
    ("kind", "settings", "code"),
    [
        ("cutout", {"matte": "magic"}, "unknown_backend"),
        ("cutout", {"options": {"grabcut": {"rounds": -1}}, "matte": "grabcut"},
         "invalid_settings"),
        ("splats", {"gaussians": 10**9}, "invalid_settings"),
        ("splats", {"count": 5}, "invalid_settings"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused_before_they_are_queued(
    client: Client, glb: Path, kind: str, settings: dict[str, object], code: str
) -> None:
    if kind == "cutout":
        client.cutout(picture(), settings)
    else:
        client.splats(glb.read_bytes(), settings)
    assert refusal(client, "submit").problem.code == code


def test_what_belongs_to_another_kind_is_refused(client: Client) -> None:
    for kind, body in (("cutout", {}), ("splats", {}), ("splats", {"box": [0.0, 0.0, 1.0, 1.0]})):
        client.submit(kind, {"settings": {}, **body})
        assert refusal(client, "submit").problem.code == "bad_message"


@pytest.mark.parametrize("name", ["bomb of views", "uri", "count", "no glb", "cycle"])
def test_a_hostile_mesh_fails_with_a_sentence_and_the_worker_lives(
    client: Client, server: Server, name: str
) -> None:
    worker = server.worker()
    job = ended(client, client.splats(HOSTILE[name], {"gaussians": 64}))
    assert job.state == "failed" and job.problem is not None
    assert job.problem.code == "bad_file" and job.problem.message
    assert server.worker() == worker and job.attempt == 1


def test_a_cutout_fails_as_a_job_does(client: Client) -> None:
    job = ended(client, client.cutout(b"not a picture", patient()))
    assert job.problem is not None and job.problem.code == "bad_image"


def greedy(limit: float, fits: float) -> dict[str, object]:
    return {"matte": "greedy", "options": {"greedy": {"memory_limit": limit, "fits": fits}}}


def test_a_cutout_whose_memory_runs_out_is_asked_for_less_once(
    client: Client, tmp_path: Path
) -> None:
    job = ended(client, client.cutout(picture(), greedy(8.0, 4.0)))
    assert job.state == "succeeded" and job.attempt == 1
    assert "memory ran out" in job.warning and job.warning.endswith("greedy.memory_limit=4 GB")
    folder = downloaded(client, job.id, tmp_path / "out")
    record = json.loads((folder / "record.json").read_text())
    assert record["memory"] == "with greedy.memory_limit=4 GB"
    assert record["settings"]["memory_limit"] == 4.0

    twice = ended(client, client.cutout(picture(), greedy(8.0, 1.0)))
    assert twice.state == "failed" and twice.problem is not None and twice.attempt == 1
    assert twice.problem.code == "out_of_memory"
    assert "greedy.memory_limit=4 GB" in twice.problem.message
    assert re.search(r"the worker holds \d+\.\d GB", twice.problem.message)


@pytest.mark.skipif(sys.platform != "linux", reason="limits on memory work on Linux alone")
@pytest.mark.slow
def test_splats_beyond_the_memory_are_an_error_with_numbers(
    start: Callable[..., Server], connect: Connect, glb: Path
) -> None:
    """Splats know no limit to lower: the second try has only the other models' room more."""
    client = connect(start(0, "--worker-memory", "1").string)
    job = ended(client, client.splats(glb.read_bytes(), {"gaussians": 2_000_000}), 240)
    assert job.state == "failed" and job.problem is not None and job.attempt == 1
    assert job.problem.code == "out_of_memory"
    assert "again with nothing else loaded" in job.problem.message
    assert "of the 1.1 GB that it may" in job.problem.message
    assert ended(client, client.splats(glb.read_bytes(), {"gaussians": 64})).state == "succeeded"
